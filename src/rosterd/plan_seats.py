"""The groupings' and seats' part of a plan.

Seats are merged with the ledger's in one pass; which groupings can be sent is known only afterwards (how many
would sit in them), so the groupings are decided second, and a grouping that is set aside takes its seats with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rosterd.core.batches import MEMBERS
from rosterd.core.merge import align, unequal
from rosterd.core.people import ACTIVE, ASIDE, DOUBT, NUL, OUT, located
from rosterd.core.plan import CREATE, GONE, GROUP, SEAT, TOUCH, UPDATE, Change, decide, is_active
from rosterd.draft import ChangeLog, KnownGroup, KnownSeat, Plan, PlanningLedger, Terms
from rosterd.grouping import Groups, WantedGroup
from rosterd.judge import Judge
from rosterd.membership import MAYBE, REFUSED, SEAT_CUT, Seat, unique_seats
from rosterd.roster import merged


@dataclass
class _Count:
    """What the pass over the seats found, by grouping."""

    wanted: Counter[bytes] = field(default_factory=Counter)  # seats that can be delivered, new or not
    changed: Counter[bytes] = field(default_factory=Counter)
    lost: Counter[bytes] = field(default_factory=Counter)
    loose: Counter[bytes] = field(default_factory=Counter)  # lost seats that no approval covers


def plan_groups_and_seats(terms: Terms, ledger: PlanningLedger, plan: Plan, groups: Groups) -> None:
    """Fills the plan's groupings and seats: tallies, changes, departures, problems, facts."""
    known = {row[0]: row for row in ledger.groups(terms.binding)}
    names = {key: row[1] for key, row in known.items()} | {
        key: group.name for key, group in groups.by_key.items()
    }
    plan.partial = bool(terms.beside)
    count, draft = _Count(wanted=Counter(terms.beside)), ChangeLog(digested=False)
    judge = Judge(terms, ledger, SEAT)
    for ours, old in align(unique_seats(merged([plan.seats_wanted])), ledger.seats(terms.binding)):
        count.wanted.update([seat[0].partition(NUL)[0] for seat in ours if seat[2] == ACTIVE])
        _slice(terms, ledger, plan, judge, ours, old, names, count, draft)
        terms.progress("seats compared", len(ours))
    plan.drop(terms, SEAT, judge.rest())
    aside = _groups(terms, ledger, plan, groups, known, count)
    for chunk in draft:
        kept = [(change, approved) for change, approved in chunk if change.key.partition(NUL)[0] not in aside]
        plan.seats.add(kept)
        plan.facts.others += sum(not approved for _, approved in kept)
    draft.close()
    tally = plan.tallies[SEAT]
    for key, reason in aside.items():
        moved = count.changed[key]
        tally.unsent -= moved
        if reason == REFUSED:
            tally.refused += moved
        else:
            tally.set_aside += moved
    _losses(terms, ledger, plan, names, count)


def _slice(
    terms: Terms, ledger: PlanningLedger, plan: Plan, judge: Judge, ours: list[Seat], old: list[KnownSeat],
    names: dict[bytes, str], count: _Count, draft: ChangeLog,
) -> None:  # fmt: skip
    if any(seat[2] == MAYBE for seat in ours):
        there = {row[0] for row in old if is_active(row[2])}
        ours = [
            (*seat[:2], ASIDE, *seat[3:]) if seat[2] == MAYBE else seat
            for seat in ours
            if seat[2] != MAYBE or seat[0] in there
        ]
    tally = plan.tallies[SEAT]
    tally.read += len(ours)
    pairs, left, same = unequal(ours, old, SEAT_CUT)
    tally.unchanged += same
    standing = judge.refused([seat[0] for seat in ours])
    changes: list[Change] = []
    refused: set[bytes] = set()
    beside = [row for row in left if is_active(row[2])]
    for seat, row in pairs:
        before = tally.unchanged
        if seat[2] in (ASIDE, REFUSED) and _there(row):
            count.wanted[seat[0].partition(NUL)[0]] += 1  # kept: it stays where it is
        change = _decide(terms, plan, seat, row, names)
        if row is not None and is_active(row[2]) and tally.unchanged == before:
            beside.append(row)
        if change is None:
            continue
        refusal = standing.get(seat[0])
        if change.op != GONE and refusal and terms.stands(refusal[2]):
            tally.refused += 1
            refused.add(seat[0])
            count.wanted[seat[0].partition(NUL)[0]] -= seat[2] == ACTIVE and not _there(row)
            plan.problem("refused", SEAT, seat[0], change.shown, refusal[1], "")
        else:
            changes.append(change)
    plan.beside.add([(row[0],) for row in beside])
    lost = _lost(terms, plan, left)
    lost_keys = {row[0] for row in lost}
    kept = [row[0] for row in left if _there(row) and row[0] not in lost_keys]
    count.wanted.update([key.partition(NUL)[0] for key in kept])
    people = ledger.shown(terms.binding, [row[0].partition(NUL)[2] for row in lost]) if lost else {}
    changes += [_gone(row[0], row[1], names, people.get(row[0].partition(NUL)[2], "")) for row in lost]
    changing = {change.key for change in changes if change.op != GONE}
    plan.drop(terms, SEAT, [key for key in standing if key not in refused and key not in changing])
    sending = sorted([change for change in changes if change.op != GONE], key=lambda change: change.key)
    leaving = [change for change in changes if change.op == GONE]
    tally.unsent += len(sending)
    tally.gone += len(leaving)
    count.changed.update([change.key.partition(NUL)[0] for change in sending])
    count.lost.update([change.key.partition(NUL)[0] for change in leaving])
    departing = judge.marked(leaving)
    count.loose.update([change.key.partition(NUL)[0] for change, approved in departing if not approved])
    draft.add(judge.marked(sending))
    plan.gone.add(departing)


def _there(row: KnownSeat | None) -> bool:
    """Whether the target has acknowledged a seat, and nobody has concluded since that it is gone."""
    return row is not None and row[2] in (ACTIVE, DOUBT)


def _lost(terms: Terms, plan: Plan, left: list[KnownSeat]) -> list[KnownSeat]:
    """Of the seats that nobody wants any more, those that this may be concluded of."""
    return [
        row
        for row in left
        if decide(None, row[2]) == GONE
        and not terms.holds_back(row[1])
        and row[0].partition(NUL)[0] not in plan.unsure
    ]


def _decide(
    terms: Terms, plan: Plan, seat: Seat, row: KnownSeat | None, names: dict[bytes, str]
) -> Change | None:
    key, sources, state, who, reason, place = seat
    tally = plan.tallies[SEAT]
    known = row[2] if row else None
    shown = f"{names.get(key.partition(NUL)[0], '?')} / {who}"
    if state == REFUSED and not _there(row):
        tally.refused += 1
        return None
    fate = decide(ACTIVE if state == REFUSED else state, known)
    if fate == TOUCH:
        tally.unchanged += 1
        if row is not None and not terms.holds_back(row[1]):
            plan.touches.add([(key, SEAT, key, sources, "", "")])
        return None
    if fate in (CREATE, UPDATE):
        before = None if fate == CREATE else ()
        told_by = terms.told_by(sources, row[1]) if row and is_active(row[2]) else sources
        return Change(fate, SEAT, key, shown, before, (), (told_by, "", ""))
    if state == OUT:
        tally.excluded += 1
        plan.reasons["excluded"]["the seat of somebody who is excluded"] += 1
    else:
        tally.set_aside += 1
        told = reason or f"{who} is set aside"
        plan.problem("set_aside", SEAT, key, shown, told, place)
    if fate == GONE and row is not None and not terms.holds_back(row[1]):
        return _gone(key, row[1], names, who)
    return None


def _gone(key: bytes, source: str, names: dict[bytes, str], who: str) -> Change:
    group, _, person = key.partition(NUL)
    shown = who or person.decode("utf-8", "replace").replace("\0", "//")
    return Change(GONE, SEAT, key, f"{names.get(group, '?')} / {shown}", (), None, (source, "", ""))


def _groups(
    terms: Terms,
    ledger: PlanningLedger,
    plan: Plan,
    groups: Groups,
    known: dict[bytes, KnownGroup],
    count: _Count,
) -> dict[bytes, str]:
    """Decides every grouping; gives those whose seats are not sent, with why (REFUSED, or set aside)."""
    aside: dict[bytes, str] = {}
    tally = plan.tallies[GROUP]
    tally.read = len(groups.by_key)
    judge = Judge(terms, ledger, GROUP)
    standing = judge.refused(sorted(groups.by_key))
    changes: list[Change] = []
    dropped = {*standing, *judge.rest()}
    for key in sorted(groups.by_key):
        group, row = groups.by_key[key], known.get(key)
        reason = _unsendable(terms, group, row, count)
        change = None if reason else _group(plan, group, row, terms)
        refusal = standing.get(key) if change else None
        if reason:
            tally.set_aside += 1
            aside[key] = ASIDE
            at = located(terms.group_labels, min(group.sources), group.place)
            plan.problem("set_aside", GROUP, key, group.name or at, reason, at)
        elif change and refusal and refusal[0] == change.content and terms.stands(refusal[2]):
            tally.refused += 1
            aside[key] = REFUSED
            dropped.discard(key)
            plan.problem("refused", GROUP, key, group.name, refusal[1], "")
        else:
            changes += [change] if change else []
            dropped -= {key} if change else set()
    gone = [
        Change(GONE, GROUP, key, row[1], row[1:3], None, (row[3], row[4], ""))
        for key, row in known.items()
        if key not in groups.by_key and decide(None, row[5]) == GONE and not terms.holds_back(row[3])
    ]
    plan.drop(terms, GROUP, sorted(dropped))
    _log(terms, ledger, plan, changes, gone)
    return aside


def _unsendable(terms: Terms, group: WantedGroup, row: KnownGroup | None, count: _Count) -> str:
    """Why a grouping with something to send is set aside instead ("" when it is not)."""
    members = count.wanted[group.key]
    if group.state == ASIDE:
        return group.reason
    if row is not None and terms.holds_back(row[3]) and (group.name, group.description) != (row[1], row[2]):
        return terms.unread(row[3])
    settled = row is not None and row[5] == ACTIVE and (group.name, group.description) == (row[1], row[2])
    if members == 0 and not settled:
        return "nobody who can be delivered is in it"
    news = count.changed[group.key] or not settled
    if members > MEMBERS and not terms.additive and news:
        return (
            f'has more than the {MEMBERS:,} people of one request: set `membership = "additive"`'
            " once the vendor has confirmed that requests add to a grouping"
        )
    return ""


def _group(plan: Plan, group: WantedGroup, row: KnownGroup | None, terms: Terms) -> Change | None:
    tally = plan.tallies[GROUP]
    provenance = (",".join(sorted(group.sources)), group.id, "")
    after = (group.name, group.description)
    fate = decide(ACTIVE, row[5] if row else None, same_content=row is not None and after == row[1:3])
    if fate == TOUCH:
        assert row is not None
        tally.unchanged += 1
        if row[3:5] != provenance[:2] and not terms.holds_back(row[3]):
            plan.touches.add([(group.key, GROUP, group.key, *provenance)])
        return None
    before = row[1:3] if row is not None and fate == UPDATE else None
    if row is not None and is_active(row[5]):
        provenance = (terms.told_by(provenance[0], row[3]), *provenance[1:])
    return Change(fate, GROUP, group.key, group.name, before, after, provenance)


def _log(terms: Terms, ledger: PlanningLedger, plan: Plan, changes: list[Change], gone: list[Change]) -> None:
    tally, judge = plan.tallies[GROUP], Judge(terms, ledger, GROUP)
    tally.unsent += len(changes)
    tally.gone += len(gone)
    marked, leaving = judge.marked(changes), judge.marked(gone)
    plan.groups.add(marked)
    plan.gone.add(leaving)
    plan.facts.others += sum(not approved for _, approved in marked + leaving)


def _losses(terms: Terms, ledger: PlanningLedger, plan: Plan, names: dict[bytes, str], count: _Count) -> None:
    """Tells the guard how much each grouping would lose, and which would be left empty."""
    facts = plan.facts
    for key, loose in count.loose.items():
        before = ledger.active_seats(terms.binding, key)
        name = names.get(key, "?")
        facts.others += loose
        facts.member_loss[name] = (loose, before)
        if before and count.lost[key] >= before and not count.wanted[key]:
            facts.emptied.append(name)
