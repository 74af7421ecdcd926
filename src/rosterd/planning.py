"""From what is wanted and what the ledger knows to a plan: changes in key order, counts, facts for the guard.

1. People: one pass over both streams decides every record; who may sit in groupings is noted on the way.
2. Groupings and seats: raw edges are joined with those notes, and the seats merged with the ledger's.
3. Groupings that cannot be sent as they are (empty, too large, ill-named) are set aside, their people go on.
4. Registrations with 3D printers follow from the seats; accounts are noted for the access report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rosterd.accounts import compare_accounts
from rosterd.core.merge import align
from rosterd.core.people import NUL
from rosterd.core.plan import KINDS, Digest, Facts, Tally
from rosterd.draft import ChangeLog, Plan, PlanningLedger, Terms
from rosterd.emails import SharedEmails
from rosterd.gather import Gathered
from rosterd.grouping import Edge, KnownEdge, joined
from rosterd.membership import Ref, led_to, nesting, seats
from rosterd.plan_people import plan_people
from rosterd.plan_registrations import plan_registrations
from rosterd.plan_seats import plan_groups_and_seats
from rosterd.roster import Sorter, merged


def make_plan(
    terms: Terms, ledger: PlanningLedger, sources: Sequence[Gathered], emails: SharedEmails
) -> Plan:
    """Plans one customer. `sources` are those that were read whole; the others stand in `terms.frozen`."""
    plan = Plan(whole=not terms.frozen)
    groups = joined([source.groups for source in sources], terms.precedence)
    edges = [source.edges for source in sources]
    nest, kinds = nesting(merged(edges), groups, terms.flat)
    told: Sorter[Edge] = Sorter(whole=True)
    for some in led_to(merged([source.belonging for source in sources]), nest):
        told.add(some)
        kinds.update([ref[:1] for ref, _, _, _ in some])
    edges.append(told)
    refs: Sorter[Ref] = Sorter()
    plan_people(terms, ledger, plan, sources, emails, refs, kinds)
    if terms.access:
        compare_accounts(terms, ledger, plan, sources)
    if not terms.printers:
        _close(sources)
    for chunk in seats(merged([refs]), merged(edges), groups, nest, terms.flat, terms.group_labels):
        plan.seats_wanted.add(chunk)
        if terms.frozen and "s" in kinds:  # the ledger knows nobody's identifier
            plan.unsure.update([seat[0].partition(NUL)[0] for seat in chunk if NUL + b"\xffs" in seat[0]])
    refs.close()
    for handle in sorted(nest.cycles & groups.by_key.keys()):
        plan.warn(f"the grouping {groups.by_key[handle].name!r} contains itself through other groups")
    plan_groups_and_seats(terms, ledger, plan, groups)
    plan_registrations(terms, ledger, plan, sources, groups)
    _close(sources)
    plan.seats_wanted.close()
    _compare_edges(terms, ledger, plan, edges)
    told.close()
    if terms.only:
        _pilot(plan)
    _finish(terms, plan)
    return plan


def _close(sources: Sequence[Gathered]) -> None:
    """The people are known; their room is needed for what follows."""
    for source in sources:
        source.people.close()


def _compare_edges(terms: Terms, ledger: PlanningLedger, plan: Plan, edges: list[Sorter[Edge]]) -> None:
    """Which raw edges the ledger must add and forget; those of unread sources stay."""
    for new, old in align(_distinct(merged(edges)), ledger.edges(terms.binding)):
        if new == old:
            continue
        known = set(old)
        added = [edge for edge in new if edge not in known]
        wanted = set(new)
        removed = [edge for edge in old if edge not in wanted and not terms.holds_back(edge[2])]
        if added:
            plan.edge_places[0].append(plan.edges_added.write(added))
        if removed:
            plan.edge_places[1].append(plan.edges_removed.write(removed))


def _distinct(chunks: Iterator[list[Edge]]) -> Iterator[list[KnownEdge]]:
    """As the ledger keeps edges: without their place, and a membership listed twice only once."""
    for chunk in chunks:
        rows = [edge[:3] for edge in chunk]
        found = set(rows)
        yield rows if len(found) == len(rows) else sorted(found)


def _pilot(plan: Plan) -> None:
    """`--only`: just the people named; groupings, seats and departures wait for a whole run."""
    for log in (plan.groups, plan.seats, plan.gone, plan.registrations):
        log.close()
    plan.groups = plan.seats = plan.gone = plan.registrations = ChangeLog()
    for tally in plan.tallies.values():
        tally.gone = 0
    facts = plan.facts
    plan.facts = Facts(
        facts.empty, facts.active, creates=facts.creates, updates=facts.updates, blanked=facts.blanked
    )


def _finish(terms: Terms, plan: Plan) -> None:
    """The digest, in a fixed order of kinds; and every sum must match (promise P7)."""
    plan.digest = Digest(*terms.identity, *(log.digest() for log in plan.logs)).hexdigest()
    for kind in KINDS:
        check_sums(kind, plan.tallies[kind])


def check_sums(kind: str, tally: Tally) -> None:
    """A record in no bucket or in two is a defect: better to stop than to report sums that are wrong."""
    if not tally.balanced:
        raise AssertionError(f"{kind}: the buckets do not add up: {tally}")
