"""Rows taken by columns, some hundreds at a time: a report has many rows that say the same in most of their columns.

A column is looked at whole, at C speed, and only one with something odd in it is looked at text by text. A column
whose texts are all the same is that text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat
from typing import TypeAlias, TypeVar

Row = TypeVar("Row")
Column: TypeAlias = str | Sequence[str]

PIECE = 500  # rows taken at a time


def pieces(rows: Iterable[Row], size: int = PIECE) -> Iterator[list[Row]]:
    """The rows, some at a time."""
    rows = iter(rows)
    while piece := list(islice(rows, size)):
        yield piece


def folded(column: Sequence[str]) -> Column:
    """The text that all of the column are, where they are the same."""
    first = column[0]
    return first if first == column[-1] and column.count(first) == len(column) else column


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
