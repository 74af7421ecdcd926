"""The push of groupings: slices of up to a thousand people, five groupings a request, after the people.

Each person travels with the full record the target acknowledged; who was refused or not delivered is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rosterd.core.batches import GROUPINGS
from rosterd.core.outcome import Accepted, AllInvalid, Answer, Mismatch, TooLarge
from rosterd.core.people import DOUBT, NUL, Grouping, Person
from rosterd.core.plan import GROUP, PERSON, SEAT, UPDATE, Change
from rosterd.errors import RosterdError
from rosterd.lanes import Sendable, drive
from rosterd.push import TOO_LARGE, Delivery, Tree, Withheld, refuse, release, standing
from rosterd.slices import Part, Row, Slices


@dataclass
class GroupRequest:
    """Up to five groupings in one request."""

    delivery: Delivery
    slices: Slices
    parts: list[Part]
    tree: Tree | None = None
    isolated: bool = False
    batch: int = 0

    def begin(self) -> None:
        records = [
            [self._grouping(part)[0], [(person.domain, person.logon) for person in part.people.values()]]
            for part in self.parts
        ]
        self.batch = self.delivery.begin(GROUP, records, len(self.parts))

    def send(self) -> Answer:
        return self.delivery.target.upsert_groups(self.groupings())

    def groupings(self) -> list[Grouping]:
        return [
            Grouping(part.group, *self._grouping(part), tuple(part.people.values())) for part in self.parts
        ]

    def _grouping(self, part: Part) -> tuple[str, str]:
        return self.slices.rows[part.group]

    def fail(self, error: RosterdError) -> None:
        self.delivery.fail(self.batch, error)

    def settle(self, answer: Answer) -> list[Sendable]:
        delivery = self.delivery
        match answer:
            case Accepted(refused=refused, seats=seats):
                self._accepted(refused, seats)
                return []
            case AllInvalid(message=message):
                delivery.ledger.failed(self.batch, delivery.binding, message, delivery.clock(), doubt=False)
                return self._invalid(message)
            case TooLarge():
                delivery.ledger.failed(
                    self.batch, delivery.binding, "too large", delivery.clock(), doubt=False
                )
                return self._too_large()
            case Mismatch(message=message, partly=partly):
                return self._mismatch(message, partly)
        raise AssertionError(answer)

    def _accepted(self, refused: Mapping[bytes, str], seats: Mapping[tuple[bytes, bytes], str]) -> None:
        accepted: list[Change] = []
        told: list[tuple[Change, str]] = []
        along: list[tuple[Change, str]] = []
        uncounted = self.delivery.plan.uncounted({group + NUL + person for group, person in seats})
        for part in self.parts:
            if part.group in refused:
                some, number = self._refusal(part, refused[part.group])
                told += some
                self.delivery.tally(SEAT).refuse(number)
                continue
            own = self.slices.changes.pop(part.group, None) or self._after_all(part.group)
            accepted += [own] if own else []
            for key, change in part.rows:
                person = key[len(part.group) + 1 :]
                if person not in part.people:
                    continue
                reason = seats.get((part.group, person))
                if reason is None:
                    accepted += [change] if change else []
                elif change or key not in uncounted:
                    told.append((change or self._again(key, part), reason))
                else:
                    along.append((self._seat(key, part), reason))
        self._record(accepted, told, along)
        if self.isolated:
            self._arrived(refused, seats)

    def _arrived(self, refused: Mapping[bytes, str], seats: Mapping[tuple[bytes, bytes], str]) -> None:
        """What travelled along is certain again: the answer before, which named other records, had left it in doubt."""
        parts = [part for part in self.parts if part.group not in refused]
        there = [
            key
            for part in parts
            for key, _ in part.rows
            if (person := key[len(part.group) + 1 :]) in part.people and (part.group, person) not in seats
        ]
        self.delivery.ledger.arrived(self.delivery.binding, [part.group for part in parts], there)

    def _refusal(self, part: Part, reason: str) -> tuple[list[tuple[Change, str]], int]:
        """The grouping itself was refused: its members' fate is unknown, so none of them counts as accepted.

        Where its own record was at fault, the seats have no refusal of their own (they go again with it): the
        number is how many these are.
        """
        own = self.slices.changes.pop(part.group, None)
        carried = [
            change for key, change in part.rows if change and key[len(part.group) + 1 :] in part.people
        ]
        if own is None and part.group not in self.slices.refused:
            return [(change, f"the grouping was refused: {reason}") for change in carried], 0
        if own is not None:
            self.slices.refused[part.group] = own
        return [(own, reason)] if own else [], len(carried)

    def _after_all(self, group: bytes) -> Change | None:
        """The own record of a grouping of which another slice was refused whole: so it was not the record."""
        delivery, own = self.delivery, self.slices.refused.pop(group, None)
        if own is not None and group in delivery.told:
            delivery.tally(GROUP).refused -= 1
            delivery.tally(GROUP).unsent += 1
        elif own is not None:
            delivery.revoked.add(group)
        return own

    def _again(self, key: bytes, part: Part) -> Change:
        """A seat that was delivered before, sent along, and is refused now: it moves from unchanged to refused."""
        tally = self.delivery.tally(SEAT)
        tally.unchanged -= 1
        tally.unsent += 1
        return self._seat(key, part)

    def _seat(self, key: bytes, part: Part) -> Change:
        person = part.people[key[len(part.group) + 1 :]]
        return Change(UPDATE, SEAT, key, f"{self._grouping(part)[0]} / {person.shown}", (), (), ("", "", ""))

    def _record(
        self, accepted: list[Change], told: list[tuple[Change, str]], along: list[tuple[Change, str]]
    ) -> None:
        self.delivery.record(self.batch, accepted, told, along)
        self.delivery.progress("groupings sent", len(self.parts))
        if self.tree is not None:
            self.tree.open -= 1
            self.tree.accepted = True
            release(self.delivery, self.tree)

    def _invalid(self, message: str) -> list[Sendable]:
        delivery = self.delivery
        if len(self.parts) > 1:
            delivery.spend()
            delivery.spend()
            tree = self.tree or Tree()
            tree.open += 1
            return self._halves(tree, isolated=self.isolated)
        refusals, along = self._refusal(self.parts[0], message)
        told = [(change, standing(delivery, change) or reason) for change, reason in refusals]
        refuse(delivery, self.tree, Withheld(self.batch, told, message, along))
        return []

    def _too_large(self) -> list[Sendable]:
        delivery = self.delivery
        part = self.parts[0]
        carried = [row for row in part.rows if row[0][len(part.group) + 1 :] in part.people]
        if len(self.parts) == 1 and not (delivery.additive and len(carried) > 1):
            delivery.ledger.learn_size(
                delivery.binding, GROUP, GROUPINGS
            )  # it is the grouping, not their number
            told, along = self._refusal(part, TOO_LARGE)
            refuse(delivery, self.tree, Withheld(self.batch, told, TOO_LARGE, along))
            return []
        tree = self.tree or Tree()
        tree.open += 1
        if len(self.parts) > 1:
            delivery.ledger.learn_size(delivery.binding, GROUP, (len(self.parts) + 1) // 2)
            return self._halves(tree, isolated=self.isolated)
        middle = (len(carried) + 1) // 2
        return [
            GroupRequest(delivery, self.slices, [Part(part.group, rows, _those(part, rows))], tree)
            for rows in (carried[:middle], carried[middle:])
        ]

    def _mismatch(self, message: str, partly: bool) -> list[Sendable]:
        delivery = self.delivery
        delivery.ledger.failed(self.batch, delivery.binding, message, delivery.clock(), doubt=True)
        if partly and not self.isolated and len(self.parts) > 1:
            if self.tree is not None:
                self.tree.open += 1
            return self._halves(self.tree, isolated=True)
        delivery.mismatch = delivery.mismatch or message
        if self.tree is not None:
            self.tree.open -= 1
            self.tree.accepted = True
            release(delivery, self.tree)
        return []

    def _halves(self, tree: Tree | None, *, isolated: bool) -> list[Sendable]:
        middle = (len(self.parts) + 1) // 2
        halves = (self.parts[:middle], self.parts[middle:])
        return [GroupRequest(self.delivery, self.slices, half, tree, isolated) for half in halves]


def _those(part: Part, rows: list[Row]) -> dict[bytes, Person]:
    people = {key[len(part.group) + 1 :] for key, _ in rows}
    return {key: person for key, person in part.people.items() if key in people}


def push_groups(delivery: Delivery, size: int = GROUPINGS) -> None:
    """Sends every chosen grouping and seat. Raises as push_people does."""
    slices = Slices(delivery)
    try:
        drive(_requests(delivery, slices, min(size, GROUPINGS)), delivery.lanes, delivery.stop)
    finally:
        slices.close()


def _requests(delivery: Delivery, slices: Slices, size: int) -> Iterator[GroupRequest]:
    for numbers in slices.requests(size):
        parts = [part for number in numbers if (part := _part(delivery, slices, number))]
        if parts:
            yield GroupRequest(delivery, slices, parts)


def _people(delivery: Delivery, part: Part) -> dict[bytes, Person]:
    """Who travels: new ones as acknowledged, those who are there already in any case, lest they lose their seat."""
    at = len(part.group) + 1
    have: dict[bytes, Person] = {}
    updates = [key for key, change in part.rows if change is not None and change.op == UPDATE]
    there = {row[0] for row in delivery.ledger.seats_at(delivery.binding, updates) if row[2] == DOUBT}
    for new in (True, False):
        keys = [key[at:] for key, change in part.rows if (change is not None and key not in there) == new]
        if keys:
            have |= delivery.ledger.acknowledged(delivery.binding, keys, seated=not new)
    return have


def _part(delivery: Delivery, slices: Slices, number: int) -> Part | None:
    """A slice with the people the target has; what has none of them any more is not sent."""
    part = slices.part(number)
    slices.left[part.group] -= 1
    own = slices.changes.get(part.group)
    keys = [key[len(part.group) + 1 :] for key, _ in part.rows]
    have = _people(delivery, part)
    alone = own is not None and slices.left[part.group] == 0 and part.group not in slices.sent
    if alone and not have:  # nobody new can go: somebody who is there
        part.rows += [(key, None) for key in delivery.ledger.somebody_in(delivery.binding, part.group)]
        have = _people(delivery, part)
    part.people = {key: have[key] for key in sorted(have)}
    missing = [change for key, change in part.rows if change and key[len(part.group) + 1 :] not in have]
    if missing:
        refused = delivery.ledger.refusals(delivery.binding, PERSON, keys[0], keys[-1])
        delivery.tally(SEAT).refuse(
            sum(1 for change in missing if change.key[len(part.group) + 1 :] in refused)
        )
    if part.people and (own is not None or len(missing) < sum(1 for _, change in part.rows if change)):
        slices.sent.add(part.group)
        return part  # else everybody new was refused: there is nothing to tell
    if alone and own is not None:
        tally = delivery.tally(GROUP)
        tally.unsent -= 1
        tally.set_aside += 1
        delivery.plan.problem(
            "set_aside", GROUP, part.group, own.shown, "nobody who can be delivered is in it", ""
        )
        del slices.changes[part.group]
    return None
