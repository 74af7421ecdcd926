"""The push of people: batches go out, valid answers are acknowledged record by record.

A batch that the target refuses whole is bisected down to the records at fault, within a budget.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from rosterd.core.batches import PEOPLE
from rosterd.core.doors import Target
from rosterd.core.outcome import Accepted, AllInvalid, Answer, Mismatch, TooLarge
from rosterd.core.people import Known, Person
from rosterd.core.plan import PERSON, SEAT, Change, Tally
from rosterd.draft import ChangeLog, Plan
from rosterd.errors import RosterdError, Stopped, TargetError
from rosterd.lanes import Sendable, drive

BISECTIONS = 1_024  # requests a run may spend on finding the records at fault

BROKEN = "every single record of a request was refused with 400: the contract itself seems broken"
TOO_LARGE = "too large for a request (413)"
ALL_TOO_LARGE = "every single record of a request was refused as too large (413)"
TOO_LARGE_HINT = "does a proxy in between limit the size of requests? Nothing of that request was recorded"
BROKEN_HINT = "check client and tenant, and what `rosterd plan` shows; nothing of that request was recorded"


class PushLedger(Protocol):
    """What the push writes; see ledger.sqlite."""

    def room(self) -> None: ...
    def sending(
        self, run: int, binding: int, kind: str, records: Sequence[Any], count: int, now: float
    ) -> int: ...
    def acknowledge(
        self, run: int, binding: int, batch: int, accepted: Sequence[Change], refused: Sequence[tuple[Change, str]],
        now: float, followed: Sequence[Any],
    ) -> None: ...  # fmt: skip
    def failed(self, batch: int, binding: int, reason: str, now: float, *, doubt: bool) -> None: ...
    def learn_size(self, binding: int, kind: str, size: int) -> None: ...
    def acknowledged(
        self, binding: int, keys: Sequence[bytes], *, seated: bool = False
    ) -> dict[bytes, Person]: ...
    def refusals(
        self, binding: int, kind: str, low: bytes, high: bytes
    ) -> dict[bytes, tuple[str, str, float]]: ...
    def seats_of(self, binding: int, group: bytes, most: int) -> list[bytes]: ...
    def people(self, binding: int) -> Iterator[list[Known]]: ...
    def groups(self, binding: int) -> list[tuple[bytes, str, str, str, str, str]]: ...
    def depart(self, run: int, binding: int, changes: Iterable[Change]) -> None: ...
    def remove(self, binding: int, changes: Iterable[Change]) -> None: ...
    def unseat(self, binding: int, people: Sequence[bytes] | None = None) -> None: ...
    def registering(self, run: int, binding: int, change: Change, now: float) -> int: ...
    def registered(self, binding: int, batch: int, change: Change, code: str, issued: str) -> None: ...
    def not_registered(
        self, run: int, binding: int, batch: int, change: Change, reason: str, now: float, *, refused: bool
    ) -> None: ...
    def registration_lost(self, batch: int, reason: str, now: float) -> None: ...
    def forget_holds(self, binding: int) -> None: ...
    def touch(self, binding: int, rows: Iterable[tuple[str, bytes, str, str, str]]) -> None: ...
    def keep_edges(
        self, binding: int, added: Iterable[tuple[str, bytes, str]], removed: Iterable[tuple[str, bytes, str]]
    ) -> None: ...  # fmt: skip


@dataclass
class Delivery:
    """What one customer's push works with. `approved_only`: a guard holds the rest."""

    ledger: PushLedger
    target: Target
    run: int
    binding: int
    plan: Plan
    stop: threading.Event
    clock: Callable[[], float]
    progress: Callable[[str, int], None]
    lanes: int
    people_size: int = PEOPLE
    approved_only: bool = False
    additive: bool = False
    bisections: int = BISECTIONS
    where: str = ""  # the target, for messages
    followed: list[Any] = field(default_factory=list)  # goes with the last acknowledgement, and is then empty
    mismatch: str = ""  # a batch stayed unacknowledged because its answer named other records

    def chunks(self, log: ChangeLog) -> Iterator[list[Change]]:
        """The changes that may go now, in key order, as they come from their file."""
        for chunk in log:
            yield [change for change, approved in chunk if approved or not self.approved_only]

    def chosen(self, log: ChangeLog) -> Iterator[Change]:
        """The same, one by one."""
        for chunk in self.chunks(log):
            yield from chunk

    def spend(self) -> None:
        """One more request for finding records at fault."""
        self.bisections -= 1
        if self.bisections < 0:
            what = "too many records were refused without being named"
            raise TargetError(what, where=self.where, hint=BROKEN_HINT)

    def begin(self, kind: str, records: Sequence[Any], count: int) -> int:
        self.ledger.room()
        return self.ledger.sending(self.run, self.binding, kind, records, count, self.clock())

    def record(self, batch: int, accepted: Sequence[Change], refused: Sequence[tuple[Change, str]]) -> None:
        """Acknowledges in the ledger, then counts. The last of all takes along how far the directories are followed."""
        left = sum(tally.unsent for tally in self.plan.tallies.values()) - len(accepted) - len(refused)
        followed = self.followed if left == 0 else []
        self.ledger.acknowledge(self.run, self.binding, batch, accepted, refused, self.clock(), followed)
        followed.clear()
        for (kind, op), count in Counter((change.kind, change.op) for change in accepted).items():
            self.tally(kind).acknowledged(op, count)
        for change, reason in refused:
            self.tally(change.kind).refuse()
            self.plan.problem("refused", change.kind, change.key, change.shown, reason, "")

    def tally(self, kind: str) -> Tally:
        return self.plan.tallies[kind]

    def fail(self, batch: int, error: RosterdError) -> None:
        # A stop may come between two tries of a request, the first of which may have been carried out.
        doubt = isinstance(error, Stopped) or (isinstance(error, TargetError) and error.maybe_applied)
        self.ledger.failed(batch, self.binding, str(error), self.clock(), doubt=doubt)


class Withheld(NamedTuple):
    """What one request with a single record would record as refused. `seats`: how many go with their grouping."""

    batch: int
    told: list[tuple[Change, str]]
    message: str
    seats: int = 0


@dataclass
class Tree:
    """What is left of one refused request. Refusals of single records count only once something was accepted."""

    open: int = 1
    accepted: bool = False
    withheld: list[Withheld] = field(default_factory=list)


@dataclass
class PeopleRequest:
    """Some people in one request; `tree` when it is part of a bisected one."""

    delivery: Delivery
    changes: list[Change]
    tree: Tree | None = None
    isolated: bool = False  # already halved because its answer named other records
    batch: int = 0

    def begin(self) -> None:
        people = [(change.after or ())[:2] for change in self.changes]
        self.batch = self.delivery.begin(PERSON, people, len(people))

    def send(self) -> Answer:
        new = tuple.__new__  # see core.plan
        people = [new(Person, (change.key, *(change.after or ()))) for change in self.changes]
        return self.delivery.target.upsert_people(people)

    def fail(self, error: RosterdError) -> None:
        self.delivery.fail(self.batch, error)

    def settle(self, answer: Answer) -> list[Sendable]:
        match answer:
            case Accepted(refused=refused):
                self._accepted(refused)
                return []
            case AllInvalid(message=message):
                self.delivery.ledger.failed(
                    self.batch, self.delivery.binding, message, self.delivery.clock(), doubt=False
                )
                return self._invalid(message)
            case TooLarge():
                self.delivery.ledger.failed(
                    self.batch, self.delivery.binding, "too large", self.delivery.clock(), doubt=False
                )
                return self._too_large()
            case Mismatch(message=message, partly=partly):
                return self._mismatch(message, partly)
        raise AssertionError(answer)

    def _accepted(self, named: Mapping[bytes, str]) -> None:
        refused = [(change, named[change.key]) for change in self.changes if change.key in named]
        self.delivery.record(
            self.batch, [change for change in self.changes if change.key not in named], refused
        )
        self.delivery.progress("people sent", len(self.changes))
        if self.tree is not None:
            self.tree.open -= 1
            self.tree.accepted = True
            release(self.delivery, self.tree)

    def _invalid(self, message: str) -> list[Sendable]:
        delivery = self.delivery
        if len(self.changes) > 1:
            delivery.spend()
            delivery.spend()
            tree = self.tree or Tree()
            tree.open += 1
            return self._halves(tree, isolated=self.isolated)
        change = self.changes[0]
        told = [(change, standing(delivery, change) or message)]
        refuse(delivery, self.tree, Withheld(self.batch, told, message))
        return []

    def _too_large(self) -> list[Sendable]:
        delivery = self.delivery
        if len(self.changes) == 1:  # it is the record, so how many fit was not what the halving found
            delivery.people_size = PEOPLE
            delivery.ledger.learn_size(delivery.binding, PERSON, PEOPLE)
            told = [(self.changes[0], TOO_LARGE)]
            refuse(delivery, self.tree, Withheld(self.batch, told, TOO_LARGE))
            return []
        delivery.people_size = min(delivery.people_size, max(1, len(self.changes) // 2))
        delivery.ledger.learn_size(delivery.binding, PERSON, delivery.people_size)
        tree = self.tree or Tree()
        tree.open += 1
        return self._halves(tree, isolated=self.isolated)

    def _mismatch(self, message: str, partly: bool) -> list[Sendable]:
        delivery = self.delivery
        delivery.ledger.failed(self.batch, delivery.binding, message, delivery.clock(), doubt=True)
        if partly and not self.isolated and len(self.changes) > 1:
            if self.tree is not None:
                self.tree.open += 1
            return self._halves(self.tree, isolated=True)
        delivery.mismatch = delivery.mismatch or message
        if self.tree is not None:
            self.tree.open -= 1
            self.tree.accepted = True  # the singles refused beside it were told apart by real answers
            release(delivery, self.tree)
        return []

    def _halves(self, tree: Tree | None, *, isolated: bool) -> list[Sendable]:
        middle = (len(self.changes) + 1) // 2
        return [
            PeopleRequest(self.delivery, part, tree, isolated)
            for part in (self.changes[:middle], self.changes[middle:])
        ]


def refuse(delivery: Delivery, tree: Tree | None, refusal: Withheld) -> None:
    """A request with a single record was refused whole: recorded at once, unless it is part of a larger one."""
    tree = tree or Tree(accepted=True)
    tree.open -= 1
    tree.withheld.append(refusal)
    release(delivery, tree)


def release(delivery: Delivery, tree: Tree) -> None:
    """Records withheld refusals as soon as the request has proven not to be wrong as a whole."""
    if tree.accepted or (tree.open == 0 and _stood_before(delivery, tree)):
        for refusal in tree.withheld:
            delivery.record(refusal.batch, [], refusal.told)
            delivery.tally(SEAT).refuse(refusal.seats)
        tree.withheld.clear()
    elif tree.open == 0:
        message = tree.withheld[0].message
        if message == TOO_LARGE:
            raise TargetError(ALL_TOO_LARGE, where=delivery.where, hint=TOO_LARGE_HINT)
        raise TargetError(f"{BROKEN}: {message}", where=delivery.where, hint=BROKEN_HINT)


def _stood_before(delivery: Delivery, tree: Tree) -> bool:
    """Whether each of these records was refused before, just as it is: then it is they, and not the contract."""
    told = [change for refusal in tree.withheld for change, _ in refusal.told]
    return bool(told) and all(standing(delivery, change) for change in told)


def standing(delivery: Delivery, change: Change) -> str:
    """Why this very record was refused by name before; "" when it was not. A 400 gives no reason of its own."""
    found = delivery.ledger.refusals(delivery.binding, change.kind, change.key, change.key).get(change.key)
    return found[1] if found and found[0] == change.content else ""


def push_people(delivery: Delivery) -> None:
    """Sends every chosen creation and update. Raises TargetError, LedgerError or Stopped after settling what flies."""
    drive(_requests(delivery), delivery.lanes, delivery.stop)


def _requests(delivery: Delivery) -> Iterator[PeopleRequest]:
    waiting: list[Change] = []
    for chunk in delivery.chunks(delivery.plan.people):
        waiting += chunk
        while len(waiting) >= delivery.people_size:  # it may shrink while requests are made
            full, waiting = waiting[: delivery.people_size], waiting[delivery.people_size :]
            yield PeopleRequest(delivery, full)
    while waiting:
        rest, waiting = waiting[: delivery.people_size], waiting[delivery.people_size :]
        yield PeopleRequest(delivery, rest)
