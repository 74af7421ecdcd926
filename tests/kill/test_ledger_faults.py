"""What may befall the ledger's file, from outside: the real command line, its exit code, and an untouched file."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.kill.programs import program, quick_place
from tests.kill.site import Site, open_site
from tests.kill.tracing import filled, small

from rosterd.errors import LockedError
from rosterd.ledger.lock import RunLock
from rosterd.ledger.schema import APPLICATION_ID, VERSION
from rosterd.ledger.store import connect, open_store
from rosterd.sandbox import fault

UNUSABLE, LOCKED = 8, 7


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, bytes]]:
    """A site after its first delivery, and its ledger, for tests that never send anything."""
    with open_site(tmp_path_factory.mktemp("resting") / "site") as opened:
        yield opened, opened.ledger.read_bytes()


@pytest.fixture
def resting(delivered: tuple[Site, bytes]) -> Site:
    """That site as it was after its first delivery, with a change waiting."""
    site, ledger = delivered
    if site.ledger.is_dir():
        site.ledger.rmdir()
    site.put(ledger)
    site.configure()
    site.company(small(2))
    return site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site for tests that send; each of them leaves it in step."""
    with open_site(tmp_path_factory.mktemp("sending") / "site") as opened:
        yield opened


def refused(site: Site, *, code: int = UNUSABLE, **options: object) -> str:
    """A run that must end with this code, ask nobody, and leave every byte of the ledger; what it said."""
    before, asked = site.files(), site.requests()
    document = site.run(**options)
    assert document["exit_code"] == code, document["said"]
    assert site.requests() == asked
    assert site.files() == before
    return str(document["said"])


class TestDamage:
    def test_cut_short(self, resting: Site) -> None:
        whole = resting.ledger.read_bytes()
        for length in (60, len(whole) - 1):
            resting.put(whole[:length])
            assert "backup" in refused(resting)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is empty"),
            (random.Random(1).randbytes(70_000), "is not a ledger"),
            (b"\0" * 70_000, "is not a ledger"),
            (b"people,groups\n" * 100, "is not a ledger"),
        ],
        ids=["empty", "random", "zeros", "text"],
    )
    def test_something_else(self, resting: Site, content: bytes, words: str) -> None:
        resting.put(content)
        assert words in refused(resting)

    def test_every_command_finds_it(self, resting: Site) -> None:
        resting.put(b"")
        for command in (["status"], ["ledger", "verify"], ["plan"], ["leavers"]):
            done = resting.call(*command)
            assert done.returncode == UNUSABLE, command
            assert "is empty" in done.stdout + done.stderr
        assert resting.ledger.read_bytes() == b""

    def test_a_page_of_nonsense(self, resting: Site) -> None:
        whole = bytearray(resting.ledger.read_bytes())
        whole[4096:8192] = random.Random(1).randbytes(4096)
        resting.put(bytes(whole))
        assert "damaged" in refused(resting)

    def test_many_flipped_bits_and_cuts(self) -> None:
        """In forks of one process. A flip is found, or it makes no difference to what is delivered in the end."""
        with quick_place() as place:
            found = program("driver", "damaged", place, "additive", "flips", 150)
        assert found["wrong"] == [], found["said"]
        assert found["kills"]["8"] > 43

    def test_text_that_is_none(self, resting: Site) -> None:
        """SQLite's own check does not look into texts."""
        with closing(sqlite3.connect(resting.ledger)) as database, database:
            database.execute("UPDATE person SET name = CAST(x'41ff42' AS TEXT) WHERE logon = 'p00'")
        asked = resting.requests()
        document = resting.run()
        assert document["exit_code"] == UNUSABLE
        assert "damaged" in document["said"]
        assert resting.requests() == asked

    def test_json_that_is_none(self, resting: Site) -> None:
        with closing(sqlite3.connect(resting.ledger)) as database, database:
            database.execute("UPDATE run SET document = '{'")
        done = resting.call("status")
        assert done.returncode == UNUSABLE
        assert "damaged" in done.stderr

    def test_a_serial_that_is_no_number(self, resting: Site) -> None:
        with closing(sqlite3.connect(resting.ledger)) as database, database:
            database.execute("UPDATE meta SET value = 'seven' WHERE name = 'serial'")
        assert "damaged" in refused(resting)


class TestForeign:
    def test_a_newer_version(self, resting: Site) -> None:
        with closing(sqlite3.connect(resting.ledger)) as database:
            database.execute(f"PRAGMA user_version = {VERSION + 1}")
        assert f"version {VERSION + 1}" in refused(resting)

    def test_another_tenants(self, resting: Site) -> None:
        resting.configure(tenant="provider-two")
        said = refused(resting)
        assert "tenant is 'sandbox'" in said
        assert "'provider-two'" in said

    def test_another_programs_database(self, resting: Site) -> None:
        resting.put(b"")
        with closing(sqlite3.connect(resting.ledger)) as database, database:
            database.execute("CREATE TABLE films (title TEXT)")
        assert "another program" in refused(resting)
        with closing(sqlite3.connect(resting.ledger)) as database:
            database.execute(f"PRAGMA application_id = {APPLICATION_ID ^ 1}")
        assert "another program" in refused(resting)

    def test_no_file_at_all(self, resting: Site) -> None:
        resting.ledger.unlink()
        resting.ledger.mkdir()
        document = resting.run()
        assert document["exit_code"] == UNUSABLE
        assert "not a regular file" in document["said"]

    def test_a_deleted_ledger_delivers_everything_again_and_removes_nobody(self, tmp_path: Path) -> None:
        with open_site(tmp_path / "site") as site:
            site.company(small(2))
            site.ledger.unlink()
            document = site.run()
            assert document["exit_code"] == 3
            assert any("new one" in notice for notice in document["notices"])
            assert document["customers"]["acme"]["people"]["created"] == len(site.wanted.people)
            assert document["customers"]["acme"]["people"]["gone"] == 0
            assert json.loads(site.call("leavers", "--json").stdout)["leavers"] == []


COPIES = ("backup.db", "copied.db")


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of which a copy of both kinds has been made."""
    with open_site(tmp_path_factory.mktemp("copied") / "site") as site:
        assert site.call("ledger", "backup", str(site.directory / "backup.db")).returncode == 0
        shutil.copy(site.ledger, site.directory / "copied.db")
        yield site


@pytest.fixture
def moved_on(copied: Site) -> Site:
    """The change went, and the directory is back at what the copies say."""
    copied.company(small(2))
    assert copied.run()["exit_code"] in (0, 3)
    copied.company(small(1))
    return copied


class TestOlderCopies:
    """A copy put back is compared whole: what was delivered since is in doubt, and sent again."""

    @pytest.mark.parametrize("copy", COPIES)
    def test_put_back(self, moved_on: Site, copy: str) -> None:
        moved_on.put((moved_on.directory / copy).read_bytes())
        document = moved_on.run()
        assert document["exit_code"] in (0, 3)
        assert any("older copy" in notice for notice in document["notices"])
        assert document["customers"]["acme"]["people"]["updated"] == len(moved_on.wanted.people)
        asked = moved_on.requests()
        again = moved_on.run()
        assert again["exit_code"] in (0, 3)
        assert "notices" not in again
        assert moved_on.requests() == asked

    @pytest.mark.parametrize("copy", COPIES)
    def test_put_back_beside_the_journal_of_a_killed_run(self, moved_on: Site, copy: str) -> None:
        """SQLite would mix the two: acknowledgements of one file, everything else of the other."""
        kill_amid_a_run(moved_on)
        assert (moved_on.directory / "ledger.db-wal").stat().st_size
        moved_on.ledger.write_bytes((moved_on.directory / copy).read_bytes())
        assert "ledger.db-wal" in refused(moved_on)
        assert moved_on.call("status").returncode == UNUSABLE
        for side in ("-wal", "-shm"):
            Path(f"{moved_on.ledger}{side}").unlink()
        document = moved_on.run()
        assert document["exit_code"] in (0, 3)
        assert any("older copy" in notice for notice in document["notices"])

    def test_put_back_and_killed_it_is_still_a_copy(self, moved_on: Site) -> None:
        """Its first run is killed: the next one still compares everything, and does not take it for a mixture."""
        moved_on.put((moved_on.directory / "copied.db").read_bytes())
        kill_amid_a_run(moved_on)
        document = moved_on.run()
        assert document["exit_code"] in (0, 3)
        assert document["customers"]["acme"]["people"]["updated"] == len(moved_on.wanted.people)


def kill_amid_a_run(site: Site) -> None:
    """Kills a run while its first request waits for an answer."""
    site.server.faults.add(fault("hang", path="users", times=1))
    with started(site) as running:
        within(20, lambda: hanging(site))
        running.kill()
        running.wait(10)
    site.server.faults.clear()


def hanging(site: Site) -> bool:
    """Whether a request for people waits for its answer."""
    requests = site.server.world.requests
    return bool(requests) and requests[-1]["path"].endswith("/v1/users") and requests[-1]["status"] is None


@contextmanager
def started(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """A run in the background."""
    command = site.command("run", "--once", "--quiet")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            yield running
        finally:
            running.kill()


def within(seconds: float, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestTwoRuns:
    def test_the_second_is_told_who_holds_the_lock(self, tmp_path: Path) -> None:
        with open_site(tmp_path / "site", delivered=False) as site:
            site.server.faults.add(fault("hang", path="users", times=1))
            with started(site) as first:
                within(20, lambda: hanging(site))
                asked = site.requests()
                document = site.run()
                assert document["exit_code"] == LOCKED
                assert f"process {first.pid}" in document["said"]
                assert site.requests() == asked
                begun = time.monotonic()
                with pytest.raises(LockedError):
                    RunLock(site.ledger, "another run")
                assert time.monotonic() - begun < 1
                assert site.call("status").returncode in (0, 10)  # readers are not kept waiting
                first.send_signal(signal.SIGKILL)
                first.wait(10)
            assert site.run()["exit_code"] == 3
            assert site.in_step() == []

    @pytest.mark.parametrize("content", [b"", b'{"serial": "x", "rest": null}', b"\xff" * 600])
    def test_a_strange_lock_file_stops_nothing(self, site: Site, content: bytes) -> None:
        (site.directory / "ledger.db.lock").write_bytes(content)
        assert site.run()["exit_code"] in (0, 3)


class TestNoRoom:
    def test_a_full_disk(self, tmp_path: Path) -> None:
        """A small file system of its own: less than the reserve is free, so nothing is sent."""
        script = 'mount -t tmpfs -o size=4m,mode=700 tmpfs "$0" && cp -a "$1"/. "$0" && shift && exec "$@"'
        with open_site(tmp_path / "site") as site:
            site.company(small(2))
            place = tmp_path / "small"
            place.mkdir(mode=0o700)
            site.configure(ledger=str(place / "ledger.db"))
            kept = tmp_path / "kept"
            kept.mkdir(mode=0o700)
            shutil.copy(site.ledger, kept)
            asked = site.requests()
            document = site.run(before=[*APART, "sh", "-c", script, str(place), str(kept)])
            assert document["exit_code"] == UNUSABLE
            assert "MiB are free" in document["customers"]["acme"]["reason"]
            assert site.requests() == asked

    @pytest.mark.parametrize("most", [0, 20_480, 40_960])
    def test_files_cannot_grow(self, site: Site, most: int) -> None:
        """RLIMIT_FSIZE stands in for a quota. Whatever was sent when it was reached is in doubt, and goes again."""
        site.company(small(2))
        document = site.run(preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most)))
        assert document["exit_code"] == UNUSABLE, document["said"]
        site.company(small(1))
        assert site.run()["exit_code"] in (0, 3)
        assert site.in_step() == []

    def test_a_sync_that_fails(self, site: Site) -> None:
        """EIO from the first sync on. See test_syscalls for every later one."""
        asked, inject = site.requests(), "inject=fdatasync,fsync:error=EIO:when=1+"
        site.company(small(2))
        strace = ["strace", "-f", "-qq", "-o", os.devnull, "-e", "trace=fdatasync,fsync", "-e", inject]
        document = site.run(before=strace)
        assert document["exit_code"] == UNUSABLE, document["said"]
        assert site.requests() == asked
        site.company(small(1))
        assert site.run()["exit_code"] in (0, 3)
        assert site.in_step() == []

    def test_a_read_only_file_system(self, site: Site) -> None:
        site.company(small(2))
        asked, before = site.requests(), site.files()
        script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        document = site.run(before=[*APART, "sh", "-c", script, str(site.directory)])
        assert document["exit_code"] == UNUSABLE
        assert "writable" in document["said"]
        assert site.requests() == asked
        assert site.files() == before


# A mount namespace of its own, so that nothing is mounted for anybody else; without root also a user namespace.
APART = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]


class TestOlderVersion:
    def test_it_is_kept_before_it_is_migrated(self, tmp_path: Path) -> None:
        """See test_syscalls for kills amid it."""
        path = tmp_path / "ledger.db"
        filled(path)
        with closing(open_store(path, "http://127.0.0.1:1/api", "sandbox")) as newer:
            assert newer.pragma("user_version") == VERSION
        with closing(connect(tmp_path / "ledger.db.v1", read_only=True)) as kept:
            assert kept.pragma("user_version") == 1
            assert list(kept.execute("SELECT count(*) FROM person")) == [(300,)]

    def test_a_ledger_of_version_1_gets_what_a_new_one_has(self, tmp_path: Path) -> None:
        old, new = tmp_path / "old.db", tmp_path / "new.db"
        filled(old)
        with (
            closing(open_store(old, "http://127.0.0.1:1/api", "sandbox")) as migrated,
            closing(open_store(new, "http://127.0.0.1:1/api", "sandbox")) as made,
        ):
            tables = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
            assert list(migrated.execute(tables)) == list(made.execute(tables))
            assert migrated.pragma("user_version") == VERSION
