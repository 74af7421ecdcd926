"""The fault table's rows about the ledger that the command line shows: strangers', missing, broken, locked."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.cli.files import people
from tests.cli.kit import Office, checked_run

FIVE = ("ana", "bruno", "carlos", "dora", "egon")


@pytest.fixture
def running(office: Office) -> Office:
    office.run(code=0)
    office.forget_requests()
    return office


def unusable(office: Office, *words: str) -> None:
    """Exit 8 before any request, a document all the same, and the file as it was."""
    before = office.ledger.read_bytes()
    result = office.do("run", "--once", "--json")
    document = checked_run(result, 8)
    reason = document["customers"]["acme"]["reason"]
    missing = [word for word in words if word not in reason]
    assert not missing, (missing, reason)
    assert "ledger.db" in reason and office.requests("") == []
    assert office.ledger.read_bytes() == before, "untouched"
    for verb in ("plan", "status", "leavers", "approve"):
        other = office.do(verb)
        assert other.code == 8, (verb, other.said)
        assert "ledger.db" in other.said


@pytest.mark.parametrize("how", ["text", "cut", "nothing", "flipped", "sqlite"])
def test_fault_63_a_broken_ledger(running: Office, how: str) -> None:
    data = bytearray(running.ledger.read_bytes())
    match how:
        case "text":
            data = bytearray(b"this is no database\n" * 500)
        case "cut":
            data = data[: len(data) // 2]
        case "nothing":
            data = bytearray()
        case "flipped":
            data[4096 : 4096 * 3] = os.urandom(4096 * 2)
        case "sqlite":
            data[68:72] = b"\x00\x00\x00\x07"  # another program's application id
    running.ledger.write_bytes(data)
    unusable(running)
    copies = [path for path in running.directory.iterdir() if path.name.startswith("ledger.db.")]
    assert all(path.suffix in (".lock", ".damaged", ".bak") or "ledger.db" in path.name for path in copies)


def test_fault_64_a_ledger_of_a_newer_version(running: Office) -> None:
    data = bytearray(running.ledger.read_bytes())
    data[60:64] = (999).to_bytes(4, "big")  # user_version in the file's header
    running.ledger.write_bytes(data)
    unusable(running, "newer")


@pytest.mark.parametrize("what", ["tenant", "base_url"])
def test_fault_66_a_ledger_of_another_tenant(running: Office, what: str) -> None:
    value = {"tenant": "provider-two", "base_url": "https://orbix.example.com/api"}[what]
    running.set(orbix={what: value})
    unusable(running, "provider-one" if what == "tenant" else str(running.server.port))


def test_fault_67_a_lost_ledger_leads_to_a_full_delivery(running: Office) -> None:
    """No one counts as gone; the first-run guard looks at it; a notice says so."""
    for path in running.directory.glob("ledger.db*"):
        path.unlink()
    running.set(customers={"acme": {"guards": {"first_run": "approve"}}})
    running.put(people("ana", "bruno"))
    held = running.one(code=4)
    assert "first_run" in held["reason"] and held["people"]["gone"] == 0
    part = running.one("--yes", code=0)
    assert part["people"]["created"] == 2 and part["people"]["gone"] == 0 and len(running.users()) == 5


def test_fault_67_an_older_copy_put_back_leads_to_a_full_compare(running: Office) -> None:
    copy = running.directory / "copy.db"
    running.do("ledger", "backup", str(copy))
    running.put(people(*FIVE, "filipa"))
    running.run(code=0)
    running.put(people(*FIVE))
    running.run(code=0)
    for path in running.directory.glob("ledger.db*"):
        if path.suffix != ".lock":
            path.unlink()
    shutil.copy(copy, running.ledger)
    running.ledger.chmod(0o600)
    running.forget_requests()
    document = running.run(code=0)
    assert document.get("notices"), "it is said"
    assert document["customers"]["acme"]["people"]["updated"] == 5, "a full compare: everybody is sent again"
    assert running.run(code=0)["customers"]["acme"]["requests"] == 0


def test_fault_62_a_ledger_that_cannot_be_written(running: Office) -> None:
    running.set(ledger={"url": "sqlite:////proc/rosterd/ledger.db"})
    result = running.do("run", "--once", "--json")
    document = checked_run(result, 8)
    assert "/proc/rosterd" in document["customers"]["acme"]["reason"] and running.requests("") == []


def test_fault_62_a_ledger_that_is_a_directory(office: Office) -> None:
    office.ledger.mkdir()
    result = office.do("run", "--once")
    assert result.code == 8 and "ledger.db" in result.said


@contextmanager
def busy(office: Office) -> Iterator[Any]:
    """A run that waits for an answer of Orbix, as a process."""
    office.put([*people(*FIVE), *people("filipa")])
    office.fault("delay", seconds=25, path="users")
    with office.started("run", "--once", "--json") as process:
        deadline = time.monotonic() + 20
        while not office.requests("/v1/users"):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        yield process


def test_fault_68_and_69_a_second_run(running: Office) -> None:
    """Second run: exit 7 at once, naming the first; looking is free; after kill -9 the lock is free."""
    with busy(running) as process:
        begun = time.monotonic()
        document = running.run(code=7)
        assert time.monotonic() - begun < 1.0
        reason = document["customers"]["acme"]["reason"]
        assert str(process.pid) in reason and "run" in reason, reason
        plan = running.plan(code=0)
        assert [change["key"] for change in plan["changes"]] == ["NDD//filipa"]
        status = running.do("status", "--json")
        assert status.document["customers"]["acme"]["state"] == "running", status.out
        for line in (("approve",), ("leavers",), ("pause", "acme"), ("resume", "acme"), ("ledger", "verify")):
            assert running.do(*line).code == 0, line
        running.calm()
        process.kill()
        process.wait()
    part = running.one(code=0)
    assert part["people"]["created"] + part["people"]["updated"] == 1 and "ndd//filipa" in running.users()


def test_fault_62_a_ledger_that_cannot_be_opened_says_what_to_do(running: Office) -> None:
    """As on a read-only file system: SQLite cannot have its files beside the ledger."""
    running.ledger.with_name("ledger.db-wal").unlink(missing_ok=True)
    running.ledger.with_name("ledger.db-wal").mkdir()
    for verb in ("status", "plan"):
        result = running.do(verb)
        assert result.code == 8 and "writable" in result.said
