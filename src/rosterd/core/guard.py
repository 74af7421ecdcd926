"""The guard looks at a plan before anything is sent: Go, or Hold with reasons a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rosterd.core.plan import Facts


@dataclass(frozen=True)
class Limit:
    """Holds when n >= at_least and n > min(count, percent of what is active); a missing part does not limit."""

    percent: float | None = None
    count: int | None = None
    at_least: int = 1

    def broken(self, n: int, active: int, *, by_percent: bool = True) -> bool:
        bounds: list[float] = []
        if self.percent is not None and by_percent:
            bounds.append(active * self.percent / 100)
        if self.count is not None:
            bounds.append(self.count)
        return bool(bounds) and n >= max(self.at_least, 1) and n > min(bounds)

    def __str__(self) -> str:
        parts = [f"{self.percent:g} %"] if self.percent is not None else []
        parts += [str(self.count)] if self.count is not None else []
        return " or ".join(parts)


@dataclass(frozen=True)
class Guards:
    """One customer's limits; the defaults are those of the documented settings."""

    first_run: str = "approve"
    leavers: Limit = Limit(10, 50, 2)
    creates: Limit = Limit(50, None, 20)
    updates: Limit = Limit(30, None, 20)
    member_loss: Limit = Limit(30, None, 5)
    blanked: Limit = Limit(10, None, 5)
    registrations: Limit = Limit(None, 20)


@dataclass(frozen=True)
class Verdict:
    """Go when there are no reasons."""

    reasons: tuple[str, ...]

    @property
    def held(self) -> bool:
        return bool(self.reasons)


def judge(facts: Facts, guards: Guards, *, first_delivery: bool, first_approved: bool) -> Verdict:
    """Weighs the unapproved changes.

    `first_delivery`: no run of this customer has ended 0 or 3 yet, so creations are not measured by percent.
    `first_approved`: somebody has let a first delivery go already.
    """
    return Verdict(tuple(_reasons(facts, guards, first_delivery, first_approved)))


def _reasons(facts: Facts, guards: Guards, first: bool, approved: bool) -> Iterator[str]:
    for source in facts.empty:
        yield f"empty: source {source} gave no people at all"
    if first and not approved and guards.first_run == "approve" and facts.changes:
        yield "first_run: nothing was ever delivered for this customer, and a delivery cannot be taken back"
    active = facts.active
    there = (
        active + facts.tried
    )  # whoever was only tried counts among those who leave, so among those who may
    if guards.leavers.broken(facts.leavers, there):
        yield f"leavers: {facts.leavers:,} of {there:,} people would leave (limit {guards.leavers})"
    if guards.creates.broken(facts.creates, active, by_percent=not first):
        yield f"creates: {facts.creates:,} people would be created beside {active:,} known (limit {guards.creates})"
    if guards.updates.broken(facts.updates, active):
        yield f"updates: {facts.updates:,} of {active:,} people would change (limit {guards.updates})"
    for field, count in sorted(facts.blanked.items()):
        if guards.blanked.broken(count, active):
            yield f"blanked: the {field} of {count:,} of {active:,} people would turn empty (limit {guards.blanked})"
    for group, (lost, before) in sorted(facts.member_loss.items()):
        if guards.member_loss.broken(lost, before):
            limit = guards.member_loss
            yield f"member_loss: {lost:,} of {before:,} people would leave the grouping {group!r} (limit {limit})"
    for group in facts.emptied:
        yield f"emptied: nobody would be left in the grouping {group!r}"
    if guards.registrations.broken(facts.registrations, 0):
        yield f"registrations: {facts.registrations:,} printer registrations (limit {guards.registrations})"
    if facts.restored and facts.registrations:
        yield (
            f"registrations: {facts.registrations:,} of which the older copy of the ledger that was put back may not"
            " know that they were made"
        )
