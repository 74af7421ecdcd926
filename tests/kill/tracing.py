"""One kill at every write-class system call, with strace, of forks of this process.

`python -m tests.kill.tracing WHAT DIRECTORY` prints one JSON document. A fork waits until strace is attached, so
nothing but the work itself is traced. Injection kills a process as it enters its n-th call of the set (counted
per thread), so n = 1, 2, … until a process survives visits every state between two calls.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NoReturn

from tests.kill.checks import after_kill, converged
from tests.kill.company import ANCHOR, Company, form_of
from tests.kill.deaths import WHOLE
from tests.kill.driver import Rounds

from rosterd.errors import LedgerError
from rosterd.ledger import store
from rosterd.ledger.schema import APPLICATION_ID, DELIVERED, VERSION
from rosterd.once import Wish

FILES = (
    "write,writev,pwrite64,pwritev,fsync,fdatasync,ftruncate,fallocate,rename,renameat,renameat2,"
    "unlink,unlinkat,link,linkat,mkdir,mkdirat,fchmod,flock"
)
OPENS = "openat"
SENDS = "sendto,sendmsg,connect"
MOST = 400  # calls; more than any of these has
PR_SET_PTRACER, ANY = 0x59616D61, ctypes.c_ulong(-1)  # prctl(2): a sibling may trace where Yama restricts it
URL, TENANT = "http://127.0.0.1:1/api", "sandbox"


def traced(work: Callable[[], int], options: list[str]) -> int:
    """Runs `work` in a fork under strace. Gives its exit code, negative for the signal that killed it."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(writer)
        _wait_and_work(work, reader)
    os.close(reader)
    strace = subprocess.Popen(
        ["strace", "-f", "-qq", "-p", str(process), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _attached(process, strace)
        os.close(writer)
        _, status = os.waitpid(process, 0)
    finally:
        strace.communicate(timeout=30)
    return os.waitstatus_to_exitcode(status)


def _wait_and_work(work: Callable[[], int], reader: int) -> NoReturn:
    code = 99
    try:
        ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANY, 0, 0, 0)
        os.read(reader, 1)
        os.close(reader)
        code = work()
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def _attached(process: int, strace: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while "TracerPid:\t0" in Path(f"/proc/{process}/status").read_text(encoding="ascii"):
        assert strace.poll() is None, strace.stderr and strace.stderr.read()
        assert time.monotonic() < deadline, "strace did not attach"
        time.sleep(0.002)


def killed_at(work: Callable[[], int], calls: str, number: int) -> bool:
    """Whether the n-th of these calls was reached, and so the work killed there."""
    options = ["-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when={number}"]
    code = traced(work, options)
    assert code in (0, 3, -signal.SIGKILL), f"call {number}: ended with {code}"
    return code == -signal.SIGKILL


def small(version: int) -> Company:
    """A company of five; version 2 has a joiner, a leaver, a rename, a new seat, a lost one and a new description."""
    company = Company("acme", {logon: form_of(logon, 1) for logon in (ANCHOR, "p00", "p01", "p02")})
    company.groups = {"Print 0": ("first", {ANCHOR, "p00", "p01"}), "Print 1": ("first", {ANCHOR, "p02"})}
    if version == 2:
        company.people[ANCHOR] = form_of(ANCHOR, 2)
        company.people["p03"] = company.people.pop("p01")
        company.groups = {"Print 0": ("second", {ANCHOR, "p00", "p03"}), "Print 1": ("first", {ANCHOR})}
    return company


def runs(directory: Path, calls: str) -> tuple[int, list[str]]:
    """A run of version 2 killed at every call; after each, a run of version 1 again must bring all in step."""
    rounds = Rounds(directory, "unknown", [small(1)], lanes=1)
    try:
        rounds.calm()
        for number in range(1, MOST):
            rounds.companies = [small(2)]
            rounds.write()
            died = killed_at(lambda: rounds.whole(Wish()), calls, number)
            journal = rounds.target.settled()
            rounds.note(WHOLE._replace(after=number), after_kill(rounds.ledger, journal))
            rounds.companies = [small(1)]
            rounds.run(WHOLE)
            rounds.note(
                WHOLE._replace(after=number), converged(rounds.ledger, rounds.target.settled(), [small(1)])
            )
            if not died or rounds.wrong:
                return number - 1, rounds.wrong
        return MOST, ["it never survived"]
    finally:
        rounds.target.close()


def failing_syncs(directory: Path) -> tuple[int, list[str]]:
    """Every sync from the n-th on fails with EIO: the run stops (8), and the next one brings all in step."""
    rounds = Rounds(directory, "unknown", [small(1)], lanes=1)
    calls = "fsync,fdatasync"
    try:
        rounds.calm()
        for number in range(1, MOST):
            rounds.companies = [small(2)]
            rounds.write()
            inject = f"inject={calls}:error=EIO:when={number}+"
            code = traced(
                lambda: rounds.whole(Wish()), ["-o", "/dev/null", "-e", f"trace={calls}", "-e", inject]
            )
            journal = rounds.target.settled()
            rounds.note(WHOLE._replace(after=number), after_kill(rounds.ledger, journal))
            rounds.companies = [small(1)]
            rounds.run(WHOLE)
            rounds.note(
                WHOLE._replace(after=number), converged(rounds.ledger, rounds.target.settled(), [small(1)])
            )
            if code in (0, 3) or rounds.wrong:
                return number - 1, rounds.wrong
            assert code == 8, f"sync {number}: ended with {code}"
        return MOST, ["it never went well"]
    finally:
        rounds.target.close()


def creation(directory: Path) -> tuple[int, list[str]]:
    """A first start, killed at every call: there is a whole ledger, or none, and the next start finds its way."""
    wrong = []
    for number in range(1, MOST):
        path = directory / str(number) / "ledger.db"
        path.parent.mkdir(mode=0o700)
        died = killed_at(partial(start, path), f"{FILES},{OPENS}", number)
        try:
            start(path)
        except LedgerError as error:
            wrong.append(f"call {number}: {error}")
        if not died:
            return number - 1, wrong
    return MOST, ["it never survived"]


def start(path: Path, version: int = VERSION) -> int:
    """Opens a ledger, making or migrating it."""
    store.open_store(path, URL, TENANT, version=version).close()
    return 0


def filled(path: Path) -> None:
    """A ledger with 300 people, as version 1 left it."""
    path.touch(mode=0o600)
    with closing(store.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=1; {DELIVERED}")
        meta = {"lineage": "0" * 32, "serial": "1", "base_url": URL, "tenant": TENANT}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
        rows = ((f"acme\0p{n:03}".encode(), f"p{n:03}", f"Person {n}") for n in range(300))
        connection.executemany(
            "INSERT INTO person VALUES (1, ?, 'ACME', ?, ?, '', 'hr', '', '', 'active', 1)", rows
        )


def people(path: Path, version: int) -> int:
    with closing(store.open_store(path, URL, TENANT, version=version)) as connection:
        store.quick_check(connection, path)
        (row,) = connection.execute("SELECT count(*) FROM person")
        return int(row[0])


def migration(directory: Path) -> tuple[int, list[str]]:
    """A start of a newer version, killed at every call: the ledger is old or new, and a backup is whole."""
    wrong = []
    for number in range(1, MOST):
        path = directory / str(number) / "ledger.db"
        path.parent.mkdir(mode=0o700)
        filled(path)
        died = killed_at(partial(start, path), f"{FILES},{OPENS}", number)
        kept = path.with_name("ledger.db.v1")
        version = store.inspect(path)
        if version not in (1, VERSION):
            wrong.append(f"call {number}: the version is {version}")
        if (version == VERSION and not kept.exists()) or (kept.exists() and people(kept, 1) != 300):
            wrong.append(f"call {number}: the backup is not whole")
        if people(path, VERSION) != 300 or store.inspect(path) != VERSION:
            wrong.append(f"call {number}: the migrated ledger is not whole")
        if not died:
            return number - 1, wrong
    return MOST, ["it never survived"]


def backing_up(directory: Path) -> tuple[int, list[str]]:
    """A backup over an older one, killed at every call: the old copy or the new one is there, whole."""
    wrong = []
    path, copy = directory / "ledger.db", directory / "copy.db"
    for number in range(1, MOST):
        for place in (path, copy):
            place.unlink(missing_ok=True)
        filled(path)
        copy.write_bytes(b"an older copy")
        died = killed_at(partial(back_up, path, copy), f"{FILES},{OPENS}", number)
        if copy.read_bytes() != b"an older copy" and people(copy, VERSION) != 300:
            wrong.append(f"call {number}: the copy is not whole")
        if people(path, VERSION) != 300:
            wrong.append(f"call {number}: the ledger has suffered")
        if not died:
            return number - 1, wrong
    return MOST, ["it never survived"]


def back_up(path: Path, copy: Path) -> int:
    """What `rosterd ledger backup` does."""
    with closing(store.open_store(path, URL, TENANT)) as connection:
        store.backup(connection, copy)
    return 0


def logged(directory: Path) -> tuple[int, list[str]]:
    """A run with every sync and every send in a log, `directory`/log; gives the port of the sandbox."""
    rounds = Rounds(directory, "unknown", [small(1)], lanes=1)
    try:
        rounds.calm()
        rounds.companies = [small(2)]
        rounds.write()
        wanted = "trace=fsync,fdatasync,pwrite64,sendto,sendmsg,recvfrom,recvmsg"
        code = traced(
            lambda: rounds.whole(Wish()), ["-y", "-s", "5000", "-o", str(directory / "log"), "-e", wanted]
        )
        return code, [] if code in (0, 3) else [f"the run ended with {code}"]
    finally:
        rounds.target.close()


WORKS: dict[str, Callable[[Path], tuple[int, list[str]]]] = {
    "files": lambda directory: runs(directory, FILES),
    "opens": lambda directory: runs(directory, OPENS),
    "sends": lambda directory: runs(directory, SENDS),
    "syncs": failing_syncs,
    "creation": creation,
    "migration": migration,
    "backup": backing_up,
    "log": logged,
}


def main(what: str, directory: str) -> None:
    gc.freeze()
    count, wrong = WORKS[what](Path(directory))
    sys.stdout.write(json.dumps({"calls": count, "wrong": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
