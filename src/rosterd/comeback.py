"""Waits that outlive a run: a target that asked for a long pause, and a directory that refuses our password.

A password that is wrong is not tried with every run: each try counts towards locking the account.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from rosterd.errors import RosterdError, SourceError
from rosterd.ledger.waits import Wait
from rosterd.patience import ComeBack

FIRST, LONGEST = 600.0, 6 * 3_600.0  # seconds between tries of a refused password; see `pause_after`
TARGET = "orbix"


def pause_left(ledger: Any, now: float) -> float:
    """Seconds for which the target asked to be left alone."""
    wait = ledger.wait(TARGET)
    return wait.left(now) if wait else 0.0


def note_pause(ledger: Any, problems: list[RosterdError], now: float) -> None:
    """Keeps the longest pause that the target asked for."""
    asked = max((problem.seconds for problem in problems if isinstance(problem, ComeBack)), default=0.0)
    if asked > pause_left(ledger, now) + 1:
        ledger.note_wait(TARGET, Wait(now, now + asked))


def source_place(binding: int, name: str) -> str:
    """What is waited for when a source refuses our credentials."""
    return f"source:{binding}:source {name}"


def refusing(ledger: Any, what: str, changed: float, now: float) -> bool:
    """Whether a source must not be asked just now; see `asked`."""
    wait: Wait | None = ledger.wait(what)
    return wait is not None and changed <= wait.since and wait.left(now) > 0


def asked(ledger: Any, what: str, changed: float, now: float, ask: Callable[[], Any]) -> Any:
    """What a source gives when asked, unless it refused our credentials lately and the settings are as they were.

    `changed`: when the settings, or a secret file, were changed last. Raises SourceError.
    """
    wait: Wait | None = ledger.wait(what)
    if wait is not None and changed <= wait.since and (left := wait.left(now)):
        at = datetime.fromtimestamp(now + left, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise SourceError(
            f"not asked, as it refused our credentials {wait.times} times in a row: next try at {at}",
            where=what.rpartition(":")[2],
            hint="correct the password: changed settings and secret files are tried at once, as by `rosterd check`",
        )  # fmt: skip
    try:
        found = ask()
    except SourceError as error:
        if error.refused:
            count = wait.times + 1 if wait is not None and changed <= wait.since else 1
            ledger.note_wait(what, Wait(now, now + pause_after(count), count))
        raise
    if wait is not None:
        ledger.note_wait(what, None)
    return found


def pause_after(count: int) -> float:
    """Seconds until the next try after so many refusals in a row: no policy locks an account for two."""
    return 0.0 if count < 3 else min(LONGEST, FIRST * 2.0 ** min(count - 3, 30))
