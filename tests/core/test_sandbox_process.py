"""The sandbox as a server and as a process: TLS, connections, its end, and what its journal remembers."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from tests.core.sandbox_kit import BASE, Caller, body_of, certified, groups_of, people, user

from rosterd.sandbox import Faults, Switches, World, fault, serve
from rosterd.sandbox.command import main

SRC = Path(__file__).parents[2] / "src"
USERS, GROUPS = "/v1/users", "/v1/groups/users"


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """A sandbox of its own, and what it said when it was ready."""
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    command = [sys.executable, "-m", "rosterd.sandbox", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as running:
        try:
            assert running.stdout
            yield running, json.loads(running.stdout.readline())
        finally:
            running.kill()


def within(seconds: float, condition: Callable[[], bool]) -> None:
    """Waits for a condition; fails when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kill_when(running: subprocess.Popen[bytes], enough: threading.Event) -> None:
    enough.wait(10)
    running.kill()


def lines(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text().splitlines()]


class TestServer:
    def test_tls(self, tmp_path: Path) -> None:
        certificate, key = certified(tmp_path)
        trust = ssl.create_default_context(cafile=certificate)
        with serve(tls=(certificate, key)) as server:
            assert server.url.startswith("https://127.0.0.1:")
            connection = HTTPSConnection("127.0.0.1", server.port, context=trust, timeout=10)
            connection.request("GET", "/_sandbox/state")
            assert json.load(connection.getresponse()) == {"clients": [], "requests": 0}
            connection.close()
            server.faults.add(fault("reset", path="/reset"))
            with (
                socket.create_connection(("127.0.0.1", server.port), timeout=10) as plain,
                trust.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as secure,
            ):
                secure.sendall(b"GET /reset HTTP/1.1\r\n\r\n")
                with pytest.raises(OSError, match=r"reset|EOF"):  # which one depends on the library
                    secure.recv(100)

    def test_connections_are_served_at_the_same_time(self) -> None:
        with serve(faults=Faults([fault("hang", path="users", seconds=60)])) as server:
            callers = [Caller(server.port) for _ in range(4)]
            for caller in callers:
                caller.sign_in()
                body = json.dumps(body_of(user("a"))).encode()
                caller.connection.request("POST", USERS, body, caller.headers())
            within(5, lambda: server.world.in_flight == 4)
            assert max(entry["in_flight"] for entry in server.world.requests) == 4
            for caller in callers:
                caller.connection.close()

    def test_close_waits_for_nobody(self) -> None:
        server = serve(faults=Faults([fault("hang", path="users", seconds=60)]))
        hanging, idle = Caller(server.port), Caller(server.port)
        idle.sign_in()
        hanging.sign_in()
        outcome: list[str] = []

        def call() -> None:
            with pytest.raises((OSError, HTTPException)):
                hanging.call(USERS, body_of(user("a")))
            outcome.append("ended")

        thread = threading.Thread(target=call)
        thread.start()
        within(5, lambda: len(server.world.requests) == 3)
        started = time.monotonic()
        server.close()
        server.close()
        assert time.monotonic() - started < 2
        thread.join(5)
        assert outcome == ["ended"]
        for caller in (hanging, idle):
            caller.connection.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=1)

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"nonsense\r\n\r\n", 400),
            (b"GET / HTTP/2\r\n\r\n", 400),
            (b"POST /v1/users HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (b"POST /v1/users HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
            (b"POST /v1/users HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
            (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431),
            (b"GET /_sandbox/state HTTP/1.0\r\n\r\n", 200),
            (b"GET /_sandbox/state HTTP/1.1\r\nConnection: close\r\n\r\n", 200),
        ],
    )
    def test_heads(self, sent: bytes, status: int) -> None:
        with (
            serve() as server,
            socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection,
        ):
            connection.sendall(sent)
            assert connection.recv(4096).startswith(f"HTTP/1.1 {status} ".encode())
            assert status != 200 or connection.recv(4096) == b""  # asked to close

    def test_two_requests_in_one_packet(self) -> None:
        one = b"GET /_sandbox/counts HTTP/1.1\r\n\r\n"
        with (
            serve() as server,
            socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection,
        ):
            connection.sendall(one + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            answer = b""
            while part := connection.recv(4096):
                answer += part
            assert answer.count(b"HTTP/1.1 200 OK") == 2

    def test_a_body_that_waits_for_continue(self) -> None:
        with (
            serve() as server,
            socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection,
        ):
            connection.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
            assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"ok")
            assert connection.recv(100).startswith(b"HTTP/1.1 404")


class TestJournal:
    def test_one_line_for_everything_accepted(self, tmp_path: Path) -> None:
        journal = tmp_path / "journal"
        world = World(journal)
        with serve(world=world) as server, Caller(server.port) as caller:
            caller.call(GROUPS, groups_of(G=[user("A", Name="Ann"), user("b c")]))
            caller.call("/v1/users/synchronize", body_of(user("b")))
        world.close()
        common = {"tenant": "sandbox", "client": "ABC"}
        assert lines(journal) == [
            {"kind": "grouping", **common, "name": "G"},
            {"kind": "user", **common, "logon": "A", "domain": "ACME", "name": "Ann"},
            {"kind": "seat", **common, "grouping": "G", "user": "ACME//A"},
            {"kind": "user", **common, "logon": "b", "domain": "ACME"},
            {"kind": "user_gone", **common, "user": "acme//a"},
        ]

    def test_read_again_at_the_start(self, tmp_path: Path) -> None:
        journal = tmp_path / "journal"
        first = World(journal)
        switches = Switches(membership="replacing")
        with serve(world=first, switches=switches) as server, Caller(server.port) as caller:
            caller.call(GROUPS, groups_of(G=[user("a"), user("b")], H=[user("a")]))
            caller.call(GROUPS, groups_of(G=[user("b")]))
            caller.call("/v1/groups/users-sync", groups_of(G=[user("b"), user("c", Email="c@acme.example")]))
        first.close()
        again = World(journal)
        again.close()
        assert again.holdings == first.holdings
        assert again.members("ABC") == {"G": ["acme//b", "acme//c"]}

    def test_a_dropped_state_stays_dropped(self, tmp_path: Path) -> None:
        world = World(tmp_path / "journal")
        world.accept("sandbox", "ABC", [("user", "a", "ACME", None, None)])
        world.clear()
        world.accept("sandbox", "ABC", [("user", "b", "ACME", None, None)])
        world.close()
        again = World(tmp_path / "journal")
        again.close()
        assert list(again.users("ABC")) == ["acme//b"]

    def test_a_line_cut_short_is_removed(self, tmp_path: Path) -> None:
        journal = tmp_path / "journal"
        for logon in ("a", "b"):
            world = World(journal)
            world.accept("sandbox", "ABC", [("user", logon, "ACME", None, None)])
            world.close()
            with journal.open("ab") as file:
                file.write(b'{"kind":"us')
        world = World(journal)
        world.close()
        assert list(world.users("ABC")) == ["acme//a", "acme//b"]

    def test_nothing_accepted_is_lost_by_a_kill(self, tmp_path: Path) -> None:
        journal = tmp_path / "journal"
        told: set[str] = set()
        for start in range(0, 60, 20):
            with process("--journal", str(journal)) as (running, ready), Caller(ready["port"]) as caller:
                caller.sign_in()
                enough = threading.Event()
                killer = threading.Thread(target=kill_when, args=(running, enough))
                killer.start()
                try:
                    for number in range(start * 10_000, (start + 20) * 10_000, 50):
                        caller.call(USERS, body_of(*people(50, number)))
                        told.update(f"acme//p{each}" for each in range(number, number + 50))
                        enough.set()
                except (OSError, HTTPException):
                    pass
                killer.join()
                running.wait(10)
        world = World(journal)
        world.close()
        assert len(told) >= 150
        assert told <= set(world.users("ABC"))


class TestProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_at_once(self, number: signal.Signals) -> None:
        hang = json.dumps({"kind": "hang", "path": "users", "seconds": 60})
        with process("--fault", hang) as (running, ready), Caller(ready["port"]) as caller:
            caller.sign_in()
            body = json.dumps(body_of(user("a"))).encode()
            caller.connection.request("POST", BASE + USERS, body, caller.headers())
            started = time.monotonic()
            running.send_signal(number)
            assert running.wait(10) == 0
            assert time.monotonic() - started < 3

    def test_its_switches(self) -> None:
        names = ["--tenant", "acme", "--client-id", "id", "--client-secret", "word", "--client", "ABC"]
        rest = ["--membership", "replacing", "--synchronize", "session", "--base-path", "/api"]
        with process(*names, *rest) as (_, ready), Caller(ready["port"]) as caller:
            assert ready["base_url"] == ready["url"] + "/api"
            assert ready["token_url"] == ready["url"] + "/connect/token"
            assert caller.sign_in(client_id="id", client_secret="word")[0] == 200
            for path in ("/api/v1/users", "/v1/users"):
                body = json.dumps(body_of(user("a"))).encode()
                headers = caller.headers(Tenant="acme")
                assert caller.send("POST", path, body, headers)[0] == 201
            body = json.dumps(body_of(user("a"), client="DEF")).encode()
            assert caller.send("POST", "/api/v1/users", body, headers)[0] == 400

    def test_a_wrong_switch_is_a_usage_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        for wrong in (["--fault", '{"kind":"no"}'], ["--fault", "{"], ["--cert", "a.pem"]):
            with pytest.raises(SystemExit) as raised:
                main(wrong)
            assert raised.value.code == 2
            assert wrong[0] in capsys.readouterr().err

    def test_it_imports_nothing_of_the_rest(self) -> None:
        code = (
            "import sys, rosterd.sandbox.command; "
            "ours = [name for name in sys.modules if name.startswith('rosterd')]; "
            "rest = [name for name in ours if not name.startswith('rosterd.sandbox')]; "
            "assert rest == ['rosterd'], rest; assert not {'httpx', 'pydantic'} & set(sys.modules)"
        )
        environment = {**os.environ, "PYTHONPATH": str(SRC)}
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
