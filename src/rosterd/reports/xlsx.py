"""The report as a workbook: a summary, then people, grants, findings and leavers, each as a table to filter.

XlsxWriter makes the workbook with its styles, and tables of headers only. Their rows are put in while the file is
packed: half a million cells a second need no object each, and no temporary file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

from rosterd.core.access import AccessReport
from rosterd.errors import ReportError
from rosterd.reports.cells import cells
from rosterd.reports.columns import Column, Page, cut, joined
from rosterd.reports.shown import moment
from rosterd.reports.xlsx_book import LONGEST_SHEET, shell
from rosterd.reports.xlsx_tables import Table, tables

_TOGETHER = 512  # rows: their XML stays in a processor's cache until it is packed
_LEVEL = 1  # of compression: three times as quick as the usual 6, a seventh larger
_DIMENSION = re.compile(rb'<dimension ref="[^"]*"/>')  # of the header alone; nobody needs one
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_START, _END = '" t="inlineStr"><is><t>', "</t></is></c>"
_ROWS_GO_HERE = b"</sheetData>"
_CODED = re.compile("(?=_x[0-9A-Fa-f]{4}_)")  # what spreadsheets would read as a character's number


def write(report: AccessReport, out: IO[bytes], longest: int = LONGEST_SHEET) -> None:
    """Writes the workbook, at most `longest` rows to a sheet. The same report gives the same bytes.

    Raises what `out` and the report's own rows raise, and ReportError when the rows grew while they were written.
    """
    made = moment(report.made) or datetime(1980, 1, 1, tzinfo=UTC)
    todo = tables(report)
    packed = BytesIO()
    bulk = shell(report, todo, made, longest, packed)
    waiting = {table.name: cut(cut(table.pages, _TOGETHER), longest) for table in todo}
    with ZipFile(packed) as book, ZipFile(out, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as into:
        for name in book.namelist():
            with into.open(name, "w") as part:  # with the level; an entry of our own would not have it
                if name in bulk:
                    _fill(book.read(name), bulk[name], waiting[bulk[name].name], longest, part)
                else:
                    part.write(book.read(name))
    for name, more in waiting.items():
        if any(more):
            raise ReportError(f"there are more {name.lower()} than were counted", hint="write it again")


def _fill(sheet: bytes, table: Table, rows: Iterator[Page], longest: int, part: IO[bytes]) -> None:
    """Writes a sheet of the shell with as many rows below its header as it takes."""
    head, tail = _DIMENSION.sub(b"", sheet).split(_ROWS_GO_HERE)
    part.write(head)
    done = 0
    while done < longest and (page := next(rows, None)):
        part.write("".join(_lines(table.form(page), done + 2, page[0])).encode())
        done += page[0]
    part.write(_ROWS_GO_HERE + tail)


def _lines(columns: Iterable[Column], first: int, count: int) -> Iterator[str]:
    """Rows as <row> elements; every value is text, and never anything else. Empty cells are left out."""
    numbers = list(map(str, range(first, first + count)))
    parts: list[Column] = ['<row r="', numbers, '">']
    for letter, column in zip(_LETTERS, cells(columns), strict=False):
        parts += _cells(letter, numbers, column)
    return joined([*parts, "</row>"], count)


def _cells(letter: str, numbers: list[str], column: Column) -> list[Column]:
    """One column's cells, in parts."""
    if isinstance(column, str):
        return [f'<c r="{letter}', numbers, _inside(column)] if column else []
    if not all(column):  # what stands between the number and the next cell cannot be left out by itself
        pairs = zip(numbers, column, strict=True)
        if _plain(column):
            return [[f'<c r="{letter}{number}{_START}{text}{_END}' if text else "" for number, text in pairs]]
        known = {text: _inside(text) for text in set(column)}
        return [[f'<c r="{letter}{number}{known[text]}' if text else "" for number, text in pairs]]
    if _plain(column):
        return [f'<c r="{letter}', numbers, _START, column, _END]
    return [f'<c r="{letter}', numbers, list(map(_inside, column))]


def _plain(texts: Sequence[str]) -> bool:
    """Whether nothing in these texts needs to be escaped, or is a space at either end."""
    together = f";{';'.join(texts)};"
    return not any(odd in together for odd in ("&", "<", ">", "_x", "; ", " ;"))


def _inside(text: str) -> str:
    """A cell from behind the number of its row."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    if "_x" in plain:
        plain = _CODED.sub("_x005F", plain)
    if text.startswith(" ") or text.endswith(" "):  # kept only when that is asked for
        return f'" t="inlineStr"><is><t xml:space="preserve">{plain}{_END}'
    return f"{_START}{plain}{_END}"
