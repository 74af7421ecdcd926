"""One turn: a customer's run within the service. Turns of several customers go on side by side.

They share the run lock, which the first takes and the last lets go, and the connection to Orbix with its token, pace
and number of requests under way. Each has a ledger connection of its own; the lock lets one of them write at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from rosterd import assemble, due
from rosterd.daemon.schedule import ACCESS, FOLLOW, Entry
from rosterd.errors import LockedError, RosterdError
from rosterd.job import Outcome
from rosterd.lanes import Halt
from rosterd.ledger.lock import RunLock
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.once import Wish, opened, run_one
from rosterd.patience import ComeBack
from rosterd.settings import CustomerSettings, Settings

DEFECT = "this is a defect of rosterd: please report it with the log around it"
AGAIN_AFTER_LOCKED = 30.0  # seconds; somebody's single run holds the ledger meanwhile


class Turned(NamedTuple):
    """How a turn ended. `outcome` is None when the run could not start: `problem` says why.

    done: nothing is owed any more until the next due time. again: seconds after which to come back instead.
    """

    entry: Entry
    started: float
    seconds: float
    exit_code: int
    outcome: Outcome | None = None
    problem: RosterdError | None = None
    done: bool = True
    again: float | None = None

    @property
    def reason(self) -> str | None:
        """Why it did not end well, with the next step."""
        if self.problem is not None:
            return f"{self.problem}" + (f" ({self.problem.hint})" if self.problem.hint else "")
        return self.outcome.reason if self.outcome else None

    @property
    def document(self) -> dict[str, Any]:
        """The customer's part of a run document; empty when the run could not start."""
        return self.outcome.document if self.outcome else {}


class Generation:
    """One set of settings, and the connection that is made from it; closed when the last turn with it has ended."""

    def __init__(self, settings: Settings, stop: threading.Event, log: Any, observer: Any = None) -> None:
        self.settings = settings
        self._stack = ExitStack()
        self.doors = self._stack.enter_context(opened(settings, stop, Wish(), log, observer))
        self._users, self._retired, self._lock = 0, False, threading.Lock()

    def begin(self) -> None:
        """Somebody uses it from now on."""
        with self._lock:
            self._users += 1

    def end(self) -> None:
        """They use it no longer."""
        with self._lock:
            self._users -= 1
            last = self._retired and not self._users
        if last:
            self._stack.close()

    def retire(self) -> None:
        """Newer settings have taken its place."""
        with self._lock:
            self._retired = True
            idle = not self._users
        if idle:
            self._stack.close()


class SharedLock:
    """The run lock of turns that go on at the same time."""

    def __init__(self) -> None:
        self._users, self._lock = 0, threading.Lock()
        self._held: RunLock | None = None

    @contextmanager
    def ledger(self, settings: Settings, client: str, now: float) -> Iterator[SqliteLedger]:
        """A ledger to run with. Raises LockedError, or LedgerError when it is unusable."""
        with self._lock:
            ledger = self._opened(settings, client, now)
            self._users += 1
        try:
            yield ledger
        finally:
            ledger.close()
            with self._lock:
                self._users -= 1
                self._let_go()

    def _opened(self, settings: Settings, client: str, now: float) -> SqliteLedger:
        if self._held is not None:
            orbix = settings.orbix
            ledger = SqliteLedger(settings.ledger.path, orbix.base_url, orbix.tenant, self._held)
            ledger.join(client, now)
            return ledger
        ledger, self._held = assemble.open_ledger(settings, locked=True)
        try:
            ledger.prepare(now)
        except BaseException:
            ledger.close()
            self._let_go()
            raise
        return ledger

    def _let_go(self) -> None:
        if self._held is not None and not self._users:
            self._held.close()
            self._held = None


class Turns:
    """Does turns. Observers are told how each ended; what they raise is a defect that is logged."""

    def __init__(self, generation: Generation, stop: threading.Event, log: Any) -> None:
        self.generation, self._stop, self._log = generation, stop, log
        self._shared, self._busy, self._lock = SharedLock(), set[str](), threading.Lock()
        self.observers: Sequence[Callable[[Turned], None]] = ()
        self.began: Callable[[Entry], None] = lambda _entry: None
        self.progress: Callable[[str, str, int], None] = lambda _customer, _what, _count: None

    def take(self, entry: Entry) -> Turned | None:
        """One turn, top to bottom. Never raises; never twice at a time for the same customer.

        One that follows changes and finds none that concern us is told to nobody. None: there was no turn.
        """
        with self._lock:
            now = self.generation
            known = entry.customer in now.settings.customers
            if self._stop.is_set() or not known or entry.client in self._busy:
                return None
            self._busy.add(entry.client)
            now.begin()
        try:
            if entry.kind != FOLLOW:
                self.began(entry)
            turned = self._run(entry, now)
            if entry.kind != FOLLOW or not _silent(turned):
                for observer in self.observers:
                    observer(turned)
            return turned
        except Exception:  # a defect in one turn is told, and does not end the service
            self._log.exception("turn_failed", customer=entry.customer)
        finally:
            now.end()
            with self._lock:
                self._busy.discard(entry.client)
        return None

    def replace(self, settings: Settings, observer: Any) -> None:
        """Turns that begin from now on go by these settings; those that go on keep theirs."""
        new = Generation(settings, self._stop, self._log, observer)
        with self._lock:
            old, self.generation = self.generation, new
        old.retire()

    @contextmanager
    def using(self) -> Iterator[Generation]:
        """The settings of the moment, and what is open for them, for other work than a turn."""
        with self._lock:
            now = self.generation
            now.begin()
        try:
            yield now
        finally:
            now.end()

    def _run(self, entry: Entry, now: Generation) -> Turned:
        started, begun = time.time(), time.monotonic()
        outcome: Outcome | None = None
        problem: RosterdError | None = None
        try:
            stop = Halt(self._stop)
            customer = now.settings.customers[entry.customer]
            job = assemble.job(entry.customer, customer, now.settings, stop, self._log)
            follows = entry.kind == FOLLOW
            wish = Wish(
                [entry.customer], quiet=follows, patient=True, stop=self._stop, progress=self.progress
            )
            with self._shared.ledger(now.settings, entry.client, started) as ledger:
                wish.access = entry.kind == ACCESS or access_due(customer, ledger, started)
                outcome = run_one(job, ledger, now.doors, stop, wish, self._log)
        except RosterdError as error:
            problem = error
        except Exception as error:  # a defect: the other customers go on
            self._log.exception("run_failed", customer=entry.customer)
            problem = RosterdError(f"an unexpected error ({type(error).__name__})", hint=DEFECT)
        return ended(entry, started, time.monotonic() - begun, outcome, problem)


def _silent(turned: Turned) -> bool:
    """Nothing had changed, or the customer is paused; or somebody's single run, which sees the same, has the ledger."""
    outcome = turned.outcome
    return isinstance(turned.problem, LockedError) or (
        outcome is not None and (outcome.quiet or outcome.paused is not None)
    )


def access_due(customer: CustomerSettings, ledger: SqliteLedger, now: float) -> bool:
    """Whether the time to read access has come since it was last read: a run reads it then, too.

    So it does not matter which of the two jobs comes first when both are due, or that the other is then skipped.
    """
    if customer.autodesk is None:
        return True  # nothing is asked for: printers are reported from the ledger
    last = ledger.last_access(ledger.binding(customer.client).id)
    return last is None or due.next_due(customer.rule(customer.autodesk.schedule, 0.0), last) <= now


def ended(
    entry: Entry, started: float, seconds: float, outcome: Outcome | None, problem: RosterdError | None
) -> Turned:
    """What a turn's end means for the schedule."""
    problems = [problem] if problem else list(outcome.problems) if outcome else []
    waits = [error.seconds for error in problems if isinstance(error, ComeBack)]
    waits += [AGAIN_AFTER_LOCKED for error in problems if isinstance(error, LockedError)]
    code = problem.exit_code if problem else outcome.exit_code if outcome else 1
    done = not (outcome is not None and outcome.stopped) and not waits
    return Turned(entry, started, seconds, code, outcome, problem, done, max(waits, default=None))
