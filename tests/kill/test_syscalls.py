"""One kill at every system call that writes, of a small run, a first start, a migration and a backup."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.kill.programs import program, quick_place

from rosterd.ledger.store import connect, open_store

# What is killed, and at least so many calls it must have had: else the set of calls would be wrong.
WORKS = {"files": 80, "opens": 10, "sends": 4, "syncs": 10, "creation": 20, "migration": 40, "backup": 30}


@pytest.mark.slow
@pytest.mark.parametrize("what", WORKS)
def test_a_kill_at_every_call(what: str) -> None:
    with quick_place() as place:
        found = program("tracing", what, place)
    assert found["wrong"] == [], found["said"]
    assert WORKS[what] <= found["calls"] < 300


# The same for the refresh of an Autodesk sign-in, and for the sign-in itself.
TOKENS = {"files": 11, "opens": 5, "sends": 2, "bootstrap": 12, "signing": 8}


@pytest.mark.slow
@pytest.mark.parametrize("what", TOKENS)
def test_a_kill_at_every_call_around_a_refresh(what: str) -> None:
    """It loses no sign-in that the protocol lets one keep."""
    with quick_place() as place:
        found = program("tokens", what, place)
    assert found["wrong"] == [], found["said"]
    assert TOKENS[what] <= found["calls"] < 100


def test_the_next_refresh_token_is_on_the_disk_before_the_access_token_is_used(tmp_path: Path) -> None:
    """Mark, sync; refresh; next token, sync; and only then the first question."""
    found = program("tokens", "log", tmp_path)
    assert found["calls"] == 0, found["said"]
    steps = []
    for line in (tmp_path / "log").read_text(encoding="ascii").splitlines():
        for pattern, step in STEPS.items():
            if re.search(pattern, line):
                steps.append(step)
    kept = ["sync draft", "rename", "sync directory"]
    assert steps == [*kept, "refresh", *kept, "question"]


STEPS = {
    r"fsync\(\d+<[^>]*/tokens/\.acme\.new>\) += 0": "sync draft",
    r"rename\(.*/tokens/acme\.json\"\) += 0": "rename",
    r"fsync\(\d+<[^>]*/tokens>\) += 0": "sync directory",
    r"POST /authentication/v2/token": "refresh",
    r"GET /applications/": "question",
}


def test_what_is_about_to_be_sent_is_on_the_disk_first(tmp_path: Path) -> None:
    """From a log of system calls: note, sync, request; answer, acknowledgement, sync."""
    found = program("tracing", "log", tmp_path)
    assert found["wrong"] == [], found["said"]
    before, sent, between, sent_too, after = segments((tmp_path / "log").read_text(encoding="ascii"))
    assert "personsending" in before[-1]
    assert "personacknowledged" in between[0]
    assert "groupsending" in between[-1]
    assert "groupacknowledged" in after[0]
    assert sent == sent_too == []


def segments(log: str) -> list[list[str]]:
    """What was written to the ledger's log before, between and after requests and answers, by synced transaction."""
    found: list[list[str]] = [[]]
    written = ""
    for line in log.splitlines():
        if re.search(r"pwrite64\(\d+<[^>]*-wal>", line):
            written += line
        elif re.search(r"fdatasync\(\d+<[^>]*-wal>\) += 0", line) and written:
            found[-1].append(written)
            written = ""
        elif "POST /printqueue" in line or "HTTP/1.1 201" in line:
            assert not written, "what was written is not synced yet"
            found.append([])
    return found


def test_every_connection_syncs_fully(tmp_path: Path) -> None:
    """NORMAL may lose acknowledged commits when the power fails, FULL does not (sqlite.org/pragma.html)."""
    path = tmp_path / "ledger.db"
    for connection in (
        open_store(path, "http://127.0.0.1:1", "acme"),
        connect(path),
        connect(path, read_only=True),
    ):
        assert connection.pragma("synchronous") == 2
        assert connection.pragma("journal_mode") == "wal"
        connection.close()
