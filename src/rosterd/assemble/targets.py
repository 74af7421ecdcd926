"""The ledger, and Orbix once the first request is due."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from rosterd.core.outcome import Answer
from rosterd.core.people import Grouping, Person
from rosterd.errors import LedgerError
from rosterd.ledger.lock import RunLock
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.orbix.settings import OrbixSettings
from rosterd.settings import Settings


def open_ledger(settings: Settings, *, locked: bool) -> tuple[SqliteLedger, RunLock | None]:
    """The ledger, with the run lock or without. Raises LedgerError or, at once, LockedError."""
    path = settings.ledger.path
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        what, hint = f"its directory cannot be made: {error.strerror}", "check ledger.url in the settings"
        raise LedgerError(what, where=str(path), hint=hint) from error
    lock = RunLock(path, _command()) if locked else None
    try:
        return SqliteLedger(path, settings.orbix.base_url, settings.orbix.tenant, lock), lock
    except BaseException:
        if lock is not None:
            lock.close()
        raise


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]


def open_orbix(settings: Settings, stop: threading.Event, log: Any, observer: Any = None) -> Connection:
    """The tenant's connection, shared by all customers; nothing is sent, or even imported, yet.

    `observer`: an orbix.client.Observer, told of every request.
    """
    return Connection(settings.orbix, stop, log, observer)


class Connection:
    """Orbix, connected when the first request is due: a run without changes does not pay for an HTTP client."""

    def __init__(
        self, settings: OrbixSettings, stop: threading.Event, log: Any, observer: Any = None
    ) -> None:
        self._given, self._observer = (settings, stop, log), observer
        self._lock = threading.Lock()
        self._orbix: Any = None

    @property
    def orbix(self) -> Any:
        """The connection itself, an orbix.client.Orbix."""
        with self._lock:
            if self._orbix is None:
                self._orbix = import_module("rosterd.orbix.client").Orbix(
                    *self._given, observer=self._observer
                )
            return self._orbix

    def target(self, client: str, stop: threading.Event | None = None, pause: float = 0.0) -> LateTarget:
        """The target of one customer's run, which `stop` ends beside the process's own stop.

        `pause`: seconds for which it asked an earlier run to be left alone.
        """
        return LateTarget(self, client, stop, pause)

    def check(self) -> str:
        """Obtains a token and says so."""
        return str(self.orbix.check())

    def close(self) -> None:
        if self._orbix is not None:
            self._orbix.close()


class LateTarget:
    """core.doors.Target, made with its first call. `requests` counts the API requests that left."""

    def __init__(
        self, connection: Connection, client: str, stop: threading.Event | None, pause: float = 0.0
    ) -> None:
        self._connection, self._client, self._stop, self._pause = connection, client, stop, pause
        self._lock = threading.Lock()
        self._target: Any = None

    def _made(self) -> Any:
        with self._lock:
            if self._target is None:
                if self._pause:
                    self._connection.orbix.pace.hold(
                        self._pause
                    )  # raises ComeBack when a run may not wait so long
                self._target = self._connection.orbix.target(self._client, self._stop)
            return self._target

    @property
    def requests(self) -> int:
        return self._target.requests if self._target is not None else 0

    def upsert_people(self, people: Sequence[Person]) -> Answer:
        answer: Answer = self._made().upsert_people(people)
        return answer

    def upsert_groups(self, groups: Sequence[Grouping]) -> Answer:
        answer: Answer = self._made().upsert_groups(groups)
        return answer

    def synchronize_people(self, people: Sequence[Person]) -> Answer:
        answer: Answer = self._made().synchronize_people(people)
        return answer

    def synchronize_groups(self, groups: Sequence[Grouping]) -> Answer:
        answer: Answer = self._made().synchronize_groups(groups)
        return answer
