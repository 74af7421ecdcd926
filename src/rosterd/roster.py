"""The external sort: any number of rows in key order, in flat memory.

Rows are tuples whose first item is the key (bytes or str). They are gathered in runs, sorted in memory and
spilled to a temporary file in blocks; the merge takes from every run what lies below the smallest last key it
holds, and lets list.sort (which recognises sorted stretches) do the merging at C speed.
"""

from __future__ import annotations

import marshal
import os
import tempfile
import weakref
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, repeat
from operator import itemgetter
from typing import IO, Any, Generic, TypeAlias, TypeVar

from rosterd.errors import LedgerError

Row = TypeVar("Row", bound=tuple[Any, ...])
# How many rows, and their columns: what all have in common and None, or None and what each has.
Columns: TypeAlias = tuple[int, list[tuple[Any, Sequence[Any] | None]]]

SMALL_RUN, RUN = 8_192, 25_000  # rows sorted in memory at a time: runs grow with what has come, up to 14 MiB
BLOCK = 256  # rows read back at a time from each run
CHUNK = 2_048  # rows handed on at a time
_MARSHAL = 2  # without the table of shared references, which costs more than it saves here


_first = itemgetter(0)


def by_columns(rows: Sequence[Row]) -> Columns:
    """Most of a row's items are the same for a whole block: these are held, and written, once."""
    return len(rows), [
        (column[0], None)
        if column[0] == column[-1] and column.count(column[0]) == len(column)
        else (None, column)
        for column in zip(*rows, strict=True)
    ]


class Spill(Generic[Row]):
    """Blocks of rows in an unlinked temporary file; positions are (offset, length).

    Raises LedgerError (exit 8) when the disk is full: nothing has been sent then, or nothing more will be.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0

    def write(self, rows: list[Row]) -> tuple[int, int]:
        data = marshal.dumps(by_columns(rows), _MARSHAL)
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="rosterd-", buffering=0)  # noqa: SIM115 - closed in close()
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise LedgerError(
                f"no room for temporary files: {error.strerror}",
                where=os.environ.get("TMPDIR", "/tmp"),  # noqa: S108 - only named, for the operator
                hint="free some space there, or set TMPDIR to a larger file system",
            ) from error
        place = (self._end, len(data))
        self._end += len(data)
        return place

    def read(self, place: tuple[int, int]) -> list[Row]:
        count, columns = self.columns(place)
        rows: list[Any] = list(
            zip(*[repeat(same, count) if col is None else col for same, col in columns], strict=True)
        )
        return rows

    def columns(self, place: tuple[int, int]) -> Columns:
        assert self._file is not None
        columns: Columns = marshal.loads(os.pread(self._file.fileno(), place[1], place[0]))  # noqa: S302 - our own file
        return columns

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


class Sorter(Generic[Row]):
    """Takes rows in any order, gives them in key order, any number of times.

    Rows with equal keys stay in the order they came in, unless the order is that of `whole` rows.
    """

    def __init__(
        self, run: int = SMALL_RUN, *, whole: bool = False, key: Callable[[Row], Any] | None = None
    ) -> None:
        self._run = run
        self.key = (
            key or _first
        )  # what rows that belong together have in common, when it is not the first item
        self.by = None if whole else _first  # comparing keys alone costs half of comparing tuples
        self._rows: list[Row] = []
        self._spill: Spill[Row] = Spill()
        self.runs: list[list[tuple[int, int]]] = []
        self.count = 0

    def add(self, rows: list[Row]) -> None:
        self._rows += rows
        self.count += len(rows)
        if len(self._rows) >= max(self._run, min(RUN, self.count // 4)):
            self._end_run()

    def _end_run(self) -> None:
        """Spills the rows at hand, sorted."""
        self._rows.sort(key=self.by)
        self.runs.append(
            [self._spill.write(self._rows[i : i + BLOCK]) for i in range(0, len(self._rows), BLOCK)]
        )
        self._rows = []

    def blocks(self) -> list[Iterator[list[Row]]]:
        """Each run as an iterator over its sorted blocks."""
        if self.runs and self._rows:
            self._end_run()  # else the last run would take its memory all through the merge
        self._rows.sort(key=self.by)
        rest = [iter([self._rows])] if self._rows else []
        return [map(self._spill.read, places) for places in self.runs] + rest

    def close(self) -> None:
        self._spill.close()
        self._rows = []
        self.runs = []


def merged(sorters: list[Sorter[Row]]) -> Iterator[list[Row]]:
    """All rows of several sorters in key order, in chunks that never end amid equal keys."""
    out: list[Row] = []
    by, key = (sorters[0].by, sorters[0].key) if sorters else (None, _first)
    for rows in _rounds([blocks for sorter in sorters for blocks in sorter.blocks()], by):
        out = out + rows if out else rows
        while len(out) >= 2 * CHUNK:
            cut = CHUNK
            while cut < len(out) and key(out[cut]) == key(out[cut - 1]):
                cut += 1
            yield out[:cut]
            out = out[cut:]
    if out:
        yield out


def _rounds(sources: list[Iterator[list[Row]]], by: Callable[[Row], Any] | None) -> Iterator[list[Row]]:
    """One round takes what lies strictly below the smallest last key of the runs that have more to come."""
    heads = [next(blocks, []) for blocks in sources]
    while True:
        lowest = min((i for i, rows in enumerate(heads) if rows), key=lambda i: heads[i][-1][0], default=-1)
        if lowest < 0:
            return
        more = next(sources[lowest], None)
        if more:
            bound = (heads[lowest][-1][0],)
            taken: list[Row] = []
            for i, rows in enumerate(heads):
                cut = bisect_left(rows, bound)
                if cut:
                    taken += rows[:cut]
                    heads[i] = rows[cut:]
            heads[lowest] = heads[lowest] + more
        elif len(heads) == 1:
            taken, heads[0] = heads[0], []
        else:  # this run is at its end: its rows move into another head, which then carries the bound
            rows = heads.pop(lowest)
            sources.pop(lowest)
            heads[0] = sorted(heads[0] + rows, key=by) if heads[0] else rows
            continue
        if taken:
            taken.sort(key=by)
            yield taken


class Pile(Generic[Row]):
    """Rows put aside in the order in which they come, in flat memory, some thousands to a page."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._spill: Spill[Row] = Spill()
        self._places: list[tuple[int, int]] = []

    def add(self, rows: list[Row]) -> None:
        """Raises LedgerError when there is no room for temporary files."""
        self._rows += rows
        if len(self._rows) >= CHUNK:
            self._places.append(self._spill.write(self._rows))
            self._rows = []

    def pages(self) -> Iterator[list[Row]]:
        """The rows, any number of times."""
        yield from map(self._spill.read, self._places)
        if self._rows:
            yield self._rows

    def columns(self) -> Iterator[Columns]:
        """The pages by columns."""
        yield from map(self._spill.columns, self._places)
        if self._rows:
            yield by_columns(self._rows)

    def close(self) -> None:
        self._spill.close()
        self._rows, self._places = [], []


class Kept(Generic[Row]):
    """Rows that are costly to make: the first pass makes and keeps them, later ones take what is kept.

    `make` gives them in pages of any size; they are handed on in pages of CHUNK rows, the last one aside. A pass that
    is given up keeps nothing, nor does one that finds no room; the next one makes the rows anew. What is kept goes
    with the last reference.
    """

    def __init__(self, make: Callable[[], Iterator[list[Row]]], kind: type[Row]) -> None:
        self._make, self._kind = make, kind
        self._pile: Pile[Row] | None = None

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self.pages())

    def pages(self) -> Iterator[Iterable[Row]]:
        """The rows, page by page."""
        return self._first() if self._pile is None else self._again(self._pile)

    def columns(self) -> Iterator[Columns]:
        """The pages by columns, which costs half of making rows again of what was kept."""
        return map(by_columns, self._first()) if self._pile is None else self._pile.columns()

    def _again(self, pile: Pile[Row]) -> Iterator[Iterable[Row]]:
        new = partial(tuple.__new__, self._kind)  # what was spilled are plain tuples
        return (map(new, page) for page in pile.pages())

    def _first(self) -> Iterator[list[Row]]:
        pile: Pile[Row] | None = Pile()
        try:
            for page in _even(self._make()):
                pile = pile and _added(pile, page)
                yield page
        except BaseException:
            if pile is not None:
                pile.close()
            raise
        if pile is not None:
            weakref.finalize(self, pile.close)
            self._pile = pile


def _even(pages: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """The same rows in pages of CHUNK rows; the last one may have fewer."""
    rows: list[Row] = []
    for page in pages:
        rows = rows + page if rows else page
        while len(rows) >= CHUNK:
            yield rows[:CHUNK]
            rows = rows[CHUNK:]
    if rows:
        yield rows


def _added(pile: Pile[Row], rows: list[Row]) -> Pile[Row] | None:
    """The pile with more rows; None, and closed, when there is no room for them."""
    try:
        pile.add(rows)
    except LedgerError:
        pile.close()
        return None
    return pile
