"""One customer's run, top to bottom: read, merge, plan, guard, push, acknowledge.

What happens to a record is counted in the plan's tallies; what stops the run is an exception that ends up in the
outcome with its exit code. Dry and real runs are one path: a dry one stops where something would leave.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from rosterd.access import note_directory, note_refusal, note_unread, read_places, write_report
from rosterd.comeback import asked, note_pause, source_place
from rosterd.core.access import PRINTER, Place
from rosterd.core.guard import judge
from rosterd.delivery import deliver
from rosterd.document import NAMES, customer_document
from rosterd.draft import Terms
from rosterd.emails import SharedEmails
from rosterd.errors import LedgerError, RosterdError, SettingsError, SourceError, Stopped
from rosterd.following import Following
from rosterd.gather import Gathered, SourcePlan, gather
from rosterd.job import Job, Outcome, Tools
from rosterd.log import bind_contextvars
from rosterd.membership import folded
from rosterd.news import told_or_new
from rosterd.planning import check_sums, make_plan
from rosterd.push import Delivery
from rosterd.push_registrations import push_registrations
from rosterd.reporting import About


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
        following = Following(job, tools, binding, started)
        following.look()
        if tools.quiet and following.nothing:
            following.keep()
            outcome.quiet = True
            return outcome
        run = 0 if tools.dry else ledger.start_run(binding.id, started)
        bind_contextvars(run=run)  # in every line of the log
        try:
            _steps(job, tools, outcome, binding, run, following)
        except RosterdError as error:
            outcome.problems.append(error)
        if not tools.dry:
            note_pause(ledger, outcome.problems, tools.clock())
        try:
            _access(job, tools, outcome, binding.id)
        except RosterdError as error:
            outcome.problems.append(error)
        for kind, tally in outcome.plan.tallies.items():
            check_sums(kind, tally)
        listed = _account(tools, outcome, binding.id, following)
        whole = not tools.only and not outcome.stopped
        _document(outcome, listed, whole=whole, followed=following.part is not None)
        if not tools.dry:
            ended = (outcome.document["outcome"], outcome.exit_code, outcome.reason, outcome.document)
            ledger.finish_run(
                run, binding.id, *ended, tools.clock(), delivered=whole and outcome.delivered in (0, 3),
                followed=following.settled(outcome),
            )  # fmt: skip
    except RosterdError as error:
        outcome.problems.append(error)
    finally:
        if not outcome.document:
            _document(outcome, [])
        outcome.plan.close()
    return outcome


def _steps(job: Job, tools: Tools, outcome: Outcome, binding: Any, run: int, following: Following) -> None:
    """The path itself."""
    ledger, now = tools.ledger, tools.clock()
    gathered, emails = _read(job, tools, outcome, binding.id, following)
    try:
        if not gathered:
            return
        read = frozenset(found.name for found in gathered)
        frozen = frozenset(plan.source.name for plan in job.sources) - read
        terms = Terms(
            binding.id, job.identity, now, now - job.retry_refused_after, job.precedence, frozen, read,
            job.flat, job.aside_shared, job.additive, only=folded(tools.only),
            people_labels={plan.source.name: plan.people_label for plan in job.sources if plan.people_label},
            group_labels={plan.source.name: plan.group_label for plan in job.sources if plan.group_label},
            progress=tools.progress, access=job.access, printers=job.printers, beside=following.beside,
        )  # fmt: skip
        plan = outcome.plan = make_plan(terms, following.view(), gathered, emails)
        outcome.notes += [f"nobody is called {name!r}" for name in terms.only if name not in plan.found]
    finally:
        for found in gathered:
            found.close()
    following.weigh(plan)
    plan.facts.restored = ledger.restored(binding.id)
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
        followed=following.settled(outcome),
    )  # fmt: skip
    try:
        synchronizing = job.synchronize and not tools.only
        deliver(
            delivery, binding, outcome.notes, synchronizing=synchronizing, part=following.part is not None
        )
        _register(job, tools, outcome, delivery)
    finally:
        outcome.requests = target.requests


def _register(job: Job, tools: Tools, outcome: Outcome, delivery: Delivery) -> None:
    """Registrations with 3D printers follow the groupings; what stops them is no trouble of the delivery's."""
    if not outcome.plan.registrations.count:
        return
    doors = tools.autodesk(job.name)
    try:
        if doors.registrar is not None:
            push_registrations(delivery, doors.registrar)
    except (Stopped, LedgerError):
        raise
    except RosterdError as error:
        outcome.elsewhere.failed.append(error)


def _access(job: Job, tools: Tools, outcome: Outcome, binding: int) -> None:
    """Reads who has access, and writes the report: from what is known now, also when the delivery failed."""
    lost = any(isinstance(problem, Stopped | LedgerError) for problem in outcome.problems)
    if tools.dry or tools.only or lost or not job.access:
        return
    ledger = tools.ledger
    note_directory(ledger, binding, outcome.plan, outcome.read, tools.clock(), held=outcome.held)
    if not tools.access:
        return
    problems = _places(job, tools, binding)
    outcome.elsewhere.problems, outcome.elsewhere.asked = problems, True
    note_refusal(ledger, binding, problems, tools.clock())
    if tools.reports is not None:
        names = tuple(plan.source.name for plan in job.sources)
        about = About(binding, job.name, job.client, names, job.managers)
        found = write_report(ledger, about, tools.reports, tools.clock(), tools.stop)
        found.problems = problems + found.problems
        found.failed, found.asked = outcome.elsewhere.failed, True
        outcome.elsewhere = found


def _places(job: Job, tools: Tools, binding: int) -> list[RosterdError]:
    """Reads every place; gives what went wrong."""
    printers = [
        Place(PRINTER, printer, job.printer_names.get(printer, printer)) for printer, _ in job.printers
    ]
    try:
        doors = tools.autodesk(job.name)
    except SettingsError as error:
        return note_unread(tools.ledger, binding, error, tools.clock())
    return read_places(doors.source, printers, tools.ledger, binding, tools.clock, tools.stop, tools.progress)


def _read(
    job: Job, tools: Tools, outcome: Outcome, binding: int, following: Following
) -> tuple[list[Gathered], SharedEmails]:
    """Every source that could be read whole; the others are noted, and freeze their own records.

    Of a source that is followed, perhaps just what has changed.
    """
    gathered: list[Gathered] = []
    emails = SharedEmails()
    if following.part is not None:
        found = following.part.gathered
        outcome.sources[found.name] = found.proofs[0].detail
        outcome.read[found.name] = following.people() if job.access else found.people.count
        return [found], emails
    for source in job.sources:
        try:
            read = partial(_whole, source, emails, tools, following)
            place = source_place(binding, source.source.name)
            found = read() if tools.dry else asked(tools.ledger, place, job.changed, tools.clock(), read)
            gathered.append(found)
            outcome.sources[found.name] = "; ".join(proof.detail for proof in found.proofs)
            outcome.read[found.name] = found.people.count
            for proof in found.proofs:
                outcome.notes += proof.warnings
        except SourceError as error:
            outcome.problems.append(error)
            outcome.sources[source.source.name] = f"not read: {error}"
            outcome.read[source.source.name] = str(error)
        except BaseException:
            for found in gathered:
                found.close()
            raise
    return gathered, emails


def _whole(source: SourcePlan, emails: SharedEmails, tools: Tools, following: Following) -> Gathered:
    """One source, read whole; where its changes are followed, noted so that the next run may go on from there."""
    found = gather(source, emails, tools.progress, tools.stop, following.tap(source))
    following.read(source)
    return found


def _account(tools: Tools, outcome: Outcome, binding: int, following: Following) -> list[dict[str, Any]]:
    """What is set aside or refused, and what of it is news; told for good when the run ends 0 or 3."""
    plan, ledger = outcome.plan, tools.ledger
    listed, news = told_or_new(plan, ledger, binding)
    outcome.news = news
    if (
        not tools.dry
        and plan.digest
        and not tools.only
        and not outcome.stopped
        and outcome.delivered in (0, 3)
    ):
        scope = following.scope
        ledger.tell(binding, plan.set_aside_rows(), tools.clock(), scope.holds if scope is not None else None)
    return listed


def _document(
    outcome: Outcome, listed: list[dict[str, Any]], *, whole: bool = False, followed: bool = False
) -> None:
    outcome.document = customer_document(
        outcome.plan,
        outcome.exit_code,
        outcome.reason,
        outcome.requests,
        listed,
        sources=dict(outcome.sources),
        delivered=outcome.delivered,
        whole=whole,
        **({"followed": True} if followed else {}),
        **({"stopped": True} if outcome.stopped else {}),
        **({"reports": outcome.elsewhere.files} if outcome.elsewhere.files else {}),
    )
