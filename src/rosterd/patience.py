"""Patience with a target: its pace, a breaker, and the retry loop. Knows nothing of Orbix or of sockets.

Our own loop, because every wait must end with the stop event and obey Retry-After.
Clock (seconds, monotonic), wait (true when stopped) and random (0 to 1) come in as parameters.
"""

from __future__ import annotations

import random as dice
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from rosterd.errors import Stopped, TargetError

T = TypeVar("T")
Wait = Callable[[float], bool]  # waits so many seconds; true, at once, when the process was asked to stop
Clock = Callable[[], float]

BASE = 0.5  # seconds, doubled with every try
CAP = 30.0  # the longest back-off that we choose ourselves
BUDGET = 900.0  # seconds one run may spend in back-off for one customer
LEAST_AFTER_429 = 1.0
COOL = 60.0  # seconds an open breaker lets nothing through
_TEN_YEARS = 315_360_000.0


class ComeBack(TargetError):
    """The target asked for a pause longer than a run may wait: `seconds`."""

    def __init__(self, seconds: float, now: float) -> None:
        at = datetime.fromtimestamp(now + seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        super().__init__(
            f"the target asks to come back in {seconds:.0f} s, at {at}",
            hint="a run after that time goes on; a larger retry_after_cap waits within the run",
        )
        self.seconds = seconds


@dataclass(frozen=True)
class Again:
    """A try failed and another may succeed: what to end with, and the least wait in seconds."""

    problem: TargetError
    at_least: float = 0.0


def retry_after(value: str | None, date: str | None, now: float) -> float | None:
    """Seconds that Retry-After (RFC 9110, 10.2.3) asks for: 0 for a past date, None when missing or bad.

    A date is measured from the answer's own `Date` where it has one, else from `now` (seconds since 1970).
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text[:12]), _TEN_YEARS)
    at, sent = _seconds(text), _seconds(date or "")
    return None if at is None else min(max(0.0, at - (now if sent is None else sent)), _TEN_YEARS)


def _seconds(date: str) -> float | None:
    try:
        found = parsedate_to_datetime(date)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


class Pace:
    """Lets at most `per_second` requests start, over all lanes; 0: any number. Holds all for a pause."""

    def __init__(self, per_second: float, longest: float, wait: Wait, clock: Clock = time.monotonic) -> None:
        self._gap = 1 / per_second if per_second else 0.0
        self._longest, self._wait, self._clock = longest, wait, clock
        self._lock = threading.Lock()
        self._next = self._held = clock()

    def take(self) -> None:
        """Waits for a request's turn. Raises Stopped, or ComeBack when a pause is longer than `longest`."""
        with self._lock:
            now = self._clock()
            if self._held - now > self._longest:
                raise ComeBack(self._held - now, time.time())
            at = max(now, self._next, self._held)
            self._next = at + self._gap
        if at > now and self._wait(at - now):
            raise Stopped

    def hold(self, seconds: float) -> None:
        """No request starts before so many seconds have passed. Raises ComeBack when that is too long."""
        with self._lock:
            self._held = max(self._held, self._clock() + seconds)
        if seconds > self._longest:
            raise ComeBack(seconds, time.time())


class Breaker:
    """Opens after `limit` failures in a row; after COOL seconds one request may try again."""

    def __init__(self, limit: int, clock: Clock = time.monotonic) -> None:
        self.limit, self._clock = limit, clock
        self._lock = threading.Lock()
        self._failures, self._until = 0, 0.0

    def check(self) -> None:
        """Raises TargetError while open."""
        with self._lock:
            left = self._until - self._clock()
            if self._failures >= self.limit and left > 0:
                raise TargetError(
                    f"the last {self._failures} requests failed, so none is sent for {left:.0f} s",
                    hint="see the warnings before this one; a later run tries again",
                )
            self._until = self._clock() + COOL  # half open: this one goes, the others wait for its fate

    def note(self, worked: bool) -> None:
        """Counts a request's fate."""
        with self._lock:
            self._failures = 0 if worked else self._failures + 1
            self._until = self._clock() + COOL


class Patience:
    """The retry loop: full jitter between 0 and a doubling bound, within a number of tries and a budget."""

    def __init__(
        self, attempts: int, wait: Wait, tell: Callable[[TargetError, float], None],
        random: Callable[[], float] = dice.random, budget: float = BUDGET,
    ) -> None:  # fmt: skip
        self._attempts, self._wait, self._tell, self._random = attempts, wait, tell, random
        self._left, self._lock = budget, threading.Lock()

    def run(self, attempt: Callable[[], T | Again]) -> T:
        """The first result of `attempt` that is not Again, else raises its last problem, or Stopped.

        An error that ends the loop has `maybe_applied` when any try before it may have been applied.
        """
        doubt, number = False, 0
        while True:
            try:
                result = attempt()
                if not isinstance(result, Again):
                    return result
                number += 1
                if number >= self._attempts or not self._pause(number, result):
                    tried = "tried once" if number == 1 else f"tried {number} times"
                    result.problem.hint = result.problem.hint or f"{tried}; the next run tries again"
                    raise result.problem
                doubt |= result.problem.maybe_applied
            except TargetError as error:
                error.maybe_applied |= doubt
                raise

    def _pause(self, number: int, again: Again) -> bool:
        """Waits; false when the budget does not allow it."""
        seconds = max(again.at_least, self._random() * min(CAP, BASE * 2 ** (number - 1)))
        with self._lock:
            self._left -= seconds
            if self._left < 0:
                return False
        self._tell(again.problem, seconds)
        if self._wait(seconds):
            raise Stopped
        return True
