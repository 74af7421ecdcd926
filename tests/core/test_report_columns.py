"""Rows by columns: the same text as row by row, whatever stands in them."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from rosterd.reports.columns import cut, joined, mended, pages, picked, pieces, whole
from rosterd.roster import CHUNK

texts = st.text(st.sampled_from("ab,"), max_size=2)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[texts] * width), min_size=1, max_size=6)
)


@given(tables)
def test_lines_are_those_of_the_rows(rows: list[tuple[str, ...]]) -> None:
    def plain(column: object) -> bool:
        return "," not in "".join(column) if isinstance(column, tuple) else False

    [(count, found)] = pages(rows)
    assert count == len(rows)
    columns = [mended(column, plain, lambda text: text.replace(",", "[]")) for column in found]
    parts = [part for column in columns for part in ("<", column)]
    expected = ["".join(f"<{text.replace(',', '[]')}" for text in row) for row in rows]
    assert list(joined(parts, len(rows))) == expected


def test_a_table_without_columns_has_its_lines() -> None:
    assert list(joined(["a", "b"], 3)) == ["ab"] * 3


def test_pieces_cover_all_rows_in_order() -> None:
    assert list(pieces(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(pieces([], 2)) == []


@given(st.lists(st.lists(st.tuples(texts, st.integers(0, 1)), max_size=5), max_size=5), st.integers(1, 4))
def test_pages_are_cut_where_a_sheet_ends(parts: list[list[tuple[str, int]]], every: int) -> None:
    back, room = list[tuple[str, int]](), every
    for count, found in cut(chain.from_iterable(map(pages, parts)), every):
        assert 0 < count <= room
        room = room - count or every
        back += zip(*(whole(column, count) for column in found), strict=True)
    assert back == [row for part in parts for row in part]


@given(st.lists(st.tuples(texts, texts, st.booleans()), min_size=1, max_size=9))
def test_rows_that_are_wanted_are_picked(rows: list[tuple[str, str, bool]]) -> None:
    [page] = pages(rows)
    assert list(picked(page, [row[2] for row in rows])) == [row for row in rows if row[2]]


def test_many_rows_are_so_many_pages() -> None:
    assert [count for count, _ in pages((str(n),) for n in range(CHUNK + 1))] == [CHUNK, 1]
