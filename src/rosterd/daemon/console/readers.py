"""Connections to the ledger for pages: opening one costs more than most pages do, so a few idle ones are kept.

They cannot write, hold no transaction while idle, and are opened anew when the file behind them is another one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rosterd.errors import LedgerError, RosterdError
from rosterd.ledger.sqlite import SqliteLedger

IDLE = 60.0  # seconds after which an idle connection is not used again
MOST = 4  # idle connections


class Readers:
    """Safe for several threads."""

    def __init__(self, open_: Callable[[], SqliteLedger]) -> None:
        self._open, self._lock = open_, threading.Lock()
        self._idle: list[tuple[float, tuple[int, int], SqliteLedger]] = []
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[SqliteLedger]:
        """A ledger to read. Raises LedgerError."""
        ledger, file = self._taken()
        try:
            yield ledger
        except RosterdError:
            ledger.close()
            raise
        except BaseException:
            self._back(ledger, file)
            raise
        self._back(ledger, file)

    def close(self) -> None:
        """Closes what is idle; nothing is kept from now on."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for _, _, ledger in idle:
            _close(ledger)

    def _taken(self) -> tuple[SqliteLedger, tuple[int, int]]:
        oldest = time.monotonic() - IDLE
        while True:
            with self._lock:
                if not self._idle:
                    break
                since, file, ledger = self._idle.pop()
            if since >= oldest and _file(ledger) == file:
                return ledger, file
            _close(ledger)
        ledger = self._open()
        ledger.only_read()
        return ledger, _file(ledger)

    def _back(self, ledger: SqliteLedger, file: tuple[int, int]) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < MOST:
                self._idle.append((time.monotonic(), file, ledger))
                return
        _close(ledger)


def _file(ledger: SqliteLedger) -> tuple[int, int]:
    """Which file lies at the ledger's path now."""
    try:
        status = ledger.path.stat()
    except OSError:
        return (0, 0)
    return status.st_dev, status.st_ino


def _close(ledger: SqliteLedger) -> None:
    with suppress(LedgerError):
        ledger.close()
