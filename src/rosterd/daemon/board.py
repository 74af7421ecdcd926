"""What goes on in the service at this moment, for whoever asks: the console, the metrics, the service manager."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rosterd.daemon.schedule import Entry
from rosterd.daemon.turns import Turned


@dataclass
class Going:
    """A turn that goes on: since when (seconds since 1970), and how much of what it has done."""

    since: float
    counts: dict[str, int] = field(default_factory=dict)


@dataclass
class Board:
    """Turns that go on, and how the last ones ended, by customer. Safe for several threads."""

    clock: Callable[[], float] = time.time
    started: float = field(default_factory=time.time)
    settings_problem: str = ""  # why newer settings were not taken, "" when they were
    left_out: str = ""  # why some customers do not run: their own settings are wrong
    _going: dict[str, Going] = field(default_factory=dict)
    _last: dict[str, Turned] = field(default_factory=dict)
    _skipped: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def began(self, entry: Entry) -> None:
        with self._lock:
            self._going[entry.customer] = Going(self.clock())

    def progress(self, customer: str, what: str, count: int) -> None:
        """So many more of something are done."""
        going = self._going.get(customer)
        if going is not None:
            going.counts[what] = going.counts.get(what, 0) + count

    def ended(self, turned: Turned) -> None:
        with self._lock:
            self._going.pop(turned.entry.customer, None)
            self._last[turned.entry.customer] = turned._replace(outcome=None)

    def skipped(self, entry: Entry) -> None:
        with self._lock:
            self._skipped[entry.customer] = self._skipped.get(entry.customer, 0) + 1

    def going(self) -> dict[str, Going]:
        """The turns that go on, by customer."""
        with self._lock:
            return {name: Going(one.since, dict(one.counts)) for name, one in self._going.items()}

    def last(self) -> dict[str, Turned]:
        """How the last turns of this process ended, by customer."""
        with self._lock:
            return dict(self._last)

    def skips(self) -> dict[str, int]:
        """How often a customer was due while its last turn still went on."""
        with self._lock:
            return dict(self._skipped)
