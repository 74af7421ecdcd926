"""Reading who has access, place by place, and the report that follows. One place's failure leaves the rest whole."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from rosterd.changes import difference
from rosterd.core.access import APPLICATION, TWIN, AccessReport, Finding, Place
from rosterd.core.doors import AccessSource
from rosterd.draft import Plan
from rosterd.errors import (
    CredentialsError,
    LedgerError,
    RosterdError,
    SettingsError,
    Stopped,
    TargetError,
)
from rosterd.reporting import About, build

HELD = "it was read, but a guard holds what it shows"
EMPTIED = "it says that nobody has access any more; its last state is kept until the next read says so too"


@dataclass(frozen=True)
class Reports:
    """How reports leave: `digest` is over what matters in one, `write` gives the paths and what failed.

    `there`: whether the files of the last report still lie where they were written. `prune` removes older ones.
    """

    digest: Callable[[AccessReport], str]
    write: Callable[[AccessReport], tuple[list[str], list[RosterdError]]]
    there: Callable[[str], bool]
    prune: Callable[[], list[RosterdError]] = list


@dataclass
class Found:
    """What came of access and registrations in a run.

    `problems` of reading or reporting stop nothing, they make the report incomplete; `failed`: registrations that
    did not come to an end.
    """

    problems: list[RosterdError] = field(default_factory=list)
    failed: list[RosterdError] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    complete: bool = True
    asked: bool = False  # the places were asked, so that problems, or none, say something
    high: list[Finding] = field(default_factory=list)  # of high severity, which the last report did not have


def note_directory(
    ledger: Any, binding: int, plan: Plan, sources: Mapping[str, str | int], now: float, *, held: bool
) -> None:
    """Takes note of the directory as it was read: how many entries, or why not; accounts unless a guard holds."""
    for name, found in sources.items():
        place = Place("directory", name, name)
        if isinstance(found, int) and not held:
            ledger.note_place(binding, place, now, entries=found)
        else:
            ledger.note_place(binding, place, now, reason=HELD if isinstance(found, int) else found)
    if not held:
        for changed in plan.accounts.changed():
            ledger.note_accounts(binding, changed, (), now)
        for left in plan.accounts.left():
            ledger.note_accounts(binding, (), left, now)


def note_refusal(ledger: Any, binding: int, problems: Sequence[RosterdError], now: float) -> None:
    """Keeps that access was refused until it is read again: runs that read none must not make it forgotten."""
    refused = [f"{error}" for error in problems if isinstance(error, CredentialsError)]
    ledger.note_refusal(binding, refused[0] if refused else "", now)


def note_unread(ledger: Any, binding: int, error: RosterdError, now: float) -> list[RosterdError]:
    """No place could even be asked: what was known of them stands. Gives what went wrong, which is this."""
    for place, *_ in ledger.places(binding):
        if place.kind in (APPLICATION, TWIN):
            ledger.note_place(binding, place, now, reason=f"{error}")
    return [error]


def read_places(
    source: AccessSource | None, printers: Sequence[Place], ledger: Any, binding: int,
    clock: Callable[[], float], stop: threading.Event, progress: Callable[[str, int], None],
) -> list[RosterdError]:  # fmt: skip
    """Reads every place on its own; gives what went wrong. Raises Stopped or LedgerError.

    A place that had people and shows nobody is believed when it says so twice: an empty answer is easily a fault.
    """
    places = source.places() if source is not None else ()
    problems: list[RosterdError] = []
    ledger.forget_places(binding, [*places, *printers], keep=("directory",))
    known = {place[:2]: (reason, entries) for place, _, reason, entries, _ in ledger.places(binding)}
    for place in printers:
        ledger.note_place(binding, place, clock(), entries=len(ledger.registrations(binding, place.id)))
    for place in places:
        if stop.is_set():
            raise Stopped("stopped before all access was read")
        assert source is not None
        try:
            snapshot = source.read(place)
            if not snapshot.holders:
                _forbid_emptied(place, *known.get(place[:2], ("", 0)))
        except TargetError as error:
            ledger.note_place(binding, place, clock(), reason=f"{error}")
            problems.append(error)
            continue
        ledger.note_holders(binding, place, snapshot, clock())
        progress("grants", len(snapshot.holders))
    return problems


def _forbid_emptied(place: Place, reason: str, entries: int) -> None:
    """Raises TargetError for a place that had people, unless that is what the last read was told as well."""
    emptied = TargetError(EMPTIED, where=place.id)
    if entries and reason != f"{emptied}":
        raise emptied


def write_report(ledger: Any, about: About, reports: Reports, now: float, stop: threading.Event) -> Found:
    """Makes the report, and writes it when it says something else than the last one. Raises LedgerError or Stopped."""
    report = build(ledger, about, now, stop)
    found = Found(complete=report.complete)
    last = ledger.last_report(about.binding)
    digest = reports.digest(report)
    if last is not None and last[1] == digest and reports.there(about.customer):
        return found
    new = difference(ledger, about.binding, report)
    try:
        changes = last[2] if last is not None and last[1] == digest else new.changes
        found.files, found.problems = reports.write(replace(report, changes=changes))
        if not found.problems:
            found.high = [one for one in report.findings if one.severity == "high" and one.id in new.findings]
            said, dropped = (chain.from_iterable(pile.pages()) for pile in (new.said, new.dropped))
            ledger.note_report(about.binding, now, digest, report.counts, changes, said, dropped)
    finally:
        new.close()
    return found


def exit_codes(found: Found) -> list[int]:
    """What reading access adds to a run's exit code: 9 when somebody must sign in, 3 for an incomplete report."""
    own = (CredentialsError, LedgerError, SettingsError)
    codes = [one.exit_code for one in found.problems if isinstance(one, own)]
    return [*codes, *[3] * bool(found.problems or not found.complete)]
