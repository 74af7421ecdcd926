"""One record per key: what happens when several entries end up with the same (Domain, Logon).

Excluded entries step back first. `precedence` lets a source win; otherwise all of them are set aside, and each
is told about the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import TypeAlias

from rosterd.core.people import ASIDE, OUT, US, Place, Row, Wanted, key_of, located, row_of, wanted_of

# Told of every entry that does not go on, with its state and reason, and a number that tells it from the others.
Extra: TypeAlias = Callable[[Wanted, int], None]

SHADOWED = -1  # the number of entries that another source wins over: it is the same person all the same


def unique(
    chunks: Iterable[list[Row]], rank: Mapping[str, int], labels: Mapping[str, str], extra: Extra
) -> Iterator[list[Row]]:
    """The chunks with one row per key; the others go to `extra`."""
    for chunk in chunks:
        if len({row[0].partition(US)[0] for row in chunk}) == len(chunk):
            yield chunk
        else:
            yield [_one(list(same), rank, labels, extra) for _, same in groupby(chunk, key_of)]


def _one(same: list[Row], rank: Mapping[str, int], labels: Mapping[str, str], extra: Extra) -> Row:
    if len(same) == 1:
        return same[0]
    person = _resolved(sorted(wanted_of(row) for row in same), rank, labels, extra)
    addresses = "\n".join(dict.fromkeys(row[5] for row in same if row[5]))
    return row_of(
        person, hash(person[4].lower()), addresses
    )  # its own address's mark, as the mapping makes it


def _resolved(same: list[Wanted], rank: Mapping[str, int], labels: Mapping[str, str], extra: Extra) -> Wanted:
    if len(same) == 1:
        return same[0]
    able = [person for person in same if person[8] != OUT]
    if not able:
        return _first(same, extra)
    for person in same:
        if person[8] == OUT:
            extra(person, 0)
    if len(able) > 1 and rank:
        best = min(rank.get(person[5], len(rank)) for person in able)
        if best < len(rank):
            source = next(person[5] for person in able if rank.get(person[5]) == best)
            for person in able:
                if person[5] != source:
                    extra(_marked(person, OUT, f"shadowed by the source {source}", person[9]), SHADOWED)
            able = [person for person in able if person[5] == source]
    if len(able) == 1:
        return able[0]
    reason = f"{len(able)} entries have this domain and logon"
    at = [located(labels, person[5], person[9]) for person in able]
    marked = [
        _marked(person, ASIDE, reason, f"{at[i]} beside {' and '.join(at[:i] + at[i + 1 :])}")
        for i, person in enumerate(able)
    ]
    return _first(marked, extra)


def _first(people: list[Wanted], extra: Extra) -> Wanted:
    for number, person in enumerate(people[1:], 1):
        extra(person, number)
    return people[0]


def _marked(person: Wanted, state: str, reason: str, place: Place) -> Wanted:
    return (*person[:8], state, place, reason, person[11])
