"""The fault table's rows 5 and 27 to 29: how long is waited, and when a run ends instead."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing

import pytest
from tests.cli.kit import Office
from tests.cli.test_customers import four
from tests.cli.test_faults_orbix import mends


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
    part = office.one(code=6)
    assert "600 s" in part["reason"] and "retry_after_cap" in part["reason"]
    assert part["people"]["unsent"] == 5 and time.monotonic() - begun < 5 and fault.hits == 1
    comes_back(office)


def comes_back(office: Office) -> None:
    """The pause is kept: the next run, another process, asks nobody before its time; then all is delivered."""
    office.calm()
    office.forget_requests()
    part = office.one(code=6)
    assert "come back in" in part["reason"] and part["people"]["unsent"] == 5
    assert office.requests("") == [], "not even for a token"
    later(office, 601)
    mends(office)


def later(office: Office, seconds: float) -> None:
    """As if the waits that the ledger keeps had been noted so long ago."""
    with closing(sqlite3.connect(office.ledger)) as ledger, ledger:
        for name, value in list(ledger.execute("SELECT name, value FROM meta WHERE name LIKE 'wait:%'")):
            since, until, times = json.loads(value)
            moved = json.dumps([since - seconds, until - seconds, times])
            ledger.execute("UPDATE meta SET value = ? WHERE name = ?", (moved, name))


def test_fault_28_a_pause_that_is_kept_is_waited_for_when_it_is_short_by_now(office: Office) -> None:
    fault = office.fault("status", status=429, path="users", times=1, retry_after=600)
    office.one(code=6)
    later(office, 598)
    assert lasted(office) > 0.2 and fault.hits == 1


def test_faults_28_and_70_a_clock_that_was_put_back_does_not_prolong_a_pause(office: Office) -> None:
    office.fault("status", status=429, path="users", times=1, retry_after=600)
    office.one(code=6)
    later(office, -365 * 86_400)
    mends(office)


def test_fault_28_the_cap_is_a_setting(office: Office) -> None:
    office.set(orbix={"retry_after_cap": "1s"})
    office.fault("status", status=429, path="users", retry_after=2)
    assert "2 s" in office.one(code=6)["reason"]
    later(office, 3)
    mends(office)


def test_fault_28_the_cap_concerns_every_customer(office: Office) -> None:
    """After one customer was told to come back later, the others do not ask at once again."""
    office.settings = {}
    four(office)
    fault = office.fault("status", status=429, path="users", retry_after=600)
    office.run(code=6)
    assert fault.hits == 1
    office.calm()
    later(office, 601)
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
    comes_back(office)
