"""Groupings cut into slices of up to a thousand people, ready to be packed into requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

from rosterd.core.batches import MEMBERS, packed
from rosterd.core.people import NUL, TRIED, Person
from rosterd.core.plan import Change, is_active
from rosterd.push import Delivery
from rosterd.roster import Spill

# A seat to send: its change, or None for one the target has already (sent along under membership = "unknown").
Row: TypeAlias = "tuple[bytes, Change | None]"


class Slice(NamedTuple):
    """Part of one grouping: up to a thousand seats, kept in a temporary file until their request is made."""

    group: bytes
    place: tuple[int, int]


@dataclass
class Part:
    """One grouping within a request."""

    group: bytes
    rows: list[Row]
    people: dict[bytes, Person] = field(default_factory=dict)


class Slices:
    """All slices of a run, in key order. `rows`: each grouping's (name, description) as it may be sent."""

    def __init__(self, delivery: Delivery) -> None:
        self._spill: Spill[tuple[bytes, tuple[Any, ...] | None]] = Spill()
        self.list: list[Slice] = []
        self.refused: dict[bytes, Change] = {}  # groupings whose own record was refused in this run
        self.sent: set[bytes] = set()  # groupings that some request has, answered or not
        self.changes = {change.key: change for change in delivery.chosen(delivery.plan.groups)}
        known = delivery.ledger.groups(delivery.binding)
        self.rows = {row[0]: (row[1], row[2]) for row in known if is_active(row[5]) and row[5] != TRIED}
        for change in self.changes.values():
            name, description = change.after or ("", "")
            self.rows[change.key] = (name, description)
        self._fill(delivery)
        self.left = Counter(part.group for part in self.list)

    def _fill(self, delivery: Delivery) -> None:
        seats = groupby(delivery.chosen(delivery.plan.seats), _group_of)
        waiting = iter(sorted(self.changes))
        lonely = next(waiting, None)  # groupings whose own record changes without new seats
        for group, changes in seats:
            while lonely is not None and lonely < group:
                self._add(delivery, lonely, [])
                lonely = next(waiting, None)
            if lonely == group:
                lonely = next(waiting, None)
            self._add(delivery, group, list(changes))
        while lonely is not None:
            self._add(delivery, lonely, [])
            lonely = next(waiting, None)

    def _add(self, delivery: Delivery, group: bytes, changes: list[Change]) -> None:
        if group not in self.rows:
            return  # the grouping itself may not go yet: a guard holds it
        rows: list[Row] = [(change.key, change) for change in changes]
        if not delivery.additive or not rows:  # whole, or at least one member that is there already
            have = (
                delivery.ledger.somebody_in(delivery.binding, group)
                if delivery.additive
                else delivery.ledger.seats_of(
                    delivery.binding, group, MEMBERS + 1
                )  # one too many is seen below
            )
            new = {key for key, _ in rows}
            rows = sorted([*rows, *((key, None) for key in have if key not in new)], key=lambda row: row[0])
        if not rows and delivery.approved_only:
            return  # it waits for its people, whom a guard holds
        if not delivery.additive and len(rows) > MEMBERS:
            return  # it fits one request only without those whose loss is held: it waits for them
        for start in range(0, max(len(rows), 1), MEMBERS):
            part = [(key, tuple(change) if change else None) for key, change in rows[start : start + MEMBERS]]
            self.list.append(Slice(group, self._spill.write(part)))

    def part(self, number: int) -> Part:
        group, place = self.list[number]
        return Part(
            group, [(key, Change(*change) if change else None) for key, change in self._spill.read(place)]
        )

    def requests(self, size: int) -> list[list[int]]:
        """Slice numbers by request; groupings are in key order, and so are their slices."""
        return packed(list(Counter(part.group for part in self.list).values()), size)

    def close(self) -> None:
        self._spill.close()


def _group_of(change: Change) -> bytes:
    return change.key.partition(NUL)[0]
