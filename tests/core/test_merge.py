"""Two streams side by side: the same as with dictionaries, in any chunks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from rosterd.core.merge import align, unequal

Row = tuple[bytes, int]


@st.composite
def streams(draw: st.DrawFn, *, unique: bool = False) -> list[list[Row]]:
    """Rows in key order, in chunks that never end amid equal keys."""
    keys = draw(st.lists(st.integers(0, 30), max_size=40, unique=unique))
    rows = sorted((f"{key:02}".encode(), draw(st.integers(0, 2))) for key in keys)
    groups = [list(same) for _, same in groupby(rows, lambda row: row[0])]
    chunks: list[list[Row]] = []
    joins: list[bool] = draw(st.lists(st.booleans(), min_size=len(groups), max_size=len(groups)))
    for group, join in zip(groups, joins, strict=True):
        if chunks and join:
            chunks[-1] += group
        else:
            chunks.append(group)
    return chunks


def flat(chunks: list[list[Row]]) -> list[Row]:
    return [row for chunk in chunks for row in chunk]


@given(streams(), streams())
def test_aligned_slices_cover_the_same_keys(left: list[list[Row]], right: list[list[Row]]) -> None:
    slices = list(align(left, right))
    assert [row for mine, _ in slices for row in mine] == flat(left)
    assert [row for _, theirs in slices for row in theirs] == flat(right)
    bounds = [({row[0] for row in mine}, {row[0] for row in theirs}) for mine, theirs in slices]
    assert all(mine or theirs for mine, theirs in bounds)
    for (a, b), (c, d) in pairwise(bounds):
        assert max(a | b) < min(c | d), "a key appears in two slices"


@given(streams(unique=True), streams(unique=True))
def test_what_differs_is_what_dictionaries_say(left: list[list[Row]], right: list[list[Row]]) -> None:
    changed: list[tuple[Row, Row | None]] = []
    gone: list[Row] = []
    same = 0
    for mine, theirs in align(left, right):
        pairs, left_over, equal = unequal(mine, theirs, 2)
        changed += pairs
        gone += left_over
        same += equal
    wanted, known = dict(flat(left)), dict(flat(right))
    assert {pair[0][0]: pair[1] for pair in changed} == {
        key: (key, known[key]) if key in known else None
        for key, value in wanted.items()
        if known.get(key) != value
    }
    assert sorted(gone) == sorted((key, value) for key, value in known.items() if key not in wanted)
    assert same == sum(known.get(key) == value for key, value in wanted.items())


def test_a_row_is_compared_up_to_the_cut() -> None:
    known = [(b"a", 1), (b"b", 2)]
    assert unequal([(b"a", 1, "place"), (b"b", 2, "other")], known, 2) == ([], [], 2)
    assert unequal([(b"a", 1, "place"), (b"b", 3, "other")], known, 2) == (
        [((b"b", 3, "other"), (b"b", 2))],
        [],
        1,
    )


def test_empty_streams() -> None:
    assert list(align([], [])) == []
    assert list(align([[(b"a", 1)]], [])) == [([(b"a", 1)], [])]
    assert list(align([], [[(b"a", 1)]])) == [([], [(b"a", 1)])]


def test_nothing_is_read_ahead() -> None:
    """One chunk of each side at a time: memory stays flat however long the streams are."""
    held = 0

    def counted(start: int) -> Iterator[list[Row]]:
        nonlocal held
        for number in range(start, 2_000, 2):
            held += 1
            yield [(f"{number:05}".encode(), 0)]

    read = 0
    for mine, theirs in align(counted(0), counted(1)):
        read += len(mine) + len(theirs)
        assert held - read <= 2
    assert read == 2_000
