"""Odd answers of the pretend Autodesk: every shape of an error, page links astray, bodies that are not the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.core.autodesk_kit import COLLABORATORS, PRINTER, TWIN_USERS, Client, held, world

from rosterd.sandbox import Server, fault, serve
from rosterd.sandbox.autodesk import odd


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(autodesk=world(5, page_size=2)) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port) as caller:
        assert caller.refresh()[0] == 200
        yield caller


class TestErrors:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 599])
    @pytest.mark.parametrize(
        ("shape", "kind", "keys"),
        [
            ("json", "application/json", {"developerMessage", "moreInfo", "errorCode"}),
            ("text", "text/plain", None),
            ("header", None, None),
            ("printer", "application/json", {"error_id", "code", "message"}),
        ],
    )
    def test_any_status_in_any_shape(
        self,
        server: Server,
        client: Client,
        status: int,
        shape: str,
        kind: str | None,
        keys: set[str] | None,
    ) -> None:
        server.faults.add(fault("aps_error", status=status, shape=shape))
        got, data, headers = client.send("GET", COLLABORATORS, b"", client.headers())
        assert got == status
        assert headers["x-request-id"]
        assert (headers["Content-Type"] or "").partition(";")[0] == (kind or "")
        assert bool(data) == (shape != "header")
        assert bool(headers["x-ads-troubleshooting"]) == (shape == "header")
        assert keys is None or set(json.loads(data)) == keys
        assert headers["Retry-After"] == ("25" if status == 429 else None)

    def test_another_wait(self, server: Server, client: Client) -> None:
        server.faults.add(fault("aps_error", status=429, retry_after=0.5))
        assert client.ask(COLLABORATORS)[2]["Retry-After"] == "0.5"

    def test_nothing_was_registered_unless_it_was_applied(self, server: Server, client: Client) -> None:
        server.faults.add(fault("aps_error", status=500, times=1, shape="printer"))
        server.faults.add(fault("aps_error", status=500, times=1, shape="printer", applied=True))
        assert [client.register()[0] for _ in range(2)] == [500, 500]
        assert len(held(server)["registrations"]) == 1


class TestPages:
    def links(self, client: Client, most: int = 12) -> list[Any]:
        return [body["pagination"].get("nextUrl") for body in client.pages(COLLABORATORS, most)]

    def seen(self, client: Client, most: int = 12) -> list[str]:
        return [each["userId"] for body in client.pages(COLLABORATORS, most) for each in body["results"]]

    @pytest.mark.parametrize(
        "url", ["https://elsewhere.example/x", "http://127.0.0.1:1/", "http://127.0.0.1@elsewhere.example/"]
    )
    def test_to_another_host(self, server: Server, client: Client, url: str) -> None:
        server.faults.add(fault("pages", url=url))
        assert client.ask(COLLABORATORS)[1]["pagination"]["nextUrl"] == url

    def test_to_itself(self, server: Server, client: Client) -> None:
        server.faults.add(fault("pages", how="itself"))
        assert self.seen(client, 4) == ["USER0", "USER1"] * 4

    def test_in_a_circle(self, server: Server, client: Client) -> None:
        server.faults.add(fault("pages", how="circle"))
        assert self.seen(client, 4) == ["USER0", "USER1", "USER2", "USER3", "USER4", "USER0", "USER1"]

    def test_without_end(self, server: Server, client: Client) -> None:
        server.faults.add(fault("pages", how="endless"))
        seen = self.seen(client, 30)
        assert len(set(seen)) == len(seen) == 5 + 27
        assert len(set(self.links(client, 30))) == 30

    @pytest.mark.parametrize(
        ("how", "expected"),
        [
            ("one_twice", ["USER0", "USER1", "USER1", "USER2", "USER3", "USER4"]),
            ("one_missing", ["USER0", "USER1", "USER3", "USER4"]),
        ],
    )
    def test_changing_while_they_are_read(
        self, server: Server, client: Client, how: str, expected: list[str]
    ) -> None:
        server.faults.add(fault("pages", how=how))
        assert self.seen(client) == expected

    def test_changing_for_true(self, client: Client) -> None:
        first = client.ask(COLLABORATORS)[1]
        assert client.send("DELETE", "/_sandbox/autodesk/applications/APP/collaborators/USER1")[0] == 204
        second = client.ask(COLLABORATORS + "?" + first["pagination"]["nextUrl"].partition("?")[2])[1]
        assert [each["userId"] for each in second["results"]] == ["USER3", "USER4"]

    @pytest.mark.parametrize(("how", "expected"), [("null", None), ("empty", ""), ("number", 7)])
    def test_a_link_that_is_none(self, server: Server, client: Client, how: str, expected: object) -> None:
        server.faults.add(fault("pages", how=how))
        assert client.ask(COLLABORATORS)[1]["pagination"]["nextUrl"] == expected

    def test_a_relative_link(self, server: Server, client: Client) -> None:
        server.faults.add(fault("pages", how="relative"))
        assert client.ask(COLLABORATORS)[1]["pagination"]["nextUrl"] == f"{COLLABORATORS}?cursor=c2"

    def test_a_refusal_stays_one(self, server: Server, client: Client) -> None:
        server.faults.add(fault("pages"), fault("collaborators_odd"))
        client.token = ""
        assert client.ask(COLLABORATORS)[0] == 401


class TestOddAnswers:
    @pytest.mark.parametrize("name", odd.COLLABORATORS)
    def test_collaborators(self, server: Server, client: Client, name: str) -> None:
        proper = client.ask(COLLABORATORS)[1]
        server.faults.add(fault("collaborators_odd", body=name, count=1000))
        status, data, _ = client.send("GET", COLLABORATORS, b"", client.headers())
        assert status == 200
        assert data == odd.HTML or json.loads(data) != proper
        results: Any = json.loads(data).get("results") if data.startswith(b"{") else None
        assert name != "huge" or len(results) == 1000
        assert name != "levels" or [each["accessLevel"] for each in results[2:]] == list(odd.LEVELS)
        assert name != "repeated" or [each["userId"] for each in results] == [
            "USER0",
            "USER0",
            "USER1",
            "USER1",
        ]

    @pytest.mark.parametrize("name", odd.TWINS)
    def test_twins(self, server: Server, client: Client, name: str) -> None:
        proper = client.send("GET", TWIN_USERS, b"", client.headers())[1]
        server.faults.add(fault("twins_odd", body=name, count=1000))
        status, data, _ = client.send("GET", TWIN_USERS, b"", client.headers())
        assert status == 200
        assert data != proper
        body = json.loads(data) if data != odd.HTML else {}
        assert name != "empty" or body == {}
        assert name != "huge" or len(body) == 1000
        assert name != "twice" or data.count(b'"USER1":') == 2
        assert name != "levels" or [each["accessLevel"] for each in body.values()][1:] == list(odd.LEVELS)

    @pytest.mark.parametrize("name", odd.REGISTRATIONS)
    def test_registrations_are_made_all_the_same(self, server: Server, client: Client, name: str) -> None:
        proper = client.register()[1]
        server.faults.add(fault("registration_odd", body=name))
        body = b'{"secondary_member_email":"ada@acme.example"}'
        status, data, _ = client.send("POST", PRINTER, body, client.headers())
        value = json.loads(data) if data.startswith((b"{", b"[")) else None
        assert status == 200
        assert not isinstance(value, dict) or {**proper, **value, "registration_code": 0} != proper
        assert len(held(server)["registrations"]) == 2
