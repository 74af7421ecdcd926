"""The two *synchronize* calls, which delete whatever a request lacks: only when one request holds everything.

Nothing ties two requests together, so a second one would delete what the first created. Hence: the operator asked
for it, every source was read whole, no guard holds anything, and the client's whole set fits one request.
Otherwise the upserts go as usual, departures are only reported, and the reason is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosterd.core.batches import GROUPINGS, MEMBERS, PEOPLE
from rosterd.core.outcome import Accepted, AllInvalid, Answer, TooLarge
from rosterd.core.people import ACTIVE, DOUBT, NUL, Grouping, Person
from rosterd.core.plan import GROUP, PERSON, SEAT, UPDATE, Change
from rosterd.errors import RosterdError, TargetError
from rosterd.push import Delivery

_ODD = "the answer to *synchronize* does not say what became of the records"


def synchronize_people(delivery: Delivery, notes: list[str]) -> bool:
    """True when the people were synchronized (or nothing is to be done); False when the upserts must do it."""
    plan = delivery.plan
    changes = list(delivery.chosen(plan.people)) if plan.people.count <= PEOPLE else []
    gone = [change for change in delivery.chosen(plan.gone) if change.kind == PERSON]
    if not gone:
        return False  # nothing to delete: upserts do, and cannot delete what somebody else created
    people = _whole_set(delivery, gone, changes) if plan.whole and plan.people.count <= PEOPLE else None
    limit = min(PEOPLE, delivery.people_size)
    if not people or len(people) > limit:
        fits = people is not None and len(people) <= limit
        why = "nobody would be left" if fits else f"the people do not fit one request of {limit:,}"
        why = why if plan.whole else "a source could not be read"
        return _not(notes, gone, why)
    # A deleted person's seats go too. Noted first: a returner's seats must be sent again, whatever ends this run.
    leaving = {change.key for change in gone}
    lost = [change for change in delivery.chosen(plan.gone) if change.kind == SEAT]
    lost = [change for change in lost if change.key.partition(NUL)[2] in leaving]
    delivery.ledger.depart(delivery.run, delivery.binding, lost, carried=True)
    # Who leaves is carried too: without an answer they may be gone or not, and a returner must be sent again.
    carried = [(person.domain, person.logon) for person in people]
    carried += [(change.before[0], change.before[1]) for change in gone if change.before]
    batch = delivery.begin(PERSON, carried, len(people))
    answer = _asked(delivery, batch, PERSON, len(people), lambda: delivery.target.synchronize_people(people))
    if isinstance(answer, str):
        return _not(notes, gone, answer)
    known = {change.key: change for change in changes}
    aside = plan.standing(PERSON)
    refused = [
        (known.get(person.key) or _again(delivery, PERSON, person.key, person.shown, person[1:]), reason)
        for person in people
        if (reason := answer.refused.get(person.key)) and (person.key in known or person.key not in aside)
    ]
    delivery.ledger.depart(delivery.run, delivery.binding, gone)
    delivery.record(batch, [change for change in changes if change.key not in answer.refused], refused)
    delivery.ledger.remove(delivery.binding, gone)
    return True


def _whole_set(delivery: Delivery, gone: Sequence[Change], changes: Sequence[Change]) -> list[Person] | None:
    """Everybody who is to be there afterwards, kept and frozen people included; None when they are too many."""
    leaving = {change.key for change in gone}
    people: dict[bytes, Person] = {}
    for page in delivery.ledger.people(delivery.binding):
        people.update(
            (row[0], Person(*row[:5])) for row in page if row[8] in (ACTIVE, DOUBT) and row[0] not in leaving
        )
        if len(people) > PEOPLE:
            return None
    people.update((change.key, Person(change.key, *(change.after or ()))) for change in changes)
    return [people[key] for key in sorted(people)]


def synchronize_groups(delivery: Delivery, notes: list[str]) -> bool:
    """The same for groupings and their seats, after the people."""
    plan = delivery.plan
    gone = [change for change in delivery.chosen(plan.gone) if change.kind in (GROUP, SEAT)]
    if not gone:
        return False
    changes = (
        [*delivery.chosen(plan.groups), *delivery.chosen(plan.seats)] if plan.seats.count <= PEOPLE else []
    )
    groupings = (
        _whole_groupings(delivery, gone, changes) if plan.whole and plan.seats.count <= PEOPLE else None
    )
    if not groupings:  # an empty list is no valid request
        limit = f"{GROUPINGS} groupings of {MEMBERS:,} people do not hold them"
        why = limit if groupings is None else "no grouping would be left"
        return _not(notes, gone, why if plan.whole else "a source could not be read")
    records = [
        [group.name, [(person.domain, person.logon) for person in group.people]] for group in groupings
    ] + [_leaving(change) for change in gone]
    batch = delivery.begin(GROUP, records, len(groupings))
    count = len(groupings)
    answer = _asked(delivery, batch, GROUP, count, lambda: delivery.target.synchronize_groups(groupings))
    if isinstance(answer, str):
        return _not(notes, gone, answer)
    accepted, refused, others, along = _heard(delivery, groupings, changes, answer)
    delivery.tally(SEAT).refuse(len(along))
    heard = {change.key for change in accepted} | {change.key for change, _ in refused} | along
    left_out = [change for change in changes if change.kind == SEAT and change.key not in heard]
    for change in left_out:
        person = change.key.partition(NUL)[2]
        if person in delivery.ledger.refusals(delivery.binding, PERSON, person, person):
            delivery.tally(SEAT).refuse()
    delivery.record(batch, accepted, refused, others)
    delivery.ledger.remove(delivery.binding, gone)
    return True


def _heard(
    delivery: Delivery, groupings: Sequence[Grouping], changes: Sequence[Change], answer: Accepted
) -> tuple[list[Change], list[tuple[Change, str]], list[tuple[Change, str]], set[bytes]]:
    """What an answer accepted and refused, unchanged seats and groupings included; what it refused that counts as
    something else already; and new seats that go again with their refused grouping."""
    waiting = {change.key: change for change in changes}
    plan = delivery.plan
    aside = plan.standing(GROUP) | plan.uncounted(
        {
            group.key + NUL + person.key
            for group in groupings
            for person in group.people
            if group.key in answer.refused or (group.key, person.key) in answer.seats
        }
    )
    accepted: list[Change] = []
    refused: list[tuple[Change, str]] = []
    others: list[tuple[Change, str]] = []
    along: set[bytes] = set()
    for group in groupings:
        row = (group.name, group.description)
        own = (GROUP, group.key, group.name, row, answer.refused.get(group.key))
        parts: list[tuple[str, bytes, str, tuple[str, ...], str | None]] = [own]
        for person in group.people:
            reason = answer.refused.get(group.key) or answer.seats.get((group.key, person.key))
            parts.append((SEAT, group.key + NUL + person.key, f"{group.name} / {person.shown}", (), reason))
        for kind, key, shown, content, reason in parts:
            change = waiting.get(key)
            if reason is None:
                accepted += [change] if change else []
            elif kind == SEAT and group.key in waiting and group.key in answer.refused:
                along |= {key} if change else set()
            elif change is None and key in aside:
                others.append((Change(UPDATE, kind, key, shown, content, content, ("", "", "")), reason))
            else:
                refused.append((change or _again(delivery, kind, key, shown, content), reason))
    return accepted, refused, others, along


def _again(delivery: Delivery, kind: str, key: bytes, shown: str, content: tuple[str, ...]) -> Change:
    """A record that was delivered before, travelled along and is refused now: it moves from unchanged to refused."""
    tally = delivery.tally(kind)
    tally.unchanged -= 1
    tally.unsent += 1
    return Change(UPDATE, kind, key, shown, content, content, ("", "", ""))


def _not(notes: list[str], gone: Sequence[Change], why: str) -> bool:
    """Notes why it was not done."""
    people = sum(change.kind == PERSON for change in gone)
    what = f"{people:,} who left" if people else f"{len(gone):,} lost seats and groupings"
    notes.append(f"not synchronized, so {what} stay in Orbix: {why}")
    return False


def _leaving(change: Change) -> list[object]:
    """A lost seat or a grouping no longer wanted, as a request carries it; folding changes nothing in a key."""
    group, *person = change.key.decode().split("\0")
    return [group, [tuple(person)] if person else []]


def _whole_groupings(
    delivery: Delivery, gone: Sequence[Change], changes: Sequence[Change]
) -> list[Grouping] | None:
    """All groupings as they are to be, with every acknowledged member; None when they do not fit one request."""
    leaving = {change.key for change in gone}
    rows = {
        row[0]: (row[1], row[2])
        for row in delivery.ledger.groups(delivery.binding)
        if row[5] in (ACTIVE, DOUBT)
    }
    rows = {key: row for key, row in rows.items() if key not in leaving} | {
        change.key: (change.after[0], change.after[1])
        for change in changes
        if change.kind == GROUP and change.after
    }
    if len(rows) > GROUPINGS:
        return None
    new: dict[bytes, set[bytes]] = {key: set() for key in rows}
    for change in changes:
        if change.kind == SEAT:
            group, _, person = change.key.partition(NUL)
            new.setdefault(group, set()).add(person)
    groupings = []
    for key in sorted(rows):
        have = {seat[len(key) + 1 :] for seat in delivery.ledger.seats_of(delivery.binding, key, 2 * MEMBERS)}
        members = sorted(
            (have | new[key])
            - {gone_key[len(key) + 1 :] for gone_key in leaving if gone_key.startswith(key + NUL)}
        )
        if len(members) > MEMBERS:
            return None
        stay = [person for person in members if person in have]
        people = delivery.ledger.acknowledged(delivery.binding, members)
        people |= delivery.ledger.acknowledged(delivery.binding, stay, seated=True)
        groupings.append(
            Grouping(key, *rows[key], tuple(people[person] for person in members if person in people))
        )
    return groupings


def _asked(delivery: Delivery, batch: int, kind: str, size: int, ask: Callable[[], Answer]) -> Accepted | str:
    """One try. Why not, when the target did nothing; anything doubtful ends the run and leaves the batch in doubt."""
    try:
        answer = ask()
    except RosterdError as error:
        delivery.fail(batch, error)
        raise
    match answer:
        case Accepted():
            return answer
        case AllInvalid(message=message):
            delivery.ledger.failed(batch, delivery.binding, message, delivery.clock(), doubt=False)
            return f"the target refused the whole request ({message})"
        case TooLarge():
            delivery.ledger.failed(batch, delivery.binding, "too large", delivery.clock(), doubt=False)
            if kind == PERSON:
                delivery.people_size = min(delivery.people_size, max(1, size // 2))
            delivery.ledger.learn_size(delivery.binding, kind, max(1, size // 2))
            return "the request was too large for the target"
    odd = TargetError(
        _ODD, where=delivery.where, hint='with leavers = "report" the upserts go as usual', maybe_applied=True
    )
    delivery.fail(batch, odd)
    raise odd
