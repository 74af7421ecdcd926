"""Text from outside as the cell of a spreadsheet: never a formula, nothing unseen, not too long.

Spreadsheet programs take a cell that begins with = + - @ for a formula, in some languages their full-width forms
too, whatever spaces stand before, also in CSV files (CWE-1236; OWASP ASVS 1.2.10). A prefixed ' makes it text.
Where the list separator is a semicolon, they split the lines of a CSV file at semicolons, so what follows one is
treated as the beginning of a cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rosterd.reports.columns import Column, mended
from rosterd.reports.shown import shown

LONGEST = 16_000  # characters: Excel takes 32,767 of UTF-16, where one may be two
SEPARATOR = "; "  # between several values in one cell

_SPACES = "\\s\u200c\u200d"
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫−"  # plain, full-width, small, and the true minus
_FORMULA = re.compile(f'(?:^(?=[{_SPACES}]*[{_SIGNS}])|;[{_SPACES}"]*(?=[{_SIGNS}]))')
_BEGINNING = re.compile(f';[{_SPACES}"]*[{_SIGNS}]')  # of any cell in a row joined by semicolons
_CONTROL = re.compile("[\0\t\r\n]")  # at the beginning some programs drop them, and then look again


def cell(text: str) -> str:
    """The text as a cell may hold it; most texts stay as they are."""
    seen = shown(text, LONGEST)
    if _CONTROL.match(text):
        seen = "'" + seen
    return _FORMULA.sub(r"\g<0>'", seen)[:LONGEST]


def harmless(texts: Sequence[str]) -> bool:
    """Whether all of these texts may be cells as they are; looks at them together, as hardly any is not."""
    joined = ";" + ";".join(texts)
    short = len(joined) < LONGEST or max(map(len, texts)) < LONGEST
    return short and joined.isprintable() and not _BEGINNING.search(joined)


def cells(columns: Iterable[Column]) -> list[Column]:
    """Columns of texts as columns of cells."""
    return [mended(column, harmless, cell) for column in columns]


def several(texts: Iterable[str]) -> str:
    """Several values as one."""
    return SEPARATOR.join(texts)
