"""From the ledger to an access report: who is who, where they have access, and what changed since the last report.

Everything is read from the ledger, so a report can be made at any time, without a directory or Autodesk.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rosterd.core.access import GONE as LEFT_VERDICT
from rosterd.core.access import (
    PRINTER,
    STRANGER,
    VERDICTS,
    AccessReport,
    Account,
    Grant,
    LeaverRow,
    PersonRow,
    PlaceState,
    TrendPoint,
)
from rosterd.core.findings import Context, find
from rosterd.core.join import Index, Owners, grants, index
from rosterd.core.merge import align
from rosterd.core.people import NUL, fold
from rosterd.core.plan import PERSON
from rosterd.errors import Stopped
from rosterd.roster import Columns, Kept, Sorter, by_columns, merged, packed

TREND = 60  # reports whose counts are shown, this one among them


@dataclass(frozen=True)
class About:
    """Whose report it is. managers: the grouping whose members may own and manage places, or ""."""

    binding: int
    customer: str
    client: str
    directories: tuple[str, ...]  # its sources
    managers: str = ""


def iso(seconds: float | None) -> str:
    """Seconds since 1970 as ISO 8601 in UTC; "" for never."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def build(ledger: Any, about: About, now: float, stop: threading.Event | None = None) -> AccessReport:
    """The report as of now, but for what changed since the last one (see changes). Raises LedgerError.

    Once `stop` is set, whoever goes on making it or reading its rows meets Stopped: they may be a million.
    """

    def look() -> None:
        if stop is not None and stop.is_set():
            raise Stopped("stopped before the report was written")

    binding = about.binding
    states = _states(ledger, about)
    read = {state.id for state in states if state.kind == "directory" and state.state != "never"}
    known = index(
        ledger.identities(binding),
        (account for page in ledger.accounts(binding) for account in page),
        whole=read >= set(about.directories),
    )
    owners = Owners(known)
    said = {key: iso(first) for page in ledger.reported(binding, "finding") for key, _, _, first in page}
    verdicts: Counter[str] = Counter()
    rows = Kept(lambda: map(packed, grants(ledger.holders(binding), owners)), Grant, look)
    printers = {state.id: state.name for state in states if state.kind == PRINTER}
    context = _context(ledger, about, now, said, printers, known)
    found = find(_counted(rows.columns(), verdicts), known.double, context)
    counts = {"people": ledger.count_accounts(binding), "grants": verdicts.total(), "findings": len(found)}
    counts |= {verdict: verdicts[verdict] for verdict in VERDICTS}
    return AccessReport(
        customer=about.customer,
        client=about.client,
        made=iso(now),
        complete=all(state.state == "whole" for state in states),
        sources=states,
        people=Kept(lambda: map(by_columns, _people(ledger, binding)), PersonRow, look),
        grants=rows,
        findings=found,
        leavers=[_leaver(one) for one in ledger.leavers(binding)],
        counts=counts,
        trend=[*_trend(ledger, binding), _point(now, counts)],
    )


def _states(ledger: Any, about: About) -> list[PlaceState]:
    """Sources and places as they stand; a source that was never met has not been read yet."""
    states = [
        PlaceState(
            place.kind, place.id, place.name, "never" if whole is None else "stale" if reason else "whole",
            iso(whole), reason, entries, consistent,
        )
        for place, whole, reason, entries, consistent in ledger.places(about.binding)
        if place.kind != "directory" or place.id in about.directories
    ]  # fmt: skip
    met = {state.id for state in states if state.kind == "directory"}
    states += [
        PlaceState("directory", name, name, "never", "", "it has not been read yet", 0)
        for name in about.directories
        if name not in met
    ]
    return states


def _counted(pages: Iterable[Columns], verdicts: Counter[str]) -> Iterator[list[Sequence[str]]]:
    """The pages with all their columns in full; `verdicts` learns how many there are of each."""
    for count, columns in pages:
        page = [[same] * count if column is None else column for same, column in columns]
        verdicts.update(page[_VERDICT])
        yield page


_VERDICT = Grant._fields.index("verdict")


def _context(
    ledger: Any, about: About, now: float, seen: Mapping[str, str], printers: Mapping[str, str], known: Index
) -> Context:
    managers, called = _managers(ledger, about)
    codes = [
        (
            one.printer,
            printers.get(one.printer, one.printer),
            one.email,
            "doubt" if one.state == "doubt" else "waiting",
        )
        for one in ledger.registrations(about.binding)
        if one.handed is None and one.state != "again"
    ]
    refused = ledger.refused_people(about.binding)
    return Context(iso(now), called, managers, refused, codes, known.outside, seen)


def _managers(ledger: Any, about: About) -> tuple[frozenset[str] | None, str]:
    """Who may own and manage places, None for anybody; and the grouping they are in, in words."""
    if not about.managers:
        return None, ""
    group = fold(about.managers).encode()
    if not any(row[0] == group for row in ledger.groups(about.binding)):
        return frozenset(), f"{about.managers}, which Orbix does not have"
    keys = [seat.partition(NUL)[2] for seat in ledger.seats_of(about.binding, group, 1_000_000)]
    return frozenset(ledger.shown(about.binding, keys).values()), about.managers


def _people(ledger: Any, binding: int) -> Iterator[list[PersonRow]]:
    """Everybody the directory shows or showed, with their state at Orbix and their groups."""
    sitting: Sorter[tuple[bytes, str]] = Sorter(whole=True)
    try:
        names = {row[0]: row[1] for row in ledger.groups(binding)}
        for page in ledger.seats(binding):
            parts = ((seat[0].partition(NUL), seat[2]) for seat in page)
            sitting.add([
                (person, names.get(group, "?")) for (group, _, person), state in parts if state in ("active", "doubt")
            ])  # fmt: skip
        for accounts, seats in align(ledger.accounts(binding), merged([sitting])):
            if accounts:
                yield list(_rows(ledger, binding, accounts, seats))
    finally:
        sitting.close()


def _rows(
    ledger: Any, binding: int, accounts: Sequence[Account], seats: Iterable[tuple[bytes, str]]
) -> Iterator[PersonRow]:
    low, high = accounts[0].key, accounts[-1].key
    states: Mapping[bytes, str] = ledger.person_states(binding, low, high)
    problems: Mapping[bytes, tuple[str, str]] = ledger.problems_of(binding, PERSON, low, high)
    groups: dict[bytes, list[str]] = {}
    for person, name in seats:
        groups.setdefault(person, []).append(name)
    for account in accounts:
        bucket, reason = problems.get(account.key, ("", ""))
        orbix = _ORBIX[states.get(account.key, "")]
        if bucket and account.state != "left":
            orbix = "refused" if bucket == "refused" else "set aside"
        emails = tuple(account.emails.split("\n")) if account.emails else ()
        sits = tuple(groups.get(account.key, ()))
        note = account.note or reason
        yield PersonRow(account.shown, account.name, emails, account.state, orbix, sits, note)


_ORBIX = {
    "": "never", "tried": "waiting", "doubt": "waiting", "active": "delivered", "left": "left", "removed": "left",
}  # fmt: skip


def _leaver(one: Any) -> LeaverRow:
    return LeaverRow(one.kind, one.shown, one.name, one.email, one.group, iso(one.since))


def _trend(ledger: Any, binding: int) -> list[TrendPoint]:
    """The counts of earlier reports, the oldest first."""
    return [_point(at, counts) for at, counts in ledger.reports(binding, TREND - 1)]


def _point(at: float, counts: Mapping[str, int]) -> TrendPoint:
    names = ("people", "grants", STRANGER, LEFT_VERDICT, "findings")
    return TrendPoint(iso(at), *(counts.get(name, 0) for name in names))
