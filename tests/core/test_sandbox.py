"""The pretend Orbix: the vendor's examples, its rules and limits, and its door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.core.sandbox_kit import Caller, answered, body_of, groups_of, people, sample, user

from rosterd.sandbox import Credential, Server, Switches, serve
from rosterd.sandbox.tokens import Tokens

USERS, GROUPS = "/v1/users", "/v1/groups/users"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def caller(server: Server) -> Iterator[Caller]:
    with Caller(server.port) as client:
        yield client


class TestVendorExamples:
    @pytest.mark.parametrize("path", [USERS, GROUPS])
    def test_the_request_is_accepted_whole(self, caller: Caller, path: str) -> None:
        request = sample(f"orbix-post{path.replace('/', '-')}.request")
        assert caller.raw(path, json.dumps(request, ensure_ascii=False).encode()) == (201, b"[]")

    def test_partly_refused_users(self, caller: Caller) -> None:
        request = sample("orbix-post-v1-users.request")
        request["Users"][0]["Logon"] = "carlos silva"
        request["Users"][1]["Domain"] = "N D D"
        assert caller.call(USERS, request) == (201, sample("orbix-post-v1-users.answer-201-partial"))

    def test_partly_refused_groupings(self, caller: Caller) -> None:
        expected = sample("orbix-post-v1-groups-users.answer-201-partial")
        request = sample("orbix-post-v1-groups-users.request")
        request["Groups"][0]["GroupName"] = expected[0]["groupName"]
        request["Groups"][0]["Users"][1]["Logon"] = "João Souza"
        request["Groups"][1]["Users"][1]["Email"] = "joana.pereira"
        assert caller.call(GROUPS, request) == (201, expected)

    def test_nothing_but_refused_users(self, caller: Caller) -> None:
        request = sample("orbix-post-v1-users.request")
        for record in request["Users"]:
            record["Logon"] = "é" + record["Logon"]
        assert caller.call(USERS, request) == (400, sample("orbix-post-v1-users.answer-400"))

    def test_nothing_but_refused_groupings(self, server: Server, caller: Caller) -> None:
        request = sample("orbix-post-v1-groups-users.request")
        for record in request["Groups"]:
            record["GroupName"] += "x" * 150
        assert caller.call(GROUPS, request) == (400, sample("orbix-post-v1-groups-users.answer-400"))
        assert server.world.users("ABC") == {}


class TestRules:
    @pytest.mark.parametrize(
        ("record", "message"),
        [
            ({"Domain": "ACME"}, "Logon is not valid."),
            (user(""), "Logon is not valid."),
            (user("josé"), "Logon is not valid."),
            (user("a b"), "Logon is not valid."),
            (user("a\n"), "Logon is not valid."),
            (user("a//b"), "Logon is not valid."),
            (user("a\nACME//b"), "Logon is not valid."),
            ({"Logon": None, "Domain": "ACME"}, "Logon is not valid."),
            ({"Logon": "a", "Domain": "A+B"}, "Domain is not valid."),
            (user("a", Name=""), "Name is not valid."),
            (user("a", Name=None), "Name is not valid."),
            (user("a", Email=None), "E-mail is not valid."),
            (user("a", Email=""), "E-mail is not valid."),
            (user("a", Email="a@b"), "E-mail is not valid."),
            (user("a", Email="á@b.com"), "E-mail is not valid."),
            (user("a", Email="a@b.com\n"), "E-mail is not valid."),
            (user("a", Email="a@b.com\nc@d.com"), "E-mail is not valid."),
        ],
    )
    def test_a_bad_record_is_refused_and_the_good_one_taken(
        self, server: Server, caller: Caller, record: dict[str, Any], message: str
    ) -> None:
        status, errors = caller.call(USERS, body_of(record, user("good")))
        assert status == 201
        assert [entry["errorMessage"] for entry in errors] == [message]
        assert list(server.world.users("ABC")) == ["acme//good"]

    def test_records_are_held_as_sent_under_a_folded_key(self, server: Server, caller: Caller) -> None:
        record = user("J.Doe-1_x", Name="Jöhn 😀", Email="j.doe@acme.example")
        caller.call(USERS, body_of(record))
        caller.call(USERS, body_of(user("j.doe-1_X", Name="John")))
        assert server.world.users("ABC") == {"acme//j.doe-1_x": user("j.doe-1_X", Name="John")}
        assert server.world.times("ABC") == {"acme//j.doe-1_x": 2}

    def test_a_failed_grouping_takes_none_of_its_users(self, server: Server, caller: Caller) -> None:
        body = groups_of(**{"": [user("a")], "Fine": [user("b")]})
        status, errors = caller.call(GROUPS, body)
        assert (status, errors) == (
            201,
            [{"groupName": "", "users": [], "errorMessage": "Group Name is not valid."}],
        )
        assert list(server.world.users("ABC")) == ["acme//b"]

    def test_a_name_of_150_characters_is_fine(self, caller: Caller) -> None:
        assert caller.call(GROUPS, groups_of(**{"é" * 150: [user("a")]})) == (201, [])

    @pytest.mark.parametrize("value", [None, ""])
    def test_an_empty_description_fails_the_grouping(self, caller: Caller, value: str | None) -> None:
        body = groups_of(A=[user("a")], B=[user("b")])
        body["Groups"][0]["GroupDescription"] = value
        _, errors = caller.call(GROUPS, body)
        assert [entry["errorMessage"] for entry in errors] == ["Group Description is not valid."]

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (USERS, {**body_of(user("a")), "Extra": 1}),
            (USERS, body_of(user("a", Emial="a@b.com"))),
            (USERS, body_of(user("a", Name=7))),
            (USERS, body_of("a")),
            (USERS, body_of()),
            (USERS, {"Client": "ABC"}),
            (USERS, {"Users": [user("a")]}),
            (USERS, body_of(user("a"), client="A B")),
            (USERS, [user("a")]),
            (GROUPS, groups_of(A=[user("a")], a=[user("b")])),
            (GROUPS, {"Client": "ABC", "Groups": [{"GroupName": "A"}]}),
            (GROUPS, {"Client": "ABC", "Groups": [{"GroupName": "A", "Users": [], "Owner": "x"}]}),
            (GROUPS, {"Client": "ABC", "Groups": [{"GroupName": 1, "Users": []}]}),
        ],
    )
    def test_a_foreign_body_is_refused_whole(
        self, server: Server, caller: Caller, path: str, body: object
    ) -> None:
        status, answer = caller.call(path, body)
        assert status == 400
        assert "3400" not in answer["errors"]
        assert server.world.holdings == {}

    @pytest.mark.parametrize(
        "body", [b"", b"{", b'{"Client":"ABC","Users":NaN}', b'{"Client":"\xe9"}', b"[" * 100_000]
    )
    def test_what_is_not_json_is_refused(self, caller: Caller, body: bytes) -> None:
        status, answer = caller.raw(USERS, body)
        assert (status, list(json.loads(answer)["errors"])) == (400, ["$"])


class TestLimits:
    @pytest.mark.parametrize(("count", "status"), [(4500, 201), (4501, 400)])
    def test_users_in_a_request(self, server: Server, caller: Caller, count: int, status: int) -> None:
        got, answer = caller.call(USERS, body_of(*people(count)))
        assert got == status
        assert len(server.world.users("ABC")) == (count if status == 201 else 0)
        assert status == 201 or "3400" not in answer["errors"]

    @pytest.mark.parametrize(("groups", "users", "status"), [(5, 1000, 201), (6, 1, 400), (1, 1001, 400)])
    def test_groupings_in_a_request(self, caller: Caller, groups: int, users: int, status: int) -> None:
        body = groups_of(**{f"G{number}": people(users) for number in range(groups)})
        got, answer = caller.call(GROUPS, body)
        assert got == status
        assert status == 201 or "3400" not in answer["errors"]

    def test_bytes_in_a_body(self) -> None:
        body = body_of(user("a", Name="x" * 2000))
        _, answers = answered(Switches(body_limit=2000), (USERS, body), (USERS, body_of(user("a"))))
        assert answers == [(413, None), (201, [])]


class TestDoor:
    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"Authorization": None}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "Basic c2FuZGJveDpzYW5kYm94"}, 401),
            ({"Tenant": "other"}, 403),
            ({"Content_Type": "text/plain"}, 415),
        ],
    )
    def test_a_wrong_header_is_refused_without_a_word(
        self, caller: Caller, changes: dict[str, str | None], status: int
    ) -> None:
        assert caller.call(USERS, body_of(user("a")), **changes) == (status, None)

    def test_the_tenant_is_mandatory(self, caller: Caller) -> None:
        status, answer = caller.call(USERS, body_of(user("a")), Tenant=None)
        assert (status, list(answer["errors"])) == (400, ["Tenant"])

    def test_only_registered_clients(self) -> None:
        _, answers = answered(
            Switches(clients=frozenset({"ABC"})),
            (USERS, body_of(user("a"))),
            (USERS, body_of(user("a"), client="DEF")),
        )
        assert [status for status, _ in answers] == [201, 400]

    def test_paths_and_methods(self, caller: Caller) -> None:
        caller.sign_in()
        body = json.dumps(body_of(user("a"))).encode()
        assert caller.send("POST", USERS, body, caller.headers())[0] == 201
        assert caller.send("POST", "/v2/users", body, caller.headers())[0] == 404
        status, _, headers = caller.send("GET", USERS, b"", caller.headers())
        assert (status, headers["Allow"]) == (405, "POST")

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"client_secret": "guess"}, "invalid_client"),
            ({"client_id": "guess"}, "invalid_client"),
            ({"scope": "all"}, "invalid_scope"),
            ({"grant_type": "password"}, "unsupported_grant_type"),
        ],
    )
    def test_the_token_server_refuses(self, caller: Caller, changes: dict[str, str], error: str) -> None:
        assert caller.sign_in(**changes) == (400, {"error": error})

    def test_a_token_belongs_to_its_tenant(self) -> None:
        two = (Credential("one", "one", "1"), Credential("two", "two", "2"))
        with serve(switches=Switches(credentials=two)) as server, Caller(server.port) as caller:
            status, answer = caller.sign_in(client_id="two", client_secret="2")
            assert (status, answer["expires_in"], answer["token_type"]) == (200, 3600, "Bearer")
            assert caller.call(USERS, body_of(user("a")), Tenant="one")[0] == 403
            assert caller.call(USERS, body_of(user("a")), Tenant="two")[0] == 201
            assert list(server.world.users("ABC", "two")) == ["acme//a"]

    def test_a_token_ends_by_the_clock(self) -> None:
        now = [0.0]
        tokens = Tokens(lambda: now[0])
        token = tokens.issue("sandbox", 60, None)
        now[0] = 59.9
        assert tokens.use(token) == "sandbox"
        now[0] = 60.0
        assert tokens.use(token) is None

    def test_a_token_ends_after_some_uses_or_when_revoked(self) -> None:
        with serve(switches=Switches(token_uses=2)) as server, Caller(server.port) as caller:
            assert [caller.call(USERS, body_of(user("a")))[0] for _ in range(3)] == [201, 201, 401]
            caller.sign_in()
            assert caller.call(USERS, body_of(user("a")))[0] == 201
            assert caller.send("DELETE", "/_sandbox/tokens")[0] == 204
            assert caller.call(USERS, body_of(user("a")))[0] == 401
