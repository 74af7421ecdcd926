"""Which jobs the settings ask for, and their due times in the ledger."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rosterd import due
from rosterd.daemon.board import Board
from rosterd.daemon.notifier import Notifier
from rosterd.daemon.schedule import ACCESS, PRUNE, RUN, Entry
from rosterd.errors import SettingsError
from rosterd.ledger.agenda import Owed
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.once import chosen
from rosterd.settings import Settings

PRUNING = "every 1d"


def entries(settings: Settings, customers: Sequence[str]) -> list[Entry]:
    """The jobs of these customers, or of all. Raises SettingsError for a customer that there is not."""
    own = Entry(PRUNE, "", "", due.Rule(due.parse(PRUNING)))
    return [own, *(entry for name in chosen(settings, customers) for entry in _of_customer(settings, name))]


def _of_customer(settings: Settings, name: str) -> Iterator[Entry]:
    customer = settings.customers[name]
    delay = due.delay_of(customer.client, settings.daemon.jitter)
    yield Entry(RUN, name, customer.client, customer.rule(customer.schedule, delay))
    if customer.autodesk is not None:
        yield Entry(ACCESS, name, customer.client, customer.rule(customer.autodesk.schedule, delay))


def same_ledger(old: Settings, new: Settings) -> None:
    """Raises SettingsError when the new settings speak of another ledger or target: that needs a new process."""
    for what, before, after in (
        ("ledger.url", old.ledger.url, new.ledger.url),
        ("orbix.base_url", old.orbix.base_url, new.orbix.base_url),
        ("orbix.tenant", old.orbix.tenant, new.orbix.tenant),
    ):
        if before != after:
            raise SettingsError(
                f"{what} cannot change while the service runs", hint="restart the service instead"
            )


def later(old: Settings, new: Settings) -> Iterator[str]:
    """Settings that differ and count from the next start on."""
    if old.daemon.customers_at_once != new.daemon.customers_at_once:
        yield "daemon.customers_at_once"
    if old.console != new.console:
        yield "console"


class Agenda:
    """Due times in the ledger, over a connection of its own. Safe for several threads."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self._ledger, self._lock = ledger, threading.Lock()

    def owed(self) -> dict[str, tuple[float, str]]:
        """id -> due time and its rule's fingerprint. Raises LedgerError."""
        with self._lock:
            return {f"{owed.job}:{owed.client}": (owed.due, owed.rule) for owed in self._ledger.owed()}

    def last_codes(self, client: str, most: int) -> list[int]:
        """The exit codes of a client's last runs, the newest first. Raises LedgerError."""
        with self._lock:
            return self._ledger.last_codes(client, most)

    def note(self, jobs: Iterable[tuple[Entry, float]]) -> None:
        """Notes due times. Raises LedgerError."""
        listed = list(jobs)
        rows = [Owed(entry.client, entry.kind, at, entry.rule.fingerprint) for entry, at in listed]
        with self._lock:
            self._ledger.owe(rows, {entry.client: entry.customer for entry, _ in listed})

    def keep(self, ids: Iterable[str]) -> None:
        """Forgets all other jobs: the settings no longer ask for them. Raises LedgerError."""
        kept = set(ids)
        with self._lock:
            found = [(owed.client, owed.job) for owed in self._ledger.owed()]
            gone = [(client, job) for client, job in found if f"{job}:{client}" not in kept]
            if gone:
                self._ledger.owe_no_more(gone)


def leave_out(board: Board, notifier: Notifier, apart: Mapping[str, SettingsError], now: float) -> None:
    """Customers who do not run, as their own settings are wrong: shown by the console, and told."""
    board.left_out = "; ".join([str(error) for error in apart.values()])
    for name, error in apart.items():
        notifier.tell(notifier.judgement.left_out(name, str(error), error.hint, now))
