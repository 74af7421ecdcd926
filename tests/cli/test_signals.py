"""SIGTERM and SIGINT: in the middle of a request, in a wait, and for the daemon."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
from tests.cli.files import customer, numbered, people
from tests.cli.kit import PATIENCE, Office, Result, checked_run, clean, switches
from tests.cli.service_kit import soon

from rosterd.sandbox import serve

Process: TypeAlias = "subprocess.Popen[str]"
EveryMinute: TypeAlias = "tuple[Office, Process]"


@pytest.fixture(scope="module", autouse=True)
def every_minute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EveryMinute]:
    """A daemon whose customer is due every minute; started first, so that the other tests pass its time.

    Orbix tells it to wait for longer than they take.
    """
    with serve(switches=switches()) as server:
        office = Office(tmp_path_factory.mktemp("daemon"), server)
        office.write(acme=customer(schedule="* * * * *"))
        office.put(people("ana", "bruno", "carlos", "dora", "egon"))
        office.fault("status", path="users", status=429, retry_after=115)
        with office.started("run", "--log-format", "json") as process:
            yield office, process


def until(holds: Callable[[], object], process: Process, what: str, seconds: float = PATIENCE) -> None:
    """Waits for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert process.poll() is None, f"ended before {what}: {process.communicate()}"
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def stopped(process: Process, number: int = signal.SIGTERM) -> tuple[float, Result]:
    """Seconds until the process was gone after a signal, and what it said."""
    begun = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return time.monotonic() - begun, clean(Result(process.returncode, out, err))


def asked_for(office: Office, path: str = "/v1/users") -> Callable[[], object]:
    return lambda: office.requests(path)


def one(result: Result) -> dict[str, Any]:
    part: dict[str, Any] = checked_run(result)["customers"]["acme"]
    return part


def converges(office: Office, count: int) -> None:
    office.calm()
    office.one(code=0)
    assert len(office.users()) == count
    assert office.one(code=0)["requests"] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_fault_56_stopped_in_the_middle_of_a_batch(office: Office, number: int) -> None:
    """The answer still comes: it is read and acknowledged, and nothing more is sent."""
    office.set(orbix={"concurrency": 1})
    office.put(numbered(60))
    office.fault("too_large", bytes=3000, path="users")
    office.fault("delay", seconds=1.5, path="users", after=1)
    with office.started("run", "--once", "--json") as process:
        until(lambda: len(office.requests("/v1/users")) == 2, process, "the second request")
        seconds, result = stopped(process, number)
    assert result.code == 0 and seconds < 20
    part = one(result)
    assert part["people"]["created"] == 30 and part["people"]["unsent"] == 30
    assert len(office.requests("users")) == 2 and "stopped" in part["reason"]
    office.forget_requests()
    converges(office, 60)
    assert [entry["records"] for entry in office.requests("users")] == [30], (
        "what was acknowledged is not sent again"
    )


@pytest.mark.slow
def test_fault_56_an_answer_that_does_not_come_is_given_up(office: Office) -> None:
    office.set(orbix={"timeout": "60s"})
    office.fault("hang", seconds=60, path="users", applied=True)
    with office.started("run", "--once", "--json") as process:
        until(asked_for(office), process, "the request")
        seconds, result = stopped(process)
    assert seconds < 20 and result.code == 0
    part = one(result)
    assert part["people"]["created"] == 0 and part["people"]["unsent"] == 5, "no 201, no acknowledgement"
    converges(office, 5)


def waits(office: Office, path: str, **settings: Any) -> None:
    office.set(orbix={"retry_after_cap": "2m", "attempts": 5})
    office.fault("status", path=path, **settings)
    with office.started("run", "--once", "--json") as process:
        until(asked_for(office, {"users": "/v1/users", "token": "token"}[path]), process, "the first answer")
        time.sleep(0.3)  # the answer is read and the wait begins; earlier or later, the outcome is the same
        seconds, result = stopped(process)
    assert seconds < soon(1.5), seconds
    assert result.code == 0 and one(result)["people"]["unsent"] == 5
    converges(office, 5)


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("users", {"status": 429, "retry_after": 60}),
        ("users", {"status": 503, "retry_after": 60}),
        ("token", {"status": 429, "retry_after": 60}),
    ],
)
def test_fault_57_stopped_in_a_wait(office: Office, path: str, settings: dict[str, Any]) -> None:
    waits(office, path, **settings)


def test_stopped_while_a_file_settles(office: Office) -> None:
    office.set(customers={"acme": {"sources": {"hr": {"settle": "60s"}}}})
    with office.started("run", "--once", "--json") as process:
        until(lambda: (office.directory / "ledger.db.lock").exists(), process, "the lock")
        time.sleep(0.3)  # the reading begins; earlier or later, the outcome is the same
        seconds, result = stopped(process)
    assert seconds < soon(1.5) and result.code == 0 and office.users() == {}


def test_the_status_of_a_run_that_was_stopped(office: Office) -> None:
    office.fault("status", path="users", status=429, retry_after=60)
    office.set(orbix={"attempts": 5})
    with office.started("run", "--once", "--json") as process:
        until(asked_for(office), process, "the first answer")
        stopped(process)
    status = office.do("status", "--json")
    assert status.code == 10, "something is still to be done"
    assert status.document["customers"]["acme"]["state"] == "stopped, the next run goes on"
    office.calm()
    office.run(code=0)
    assert office.do("status").code == 0


# The daemon


def lines(process: Process, word: str) -> str:
    """The daemon's next line of log with this word; everything before it is skipped."""
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return line
    raise AssertionError(f"ended without {word}: {process.wait()}")


@pytest.fixture
def daily(office: Office) -> Office:
    """A schedule that is not due during a test."""
    office.set(customers={"acme": {"schedule": "0 3 1 1 *", "time_zone": "America/Sao_Paulo"}})
    return office


def test_the_daemon_stops_at_once_when_idle(daily: Office) -> None:
    with daily.started("run") as process:
        assert "next_run" in lines(process, "scheduled")
        seconds, result = stopped(process)
    assert seconds < soon() and result.code == 0 and "Traceback" not in result.err
    assert daily.users() == {}


def test_the_daemon_takes_no_options_of_a_single_run(daily: Office) -> None:
    for option in (("--yes",), ("--json",), ("--only", "ana")):
        result = daily.do("run", *option)
        assert result.code == 2 and "--once" in result.err, result.said


def test_the_daemon_runs_on_its_schedule_and_stops_in_a_wait(every_minute: EveryMinute) -> None:
    """Row 57 for the daemon, and row 69: a single run during one of the daemon's."""
    office, process = every_minute
    until(asked_for(office), process, "the minute to turn", seconds=75)
    document = office.run(code=7)
    assert str(process.pid) in document["customers"]["acme"]["reason"]
    seconds, result = stopped(process)
    assert seconds < soon(1.5) and result.code == 0, result.err
    converges(office, 5)
