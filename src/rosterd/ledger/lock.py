"""One run at a time: a lock the kernel frees when its holder dies, and a witness of the ledger's age.

The lock file also remembers the lineage and serial last written, so that an older copy of the ledger that
was put back in its place is recognised.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
from pathlib import Path

from rosterd.errors import LedgerError, LockedError

_SIZE = 512  # the record is padded to this, so that it is always overwritten whole


class RunLock:
    """Holds `PATH.lock` until closed. Raises LockedError (exit 7) at once when another process holds it."""

    def __init__(self, ledger: Path, command: str) -> None:
        self._command = "".join(c if c.isascii() and c.isprintable() else "?" for c in command)[:120]
        path = ledger.with_name(ledger.name + ".lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise LedgerError(
                f"cannot write beside the ledger: {error.strerror}",
                where=str(path),
                hint="the ledger's directory must be writable",
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _read(self._descriptor)
            os.close(self._descriptor)
            who = f"process {holder.get('pid', '?')} ({holder.get('command', 'rosterd')})"
            raise LockedError(
                f"another run holds the ledger: {who}",
                where=str(ledger),
                hint="wait for it to end; `rosterd status` shows what it does",
            ) from error
        self.turn = threading.RLock()  # one writer at a time among runs of this process that share the lock
        seen = _read(self._descriptor)
        self.lineage = str(seen.get("lineage", ""))
        self.serial, self.rest = _number(seen, "serial"), _number(seen, "rest")
        self._noted = (self.lineage, self.serial)
        self.note(*self._noted)

    def rested(self, serial: int) -> None:
        """Remembers what the main file has reached; what the ledger was last seen at stays as it was."""
        self.rest = serial
        self.note(*self._noted)

    def note(self, lineage: str, serial: int) -> None:
        """Remembers what the ledger was last seen at. Not synced: it must survive the process, not the power."""
        self._noted = (lineage, serial)
        record = {"pid": os.getpid(), "command": self._command, "lineage": lineage, "serial": serial}
        record |= {"rest": self.rest}
        try:
            os.pwrite(self._descriptor, json.dumps(record).encode().ljust(_SIZE - 1) + b"\n", 0)
        except OSError as error:
            raise LedgerError(
                f"cannot be written: {error.strerror}", where="the ledger's lock file"
            ) from error

    def close(self) -> None:
        os.close(self._descriptor)


def rest_of(ledger: Path) -> int:
    """The serial that the ledger's main file was last known to have reached; 0 when nothing is known."""
    try:
        descriptor = os.open(
            ledger.with_name(ledger.name + ".lock"), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        )
    except OSError:
        return 0
    try:
        return _number(_read(descriptor), "rest")
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> dict[str, object]:
    try:
        found = json.loads(os.pread(descriptor, _SIZE, 0) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _number(record: dict[str, object], name: str) -> int:
    value = record.get(name)
    return value if isinstance(value, int) else 0
