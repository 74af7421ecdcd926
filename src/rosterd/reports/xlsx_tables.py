"""What the sheets of a workbook hold: columns with their widths and colours, and rows of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rosterd.core.access import AccessReport, Finding, Grant
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
    rows: Iterator[Any]
    form: Callable[[Sequence[Any]], list[Sequence[str]]]  # some rows as columns


def tables(report: AccessReport) -> list[Table]:
    """The tables in the order of their sheets; each one's rows can be taken once."""
    people = _count(report, "people", report.people)
    grants = _count(report, "grants", report.grants)
    return [
        Table("People", _PEOPLE, people, iter(report.people), of_people),
        Table("Grants", _GRANTS, grants, iter(report.grants), _of_grants),
        Table("Findings", _FINDINGS, len(report.findings), iter(report.findings), _of_findings),
        Table("Leavers", _LEAVERS, len(report.leavers), iter(report.leavers), _by_columns),
    ]


def _count(report: AccessReport, what: str, rows: Iterable[object]) -> int:
    known = report.counts.get(what)
    return sum(1 for _ in rows) if known is None else known


def _of_grants(rows: Sequence[Grant]) -> list[Sequence[str]]:
    kind, place, place_id, subject, name, email, level, via, since, key, verdict, *more = _by_columns(rows)
    return [kind, place, name, email, level, verdict, key, *more, via, since, subject, place_id]


def _of_findings(rows: Sequence[Finding]) -> list[Sequence[str]]:
    identity, severity, kind, sentence, next_step, first_seen, key, place = _by_columns(rows)
    return [severity, sentence, next_step, key, place, first_seen, kind, identity]


def _by_columns(rows: Sequence[Any]) -> list[Sequence[str]]:
    return list(zip(*rows, strict=True))


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
