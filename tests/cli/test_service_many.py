"""A thousand customers due at once: each gets its turn, and the service answers meanwhile."""

from __future__ import annotations

import http.client
import signal
import time
from collections.abc import Iterator

import pytest
from tests.cli.files import customer, people
from tests.cli.kit import PATIENCE, Office
from tests.cli.service_kit import Running, free_port, service

COUNT = 1_000


@pytest.fixture
def crowd(office: Office) -> Iterator[tuple[Office, int]]:
    """The office with its thousand customers of one person each, and the console's port."""
    port = free_port()
    office.settings = {}
    office.set(console={"listen": f"127.0.0.1:{port}"}, daemon={"customers_at_once": 8})
    office.write(**{f"c{n}": customer(f"c{n}", schedule="every 1h") for n in range(COUNT)})
    for n in range(COUNT):
        office.put(people(f"p{n}"), f"c{n}.csv")
    yield office, port


def healthy(port: int) -> bool:
    """Whether the service says that it lives, within a few seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def served(running: Running) -> set[str]:
    return {line["customer"] for line in running.said("run_ended", exit_code=0)}


@pytest.mark.slow
def test_a_thousand_due_at_once_each_get_their_turn(crowd: tuple[Office, int]) -> None:
    office, port = crowd
    with service(office) as running:
        running.wait("console")
        running.wait("run_ended", 20)
        assert running.stop() < 20, "with hundreds of them waiting"
        first = served(running)
    assert 20 <= len(first) < COUNT
    with service(office) as running:
        running.wait("console")
        running.wait("run_ended", 50)
        running.send(signal.SIGUSR1)  # whoever waits already is not owed twice
        deadline = time.monotonic() + 240
        while len(first | served(running)) < COUNT:
            assert time.monotonic() < deadline and running.process.poll() is None, len(served(running))
            assert healthy(port), "while they run"
            time.sleep(0.5)
        assert running.stop() < 20
    assert all(len(office.users(f"C{n}")) == 1 for n in range(COUNT))
