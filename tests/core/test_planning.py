"""The rules of the merge, one after the other, on whole runs of a small company."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.company import CLIENT, TENANT, URL, Directory, Entry, Office, Orbix, Unit

from rosterd.core.guard import Guards, Limit
from rosterd.sandbox import fault

Opened = Callable[..., Office]
OPEN = Guards("go", *[Limit()] * 6)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    offices: list[Office] = []

    def make(*directories: Directory, **job: Any) -> Office:
        offices.append(Office(tmp_path / "ledger.db", *directories, **{"guards": OPEN, **job}))
        return offices[-1]

    yield make
    for office in offices:
        office.ledger.close()


def staff(count: int = 3, name: str = "hq", first: int = 0, **more: Any) -> Directory:
    people = {
        f"p{n}": Entry(f"p{n}", f"Person {n}", f"p{n}@acme.example") for n in range(first, first + count)
    }
    return Directory(name, people=people, **more)


def states(office: Office) -> dict[str, str]:
    return {key.removeprefix("ndd//"): found[2] for key, found in office.people().items()}


def leavers(office: Office) -> list[str]:
    return [leaver.shown for leaver in office.ledger.leavers(office.binding)]


# Rule 2


def test_every_record_keeps_where_it_comes_from(opened: Opened) -> None:
    office = opened(staff(1))
    office.run()
    (page,) = office.ledger.people(office.binding)
    assert page == [
        (b"ndd\0p0", "NDD", "p0", "Person 0", "p0@acme.example", "hq", "p0", "cn=p0,ou=hq", "active")
    ]


def test_new_provenance_is_noted_without_a_request(opened: Opened) -> None:
    hq = staff(1)
    hq.groups["g"] = Unit("Print", "", ["p0"])
    office = opened(hq)
    office.run()
    hq.people["moved"] = hq.people.pop("p0")
    hq.groups["g"].members = ["moved"]
    result = office.run()
    assert (result.code, result.outcome.requests, result.changes) == (0, 0, [])
    assert next(office.ledger.people(office.binding))[0][5:8] == ("hq", "moved", "cn=moved,ou=hq")


# Rule 3


def test_who_leaves_is_gone_once_and_comes_back_as_an_update(opened: Opened) -> None:
    hq = staff()
    office = opened(hq)
    assert office.run().counts() == {"read": 3, "created": 3}
    gone = hq.people.pop("p1")
    assert office.run().counts() == {"read": 2, "unchanged": 2, "gone": 1}
    assert (states(office)["p1"], leavers(office)) == ("left", ["NDD//p1"])
    assert office.run().counts() == {"read": 2, "unchanged": 2}
    hq.people["p1"] = gone
    assert office.run().counts() == {"read": 3, "unchanged": 2, "updated": 1}
    assert (states(office)["p1"], leavers(office)) == ("active", [])


def test_a_leaver_who_was_removed_by_hand_is_sent_again_when_he_returns(opened: Opened) -> None:
    hq = staff()
    office = opened(hq)
    office.run()
    entry = hq.people.pop("p1")
    office.run()
    (leaver,) = office.ledger.leavers(office.binding)
    office.ledger.tick(office.binding, leaver)
    office.orbix.world.accept(TENANT, CLIENT, [("user_gone", "ndd//p1")])
    assert office.run().counts() == {"read": 2, "unchanged": 2}
    hq.people["p1"] = entry
    assert office.run().counts()["updated"] == 1
    assert "ndd//p1" in office.orbix.world.users(CLIENT)


def test_fault_77_a_renamed_logon_is_a_new_person_and_a_leaver(opened: Opened) -> None:
    hq = staff()
    office = opened(hq)
    office.run()
    hq.people["p1"].logon = "renamed"
    assert office.run().counts() == {"read": 3, "created": 1, "unchanged": 2, "gone": 1}
    assert leavers(office) == ["NDD//p1"]


def test_fault_76_a_logon_in_other_letters_is_an_update(opened: Opened) -> None:
    hq = staff(1)
    office = opened(hq)
    office.run()
    hq.people["p0"].logon = "P0"
    assert office.run().counts() == {"read": 1, "updated": 1}
    assert office.run().counts() == {"read": 1, "unchanged": 1}
    assert office.orbix.world.users(CLIENT)["ndd//p0"]["Logon"] == "P0"


def test_fault_91_disabled_people_leave(opened: Opened) -> None:
    hq = staff()
    office = opened(hq)
    office.run()
    hq.people["p1"].disabled = True
    assert office.run().counts() == {"read": 3, "excluded": 1, "unchanged": 2, "gone": 1}
    assert office.run().counts() == {"read": 3, "excluded": 1, "unchanged": 2}


# Rule 4


def test_a_known_record_that_is_set_aside_is_kept(opened: Opened) -> None:
    hq = staff()
    hq.groups["g"] = Unit("Print", "", ["p0", "p1"])
    office = opened(hq, rules={"bad_email": "set_aside"})
    office.run()
    hq.people["p1"].mail = "not an address"
    result = office.run()
    assert result.code == 3
    assert result.counts() == {"read": 3, "unchanged": 2, "set_aside": 1}
    assert result.counts("seats") == {"read": 2, "unchanged": 1, "set_aside": 1}
    assert (states(office)["p1"], leavers(office)) == ("active", [])
    assert office.seats()["print", "ndd//p1"] == "active"


def test_fault_36_an_incomplete_source_changes_nothing(opened: Opened) -> None:
    hq = staff()
    hq.groups["g"] = Unit("Print", "", ["p0"])
    office = opened(hq)
    office.run()
    before = (office.people(), office.seats())
    hq.people.pop("p1")
    hq.people["p2"].name = "Changed"
    hq.groups.clear()
    hq.broken = True
    office.orbix.clear()
    result = office.run()
    assert (result.code, result.document["outcome"]) == (5, "failed")
    assert "the connection was lost" in result.document["reason"]
    assert result.counts() == {}
    assert ((office.people(), office.seats()), office.orbix.calls) == (before, [])


def test_fault_36_the_other_sources_go_on(opened: Opened) -> None:
    hq, hr = staff(3), staff(2, "hr", first=10)
    hq.groups["g"] = Unit("Print", "", ["p0"])
    hr.groups["g"] = Unit("Print", "", ["p10"])
    office = opened(hq, hr)
    office.run()
    hq.people.pop("p1")
    hq.broken = True
    hr.people["p10"].name = "Changed"
    hr.people.pop("p11")
    hr.people["new"] = Entry("new")
    hr.groups["g"].members = ["new"]
    result = office.run()
    assert result.code == 5
    assert result.counts() == {"read": 2, "created": 1, "updated": 1, "gone": 1}
    assert states(office) == {
        "p0": "active", "p1": "active", "p2": "active", "p10": "active", "p11": "left", "new": "active"
    }  # fmt: skip
    assert office.seats() == {
        ("print", "ndd//p0"): "active", ("print", "ndd//new"): "active", ("print", "ndd//p10"): "left"
    }  # fmt: skip


def test_raw_membership_of_an_unread_source_stays(opened: Opened) -> None:
    hq, hr = staff(1), staff(1, "hr", first=5)
    hq.groups["g"] = Unit("Print", "", ["p0"])
    hr.groups["g"] = Unit("Print", "", ["p5"])
    office = opened(hq, hr)
    office.run()
    before = [edge for page in office.ledger.edges(office.binding) for edge in page]
    assert len(before) == 2
    hq.broken = True
    hr.groups.clear()
    assert office.run().code == 5
    after = [edge for page in office.ledger.edges(office.binding) for edge in page]
    assert {edge[2] for edge in after} == {"hq"}


def test_a_frozen_record_is_not_taken_over(opened: Opened) -> None:
    hq, hr = staff(1), staff(1, "hr", first=5)
    office = opened(hq, hr, precedence=("hq", "hr"))
    office.run()
    hq.broken = True
    hr.people["x"] = Entry("P0", "Somebody of hr")
    result = office.run()
    assert result.counts() == {"read": 2, "unchanged": 1, "set_aside": 1}
    assert office.people()["ndd//p0"] == ("Person 0", "p0@acme.example", "active")
    assert office.orbix.world.users(CLIENT)["ndd//p0"]["Name"] == "Person 0"


# Rule 5


def test_precedence_counts_the_shadowed_record_as_excluded(opened: Opened) -> None:
    hq, hr = staff(2), staff(2, "hr")
    hr.people["p0"].name = "Another"
    office = opened(hq, hr, precedence=("hr", "hq"))
    assert office.run().counts() == {"read": 4, "created": 2, "excluded": 2}
    assert office.people()["ndd//p0"][0] == "Another"
    hr.people.pop("p0")
    assert office.run().counts() == {"read": 3, "updated": 1, "unchanged": 1, "excluded": 1}


def test_without_precedence_both_are_set_aside(opened: Opened) -> None:
    office = opened(staff(2), staff(2, "hr", first=1))
    result = office.run()
    assert (result.code, result.counts()) == (3, {"read": 4, "created": 2, "set_aside": 2})
    assert office.run().code == 0, "told once, no news"


@pytest.mark.parametrize("sources", [1, 2])
def test_fault_75_what_is_said_of_a_collision_does_not_depend_on_the_order_of_reading(
    opened: Opened, tmp_path: Path, sources: int
) -> None:
    said = []
    for number, order in enumerate((1, -1)):
        entries = [("1", Entry("Ana")), ("2", Entry("ana")), ("3", Entry("ANA"))]
        parts = [entries] if sources == 1 else [entries[:2], entries[2:]]
        directories = [Directory(f"s{i}", people=dict(part[::order])) for i, part in enumerate(parts)]
        office = Office(tmp_path / f"{number}.db", *directories[::order], guards=OPEN)
        said.append(office.run().document["problems"])
        office.ledger.close()
    assert len(said[0]) == 3
    assert said[0] == said[1]


# Rules 1 and 6, and how full requests are


def test_records_travel_in_key_order(opened: Opened) -> None:
    hq = Directory(
        "hq", people={str(n): Entry(logon) for n, logon in enumerate(("b", "a.b", "Z", "a", "a-b"))}
    )
    office = opened(hq)
    office.run()
    assert [person.logon for person in office.orbix.people] == ["a", "a-b", "a.b", "b", "Z"]


@pytest.mark.parametrize(("people", "calls"), [(4_500, [4_500]), (4_501, [4_500, 1])])
def test_fault_85_requests_are_full(opened: Opened, people: int, calls: list[int]) -> None:
    office = opened(staff(people))
    office.run()
    assert office.orbix.calls == [("/v1/users", count) for count in calls]
    assert office.run().outcome.requests == 0


def test_fault_83_84_slices_fill_requests_and_never_meet_themselves(opened: Opened) -> None:
    hq = staff(2_100)
    sizes = {"A": 2_100, "B": 1_000, "C": 1_001, "D": 1, "E": 1, "F": 1}
    for name, size in sizes.items():
        hq.groups[name] = Unit(name, "", [f"p{n}" for n in range(size)])
    office = opened(hq, additive=True, lanes=2)
    result = office.run()
    assert result.counts("seats") == {"read": sum(sizes.values()), "created": sum(sizes.values())}
    slices = 3 + 1 + 2 + 1 + 1 + 1
    assert [path for path, _ in office.orbix.calls].count("/v1/groups/users") == max(-(-slices // 5), 3)
    members = office.orbix.world.members(CLIENT)
    assert {name: len(found) for name, found in members.items()} == sizes


def test_fault_83_a_large_grouping_is_set_aside_while_membership_is_unknown(opened: Opened) -> None:
    hq = staff(1_001)
    hq.groups["all"] = Unit("All", "", list(hq.people))
    hq.groups["few"] = Unit("Few", "", ["p1"])
    office = opened(hq)
    result = office.run()
    assert result.code == 3
    assert result.counts("groups") == {"read": 2, "created": 1, "set_aside": 1}
    assert result.counts("seats") == {"read": 1_002, "created": 1, "set_aside": 1_001}
    assert result.counts() == {"read": 1_001, "created": 1_001}
    reasons = [problem["reason"] for problem in result.document["problems"] if problem["kind"] == "group"]
    assert len(reasons) == 1 and "more than the 1,000 people of one request" in reasons[0], reasons


@pytest.mark.parametrize(("additive", "sent"), [(True, 1), (False, 3)])
def test_a_new_seat_sends_itself_or_the_whole_grouping(opened: Opened, additive: bool, sent: int) -> None:
    hq = staff(3)
    hq.groups["g"] = Unit("Print", "About", ["p0", "p1"])
    office = opened(hq, additive=additive, orbix=Orbix("additive" if additive else "replacing"))
    office.run()
    hq.groups["g"].members.append("p2")
    office.orbix.clear()
    assert office.run().counts("seats") == {"read": 3, "created": 1, "unchanged": 2}
    (grouping,) = office.orbix.groupings
    assert (grouping.description, len(grouping.people)) == ("About", sent)
    assert len(office.orbix.world.members(CLIENT)["Print"]) == 3


def test_fault_90_people_travel_with_the_same_record_everywhere(opened: Opened) -> None:
    hq = staff(3)
    hq.groups["g"] = Unit("Print", "", list(hq.people))
    office = opened(hq)
    office.run()
    assert list(office.orbix.groupings[0].people) == office.orbix.people


def test_a_new_description_alone_sends_one_member_along(opened: Opened) -> None:
    hq = staff(3)
    hq.groups["g"] = Unit("Print", "old", list(hq.people))
    office = opened(hq, additive=True)
    office.run()
    hq.groups["g"].description = "new"
    office.orbix.clear()
    result = office.run()
    assert (result.counts("groups"), result.counts("seats")) == (
        {"read": 1, "updated": 1}, {"read": 3, "unchanged": 3}
    )  # fmt: skip
    assert len(office.orbix.groupings[0].people) == 1


# Rules 7 and 8


def test_a_first_delivery_waits_for_a_look(opened: Opened) -> None:
    hq = staff(30)
    office = opened(hq, guards=Guards())
    result = office.run()
    assert (result.code, result.document["outcome"], result.counts()) == (
        4,
        "held",
        {"read": 30, "unsent": 30},
    )
    assert office.orbix.calls == []
    office.approve()
    assert office.run().counts() == {"read": 30, "created": 30}


def test_yes_lets_a_first_delivery_go(opened: Opened) -> None:
    office = opened(staff(30), guards=Guards())
    assert office.run(yes=True).code == 0
    assert office.run(yes=True).code == 0


def test_yes_is_for_the_first_delivery_only(opened: Opened) -> None:
    hq = staff(30)
    office = opened(hq, guards=Guards())
    office.run(yes=True)
    for number in range(10):
        hq.people.pop(f"p{number}")
    assert office.run(yes=True).code == 4


def test_after_the_first_delivery_creations_are_measured_by_percent(opened: Opened) -> None:
    hq = staff(60)
    office = opened(hq, guards=Guards("go"))
    office.run()
    hq.people.update(staff(60, first=100).people)
    assert office.run().code == 4


def test_a_first_delivery_lasts_until_it_has_ended_well(opened: Opened, tmp_path: Path) -> None:
    office = opened(staff(100), guards=Guards("go"))
    office.run(dry=True)
    office.ledger.bind(CLIENT, "acme")
    office.ledger.learn_size(office.binding, "person", 30)
    office.orbix.troubles = ["", "lost"]
    first = office.run()
    assert first.code == 6
    assert first.counts() == {"read": 100, "created": 30, "unsent": 70}
    second = office.run()
    assert (second.code, second.counts()) == (0, {"read": 100, "created": 70, "unchanged": 30})


def held_company(opened: Opened) -> tuple[Directory, Office]:
    """Twenty people are delivered; three are about to leave, which holds."""
    hq = staff(20)
    office = opened(hq, guards=Guards("go"))
    office.run()
    for number in range(3):
        hq.people.pop(f"p{number}")
    hq.people["p10"].name = "Changed"
    assert office.run().code == 4
    return hq, office


def test_an_approval_covers_its_changes_until_they_are_delivered(opened: Opened) -> None:
    _hq, office = held_company(opened)
    office.approve()
    result = office.run()
    assert (result.code, result.counts()) == (0, {"read": 17, "updated": 1, "unchanged": 16, "gone": 3})
    assert office.ledger.has_approvals(office.binding, office.now)
    assert next(iter(office.ledger.held(office.now, office.binding))).open == 0


def test_fault_92_what_came_after_the_approval_is_guarded_on_its_own(opened: Opened) -> None:
    hq, office = held_company(opened)
    office.approve()
    for number in range(3, 6):
        hq.people.pop(f"p{number}")
    hq.people["p11"].name = "Not approved"
    office.orbix.clear()
    result = office.run()
    assert result.code == 4
    assert [person.logon for person in office.orbix.people] == ["p10"]
    assert sorted(leavers(office)) == ["NDD//p0", "NDD//p1", "NDD//p2"]
    assert states(office)["p3"] == "active"
    assert result.counts()["unsent"] == 1


def test_fault_92_a_change_that_changed_again_is_not_approved(opened: Opened) -> None:
    hq, office = held_company(opened)
    office.approve()
    hq.people["p10"].name = "Changed again"
    for number in range(3, 6):
        hq.people.pop(f"p{number}")
    office.orbix.clear()
    assert office.run().code == 4
    assert office.orbix.people == []


def test_an_approval_expires(opened: Opened) -> None:
    _, office = held_company(opened)
    office.approve(days=7)
    office.now += 7 * 86_400 + 1
    office.orbix.clear()
    assert office.run().code == 4
    assert office.orbix.calls == []


def test_an_approval_is_for_this_target_only(opened: Opened, tmp_path: Path) -> None:
    office = opened(staff(3), guards=Guards())
    one = office.run(dry=True).digest
    assert one == office.run(dry=True).digest
    other = Office(tmp_path / "other.db", staff(3), guards=Guards())
    assert other.run(dry=True).digest == one, "the same changes for the same target"
    other.ledger.close()
    assert (URL, TENANT, CLIENT) == ("https://orbix.example.com/api", "sandbox", "ACME")


def test_fault_40_an_empty_read_holds(opened: Opened) -> None:
    hq = staff(3)
    office = opened(hq)
    office.run()
    hq.people.clear()
    result = office.run()
    assert result.code == 4
    assert "empty" in result.document["reason"]
    assert set(states(office).values()) == {"active"}


# Rules 9 and 10


def test_fault_82_a_group_name_that_is_too_long_is_set_aside_alone(opened: Opened) -> None:
    hq = staff(2)
    hq.groups["g"] = Unit("x" * 151, "", ["p0"])
    hq.groups["h"] = Unit("Print", "", ["p0", "p1"])
    office = opened(hq)
    result = office.run()
    assert result.counts("groups") == {"read": 2, "created": 1, "set_aside": 1}
    assert result.counts("seats") == {"read": 3, "created": 2, "set_aside": 1}
    assert result.counts() == {"read": 2, "created": 2}


def test_empty_new_groupings_are_set_aside(opened: Opened) -> None:
    hq = staff(2)
    hq.groups["g"] = Unit("Empty", "", [])
    office = opened(hq)
    assert (office.run().code, office.run().code) == (3, 0)


def test_an_empty_grouping_that_changes_is_set_aside_and_the_plan_is_quiet(opened: Opened) -> None:
    hq = staff(2)
    hq.groups["g"] = Unit("Print", "old", ["p0"])
    office = opened(hq)
    office.run()
    hq.groups["g"].members.clear()
    office.run()
    office.approve()
    assert office.run().counts("groups") == {"read": 1, "unchanged": 1}
    hq.groups["g"].description = "new"
    result = office.run()
    assert (result.code, result.counts("groups"), result.changes) == (3, {"read": 1, "set_aside": 1}, [])
    assert (office.run().code, office.run().changes) == (0, [])


def test_a_refusal_is_news_once_and_not_sent_again_until_something_changes(opened: Opened) -> None:
    hq = staff(3)
    hq.groups["g"] = Unit("Print", "", ["p1", "p2"])
    office = opened(hq)
    office.orbix.faults.add(fault("refuse", logon="p1", message="No."))
    first = office.run()
    assert (first.code, first.counts()) == (3, {"read": 3, "created": 2, "refused": 1})
    assert first.counts("seats") == {"read": 2, "created": 1, "refused": 1}
    again = office.run()
    assert (again.code, again.counts(), again.outcome.requests) == (
        0,
        {"read": 3, "unchanged": 2, "refused": 1},
        0,
    )
    hq.people["p1"].name = "Another"
    changed = office.run()
    assert (changed.code, changed.outcome.requests) == (3, 1)
    office.orbix.faults.clear()
    assert office.run().outcome.requests == 0
    office.now += 7 * 86_400 + 1
    last = office.run()
    assert last.counts() == {"read": 3, "created": 1, "unchanged": 2}
    assert office.run().outcome.requests == 0
    assert len(office.orbix.world.members(CLIENT)["Print"]) == 2


def test_a_record_at_fault_is_isolated_by_halving(opened: Opened) -> None:
    office = opened(staff(16))
    office.orbix.faults.add(fault("poison", path="users", logon="p7"))
    result = office.run()
    assert (result.code, result.counts()) == (3, {"read": 16, "created": 15, "refused": 1})
    assert result.outcome.requests <= 2 * 4 + 1


def test_a_request_in_which_everybody_is_refused_breaks_the_contract(opened: Opened) -> None:
    office = opened(staff(4))
    office.orbix.faults.add(fault("poison", path="users", logon="*"))
    result = office.run()
    assert result.code == 6
    assert result.counts() == {"read": 4, "unsent": 4}
    assert office.people() == {}


def test_a_single_record_that_gets_the_400_is_refused(opened: Opened) -> None:
    office = opened(staff(1))
    office.orbix.faults.add(fault("poison", path="users", logon="*"))
    assert (office.run().code, office.run().code) == (3, 0)


# leavers = "synchronize"


def test_synchronize_takes_leavers_away_and_lists_nobody(opened: Opened) -> None:
    hq = staff(4)
    hq.groups["g"] = Unit("Print", "", list(hq.people))
    office = opened(hq, synchronize=True)
    office.run()
    hq.people.pop("p1")
    result = office.run()
    assert (result.code, result.counts()) == (3, {"read": 3, "unchanged": 3, "gone": 1})
    assert sorted(office.orbix.world.users(CLIENT)) == ["ndd//p0", "ndd//p2", "ndd//p3"]
    assert (leavers(office), states(office)["p1"]) == ([], "removed")
    assert office.run().outcome.requests == 0


@pytest.mark.parametrize("seated", [False, True])
def test_after_a_synchronize_without_answer_a_returner_is_sent_again(opened: Opened, seated: bool) -> None:
    """It was carried out: he is gone at the target, and the ledger must not believe that he is there."""
    hq = staff(4)
    hq.groups["g"] = Unit("Print", "", list(hq.people) if seated else ["p0"])
    office = opened(hq, synchronize=True)
    office.run()
    entry = hq.people.pop("p1")
    office.orbix.troubles = ["silent"]
    assert office.run().code == 6
    assert "ndd//p1" not in office.orbix.world.users(CLIENT)
    hq.people["p1"] = entry
    assert office.run().code == 0
    assert "ndd//p1" in office.orbix.world.users(CLIENT)
    assert ("ndd//p1" in office.orbix.world.members(CLIENT)["Print"]) is seated


def test_an_empty_set_is_never_synchronized(opened: Opened) -> None:
    hq = staff(2)
    hq.groups["g"] = Unit("Print", "", ["p0"])
    office = opened(hq, synchronize=True)
    office.run()
    hq.groups.clear()
    office.run()
    office.approve()
    result = office.run()
    assert result.code == 0
    assert "no grouping would be left" in result.document["reason"]
    for entry in hq.people.values():
        entry.disabled = True
    office.orbix.clear()
    result = office.run()
    assert result.code == 0 and office.orbix.calls == []
    assert "nobody would be left" in result.document["reason"]


# The plan itself


def test_dry_and_real_are_one_plan(opened: Opened) -> None:
    hq = staff(3)
    hq.groups["g"] = Unit("Print", "", ["p0", "p1"])
    office = opened(hq)
    office.run()
    hq.people.pop("p0")
    hq.people["new"] = Entry("new")
    dry = office.run(dry=True)
    again = office.run(dry=True)
    calls = len(office.orbix.calls)
    real = office.run()
    assert dry.digest == again.digest == real.digest
    assert dry.changes == again.changes == real.changes
    assert len(office.orbix.calls) > calls
    assert {change.op for change, _ in real.changes} == {"create", "gone"}
    assert office.run(dry=True).digest != dry.digest


def test_a_pilot_delivers_just_these_people(opened: Opened) -> None:
    hq = staff(5)
    hq.groups["g"] = Unit("Print", "", list(hq.people))
    office = opened(hq)
    result = office.run(only=("P1", "ndd//p2", "p3@ACME.example"))
    assert result.counts() == {"read": 5, "created": 3, "unsent": 2}
    assert sorted(states(office)) == ["p1", "p2", "p3"]
    assert office.seats() == {}
    assert not office.ledger.binding(CLIENT).delivered, "a pilot is no first delivery"
    assert office.run().counts() == {"read": 5, "created": 2, "unchanged": 3}
