"""What the pretend Autodesk holds: its document, changed while it runs, its page, its journal and its process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.autodesk_kit import (
    ALL,
    CALLBACK,
    COLLABORATORS,
    REFRESH,
    TWIN,
    TWIN_USERS,
    VERIFIER,
    Client,
    collaborator,
    held,
    world,
)
from tests.core.sandbox_kit import body_of, user
from tests.core.test_sandbox_process import process

from rosterd.sandbox import Server, World, serve
from rosterd.sandbox.autodesk.document import checked
from rosterd.sandbox.command import main

ROOT = "/_sandbox/autodesk"
PEOPLE = f"{ROOT}/applications/APP/collaborators"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(autodesk=world()) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port) as caller:
        yield caller


def post(client: Client, path: str, value: object) -> int:
    return client.send("POST", path, json.dumps(value).encode())[0]


def delete(client: Client, path: str) -> int:
    return client.send("DELETE", path)[0]


class TestDocument:
    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ([], "the document"),
            ({"aplications": {}}, "aplications"),
            ({"page_size": 0}, "page_size"),
            ({"page_size": True}, "page_size"),
            ({"clients": []}, "clients"),
            ({"clients": {"a": None}}, "clients.a"),
            ({"clients": {"a": {"secrte": "x"}}}, "secrte"),
            ({"clients": {"a": {"secret": 7}}}, "clients.a.secret"),
            ({"clients": {"a": {"refresh_tokens": {"token": 7}}}}, "refresh_tokens"),
            ({"clients": {"a": {"accounts": {"r": {"key": {}}}}}}, "clients.a.accounts.r"),
            ({"clients": {"a": {"redirect_uris": [7]}}}, "clients.a.redirect_uris"),
            ({"clients": {"a": {"scopes": [7]}}}, "clients.a.scopes"),
            ({"clients": {"a": {"accounts": {"r": {"scopes": [7]}}}}}, "accounts.r.scopes"),
            ({"clients": {"a": {"accounts": {"r": {"keys": {"k": {"n": "x"}}}}}}}, "keys.k"),
            ({"applications": {"A": {"collaborators": {}}}}, "applications.A.collaborators"),
            ({"applications": {"A": {"collaborators": ["x"]}}}, "a collaborator of A"),
            ({"applications": {"A": {"collaborators": [{"email": "x"}]}}}, "userId"),
            ({"twins": {"T": {"users": []}}}, "twins.T.users"),
            ({"printers": {"874": {"colour": True}}}, "colour"),
        ],
    )
    def test_a_wrong_one_is_refused_with_the_place(self, wrong: Any, named: str) -> None:
        with pytest.raises(ValueError, match=named):
            checked(wrong)
        with pytest.raises(ValueError, match=named):
            serve(autodesk=wrong)

    def test_a_world_brings_its_own(self) -> None:
        with pytest.raises(ValueError, match="its own document"):
            serve(world=World(), autodesk=world())


class TestChanges:
    def test_collaborators_come_and_go(self, server: Server, client: Client) -> None:
        client.refresh()
        assert post(client, PEOPLE, collaborator(7)) == 204
        assert post(client, f"{PEOPLE}/USER1", collaborator(1, accessLevel="EDITOR")) == 204
        assert post(client, PEOPLE, collaborator(2, accessLevel="EDITOR")) == 204
        assert delete(client, f"{PEOPLE}/USER7") == 204
        assert post(client, PEOPLE, collaborator(8)) == 204
        results = client.ask(COLLABORATORS)[1]["results"]
        assert [(each["userId"], each["accessLevel"]) for each in results] == [
            ("USER0", "OWNER"),
            ("USER1", "EDITOR"),
            ("USER2", "EDITOR"),
            ("USER8", "VIEWER"),
        ]

    def test_twin_users_come_and_go(self, client: Client) -> None:
        client.two_legged("data:read")
        users = f"{ROOT}/twins/{TWIN}/users"
        assert post(client, f"{users}/USER2", {"name": "Second", "accessLevel": "Read"}) == 204
        assert delete(client, f"{users}/USER1") == 204
        assert client.ask(TWIN_USERS)[1] == {"USER2": {"name": "Second", "accessLevel": "Read"}}
        assert post(client, users, {}) == 204
        assert client.ask(TWIN_USERS)[1] == {}

    def test_tables_that_the_document_lacked(self, client: Client) -> None:
        assert post(client, ROOT, {}) == 204
        assert client.get(ROOT)["document"] == {}
        assert post(client, f"{ROOT}/applications/NEW", {"collaborators": []}) == 204
        assert post(client, f"{ROOT}/page_size", 7) == 204
        assert client.get(ROOT)["document"] == {
            "applications": {"NEW": {"collaborators": []}},
            "page_size": 7,
        }

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("DELETE", f"{PEOPLE}/USER9", 404),
            ("DELETE", f"{ROOT}/nothing", 404),
            ("DELETE", f"{ROOT}/twins/OTHER/users/USER1", 404),
            ("POST", f"{ROOT}/twins/OTHER/users/USER1", 404),
            ("POST", f"{ROOT}/page_size/more", 404),
            ("POST", f"{ROOT}/nothing", 400),
            ("POST", PEOPLE, 400),
            ("GET", PEOPLE, 404),
            ("PUT", PEOPLE, 404),
        ],
    )
    def test_a_change_that_cannot_be_made_changes_nothing(
        self, client: Client, method: str, path: str, status: int
    ) -> None:
        assert client.send(method, path, b'{"name":"x"}')[0] == status
        assert client.send("POST", PEOPLE, b"{")[0] == 400
        assert client.get(ROOT)["document"] == world()

    def test_back_to_the_beginning(self, server: Server, client: Client) -> None:
        client.refresh()
        client.register()
        delete(client, f"{PEOPLE}/USER1")
        assert delete(client, ROOT) == 204
        state = client.get(ROOT)
        assert state["document"] == world()
        assert (state["registrations"], state["token_requests"]) == ([], {})
        assert client.refresh()[0] == 200


class TestPage:
    def test_it_shows_everything_and_escapes_it(self, client: Client) -> None:
        script = "<script>alert(1)</script>"
        client.refresh()
        client.register()
        post(client, PEOPLE, collaborator(3, lastName=script, email=script))
        post(client, f"{ROOT}/twins/{TWIN}/users/USER5", {"name": script, "accessLevel": [script]})
        post(client, f"{ROOT}/twins/{TWIN}/users/USER6", None)
        post(client, f"{ROOT}/applications/APP/name", script)
        status, data, _ = client.send("GET", "/_sandbox")
        page = data.decode()
        assert status == 200
        assert "<script" not in page
        assert page.count("&lt;script&gt;") == 5
        for words in (
            "Twin Headquarters: 2 users",
            "Registrations: 1",
            "refresh_token",
            "ada@acme.example",
            "874",
        ):
            assert words in page

    def test_a_sandbox_without_it_shows_nothing_of_it(self) -> None:
        with serve() as server, Client(server.port) as client:
            page = client.send("GET", "/_sandbox")[1]
            assert b"Registrations" not in page
            assert b"Autodesk" not in page


class TestJournal:
    def test_what_was_given_out_outlives_the_process(self, tmp_path: Path) -> None:
        journal, document = tmp_path / "journal", tmp_path / "autodesk.json"
        document.write_text(json.dumps(world()))
        options = ("--journal", str(journal), "--autodesk", str(document))
        with process(*options) as (_, ready), Client(ready["port"]) as client:
            assert ready["autodesk_url"] == ready["url"]
            _, body = client.refresh()
            _, back = client.authorize()
            fields = {"code": back["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
            _, signed_in = client.form("acme:word", grant_type="authorization_code", **fields)
            _, made = client.register()
            delete(client, f"{PEOPLE}/USER1")
            post(client, f"{ROOT}/printers/875", {"owner": None})
            before = client.get(ROOT)
        with process(*options) as (_, ready), Client(ready["port"]) as client:
            after = client.get(ROOT)
            assert {**after, "token_requests": None} == {**before, "token_requests": None}
            assert [each["code"] for each in after["registrations"]] == [made["registration_code"]]
            assert client.refresh()[1]["error"] == "invalid_grant"
            assert client.refresh(body["refresh_token"])[0] == 200
            assert client.refresh(signed_in["refresh_token"])[0] == 200

    def test_beside_what_the_print_queue_accepted(self, tmp_path: Path) -> None:
        first = World(tmp_path / "journal", autodesk=world())
        with serve(world=first) as server, Client(server.port) as client:
            client.sign_in()
            client.call("/v1/users", body_of(user("a")))
            client.refresh()
            client.register()
            client.register("bob@acme.example")
        first.close()
        again = World(tmp_path / "journal", autodesk=world())
        again.close()
        assert list(again.users("ABC")) == ["acme//a"]
        assert again.autodesk.registrations == first.autodesk.registrations
        assert len(again.autodesk.registrations) == 2

    def test_a_reset_outlives_it_too(self, tmp_path: Path) -> None:
        first = World(tmp_path / "journal", autodesk=world())
        first.autodesk.register("874", "ada@acme.example")
        first.autodesk.put(["page_size"], 3)
        first.autodesk.reset()
        first.autodesk.put(["clients", "acme", "secret"], None)
        first.close()
        again = World(tmp_path / "journal", autodesk=world())
        again.close()
        assert again.autodesk.registrations == []
        assert "page_size" not in again.autodesk.document
        assert again.autodesk.table("clients")["acme"]["secret"] is None

    def test_a_change_that_was_refused_is_not_written_down(self, tmp_path: Path) -> None:
        first = World(tmp_path / "journal", autodesk=world())
        with pytest.raises(ValueError, match="page_size"):
            first.autodesk.put(["page_size"], -1)
        with pytest.raises(KeyError):
            first.autodesk.remove(["page_size"])
        first.close()
        assert (tmp_path / "journal").read_bytes() == b""

    def test_a_token_of_the_document_that_was_used_stays_used(self, tmp_path: Path) -> None:
        first = World(tmp_path / "journal", autodesk=world())
        grant = first.autodesk.valid_refresh(REFRESH, "acme", 0)
        assert grant is not None
        assert grant.scope == ALL
        following = first.autodesk.next_refresh(REFRESH, grant)
        first.close()
        again = World(tmp_path / "journal", autodesk=world())
        again.close()
        assert again.autodesk.valid_refresh(REFRESH, "acme", 0) is None
        assert again.autodesk.valid_refresh(following, "acme", 0) == grant


class TestProcess:
    def test_a_wrong_document_is_a_usage_error(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wrong = tmp_path / "wrong.json"
        wrong.write_text('{"clients": 7}')
        for path in (wrong, tmp_path / "missing.json", tmp_path):
            with pytest.raises(SystemExit) as raised:
                main(["--autodesk", str(path)])
            assert raised.value.code == 2
            assert str(path) in capsys.readouterr().err

    def test_the_grace_is_a_switch(self, tmp_path: Path) -> None:
        document = tmp_path / "autodesk.json"
        document.write_text(json.dumps(world()))
        with (
            process("--autodesk", str(document), "--refresh-grace", "60") as (_, ready),
            Client(ready["port"]) as client,
        ):
            assert [client.refresh()[0] for _ in range(3)] == [200, 200, 200]

    def test_requests_at_the_same_time_get_different_codes_and_one_rotation(self, server: Server) -> None:
        from concurrent.futures import ThreadPoolExecutor

        def both(_: int) -> tuple[int, str]:
            with Client(server.port) as client:
                status, _ = client.refresh()
                client.token = access
                return status, client.register()[1]["registration_code"]

        with Client(server.port) as first:
            _, back = first.authorize()
            fields = {"code": back["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
            access = first.form("acme:word", grant_type="authorization_code", **fields)[1]["access_token"]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(both, range(8)))
        assert sorted(status for status, _ in answers) == [200] + [400] * 7
        assert len({code for _, code in answers}) == 8
        assert len(held(server)["registrations"]) == 8
