"""The report as CSV: a line for each person and each of their grants, for spreadsheets and scripts.

Lines are sorted by person, so that somebody's access lies together; access of nobody known comes first, people
without access have one line with empty fields. UTF-8 with the mark that makes Excel read it as such.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import IO, TypeAlias, TypeVar

from rosterd.core.access import AccessReport, Grant, PersonRow
from rosterd.reports.cells import cells, several
from rosterd.reports.columns import joined, mended, pieces
from rosterd.roster import Sorter, merged

Row = TypeVar("Row")
Keyed: TypeAlias = tuple[str, str]  # what it is sorted by, and its part of a line

PERSON = ("key", "name", "emails", "directory", "orbix", "groups", "note")
GRANT = (
    "kind", "place", "place_id", "level", "via", "since", "verdict", "matched", "possibly",
    "grant_name", "grant_email", "subject",
)  # fmt: skip
_NOBODY = ("",) * (len(PERSON) - 1)
_PIECE = 4_096  # rows handed to the sort, and written, at a time
NUL = "\0"
_END = "\r\n"  # RFC 4180


def write(report: AccessReport, out: IO[bytes]) -> None:
    """Writes a header and the lines. Raises what `out` and the report's own rows raise, and LedgerError
    when there is no room for the temporary files of the sort."""
    people: Sorter[Keyed] = Sorter(whole=True)
    grants: Sorter[Keyed] = Sorter(whole=True)
    try:
        _add(people, report.people, of_people, 0)
        _add(grants, report.grants, _of_grants, len(GRANT))
        out.write(BOM_UTF8 + f"{_text(*PERSON)},{_text(*GRANT)}{_END}".encode())
        for piece in pieces(_lines(_sorted(people), _sorted(grants)), _PIECE):
            out.write(f"{_END.join(piece)}{_END}".encode())
    finally:
        people.close()
        grants.close()


def _text(*row: str) -> str:
    """Part of a line."""
    return next(_texts([[text] for text in row], 1))


def _texts(columns: Iterable[Sequence[str]], count: int) -> Iterator[str]:
    """Columns as parts of so many lines, quoted as RFC 4180 says; a cell never breaks a line."""
    parts = [part for column in cells(columns) for part in (",", mended(column, _bare, _quoted))]
    return joined(parts[1:], count)


def _bare(texts: Sequence[str]) -> bool:
    together = "".join(texts)
    return "," not in together and '"' not in together


def _quoted(text: str) -> str:
    return text if _bare([text]) else '"{}"'.format(text.replace('"', '""'))


def _order(key: str) -> str:
    """Upper and lower case together; never the same for two keys."""
    return f"{key.casefold()}{NUL}{key}"


def of_people(rows: Sequence[PersonRow]) -> list[Sequence[str]]:
    """People as columns, several values in one text."""
    key, name, emails, directory, orbix, groups, note = zip(*rows, strict=True)
    return [key, name, list(map(several, emails)), directory, orbix, list(map(several, groups)), note]


def _of_grants(rows: Sequence[Grant]) -> list[Sequence[str]]:
    """Grants as columns, and whose they are."""
    kind, place, place_id, subject, name, email, level, via, since, key, *more = zip(*rows, strict=True)
    return [kind, place, place_id, level, via, since, *more, name, email, subject, key]


def _add(
    sorter: Sorter[Keyed], rows: Iterable[Row], form: Callable[[Sequence[Row]], list[Sequence[str]]], key: int
) -> None:
    """Adds rows in the form of columns; `key` is the number of the one by which they are sorted."""
    for piece in pieces(rows, _PIECE):
        columns = form(piece)
        keys = columns[key]
        orders = {text: _order(text) for text in set(keys)}
        parts = _texts(columns[: len(GRANT)], len(piece))
        sorter.add(list(zip([orders[text] for text in keys], parts, strict=True)))


def _sorted(sorter: Sorter[Keyed]) -> Iterator[Keyed]:
    return chain.from_iterable(merged([sorter]))


def _lines(people: Iterable[Keyed], grants: Iterable[Keyed]) -> Iterator[str]:
    """Both in one order. A grant of somebody who is not among the people keeps their key, and nothing else."""
    nothing = _text(*[""] * len(GRANT))
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
            yield from (f"{_text(order.partition(NUL)[2], *_NOBODY)},{grant[1]}" for grant in held)
    while one is not None:
        yield f"{one[1]},{nothing}"
        one = next(waiting, None)
