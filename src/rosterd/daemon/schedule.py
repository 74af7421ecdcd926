"""Each customer on its schedule, in one process, until asked to stop."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from rosterd import cron
from rosterd.once import Wish, chosen, run_once
from rosterd.settings import Settings

logging.getLogger("apscheduler").addHandler(logging.NullHandler())


class Schedule(BaseTrigger):  # type: ignore[misc]  # apscheduler ships no types
    """A crontab schedule in a time zone, as crontab reads it: Sunday is 0 and 7 (apscheduler takes 0 for Monday)."""

    def __init__(self, text: str, zone: str) -> None:
        self._times = cron.parse(text)
        self._zone = ZoneInfo(zone)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The next due time after the last one, or after now."""
        after = max(previous, now) if previous else now
        return cron.due_after(self._times, after.astimezone(self._zone))


def serve(settings: Settings, customers: Sequence[str], log: Any) -> int:
    """Runs until SIGTERM or SIGINT; a request in flight is finished or abandoned first."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)},  # one ledger, one lock: runs take turns
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=ZoneInfo("UTC"),
    )
    for name in chosen(settings, customers):
        customer = settings.customers[name]
        trigger = Schedule(customer.schedule, customer.time_zone)
        scheduler.add_job(_turn, trigger, args=(settings, name, stop, log), id=name, name=name)
    scheduler.start()
    for job in scheduler.get_jobs():
        log.info("scheduled", customer=job.id, next_run=job.next_run_time.isoformat())
    stop.wait()
    log.info("stopping")
    scheduler.shutdown(wait=True)
    return 0


def _turn(settings: Settings, name: str, stop: threading.Event, log: Any) -> None:
    if stop.is_set():
        return
    try:
        document = run_once(settings, Wish([name], stop=stop), log)
    except Exception:  # a defect in one turn is told, and does not end the service
        log.exception("run_failed", customer=name)
        return
    gc.collect()  # a turn itself runs nearly without: see cli.main
    customer = document["customers"][name]
    tell = log.info if document["exit_code"] in (0, 3) else log.error
    tell(
        "run_ended", customer=name, outcome=customer["outcome"], exit_code=customer["exit_code"],
        reason=customer["reason"], requests=customer["requests"], people=customer["people"],
    )  # fmt: skip
