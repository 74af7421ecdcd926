"""The report for a terminal: what changed, the findings, then how things stand. Long lists end in a number.

Of people and grants there may be very many: those that need no eye are counted, and the other formats list them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import IO, TypeAlias, TypeVar

from rosterd.core.access import KNOWN, SEVERITIES, VERDICTS, AccessReport, Finding, Grant, called
from rosterd.reports.columns import pages, picked, whole
from rosterd.reports.layout import clean, table, width_of, wrapped
from rosterd.reports.shown import moment_text
from rosterd.words import Paint

WIDTH, NARROWEST = 100, 40  # columns
LISTED = 200  # rows of one list
_LONGEST = 400  # characters of one value
_PLAIN = Paint(False)
_VERDICT = Grant._fields.index("verdict")

Row = TypeVar("Row")
Colour: TypeAlias = Callable[[str], str]


@dataclass
class _Access:
    """The grants, counted by place and verdict, and the first of those that need an eye."""

    places: dict[tuple[str, str, str], Counter[str]] = field(default_factory=dict)
    odd: list[Grant] = field(default_factory=list)


def write(report: AccessReport, out: IO[bytes]) -> None:
    """Writes the report as a file. Raises what `out` and the report's own rows raise."""
    write_all([report], out)


def write_all(
    reports: Iterable[AccessReport], out: IO[bytes], *, width: int = WIDTH, paint: Paint = _PLAIN
) -> None:
    """Writes several customers' reports one below the other. width: columns of the terminal."""
    before = b""
    for report in reports:
        out.write(before)
        for line in lines(report, width, paint):
            out.write(line.encode() + b"\n")
        before = b"\n"


def lines(report: AccessReport, width: int = WIDTH, paint: Paint = _PLAIN) -> Iterator[str]:
    """The report line by line; `people` and `grants` are read once each."""
    width = max(width, NARROWEST)
    access = _counted(report.grants)
    yield from _head(report, width, paint)
    yield from _changes(report, width, paint)
    yield from _findings(report, width, paint)
    yield from _leavers(report, width, paint)
    yield from _places(access, width, paint)
    yield from _grants(access, width, paint)
    yield from _people(report, width, paint)


def _head(report: AccessReport, width: int, paint: Paint) -> Iterator[str]:
    yield paint.bold(_clean(f"Access report: {report.customer}")) + paint.dim(
        f", {_clean(report.client)} in Orbix"
    )
    yield paint.dim(f"made {_moment(report.made)}")
    for place in report.sources:
        if place.state == "whole" and place.consistent:
            continue
        name = _clean(f"{place.kind} {called(place.name, place.id)}")
        if place.state == "whole":
            what = "changed while it was read"
        elif place.state == "stale":
            what = f"could not be read, shown as of {_moment(place.time)}"
        else:
            what = "has never been read"
        why = f": {_clean(place.reason)}" if place.reason else ""
        yield from map(paint.odd, wrapped(f"{name} {what}{why}", width, "  ! ", "    "))
    if not report.complete:
        yield from map(paint.bad, wrapped("The report is incomplete.", width, "  ! ", "    "))


def _changes(report: AccessReport, width: int, paint: Paint) -> Iterator[str]:
    colours = {"added": paint.odd, "removed": paint.good}
    signs = {"added": "+", "removed": "-"}
    yield from _title("Since the last report", len(report.changes), paint)
    for change in report.changes[:LISTED]:
        first = f"  {signs.get(change.op, '~')} "
        colour = colours.get(change.op, str)
        yield from map(colour, wrapped(_clean(change.sentence), width, first, "    "))
    yield from _more(len(report.changes), paint)


def _findings(report: AccessReport, width: int, paint: Paint) -> Iterator[str]:
    yield from _title("Findings", len(report.findings), paint)
    colours = {"high": paint.bad, "medium": paint.odd}
    for finding in sorted(report.findings, key=_urgency)[:LISTED]:
        severity = clean(finding.severity, 8)
        room = " " * (width_of(severity) + 4)
        first, *rest = wrapped(_clean(finding.sentence), width, room, room)
        colour: Colour = colours.get(finding.severity, paint.dim)
        yield f"  {colour(severity)}  {first[len(room) :]}"
        yield from rest
        seen = f" (since {_moment(finding.first_seen)})" if finding.first_seen else ""
        yield from map(paint.dim, wrapped(_clean(finding.next_step) + seen, width, f"{room}→ ", f"{room}  "))
    yield from _more(len(report.findings), paint)


def _urgency(finding: Finding) -> int:
    known = finding.severity in SEVERITIES
    return SEVERITIES.index(finding.severity) if known else len(SEVERITIES)


def _leavers(report: AccessReport, width: int, paint: Paint) -> Iterator[str]:
    yield from _title("To be removed in Orbix by hand", len(report.leavers), paint)
    header = ("kind", "key", "name", "e-mail", "group", "since")
    rows = [(*row[:5], _moment(row.since)) for row in report.leavers[:LISTED]]
    yield from _table(header, rows, width, paint)
    yield from _more(len(report.leavers), paint)


def _counted(grants: Iterable[Grant]) -> _Access:
    found = _Access()
    for page in pages(grants):
        kind, place, place_id, *_ = columns = [whole(column, page[0]) for column in page[1]]
        verdicts = list(columns[_VERDICT])
        for (*where, verdict), count in Counter(zip(kind, place, place_id, verdicts, strict=True)).items():
            found.places.setdefault((*where,), Counter())[verdict] += count
        if len(found.odd) < LISTED:
            odd = picked(page, [verdict != KNOWN for verdict in verdicts])
            found.odd += map(Grant._make, islice(odd, LISTED - len(found.odd)))
    return found


def _places(access: _Access, width: int, paint: Paint) -> Iterator[str]:
    yield from _title("Places", len(access.places), paint)
    some = [verdict for verdict in VERDICTS if any(counts[verdict] for counts in access.places.values())]
    header = ("kind", "place", "grants", *some)
    rows = [
        (kind, name or identity, f"{counts.total():,}", *(f"{counts[verdict]:,}" for verdict in some))
        for (kind, name, identity), counts in list(access.places.items())[:LISTED]
    ]
    yield from _table(header, rows, width, paint)
    ids = [
        (name, identity) for _, name, identity in list(access.places)[:LISTED] if name not in ("", identity)
    ]
    yield from _table(("place", "id"), ids, width, paint)
    yield from _more(len(access.places), paint)


def _grants(access: _Access, width: int, paint: Paint) -> Iterator[str]:
    total = sum(counts.total() - counts[KNOWN] for counts in access.places.values())
    yield from _title("Access of others than people known", total, paint)
    header = ("verdict", "place", "name", "e-mail", "level", "person")
    rows = [
        (one.verdict, one.place or one.place_id, one.name or one.subject, one.email, one.level, one.person)
        for one in access.odd
    ]
    yield from _table(header, rows, width, paint)
    yield from _more(total, paint)


def _people(report: AccessReport, width: int, paint: Paint) -> Iterator[str]:
    states: Counter[str] = Counter()
    odd: list[tuple[str, ...]] = []
    total = 0
    for person in report.people:
        states[f"{person.directory} / {person.orbix}"] += 1
        if person.note or person.orbix == "refused":
            total += 1
            if len(odd) < LISTED:
                odd.append((person.key, person.name, person.directory, person.orbix, person.note))
    yield from _title("People by state", states.total(), paint)
    rows = [(state, f"{count:,}") for state, count in states.most_common(LISTED)]
    yield from _table(("directory / Orbix", "people"), rows, width, paint)
    if total:
        yield from _title("People with a note", total, paint)
        yield from _table(("key", "name", "directory", "Orbix", "note"), odd, width, paint)
        yield from _more(total, paint)


def _title(text: str, count: int, paint: Paint) -> Iterator[str]:
    yield ""
    yield f"{paint.bold(text)}: {f'{count:,}' if count else 'none'}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], width: int, paint: Paint) -> Iterator[str]:
    if rows:
        cleaned = [header, *(tuple(map(_clean, row)) for row in rows)]
        yield from table(cleaned, width, lambda number, line: line if number else paint.dim(line))


def _more(count: int, paint: Paint) -> Iterator[str]:
    if count > LISTED:
        yield paint.dim(f"  … and {count - LISTED:,} more: the other formats list them")


def _moment(text: str) -> str:
    return _clean(moment_text(text))


_clean = partial(clean, longest=_LONGEST)
