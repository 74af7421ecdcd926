"""What programs ask the running service, over real sockets: who may, what it says, and that it names nobody."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from openapi_spec_validator import validate
from tests.cli.files import people
from tests.cli.kit import PATIENCE, Office
from tests.cli.service_kit import Running, free_port, service, soon, until

from rosterd.daemon.console import ACTIONS
from rosterd.daemon.openapi import DOCUMENT

TOKEN = "a-token-of-more-than-sixteen-characters"


@dataclass
class Browser:
    """Asks the service."""

    port: int
    running: Running

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(
                method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
            answer = connection.getresponse()
            return (
                answer.status,
                {name.lower(): value for name, value in answer.getheaders()},
                answer.read().decode(),
            )
        finally:
            connection.close()

    def json(self, path: str, code: int = 200, **headers: str) -> Any:
        status, _, text = self.get(path, **headers)
        assert status == code, (status, text)
        return json.loads(text)

    def until(self, path: str, holds: Any) -> Any:
        """Asks until the answer is as wanted."""
        deadline = time.monotonic() + PATIENCE
        while not holds(found := self.json(path)):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found


@pytest.fixture
def served(office: Office) -> Iterator[Browser]:
    port = free_port()
    office.set(console={"listen": f"127.0.0.1:{port}"}, customers={"acme": {"schedule": "every 1h"}})
    office.put(people("ana", "bruno", "carlos", "dora", "not ok"))
    with service(office) as running:
        running.wait("run_ended")
        running.wait("console")
        browser = Browser(port, running)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                browser.get("/healthz")
                break
            except OSError:
                time.sleep(0.02)
        yield browser
        assert running.stop() < soon()


def has_run(found: Any) -> bool:
    """Whether acme's first run is over: it is in the list of runs from its beginning."""
    acme = found["customers"].get("acme", {})
    return bool(acme.get("last_outcome")) and acme["running"] is None


def test_status_and_runs(served: Browser) -> None:
    status = served.until("/api/status", has_run)
    acme = status["customers"]["acme"]
    assert status["schema"] == "rosterd/status/1" and status["total"] == 1
    assert (acme["state"], acme["people"], acme["set_aside"]) == ("new problems", 4, 1)
    assert acme["running"] is None and acme["last_success"] and acme["next_run"]
    runs = served.json("/api/runs?customer=acme")["runs"]
    assert [run["people"]["created"] for run in runs] == [4]
    assert served.json(f"/api/runs?customer=acme&before={runs[0]['id']}")["runs"] == []
    for path, code in (
        ("/api/runs", 400),
        ("/api/runs?customer=no", 404),
        ("/api/runs?customer=acme&limit=0", 400),
    ):
        assert served.json(path, code)["error"]


def test_probes_say_nothing_of_anybody(served: Browser) -> None:
    served.until("/readyz", lambda found: found["ready"])
    for path in ("/healthz", "/readyz"):
        _, _, text = served.get(path, host="10.0.0.7:8321")
        assert not re.search(r"acme|ana|NDD", text, re.IGNORECASE)


def test_metrics(served: Browser) -> None:
    wanted = {
        'rosterd_records_total{customer="acme",kind="people",outcome="created"} 4.0',
        'rosterd_records_total{customer="acme",kind="people",outcome="set_aside"} 1.0',
        'rosterd_runs_total{customer="acme",exit_code="3"} 1.0',
        'rosterd_requests_total{path="/v1/users",status="201"} 1.0',
        'rosterd_request_seconds_count{path="/v1/users"} 1.0',
        'rosterd_people{customer="acme"} 4.0',
        'rosterd_holds{customer="acme"} 0.0',
        "rosterd_retries_total 0.0",
        "rosterd_requests_waiting 0.0",
        "rosterd_settings_ok 1.0",
    }
    until(lambda: not wanted - set(served.get("/metrics")[2].splitlines()))
    status, headers, text = served.get("/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
    success = re.search(r'rosterd_last_success_timestamp_seconds{customer="acme"} (\S+)', text)
    assert success and abs(float(success[1]) - time.time()) < 60
    assert re.search(r'rosterd_ledger_bytes{file="main"} [1-9]', text)
    assert "ana" not in text.replace("rosterd_", "") and "NDD" not in text


def test_only_known_names_are_served(served: Browser) -> None:
    for host in ("evil.example", f"evil.example:{served.port}", "127.0.0.1.evil.example", ""):
        assert served.get("/api/status", host=host)[0] in (400, 421), host
    for host in (f"localhost:{served.port}", f"LOCALHOST:{served.port}", "127.0.0.1"):
        assert served.get("/api/status", host=host)[0] == 200


def test_nothing_is_changed_without_a_token(served: Browser) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert served.get("/api/status", method)[0] == 403


def test_headers_forbid_what_a_page_does_not_need(served: Browser) -> None:
    for path in ("/api/status", "/no/such/page", "/healthz"):
        _, headers, _ = served.get(path)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in headers and headers["cache-control"] == "no-store"


def test_the_document_describes_what_is_served(served: Browser) -> None:
    document = served.json("/api/openapi.json")
    validate(document)
    acts = {path for path, verbs in document["paths"].items() if "post" in verbs}
    assert acts == {f"/customers/{{name}}/{verb}" for verb in ACTIONS}
    for path in acts:
        assert served.get(path.format(name="acme"), "POST")[0] == 403, (
            "no token is set: nothing can be changed"
        )
    for path, verbs in ((path, verbs) for path, verbs in document["paths"].items() if path not in acts):
        asked = f"{path}?customer=acme" if "customer" in str(verbs.get("get", {}).get("parameters")) else path
        assert served.get(asked)[0] == 200, path
    assert DOCUMENT["info"]["version"] == "" != document["info"]["version"]


def test_with_a_token_everything_but_the_probes_wants_it(office: Office) -> None:
    port = free_port()
    office.set(
        console={"listen": f"0.0.0.0:{port}", "token": TOKEN}, customers={"acme": {"schedule": "every 1h"}}
    )
    with service(office) as running:
        running.wait("run_ended")
        browser = Browser(port, running)
        running.wait("console")
        time.sleep(0.3)  # until it accepts; a refused connection would fail the next line
        assert browser.get("/healthz")[0] == 200
        for path in ("/api/status", "/metrics", "/api/runs?customer=acme", "/no/such/page"):
            assert browser.get(path)[0] == 401
            assert browser.get(path, authorization="Bearer wrong")[0] == 401
            assert browser.get(path, cookie="rosterd_session=wrong")[0] == 401
            assert browser.get(path, cookie=f"rosterd_session={TOKEN}")[0] == 401
            assert browser.get(path, authorization=f"Bearer {TOKEN}", host="10.1.2.3:9")[0] in (200, 404)
            assert browser.get(path, host="evil.example")[0] == 421
        assert running.stop() < soon()


def test_an_address_in_use_does_not_stop_the_runs(office: Office) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        office.set(console={"listen": listen}, customers={"acme": {"schedule": "every 1h"}})
        with service(office) as running:
            assert running.wait("console_unreachable")["listen"] == listen
            running.wait("run_ended", exit_code=0)
            assert running.stop() < soon()


def test_whoever_holds_connections_open_shuts_nobody_out(served: Browser) -> None:
    """Half requests, and forms that never end: others are served at once, and these are given up after a while."""
    held = []
    for number in range(100):
        one = socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE)
        form = b"POST /login HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\na="
        one.sendall(b"GET /healthz HTTP/1.1\r\nhost: 127" if number % 2 else form)
        held.append(one)
    assert served.get("/healthz")[0] == 200 and served.get("/api/status")[0] == 200
    for one in held:
        with one, suppress(ConnectionResetError):
            while one.recv(65_536):  # a form without a token is refused before it is read
                pass
    assert served.get("/healthz")[0] == 200


def test_garbage_leaves_no_line_that_is_not_json(served: Browser) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as line:
            line.sendall(garbage)
            assert line.recv(65_536).startswith(b"HTTP/1.1 400 ")
    served.running.send(signal.SIGUSR1)
    served.running.wait("run_now")  # what was said before has been read
    plain = [line for line in served.running.lines if "level" not in line]
    assert plain == []
