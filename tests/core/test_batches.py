"""Requests as full as the limits allow."""

from __future__ import annotations

from itertools import islice, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd.core.batches import GROUPINGS, MEMBERS, PEOPLE, chunked, packed


@given(st.lists(st.integers(0, 12), max_size=25), st.integers(1, 6))
def test_packing_reaches_the_bound_and_never_repeats_a_grouping(counts: list[int], size: int) -> None:
    requests = packed(counts, size)
    owner = [group for group, count in enumerate(counts) for _ in range(count)]
    assert len(requests) == max(-(-sum(counts) // size), max(counts, default=0))
    assert sorted(number for request in requests for number in request) == list(range(sum(counts)))
    for request in requests:
        groups = [owner[number] for number in request]
        assert 0 < len(request) <= size
        assert len(set(groups)) == len(groups)
        assert request == sorted(request), "in key order"


@pytest.mark.parametrize(
    ("groups", "requests"), [(0, 0), (1, 1), (5, 1), (6, 2), (10, 2), (11, 3), (200, 40)]
)  # fmt: skip
def test_fault_84_groupings_fill_requests_of_five(groups: int, requests: int) -> None:
    assert len(packed([1] * groups)) == requests


@pytest.mark.parametrize(
    ("slices", "requests"), [([7], 7), ([7, 1, 1], 7), ([5, 50], 50), ([3, 3, 3, 3, 3, 3], 4)]
)
def test_a_large_grouping_sets_the_number(slices: list[int], requests: int) -> None:
    assert len(packed(slices)) == requests


@pytest.mark.parametrize(
    ("people", "requests"), [(0, 0), (1, 1), (4_500, 1), (4_501, 2), (9_000, 2), (9_001, 3)]
)
def test_fault_85_people_fill_requests_of_4500(people: int, requests: int) -> None:
    assert [len(batch) for batch in chunked(range(people), PEOPLE)][:-1] == [PEOPLE] * max(requests - 1, 0)
    assert len(list(chunked(range(people), PEOPLE))) == requests


@given(st.lists(st.integers()), st.integers(1, 9))
def test_chunks_are_full_and_in_order(items: list[int], size: int) -> None:
    batches = list(chunked(items, size))
    assert [item for batch in batches for item in batch] == items
    assert all(len(batch) == size for batch in batches[:-1])


def test_chunks_of_an_endless_stream_come_one_by_one() -> None:
    assert list(islice(chunked(repeat(0), 3), 2)) == [[0, 0, 0], [0, 0, 0]]


def test_the_limits_are_those_of_the_vendors_page() -> None:
    assert (PEOPLE, GROUPINGS, MEMBERS) == (4_500, 5, 1_000)
