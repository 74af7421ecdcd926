"""An approval covers just its changes, until they are delivered or it expires."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.cli.files import customer, limit, numbered, people
from tests.cli.kit import Office

from rosterd.log import configure
from rosterd.once import Wish, run_once
from rosterd.settings import load

FIVE = ("ana", "bruno", "carlos", "dora", "egon")
DAY = 86_400.0


def later(office: Office, days: float) -> dict[str, Any]:
    """A run so many days from now: the clock is the one thing that is pretended."""
    settings = load(office.config, {}).settings
    wish = Wish(clock=lambda: time.time() + days * DAY)
    part: dict[str, Any] = run_once(settings, wish, configure("console", -1))["customers"]["acme"]
    return part


@pytest.fixture
def tight(office: Office) -> Office:
    """Every creation beside those known holds."""
    office.run(code=0)
    office.set(customers={"acme": {"guards": {"creates": limit(count=0), "updates": limit(count=0)}}})
    return office


def held_digest(office: Office) -> str:
    office.one(code=4)
    return str(office.plan(code=4)["digest"])


def test_fault_92_other_changes_stay_held(tight: Office) -> None:
    tight.put(people(*FIVE, "filipa"))
    tight.do("approve", held_digest(tight))
    tight.put(people(*FIVE, "filipa", "gerd"))
    part = tight.one(code=4)
    assert part["people"]["created"] == 1 and part["people"]["unsent"] == 1
    assert "ndd//filipa" in tight.users() and "ndd//gerd" not in tight.users()
    assert "creates" in part["reason"]
    plan = tight.plan(code=4)
    assert [change["key"] for change in plan["changes"]] == ["NDD//gerd"]


def test_fault_92_an_approved_change_that_changed_is_held(tight: Office) -> None:
    tight.put(people(*FIVE, "filipa"))
    tight.do("approve", held_digest(tight))
    tight.put([*people(*FIVE), ("filipa", "Somebody else", "filipa@example.com")])
    part = tight.one(code=4)
    assert part["people"]["created"] == 0 and "ndd//filipa" not in tight.users()


def test_fault_92_an_approved_change_that_is_no_longer_wanted(tight: Office) -> None:
    tight.put(people(*FIVE, "filipa"))
    tight.do("approve", held_digest(tight))
    tight.put(people(*FIVE))
    assert tight.one(code=0)["people"]["created"] == 0


def test_fault_92_each_of_two_held_plans(tight: Office) -> None:
    """An approval of the newer plan lets all of it go; the older one is then settled."""
    tight.put(people(*FIVE, "filipa"))
    tight.one(code=4)
    tight.put(people(*FIVE, "filipa", "gerd"))
    tight.do("approve", held_digest(tight))
    assert tight.one(code=0)["people"]["created"] == 2
    assert tight.do("approve", "--json").document["plans"] == []
    assert tight.do("status", "--json").document["customers"]["acme"]["held"] == []


def test_an_approval_is_spent_when_delivered(tight: Office) -> None:
    tight.put(people(*FIVE, "filipa"))
    tight.do("approve", held_digest(tight))
    tight.one(code=0)
    tight.put([*people(*FIVE), ("filipa", "Changed", "filipa@example.com")])
    tight.one(code=4)
    tight.put(people(*FIVE, "filipa"))
    assert tight.one(code=0)["people"]["unchanged"] == 6


def test_an_approval_outlives_a_failed_run(tight: Office) -> None:
    tight.put(people(*FIVE, "filipa"))
    tight.do("approve", held_digest(tight))
    tight.fault("status", status=503)
    tight.set(orbix={"attempts": 1})
    tight.one(code=6)
    tight.calm()
    assert tight.one(code=0)["people"]["created"] == 1


@pytest.mark.parametrize(("days", "goes"), [(6.9, True), (7.1, False)])
def test_an_approval_expires(tight: Office, days: float, goes: bool) -> None:
    tight.put(people(*FIVE, "filipa"))
    tight.do("approve", held_digest(tight))
    part = later(tight, days)
    assert part["exit_code"] == (0 if goes else 4), part["reason"]
    assert ("ndd//filipa" in tight.users()) is goes


def test_approval_days(tight: Office) -> None:
    tight.set(customers={"acme": {"approval_days": 1}})
    tight.put(people(*FIVE, "filipa"))
    result = tight.do("approve", held_digest(tight))
    assert "1 day" in result.out
    assert later(tight, 1.1)["exit_code"] == 4


def two_customers(office: Office) -> None:
    office.settings = {}
    careful = {"first_run": "approve"}
    office.write(acme=customer(guards=careful), bolt=customer("bolt", guards=careful))
    office.put(people(*FIVE), "bolt.csv")
    office.run(code=4)


def test_several_digests_at_once(office: Office) -> None:
    two_customers(office)
    digests = [office.plan(code=4, name=name)["digest"] for name in ("acme", "bolt")]
    assert office.do("approve", *digests).code == 0
    office.run(code=0)
    assert len(office.users("ACME")) == len(office.users("BOLT")) == 5


def test_a_newer_plan_takes_the_place_of_a_held_one(tight: Office) -> None:
    tight.put(people(*FIVE, "filipa"))
    first = held_digest(tight)
    tight.put(people(*FIVE, "gerd"))
    second = held_digest(tight)
    result = tight.do("approve", first)
    assert result.code == 2 and second[:12] in result.err and "new digest" in result.err, result.said


def test_an_approval_is_for_its_customer(office: Office) -> None:
    two_customers(office)
    digest = office.plan(code=4, name="bolt")["digest"]
    assert digest != office.plan(code=4)["digest"], "the same people of two customers are two plans"
    office.do("approve", digest)
    document = office.run(code=4)
    assert document["customers"]["bolt"]["exit_code"] == 0
    assert office.users("ACME") == {} and len(office.users("BOLT")) == 5


def test_a_busy_directory_does_not_void_an_approval(office: Office) -> None:
    office.put(numbered(40))
    office.run(code=0)
    office.put(numbered(80))
    office.do("approve", held_digest(office))
    office.put([*numbered(80), *people("newcomer")])
    part = office.one(code=0)
    assert part["people"]["created"] == 41, "one more alone is within the guard"


def test_a_held_plan_is_forgotten_when_all_is_well_again(office: Office) -> None:
    """Else an approval given later would let departures go that nobody looks at."""
    office.run(code=0)
    office.put(people(*FIVE[:3]))
    digest = held_digest(office)
    office.put(people(*FIVE))
    assert office.one(code=0)["people"]["unchanged"] == 5
    assert office.do("status", "--json").document["customers"]["acme"]["held"] == []
    assert office.do("approve", digest).code == 2


def test_status_tells_held_from_approved(tight: Office) -> None:
    tight.put(people(*FIVE, "filipa"))
    digest = held_digest(tight)
    status = tight.do("status", "--json")
    assert status.code == 4 and status.document["customers"]["acme"]["state"] == "held"
    tight.do("approve", digest)
    assert tight.do("status").code == 10
    tight.one(code=0)
    assert tight.do("status").code == 0


def test_a_grouping_waits_while_a_held_loss_keeps_it_over_one_request(grouped: Office) -> None:
    """Sent whole in two requests it would, on a target that replaces members, lose those of the first."""
    rows = numbered(1_300)
    grouped.put(rows)

    def seated(*ranges: range) -> None:
        grouped.put_groups([("Big", "All", rows[i][0]) for numbers in ranges for i in numbers])

    seated(range(900))
    grouped.one(code=0)
    grouped.set(customers={"acme": {"guards": {"member_loss": limit(percent=10)}}})
    seated(range(300, 1_300))
    grouped.do("approve", held_digest(grouped))
    seated(range(300), range(600, 1_300))  # others leave: their loss is not approved, the new ones are
    grouped.forget_requests()
    part = grouped.one(code=4)
    assert grouped.requests("groups") == [] and part["seats"]["unsent"] == 400
    grouped.do("approve", held_digest(grouped))
    part = grouped.one(code=0)
    assert len(grouped.requests("groups")) == 1 and part["seats"]["created"] == 400


def test_an_approved_grouping_waits_while_all_of_its_people_are_held(grouped: Office) -> None:
    """Others have come into it since it was approved."""
    grouped.run(code=0)
    grouped.set(customers={"acme": {"guards": {"creates": limit(count=0)}}})
    ten = people(*(f"p{n}" for n in range(10)))
    rows = [("Floor 1", "First floor", f"p{n}") for n in range(6)] + [
        ("Floor 2", "Second floor", f"p{n}") for n in range(5, 10)
    ]
    for who in ("ana", "bruno"):
        grouped.put([*ten, *people(who)])
        grouped.put_groups([*rows, ("Room", "The new one", who)])
        part = grouped.one(code=4)
        assert part["groups"]["unsent"] == 1 and part["groups"]["set_aside"] == 0
        assert "Room" not in grouped.members()
        grouped.do("approve", str(grouped.plan(code=4)["digest"]))
    assert grouped.one(code=0)["groups"]["created"] == 1
    assert grouped.members()["Room"] == ["ndd//bruno"]
