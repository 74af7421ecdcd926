"""One run at a time: a lock the kernel frees when its holder dies, and a witness of the ledger's age.

The lock file also remembers the lineage and serial last written, so that an older copy of the ledger that
was put back in its place is recognised.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from rosterd.errors import LedgerError, LockedError

_SIZE = 512  # the record is padded to this, so that it is always overwritten whole


class RunLock:
    """Holds `PATH.lock` until closed. Raises LockedError (exit 7) at once when another process holds it."""

    def __init__(self, ledger: Path, command: str) -> None:
        self._command = command
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
            holder = self._read()
            os.close(self._descriptor)
            who = f"process {holder.get('pid', '?')} ({holder.get('command', 'rosterd')})"
            raise LockedError(
                f"another run holds the ledger: {who}",
                where=str(ledger),
                hint="wait for it to end; `rosterd status` shows what it does",
            ) from error
        seen = self._read()
        self.lineage = str(seen.get("lineage", ""))
        self.serial = int(str(seen.get("serial", 0)))
        self.note(self.lineage, self.serial)

    def note(self, lineage: str, serial: int) -> None:
        """Remembers what the ledger was last seen at. Not synced: it must survive the process, not the power."""
        record = {"pid": os.getpid(), "command": self._command, "lineage": lineage, "serial": serial}
        try:
            os.pwrite(self._descriptor, json.dumps(record).encode().ljust(_SIZE - 1) + b"\n", 0)
        except OSError as error:
            raise LedgerError(
                f"cannot be written: {error.strerror}", where="the ledger's lock file"
            ) from error

    def _read(self) -> dict[str, object]:
        try:
            found = json.loads(os.pread(self._descriptor, _SIZE, 0) or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def close(self) -> None:
        os.close(self._descriptor)
