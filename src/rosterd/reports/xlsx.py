"""The report as a workbook: a summary, then people, grants, findings and leavers, each as a table to filter.

XlsxWriter makes the workbook with its styles, and tables of headers only. Their rows are put in while the file is
packed: half a million cells a second need no object each, and no temporary file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from rosterd.core.access import AccessReport
from rosterd.errors import ReportError
from rosterd.reports.cells import cells
from rosterd.reports.shown import moment
from rosterd.reports.xlsx_book import LONGEST_SHEET, shell
from rosterd.reports.xlsx_tables import tables

_PIECE = 500  # rows that go out together
_LEVEL = 1  # of compression: three times as quick as the usual 6, a seventh larger
_DIMENSION = re.compile(rb'<dimension ref="[^"]*"/>')  # of the header alone; nobody needs one
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
    with ZipFile(packed) as book, ZipFile(out, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as into:
        for name in book.namelist():
            entry = ZipInfo(name, made.astimezone(UTC).timetuple()[:6])
            entry.compress_type = ZIP_DEFLATED
            with into.open(entry, "w") as part:
                if name in bulk:
                    _fill(book.read(name), islice(bulk[name].rows, longest), part)
                else:
                    part.write(book.read(name))
    for table in todo:
        if next(table.rows, None) is not None:
            raise ReportError(f"there are more {table.name.lower()} than were counted", hint="write it again")


def _fill(sheet: bytes, rows: Iterable[tuple[str, ...]], part: IO[bytes]) -> None:
    """Writes a sheet of the shell with rows below its header."""
    head, tail = _DIMENSION.sub(b"", sheet).split(_ROWS_GO_HERE)
    part.write(head)
    lines = _lines(rows)
    while piece := "".join(islice(lines, _PIECE)):
        part.write(piece.encode())
    part.write(_ROWS_GO_HERE + tail)


def _lines(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Rows as <row> elements, from the sheet's second on; every value is text, and never anything else."""
    starts = [f'<c r="{letter}' for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for number, row in enumerate(map(cells, rows), 2):
        joined = f";{';'.join(row)};"
        if "&" in joined or "<" in joined or ">" in joined or "_x" in joined:
            row = list(map(_escaped, row))
        # Spaces at either end are kept only when that is asked for.
        kept = ' xml:space="preserve"' if "; " in joined or " ;" in joined else ""
        middle = f'{number}" t="inlineStr"><is><t{kept}>'
        inside = [
            f"{start}{middle}{text}</t></is></c>" for start, text in zip(starts, row, strict=False) if text
        ]
        yield f'<row r="{number}">{"".join(inside)}</row>'


def _escaped(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CODED.sub("_x005F", text)
