"""The report document, `rosterd/report/1`: everything that is known, for programs. docs/report.md tells each field.

It is written row by row, so that a report of any size passes through little memory. Nothing is cut, and nothing
is escaped but what JSON must escape; whoever shows a value makes it fit for its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, Any, TypeVar

from rosterd.core.access import (
    AccessReport,
    Finding,
    Grant,
    LeaverRow,
    PersonRow,
    PlaceState,
    ReportChange,
    TrendPoint,
)

Row = TypeVar("Row")

SCHEMA = "rosterd/report/1"
_PIECE = 500  # rows encoded at a time

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def write(report: AccessReport, out: IO[bytes]) -> None:
    """Writes the document of one customer. Raises what `out` and the report's own rows raise."""
    write_all([report], report.made, out)


def write_all(reports: Iterable[AccessReport], made: str, out: IO[bytes]) -> None:
    """Writes the document of several customers, one after the other. `made` is ISO 8601, UTC."""
    out.write(f'{{"schema":{_encode(SCHEMA)},"made":{_encode(made)},"customers":{{'.encode())
    before = ""
    for report in reports:
        out.write(_bytes(f"{before}\n{_encode(report.customer)}:"))
        for piece in _customer(report):
            out.write(_bytes(piece))
        before = ","
    out.write(b"\n}}\n")


def document(report: AccessReport) -> dict[str, Any]:
    """One customer's part of the document, for a report small enough to be held."""
    rows = {name: list(map(form, given)) for name, given, form in _lists(report)}
    return {**_head(report), **rows, "counts": dict(report.counts)}


def digest(report: AccessReport) -> str:
    """A hash over what a report says; two reports with the same one differ in nothing that matters.

    Left out: when it was made and what was first seen when, when a place was read whole, changes, trend, counts.
    """
    told = hashlib.blake2b(digest_size=16)
    for part in _said(report):
        # One list after the other, its rows as JSON arrays: no two contents give the same bytes.
        for piece in _pieces(part):
            told.update(json.dumps(piece, separators=(",", ":")).encode())
        told.update(b"\n")
    return told.hexdigest()


def _said(report: AccessReport) -> Iterator[Iterable[Any]]:
    yield [SCHEMA, report.customer, report.client, report.complete]
    yield (place._replace(time="") if place.state == "whole" else place for place in report.sources)
    yield report.people
    yield report.grants
    yield (finding._replace(first_seen="") for finding in report.findings)
    yield report.leavers


def _head(report: AccessReport) -> dict[str, Any]:
    return {"complete": report.complete, "client": report.client}


def _lists(report: AccessReport) -> list[tuple[str, Iterable[Any], Callable[[Any], dict[str, Any]]]]:
    """The lists of a customer's part in their order: name, rows, and what makes a row an object."""
    return [
        ("sources", report.sources, _fields),
        ("people", report.people, _person),
        ("grants", report.grants, _grant),
        ("findings", report.findings, _about),
        ("leavers", report.leavers, _fields),
        ("changes", report.changes, _about),
        ("trend", report.trend, _fields),
    ]


def _customer(report: AccessReport) -> Iterator[str]:
    """The text of `document`, in pieces."""
    yield _encode(_head(report))[:-1]
    for name, rows, form in _lists(report):
        yield f',\n"{name}":['
        before = ""
        for piece in _pieces(map(form, rows)):
            yield before + _encode(piece)[1:-1].replace(*_line_break(piece[0]))
            before = ",\n"
        yield "]"
    yield f',\n"counts":{_encode(report.counts)}}}'


def _line_break(row: dict[str, Any]) -> tuple[str, str]:
    """What stands between two rows, and the same with a line's end, so that each row has a line.

    No text contains it: the quote would be its end, and no letter follows the end of a text.
    """
    first = next(iter(row))
    return f'}},{{"{first}', f'}},\n{{"{first}'


def _pieces(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while piece := list(islice(rows, _PIECE)):
        yield piece


def _bytes(text: str) -> bytes:
    """UTF-8. A lone surrogate, which is half a character and stands for nothing, becomes U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _person(row: PersonRow) -> dict[str, Any]:
    return {
        "key": row.key,
        "name": row.name,
        "emails": list(row.emails),
        "directory": row.directory,
        "orbix": row.orbix,
        "groups": list(row.groups),
        "note": row.note,
    }


def _grant(row: Grant) -> dict[str, Any]:
    return {
        "person": row.person or None,
        "place": row.place,
        "place_id": row.place_id,
        "kind": row.kind,
        "level": row.level,
        "via": row.via,
        "verdict": row.verdict,
        "subject": row.subject,
        "name": row.name,
        "email": row.email,
        "since": row.since,
        "matched": row.matched,
        "possibly": row.possibly or None,
    }


def _about(row: Finding | ReportChange) -> dict[str, Any]:
    return {**row._asdict(), "person": row.person or None}


def _fields(row: PlaceState | LeaverRow | TrendPoint) -> dict[str, Any]:
    """The fields of a named tuple under their own names."""
    return row._asdict()
