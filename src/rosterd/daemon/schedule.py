"""Each job on its schedule: when it is due says rosterd.due, waking and threads are apscheduler's.

A job never runs twice at the same time: what comes due meanwhile is skipped and counted. What was missed, asleep or
while the service was down, comes once. Jobs that wait for a thread get one in the order in which they came due; one
that comes due again before it has begun is owed once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from rosterd import due
from rosterd.daemon.clock import Clock

logging.getLogger("apscheduler").addHandler(logging.NullHandler())

RUN, ACCESS, PRUNE = "run", "access", "prune"  # kinds of jobs
FOLLOW = "follow"  # the kind of a turn that is due when a directory says that something has changed
TIDYING = 5.0  # seconds that the scheduler may take to see that a job has ended


class Entry(NamedTuple):
    """One job. customer and client are "" for the service's own jobs."""

    kind: str
    customer: str
    client: str
    rule: due.Rule

    @property
    def id(self) -> str:
        return f"{self.kind}:{self.client}"


class Due(BaseTrigger):  # type: ignore[misc]  # apscheduler ships no types
    """A rule as apscheduler asks for it."""

    def __init__(self, rule: due.Rule) -> None:
        self.rule = rule

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The next due time after the last one, or after now: what was missed is due once."""
        after = max(previous, now) if previous else now
        return _moment(due.next_due(self.rule, after.timestamp()))


class Timetable:
    """The jobs of the service. `work` does one of them, in a thread; `skipped` is told what came due meanwhile."""

    def __init__(
        self, work: Callable[[Entry], None], skipped: Callable[[Entry], None], clock: Clock, at_once: int
    ) -> None:
        self._work, self._skipped, self._clock = work, skipped, clock
        self._entries: dict[str, Entry] = {}
        self._owed: dict[str, float] = {}
        self._begun, self._ended = set[str](), dict[str, float]()
        self._executors = {"default": ThreadPoolExecutor(at_once), "own": ThreadPoolExecutor(1)}
        self._scheduler = BackgroundScheduler(
            executors=self._executors,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._scheduler.add_listener(self._busy, EVENT_JOB_MAX_INSTANCES)

    def prepare(self, entries: Iterable[Entry], owed: Mapping[str, tuple[float, str]]) -> None:
        """Lays the jobs out; nothing starts yet. See `replace`."""
        self._scheduler.start(paused=True)
        self.replace(entries, owed)

    def start(self) -> None:
        self._scheduler.resume()

    def replace(self, entries: Iterable[Entry], owed: Mapping[str, tuple[float, str]]) -> None:
        """The jobs from now on; one whose rule stays keeps its due time.

        `owed`: id -> due time and fingerprint of its rule, as the ledger has them.
        """
        now, wanted = self._clock.wall(), {entry.id: entry for entry in entries}
        for gone in self._entries.keys() - wanted.keys():
            self._scheduler.remove_job(gone)
            self._owed.pop(gone, None)
        for id_, entry in wanted.items():
            if self._entries.get(id_) == entry:
                continue
            at, rule = owed.get(id_, (None, ""))
            if at is not None and at > now and rule != entry.rule.fingerprint:
                at = due.next_due(entry.rule, now)  # not owed yet, and due at other times from now on
            self._owed[id_] = moment = due.resumed(entry.rule, at, now)
            self._scheduler.add_job(
                self._do, Due(entry.rule), args=(entry,), id=id_, name=id_, replace_existing=True,
                executor="default" if entry.customer else "own", next_run_time=_moment(moment),
            )  # fmt: skip
        self._entries = wanted

    def owed(self) -> dict[str, float]:
        """id -> since when, or from when on, it is owed. What waits or goes on is owed until it is done."""
        return dict(self._owed)

    def due(self) -> dict[str, float]:
        """id -> when it starts next."""
        return {
            job.id: job.next_run_time.timestamp() for job in self._scheduler.get_jobs() if job.next_run_time
        }

    def entries(self) -> dict[str, Entry]:
        """id -> job."""
        return dict(self._entries)

    def done(self, id_: str) -> float | None:
        """A job is owed no more before its next due time, which this gives; None when there is no such job."""
        job = self._scheduler.get_job(id_)
        if job is None or job.next_run_time is None:
            return None
        self._owed[id_] = job.next_run_time.timestamp()
        return self._owed[id_]

    def put(self, id_: str, moment: float) -> bool:
        """Makes a job due at a moment instead; false when there is no such job."""
        try:
            self._scheduler.modify_job(id_, next_run_time=_moment(moment))
        except JobLookupError:
            return False
        self._owed[id_] = moment
        return True

    def look(self) -> float:
        """Looks at the clock: after a step every due time is reckoned anew. Gives the step, in seconds.

        The scheduler is woken in any case: its own wait does not count the machine's sleep.
        """
        step = self._clock.step()
        if step:
            now = self._clock.wall()
            for id_, at in self.due().items():
                owed, follows = self._owed[id_], due.stepped(self._entries[id_].rule, at, now, step)
                self.put(id_, follows)
                if owed <= now - step:  # it waits or goes on
                    self._owed[id_] = owed
        self._scheduler.wakeup()
        return step

    def alive(self) -> bool:
        """Whether the thread that wakes jobs lives."""
        thread = getattr(self._scheduler, "_thread", None)
        return bool(self._scheduler.running and thread is not None and thread.is_alive())

    def stop(self) -> None:
        """Starts nothing more, and waits for what goes on."""
        self._scheduler.pause()
        for (
            executor
        ) in self._executors.values():  # the scheduler would wait with its locks held, which `done` needs
            executor.shutdown(wait=True)
        self._scheduler.shutdown(wait=False)

    def _do(self, entry: Entry) -> None:
        self._begun.add(entry.id)
        try:
            self._work(entry)
        finally:
            self._ended[entry.id] = time.monotonic()
            self._begun.discard(entry.id)

    def _busy(self, event: Any) -> None:
        """Due while the scheduler still has the job: it goes on, or just ended, or has not begun."""
        entry = self._entries.get(event.job_id)
        if entry is None:
            return
        if entry.id in self._begun:
            self._skipped(entry)
        elif time.monotonic() - self._ended.get(entry.id, float("-inf")) < TIDYING:
            self.put(entry.id, self._clock.wall() + 0.2)  # the scheduler does not know yet


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
