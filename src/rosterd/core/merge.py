"""Two streams in key order become one pass: what is wanted beside what the ledger knows.

Streams come as chunks (lists of tuples whose first item is the key, sorted by it). A chunk never ends in the
middle of equal keys, so whole chunks can be compared at C speed, and only chunks that differ are looked into.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, TypeAlias, TypeVar

Row: TypeAlias = "tuple[Any, ...]"  # what the two streams have in common: the first item is the key
L = TypeVar("L", bound=Row)
R = TypeVar("R", bound=Row)
A = TypeVar("A")
B = TypeVar("B")

first: Callable[[Any], Any] = itemgetter(0)


def align(
    left: Iterable[list[A]], right: Iterable[list[B]], left_key: Callable[[A], Any] = first,
    right_key: Callable[[B], Any] = first,
) -> Iterator[tuple[list[A], list[B]]]:  # fmt: skip
    """Pairs of slices that cover the same range of keys; either may be empty, never both.

    Reads each stream once and holds about one chunk of each. The keys are the rows' first items unless said.
    """
    lefts, rights = iter(left), iter(right)
    a: list[A] = next(lefts, [])
    b: list[B] = next(rights, [])
    while a and b:
        bound = min(left_key(a[-1]), right_key(b[-1]))
        i = len(a) if left_key(a[-1]) == bound else bisect_right(a, bound, key=left_key)
        j = len(b) if right_key(b[-1]) == bound else bisect_right(b, bound, key=right_key)
        yield a[:i], b[:j]
        a = a[i:] or next(lefts, [])
        b = b[j:] or next(rights, [])
    while a:
        yield a, []
        a = next(lefts, [])
    while b:
        yield [], b
        b = next(rights, [])


def unequal(wanted: list[L], known: list[R], cut: int) -> tuple[list[tuple[L, R | None]], list[R], int]:
    """What differs in one aligned slice: pairs (wanted, known or None), the known left over, and how many are equal.

    `wanted` rows cut to their first `cut` items are compared with `known` rows as they are.
    """
    if len(wanted) == len(known) and [row[:cut] for row in wanted] == known:
        return [], [], len(wanted)
    by_key: dict[Any, R] = {row[0]: row for row in known}
    get = by_key.get
    pairs = [(row, get(row[0])) for row in wanted if get(row[0]) != row[:cut]]
    for row in wanted:
        by_key.pop(row[0], None)
    return pairs, list(by_key.values()), len(wanted) - len(pairs)
