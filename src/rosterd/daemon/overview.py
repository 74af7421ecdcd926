"""Where every customer stands, kept ready: a page about a thousand customers must not wait for the ledger.

Reckoned anew in a thread of its own when the ledger has changed, at most every few seconds. Counts of people are the
costly part; a customer's are taken again after a run of its own only.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rosterd import assemble
from rosterd.errors import RosterdError
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.settings import Settings
from rosterd.standing import customer_status

PAUSE, OLDEST = 1.0, 20.0  # seconds: the least and the most between two reckonings


class Overview:
    """`statuses` gives the last reckoning. `readable`: whether the ledger could be read."""

    def __init__(
        self, ledger: Callable[[], SqliteLedger], settings: Callable[[], Settings],
        names: Callable[[], list[str]], log: Any,
    ) -> None:  # fmt: skip
        self._open, self._settings, self._names, self._log = ledger, settings, names, log
        self._found: dict[str, dict[str, Any]] = {}
        self.serial = 0  # rises with every reckoning that found something else than the one before
        self._counts: dict[int, tuple[int, dict[str, int]]] = {}
        self._wake, self._stop = threading.Event(), threading.Event()
        self.readable = False
        self._thread = threading.Thread(target=self._work, name="overview", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def changed(self) -> None:
        """Something happened: reckon anew soon."""
        self._wake.set()

    def statuses(self) -> Mapping[str, Mapping[str, Any]]:
        """By customer, in the order of the settings; see standing.customer_status."""
        return self._found

    def successes(self) -> dict[str, dict[str, Any]]:
        """By customer: its state, and when its last good run was, in seconds since 1970."""
        return {
            name: {
                "state": status["state"],
                "last_success": datetime.fromisoformat(status["last_success"]).timestamp()
                if status["last_success"]
                else None,
            }
            for name, status in self._found.items()
        }

    def _work(self) -> None:
        ledger: SqliteLedger | None = None
        seen, at, took = -1, float("-inf"), 0.0
        while not self._stop.is_set():
            try:
                ledger = ledger or self._open()
                version = ledger.data_version()
                if self._wake.is_set() or version != seen or time.monotonic() - at > OLDEST:
                    self._wake.clear()
                    seen, at = version, time.monotonic()
                    self._reckon(ledger)
                    ledger.rest()
                    took = time.monotonic() - at
                self.readable = True
            except RosterdError as error:
                if self.readable:
                    self._log.error("ledger_unreadable", problem=str(error), next=error.hint)
                self.readable = False
            self._stop.wait(min(OLDEST, max(PAUSE, 10 * took)))
        if ledger is not None:
            ledger.close()

    def _reckon(self, ledger: SqliteLedger) -> None:
        settings, now = self._settings(), time.time()
        found = {}
        for name in self._names():
            customer = settings.customers.get(name)
            if customer is not None:
                found[name] = customer_status(
                    ledger, customer.client, customer, now, self._counted, assemble.sign_in(settings, name)
                )
        changed, self._found = found != self._found, found
        self.serial += changed  # last: whoever sees it sees the rest

    def _counted(self, ledger: SqliteLedger, binding: int, run: int) -> dict[str, int]:
        kept = self._counts.get(binding)
        if kept is None or kept[0] != run:
            kept = self._counts[binding] = (run, ledger.standing(binding))
        return kept[1]
