"""Sends notices from a thread of its own, so that no run ever waits for a mail server.

What comes within a few seconds becomes one message; a failure is tried again for some minutes, then told to the log.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rosterd.daemon.notices import Judgement, Notice
from rosterd.daemon.notify_settings import NotifySettings
from rosterd.daemon.ways import Refused, Way, ways
from rosterd.errors import RosterdError, Stopped, TargetError
from rosterd.patience import Again, Patience

LINGER = 3.0  # seconds in which further notices join a message
ATTEMPTS = 6
LAST = 5.0  # seconds that the last message may take while the service ends
HOUR = 3_600.0


class Notifier:
    """`judgement` says what to tell, `tell` queues it. `count` is told of every message: way, result."""

    def __init__(self, settings: NotifySettings, log: Any, count: Callable[[str, str], None]) -> None:
        self._log, self._count = log, count
        self._waiting: deque[Notice] = deque()
        self._more, self._stop = threading.Event(), threading.Event()
        self._sent: deque[float] = deque()
        self._omitted = 0
        self._lock = threading.Lock()
        self.judgement = Judgement(settings)
        self.use(settings)
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)

    def use(self, settings: NotifySettings) -> None:
        """Settings from now on. Raises SettingsError when they cannot be used."""
        found = ways(settings, self._stop)
        with self._lock:
            self._ways: dict[str, Way] = found
            self._most = settings.most_per_hour
            self.judgement = replace(self.judgement, settings=settings)

    def start(self) -> None:
        self._thread.start()

    def tell(self, notices: Iterable[Notice]) -> None:
        """Takes notices; those that `judgement` makes are made under the lock, so that any thread may."""
        with self._lock:
            found = list(notices)
            if found and self._ways:
                self._waiting += found
                self._more.set()

    def stop(self) -> None:
        """What waits is still tried once, for a few seconds."""
        self._stop.set()
        self._more.set()
        if self._thread.is_alive():
            self._thread.join(LAST)

    def _work(self) -> None:
        while True:
            self._more.wait()
            if self._waiting and not self._stop.is_set():
                self._stop.wait(LINGER)
            self._more.clear()
            self._send()
            if self._stop.is_set():
                return

    def _send(self) -> None:
        with self._lock:
            notices, found = list(self._waiting), dict(self._ways)
            self._waiting.clear()
            now = time.monotonic()
            while self._sent and now - self._sent[0] > HOUR:
                self._sent.popleft()
            if notices and len(self._sent) >= self._most:
                self._omitted += len(notices)
                self._log.warning("notices_omitted", count=len(notices), reason="most_per_hour is reached")
                return
            omitted, self._omitted = self._omitted, 0
            if notices:
                self._sent.append(now)
        if notices:
            self._by_all(found, notices, omitted)

    def _by_all(self, found: dict[str, Way], notices: list[Notice], omitted: int) -> None:
        """All ways at once: a mail server that does not answer must not keep a webhook waiting."""
        threads = [
            threading.Thread(target=self._by, args=(name, way, notices, omitted), name=name, daemon=True)
            for name, way in found.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _by(self, name: str, way: Way, notices: list[Notice], omitted: int) -> None:
        def attempt() -> Again | None:
            try:
                way(notices, omitted)
            except Refused:
                raise
            except TargetError as error:
                return Again(error)
            return None

        try:
            patience = Patience(1 if self._stop.is_set() else ATTEMPTS, self._stop.wait, self._again(name))
            patience.run(attempt)
            self._count(name, "sent")
        except Stopped:
            self._count(name, "failed")
        except RosterdError as error:
            self._count(name, "failed")
            self._log.error(
                "notice_failed", way=name, problem=str(error), next=error.hint, notices=len(notices)
            )
        except (
            Exception
        ) as error:  # a library of another house: its text may hold an address that is a secret
            self._count(name, "failed")
            self._log.error("notice_failed", way=name, problem=type(error).__name__, notices=len(notices))

    def _again(self, name: str) -> Callable[[TargetError, float], None]:
        return lambda problem, seconds: self._log.warning(
            "notice_retry", way=name, problem=str(problem), seconds=round(seconds, 1)
        )
