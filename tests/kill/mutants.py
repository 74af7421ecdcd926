"""Parts that are wrong on purpose, to see the checks go red. They are handed in, nothing is patched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from rosterd import assemble
from rosterd.core.outcome import Answer
from rosterd.core.people import Grouping, Person
from rosterd.ledger.lock import RunLock
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.ledger.store import connect
from rosterd.settings import Settings

KINDS = ("forgetful", "eager", "blind")


class Forgetful(SqliteLedger):
    """Does not note what a request carries before it leaves."""

    def sending(
        self, run: int, binding: int, kind: str, records: Sequence[Any], count: int, now: float
    ) -> int:
        return super().sending(run, binding, kind, [], count, now)


class Blind(SqliteLedger):
    """Takes no conclusion from requests that were under way."""

    def _doubt(self, binding: int, kind: str, records: list[Any]) -> None:
        pass


class Eager:
    """Acknowledges people before they are sent."""

    def __init__(self, target: Any, settings: Settings, binding: int) -> None:
        self._target, self._settings, self._binding = target, settings, binding

    @property
    def requests(self) -> int:
        return int(self._target.requests)

    def upsert_people(self, people: Sequence[Person]) -> Answer:
        connection = connect(self._settings.ledger.path)
        with connection:
            connection.executemany(
                "INSERT OR REPLACE INTO person VALUES (?, ?, ?, ?, ?, ?, 'hr', '', '', 'active', 0)",
                [(self._binding, *person) for person in people],
            )
            connection.execute(
                "UPDATE batch SET state = 'acknowledged', records = NULL WHERE state = 'sending'"
            )
        connection.close()
        answer: Answer = self._target.upsert_people(people)
        return answer

    def upsert_groups(self, groups: Sequence[Grouping]) -> Answer:
        answer: Answer = self._target.upsert_groups(groups)
        return answer


def planted(
    kind: str, settings: Settings, stop: threading.Event, log: Any
) -> tuple[SqliteLedger, Callable[[str], Any]]:
    """A ledger and a target of which one is wrong. They live until the process ends."""
    orbix = assemble.open_orbix(settings, stop, log)
    path = settings.ledger.path
    made = {"forgetful": Forgetful, "blind": Blind}.get(kind, SqliteLedger)
    ledger = made(path, settings.orbix.base_url, settings.orbix.tenant, RunLock(path, "a mutant"))
    if kind != "eager":
        return ledger, orbix.target
    return ledger, lambda client: Eager(orbix.target(client), settings, ledger.binding(client).id)
