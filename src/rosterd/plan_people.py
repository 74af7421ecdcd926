"""The people's part of a plan: one pass over wanted and known, in key order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

from rosterd.core.merge import align
from rosterd.core.people import (
    ACTIVE,
    ASIDE,
    DOUBT,
    NO_KEY,
    OUT,
    TRIED,
    US,
    Known,
    Row,
    Wanted,
    fold,
    key_of,
    key_of_line,
    known_of,
    located,
    row_of,
    wanted_of,
)  # fmt: skip
from rosterd.core.plan import CREATE, GONE, PERSON, TOUCH, UPDATE, Change, decide, is_active, mentions
from rosterd.draft import Plan, PlanningLedger, Terms
from rosterd.duplicates import SHADOWED, unique
from rosterd.emails import Share, SharedEmails
from rosterd.gather import Gathered
from rosterd.judge import Judge
from rosterd.membership import Ref, refs_of, refs_of_known
from rosterd.renames import find_renames
from rosterd.roster import Sorter, merged

_key = itemgetter(2)  # of a Change
_reason = itemgetter(2)  # of a Row
_ACTIVE = US + ACTIVE  # how the line of somebody to deliver ends


def plan_people(
    terms: Terms, ledger: PlanningLedger, plan: Plan, sources: Sequence[Gathered], emails: SharedEmails,
    refs: Sorter[Ref], kinds: set[str],
) -> None:  # fmt: skip
    """Fills the plan's people: tally, changes, departures, problems, facts; and notes refs for the seats."""
    plan.tallies[PERSON].read = sum(source.people.count for source in sources)
    plan.facts.empty = [source.name for source in sources if not source.people.count]
    for source in sources:
        for text, count in source.warned.items():
            plan.warn(f"source {source.name}: {text}", count)
    judge = Judge(terms, ledger, PERSON)
    rank = {name: i for i, name in enumerate(terms.precedence)}
    twins: dict[bytes, list[Wanted]] = {}

    def extra(person: Wanted, number: int) -> None:
        _count(terms, plan, person, number)
        if kinds and (person[8] == ASIDE or number == SHADOWED):
            twins.setdefault(person[0], []).append(person)

    wanted = _wanted(terms, sources, emails, rank)
    shared: dict[str, Share] = {}
    for together, known in align(wanted, ledger.lines(terms.binding), key_of, key_of_line):
        ours = together
        if not _equal(ours, known):  # equal lines have different keys, for the ledger's have
            (ours,) = unique([together], rank, terms.people_labels, extra) if together else ([],)
        emails.look(ours, shared)
        people = [wanted_of(row) for row in ours] if kinds or terms.only else []
        refused = _slice(terms, plan, judge, ours, known, people)
        terms.progress("people compared", len(together))
        if kinds:
            others = (
                [(*twin[:8], p[8], *twin[9:]) for p in people for twin in twins.pop(p[0], ())]
                if twins
                else []
            )
            refs.add(refs_of([*people, *others], kinds, refused))
        if kinds and terms.frozen:
            old = map(known_of, known)
            refs.add(refs_of_known(row for row in old if terms.holds_back(row[5]) and is_active(row[8])))
    plan.drop(terms, PERSON, judge.rest())
    find_renames(plan)
    for share in shared.values():
        if share.count > 1:
            plan.warn(f"{share.count:,} people share the address {share.email}: {', '.join(share.first)}")


def _wanted(
    terms: Terms, sources: Sequence[Gathered], emails: SharedEmails, rank: Mapping[str, int]
) -> Iterator[list[Row]]:
    """All rows in key order; of a source with shared_email = "set_aside" those who share an address are marked."""
    sorters = [source.people for source in sources]
    shared: dict[str, Share] = {}
    if terms.aside_shared:
        for chunk in unique(merged(sorters), rank, terms.people_labels, lambda _person, _number: None):
            emails.look(chunk, shared)
    for chunk in merged(sorters):
        yield [_unshared(terms, row, shared) for row in chunk] if shared else chunk


def _unshared(terms: Terms, row: Row, shared: Mapping[str, Share]) -> Row:
    person = wanted_of(row)
    if person[5] not in terms.aside_shared or person[8] != ACTIVE or not person[4]:
        return row
    share = shared.get(fold(person[4]))
    if share is None or share.count < 2:
        return row
    reason = f"shares the address {person[4]} with others"
    return row_of((*person[:8], ASIDE, person[9], reason, person[11]), *row[4:])


def _count(terms: Terms, plan: Plan, person: Wanted, number: int = 0) -> None:
    """A record that goes no further: excluded, or set aside, perhaps beside others with the same key."""
    tally = plan.tallies[PERSON]
    if person[8] == OUT:
        tally.excluded += 1
        plan.reasons["excluded"][person[10]] += 1
        return
    tally.set_aside += 1
    key = person[0]
    if key.startswith(NO_KEY):
        key = key.rpartition(b"\0")[0]  # without its line number, which moves
    key += f"\0{number}".encode() if number > 0 else b""
    plan.problem("set_aside", PERSON, key, _shown(terms, person), person[10], _at(terms, person))


def _slice(
    terms: Terms, plan: Plan, judge: Judge, rows: list[Row], lines: list[str], people: list[Wanted]
) -> set[bytes]:  # fmt: skip
    """Decides one aligned slice; gives the keys of people whom the target refused and who have not changed.

    What is equal is never taken apart: only the rows and lines that differ become people. `people` are all of
    them, where they are needed anyway.
    """
    tally, facts = plan.tallies[PERSON], plan.facts
    if not lines and judge.idle and not terms.only:  # a first delivery: nothing to weigh
        rows = _newcomers(plan, rows)
    ours, known = _different(rows, lines)
    same = len(rows) - len(ours)
    tally.unchanged += same
    facts.active += same + sum(1 for row in known if row[8] in (ACTIVE, DOUBT))
    facts.tried += sum(1 for row in known if row[8] == TRIED)
    for person in [wanted_of(row) for row in rows if row[2]]:
        if person[8] == ACTIVE:
            plan.warn(f"{_shown(terms, person)}: {person[10]} ({_at(terms, person)})")
    if terms.only:
        plan.found.update(
            name for person in people for name in terms.only if mentions([name], person[0], person[4])
        )
    by_key = {row[0]: row for row in known}
    pairs = [(person, by_key.pop(person[0], None)) for person in ours]
    left = list(by_key.values())
    bounds = [rows[0], rows[-1]] if rows else []
    standing = judge.refused([key_of(row).encode("utf-8", "surrogatepass") for row in bounds])
    changes: list[Change] = []
    refused: set[bytes] = set()
    for person, old in pairs:
        change = _decide(terms, plan, person, old)
        if change is None:
            continue
        refusal = standing.get(change.key)
        if refusal and refusal[0] == change.content and terms.stands(refusal[2]) and change.op != GONE:
            tally.refused += 1
            refused.add(change.key)
            plan.problem("refused", PERSON, change.key, change.shown, refusal[1], _at(terms, person))
        else:
            changes.append(change)
    for row in left:
        if not terms.holds_back(row[5]) and decide(None, row[8]) == GONE:
            changes.append(_gone(row))
    changing = {change.key for change in changes if change.op != GONE}
    plan.drop(terms, PERSON, [key for key in standing if key not in refused and key not in changing])
    calm = {person[0] for person, old in pairs if old and old[8] == DOUBT and old[1:5] == person[1:5]}
    _log(terms, plan, judge, changes, calm)
    return refused


def _newcomers(plan: Plan, rows: list[Row]) -> list[Row]:
    """Logs those who are simply new; gives the others, none of whom leads to a change."""
    new = [row[0] for row in rows if row[0].endswith(_ACTIVE)]
    others = [row for row in rows if not row[0].endswith(_ACTIVE)] if len(new) < len(rows) else []
    if sum(map(bool, map(_reason, rows))) > sum(map(bool, map(_reason, others))):
        return rows  # somebody comes with a warning
    plan.people.add_created(new)
    plan.tallies[PERSON].unsent += len(new)
    plan.facts.creates += len(new)
    return others


def _equal(rows: list[Row], lines: list[str]) -> bool:
    return len(rows) == len(lines) and [row[0] for row in rows] == lines


def _different(rows: list[Row], lines: list[str]) -> tuple[list[Wanted], list[Known]]:
    """The people of one slice who are not in the ledger just so, and the ledger's that are not wanted just so."""
    if _equal(rows, lines):
        return [], []
    known, wanted = set(lines), {row[0] for row in rows}
    ours = [wanted_of(row) for row in rows if row[0] not in known]
    return ours, [known_of(line) for line in lines if line not in wanted]


def _decide(terms: Terms, plan: Plan, person: Wanted, old: Known | None) -> Change | None:
    """The change for one wanted record that differs from the ledger, or None after counting it."""
    tally = plan.tallies[PERSON]
    state = person[8]
    if (
        old is not None
        and old[5] not in ("", person[5])
        and terms.holds_back(old[5])
        and is_active(old[8])
        and state != OUT
    ):
        reason = terms.unread(old[5])
        _count(terms, plan, (*person[:8], ASIDE, person[9], reason, person[11]))
        return None
    fate = decide(state, old[8] if old else None, same_content=old is not None and person[1:5] == old[1:5])
    if fate == TOUCH:
        assert old is not None
        tally.unchanged += 1
        plan.touches.add([(person[0], PERSON, person[0], *person[5:8])])
        return None
    if fate in (CREATE, UPDATE):
        before = old[1:5] if old is not None and fate == UPDATE else None
        return Change(fate, PERSON, person[0], _shown(terms, person), before, person[1:5], person[5:8])
    _count(terms, plan, person)
    if fate == GONE and old is not None and not terms.holds_back(old[5]):
        return _gone(old)
    return None


def _gone(row: Known) -> Change:
    return Change(GONE, PERSON, row[0], f"{row[1]}//{row[2]}", row[1:5], None, row[5:8])


def _log(terms: Terms, plan: Plan, judge: Judge, changes: list[Change], calm: set[bytes]) -> None:
    """Counts the changes, marks those that an approval covers, and tells the guard about the others.

    `calm`: records in doubt that go again as they were acknowledged: nothing new can come of it.
    """
    tally, facts = plan.tallies[PERSON], plan.facts
    changes.sort(key=_key)
    sending = [change for change in changes if change.op != GONE]
    leaving = [change for change in changes if change.op == GONE]
    tally.unsent += len(sending)
    if terms.only:
        sending = [c for c in sending if c.after and mentions(terms.only, c.key, c.after[3])]
        leaving = []
    tally.gone += len(leaving)
    marked = judge.marked(sending)
    departing = judge.marked(leaving)
    plan.people.add(marked)
    plan.gone.add(departing)
    facts.leavers += sum(not approved for _, approved in departing)
    if all(change.op == CREATE and not approved for change, approved in marked):
        facts.creates += len(marked)
        return
    for change, approved in marked:
        if approved or change.key in calm:
            facts.others += change.key in calm
            continue
        if change.op == CREATE:
            facts.creates += 1
        else:
            facts.updates += 1
            _blanked(facts.blanked, change)


def _blanked(counts: dict[str, int], change: Change) -> None:
    assert change.before is not None and change.after is not None
    for field, i in (("name", 2), ("email", 3)):
        if change.before[i] and not change.after[i]:
            counts[field] = counts.get(field, 0) + 1


def _shown(terms: Terms, person: Wanted) -> str:
    """The key as Orbix shows it, or where the entry stands when it has none."""
    return f"{person[1]}//{person[2]}" if person[1] and person[2] else _at(terms, person)


def _at(terms: Terms, person: Wanted) -> str:
    return located(terms.people_labels, person[5], person[9])
