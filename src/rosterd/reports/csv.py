"""The report as CSV: a line for each person and each of their grants, for spreadsheets and scripts.

Lines are sorted by person, so that somebody's access lies together; access of nobody known comes first, people
without access have one line with empty fields. UTF-8 with the mark that makes Excel read it as such.
"""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import IO, TypeAlias, TypeVar

from rosterd.core.access import AccessReport, Grant, PersonRow
from rosterd.reports.cells import cells, several
from rosterd.roster import Sorter, merged

Row = TypeVar("Row")
Keyed: TypeAlias = tuple[str, ...]  # what it is sorted by, its part of a line, and a grant's person

PERSON = ("key", "name", "emails", "directory", "orbix", "groups", "note")
GRANT = (
    "kind", "place", "place_id", "level", "via", "since", "verdict", "matched", "possibly",
    "grant_name", "grant_email", "subject",
)  # fmt: skip
_NOBODY = ("",) * (len(PERSON) - 1)
_PIECE = 4_096  # rows handed to the sort, and written, at a time
_END = "\r\n"  # RFC 4180


def write(report: AccessReport, out: IO[bytes]) -> None:
    """Writes a header and the lines. Raises what `out` and the report's own rows raise, and LedgerError
    when there is no room for the temporary files of the sort."""
    people: Sorter[Keyed] = Sorter(whole=True)
    grants: Sorter[Keyed] = Sorter(whole=True)
    try:
        _add(people, ((_order(row.key), _text(person(row))) for row in report.people))
        _add(grants, ((_order(row.person), _text(_grant(row)), row.person) for row in report.grants))
        out.write(BOM_UTF8 + f"{_text(PERSON)},{_text(GRANT)}{_END}".encode())
        lines = _lines(_sorted(people), _sorted(grants))
        while piece := list(islice(lines, _PIECE)):
            out.write(f"{_END.join(piece)}{_END}".encode())
    finally:
        people.close()
        grants.close()


class _Echo:
    """Hands back what is written to it: the csv module has no other way to give a line."""

    def write(self, line: str) -> str:
        return line


_ECHO = _Echo()


def _text(row: Sequence[str]) -> str:
    """Part of a line."""
    line: str = csv.writer(_ECHO, lineterminator="").writerow(cells(row))
    return line


def _order(key: str) -> str:
    """Upper and lower case together; never the same for two keys."""
    return f"{key.casefold()}\0{key}"


def person(row: PersonRow) -> tuple[str, ...]:
    """Somebody as columns, several values in one of them."""
    key, name, emails, directory, orbix, groups, note = row
    return key, name, several(emails), directory, orbix, several(groups), note


def _grant(row: Grant) -> tuple[str, ...]:
    kind, place, place_id, subject, name, email, level, via, since, _, verdict, matched, possibly = row
    return kind, place, place_id, level, via, since, verdict, matched, possibly, name, email, subject


def _add(sorter: Sorter[Keyed], rows: Iterator[Keyed]) -> None:
    while piece := list(islice(rows, _PIECE)):
        sorter.add(piece)


def _sorted(sorter: Sorter[Keyed]) -> Iterator[Keyed]:
    return chain.from_iterable(merged([sorter]))


def _lines(people: Iterable[Keyed], grants: Iterable[Keyed]) -> Iterator[str]:
    """Both in one order. A grant of somebody who is not among the people keeps their key, and nothing else."""
    nothing = _text(("",) * len(GRANT))
    waiting = iter(people)
    one = next(waiting, None)
    for order, held in groupby(grants, key=itemgetter(0)):
        while one is not None and one[0] < order:
            yield f"{one[1]},{nothing}"
            one = next(waiting, None)
        if one is not None and one[0] == order:
            who, one = one[1], next(waiting, None)
            yield from (f"{who},{grant[1]}" for grant in held)
        else:
            yield from (f"{_text((grant[2], *_NOBODY))},{grant[1]}" for grant in held)
    while one is not None:
        yield f"{one[1]},{nothing}"
        one = next(waiting, None)
