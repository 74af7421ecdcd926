"""The running service when its machine has nothing left to give: no reader of its log, no files, no memory."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.cli.files import limit, numbered, people
from tests.cli.kit import PATIENCE, Office
from tests.cli.service_kit import open_files, service

FIVE = ("ana", "bruno", "carlos", "dora", "egon")


@pytest.fixture
def hourly(office: Office) -> Office:
    """Due at once, then every hour; no console."""
    office.set(console={"listen": ""}, customers={"acme": {"schedule": "every 1h"}})
    return office


def until(holds: Callable[[], object], process: subprocess.Popen[str], what: str) -> None:
    deadline = time.monotonic() + 2 * PATIENCE
    while not holds():
        assert process.poll() is None and time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


@contextmanager
def unheard(office: Office) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The service with the smallest pipe for its log, and that pipe's end, which nobody reads."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4_096)
    try:
        with office.started("run", "--log-format", "json", stderr=writing) as process:
            os.close(writing)
            yield process, reading
    finally:
        os.close(reading)


def delivered(office: Office, process: subprocess.Popen[str], more: int) -> None:
    """Five people and so many more; asked for until they are there: a run that goes on has read its file already."""
    office.put(people(*FIVE, *(f"new{number}" for number in range(more))))

    def there() -> bool:
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.2)
        return len(office.users()) == 5 + more

    until(there, process, f"person {more}")


def ends(process: subprocess.Popen[str]) -> None:
    process.terminate()
    assert process.wait(PATIENCE) == 0


def test_fault_94_a_log_that_nobody_reads_stops_no_run(hourly: Office) -> None:
    """And when it is read again, how many lines were lost is told."""
    with unheard(hourly) as (process, reading):
        until(lambda: len(hourly.users()) == 5, process, "the first run")
        for more in range(1, 12):
            delivered(hourly, process, more)
        os.set_blocking(reading, False)
        read = os.read(reading, 1 << 16)
        assert read.count(b"run_ended") < 12, "it was full"
        delivered(hourly, process, 12)
        found = list[bytes]()

        def heard() -> bool:
            with suppress(BlockingIOError):
                found.append(os.read(reading, 1 << 16))
            return b"log_lines_lost" in b"".join(found)

        until(heard, process, "the line about lost lines")
        lost = next(line for line in b"".join(found).splitlines() if b"log_lines_lost" in line)
        assert json.loads(lost)["lines"] > 0
        ends(process)


def test_fault_94_a_log_whose_reader_has_gone_stops_no_run(hourly: Office) -> None:
    reading, writing = os.pipe()
    with hourly.started("run", "--log-format", "json", stderr=writing) as process:
        os.close(writing)
        until(lambda: len(hourly.users()) == 5, process, "the first run")
        os.close(reading)
        delivered(hourly, process, 1)
        ends(process)


def test_fault_93_no_files_left(hourly: Office) -> None:
    """Every run ends with a code that says whose trouble it is; the first with files again delivers."""
    with service(hourly) as running:
        running.wait("run_ended", exit_code=0)
        pid, codes = running.process.pid, set[int]()
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        least = (
            open_files(pid) - 8
        )  # a run may be tidied away just now; below what is open nothing more opens
        for more in range(12):
            hourly.put(people(*FIVE, *(f"new{number}" for number in range(more + 1))))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (least + more, most))
            running.send(signal.SIGUSR1)
            codes.add(running.wait("run_ended", more + 2)["exit_code"])
        assert codes <= {0, 5, 6, 8} and codes & {5, 6, 8}, codes
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        running.send(signal.SIGUSR1)
        assert running.wait("run_ended", 14)["exit_code"] == 0
        running.stop()
    assert len(hourly.users()) == 17
    assert hourly.one(code=0)["requests"] == 0


@contextmanager
def large_stacks() -> Iterator[None]:
    """Processes started meanwhile reserve half a gibibyte for every thread (pthread_create(3))."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 29, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))


def test_fault_93_no_memory_for_another_thread(hourly: Office) -> None:
    """The C library keeps one dead thread's stack, so the second of two requests is the one that cannot start."""
    hourly.set(customers={"acme": {"guards": {"creates": limit(at_least=1_000_000)}}})
    with large_stacks(), service(hourly) as running:
        running.wait("run_ended", exit_code=0)
        pid = running.process.pid
        size = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        _, most = resource.prlimit(pid, resource.RLIMIT_AS)
        hourly.put([*people(*FIVE), *numbered(4_501)])
        resource.prlimit(pid, resource.RLIMIT_AS, (size + (1 << 28), most))
        running.send(signal.SIGUSR1)
        ended = running.wait("run_ended", 2)
        told = ended["people"]
        assert ended["exit_code"] == 6 and told["created"] + told["unsent"] == 4_501, ended
        assert told["unsent"] > 0 and "limit of processes" in ended["reason"]
        assert hourly.do("status", "--json").document["customers"]["acme"]["in_doubt"] == told["unsent"]
        resource.prlimit(pid, resource.RLIMIT_AS, (most, most))
        running.send(signal.SIGUSR1)
        assert running.wait("run_ended", 3)["exit_code"] == 0
        running.stop()
    assert len(hourly.users()) == 4_506
    assert hourly.one(code=0)["requests"] == 0
