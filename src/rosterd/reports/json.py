"""The report document, `rosterd/report/1`: everything that is known, for programs. docs/report.md tells each field.

It is written row by row, so that a report of any size passes through little memory. Nothing is cut, and nothing
is escaped but what JSON must escape; whoever shows a value makes it fit for its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from json.encoder import encode_basestring
from typing import IO, Any

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
from rosterd.reports.columns import Column, columns, joined, mended, pages, pieces

SCHEMA = "rosterd/report/1"
GRANT = (
    "person", "place", "place_id", "kind", "level", "via", "verdict", "subject", "name", "email", "since", "matched",
    "possibly",
)  # fmt: skip
_OPTIONAL = ("person", "possibly")  # null instead of an empty text

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
        # One list after the other, its rows by columns as JSON arrays: no two contents give the same bytes.
        for count, found in columns(part):
            table = [[same] if column is None else column for same, column in found]
            told.update(json.dumps([count, table], separators=(",", ":"), check_circular=False).encode())
        told.update(b"\n")
    return told.hexdigest()


def _said(report: AccessReport) -> Iterator[Iterable[tuple[Any, ...]]]:
    yield [(SCHEMA, report.customer, report.client, report.complete)]
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
        for text in _of_grants(rows) if name == "grants" else _of(map(form, rows)):
            yield before + text
            before = ",\n"
        yield "]"
    yield f',\n"counts":{_encode(report.counts)}}}'


def _of(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Objects as JSON, each on a line, some at a time."""
    for piece in pieces(rows):
        yield _encode(piece)[1:-1].replace(*_line_break(piece[0]))


def _line_break(row: dict[str, Any]) -> tuple[str, str]:
    """What stands between two rows, and the same with a line's end, so that each row has a line.

    No text contains it: the quote would be its end, and no letter follows the end of a text.
    """
    first = next(iter(row))
    return f'}},{{"{first}', f'}},\n{{"{first}'


def _of_grants(rows: Iterable[Grant]) -> Iterator[str]:
    """What `_of` makes of `_grant`, by columns: grants may be a million."""
    for count, found in pages(rows):
        named = dict(zip(Grant._fields, found, strict=True))
        parts: list[Column] = []
        for name in GRANT:
            parts += [f',"{name}":' if parts else f'{{"{name}":', *_encoded(named[name], name)]
        yield ",\n".join(joined([*parts, "}"], count))


def _encoded(column: Column, name: str) -> list[Column]:
    """A column as JSON. Hardly any has a text in it that needs more than quotes."""
    encode = _or_null if name in _OPTIONAL else encode_basestring
    together = "" if isinstance(column, str) else "".join(column)
    plain = together.isprintable() and '"' not in together and "\\" not in together
    if not together or not plain or (name in _OPTIONAL and not all(column)):
        return [mended(column, _never, encode)]
    return ['"', column, '"']


def _never(_: Sequence[str]) -> bool:
    return False


def _or_null(text: str) -> str:
    return encode_basestring(text) if text else "null"


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
    found = row._asdict()
    return {name: found[name] or None if name in _OPTIONAL else found[name] for name in GRANT}


def _about(row: Finding | ReportChange) -> dict[str, Any]:
    return {**row._asdict(), "person": row.person or None}


def _fields(row: PlaceState | LeaverRow | TrendPoint) -> dict[str, Any]:
    """The fields of a named tuple under their own names."""
    return row._asdict()
