"""What the synchronising calls, and the replacing reading of membership, take away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rosterd.sandbox.rules import Event, Grouping, grouping_key
from rosterd.sandbox.state import Holding, Lacking


def users_lacking(keys: set[str]) -> Lacking:
    """Takes away every user whose key is not among `keys`."""
    return lambda holding: [("user_gone", key) for key in holding.users if key not in keys]


def seat(grouping: str, user: str = "") -> str:
    """How a seat, or without a user the grouping itself, is written among the things a request names."""
    return f"{grouping}\0{user}"


def seats_of(groupings: Iterable[Grouping]) -> set[str]:
    """What a request names: each grouping and each seat, refused ones included."""
    named: set[str] = set()
    for grouping in groupings:
        key = grouping_key(grouping.name)
        named.add(seat(key))
        named.update([seat(key, user) for user in grouping.users.named()])
    return named


def replaced(named: set[str], groupings: Sequence[Grouping]) -> Lacking:
    """Takes the members that were not named away from these groupings, and from no other."""
    keys = [grouping_key(grouping.name) for grouping in groupings]

    def lacking(holding: Holding) -> list[Event]:
        return [
            ("seat_gone", held.name, user)
            for key in keys
            if (held := holding.groupings.get(key))
            for user in sorted(held.members)
            if seat(key, user) not in named
        ]

    return lacking


def groupings_lacking(named: set[str]) -> Lacking:
    """Takes away every grouping that was not named, and every member that was not named in the others."""

    def lacking(holding: Holding) -> list[Event]:
        gone: list[Event] = []
        for key, held in holding.groupings.items():
            if seat(key) not in named:
                gone.append(("grouping_gone", held.name))
            else:
                gone += [
                    ("seat_gone", held.name, user)
                    for user in sorted(held.members)
                    if seat(key, user) not in named
                ]
        return gone

    return lacking
