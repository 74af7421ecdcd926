"""Rows taken by columns, some thousands at a time: a report has many rows that say the same in most of their columns.

A column is looked at whole, at C speed, and only one with something odd in it is looked at text by text. A column
whose texts are all the same is that text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, islice, repeat
from typing import Any, TypeAlias, TypeVar

from rosterd.roster import CHUNK, Columns, Kept, by_columns

Row = TypeVar("Row", bound=tuple[Any, ...])
Item = TypeVar("Item")
Column: TypeAlias = str | Sequence[str]
Page: TypeAlias = tuple[int, list[Any]]  # how many rows, and their columns, each a Column if it holds texts

PIECE = 500  # rows taken at a time where they are no columns


def pieces(rows: Iterable[Item], size: int = PIECE) -> Iterator[list[Item]]:
    """The rows, some at a time."""
    rows = iter(rows)
    while piece := list(islice(rows, size)):
        yield piece


def columns(rows: Iterable[Row]) -> Iterator[Columns]:
    """The rows by columns. The same rows give the same pages, wherever they come from."""
    return rows.columns() if isinstance(rows, Kept) else map(by_columns, pieces(rows, CHUNK))


def pages(rows: Iterable[Row]) -> Iterator[Page]:
    """The rows by columns, a text that all have in common once."""
    for count, found in columns(rows):
        yield count, [_column(same, column, count) for same, column in found]


def _column(same: Any, column: Sequence[Any] | None, count: int) -> Any:
    if column is not None:
        return column
    return same if isinstance(same, str) else [same] * count


def cut(pages: Iterable[Page], every: int) -> Iterator[Page]:
    """The pages, cut so that one ends after each `every` rows."""
    room = every
    for count, found in pages:
        done = 0
        while count - done >= room:
            yield room, [_part(column, done, done + room) for column in found]
            done, room = done + room, every
        if done < count:
            yield count - done, [_part(column, done, count) for column in found]
            room -= count - done


def _part(column: Any, start: int, end: int) -> Any:
    return column if isinstance(column, str) else column[start:end]


def picked(page: Page, wanted: Sequence[bool]) -> Iterator[tuple[Any, ...]]:
    """Those rows of the page that are wanted."""
    count, found = page
    return compress(zip(*(whole(column, count) for column in found), strict=True), wanted)


def whole(column: Any, count: int) -> Iterable[Any]:
    """What each row has of the column."""
    return repeat(column, count) if isinstance(column, str) else column


def mended(column: Column, plain: Callable[[Sequence[str]], bool], mend: Callable[[str], str]) -> Column:
    """The column with every text mended; `plain` says of a whole column whether that would change nothing."""
    if isinstance(column, str):
        return mend(column)
    if plain(column):
        return column
    known = {text: mend(text) for text in set(column)}
    return [known[text] for text in column]


def joined(parts: Iterable[Column], count: int) -> Iterator[str]:
    """So many lines: of each column the line's own text, one after the other."""
    sequences: list[Iterable[str]] = []
    literal = ""
    for part in parts:
        if isinstance(part, str):
            literal += part
            continue
        sequences += [repeat(literal), part] if literal else [part]
        literal = ""
    sequences.append(repeat(literal, count))
    return map("".join, zip(*sequences, strict=False))
