"""The external sort: the same as sorted(), whatever the runs and blocks, and never two chunks with one key."""

from __future__ import annotations

import itertools
import resource
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosterd.errors import LedgerError
from rosterd.roster import BLOCK, CHUNK, Columns, Kept, Pile, Sorter, Spill, by_columns, merged

Row = tuple[bytes, int, str]


def rows_of(numbers: list[int]) -> list[Row]:
    return [(f"{number:06}".encode(), i, "x") for i, number in enumerate(numbers)]


def sorter(batches: list[list[Row]], run: int) -> Sorter[Row]:
    made: Sorter[Row] = Sorter(run)
    for batch in batches:
        made.add(batch)
    return made


def check(sorters: list[Sorter[Row]], expected: list[Row]) -> list[list[Row]]:
    """Same rows, in key order, chunks that never end amid equal keys; and the same again a second time."""
    chunks = list(merged(sorters))
    assert sorted(row for chunk in chunks for row in chunk) == sorted(expected)
    keys = [row[0] for chunk in chunks for row in chunk]
    assert keys == sorted(keys)
    for before, after in itertools.pairwise(chunks):
        assert before[-1][0] < after[0][0]
    assert list(merged(sorters)) == chunks
    for made in sorters:
        made.close()
    return chunks


@given(
    st.lists(st.lists(st.integers(0, 40), max_size=30), max_size=12), st.integers(1, 20), st.integers(1, 3)
)
def test_any_runs_of_any_sorters(batches: list[list[int]], run: int, sorters: int) -> None:
    made = [sorter([rows_of(batch) for batch in batches[i::sorters]], run) for i in range(sorters)]
    check(made, [row for batch in batches for row in rows_of(batch)])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_many_blocks_and_equal_keys_across_them(data: st.DataObject) -> None:
    """Runs of several blocks, with stretches of one key longer than a block."""
    numbers: list[int] = []
    for _ in range(data.draw(st.integers(1, 12))):
        count = data.draw(st.sampled_from([1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK]))
        step = data.draw(st.sampled_from([0, 0, 1, 3]))
        start = data.draw(st.integers(0, 50))
        numbers += [start + step * i for i in range(count)]
    rows = rows_of(numbers)
    run = data.draw(st.sampled_from([1, 100, BLOCK, 2 * BLOCK + 3, 10_000]))
    batches = [rows[i : i + 700] for i in range(0, len(rows), 700)]
    check([sorter(batches, run)], rows)


@pytest.mark.parametrize("equal", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])
def test_equal_keys_around_the_end_of_a_chunk(equal: int) -> None:
    numbers = [*range(5), *[7] * equal, *range(8, 2 * CHUNK + 8)]
    rows = rows_of(numbers)
    chunks = check([sorter([rows[::-1]], CHUNK // 2)], rows)
    assert len([chunk for chunk in chunks if any(row[0] == b"000007" for row in chunk)]) == 1


def test_equal_keys_of_several_sorters_come_together() -> None:
    rows = [(b"a", 3, "x"), (b"b", 0, "x"), (b"a", 1, "x"), (b"a", 2, "x")]
    check([sorter([[row]], 1) for row in rows], rows)


def test_no_rows_no_chunks() -> None:
    made: Sorter[Row] = Sorter()
    made.add([])
    assert list(merged([made])) == [] and list(merged([])) == []
    assert made.count == 0
    made.close()


@given(st.lists(st.tuples(st.binary(), st.text(), st.integers(), st.none() | st.text())))
def test_a_spilled_block_comes_back_as_it_was(rows: list[tuple[Any, ...]]) -> None:
    spill: Spill[tuple[Any, ...]] = Spill()
    if rows:
        first, second = spill.write(rows), spill.write(rows[:1])
        assert spill.read(first) == rows
        assert spill.read(second) == rows[:1]
    spill.close()
    spill.close()


def test_fault_60_a_full_disk_is_told_with_the_next_step() -> None:
    """A limit on the size of files stands in for the disk."""
    spill: Spill[tuple[bytes]] = Spill()
    spill.write([(b"x",)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        with pytest.raises(LedgerError) as caught:
            spill.write([(b"%06d" % i * 20,) for i in range(1_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        spill.close()
    assert caught.value.exit_code == 8
    assert "TMPDIR" in caught.value.hint


class Pair(NamedTuple):
    """A row of texts."""

    one: str
    other: str


class Maker:
    """Makes pages of rows, and counts how often it was asked to."""

    def __init__(self, *sizes: int) -> None:
        self.sizes, self.times = sizes, 0

    def __call__(self) -> Iterator[Columns]:
        self.times += 1
        numbers = itertools.count()
        return (
            by_columns([Pair(f"a{n}", "same") for n in itertools.islice(numbers, size)])
            for size in self.sizes
        )


@pytest.mark.parametrize("sizes", [(), (3,), (1, 2), (CHUNK, 1), (5_000, 5_000, 7), (10, CHUNK, 3)])
def test_rows_that_are_kept_are_made_once(sizes: tuple[int, ...]) -> None:
    maker = Maker(*sizes)
    kept = Kept(maker, Pair)
    first = list(kept)
    assert first == [Pair(f"a{n}", "same") for n in range(sum(sizes))]
    for _ in range(2):
        again = list(kept)
        assert again == first
        assert all(type(row) is Pair for row in again)
    assert maker.times == 1


def test_a_pass_that_is_given_up_keeps_nothing() -> None:
    maker = Maker(5_000, 5_000)
    kept = Kept(maker, Pair)
    assert len(list(itertools.islice(kept, 6_000))) == 6_000
    assert len(list(kept)) == 10_000 == len(list(kept))
    assert maker.times == 2


def test_rows_that_find_no_room_are_made_anew() -> None:
    maker = Maker(5_000, 5_000)
    kept = Kept(maker, Pair)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        assert len(list(kept)) == 10_000 == len(list(kept))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert maker.times == 2


@pytest.mark.parametrize("sizes", [(), (3,), (CHUNK, CHUNK, 1)])
def test_a_pile_gives_back_what_it_was_given_in_order(sizes: tuple[int, ...]) -> None:
    pile: Pile[tuple[int, str]] = Pile()
    numbers = itertools.count()
    for size in sizes:
        pile.add([(n, "x") for n in itertools.islice(numbers, size)])
    for _ in range(2):
        assert [row[0] for page in pile.pages() for row in page] == list(range(sum(sizes)))
    pile.close()
    assert list(pile.pages()) == []


def test_a_block_without_rows_comes_back_without_rows() -> None:
    spill: Spill[Row] = Spill()
    rows = rows_of([3, 1])
    places = [spill.write(block) for block in (rows, [], rows)]
    assert [spill.read(place) for place in places] == [rows, [], rows]
    spill.close()
