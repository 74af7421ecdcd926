"""The report as CSV: a line for each person and each of their grants, for spreadsheets and scripts.

Lines are sorted by person, so that somebody's access lies together; access of nobody known comes first, people
without access have one line with empty fields. UTF-8 with the mark that makes Excel read it as such.
"""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import IO, TypeAlias, TypeVar

from rosterd.core.access import AccessReport, Grant, PersonRow
from rosterd.reports.cells import cells, several
from rosterd.roster import Sorter, merged

Row = TypeVar("Row")
Keyed: TypeAlias = tuple[str, ...]  # what it is sorted by, then its cells

PERSON = ("key", "name", "emails", "directory", "orbix", "groups", "note")
GRANT = (
    "kind", "place", "place_id", "level", "via", "since", "verdict", "matched", "possibly",
    "grant_name", "grant_email", "subject",
)  # fmt: skip
_PIECE = 4_096  # rows handed to the sort at a time


def write(report: AccessReport, out: IO[bytes]) -> None:
    """Writes a header and the lines. Raises what `out` and the report's own rows raise, and LedgerError
    when there is no room for the temporary files of the sort."""
    people: Sorter[Keyed] = Sorter(whole=True)
    grants: Sorter[Keyed] = Sorter(whole=True)
    text = TextIOWrapper(out, encoding="utf-8", errors="replace", newline="")
    try:
        _add(people, ((_order(row.key), *cells(person(row))) for row in report.people))
        _add(grants, ((_order(row.person), *cells((row.person, *_grant(row)))) for row in report.grants))
        out.write(BOM_UTF8)
        writer = csv.writer(text)
        writer.writerow(PERSON + GRANT)
        writer.writerows(_lines(_sorted(people), _sorted(grants)))
        text.flush()
    finally:
        people.close()
        grants.close()
        text.detach()


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


def _lines(people: Iterable[Keyed], grants: Iterable[Keyed]) -> Iterator[Keyed]:
    """Both in one order. A grant of somebody who is not among the people keeps their key, and nothing else."""
    nobody = ("",) * (len(PERSON) - 1)
    nothing = ("",) * len(GRANT)
    waiting = iter(people)
    one = next(waiting, None)
    for order, held in groupby(grants, key=itemgetter(0)):
        while one is not None and one[0] < order:
            yield one[1:] + nothing
            one = next(waiting, None)
        if one is not None and one[0] == order:
            who, one = one[1:], next(waiting, None)
            yield from (who + grant[2:] for grant in held)
        else:
            yield from ((grant[1], *nobody, *grant[2:]) for grant in held)
    while one is not None:
        yield one[1:] + nothing
        one = next(waiting, None)
