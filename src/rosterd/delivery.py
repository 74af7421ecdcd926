"""Carrying a judged plan out: departures are noted, people go, then groupings; local notes follow."""

from __future__ import annotations

from typing import Any

from rosterd.core.batches import GROUPINGS, PEOPLE, chunked
from rosterd.core.plan import PERSON
from rosterd.draft import Plan
from rosterd.errors import TargetError
from rosterd.push import Delivery, push_people
from rosterd.push_groups import push_groups
from rosterd.synchronize import synchronize_groups, synchronize_people

_MANY = 4_096  # rows a transaction


def deliver(
    delivery: Delivery, binding: Any, notes: list[str], *, synchronizing: bool, part: bool = False
) -> None:
    """Everything that may go, goes. Raises TargetError, CredentialsError, LedgerError or Stopped.

    `notes` collects sentences for the operator, such as why synchronizing was not possible. `part`: the plan is of a
    few among many, so nothing is looked for in everything that is known.
    """
    plan, ledger = delivery.plan, delivery.ledger
    delivery.people_size = min(binding.people_size or PEOPLE, PEOPLE)
    # First of all: whoever is wanted again as they were delivered may take new seats.
    ledger.drop_refusals(delivery.binding, ((kind, key) for _, kind, key in plan.dropped_rows()))
    carried = synchronizing and not delivery.approved_only
    if synchronizing:
        ledger.spend_departed(delivery.binding)  # what a run left that was cut off before an answer
    sync_people = carried and synchronize_people(delivery, notes)
    gone = (one for one in delivery.chosen(plan.gone) if not (sync_people and one.kind == PERSON))
    left: list[bytes] = []
    for chunk in chunked(gone, _MANY):
        ledger.depart(delivery.run, delivery.binding, chunk, carried=carried)
        if part or not left:
            left += [change.key for change in chunk if change.kind == PERSON]
    cut_short = ledger.cut_short(delivery.binding, delivery.run)  # amid this, perhaps
    if sync_people or left or cut_short:
        ledger.unseat(delivery.binding, left if part and not sync_people and not cut_short else None)
    if not sync_people:
        push_people(delivery)
    sync_groups = carried and synchronize_groups(delivery, notes)
    if carried:
        ledger.spend_departed(delivery.binding)
    if not sync_groups:
        push_groups(delivery, binding.groups_size or GROUPINGS)
    if not delivery.approved_only:
        _notes(delivery, plan)
        ledger.forget_holds(delivery.binding)
    if delivery.mismatch:
        raise TargetError(
            f"response_mismatch: an answer names records that were not sent: {delivery.mismatch}",
            where=delivery.where,
            hint="what that request carried is in doubt and goes again with the next run; tell the vendor",
            maybe_applied=True,
        )


def _notes(delivery: Delivery, plan: Plan) -> None:
    """What only the ledger takes note of: new provenance, and raw membership for later resolution."""
    ledger, binding = delivery.ledger, delivery.binding
    for chunk in chunked(plan.touch_rows(), _MANY):
        ledger.touch(binding, chunk)
    for place in plan.edge_places[1]:
        ledger.keep_edges(binding, [], plan.edges_removed.read(place))
    for place in plan.edge_places[0]:
        ledger.keep_edges(binding, plan.edges_added.read(place), [])
