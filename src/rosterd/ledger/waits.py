"""What must not be tried again before a time, and what was refused: kept over runs, so that the next one knows."""

from __future__ import annotations

import json
from typing import NamedTuple

from rosterd.ledger.desk import Desk


class Wait(NamedTuple):
    """Nothing is tried before `until`; noted at `since` (seconds since 1970), after so many failures in a row."""

    since: float
    until: float
    times: int = 1

    def left(self, now: float) -> float:
        """Seconds that are left. None of them when the clock was put back meanwhile: a wait must not grow by it."""
        return max(0.0, self.until - now) if now >= self.since else 0.0


class Refusal(NamedTuple):
    """Why access could not be read with the credentials there were; `at` is in seconds since 1970."""

    at: float
    reason: str


class Waits(Desk):
    """Waits by what is waited for: a target, or a source of a binding; refusals by binding."""

    def wait(self, what: str) -> Wait | None:
        """The wait that was noted last."""
        rows = self._rows("SELECT value FROM meta WHERE name = ?", (f"wait:{what}",))
        return Wait(*self._value(rows[0][0])) if rows else None

    def note_wait(self, what: str, wait: Wait | None) -> None:
        """Notes a wait in the place of the last one; None: there is none any more."""
        self._put(f"wait:{what}", wait)

    def refusal(self, binding: int) -> Refusal | None:
        """Why the last read of access was refused; None when it was not."""
        rows = self._rows("SELECT value FROM meta WHERE name = ?", (f"refusal:{binding}",))
        return Refusal(*self._value(rows[0][0])) if rows else None

    def note_refusal(self, binding: int, reason: str, now: float) -> None:
        """Notes how the last read of access ended; "": nothing was refused."""
        if reason or self.refusal(binding) is not None:  # most runs change nothing here
            self._put(f"refusal:{binding}", Refusal(now, reason) if reason else None)

    def _put(self, name: str, value: NamedTuple | None) -> None:
        with self._writing():
            if value is None:
                self._db.execute("DELETE FROM meta WHERE name = ?", (name,))
            else:
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))
