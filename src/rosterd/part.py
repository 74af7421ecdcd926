"""A part of a customer's records, planned as if it were all there is: just the keys that some changes affect.

Planning sees the people, groupings and seats of the part, on both sides; it never meets anybody else, so nobody
else can be changed, frozen, or taken for gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rosterd.core.access import Account
from rosterd.core.batches import MEMBERS
from rosterd.core.people import NO_KEY, NUL
from rosterd.core.plan import GROUP, PERSON, SEAT, is_active
from rosterd.draft import KnownGroup, KnownSeat
from rosterd.grouping import KnownEdge
from rosterd.roster import CHUNK

# People, and seats of a grouping: a followed change is small beside so many, whose number then does not matter. To
# count a million takes longer than all the rest. More than fit in a request, as a grouping is judged by that, too.
ENOUGH = 2 * MEMBERS


@dataclass(frozen=True)
class Scope:
    """Which records the part is made of. refs: by which groups may name its people, or nobody at all."""

    people: frozenset[bytes] = frozenset()
    groups: frozenset[bytes] = frozenset()
    refs: frozenset[str] = frozenset()

    def holds(self, kind: str, key: bytes) -> bool:
        """Whether a record, or what was told of it, belongs to the part."""
        if kind == GROUP:
            return key in self.groups
        if kind == SEAT:
            person = key.partition(NUL)[2]
            if person[:1] == b"\xff":  # a member who is nobody
                return person[1:].decode("utf-8", "replace") in self.refs
            return self._somebody(person)
        return kind == PERSON and self._somebody(key)

    def _somebody(self, key: bytes) -> bool:
        """Somebody of the part, also as one of several with the same key, or without a key (see plan_people)."""
        return key in self.people or key.rpartition(NUL)[0] in self.people or (
            key.startswith(NO_KEY) and any(one.rpartition(NUL)[0] == key for one in self.people)
        )  # fmt: skip


@dataclass
class PartView:
    """What planning reads of a ledger (draft.PlanningLedger), of the part alone."""

    ledger: Any  # rosterd.ledger.mirror.Mirror
    scope: Scope
    seats_there: Sequence[KnownSeat] = ()
    beside: Mapping[bytes, int] = field(default_factory=dict)

    def lines(self, binding: int) -> Iterator[list[str]]:
        yield from _chunks(self.ledger.lines_of(binding, self.scope.people))

    def groups(self, binding: int) -> list[KnownGroup]:
        return [row for row in self.ledger.groups(binding) if row[0] in self.scope.groups]

    def seats(self, _binding: int) -> Iterator[list[KnownSeat]]:
        yield from _chunks(self.seats_there)

    def edges(self, binding: int) -> Iterator[list[KnownEdge]]:
        if edges := self.ledger.edges_of(binding, self.scope.refs):
            yield edges

    def refusals(
        self, binding: int, kind: str, low: bytes, high: bytes
    ) -> dict[bytes, tuple[str, str, float]]:
        found = self.ledger.refusals(binding, kind, low, high)
        return {key: told for key, told in found.items() if self.scope.holds(kind, key)}

    def has_refusals(self, binding: int) -> bool:
        return bool(self.ledger.has_refusals(binding))

    def approvals(
        self, binding: int, kind: str, low: bytes, high: bytes, now: float
    ) -> set[tuple[bytes, str]]:
        found: set[tuple[bytes, str]] = self.ledger.approvals(binding, kind, low, high, now)
        return found

    def has_approvals(self, binding: int, now: float) -> bool:
        return bool(self.ledger.has_approvals(binding, now))

    def active_seats(self, binding: int, group: bytes) -> int:
        count: int = self.ledger.active_seats(binding, group, ENOUGH)
        return count

    def shown(self, binding: int, keys: Sequence[bytes]) -> dict[bytes, str]:
        found: dict[bytes, str] = self.ledger.shown(binding, keys)
        return found

    def accounts(self, binding: int) -> Iterator[list[Account]]:
        keys = {key.rpartition(NUL)[0] if key.startswith(NO_KEY) else key for key in self.scope.people}
        yield from _chunks(self.ledger.accounts_of(binding, keys))

    def registration_states(self, _binding: int) -> dict[bytes, str]:
        return {}


def beside(view: PartView, binding: int) -> dict[bytes, int]:
    """How many seats the part's groupings have that are no part of it; more than ENOUGH are not counted."""
    ours: dict[bytes, int] = {}
    for key, _, state in view.seats_there:
        group = key.partition(NUL)[0]
        ours[group] = ours.get(group, 0) + is_active(state)
    most = {group: ours.get(group, 0) + ENOUGH for group in view.scope.groups}
    return {
        group: view.ledger.active_seats(binding, group, most[group]) - ours.get(group, 0) for group in most
    }


def _chunks(rows: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), CHUNK):
        yield list(rows[start : start + CHUNK])
