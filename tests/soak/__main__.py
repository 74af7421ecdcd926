"""The service over a long time, with changes, faults, reloads and restarts: does it grow, and is everything delivered?

    python -m tests.soak SECONDS

Ends 1 when memory grew by more than 1 MiB after warming up, when descriptors leak, or when a change is missing.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from tests.cli.files import customer
from tests.cli.kit import Office, switches
from tests.cli.service_kit import Running, open_files, service

from rosterd.sandbox import serve

CUSTOMERS = 5
LIVES = 2  # the second is the long one, after a restart amid work
WARM = 0.25  # of a life, until caches are full
GROWTH = 1 << 20  # bytes
FAULTS = ({"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "delay", "seconds": 0.5},
          {"kind": "status", "status": 429, "retry_after": 1}, {"kind": "odd"}, {"kind": "truncate"})  # fmt: skip


def rss(pid: int) -> int:
    """Resident memory in bytes (proc(5))."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4_096


class Soak:
    """One office with several customers, and what they should have in the end."""

    def __init__(self, office: Office, dice: random.Random) -> None:
        self.office, self.dice = office, dice
        self.wanted: dict[str, dict[str, str]] = {  # customer -> logon -> name
            f"c{n}": {f"p{n}-{i}": f"Somebody {i}" for i in range(200)} for n in range(CUSTOMERS)
        }
        guards = {
            "guards": {
                "first_run": "go",
                "leavers": {"percent": 100},
                "creates": {"percent": 100},
                "updates": {"percent": 100},
            }
        }
        office.set(console={"listen": ""}, daemon={"customers_at_once": 3})
        office.write(**{name: customer(name, schedule="every 2s", **guards) for name in self.wanted})
        for name in self.wanted:
            self.put(name)

    def put(self, name: str) -> None:
        rows = [(logon, shown, f"{logon}@example.com") for logon, shown in sorted(self.wanted[name].items())]
        self.office.put(rows, f"{name}.csv")

    def change(self, number: int) -> None:
        """Somebody of one customer gets another name; now and then somebody is new, but data must not grow much."""
        name = self.dice.choice(sorted(self.wanted))
        people = self.wanted[name]
        who = self.dice.choice(sorted(people)) if self.dice.random() < 0.97 else f"new{number}"
        people[who] = f"Somebody {number}"
        self.put(name)

    def live(self, running: Running, seconds: float) -> tuple[list[int], list[int]]:
        """Memory and descriptors, once a second, after warming up."""
        begun, memory, files, number = time.monotonic(), list[int](), list[int](), 0
        while (passed := time.monotonic() - begun) < seconds:
            code = running.process.poll()
            assert code is None, f"the service ended {code}: {running.lines[-50:]}"
            number += 1
            self.change(int(begun) * 10_000 + number)
            if number % 7 == 0:
                fault = dict(self.dice.choice(FAULTS))
                self.office.fault(str(fault.pop("kind")), path="users", times=2, **fault)
            if number % 29 == 0:
                running.send(signal.SIGHUP)
            if number % 31 == 0:
                running.send(signal.SIGUSR1)
            if passed > seconds * WARM:
                memory.append(rss(running.process.pid))
                files.append(open_files(running.process.pid))
            del running.lines[:-200]
            time.sleep(1)
        return memory, files

    def false(self) -> list[str]:
        """People whom the ledger calls acknowledged although Orbix does not have them: that must never be."""
        with closing(sqlite3.connect(self.office.ledger)) as ledger:
            rows = list(ledger.execute("SELECT b.client, lower(p.domain || '//' || p.logon) FROM person p"
                                       " JOIN binding b ON b.id = p.binding WHERE p.state = 'active'"))  # fmt: skip
        has = {client: set(self.office.users(client)) for client in {client for client, _ in rows}}
        return [
            f"acknowledged but not there: {who} of {client}" for client, who in rows if who not in has[client]
        ]

    def missing(self) -> list[str]:
        """People whom Orbix does not have as they are, each with what the ledger and the file know of them."""
        found = []
        for name, wanted in self.wanted.items():
            users = self.office.users(name.upper())
            lacking = [
                who for who, shown in wanted.items() if users.get(f"ndd//{who}", {}).get("Name") != shown
            ]
            found += [f"missing: {who} of {name}: {self.known(name, who)}" for who in sorted(lacking)]
        return found

    def known(self, name: str, who: str) -> str:
        """What is known of somebody, for whoever must find out why they are missing."""
        listed = f"{who}," in (self.office.directory / f"{name}.csv").read_text(encoding="utf-8")
        with closing(sqlite3.connect(self.office.ledger)) as ledger:
            rows = list(ledger.execute(
                "SELECT p.state, p.run, q.bucket, q.reason FROM binding b"
                " LEFT JOIN person p ON p.binding = b.id AND p.logon = ?2"
                " LEFT JOIN problem q ON q.binding = b.id AND q.key = p.key WHERE b.client = ?1",
                (name.upper(), who)))  # fmt: skip
            last = list(ledger.execute(
                "SELECT r.id, r.exit_code, r.reason FROM run r JOIN binding b ON b.id = r.binding"
                " WHERE b.client = ? ORDER BY r.id DESC LIMIT 3", (name.upper(),)))  # fmt: skip
        return f"in the file: {listed}; in the ledger: {rows}; the last runs: {last}"


def soak(seconds: float) -> int:
    """Runs it and says what it found."""
    problems = []
    with tempfile.TemporaryDirectory() as folder, serve(switches=switches()) as server:
        one = Soak(Office(Path(folder), server), random.Random(1))
        for life in range(LIVES):
            with service(one.office) as running:
                memory, files = one.live(running, seconds * (0.1 if life == 0 else 0.9))
                took = running.stop()
            with server.world.lock:
                server.world.requests.clear()
            print(f"life {life + 1}: memory {memory[0] / 2**20:.1f} -> {memory[-1] / 2**20:.1f} MiB,"
                  f" descriptors {files[0]} -> {files[-1]}, stopped in {took:.2f} s")  # fmt: skip
        tenth = max(1, len(memory) // 10)
        grown = median(memory[-tenth:]) - median(memory[:tenth])
        floor = min(memory[-tenth:]) - min(memory[:tenth])
        print(
            f"grown by {grown / 2**20:+.2f} MiB over {len(memory)} s, the least of a tenth by {floor / 2**20:+.2f}"
        )
        problems += [f"memory grew by {grown / 2**20:.2f} MiB"] if grown > GROWTH else []
        leak = min(files[-tenth:]) - min(files[:tenth])
        problems += [f"{leak} descriptors leaked"] if leak > 2 else []
        one.office.calm()
        for _ in range(3):  # on a busy machine a request may outlast its time; that is no loss
            last = one.office.do("run", "--once", "--json")
            if last.code == 0:
                break
            print(f"a last run ended {last.code}: {last.said}")
        problems += [f"no last run ended well, but {last.code}"] if last.code else []
        problems += one.false() + one.missing()
    print("\n".join(problems[:20]) or "nothing wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(soak(float(sys.argv[1]) if len(sys.argv) > 1 else 1_800.0))
