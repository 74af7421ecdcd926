"""The fault switches of the pretend Autodesk, seen from the other end of a real socket."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator

import pytest
from tests.core.autodesk_kit import (
    COLLABORATORS,
    PRINTER,
    REFRESH,
    TOKEN,
    TWIN_USERS,
    VERIFIER,
    Client,
    held,
    unused,
    world,
)

from rosterd.sandbox import Server, fault, serve
from rosterd.sandbox.autodesk import odd
from rosterd.sandbox.faults import PATHS, WHERE, parse

ODD = ("empty", "null", "html", "nan", "deep", "latin_1", "unknown_user", "partly_unknown")
READS = [COLLABORATORS, TWIN_USERS]
CALLS = {"aps-token": TOKEN, "collaborators": COLLABORATORS, "twins": TWIN_USERS, "registrations": PRINTER}


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(autodesk=world(5, page_size=2)) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port) as caller:
        assert caller.refresh()[0] == 200
        yield caller


def wire(server: Server, client: Client, name: str, timeout: float = 10.0) -> bytes:
    """Every byte of the answer to one of the CALLS until the server ends the connection."""
    reads = CALLS[name] in READS
    body, kind = b"", "application/json"
    if name == "registrations":
        body = b'{"secondary_member_email":"ada@acme.example"}'
    elif name == "aps-token":
        body = b"grant_type=client_credentials&client_id=acme&client_secret=word&scope=data:read"
        kind = "application/x-www-form-urlencoded"
    lines = [f"{'GET' if reads else 'POST'} {CALLS[name]} HTTP/1.1", "Connection: close", "Host: sandbox"]
    lines += [f"Content-Length: {len(body)}", f"Content-Type: {kind}"]
    lines += [f"Authorization: Bearer {client.token}"] if name != "aps-token" else []
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


class TestGenericFaults:
    """Those of the connection and of the answer work here as they do for the print queue."""

    @pytest.mark.parametrize("name", CALLS)
    def test_on_this_path_alone(self, server: Server, client: Client, name: str) -> None:
        server.faults.add(fault("status", path=name, status=503))
        assert [each for each in CALLS if wire(server, client, each).startswith(b"HTTP/1.1 503")] == [name]

    @pytest.mark.parametrize("name", CALLS)
    @pytest.mark.parametrize("how", ["rst", "fin"])
    def test_reset(self, server: Server, client: Client, name: str, how: str) -> None:
        server.faults.add(fault("reset", path=name, how=how, times=1))
        if how == "rst":
            with pytest.raises(ConnectionResetError):
                wire(server, client, name)
        else:
            assert wire(server, client, name) == b""
        assert held(server)["registrations"] == []
        assert wire(server, client, name).startswith(b"HTTP/1.1 200")

    @pytest.mark.parametrize("name", CALLS)
    @pytest.mark.parametrize("part", ["header", "body", "chunked"])
    def test_truncated(self, server: Server, client: Client, name: str, part: str) -> None:
        server.faults.add(fault("truncate", path=name, part=part))
        head, end, body = wire(server, client, name).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert bool(end) == (part != "header")
        assert part != "body" or int(head.rpartition(b"Length: ")[2].split()[0]) > len(body)
        assert part != "chunked" or not body.endswith(b"0\r\n\r\n")

    @pytest.mark.parametrize("name", CALLS)
    def test_delay_and_drip(self, server: Server, client: Client, name: str) -> None:
        server.faults.add(
            fault("delay", path=name, seconds=0.1), fault("drip", path=name, rate=4000, size=800)
        )
        started = time.monotonic()
        answer = wire(server, client, name)
        assert time.monotonic() - started >= 0.2
        assert json.loads(answer.partition(b"\r\n\r\n")[2])

    @pytest.mark.parametrize("name", CALLS)
    def test_hang_garbage_and_lengths(self, server: Server, client: Client, name: str) -> None:
        server.faults.add(fault("hang", path=name, seconds=60, times=1), fault("garbage", path=name, times=1))
        server.faults.add(fault("lengths", path=name, times=1))
        with pytest.raises(TimeoutError):
            wire(server, client, name, timeout=0.2)
        assert wire(server, client, name).startswith(b"ICY")
        assert wire(server, client, name).count(b"Content-Length:") == 2

    @pytest.mark.parametrize("name", CALLS)
    def test_odd_bodies_and_bombs(self, server: Server, client: Client, name: str) -> None:
        server.faults.add(*(fault("odd", path=name, status=200, body=body, times=1) for body in ODD))
        for _ in ODD:
            assert wire(server, client, name).startswith(b"HTTP/1.1 200")
        server.faults.add(fault("gzip_bomb", path=name, mebibytes=1))
        head, _, body = wire(server, client, name).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert len(gzip.decompress(body)) == 1024 * 1024 + 2
        assert "defect" not in [entry["fault"] for entry in server.world.requests]

    def test_every_path_by_its_name(self, server: Server, client: Client) -> None:
        for name in (
            "aps",
            "aps-token",
            "aps-refresh",
            "authorize",
            "collaborators",
            "twins",
            "registrations",
        ):
            assert name in PATHS
        server.faults.add(fault("status", path="aps", status=418))
        assert [wire(server, client, name)[9:12] for name in CALLS] == [b"418"] * 4
        assert client.send("GET", "/v1/users")[0] == 405

    def test_every_kind_strikes_by_default_where_it_belongs(self, server: Server, client: Client) -> None:
        for kind in set(WHERE) - {"token_refused", "token_odd"}:  # those are of the other token server
            server.faults.clear()
            server.faults.add(fault(kind, times=1))
            token = unused(server)
            for path in READS:
                client.ask(path)
            client.register()
            client.authorize()
            client.refresh(token)
            assert [entry["hits"] for entry in server.faults.shown()] == [1], kind
        assert "defect" not in [entry["fault"] for entry in server.world.requests]


class TestTokens:
    def test_answered_but_the_answer_is_lost(self, server: Server, client: Client) -> None:
        server.faults.add(fault("reset", path="aps-refresh", applied=True, times=1))
        token = unused(server)
        with pytest.raises(ConnectionResetError):
            client.refresh(token)
        client.connection.close()
        assert client.refresh(token)[1]["error"] == "invalid_grant"
        assert len(held(server)["refresh_tokens"]) == 3

    def test_lost_on_the_way_there(self, server: Server, client: Client) -> None:
        server.faults.add(fault("reset", path="aps-refresh", times=1))
        token = unused(server)
        with pytest.raises(ConnectionResetError):
            client.refresh(token)
        client.connection.close()
        assert client.refresh(token)[0] == 200

    def test_the_rotation_is_refused_and_nothing_else(self, server: Server, client: Client) -> None:
        server.faults.add(fault("token_refused", path="aps-refresh", error="invalid_grant"))
        for _ in range(2):
            assert client.refresh() == (400, {"error": "invalid_grant"})
        assert client.two_legged()[0] == 200

    @pytest.mark.parametrize("name", odd.REFRESH)
    def test_the_next_token_is_spoilt_and_the_old_one_used_up(
        self, server: Server, client: Client, name: str
    ) -> None:
        server.faults.add(fault("refresh_odd", body=name, times=1))
        token = unused(server)
        status, body = client.refresh(token)
        following = body.get("refresh_token")
        assert status == 200
        assert not isinstance(following, str) or following in ("", "a\r\nb")
        assert client.refresh(token)[1]["error"] == "invalid_grant"

    def test_an_odd_lifetime(self, server: Server, client: Client) -> None:
        server.faults.add(fault("token_odd", path="aps-token", body="zero"))
        assert client.two_legged()[1]["expires_in"] == 0

    def test_a_401_that_never_ends(self, server: Server, client: Client) -> None:
        server.faults.add(fault("aps_error", path="collaborators"))
        for _ in range(2):
            assert client.ask(COLLABORATORS)[0] == 401
            assert client.two_legged()[0] == 200
        assert client.ask(TWIN_USERS)[0] == 200


class TestAuthorize:
    def test_the_user_says_no(self, server: Server, client: Client) -> None:
        server.faults.add(fault("authorize", times=1))
        assert client.authorize() == (302, {"error": "access_denied", "state": "a state & more"})
        assert set(client.authorize()[1]) == {"code", "state"}

    @pytest.mark.parametrize(("state", "expected"), [("changed", "somebody-elses"), ("missing", None)])
    def test_a_state_that_is_not_ours(
        self, server: Server, client: Client, state: str, expected: str | None
    ) -> None:
        server.faults.add(fault("authorize", error="", state=state))
        _, back = client.authorize(code_verifier=VERIFIER)
        assert (back.get("state"), "code" in back) == (expected, True)

    def test_a_refusal_stays_one(self, server: Server, client: Client) -> None:
        server.faults.add(fault("authorize"))
        assert client.authorize(client_id="other") == (400, {})


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "pages", "how": "sideways"},
        {"kind": "twins_odd", "body": "levles"},
        {"kind": "twins_odd", "count": "many"},
        {"kind": "aps_error", "shape": "xml"},
        {"kind": "authorize", "state": "lost"},
        {"kind": "refresh_odd", "path": "aps-refreshing"},
    ],
)
def test_a_wrong_fault_is_named(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"path|one of|number"):
        parse(wrong)


def test_the_first_refresh_token_is_there(server: Server) -> None:
    assert list(held(server)["refresh_tokens"]) == [REFRESH]
