"""What the sheets of a workbook hold: columns with their widths and colours, and rows of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from rosterd.core.access import AccessReport
from rosterd.reports.columns import Column as Text
from rosterd.reports.columns import Page, pages
from rosterd.reports.csv import of_people

BAD, ODD, DULL = "bad", "odd", "dull"  # colours by what they mean

_DIRECTORY = {"left": BAD, "disabled": ODD, "set aside": ODD, "excluded": DULL}
_ORBIX = {"refused": BAD, "set aside": ODD, "waiting": DULL, "left": DULL}
_VERDICTS = {"left": BAD, "stranger": BAD, "disabled": ODD, "cannot tell": ODD, "service or group": DULL}
_SEVERITIES = {"high": BAD, "medium": ODD, "low": DULL}


@dataclass(frozen=True)
class Column:
    """A column: its width is in characters, `colours` says which of its texts stand out."""

    title: str
    width: int
    colours: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table that starts on a sheet of its own, and goes on in another when it is too long."""

    name: str
    columns: Sequence[Column]
    count: int
    pages: Iterator[Page]
    form: Callable[[Page], list[Text]]  # the columns in the order of the sheet's


def tables(report: AccessReport) -> list[Table]:
    """The tables in the order of their sheets; each one's rows can be taken once."""
    people = _count(report, "people", report.people)
    grants = _count(report, "grants", report.grants)
    return [
        Table("People", _PEOPLE, people, pages(report.people), of_people),
        Table("Grants", _GRANTS, grants, pages(report.grants), _of_grants),
        Table("Findings", _FINDINGS, len(report.findings), pages(report.findings), _of_findings),
        Table("Leavers", _LEAVERS, len(report.leavers), pages(report.leavers), itemgetter(1)),
    ]


def _count(report: AccessReport, what: str, rows: Iterable[object]) -> int:
    known = report.counts.get(what)
    return sum(1 for _ in rows) if known is None else known


def _of_grants(page: Page) -> list[Text]:
    kind, place, place_id, subject, name, email, level, via, since, key, verdict, *more = page[1]
    return [kind, place, name, email, level, verdict, key, *more, via, since, subject, place_id]


def _of_findings(page: Page) -> list[Text]:
    identity, severity, kind, sentence, next_step, first_seen, key, place = page[1]
    return [severity, sentence, next_step, key, place, first_seen, kind, identity]


_PEOPLE = (
    Column("Person", 28),
    Column("Name", 28),
    Column("E-mail", 34),
    Column("Directory", 12, _DIRECTORY),
    Column("Orbix", 12, _ORBIX),
    Column("Groups", 40),
    Column("Note", 50),
)
_GRANTS = (
    Column("Kind", 12),
    Column("Place", 30),
    Column("Name", 28),
    Column("E-mail", 34),
    Column("Level", 14),
    Column("Verdict", 16, _VERDICTS),
    Column("Person", 28),
    Column("Recognised by", 14),
    Column("Possibly", 24),
    Column("Via", 20),
    Column("Since", 26),
    Column("Autodesk id", 20),
    Column("Place id", 30),
)
_FINDINGS = (
    Column("Severity", 10, _SEVERITIES),
    Column("What was found", 90),
    Column("Next step", 70),
    Column("Person", 28),
    Column("Place", 30),
    Column("First seen", 26),
    Column("Kind", 20),
    Column("Id", 18),
)
_LEAVERS = (
    Column("Kind", 10),
    Column("Person or group", 28),
    Column("Name", 28),
    Column("E-mail", 34),
    Column("Group", 28),
    Column("Since", 26),
)
