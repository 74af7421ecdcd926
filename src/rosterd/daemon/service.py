"""The running service, top to bottom: begin, wait for signals, look after things, end.

SIGTERM and SIGINT end it, SIGHUP reads the settings anew, SIGUSR1 makes every customer due now. Signals are waited
for and not handled, so that nothing is ever interrupted by one.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

from rosterd import assemble
from rosterd.daemon import agenda, watch
from rosterd.daemon.api import State
from rosterd.daemon.board import Board
from rosterd.daemon.clock import Clock
from rosterd.daemon.memory import begin, settle, tidy
from rosterd.daemon.metrics import Metrics
from rosterd.daemon.notifier import Notifier
from rosterd.daemon.overview import Overview
from rosterd.daemon.schedule import Entry, Timetable
from rosterd.daemon.systemd import READY, STOPPING, Systemd
from rosterd.daemon.turns import DEFECT, Generation, Turned, Turns
from rosterd.daemon.watch import Watches
from rosterd.daemon.web import Web
from rosterd.errors import CredentialsError, RosterdError
from rosterd.ledger.lock import RunLock
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.settings import Loaded, Settings
from rosterd.standing import iso

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
LOOK = 2.0  # seconds between two looks at clock and watchdog


def serve(loaded: Loaded, customers: Sequence[str], log: Any, again: Callable[[], Loaded]) -> int:
    """Runs until SIGTERM or SIGINT; a request in flight is finished or given up first.

    `again` reads the settings anew. Raises SettingsError, LockedError (a second service) or LedgerError at the start.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # before any thread is made: they all inherit it
    settings = loaded.settings
    path = settings.ledger.path
    ledger, _ = assemble.open_ledger(settings, locked=False)
    try:
        lock = RunLock(path.with_name(f"{path.name}.service"), "rosterd run")
        try:
            service = Service(settings, customers, ledger, log, again)
            agenda.leave_out(service.board, service.notifier, loaded.apart, service.clock.wall())
            service.run()
        finally:
            lock.close()
    finally:
        ledger.close()
    return 0


class Service:
    """What goes on between the first and the last line of `serve`."""

    def __init__(
        self, settings: Settings, customers: Sequence[str], ledger: SqliteLedger, log: Any, again: Callable[[], Loaded]
    ) -> None:  # fmt: skip
        self._customers, self._log, self._again, self._untidy = tuple(customers), log, again, False
        self.stop, self.clock, self.board = threading.Event(), Clock(), Board()
        self.systemd = Systemd(os.environ)
        self.metrics = Metrics()
        self.turns = Turns(Generation(settings, self.stop, log, self.metrics), self.stop, log)
        self.agenda = agenda.Agenda(ledger)
        at_once = settings.daemon.customers_at_once
        self.timetable = Timetable(self._work, self._skipped, self.clock, at_once)
        self.turns.began, self.turns.progress = self.board.began, self.board.progress
        self.notifier = Notifier(
            settings.notify, log, lambda way, result: self.metrics.notices.labels(way, result).inc()
        )
        self.overview = Overview(self.reader, lambda: self.settings, self.customers, log)
        self.metrics.watch(self.board, self.overview, self.timetable.owed, settings.ledger.path)
        state = State(
            self.board, self.overview, self.metrics, lambda: self.settings, self.reader, self.timetable.alive,
            self.run_now, self.stop.is_set, self.customers,
        )  # fmt: skip
        self.web = Web(state, settings.console, log)
        self.watches = Watches(watch.Tools(self.reader, self.turns.take, self.stop, log))
        self.turns.observers = (
            self.board.ended, self._told, self._settled, self.metrics.ended, self._changed, self.watches.told
        )  # fmt: skip

    @property
    def settings(self) -> Settings:
        """The settings that count now."""
        return self.turns.generation.settings

    def reader(self) -> SqliteLedger:
        """The ledger for reading; whoever asks closes it. Raises LedgerError."""
        return assemble.open_ledger(self.settings, locked=False)[0]

    def customers(self) -> list[str]:
        """The customers that are served."""
        wanted = self._customers or self.settings.customers
        return [name for name in self.settings.customers if name in wanted]

    def run(self) -> None:
        """Begins, serves and ends."""
        begin()
        self.timetable.prepare(agenda.entries(self.settings, self._customers), self.agenda.owed())
        try:
            self._note_all()
            for name in self.customers():
                most = self.settings.notify.patience
                codes = self.agenda.last_codes(self.settings.customers[name].client, most)
                self.notifier.judgement.remember(name, codes)
            self.timetable.start()
            self.watches.replace(self.timetable.entries().values(), self.settings.customers)
            self.overview.start()
            self.notifier.start()
            self.web.start()
            for entry, at in self._upcoming()[:20]:
                self._log.info("scheduled", customer=entry.customer, job=entry.kind, next_run=iso(at))
            settle()
            self.systemd.say(READY)
            self._log.info("serving", customers=len(self.customers()), pid=os.getpid())
            self._wait()
            self._log.info("stopping")
            self.systemd.say(STOPPING, "STATUS=waits for requests under way")
        finally:
            self.stop.set()
            self.watches.stop()
            self.timetable.stop()
            self.web.stop()
            self.notifier.stop()
            self.overview.stop()
            self.turns.generation.retire()

    def _wait(self) -> None:
        """Until asked to stop."""
        pause = min(LOOK, self.systemd.interval or LOOK)
        while True:
            found = signal.sigtimedwait(SIGNALS, pause)
            number = found.si_signo if found else 0
            if number in (signal.SIGTERM, signal.SIGINT):
                return
            if number == signal.SIGHUP:
                try:
                    self.reload()
                except Exception:  # a defect in this is told, and the runs go on
                    self._log.exception("reload_failed", next=DEFECT)
                self.systemd.say(READY)
            if number == signal.SIGUSR1:
                self.run_now(None)
            step = self.timetable.look()
            if step:
                self._log.warning("clock_was_set", seconds=round(step), next="due times are reckoned anew")
                self._note_all()
            self.notifier.tell(
                self.notifier.judgement.look(self.overview.successes(), self.board.started, self.clock.wall())
            )
            self.systemd.status(self._status())
            self.systemd.alive()
            if self._untidy:  # once for all turns since; they themselves run nearly without: see cli.main
                self._untidy = False
                tidy()

    def reload(self) -> None:
        """Takes new settings; keeps the old ones, and says so, when the new ones are wrong."""
        self.systemd.reloading()
        try:
            settings = self._again().settings
            agenda.same_ledger(self.settings, settings)
            entries, owed = agenda.entries(settings, self._customers), self.agenda.owed()
            if settings.notify != self.settings.notify:
                self.notifier.use(settings.notify)
        except RosterdError as error:  # a ledger that cannot be read now is no reason to end either
            self.board.settings_problem = f"{error}"
            self._log.error("settings_kept", problem=str(error), next=error.hint, still="the old settings")
            judge = self.notifier.judgement
            self.notifier.tell(judge.settings_kept(str(error), error.hint, self.clock.wall()))
        else:
            self.board.settings_problem = self.board.left_out = ""
            before = self.settings
            self.turns.replace(settings, self.metrics)
            self.timetable.replace(entries, owed)
            self.watches.replace(entries, settings.customers)
            self._note_all()
            for what in agenda.later(before, settings):
                self._log.warning("settings_later", setting=what, next="counts from the next start on")
            self.overview.changed()
            self._log.info("settings_taken", customers=len(settings.customers))
            settle()

    def run_now(self, customer: str | None) -> bool:
        """Makes a customer, or every one, due now; one that runs already goes on. False when there is none."""
        wanted = [id_ for id_, entry in self.timetable.entries().items() if _is_run(entry, customer)]
        busy = self.board.going()
        for id_ in wanted:
            if self.timetable.entries()[id_].customer not in busy:
                self.timetable.put(id_, self.clock.wall())
        self._log.info("run_now", customer=customer or "all", jobs=len(wanted))
        return bool(wanted)

    def _work(self, entry: Entry) -> None:
        """Does one job, in a thread of the timetable."""
        if entry.customer:
            self.turns.take(entry)
            return
        try:
            with closing(self.reader()) as ledger:
                gone = ledger.prune(self.clock.wall(), self.settings.ledger.keep_days)
            self._log.info("pruned", rows=gone)
            with self.turns.using() as now:
                for problem in now.doors.reports.prune():
                    self._log.warning("upkeep", problem=str(problem), next=problem.hint)
                for customer, problem in now.doors.elsewhere.keep_alive():
                    self._log.warning("upkeep", customer=customer, problem=str(problem), next=problem.hint)
                    if isinstance(problem, CredentialsError):
                        self._access_told(customer, problem.exit_code, f"{problem} ({problem.hint})")
            at = self.timetable.done(entry.id)
            self._note([(entry, at)] if at is not None else [])
        except RosterdError as error:
            self._log.error("not_pruned", problem=str(error), next=error.hint)

    def _skipped(self, entry: Entry) -> None:
        if (
            entry.customer not in self.board.going()
        ):  # its last turn is being tidied away: a moment later, then
            self.timetable.put(entry.id, self.clock.wall() + 0.2)
            return
        self.board.skipped(entry)
        self.metrics.skip(entry)
        self._log.info(
            "skipped", customer=entry.customer, job=entry.kind, reason="the last run still goes on"
        )

    def _told(self, turned: Turned) -> None:
        self._untidy = True
        part = turned.document
        tell = self._log.info if turned.exit_code in (0, 3) else self._log.error
        tell(
            "run_ended", customer=turned.entry.customer, outcome=part.get("outcome", "failed"),
            exit_code=turned.exit_code, reason=turned.reason, seconds=round(turned.seconds, 2),
            requests=part.get("requests", 0), people=part.get("people"),
        )  # fmt: skip

    def _changed(self, turned: Turned) -> None:
        self.overview.changed()
        stopped = turned.outcome is not None and (turned.outcome.stopped or turned.outcome.paused is not None)
        if not stopped:
            judge, customer, outcome = self.notifier.judgement, turned.entry.customer, turned.outcome
            code = turned.exit_code if outcome is None else outcome.delivered
            self.notifier.tell(judge.turn(customer, code, turned.reason, self.clock.wall()))
            if outcome is not None and outcome.access_code is not None:
                self._access_told(customer, outcome.access_code, turned.reason)
                high = [(one.id, one.kind) for one in outcome.elsewhere.high]
                self.notifier.tell(judge.findings(customer, high, self.clock.wall()))

    def _access_told(self, customer: str, code: int, reason: str | None) -> None:
        """How reading access ended; a sign-in that is refused is told once in a while, not with every run."""
        judge = self.notifier.judgement
        self.notifier.tell(judge.turn(customer, code, reason, self.clock.wall(), "access"))

    def _settled(self, turned: Turned) -> None:
        """What is owed after a turn: the next due time, or the same until it is done."""
        id_ = turned.entry.id
        if turned.again is not None:
            self.timetable.put(id_, self.clock.wall() + turned.again)
        at = self.timetable.done(id_) if turned.done else self.timetable.owed().get(id_)
        if at is not None:
            self._note([(turned.entry, at)])

    def _note_all(self) -> None:
        entries, owed = self.timetable.entries(), self.timetable.owed()
        self._note([(entry, owed[id_]) for id_, entry in entries.items()], whole=not self._customers)

    def _note(self, jobs: Sequence[tuple[Entry, float]], *, whole: bool = False) -> None:
        try:
            self.agenda.note(jobs)
            if whole:
                self.agenda.keep([entry.id for entry, _ in jobs])
        except RosterdError as error:  # the schedule goes on in memory; the runs meet the same and say so
            self._log.error("due_times_not_kept", problem=str(error), next=error.hint)

    def _upcoming(self) -> list[tuple[Entry, float]]:
        entries = self.timetable.entries()
        found = [(entries[id_], at) for id_, at in self.timetable.due().items() if id_ in entries]
        return sorted(found, key=lambda pair: pair[1])

    def _status(self) -> str:
        going, soon = self.board.going(), self._upcoming()
        now = f"{', '.join(sorted(going)[:3])} running" if going else "idle"
        more = f" and {len(going) - 3} more" if len(going) > 3 else ""
        following = f"; next {soon[0][0].customer or soon[0][0].kind} at {iso(soon[0][1])}" if soon else ""
        return f"{now}{more}{following}"


def _is_run(entry: Entry, customer: str | None) -> bool:
    return entry.kind == "run" and customer in (None, entry.customer)
