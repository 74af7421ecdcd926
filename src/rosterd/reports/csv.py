"""The report as CSV: a line for each person and each of their grants, for spreadsheets and scripts.

Lines are sorted by person, so that somebody's access lies together; access of nobody known comes first, people
without access have one line with empty fields. UTF-8 with the mark that makes Excel read it as such.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import IO, TypeAlias

from rosterd.core.access import AccessReport
from rosterd.reports.cells import cells, several
from rosterd.reports.columns import Column, Page, joined, mended, pages, pieces
from rosterd.roster import Sorter, merged

Text: TypeAlias = tuple[str]  # its order, what it is, and its part of a line

PERSON = ("key", "name", "emails", "directory", "orbix", "groups", "note")
GRANT = (
    "kind", "place", "place_id", "level", "via", "since", "verdict", "matched", "possibly",
    "grant_name", "grant_email", "subject",
)  # fmt: skip
_NOBODY = ("",) * (len(PERSON) - 1)
_PIECE = 4_096  # lines written at a time
NUL, END_OF_ORDER = "\0", "\1"  # neither is in any cell
_IS_PERSON, _IS_GRANT = "0", "1"
_END = "\r\n"  # RFC 4180


def write(report: AccessReport, out: IO[bytes]) -> None:
    """Writes a header and the lines. Raises what `out` and the report's own rows raise, and LedgerError
    when there is no room for the temporary files of the sort."""
    sorter: Sorter[Text] = Sorter(whole=True)
    try:
        for page in pages(report.people):
            _add(sorter, page[0], page[1][0], _IS_PERSON, of_people(page))
        for page in pages(report.grants):
            *columns, key = _of_grants(page)
            _add(sorter, page[0], key, _IS_GRANT, columns)
        out.write(BOM_UTF8 + f"{_text(*PERSON)},{_text(*GRANT)}{_END}".encode())
        for piece in pieces(_lines(chain.from_iterable(merged([sorter]))), _PIECE):
            out.write(f"{_END.join(piece)}{_END}".encode())
    finally:
        sorter.close()


def _text(*row: str) -> str:
    """Part of a line."""
    return next(joined(_parts(row), 1))


def _parts(columns: Iterable[Column]) -> list[Column]:
    """Columns as parts of lines, quoted as RFC 4180 says; a cell never breaks a line."""
    return [part for column in cells(columns) for part in (",", mended(column, _bare, _quoted))][1:]


def _bare(texts: Sequence[str]) -> bool:
    together = "".join(texts)
    return "," not in together and '"' not in together


def _quoted(text: str) -> str:
    return text if _bare([text]) else '"{}"'.format(text.replace('"', '""'))


def _folded(keys: Column) -> Column:
    """Upper and lower case lie together, but no two keys are the same: this comes first, then the key itself."""
    if isinstance(keys, str):
        return keys.casefold()
    folded = NUL.join(keys).casefold().split(NUL)
    return folded if len(folded) == len(keys) else [key.casefold() for key in keys]


def of_people(page: Page) -> list[Column]:
    """People with several values in one text."""
    key, name, emails, directory, orbix, groups, note = page[1]
    return [key, name, list(map(several, emails)), directory, orbix, list(map(several, groups)), note]


def _of_grants(page: Page) -> list[Column]:
    """Grants in the order of GRANT, and whose they are."""
    kind, place, place_id, subject, name, email, level, via, since, key, *more = page[1]
    return [kind, place, place_id, level, via, since, *more, name, email, subject, key]


def _add(sorter: Sorter[Text], count: int, keys: Column, what: str, columns: Iterable[Column]) -> None:
    """Adds parts of lines, each a single text that sorts as it should."""
    order = [_folded(keys), NUL, keys, END_OF_ORDER + what]
    sorter.add(list(zip(joined([*order, *_parts(columns)], count))))


def _lines(texts: Iterable[Text]) -> Iterator[str]:
    """Each person's part with each of their grants', which come right behind it.

    A grant of somebody who is not among the people keeps their key, and nothing else.
    """
    nothing = _text(*[""] * len(GRANT))
    last, who, alone = "", _text("", *_NOBODY), False
    for (text,) in texts:
        order, _, part = text.rpartition(END_OF_ORDER)
        if part[0] == _IS_PERSON:
            if alone:
                yield f"{who},{nothing}"
            last, who, alone = order, part[1:], True
            continue
        if order != last:
            if alone:
                yield f"{who},{nothing}"
            last, who = order, _text(order.partition(NUL)[2], *_NOBODY)
        alone = False
        yield f"{who},{part[1:]}"
    if alone:
        yield f"{who},{nothing}"
