"""The registrations' part of a plan: every member of a printer's group who has an e-mail address, once.

A registration is not idempotent: one that was made is never asked for again, and one whose answer was lost is set
aside until somebody has looked (`rosterd codes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rosterd.core.people import ACTIVE, ASIDE, NUL, fold, key_of, sort_key, wanted_of
from rosterd.core.plan import CREATE, REGISTRATION, Change
from rosterd.draft import Plan, PlanningLedger, Terms
from rosterd.duplicates import unique
from rosterd.gather import Gathered
from rosterd.grouping import Groups
from rosterd.judge import Judge
from rosterd.membership import REFUSED, Seat, unique_seats
from rosterd.roster import merged

IN_DOUBT = "the answer to its registration was lost: look in the printer's portal, then `rosterd codes`"
_SETTLED, _LOST = "issued", "doubt"  # states of a registration in the ledger


def plan_registrations(
    terms: Terms, ledger: PlanningLedger, plan: Plan, sources: Sequence[Gathered], groups: Groups
) -> None:
    """Fills the plan's registrations: tally, changes, problems, facts."""
    if not terms.printers:
        return
    members = _members(terms, plan, groups)
    addresses = _addresses(terms, sources, {key for seats in members.values() for key, _, _ in seats})
    known = ledger.registration_states(terms.binding)
    changes: list[Change] = []
    for printer, seats in members.items():
        seen: set[bytes] = set()
        for key, who, state in seats:
            email = addresses.get(key, "")
            own = sort_key(printer, email) if email else fold(printer).encode() + NUL + key
            if own in seen:
                continue  # two people with one address get one code
            seen.add(own)
            change = _decide(plan, (printer, email, who), own, state, known.get(own))
            changes += [change] if change else []
    _log(terms, ledger, plan, sorted(changes, key=lambda change: change.key))


def _members(terms: Terms, plan: Plan, groups: Groups) -> dict[str, list[tuple[bytes, str, str]]]:
    """(person's key, as shown, state) of each printer's group."""
    wanted: dict[bytes, list[str]] = {}
    for printer, group in terms.printers:
        key = fold(group).encode()
        wanted.setdefault(key, []).append(printer)
        if key not in groups.by_key:
            plan.warn(f"the 3D printer {printer} is for the group {group!r}, which no source has")
    members: dict[str, list[tuple[bytes, str, str]]] = {printer: [] for printer, _ in terms.printers}
    for seats in unique_seats(merged([plan.seats_wanted])):
        for seat in _among(seats, wanted):
            group_key, _, person = seat[0].partition(NUL)
            for printer in wanted[group_key]:
                members[printer].append((person, seat[3], seat[2]))
    return members


def _among(seats: Iterable[Seat], wanted: dict[bytes, list[str]]) -> Iterator[Seat]:
    """Seats of people in the groups wanted; a member that is nobody has a key no person can have."""
    for seat in seats:
        group, _, person = seat[0].partition(NUL)
        if group in wanted and seat[2] in (ACTIVE, REFUSED, ASIDE) and not person.startswith(b"\xff"):
            yield seat


def _addresses(terms: Terms, sources: Sequence[Gathered], keys: set[bytes]) -> dict[bytes, str]:
    """The members' e-mail addresses, of the same records that are delivered: another source's do not count."""
    found: dict[bytes, str] = {}
    texts = {key.decode("utf-8", "surrogatepass") for key in keys}
    rank = {name: i for i, name in enumerate(terms.precedence)}
    rows = merged([source.people for source in sources])
    members = ([row for row in chunk if key_of(row) in texts] for chunk in rows)
    for chunk in unique(members, rank, terms.people_labels, lambda _person, _number: None):
        for person in map(wanted_of, chunk):
            if person[4] and person[8] == ACTIVE:
                found[person[0]] = person[4]
    return found


def _decide(
    plan: Plan, after: tuple[str, str, str], key: bytes, state: str, known: str | None
) -> Change | None:
    """The change for one registration, or None after counting it."""
    printer, email, who = after
    tally = plan.tallies[REGISTRATION]
    tally.read += 1
    shown = f"{printer} / {email or who}"
    if known == _SETTLED:
        tally.unchanged += 1
        return None
    reason = IN_DOUBT if known == _LOST else "" if email else f"{who} has no e-mail address"
    if state == ASIDE and known is None:
        reason = f"{who} is set aside"
    if reason:
        tally.set_aside += 1
        plan.problem("set_aside", REGISTRATION, key, shown, reason, "")
        return None
    return Change(CREATE, REGISTRATION, key, shown, None, after, ("", "", ""))


def _log(terms: Terms, ledger: PlanningLedger, plan: Plan, changes: list[Change]) -> None:
    """Leaves out what stands refused, marks what an approval covers, and tells the guard about the others."""
    tally, judge = plan.tallies[REGISTRATION], Judge(terms, ledger, REGISTRATION)
    standing = dict(judge.refused([change.key for change in changes]))
    sending: list[Change] = []
    for change in changes:
        refusal = standing.get(change.key)
        if refusal and refusal[0] == change.content and terms.stands(refusal[2]):
            tally.refused += 1
            plan.problem("refused", REGISTRATION, change.key, change.shown, refusal[1], "")
            del standing[change.key]
        else:
            sending.append(change)
            standing.pop(change.key, None)
    plan.drop(terms, REGISTRATION, sorted({*standing, *judge.rest()}))
    tally.unsent += len(sending)
    marked = judge.marked(sending)
    plan.registrations.add(marked)
    plan.facts.registrations += sum(not approved for _, approved in marked)
