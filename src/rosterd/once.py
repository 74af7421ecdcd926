"""Every customer once: one lock, one ledger, one connection; one customer's trouble is not another's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from rosterd import assemble
from rosterd.comeback import pause_left
from rosterd.core.guard import Verdict
from rosterd.core.plan import KINDS, Tally
from rosterd.document import NAMES, run_document
from rosterd.draft import Plan
from rosterd.errors import RosterdError, SettingsError, worst
from rosterd.job import Job, Outcome, Tools
from rosterd.lanes import Halt
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.log import bound_contextvars
from rosterd.membership import folded
from rosterd.run import run_customer
from rosterd.settings import Settings

COMMON = (1, 8, 9)  # codes that every other customer of the tenant would meet as well


class _Defect(RosterdError):
    def __init__(self, name: str) -> None:
        hint = "please report it with what the log says; other customers went on"
        super().__init__(f"an unexpected error, {name}", hint=hint)


@dataclass(frozen=True)
class Doors:
    """What is opened for all customers together, besides the ledger; see assemble."""

    orbix: Any
    elsewhere: Any
    reports: Any


@dataclass
class Wish:
    """How a run was asked for. The callbacks belong to whoever shows the run."""

    customers: Sequence[str] = ()  # none means all
    dry: bool = False
    only: Sequence[str] = ()
    access: bool = True  # access is read, and reported
    quiet: bool = False  # see Tools
    patient: bool = False  # a pause that the target asked an earlier run for is kept
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.time
    progress: Callable[[str, str, int], None] = lambda _customer, _what, _count: None
    confirm: Callable[[str, Plan, Verdict], bool] = lambda _name, _plan, _verdict: False
    show: Callable[[str, Plan, Verdict, bool], None] = lambda _name, _plan, _verdict, _held: None
    ended: Callable[[Outcome], None] = lambda _outcome: None


def run_once(settings: Settings, wish: Wish, log: Any) -> dict[str, Any]:
    """Runs the customers one after the other and gives the run document; its `exit_code` is the worst.

    Raises SettingsError only, as when nobody is called as `wish.only` says: whatever else stops a run is in the
    document, a defect (exit code 1) included.
    """
    names = chosen(settings, wish.customers)
    stop = Halt(wish.stop)
    jobs, documents = _jobs(settings, names, stop, log)
    found: set[str] = set()
    problem: RosterdError | None = None
    with ExitStack() as stack:
        try:
            ledger, lock = assemble.open_ledger(settings, locked=not wish.dry)
            if lock is not None:
                stack.callback(lock.close)
            stack.callback(ledger.close)
            if not wish.dry:
                ledger.prepare(wish.clock())
            doors = stack.enter_context(opened(settings, stop, wish, log))
        except RosterdError as error:
            problem = error
        for job in jobs if problem is None else ():
            try:
                outcome = run_one(job, ledger, doors, stop, wish, log)
            except Exception as error:  # a defect that one customer's data found is not the others' trouble
                log.exception("defect", customer=job.name)
                documents[job.name] = _untouched(_Defect(type(error).__name__))
                continue
            documents[job.name] = outcome.document
            found |= outcome.plan.found if outcome.exit_code in (0, 3, 4) else set(folded(wish.only))
            common = [error for error in outcome.problems if error.exit_code in COMMON]
            if common or wish.stop.is_set():
                problem = common[0] if common else None
                break
        if problem is None and not wish.dry:
            for unpruned in doors.reports.prune():
                log.warning("reports", problem=f"{unpruned}")
        if problem is None and not wish.dry:
            try:
                ledger.prune(wish.clock(), settings.ledger.keep_days)
            except RosterdError as error:
                log.error("not_pruned", problem=str(error), next=error.hint)
    documents = {name: documents.get(name) or _untouched(problem) for name in names}
    unknown = _unknown(wish, found) if problem is None and not wish.stop.is_set() else []
    code = worst([*[document["exit_code"] for document in documents.values()], *[3] * bool(unknown)])
    more = {"notices": list(ledger.notices)} if problem is None and ledger.notices else {}
    return run_document(documents, code, **more)


def _jobs(
    settings: Settings, names: Sequence[str], stop: threading.Event, log: Any
) -> tuple[list[Job], dict[str, dict[str, Any]]]:
    """The customers compiled, and the documents of those whose templates are wrong: the others go on.

    Raises SettingsError when that is every one of them.
    """
    jobs: list[Job] = []
    documents: dict[str, dict[str, Any]] = {}
    for name in names:
        try:
            jobs.append(assemble.job(name, settings.customers[name], settings, stop, log))
        except SettingsError as error:
            if len(documents) + 1 == len(names):
                raise
            log.error("settings", customer=name, problem=str(error), next=error.hint)
            documents[name] = _untouched(error)
    return jobs, documents


def _unknown(wish: Wish, found: set[str]) -> list[str]:
    """Names of a pilot that nobody has. Raises SettingsError when that is all of them."""
    unknown = [name for name in wish.only if name.strip() and not {*folded([name])} & found]
    if unknown and len(unknown) == len(wish.only):
        raise SettingsError(
            f"nobody is called {', '.join(map(repr, unknown))}, so nothing was done",
            where="--only", hint="name a logon, DOMAIN//logon or e-mail address as `rosterd plan` shows them",
        )  # fmt: skip
    return unknown


@contextmanager
def opened(
    settings: Settings, stop: threading.Event, wish: Wish, log: Any, observer: Any = None
) -> Iterator[Doors]:
    """The doors of all customers; nothing is sent, or even imported, before a run needs it."""
    orbix = assemble.open_orbix(settings, stop, log, observer)
    elsewhere = assemble.Elsewheres(settings, stop, log)
    try:
        yield Doors(orbix, elsewhere, assemble.open_reports(settings, wish.clock))
    finally:
        elsewhere.close()
        orbix.close()


def run_one(job: Job, ledger: SqliteLedger, doors: Doors, stop: Halt, wish: Wish, log: Any) -> Outcome:
    """One customer's run with what was opened for it; its outcome is told to whoever shows the run."""
    pause = pause_left(ledger, wish.clock()) if wish.patient else 0.0
    tools = Tools(
        ledger, lambda client: doors.orbix.target(client, stop, pause), stop, wish.clock,
        lambda what, count: wish.progress(job.name, what, count), wish.dry, tuple(wish.only), wish.confirm, wish.show,
        doors.elsewhere, doors.reports, wish.access, wish.quiet,
    )  # fmt: skip
    with bound_contextvars(customer=job.name, run=0):  # run_customer says which run it is
        log.debug("customer_starts")
        outcome = run_customer(job, tools)
        for notice in ledger.notices:
            log.warning("ledger", notice=notice)
    wish.ended(outcome)
    return outcome


def chosen(settings: Settings, names: Sequence[str]) -> list[str]:
    """The customers asked for, or all. Raises SettingsError for a name the settings do not have."""
    unknown = [name for name in names if name not in settings.customers]
    if unknown:
        raise SettingsError(
            f"no customer {unknown[0]!r}", hint=f"the settings have {', '.join(sorted(settings.customers))}"
        )
    return [name for name in settings.customers if not names or name in names]


def beside(document: dict[str, Any], apart: Mapping[str, SettingsError]) -> dict[str, Any]:
    """A run document with the customers who were left out, as their own settings are wrong."""
    if not apart:
        return document
    parts = document["customers"] | {name: _untouched(error) for name, error in apart.items()}
    code = worst([document["exit_code"], *(error.exit_code for error in apart.values())])
    return document | {"exit_code": code, "customers": {name: parts[name] for name in sorted(parts)}}


def _untouched(problem: RosterdError | None) -> dict[str, Any]:
    """The document of a customer whose run did not start."""
    reason = (
        f"{problem}" + (f" ({problem.hint})" if problem.hint else "")
        if problem
        else "stopped before its turn"
    )
    return {
        "outcome": "failed" if problem else "done",
        "exit_code": problem.exit_code if problem else 0,
        "reason": reason,
        **{NAMES[kind]: Tally().document() for kind in KINDS},
        "requests": 0,
        "plan": "",
    }


__all__ = ["SettingsError", "Wish", "beside", "chosen", "opened", "run_once", "run_one"]
