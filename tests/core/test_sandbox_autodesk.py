"""The pretend Autodesk's three calls: the vendor's examples, pages, and every shape of a refusal."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from tests.core.autodesk_kit import (
    COLLABORATORS,
    PRINTER,
    REFRESH,
    TWIN,
    TWIN_USERS,
    Client,
    collaborator,
    held,
    unused,
    world,
)
from tests.core.sandbox_kit import certified, sample

from rosterd.sandbox import Server, serve


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(autodesk=world()) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port) as caller:
        assert caller.refresh()[0] == 200
        yield caller


def kinds(value: Any) -> Any:
    """The keys and types of a value, with one entry standing for a list."""
    if isinstance(value, dict):
        return {key: kinds(each) for key, each in value.items()}
    return [kinds(value[0])] if isinstance(value, list) else type(value)


class TestVendorExamples:
    def test_collaborators(self) -> None:
        expected = sample("aps-get-collaborators.answer-200")
        everybody = [collaborator(0), *expected["results"], collaborator(2)]
        document = world(page_size=1, applications={"APP": {"collaborators": everybody}})
        with serve(autodesk=document) as server, Client(server.port) as client:
            client.refresh()
            middle = client.pages(COLLABORATORS)[1]
            assert kinds(middle) == kinds(expected)
            assert middle["results"] == expected["results"]

    def test_the_default_limit(self, client: Client) -> None:
        pagination = client.ask(COLLABORATORS)[1]["pagination"]
        assert pagination == {"limit": sample("aps-get-collaborators.answer-200")["pagination"]["limit"]}

    def test_twin_users(self) -> None:
        expected = sample("tandem-get-twin-users.answer-200")
        with (
            serve(autodesk=world(twins={TWIN: {"users": expected}})) as server,
            Client(server.port) as client,
        ):
            client.two_legged("data:read")
            assert client.ask(TWIN_USERS)[:2] == (200, expected)

    def test_registration(self, server: Server, client: Client) -> None:
        server.world.autodesk.grants.clock = lambda: 1463485336.0  # the example's time, taken as UTC
        client.refresh(unused(server))
        request = sample("printers-post-secondary-registration.request")
        expected = sample("printers-post-secondary-registration.answer-200")
        status, data, _ = client.send("POST", PRINTER, json.dumps(request).encode(), client.headers())
        answer = json.loads(data)
        assert (status, kinds(answer)) == (200, kinds(expected))
        assert re.fullmatch("[A-Z]{6}", answer["registration_code"])
        assert {**answer, "registration_code": expected["registration_code"]} == expected


class TestCollaborators:
    @pytest.mark.parametrize(
        ("size", "query", "counts"),
        [
            (100, "", [5]),
            (2, "", [2, 2, 1]),
            (100, "?limit=2", [2, 2, 1]),
            (5, "?limit=200", [5]),
            (4, "?limit=200", [4, 1]),
        ],
    )
    def test_pages(self, size: int, query: str, counts: list[int]) -> None:
        with serve(autodesk=world(5, page_size=size)) as server, Client(server.port) as client:
            client.refresh()
            pages = client.pages(COLLABORATORS + query)
            assert [len(page["results"]) for page in pages] == counts
            assert [each["userId"] for page in pages for each in page["results"]] == [
                f"USER{number}" for number in range(5)
            ]
            links = [
                (each["pagination"].get("previousUrl"), each["pagination"].get("nextUrl")) for each in pages
            ]
            assert (links[0][0], links[-1][1]) == (None, None)
            earlier = [client.pages(url.removeprefix(server.url), 1)[0] for url, _ in links[1:] if url]
            assert earlier == pages[:-1]
            assert all(url.startswith(server.url + COLLABORATORS) for pair in links for url in pair if url)

    def test_the_links_name_the_host_that_was_asked(self) -> None:
        with serve(autodesk=world(page_size=1)) as server, Client(server.port) as client:
            client.refresh()
            body = client.ask(COLLABORATORS, Host="aps.example:8443")[1]
            assert body["pagination"]["nextUrl"].startswith("http://aps.example:8443/applications/v1/")

    def test_the_links_speak_tls_when_the_caller_does(self, tmp_path: Path) -> None:
        tls = certified(tmp_path)
        trust = ssl.create_default_context(cafile=tls[0])
        with serve(autodesk=world(page_size=1), tls=tls) as server, Client(server.port) as client:
            client.connection = HTTPSConnection("127.0.0.1", server.port, context=trust, timeout=10)
            client.refresh()
            body = client.ask(COLLABORATORS)[1]
            assert body["pagination"]["nextUrl"].startswith(server.url + COLLABORATORS)

    @pytest.mark.parametrize("query", ["limit=0", "limit=", "limit=-1", "limit=many", "cursor=7", "cursor="])
    def test_a_query_that_makes_no_sense(self, client: Client, query: str) -> None:
        status, body, _ = client.ask(f"{COLLABORATORS}?{query}")
        assert (status, set(body)) == (400, {"developerMessage", "moreInfo", "errorCode"})

    def test_only_for_a_user_with_the_scope(self, server: Server, client: Client) -> None:
        client.two_legged()
        assert client.ask(COLLABORATORS)[0] == 403
        assert client.refresh(unused(server), scope="data:read")[0] == 200
        assert client.ask(COLLABORATORS)[0] == 403
        client.token = "guess"
        status, body, _ = client.ask(COLLABORATORS)
        assert (status, body["errorCode"]) == (401, "AUTH-006")

    def test_only_for_a_viewer(self, server: Server, client: Client) -> None:
        assert client.send("DELETE", "/_sandbox/autodesk/applications/APP/collaborators/USER0")[0] == 204
        assert client.ask(COLLABORATORS)[0] == 403

    def test_an_unknown_application(self, client: Client) -> None:
        status, body, _ = client.ask(COLLABORATORS.replace("APP", "OTHER"))
        assert (status, set(body)) == (404, {"developerMessage", "moreInfo", "errorCode"})


class TestTwins:
    def test_with_two_legs_and_with_three(self, client: Client) -> None:
        expected = world()["twins"][TWIN]["users"]
        assert client.ask(TWIN_USERS)[:2] == (200, expected)
        client.two_legged("data:read")
        assert client.ask(TWIN_USERS)[:2] == (200, expected)

    def test_the_name_may_be_escaped(self, client: Client) -> None:
        assert client.ask(TWIN_USERS.replace(":", "%3A").replace("_", "%5f"))[0] == 200

    def test_the_region_is_noted(self, server: Server, client: Client) -> None:
        assert client.ask(TWIN_USERS, Region="EMEA")[0] == 200
        assert held(server)["regions"] == {TWIN: "EMEA"}
        assert client.ask(TWIN_USERS)[0] == 200
        assert held(server)["regions"] == {TWIN: None}
        assert client.ask(TWIN_USERS, Region="MARS")[0] == 400

    def test_refusals(self, client: Client) -> None:
        assert client.ask(TWIN_USERS.replace("dtt", "dtx"))[0] == 404
        client.two_legged("data:write")
        status, data, headers = client.send("GET", TWIN_USERS, b"", client.headers())
        assert (status, headers.get_content_type()) == (403, "text/plain")
        assert data
        client.token = ""
        status, data, headers = client.send("GET", TWIN_USERS, b"", client.headers())
        assert (status, data) == (401, b"")
        assert "Reason" in headers["x-ads-troubleshooting"]

    def test_odd_values_of_the_document_are_served_as_they_are(self) -> None:
        users = {
            "A": {"accessLevel": 0},
            "urn:adsk.dtg:x": {"name": "A group", "accessLevel": "ReadWrite"},
            "B": {},
        }
        with serve(autodesk=world(twins={TWIN: {"users": users}})) as server, Client(server.port) as client:
            client.two_legged("data:read")
            assert client.ask(TWIN_USERS)[:2] == (200, users)


class TestPrinters:
    def test_every_call_gives_a_new_code(self, server: Server, client: Client) -> None:
        codes = [client.register()[1]["registration_code"] for _ in range(3)]
        assert len(set(codes)) == 3
        made = held(server)["registrations"]
        assert [(each["printer"], each["email"], each["code"]) for each in made] == [
            ("874", "ada@acme.example", code) for code in codes
        ]

    @pytest.mark.parametrize(
        ("body", "kind", "status"),
        [
            (b"", "application/json", 400),
            (b"[]", "application/json", 400),
            (b"{", "application/json", 400),
            (b"[" * 100_000, "application/json", 400),
            (b'{"secondary_member_email":"a@b.example"}', "text/plain", 400),
            (b"{}", "application/json", 422),
            (b'{"secondary_member_email":7}', "application/json", 422),
            (b'{"secondary_member_email":"nobody"}', "application/json", 422),
        ],
    )
    def test_a_wrong_body(self, server: Server, client: Client, body: bytes, kind: str, status: int) -> None:
        got, data, _ = client.send("POST", PRINTER, body, client.headers(Content_Type=kind))
        assert (got, set(json.loads(data))) == (status, {"error_id", "code", "message"})
        assert held(server)["registrations"] == []

    def test_who_may_ask(self, server: Server, client: Client) -> None:
        assert client.register(path=PRINTER.replace("874", "875"))[0] == 404
        client.send("POST", "/_sandbox/autodesk/printers/876", b'{"owner":"USER1"}')
        assert client.register(path=PRINTER.replace("874", "876"))[0] == 401
        client.two_legged("data:write")
        assert client.register()[0] == 401
        assert held(server)["registrations"] == []

    def test_a_printer_whose_id_is_no_number(self, client: Client) -> None:
        client.send("POST", "/_sandbox/autodesk/printers/lab-2", b'{"serial_number":"S1"}')
        answer = client.register(path=PRINTER.replace("874", "lab-2"))[1]
        assert (answer["printer_id"], answer["serial_number"]) == ("lab-2", "S1")

    def test_a_day_is_written_without_a_zero(self, server: Server, client: Client) -> None:
        server.world.autodesk.grants.clock = lambda: 1462590426.0
        client.refresh(unused(server))
        assert client.register()[1]["issued_date_time"] == "May 7, 2016 03:07:06"


class TestDoor:
    def test_paths_and_methods(self, client: Client) -> None:
        for path in (
            "/applications/v1/clients/APP",
            "/tandem/v1/twins",
            "/authentication/v1/token",
            "/ps/v1",
        ):
            assert client.ask(path)[0] == 404
        for method, path, allowed in (
            ("POST", COLLABORATORS, "GET"),
            ("DELETE", TWIN_USERS, "GET"),
            ("GET", PRINTER, "POST"),
            ("GET", "/authentication/v2/token", "POST"),
        ):
            status, _, headers = client.send(method, path)
            assert (status, headers["Allow"]) == (405, allowed)

    def test_every_answer_has_a_request_id_of_its_own(self, client: Client) -> None:
        ids = [
            client.ask(path)[2]["x-request-id"] for path in (COLLABORATORS, TWIN_USERS, "/tandem/x", PRINTER)
        ]
        assert len(set(ids)) == 4
        assert None not in ids

    def test_without_a_document_nothing_is_known(self) -> None:
        with serve() as server, Client(server.port) as client:
            assert client.refresh()[0] == 401
            assert client.ask(COLLABORATORS)[0] == 401
            assert held(server)["document"] == {}

    def test_the_list_of_requests_says_who_asked_for_what(self, server: Server, client: Client) -> None:
        client.ask(COLLABORATORS)
        client.ask(TWIN_USERS)
        client.register()
        rows = [
            (entry["path"], entry["tenant"], entry["client"], entry["records"], entry["status"])
            for entry in server.world.requests
        ]
        assert rows == [
            ("/authentication/v2/token", "acme", "", 0, 200),
            (COLLABORATORS, "acme", "APP", 3, 200),
            (TWIN_USERS, "acme", TWIN, 1, 200),
            (PRINTER, "acme", "874", 1, 200),
        ]

    def test_a_token_ends_by_the_clock_or_when_revoked(self, server: Server, client: Client) -> None:
        assert client.ask(TWIN_USERS)[0] == 200
        now = server.world.autodesk.grants.clock()
        server.world.autodesk.grants.clock = lambda: now + 3601
        assert client.ask(TWIN_USERS)[0] == 401
        client.two_legged()
        assert client.ask(TWIN_USERS)[0] == 200
        assert client.send("DELETE", "/_sandbox/tokens")[0] == 204
        assert client.ask(TWIN_USERS)[0] == 401
        assert REFRESH in held(server)["refresh_tokens"]
