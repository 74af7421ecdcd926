"""What the pretend Orbix holds: membership, both readings of *synchronize*, and its own pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.core.sandbox_kit import Caller, answered, body_of, groups_of, user

from rosterd.sandbox import Server, Switches, fault, serve
from rosterd.sandbox.sessions import Sessions

USERS, GROUPS = "/v1/users", "/v1/groups/users"
USERS_SYNC, GROUPS_SYNC = "/v1/users/synchronize", "/v1/groups/users-sync"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.fixture
def caller(server: Server) -> Iterator[Caller]:
    with Caller(server.port) as client:
        yield client


class TestMembership:
    @pytest.mark.parametrize(
        ("switches", "members"),
        [
            (Switches(membership="additive"), {"A": ["acme//a", "acme//b", "acme//c"], "B": ["acme//a"]}),
            (Switches(membership="replacing"), {"A": ["acme//b", "acme//c"], "B": ["acme//a"]}),
        ],
    )
    def test_a_second_request(self, switches: Switches, members: dict[str, list[str]]) -> None:
        first, second = (
            groups_of(A=[user("a"), user("b")], B=[user("a")]),
            groups_of(A=[user("b"), user("c")]),
        )
        world, _ = answered(switches, (GROUPS, first), (GROUPS, second))
        assert world.members("ABC") == members
        assert sorted(world.users("ABC")) == ["acme//a", "acme//b", "acme//c"]
        assert [held.times for held in world.holdings["sandbox", "ABC"].groupings.values()] == [2, 1]


class TestSynchronize:
    @pytest.mark.parametrize(
        ("switches", "left"),
        [
            (Switches(synchronize="request"), ["acme//c"]),
            (Switches(synchronize="session"), ["acme//b", "acme//c"]),
        ],
    )
    def test_users_over_two_requests(self, switches: Switches, left: list[str]) -> None:
        world, _ = answered(
            switches,
            (GROUPS, groups_of(G=[user("a"), user("c")])),
            (USERS_SYNC, body_of(user("b"))),
            (USERS_SYNC, body_of(user("c"))),
        )
        assert sorted(world.users("ABC")) == left
        assert (
            world.members("ABC")["G"] == []
        )  # c was deleted by the first request and came back without its seat

    @pytest.mark.parametrize(
        ("switches", "left"),
        [
            (Switches(synchronize="request"), {"B": ["acme//b"]}),
            (Switches(synchronize="session"), {"A": ["acme//a"], "B": ["acme//b"]}),
        ],
    )
    def test_groupings_over_two_requests(self, switches: Switches, left: dict[str, list[str]]) -> None:
        world, _ = answered(
            switches,
            (GROUPS, groups_of(A=[user("x")], C=[user("x")])),
            (GROUPS_SYNC, groups_of(A=[user("a")])),
            (GROUPS_SYNC, groups_of(B=[user("b")])),
        )
        assert world.members("ABC") == left
        assert "acme//x" in world.users("ABC")  # people are not deleted by this call

    def test_a_refused_user_is_not_one_that_is_lacking(self) -> None:
        world, _ = answered(
            Switches(),
            (USERS, body_of(user("a"), user("b"))),
            (USERS_SYNC, body_of(user("a", Email="no"), user("c"))),
        )
        assert sorted(world.users("ABC")) == ["acme//a", "acme//c"]

    def test_a_request_that_fails_whole_deletes_nothing(self) -> None:
        world, answers = answered(Switches(), (USERS, body_of(user("a"))), (USERS_SYNC, body_of(user("b c"))))
        assert answers[1][0] == 400
        assert list(world.users("ABC")) == ["acme//a"]

    def test_other_clients_are_left_alone(self) -> None:
        world, _ = answered(
            Switches(), (USERS, body_of(user("a"), client="DEF")), (USERS_SYNC, body_of(user("b")))
        )
        assert list(world.users("DEF")) == ["acme//a"]

    def test_a_session_ends_with_its_token_and_with_time(self) -> None:
        now = [0.0]
        sessions = Sessions(lambda: now[0])
        call = (USERS_SYNC, "sandbox", "ABC")
        assert sessions.together(call, "t1", 60, {"a"}) == {"a"}
        assert sessions.together(call, "t1", 60, {"b"}) == {"a", "b"}
        assert sessions.together(call, "t2", 60, {"c"}) == {"c"}
        now[0] = 61.0
        assert sessions.together(call, "t2", 60, {"d"}) == {"d"}


class TestDesk:
    def test_state_counts_and_requests(self, caller: Caller) -> None:
        caller.call(GROUPS, groups_of(G=[user("a", Name="Ann"), user("b c")]))
        state = caller.get("/_sandbox/state")["clients"][0]
        assert (state["tenant"], state["client"]) == ("sandbox", "ABC")
        assert state["users"] == {"acme//a": {"record": user("a", Name="Ann"), "times": 1}}
        assert state["groupings"] == {
            "g": {"name": "G", "description": None, "times": 1, "members": ["acme//a"]}
        }
        counts = caller.get("/_sandbox/counts")["clients"][0]
        assert (counts["users"], counts["groupings"], counts["seats"]) == (1, 1, 1)
        token, call = caller.get("/_sandbox/requests")
        assert (token["path"], token["status"], token["tenant"]) == ("/connect/token", 200, "sandbox")
        assert {name: call[name] for name in ("number", "client", "records", "groupings", "status")} == {
            "number": 2,
            "client": "ABC",
            "records": 2,
            "groupings": 1,
            "status": 201,
        }
        assert call["bytes"] > 100

    def test_the_state_can_be_dropped(self, caller: Caller) -> None:
        caller.call(USERS, body_of(user("a")))
        assert caller.send("DELETE", "/_sandbox/state")[0] == 204
        assert caller.get("/_sandbox/state") == {"clients": [], "requests": 0}

    def test_the_page_escapes_everything(self, server: Server, caller: Caller) -> None:
        script = "<script>alert(1)</script>"
        caller.call(GROUPS, groups_of(**{script: [user("a", Name=script)]}))
        server.faults.add(fault("refuse", logon=script))
        server.world.accept(script, "ABC", [("grouping", "G", None)])
        caller.send("GET", f"/{script}")
        status, page, headers = caller.send("GET", "/_sandbox/")
        assert status == 200
        assert b"<script" not in page
        assert page.count(b"&lt;script&gt;") == 6
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")

    def test_unknown_pages(self, caller: Caller) -> None:
        assert caller.send("GET", "/_sandbox/elsewhere")[0] == 404
