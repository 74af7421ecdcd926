"""One customer's run, top to bottom: read, merge, plan, guard, push, acknowledge.

What happens to a record is counted in the plan's tallies; what stops the run is an exception that ends up in the
outcome with its exit code. Dry and real runs are one path: a dry one stops where something would leave.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from structlog.contextvars import bind_contextvars

from rosterd.core.guard import Guards, Verdict, judge
from rosterd.delivery import deliver
from rosterd.document import NAMES, customer_document
from rosterd.draft import Plan, Terms
from rosterd.emails import SharedEmails
from rosterd.errors import RosterdError, SourceError, Stopped, worst
from rosterd.gather import Gathered, SourcePlan, gather
from rosterd.membership import folded
from rosterd.news import told_or_new
from rosterd.planning import check_sums, make_plan
from rosterd.push import Delivery


@dataclass(frozen=True)
class Job:
    """One customer as the settings describe it, opened and compiled."""

    name: str
    client: str
    identity: tuple[str, str, str]  # base URL, tenant, client
    sources: Sequence[SourcePlan]
    guards: Guards
    precedence: tuple[str, ...] = ()
    flat: frozenset[str] = frozenset()
    aside_shared: frozenset[str] = frozenset()
    additive: bool = False
    synchronize: bool = False
    retry_refused_after: float = 7 * 86_400.0  # seconds
    lanes: int = 2


@dataclass
class Tools:
    """What a run works with, and how it was asked for.

    `confirm` decides about a first delivery (at the terminal, or by `--yes`); `show` is handed the plan as soon
    as it is judged.
    """

    ledger: Any  # rosterd.ledger.sqlite.SqliteLedger, or another of its kind
    target: Callable[[str], Any]  # client -> core.doors.Target with a count of its requests
    stop: threading.Event
    clock: Callable[[], float]
    progress: Callable[[str, int], None]
    dry: bool = False
    only: tuple[str, ...] = ()
    confirm: Callable[[str, Plan, Verdict], bool] = lambda _name, _plan, _verdict: False
    show: Callable[[str, Plan, Verdict, bool], None] = lambda _name, _plan, _verdict, _held: None


@dataclass
class Outcome:
    """How one customer's run ended. `problems` stopped it or a part of it."""

    name: str
    plan: Plan = field(default_factory=Plan)
    verdict: Verdict = field(default_factory=lambda: Verdict(()))
    held: bool = False
    problems: list[RosterdError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)  # name -> its proof, or why it could not be read
    news: int = 0
    requests: int = 0
    paused: str | None = None
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        codes = [problem.exit_code for problem in self.problems]
        return worst([*codes, *[4] * self.held, *[3] * bool(self.news)])

    @property
    def stopped(self) -> bool:
        return any(isinstance(problem, Stopped) for problem in self.problems)

    @property
    def reason(self) -> str | None:
        """Why it did not end well, or what to know when it did; None when there is nothing to say."""
        if self.paused is not None:
            return f"paused: {self.paused}"
        sentences = [
            f"{problem}" + (f" ({problem.hint})" if problem.hint else "") for problem in self.problems
        ]
        sentences += list(self.verdict.reasons) if self.held else []
        return "; ".join(sentences + self.notes) or None


def run_customer(job: Job, tools: Tools) -> Outcome:
    """Runs one customer. Whatever stops it is in the outcome; the caller goes on with the next customer."""
    outcome = Outcome(job.name)
    ledger, started = tools.ledger, tools.clock()
    try:
        binding = ledger.bind(job.client, job.name)
        if binding.paused_at is not None:
            outcome.paused = binding.paused_why or "no reason given"
            if not tools.dry:  # a pause stops runs, not looking
                return outcome
        run = 0 if tools.dry else ledger.start_run(binding.id, started)
        bind_contextvars(run=run)  # in every line of the log
        try:
            _steps(job, tools, outcome, binding, run)
        except RosterdError as error:
            outcome.problems.append(error)
        for kind, tally in outcome.plan.tallies.items():
            check_sums(kind, tally)
        listed = _account(tools, outcome, binding.id)
        whole = not tools.only and not outcome.stopped
        _document(outcome, listed, whole=whole)
        if not tools.dry:
            ended = (outcome.document["outcome"], outcome.exit_code, outcome.reason, outcome.document)
            ledger.finish_run(run, binding.id, *ended, tools.clock(), whole=whole)
    except RosterdError as error:
        outcome.problems.append(error)
    finally:
        if not outcome.document:
            _document(outcome, [])
        outcome.plan.close()
    return outcome


def _steps(job: Job, tools: Tools, outcome: Outcome, binding: Any, run: int) -> None:
    """The path itself."""
    ledger, now = tools.ledger, tools.clock()
    gathered, emails = _read(job, tools, outcome)
    try:
        if not gathered:
            return
        frozen = frozenset(plan.source.name for plan in job.sources) - {found.name for found in gathered}
        terms = Terms(
            binding.id, job.identity, now, now - job.retry_refused_after, job.precedence, frozen, job.flat,
            job.aside_shared, job.additive, folded(tools.only),
            {plan.source.name: plan.people_label for plan in job.sources if plan.people_label},
            {plan.source.name: plan.group_label for plan in job.sources if plan.group_label},
            tools.progress,
        )  # fmt: skip
        plan = outcome.plan = make_plan(terms, ledger, gathered, emails)
        outcome.notes += [f"nobody is called {name!r}" for name in terms.only if name not in plan.found]
    finally:
        for found in gathered:
            found.close()
    first = {"first_delivery": not binding.delivered, "first_approved": binding.approved}
    verdict = judge(plan.facts, job.guards, **first)
    if verdict.held and not binding.approved and tools.confirm(job.name, plan, verdict):
        verdict = judge(plan.facts, job.guards, first_delivery=not binding.delivered, first_approved=True)
        if not tools.dry and not tools.only and not verdict.held:
            ledger.approve_first(binding.id)
    outcome.verdict, outcome.held = verdict, verdict.held
    if outcome.held:
        counts = {NAMES[kind]: tally.document() for kind, tally in plan.tallies.items()}
        changes = ([change for change, _ in chunk] for log in plan.logs for chunk in log)
        held = (binding.id, plan.digest, verdict.reasons, counts, changes, now)
        ledger.hold(*held, total=plan.changes, pilot=bool(tools.only))
    tools.show(job.name, plan, verdict, outcome.held)
    if tools.dry:
        return
    target = tools.target(job.client)
    delivery = Delivery(
        ledger, target, run, binding.id, plan, tools.stop, tools.clock, tools.progress, job.lanes,
        approved_only=outcome.held, additive=job.additive, where=job.identity[0],
    )  # fmt: skip
    try:
        deliver(delivery, binding, outcome.notes, synchronizing=job.synchronize and not tools.only)
    finally:
        outcome.requests = target.requests


def _read(job: Job, tools: Tools, outcome: Outcome) -> tuple[list[Gathered], SharedEmails]:
    """Every source that could be read whole; the others are noted, and freeze their own records."""
    gathered: list[Gathered] = []
    emails = SharedEmails()
    for source in job.sources:
        try:
            found = gather(source, emails, tools.progress, tools.stop)
            gathered.append(found)
            outcome.sources[found.name] = "; ".join(proof.detail for proof in found.proofs)
            for proof in found.proofs:
                outcome.notes += proof.warnings
        except SourceError as error:
            outcome.problems.append(error)
            outcome.sources[source.source.name] = f"not read: {error}"
        except BaseException:
            for found in gathered:
                found.close()
            raise
    return gathered, emails


def _account(tools: Tools, outcome: Outcome, binding: int) -> list[dict[str, Any]]:
    """What is set aside or refused, and what of it is news; told for good when the run ends 0 or 3."""
    plan, ledger = outcome.plan, tools.ledger
    if not tools.dry and plan.digest:
        ledger.drop_refusals(binding, ((kind, key) for _, kind, key in plan.dropped_rows()))
    listed, news = told_or_new(plan, ledger, binding)
    outcome.news = news
    if (
        not tools.dry
        and plan.digest
        and not tools.only
        and not outcome.stopped
        and outcome.exit_code in (0, 3)
    ):
        ledger.tell(binding, plan.set_aside_rows(), tools.clock())
    return listed


def _document(outcome: Outcome, listed: list[dict[str, Any]], *, whole: bool = False) -> None:
    outcome.document = customer_document(
        outcome.plan,
        outcome.exit_code,
        outcome.reason,
        outcome.requests,
        listed,
        sources=dict(outcome.sources),
        whole=whole,
    )
