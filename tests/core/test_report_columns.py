"""Rows by columns: the same text as row by row, whatever stands in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rosterd.reports.columns import folded, joined, mended, pieces

texts = st.text(st.sampled_from("ab,"), max_size=2)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.tuples(*[texts] * width), min_size=1, max_size=6)
)


@given(tables)
def test_lines_are_those_of_the_rows(rows: list[tuple[str, ...]]) -> None:
    def plain(column: object) -> bool:
        return "," not in "".join(column) if isinstance(column, tuple) else False

    columns = [
        mended(folded(column), plain, lambda text: text.replace(",", "[]"))
        for column in zip(*rows, strict=True)
    ]
    parts = [part for column in columns for part in ("<", column)]
    expected = ["".join(f"<{text.replace(',', '[]')}" for text in row) for row in rows]
    assert list(joined(parts, len(rows))) == expected


def test_a_table_without_columns_has_its_lines() -> None:
    assert list(joined(["a", "b"], 3)) == ["ab"] * 3


def test_pieces_cover_all_rows_in_order() -> None:
    assert list(pieces(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(pieces([], 2)) == []
