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
Spot: TypeAlias = tuple[int, int]  # in a file: offset and length

SMALL_RUN, RUN = 8_192, 25_000  # rows sorted in memory at a time: runs grow with what has come, up to 14 MiB
BLOCK = 256  # rows read back at a time from each run
CHUNK = 2_048  # rows handed on at a time
_MARSHAL = 2  # without the table of shared references, which costs more than it saves here


_first = itemgetter(0)


def by_columns(rows: Sequence[Row]) -> Columns:
    """Rows by columns; none at all have no columns."""
    return packed(list(zip(*rows, strict=True)))


def packed(columns: Sequence[Sequence[Any]]) -> Columns:
    """Most of a row's items are the same for a whole block: these are held, and written, once."""
    return len(columns[0]) if columns else 0, [
        (column[0], None)
        if column[0] == column[-1] and column.count(column[0]) == len(column)
        else (None, column)
        for column in columns
    ]


def _rows(page: Columns) -> Iterator[Any]:
    count, columns = page
    return zip(*[repeat(same, count) if column is None else column for same, column in columns], strict=True)


class Spill(Generic[Row]):
    """Blocks of rows in an unlinked temporary file; positions are (offset, length).

    Raises LedgerError (exit 8) when the disk is full: nothing has been sent then, or nothing more will be.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._end = 0

    def write(self, rows: list[Row]) -> Spot:
        return self.put(by_columns(rows))

    def put(self, columns: Columns) -> Spot:
        data = marshal.dumps(columns, _MARSHAL)
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

    def read(self, place: Spot) -> list[Row]:
        return list(_rows(self.columns(place)))

    def columns(self, place: Spot) -> Columns:
        assert self._file is not None
        columns: Columns = marshal.loads(os.pread(self._file.fileno(), place[1], place[0]))  # noqa: S302 - our own file
        return columns

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file, self._end = None, 0


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
        self.runs: list[list[Spot]] = []
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
        self._places: list[Spot] = []

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

    def close(self) -> None:
        self._spill.close()
        self._rows, self._places = [], []


def _nothing() -> None:
    """Nothing to look at between two pages."""


class Kept(Generic[Row]):
    """Rows that are costly to make: the first pass makes and keeps them, later ones take what is kept.

    `make` gives them in pages, by columns. A pass that is given up keeps nothing, nor does one that finds no room; the
    next one makes the rows anew. What is kept goes with the last reference. Some thousand rows need no file. Before
    each page `before` is called: what it raises ends the pass.
    """

    def __init__(
        self, make: Callable[[], Iterable[Columns]], kind: type[Row], before: Callable[[], None] = _nothing
    ) -> None:
        self._make, self._new, self._before = make, partial(tuple.__new__, kind), before
        self._spill: Spill[Row] = Spill()
        self._kept: list[Columns | Spot] | None = None
        weakref.finalize(self, self._spill.close)

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self.pages())

    def pages(self) -> Iterator[Iterator[Row]]:
        """The rows, page by page."""
        return (map(self._new, _rows(page)) for page in self.columns())

    def columns(self) -> Iterator[Columns]:
        """The pages by columns, as `make` gave them."""
        for page in self._first() if self._kept is None else map(self._page, self._kept):
            self._before()
            yield page

    def _page(self, page: Columns | Spot) -> Columns:
        count, rest = page
        return (count, rest) if isinstance(rest, list) else self._spill.columns((count, rest))

    def _first(self) -> Iterator[Columns]:
        kept: list[Columns | Spot] | None = []
        room = CHUNK
        try:
            for page in self._make():
                room -= page[0]
                if kept is not None:
                    kept = self._with(kept, page, room < 0)
                yield page
        except BaseException:
            self._spill.close()
            raise
        self._kept = kept

    def _with(self, kept: list[Columns | Spot], page: Columns, spill: bool) -> list[Columns | Spot] | None:
        """One page more is kept; none when there is no room for it."""
        try:
            kept.append(self._spill.put(page) if spill else page)
        except LedgerError:
            self._spill.close()
            return None
        return kept
