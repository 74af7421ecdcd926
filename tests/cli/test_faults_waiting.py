"""The fault table's rows 5 and 27 to 29: how long is waited, and when a run ends instead."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing

import pytest
from tests.cli.kit import Office
from tests.cli.service_kit import service
from tests.cli.test_customers import four
from tests.cli.test_faults_orbix import fails, mends


def lasted(office: Office) -> float:
    """Seconds of a run that delivers all."""
    begun = time.monotonic()
    part = office.one(code=0)
    assert part["people"]["created"] == 5 and len(office.users()) == 5
    return time.monotonic() - begun


def test_fault_05_a_host_without_address(office: Office) -> None:
    office.set(
        orbix={
            "base_url": "https://orbix.invalid/api",
            "token_url": "https://orbix.invalid/token",
            "timeout": "5s",
        }
    )
    part = office.one(code=6)
    assert "orbix.invalid" in part["reason"]


def test_fault_27_429_without_retry_after(office: Office) -> None:
    fault = office.fault("status", status=429, path="users", times=1)
    assert lasted(office) >= 1.0 and fault.hits == 1


@pytest.mark.parametrize("status", [429, 503])
def test_fault_28_retry_after_in_seconds(office: Office, status: int) -> None:
    office.fault("status", status=status, path="users", times=1, retry_after=2)
    assert lasted(office) >= 2.0


@pytest.mark.parametrize("status", [429, 503])
def test_fault_28_over_the_cap_the_run_ends(office: Office, status: int) -> None:
    fault = office.fault("status", status=status, path="users", retry_after=600)
    begun = time.monotonic()
    fails(office, "600 s", "retry_after_cap")
    assert time.monotonic() - begun < 5 and fault.hits == 1


def test_fault_28_the_service_keeps_the_pause_in_its_next_process(office: Office) -> None:
    office.set(console={"listen": ""}, customers={"acme": {"schedule": "every 1h"}})
    fault = office.fault("status", status=429, path="users", times=1, retry_after=600)
    with service(office) as running:
        assert "600 s" in running.wait("run_ended", exit_code=6)["reason"]
        running.stop()
    office.forget_requests()
    with service(office) as running:
        running.send(signal.SIGUSR1)
        assert "come back in" in running.wait("run_ended", exit_code=6)["reason"]
        assert office.requests("") == [], "not even for a token"
        running.stop()
    later(office, 598)
    with service(office) as running:
        running.send(signal.SIGUSR1)
        running.wait("run_ended", exit_code=0)  # the rest is waited for
        running.stop()
    assert fault.hits == 1 and len(office.users()) == 5


def later(office: Office, seconds: float) -> None:
    """As if the waits that the ledger keeps had been noted so long ago."""
    with closing(sqlite3.connect(office.ledger)) as ledger, ledger:
        for name, value in list(ledger.execute("SELECT name, value FROM meta WHERE name LIKE 'wait:%'")):
            since, until, times = json.loads(value)
            moved = json.dumps([since - seconds, until - seconds, times])
            ledger.execute("UPDATE meta SET value = ? WHERE name = ?", (moved, name))


def test_faults_28_and_70_a_clock_that_was_put_back_does_not_prolong_a_pause(office: Office) -> None:
    office.set(console={"listen": ""}, customers={"acme": {"schedule": "every 1h"}})
    office.fault("status", status=429, path="users", times=1, retry_after=600)
    office.one(code=6)
    later(office, -365 * 86_400)
    with service(office) as running:
        running.send(signal.SIGUSR1)
        running.wait("run_ended", exit_code=0)
        running.stop()


def test_fault_28_the_cap_is_a_setting(office: Office) -> None:
    office.set(orbix={"retry_after_cap": "1s"})
    office.fault("status", status=429, path="users", retry_after=2)
    fails(office, "2 s")


def test_fault_28_the_cap_concerns_every_customer(office: Office) -> None:
    """After one customer was told to come back later, the others do not ask at once again."""
    office.settings = {}
    four(office)
    fault = office.fault("status", status=429, path="users", retry_after=600)
    office.run(code=6)
    assert fault.hits == 1
    office.calm()
    office.run(code=0)


def test_fault_29_a_date_to_come(office: Office) -> None:
    office.fault("status", status=429, path="users", times=1, retry_in=3)
    assert lasted(office) >= 1.9, "whole seconds are what an HTTP date has"


@pytest.mark.parametrize("value", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-5", "1e9", ""])
def test_fault_29_a_past_or_bad_date(office: Office, value: str) -> None:
    office.fault("status", status=429, path="users", times=1, retry_after=value)
    assert 1.0 <= lasted(office) < 5.0


def test_fault_28_the_token_server_asks_to_wait(office: Office) -> None:
    office.fault("status", status=429, path="token", times=1, retry_after=2)
    assert lasted(office) >= 2.0
    office.calm()


def test_fault_28_the_token_server_is_over_the_cap(office: Office) -> None:
    office.fault("status", status=429, path="token", retry_after=600)
    part = office.one(code=6)
    assert "600 s" in part["reason"]
    mends(office)
