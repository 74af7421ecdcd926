"""Each guard: what it holds, what it lets go, and what a held plan shows before and after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.cli.files import GROUPS_HEAD, Row, limit, numbered, people
from tests.cli.kit import Office

FIVE = ("ana", "bruno", "carlos", "dora", "egon")


def held(office: Office, word: str) -> dict[str, Any]:
    """The plan of a run that this guard holds, and that sent nothing."""
    office.forget_requests()
    before = office.users(), office.members()
    part = office.one(code=4)
    assert word in part["reason"], part["reason"]
    assert office.requests() == [] and (office.users(), office.members()) == before
    plan = office.plan(code=4)
    assert plan["digest"] == part["plan"]
    assert any(word in reason for reason in plan["reasons"])
    return plan


def approved(office: Office, plan: dict[str, Any]) -> dict[str, Any]:
    """The run after this plan was approved."""
    assert office.do("approve", plan["digest"]).code == 0
    return office.one(code=0)


def changes(plan: dict[str, Any], op: str, kind: str = "person") -> list[dict[str, Any]]:
    return [change for change in plan["changes"] if (change["op"], change["kind"]) == (op, kind)]


def test_fault_41_leavers_two_of_five(office: Office) -> None:
    office.run(code=0)
    office.put(people(*FIVE[:3]))
    plan = held(office, "leavers")
    assert [change["key"] for change in changes(plan, "gone")] == ["NDD//dora", "NDD//egon"]
    assert changes(plan, "gone")[0]["before"]["name"] == "Name of dora"
    assert changes(plan, "gone")[0]["after"] is None
    assert approved(office, plan)["people"]["gone"] == 2


def test_one_leaver_of_five_goes(office: Office) -> None:
    office.run(code=0)
    office.put(people(*FIVE[:4]))
    assert office.one(code=0)["people"]["gone"] == 1
    office.put(people(*FIVE[:3]))
    assert office.one(code=0)["people"]["gone"] == 1, "only new departures count"


def test_leavers_among_people_whom_no_answer_confirmed(office: Office) -> None:
    """A first delivery that failed half-way does not lock itself out, and does not go unguarded either."""
    office.put(numbered(40))
    office.fault("status", status=503, path="users")
    assert office.one(code=6)["people"]["unsent"] == 40
    office.calm()
    office.put(numbered(20))
    assert "20 of 40" in held(office, "leavers")["reasons"][0]
    office.put(numbered(36))
    part = office.one(code=0)
    assert (part["people"]["created"], part["people"]["gone"]) == (36, 4)


def test_leavers_by_count(office: Office) -> None:
    office.set(customers={"acme": {"guards": {"leavers": limit(count=3, at_least=1)}}})
    office.put(numbered(100))
    office.run(code=0)
    office.put(numbered(97))
    assert office.one(code=0)["people"]["gone"] == 3, "holds when more than the limit"
    office.put(numbered(93))
    held(office, "leavers")


def test_creates(office: Office) -> None:
    office.put(numbered(40))
    office.run(code=0)
    office.put(numbered(60))
    assert office.one(code=0)["people"]["created"] == 20, "20 of 40 is 50 percent, not more"
    office.put(numbered(91))
    plan = held(office, "creates")
    assert len(changes(plan, "create")) == 31
    assert changes(plan, "create")[0] == {
        "op": "create",
        "kind": "person",
        "key": "NDD//p00060",
        "before": None,
        "after": {
            "domain": "NDD",
            "logon": "p00060",
            "name": "Name of p00060",
            "email": "p00060@example.com",
        },
    }
    assert approved(office, plan)["people"]["created"] == 31


def test_updates(office: Office) -> None:
    office.put(numbered(60))
    office.run(code=0)
    office.put([(row[0], "New " + row[1], row[2]) if at < 20 else row for at, row in enumerate(numbered(60))])
    plan = held(office, "updates")
    change = changes(plan, "update")[0]
    assert (change["before"]["name"], change["after"]["name"]) == ("Name of p00000", "New Name of p00000")
    assert change["before"]["email"] == change["after"]["email"]
    assert approved(office, plan)["people"]["updated"] == 20
    assert office.users()["ndd//p00000"]["Name"] == "New Name of p00000"


def test_few_updates_go(office: Office) -> None:
    office.run(code=0)
    office.put([(row[0], "New", row[2]) for row in people(*FIVE)])
    assert office.one(code=0)["people"]["updated"] == 5, "fewer than at_least never hold"


@pytest.mark.parametrize("column", [1, 2])
def test_blanked(office: Office, column: int) -> None:
    office.put(numbered(40))
    office.run(code=0)

    def without(row: Row) -> Row:
        return [cell if at != column else "" for at, cell in enumerate(row)]

    office.put([without(row) if at < 5 else row for at, row in enumerate(numbered(40))])
    plan = held(office, "blanked")
    field = ("logon", "name", "email")[column]
    assert field in plan["reasons"][0]
    change = changes(plan, "update")[0]
    assert change["before"][field] and not change["after"].get(field)
    assert approved(office, plan)["people"]["updated"] == 5
    assert field.capitalize() not in office.users()["ndd//p00000"]


def members(group: str, logons: range) -> list[Row]:
    return [(group, f"All of {group}", f"p{number:05}") for number in logons]


@pytest.fixture
def crowd(grouped: Office) -> Office:
    """Forty people in two groups, delivered."""
    grouped.put(numbered(40))
    grouped.put_groups([*members("Floor 1", range(20)), *members("Floor 2", range(20, 40))])
    grouped.run(code=0)
    return grouped


def test_fault_86_member_loss(crowd: Office) -> None:
    crowd.put_groups([*members("Floor 1", range(13)), *members("Floor 2", range(20, 40))])
    plan = held(crowd, "member_loss")
    assert "Floor 1" in plan["reasons"][0] and "Floor 2" not in plan["reasons"][0]
    lost = changes(plan, "gone", "seat")
    assert len(lost) == 7 and lost[0]["key"] == "Floor 1 / NDD//p00013"
    assert approved(crowd, plan)["seats"]["gone"] == 7


def test_a_small_member_loss_goes(crowd: Office) -> None:
    crowd.put_groups([*members("Floor 1", range(14)), *members("Floor 2", range(20, 40))])
    assert crowd.one(code=0)["seats"]["gone"] == 6, "6 of 20 is 30 percent, not more"


def emptied(crowd: Office) -> None:
    crowd.put_groups(members("Floor 2", range(20, 40)))


def regrouped(crowd: Office) -> None:
    crowd.put_groups([*members("Floor 9", range(20)), *members("Floor 2", range(20, 40))])


@pytest.mark.parametrize("happens", [emptied, regrouped])
def test_a_group_that_would_be_empty_holds(crowd: Office, happens: Callable[[Office], None]) -> None:
    happens(crowd)
    plan = held(crowd, "Floor 1")
    assert "Floor 9" not in crowd.members()
    approved(crowd, plan)
    assert crowd.one(code=0)["requests"] == 0


def test_fault_86_a_small_group_that_would_be_empty_holds(crowd: Office) -> None:
    """Fewer members than member_loss looks at: an emptied group holds by itself (FAULTS.md row 86)."""
    crowd.put_groups(
        [*members("Floor 1", range(20)), *members("Floor 2", range(20, 40)), ("Attic", "", "p00001")]
    )
    crowd.run(code=0)
    crowd.put_groups([*members("Floor 1", range(20)), *members("Floor 2", range(20, 40))])
    held(crowd, "Attic")


def test_a_groups_file_may_be_empty_but_not_suddenly(crowd: Office) -> None:
    crowd.put_text(",".join(GROUPS_HEAD) + "\n", "groups.csv")
    held(crowd, "Floor 1")


def test_an_empty_groups_file_is_fine_at_first(grouped: Office) -> None:
    grouped.put_text(",".join(GROUPS_HEAD) + "\n", "groups.csv")
    part = grouped.one(code=0)
    assert part["groups"]["read"] == 0 and part["people"]["created"] == 10


def test_an_empty_read_always_holds(office: Office) -> None:
    office.put([])
    assert office.one(code=4)["people"]["read"] == 0, "even where nothing was ever delivered"
    office.put(people(*FIVE))
    office.run(code=0)
    office.put([])
    office.set(customers={"acme": {"guards": {"leavers": limit(percent=100, at_least=1000)}}})
    held(office, "no people at all")


def test_a_missing_part_does_not_limit(office: Office) -> None:
    office.set(customers={"acme": {"guards": {"leavers": limit(at_least=1)}}})
    office.run(code=0)
    office.put(people("ana"))
    assert office.one(code=0)["people"]["gone"] == 4


def test_dry_run_is_plan(office: Office) -> None:
    office.run(code=0)
    office.put(people(*FIVE[:3]))
    dry, plan = office.do("run", "--once", "--dry-run", "--json"), office.do("plan", "--json")
    assert dry.code == plan.code == 4 and dry.document == plan.document
    assert office.users().keys() == {f"ndd//{logon}" for logon in FIVE}


def test_a_plan_can_be_approved_without_a_run(office: Office) -> None:
    office.run(code=0)
    office.put(people(*FIVE[:3]))
    shown = office.do("plan")
    digest = shown.out.split("rosterd approve ")[1].split()[0]
    assert office.do("approve", digest).code == 0
    assert office.one(code=0)["people"]["gone"] == 2
