"""Every fault switch, seen from the other end of a real socket."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from tests.core.sandbox_kit import BASE, FORM, GOOD_FORM, Caller, body_of, groups_of, people, user, wire

from rosterd.sandbox import Server, fault, serve
from rosterd.sandbox.faults import KINDS, parse
from rosterd.sandbox.odd import NOBODY, ODD, TOKEN_ODD

USERS, GROUPS = "/v1/users", "/v1/groups/users"
ONE = body_of(user("a"))


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def caller(server: Server) -> Iterator[Caller]:
    with Caller(server.port) as client:
        client.sign_in()
        yield client


def held(server: Server) -> list[str]:
    return sorted(server.world.users("ABC"))


class TestConnection:
    @pytest.mark.parametrize("applied", [False, True])
    def test_reset_before_the_answer(self, server: Server, caller: Caller, applied: bool) -> None:
        server.faults.add(fault("reset", path="users", applied=applied, times=1))
        with pytest.raises(ConnectionResetError):
            wire(server, caller, USERS, ONE)
        assert held(server) == (["acme//a"] if applied else [])
        assert caller.call(USERS, ONE) == (201, [])

    def test_closed_before_the_answer(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("reset", how="fin"))
        assert wire(server, caller, USERS, ONE) == b""

    def test_reset_at_accept(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("reset_at_accept", times=1))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            wire(server, caller, USERS, ONE)
        assert wire(server, caller, USERS, {**ONE, "Users": []}).startswith(b"HTTP/1.1 400")

    @pytest.mark.parametrize("applied", [False, True])
    def test_hang(self, server: Server, caller: Caller, applied: bool) -> None:
        server.faults.add(fault("hang", seconds=60, applied=applied))
        with pytest.raises(TimeoutError):
            wire(server, caller, USERS, ONE, timeout=0.2)
        assert held(server) == (["acme//a"] if applied else [])

    def test_a_hang_ends_with_the_connection_closed(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("hang", seconds=0.1))
        assert wire(server, caller, USERS, ONE) == b""

    def test_delay_before_and_after(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("delay", seconds=0.1), fault("delay", seconds=0.1, applied=True))
        started = time.monotonic()
        assert caller.call(USERS, ONE) == (201, [])
        assert time.monotonic() - started >= 0.2

    def test_drip(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("drip", rate=400, size=100))
        started = time.monotonic()
        assert caller.call(USERS, ONE) == (201, [])
        assert time.monotonic() - started >= 0.2
        assert held(server) == ["acme//a"]

    @pytest.mark.parametrize("part", ["header", "body", "chunked"])
    def test_truncated(self, server: Server, caller: Caller, part: str) -> None:
        server.faults.add(fault("truncate", part=part))
        answer = wire(server, caller, USERS, ONE)
        head, end, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 201")
        assert bool(end) == (part != "header")
        assert part == "header" or not body.endswith(b"0\r\n\r\n")
        assert part != "body" or int(head.rpartition(b"Length: ")[2].split()[0]) > len(body)
        assert held(server) == []

    def test_garbage(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("garbage", times=1))
        with pytest.raises(http.client.BadStatusLine):
            caller.call(USERS, ONE)

    def test_conflicting_lengths(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("lengths", applied=True))
        head = wire(server, caller, USERS, ONE).partition(b"\r\n\r\n")[0]
        lengths = {line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")}
        assert len(lengths) == 2
        assert held(server) == ["acme//a"]


class TestAnswer:
    @pytest.mark.parametrize(
        "status", [200, 204, 301, 302, 307, 308, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504, 599]
    )
    def test_any_status(self, server: Server, caller: Caller, status: int) -> None:
        headers = {"Location": "https://elsewhere.example/"}
        server.faults.add(fault("status", path="users", status=status, body="[]", headers=headers, times=1))
        body = json.dumps(ONE).encode()
        got, data, sent = caller.send("POST", BASE + USERS, body, caller.headers())
        assert (got, data) == (status, b"" if status == 204 else b"[]")
        assert sent["Location"] == headers["Location"]
        assert held(server) == []
        assert caller.call(USERS, ONE) == (201, [])  # on the same connection

    def test_204_has_no_body(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("status", status=204, body="[]"))
        assert wire(server, caller, USERS, ONE) == b"HTTP/1.1 204 No Content\r\n\r\n"

    def test_a_status_after_the_request_was_carried_out(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("status", status=502, body={"why": "gateway"}, applied=True))
        assert caller.call(USERS, ONE) == (502, {"why": "gateway"})
        assert held(server) == ["acme//a"]

    def test_retry_after(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("status", status=429, retry_after=7, times=1))
        server.faults.add(fault("status", status=503, retry_in=3600, times=1))
        body = json.dumps(ONE).encode()
        assert caller.send("POST", USERS, body, caller.headers())[2]["Retry-After"] == "7"
        date = caller.send("POST", USERS, body, caller.headers())[2]["Retry-After"]
        assert 3590 < parsedate_to_datetime(date).timestamp() - time.time() <= 3600

    @pytest.mark.parametrize("name", list(ODD))
    @pytest.mark.parametrize(("path", "body"), [(USERS, ONE), (GROUPS, groups_of(G=[user("a")]))])
    def test_odd_bodies(self, server: Server, caller: Caller, name: str, path: str, body: Any) -> None:
        server.faults.add(fault("odd", body=name))
        status, data = caller.raw(path, json.dumps(body).encode())
        assert status == 201
        assert data != b"[]"
        assert (NOBODY.encode() in data) == (name in ("unknown_user", "partly_unknown"))
        assert (b'"ACME//a"' in data) == (name == "partly_unknown")
        assert held(server) == []

    def test_gzip_bomb(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("gzip_bomb", mebibytes=3))
        body = json.dumps(ONE).encode()
        status, data, headers = caller.send("POST", USERS, body, caller.headers())
        assert (status, headers["Content-Encoding"]) == (201, "gzip")
        assert len(data) < 100_000
        assert len(gzip.decompress(data)) == 3 * 1024 * 1024 + 2

    @pytest.mark.parametrize("status", [400, 401])
    def test_token_refused(self, server: Server, caller: Caller, status: int) -> None:
        server.faults.add(fault("token_refused", status=status, times=1))
        assert caller.sign_in() == (status, {"error": "invalid_client"})
        assert caller.sign_in()[0] == 200

    @pytest.mark.parametrize("name", list(TOKEN_ODD))
    def test_token_odd(self, server: Server, caller: Caller, name: str) -> None:
        server.faults.add(fault("token_odd", body=name))
        form = "&".join(f"{key}={value}" for key, value in GOOD_FORM.items()).encode()
        status, data, _ = caller.send("POST", "/connect/token", form, FORM)
        assert status == 200
        proper = {"access_token", "expires_in", "token_type", "scope"}
        body = json.loads(data) if data.startswith(b"{") else {}
        fine = set(body) == proper and type(body["expires_in"]) is int and 0 < body["expires_in"] < 10**6
        assert not (fine and body["access_token"] and body["token_type"] == "Bearer") or name == "token_split"


class TestRecords:
    def test_refused_by_a_glob(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("refuse", logon="svc-*", message="Not here."))
        errors = [{"user": "ACME//svc-b", "errorMessage": "Not here."}]
        body = body_of(user("a"), user("svc-b"))
        assert caller.call(USERS, body) == (201, errors)
        groups = [{"groupName": "G", "users": errors, "errorMessage": ""}]
        assert caller.call(GROUPS, groups_of(G=[user("a"), user("svc-b")])) == (201, groups)
        assert held(server) == ["acme//a"]

    def test_named_in_another_case(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("refuse", logon="acme//b", spell="upper"))
        _, errors = caller.call(USERS, body_of(user("a"), user("b")))
        assert [entry["user"] for entry in errors] == ["ACME//B"]

    def test_a_refused_grouping(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("refuse", grouping="print-*", message="Group Name is reserved."))
        _, entries = caller.call(GROUPS, groups_of(**{"Print-1": [user("a")], "Other": [user("b")]}))
        assert entries == [{"groupName": "Print-1", "users": [], "errorMessage": "Group Name is reserved."}]
        assert server.world.members("ABC") == {"Other": ["acme//b"]}

    @pytest.mark.parametrize("path", [USERS, GROUPS])
    def test_poison(self, server: Server, caller: Caller, path: str) -> None:
        server.faults.add(fault("poison", logon="p7"))
        with_it, without = people(10), people(7)
        bad, good = body_of(*with_it), body_of(*without)
        if path == GROUPS:
            bad, good = groups_of(G=with_it), groups_of(G=without)
        status, answer = caller.call(path, bad)
        assert (status, list(answer["errors"])) == (400, ["3400"])
        assert caller.call(path, good) == (201, [])
        assert len(held(server)) == 7

    def test_too_large(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("too_large", bytes=500))
        assert caller.call(USERS, body_of(*people(50))) == (413, None)
        assert caller.call(USERS, body_of(*people(5))) == (201, [])

    def test_too_large_before_the_body_was_read(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("too_large", path="users", bytes=500, early=True))
        lines = [f"{name}: {value}\r\n" for name, value in caller.headers().items()]
        head = f"POST {USERS} HTTP/1.1\r\nContent-Length: 1000000\r\n{''.join(lines)}\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 413")
            with pytest.raises(ConnectionResetError):
                connection.recv(100)
        entry = caller.get("/_sandbox/requests")[-1]
        assert (entry["status"], entry["fault"], entry["bytes"]) == (413, "too_large", 1_000_000)


class TestSwitching:
    def test_times_and_after(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("status", path="users", status=503, times=2, after=1))
        statuses = [caller.call(USERS, ONE)[0] for _ in range(5)]
        assert statuses == [201, 503, 503, 201, 201]
        assert caller.call(GROUPS, groups_of(G=[user("a")]))[0] == 201

    def test_refusals_count_only_what_they_match(self, server: Server, caller: Caller) -> None:
        server.faults.add(fault("refuse", logon="b", times=1, after=1))
        bodies = [body_of(user("c"), user("b")), ONE, body_of(user("c"), user("b")), body_of(user("b"))]
        assert [len(caller.call(USERS, body)[1]) for body in bodies] == [0, 0, 1, 0]

    @pytest.mark.parametrize(
        ("path", "struck"),
        [
            ("users", [USERS, "/v1/users/synchronize"]),
            ("users-sync", ["/v1/users/synchronize"]),
            ("groups", [GROUPS, "/v1/groups/users-sync"]),
            ("/v1/*/users*", [GROUPS, "/v1/groups/users-sync"]),
        ],
    )
    def test_paths(self, server: Server, caller: Caller, path: str, struck: list[str]) -> None:
        server.faults.add(fault("status", path=path, status=418))
        paths = [USERS, "/v1/users/synchronize", GROUPS, "/v1/groups/users-sync"]
        bodies = [ONE, ONE, groups_of(G=[user("a")]), groups_of(G=[user("a")])]
        pairs = zip(paths, bodies, strict=True)
        assert [each for each, body in pairs if caller.call(each, body)[0] == 418] == struck

    def test_over_the_wire(self, caller: Caller) -> None:
        wanted = [{"kind": "status", "status": 500, "times": 1}, {"kind": "delay", "seconds": 0}]
        assert caller.send("POST", "/_sandbox/faults", json.dumps(wanted).encode())[0] == 200
        assert caller.call(USERS, ONE)[0] == 500
        shown = caller.get("/_sandbox/faults")
        assert [(entry["kind"], entry["hits"]) for entry in shown] == [("status", 1), ("delay", 1)]
        assert [entry["fault"] for entry in caller.get("/_sandbox/requests")] == [None, "status"]
        assert caller.send("DELETE", "/_sandbox/faults")[0] == 204
        assert caller.get("/_sandbox/faults") == []
        assert caller.send("POST", "/_sandbox/faults", b"[{}]")[0] == 400

    @pytest.mark.parametrize(
        "wrong",
        [
            7,
            {"kind": "resett"},
            {"kind": "reset", "path": "printers"},
            {"kind": "reset", "seconds": 1},
            {"kind": "reset", "how": "softly"},
            {"kind": "reset", "times": "twice"},
            {"kind": "hang", "seconds": "long"},
            {"kind": "odd", "body": "[]"},
        ],
    )
    def test_a_wrong_fault_is_named(self, wrong: object) -> None:
        with pytest.raises(ValueError, match=r"kind|path|setting|one of|number"):
            parse(wrong)

    def test_every_kind_has_defaults_that_work(self, server: Server, caller: Caller) -> None:
        for kind in KINDS:
            if kind in ("hang", "reset_at_accept", "drip"):
                continue  # slow or of the connection; above
            server.faults.clear()
            server.faults.add(fault(kind, path="*", times=1))
            with suppress(ConnectionResetError):
                wire(server, caller, USERS, ONE)
            assert "defect" not in [entry["fault"] for entry in server.world.requests], kind
