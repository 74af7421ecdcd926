"""The running service: its schedule over restarts, side by side, signals, the service manager, a second one."""

from __future__ import annotations

import itertools
import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from tests.cli.files import customer, people, toml
from tests.cli.kit import PATIENCE, Office
from tests.cli.service_kit import Manager, Receiver, free_port, service, soon, until

from rosterd.daemon.turns import Generation, Turns
from rosterd.settings import load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def hourly(office: Office) -> Office:
    """Due at once, then every hour; no console."""
    office.set(console={"listen": ""}, customers={"acme": {"schedule": "every 1h"}})
    return office


def owe(office: Office, seconds: float) -> None:
    """Moves the due time that the ledger keeps."""
    with closing(sqlite3.connect(office.ledger)) as ledger, ledger:
        ledger.execute("UPDATE agenda SET due = ?", (time.time() + seconds,))


def owed(office: Office) -> float:
    with closing(sqlite3.connect(office.ledger)) as ledger:
        (row,) = ledger.execute("SELECT due FROM agenda WHERE job = 'run'")
        return float(row[0]) - time.time()


def runs(office: Office) -> int:
    with closing(sqlite3.connect(office.ledger)) as ledger:
        return int(next(ledger.execute("SELECT coalesce(max(id), 0) FROM run"))[0])


def test_a_restart_neither_forgets_nor_floods(hourly: Office) -> None:
    with service(hourly) as running:
        ended = running.wait("run_ended", customer="acme")
        assert ended["exit_code"] == 0 and ended["people"]["created"] == 5
        running.stop()
    assert 3_500 < owed(hourly) < 3_601 and runs(hourly) == 1
    with service(hourly) as running:
        time.sleep(1)  # nothing happens: there is nothing to wait for
        assert not running.said("run_ended")
        running.stop()
    owe(hourly, -8 * 3_600)
    with service(hourly) as running:
        running.wait("run_ended")
        running.stop()
    assert runs(hourly) == 2, "one catch-up run"
    assert 3_500 < owed(hourly) < 3_601


def test_what_was_stopped_is_owed(hourly: Office) -> None:
    hourly.fault("status", path="users", status=503, retry_after=60)
    hourly.set(orbix={"attempts": 5})
    with service(hourly) as running:
        running.wait("orbix_retry", customer="acme", run=1)
        assert running.stop() < soon(), "fault 57: a wait ends at once"
    assert owed(hourly) < 0
    hourly.calm()
    with service(hourly) as running:
        running.wait("run_ended", exit_code=0)
        running.stop()
    assert len(hourly.users()) == 5


def test_fault_68_two_services(hourly: Office) -> None:
    with service(hourly) as first:
        begun = time.monotonic()
        second = hourly.process("run")
        assert second.code == 7 and str(first.process.pid) in second.err
        assert time.monotonic() - begun < soon(4.0), "the start of a process included, beside other tests"
        first.wait("run_ended")
        assert hourly.run(code=0)["customers"]["acme"]["outcome"] == "done", "between its runs others may run"
        first.process.kill()
        first.process.wait()
    with service(hourly) as third:
        third.stop()


def test_fault_69_a_single_run_meanwhile_puts_a_turn_off(hourly: Office) -> None:
    hourly.set(orbix={"timeout": "20s"})
    held = hourly.fault("hang", seconds=60, path="users", times=1)
    with hourly.started("run", "--once", "--json"):
        while not held.hits:
            time.sleep(0.02)
        with service(hourly) as running:
            ended = running.wait("run_ended")
            assert ended["exit_code"] == 7
            running.stop()
        assert owed(hourly) < 31, "it comes back soon, also after a restart"


def test_customers_run_side_by_side(hourly: Office) -> None:
    """One that waits for Orbix, or for its file, stops nobody else."""
    hourly.write(
        beta=customer("beta", schedule="every 1h"),
        gamma=customer("gamma", schedule="every 1h"),
    )
    hourly.set(customers={"acme": {"sources": {"hr": {"settle": "60s"}}}})
    hourly.put(people("ana"), "beta.csv")
    hourly.put(people("ana", "bruno"), "gamma.csv")
    with service(hourly) as running:
        running.wait("run_ended", customer="beta", exit_code=0)
        running.wait("run_ended", customer="gamma", exit_code=0)
        assert not running.said("run_ended", customer="acme")
        assert running.stop() < soon()
    assert (len(hourly.users("BETA")), len(hourly.users("GAMMA"))) == (1, 2)


def test_fault_97_one_broken_customer(hourly: Office) -> None:
    hourly.write(acme=customer(schedule="every 1h"), beta=customer("beta", schedule="every 1h"))
    hourly.put_text(b"", "beta.csv")
    with service(hourly) as running:
        running.wait("run_ended", customer="acme", exit_code=0)
        running.wait("run_ended", customer="beta", exit_code=5)
        running.stop()


def test_fault_97_a_wrong_file_of_one_customer(hourly: Office) -> None:
    """The service serves the others, says so everywhere, and takes the customer in when its file was mended."""
    port = free_port()
    folder = hourly.directory / "customers.d"
    folder.mkdir()
    body = toml(customer("beta", schedule="every 1h")).replace("beta.csv", "../beta.csv")
    (folder / "beta.toml").write_text('leavrs = "report"\n' + body)
    hourly.put(people("ana"), "beta.csv")
    with Receiver() as receiver:
        chat = {"webhooks": {"chat": {"url": receiver.url}}}
        hourly.set(customers_dir="customers.d", console={"listen": f"127.0.0.1:{port}"}, notify=chat)
        _serves_the_others(hourly, folder / "beta.toml", body, port, receiver)


def _serves_the_others(hourly: Office, wrong: Path, body: str, port: int, receiver: Receiver) -> None:
    with service(hourly) as running:
        running.wait("run_ended", customer="acme", exit_code=0)
        assert running.wait("settings", customer="beta")["level"] == "error"
        running.wait("console")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=PATIENCE) as answer:
            assert "customers.d/beta.toml" in json.load(answer)["service"]["settings_problem"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as answer:
            assert "Some customers do not run" in answer.read().decode()
        until(lambda: receiver.posted)
        told = json.dumps(receiver.posted[0][1])
        assert "settings" in told and "beta" in told and "leavrs" in told
        running.send(signal.SIGHUP)
        assert "beta.toml" in running.wait("settings_kept")["problem"], "as ever: nothing is taken in part"
        wrong.write_text(body)
        running.send(signal.SIGHUP)
        running.wait("settings_taken")
        running.wait("run_ended", customer="beta", exit_code=0)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=PATIENCE) as answer:
            assert json.load(answer)["service"]["settings_problem"] is None
        running.stop()


def test_fault_74_a_run_longer_than_its_interval(office: Office) -> None:
    """What comes due meanwhile is skipped and counted, never run beside it."""
    office.set(console={"listen": ""}, customers={"acme": {"schedule": "every 1s"}})
    office.fault("delay", seconds=4.0, path="users", times=1)
    with service(office) as running:
        running.wait("run_ended", 3, exit_code=0)
        running.stop()
    told = [line["event"] for line in running.lines if line["event"] in ("skipped", "run_ended")]
    assert told[0] == "skipped", told
    assert all(entry["in_flight"] == 1 for entry in office.requests("users"))
    with closing(sqlite3.connect(office.ledger)) as ledger:
        spans = list(ledger.execute("SELECT started, ended FROM run ORDER BY id"))
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans)), spans


def test_fault_58_sighup_takes_good_settings_and_keeps_the_old_ones_otherwise(hourly: Office) -> None:
    with service(hourly) as running:
        running.wait("run_ended", customer="acme")
        good = hourly.config.read_text(encoding="utf-8")
        hourly.config.write_text(good + "\n[orbix]\nnonsense = 1\n", encoding="utf-8")
        running.send(signal.SIGHUP)
        assert running.wait("settings_kept")["level"] == "error"
        hourly.config.write_text(good.replace("ledger.db", "other.db"), encoding="utf-8")
        hourly.set(ledger={"url": "sqlite:///other.db"})
        running.send(signal.SIGHUP)
        assert "restart" in running.wait("settings_kept", 2)["next"]
        hourly.set(ledger={"url": "sqlite:///ledger.db"})
        hourly.write(beta=customer("beta", schedule="every 1h"))
        hourly.put(people("ana"), "beta.csv")
        running.send(signal.SIGHUP)
        running.wait("settings_taken")
        running.wait("run_ended", customer="beta", exit_code=0)
        assert len(running.said("run_ended", customer="acme")) == 1, "its due time stood"
        running.stop()


def test_a_ledger_that_cannot_be_read_at_sighup_ends_nothing(hourly: Office) -> None:
    with service(hourly) as running:
        running.wait("run_ended", customer="acme")
        with closing(sqlite3.connect(hourly.ledger)) as ledger:
            ledger.execute("ALTER TABLE agenda RENAME TO away")
            running.send(signal.SIGHUP)
            assert "agenda" in running.wait("settings_kept")["problem"]
            ledger.execute("ALTER TABLE away RENAME TO agenda")
        running.send(signal.SIGHUP)
        running.wait("settings_taken")
        running.stop()


def test_sigusr1_runs_now(hourly: Office) -> None:
    with service(hourly) as running:
        running.wait("run_ended")
        hourly.put(people("ana", "bruno", "carlos", "dora", "egon", "flora"))
        running.send(signal.SIGUSR1)
        assert running.wait("run_ended", 2)["people"]["created"] == 1
        running.stop()


def test_the_service_manager_is_told(hourly: Office, tmp_path: Path) -> None:
    manager = Manager(tmp_path / "notify")
    try:
        with service(hourly, env={**manager.env, "WATCHDOG_USEC": "1000000"}) as running:
            manager.until(lambda heard: "READY=1" in heard)
            manager.until(lambda heard: heard.count("WATCHDOG=1") >= 3)
            manager.until(lambda heard: any(line.startswith("STATUS=idle; next acme at") for line in heard))
            heard = len(manager.heard)
            running.send(signal.SIGHUP)
            manager.until(lambda heard_: "READY=1" in heard_[heard:])
            after = manager.heard[heard:]
            assert after.index("RELOADING=1") < after.index("READY=1")
            assert any(line.startswith("MONOTONIC_USEC=") for line in after)
            running.stop()
            manager.until(lambda heard: "STOPPING=1" in heard)
    finally:
        manager.close()


def test_blackouts_keep_a_customer_waiting(hourly: Office) -> None:
    hourly.set(customers={"acme": {"blackouts": ["2020-01-01..2099-12-31"]}})
    with service(hourly) as running:
        assert running.wait("scheduled", job="run")["next_run"].startswith("2100-01-01T00:00:00")
        running.stop()
    assert hourly.users() == {}


def test_fault_68_in_a_thousand_races_nobody_runs_beside_another(hourly: Office) -> None:
    """Every time one of four may run; the others are refused within a second, processes' starts left out."""
    line = [sys.executable, "-m", "tests.cli.racing", str(hourly.config), "1000", "4"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    told = json.loads(done.stdout)
    assert sum(one["ran"] for one in told) == 1_000 and sum(one["refused"] for one in told) == 3_000
    assert not any(one["beside"] for one in told)
    assert max(one["slowest"] for one in told) < soon(5.0), "within a second where nothing else runs"


def test_settings_that_are_in_use_stay_open_until_their_last_user_has_ended(office: Office) -> None:
    """Whoever begins after newer ones were taken never gets what is being closed."""
    settings, log = load(office.config, {}).settings, structlog.get_logger()
    turns = Turns(Generation(settings, threading.Event(), log), threading.Event(), log)
    first, closed = turns.generation, list[str]()
    first._stack.callback(lambda: closed.append("first"))
    with turns.using() as one:
        with turns.using() as other:
            assert one is other is first
            turns.replace(settings, None)
        with turns.using() as newer:
            assert newer is not first
        assert not closed
    assert closed == ["first"]
    second = turns.generation
    second._stack.callback(lambda: closed.append("second"))
    turns.replace(settings, None)
    assert closed == ["first", "second"], "nobody used it"
