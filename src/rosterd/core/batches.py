"""Packing: requests as full as the limits allow, and never one grouping twice in a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

PEOPLE = 4_500  # people a request, by Orbix's page
GROUPINGS = 5  # groupings a request
MEMBERS = 1_000  # people of one grouping in a request

T = TypeVar("T")


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of exactly `size` items, the last one shorter."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def packed(counts: Sequence[int], size: int = GROUPINGS) -> list[list[int]]:
    """Which slices travel together, given how many slices each grouping has (groupings in key order).

    Gives requests as lists of slice numbers (slices are numbered grouping by grouping). There are exactly
    max(ceil(slices / size), slices of the largest grouping) of them: slice j goes into request j modulo that
    number, so a grouping's slices, which follow each other, never meet (McNaughton's wrap-around rule).
    """
    total = sum(counts)
    requests = max(-(-total // size), max(counts, default=0))
    return [list(range(first, total, requests)) for first in range(requests)]
