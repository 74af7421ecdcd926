"""The sandbox in a process of its own, and what its journal says it accepted.

The journal is written before an answer leaves, so it is what the target has, whoever was killed meanwhile.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from rosterd.sandbox import Switches, World, serve
from rosterd.sandbox.rules import Event
from rosterd.sandbox.state import Lacking, nothing

OPEN = {"01", "03", "08"}  # established, being established, closed by the other side (Linux: tcp_states.h)
LARGE = {"users": 700, "groups": 2200}  # bytes that a request may have: so that a run makes several
TRAP = struct.Struct("iii")  # a process, and how many more requests it may make before and after acceptance


@dataclass
class Held:
    """What one client holds: every form a user was accepted in, the last one being what is there."""

    users: dict[str, list[tuple[str, str, str, str]]] = field(default_factory=dict)
    groups: dict[str, tuple[str, str]] = field(default_factory=dict)
    seats: set[tuple[str, str]] = field(default_factory=set)


class Journal:
    """Reads the sandbox's journal as it grows."""

    def __init__(self, path: Path) -> None:
        self.clients: dict[str, Held] = {}
        self._path, self._at = path, 0

    def read(self) -> None:
        """Takes in what was accepted since the last time."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            for line in file:
                self._at += len(line)
                self._take(json.loads(line))

    def _take(self, entry: dict[str, Any]) -> None:
        held = self.clients.setdefault(entry["client"], Held())
        match entry["kind"]:
            case "user":
                form = (entry["domain"], entry["logon"], entry.get("name", ""), entry.get("email", ""))
                held.users.setdefault(f"{form[0]}//{form[1]}".lower(), []).append(form)
            case "grouping":
                held.groups[entry["name"].lower()] = (entry["name"], entry.get("description", ""))
            case "seat":
                held.seats.add((entry["grouping"].lower(), entry["user"].lower()))
            case "seat_gone":
                held.seats.discard((entry["grouping"].lower(), entry["user"].lower()))
            case kind:
                raise AssertionError(kind)


class Trap:
    """Shared with the sandbox: kills a process with its n-th request, just before or after it is accepted."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, TRAP.size)

    def set(self, process: int, before: int = 0, after: int = 0) -> None:
        """0 means never."""
        self._memory[:] = TRAP.pack(process, before, after)

    def spring(self, *, before: bool) -> None:
        process, *left = TRAP.unpack(self._memory[:])
        at = 0 if before else 1
        left[at] -= 1
        if process and left[at] == 0:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._memory[:] = TRAP.pack(process, *left)


class Deadly(World):
    """A world that springs the trap."""

    def __init__(self, journal: Path, trap: Trap) -> None:
        super().__init__(journal)
        self._trap = trap

    def accept(self, tenant: str, client: str, events: Sequence[Event], lacking: Lacking = nothing) -> None:
        with self.lock:
            self._trap.spring(before=True)
            super().accept(tenant, client, events, lacking)
            self._trap.spring(before=False)


class Target:
    """A sandbox in a forked process. Fork it before the first thread is started."""

    def __init__(self, journal: Path, membership: str) -> None:
        self.trap = Trap()
        reader, writer = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.close(reader)
            _serve(Deadly(journal, self.trap), membership, writer)
        os.close(writer)
        with os.fdopen(reader, encoding="ascii") as file:
            self.base_url, self.token_url = file.readline().split()
        self.port = int(self.token_url.removesuffix("/connect/token").rpartition(":")[2])
        self.journal = Journal(journal)
        self.faults()

    def ask(self, path: str, body: object = None, method: str = "GET") -> Any:
        """Asks the sandbox's own pages."""
        data = None if body is None else json.dumps(body).encode()
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, f"/_sandbox/{path}", data)
            return json.loads(connection.getresponse().read() or b"null")

    def faults(self, *flaky: str) -> None:
        """Sets the standing faults, and refuses the logons given (globs) besides."""
        self.ask("faults", None, "DELETE")
        refused = [{"kind": "refuse", "logon": logon, "message": "No."} for logon in [*flaky, "never*"]]
        large = [{"kind": "too_large", "path": path, "bytes": size} for path, size in LARGE.items()]
        self.ask("faults", [*refused, *large], "POST")

    def requests(self) -> int:
        """How many API requests came so far, those for tokens left out."""
        return sum(not entry["path"].endswith("/connect/token") for entry in self.ask("requests"))

    def settled(self) -> Journal:
        """The journal, once everything that was under way when somebody was killed has been dealt with."""
        deadline = time.monotonic() + 30
        while self._connected():
            assert time.monotonic() < deadline, "the sandbox still has connections"
            time.sleep(0.002)
        self.trap.set(0)  # nobody springs it now: a number of a process must not outlive it
        self.journal.read()
        return self.journal

    def _connected(self) -> bool:
        rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
        return any(row[1].endswith(f":{self.port:04X}") and row[3] in OPEN for row in rows)

    def close(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


def _serve(world: World, membership: str, writer: int) -> None:
    """Serves until killed; never returns."""
    switches = Switches(membership="additive" if membership == "additive" else "replacing")
    server = serve(world=world, switches=switches)
    os.write(writer, f"{server.base_url} {server.token_url}\n".encode())
    os.close(writer)
    while True:
        signal.pause()
