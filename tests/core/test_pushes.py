"""Two things at a time in a push: what travels along, what is held, what is in doubt, what could not be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.core.company import CLIENT, TENANT, Directory, Entry, Office, Orbix, Unit

from rosterd.core.guard import Guards, Limit
from rosterd.sandbox import fault
from rosterd.sandbox.app import Sandbox
from rosterd.sandbox.switches import Switches

LOSS_HELD = Guards("go", Limit(), Limit(), Limit(), Limit(count=0), Limit())


def directory(name: str, group: str, *people: str, dns: bool = True) -> Directory:
    """A directory with these people, all of them in one group."""
    there = {logon: Entry(logon, logon.title()) for logon in people}
    return Directory(name, dns, there, {"g": Unit(group, "Here", list(people))})


def office(tmp_path: Path, *directories: Directory, membership: str = "replacing") -> Office:
    additive = membership == "additive"
    orbix = Orbix("additive" if additive else "replacing")
    precedence = ("hq", "hr") if len(directories) > 1 else ()
    return Office(tmp_path / "ledger.db", *directories, orbix=orbix, additive=additive, precedence=precedence)


def join(hq: Directory, logon: str) -> None:
    hq.people[logon] = Entry(logon, logon.title())
    hq.groups["g"].members.append(logon)


def losing_ana(tmp_path: Path) -> Office:
    """Ana is no longer in the hall, which was held, and approved; Orbix has not been told yet."""
    hq = directory("hq", "Hall", "ana", "bob")
    site = office(tmp_path, hq)
    site.job |= {"synchronize": True, "guards": LOSS_HELD}
    assert site.run().code == 0
    hq.groups["g"].members.remove("ana")
    assert site.run().code == 4
    site.approve()
    return site


def members(office: Office, group: str = "hall") -> set[str]:
    return office.orbix.world.holdings[TENANT, CLIENT].groupings[group].members


@pytest.mark.parametrize("synchronize", [False, True])
def test_a_kept_seat_that_is_refused_on_its_way_counts_once(tmp_path: Path, synchronize: bool) -> None:
    hq = directory("hq", "Hall", "ana", "zoe")
    site = office(tmp_path, hq)
    site.job["synchronize"] = synchronize
    assert site.run().code == 0
    hq.people["twin"] = Entry("ana", "Another")  # so she is set aside, and her seat is kept
    hq.groups["g"].members.remove("zoe")
    join(hq, "bob")
    site.orbix.faults.add(fault("refuse", path="*", logon="ana"))
    result = site.run()
    assert result.counts("seats") == {"read": 2, "created": 1, "set_aside": 1, "gone": 1}
    assert site.seats()["hall", "ndd//ana"] == "doubt", "she may sit there or not"


def test_a_seat_of_an_unread_source_that_is_refused_on_its_way_counts_nowhere(tmp_path: Path) -> None:
    hq, hr = directory("hq", "Hall", "bob"), directory("hr", "Hall", "ana")
    site = office(tmp_path, hq, hr)
    assert site.run().code == 0
    hr.broken = True
    join(hq, "carl")
    site.orbix.faults.add(fault("refuse", path="groups", logon="ana"))
    result = site.run()
    assert result.code == 5
    assert result.counts("seats") == {"read": 2, "created": 1, "unchanged": 1}
    assert site.seats()["hall", "ndd//ana"] == "doubt"


def test_a_seat_whose_refusal_stands_is_not_counted_twice(tmp_path: Path) -> None:
    hq = directory("hq", "Hall", "ana")
    site = office(tmp_path, hq)
    assert site.run().code == 0
    site.orbix.faults.add(fault("refuse", path="groups", logon="ana"))
    for logon in ("bob", "carl"):  # the first time it is refused, the second time that stands
        join(hq, logon)
        seats = site.run().document["seats"]
        assert (seats["created"], seats["refused"]) == (1, 1) and seats["unchanged"] >= 0
    assert seats["unchanged"] == 1, "bob's"


def test_a_grouping_that_is_too_large_is_halved_by_those_who_travel(tmp_path: Path) -> None:
    """Somebody whom the target refused does not: a half of just them would be a grouping without people."""
    hq = directory("hq", "Hall", "ana", "bob", "carl")
    site = office(tmp_path, hq, membership="additive")
    site.orbix.faults.add(fault("refuse", path="users", logon="carl"))
    site.orbix.troubles = ["", "large"]
    result = site.run()
    assert [len(grouping.people) for grouping in site.orbix.groupings] == [2, 1, 1]
    assert result.counts("seats") == {"read": 3, "created": 2, "refused": 1}


def test_nobody_is_cut_off_a_whole_grouping_because_it_holds_too_many(tmp_path: Path) -> None:
    """It grew by additions; now membership counts as unknown, and the loss that would make it fit is held."""
    hq = directory("hq", "Hall", *(f"p{n}" for n in range(1_001)))
    site = office(tmp_path, hq, membership="additive")
    assert site.run().code == 0
    site.job |= {"additive": False, "guards": LOSS_HELD}
    site.orbix.sandbox = Sandbox(site.orbix.world, Switches(membership="replacing"), site.orbix.faults)
    group, everybody = hq.groups["g"], list(hq.people)
    group.description, group.members = "There", everybody[1:]
    assert site.run().code == 4
    site.approve()
    group.members = everybody[:-1]
    result = site.run()
    assert result.code == 4 and result.counts("groups") == {"read": 1, "unsent": 1}
    assert len(members(site)) == 1_001


def test_a_grouping_is_sent_with_somebody_whom_the_target_has(tmp_path: Path) -> None:
    """The first who sits in it has left, and that their seat is lost cannot be concluded yet."""
    hq, hr = directory("hq", "Hall", "ana", "carl"), directory("hr", "Hall", "ana", "carl")
    site = office(tmp_path, hq, hr, membership="additive")
    assert site.run().code == 0
    hr.broken = True
    del hq.people["ana"]
    join(hq, "bob")
    site.orbix.troubles = ["", "silent"]  # so the grouping is in doubt
    assert "lost" in str(site.run().outcome.problems)
    hq.groups["g"].members.remove("bob")
    assert site.seats()["hall", "ndd//ana"] == "doubt"
    result = site.run()
    assert result.counts("groups") == {"read": 1, "updated": 1}
    assert site.orbix.groupings[-1].people[0].logon == "carl"


def test_whoever_is_refused_keeps_a_seat_in_doubt(tmp_path: Path) -> None:
    """A request that lacked them would take it away."""
    hq = directory("hq", "Hall", "ana", "bob")
    site = office(tmp_path, hq)
    assert site.run().code == 0
    hq.groups["g"].description = "There"
    site.orbix.troubles = ["silent"]
    assert site.run().code == 6 and site.seats()["hall", "ndd//ana"] == "doubt"
    hq.people["ana"].name = "Refused"
    site.orbix.faults.add(fault("refuse", path="users", logon="ana"))
    assert site.run().code == 3
    assert members(site) == {"ndd//ana", "ndd//bob"}
    assert set(site.seats().values()) == {"active"}
    assert site.run().changes == []


def test_the_new_seat_of_somebody_refused_is_not_planned_because_it_was_tried(tmp_path: Path) -> None:
    hq = directory("hq", "Hall", "bob")
    site = office(tmp_path, hq)
    join(hq, "ana")
    hq.groups["g"].members.remove("ana")
    assert site.run().code == 0
    hq.groups["g"].members.append("ana")
    site.orbix.troubles = ["lost"]
    assert site.run().code == 6 and site.seats()["hall", "ndd//ana"] == "tried"
    hq.people["ana"].name = "Refused"
    site.orbix.faults.add(fault("refuse", path="users", logon="ana"))
    assert site.run().code == 3
    again = site.run()
    assert (again.code, again.changes) == (0, [])
    assert again.counts("seats") == {"read": 2, "unchanged": 1, "refused": 1}


def test_an_unread_source_stays_among_those_who_tell_of_a_record(tmp_path: Path) -> None:
    """What was in doubt went again without it: then the other source seemed to be the only one."""
    hq, hr = directory("hq", "Hall", "ana"), directory("hr", "Hall", "ana")
    site = office(tmp_path, hq, hr, membership="additive")
    assert site.run().code == 0
    hq.groups["g"].description = hr.groups["g"].description = "There"
    join(hq, "bob")
    site.orbix.troubles = ["", "silent"]
    assert site.run().code == 6
    site.ledger._db.execute("UPDATE seat SET state = 'doubt' WHERE source = 'hq,hr'")
    hq.groups["g"].description = hr.groups["g"].description = "Here"
    hr.broken = True
    assert site.run().document["groups"]["updated"] == 1
    del hq.groups["g"]
    result = site.run()
    assert result.document["groups"]["gone"] == 0
    assert [c.shown for c, _ in result.changes] == ["Hall / NDD//bob"], (
        "who was told of by the other source alone"
    )
    assert site.seats()["hall", "ndd//ana"] == "active"


def test_a_grouping_all_of_whose_seats_are_refused_is_set_aside_by_the_plan(tmp_path: Path) -> None:
    hq = directory("hq", "Hall", "ana")
    site = office(tmp_path, hq)
    site.orbix.faults.add(fault("refuse", path="groups", logon="ana"))
    assert site.run().code == 3
    hq.groups["g"].description = "There"
    assert site.run(dry=True).counts("groups") == {"read": 1, "set_aside": 1}
    assert site.run().code == 3
    again = site.run()
    assert (again.code, again.changes) == (0, [])


def test_whoever_is_wanted_as_delivered_again_takes_a_new_seat_at_once(tmp_path: Path) -> None:
    """The refusal of what they were to become is over before the groupings go."""
    hq = directory("hq", "Hall", "ana", "bob")
    hq.groups["g"].members.remove("ana")
    site = office(tmp_path, hq)
    assert site.run().code == 0
    hq.people["ana"].name = "Refused"
    site.orbix.faults.add(fault("refuse", path="users", logon="ana"))
    assert site.run().code == 3
    hq.people["ana"].name = "Ana"
    hq.groups["g"].members.append("ana")
    result = site.run()
    assert result.counts("seats") == {"read": 2, "created": 1, "unchanged": 1}


def test_a_refusal_of_this_run_outlives_the_one_that_it_follows(tmp_path: Path) -> None:
    hq = directory("hq", "Hall", "ana", "bob", "carl")
    site = office(tmp_path, hq)
    site.job["synchronize"] = True
    assert site.run().code == 0
    hq.people["ana"].name = "Refused"
    site.orbix.faults.add(fault("refuse", path="*", logon="ana"))
    assert site.run().code == 3
    hq.people["ana"].name = "Ana"  # as delivered; she travels along while another is taken away
    del hq.people["bob"]
    assert site.run().counts()["refused"] == 1
    again = site.run()
    assert (again.code, again.outcome.requests, again.counts()["refused"]) == (0, 0, 1)


def test_what_travels_along_is_certain_again_after_an_answer_that_named_others(tmp_path: Path) -> None:
    hq = directory("hq", "Hall", "ana")
    hq.groups["h"] = Unit("Room", "There", ["ana"])
    site = office(tmp_path, hq)
    assert site.run().code == 0
    join(hq, "bob")
    hq.groups["h"].members.append("bob")
    site.orbix.troubles = ["", "partly"]
    assert site.run().code == 0
    assert set(site.seats().values()) == {"active"}
    again = site.run()
    assert (again.code, again.outcome.requests) == (0, 0)


def test_an_approved_loss_stays_approved_while_no_answer_says_that_it_is_done(tmp_path: Path) -> None:
    site = losing_ana(tmp_path)
    site.orbix.troubles = ["silent"]
    assert site.run().code == 6 and site.seats()["hall", "ndd//ana"] == "doubt"
    assert site.run().code == 0
    assert site.seats()["hall", "ndd//ana"] == "removed" and members(site) == {"ndd//bob"}
    assert site.ledger._rows("SELECT * FROM plan_change") == [], "the approval is used up"


def test_an_approved_loss_is_used_up_when_no_request_left(tmp_path: Path) -> None:
    site = losing_ana(tmp_path)
    site.orbix.troubles = ["down"]
    assert site.run().code == 6 and site.seats()["hall", "ndd//ana"] == "left"
    assert site.run().code == 0
    assert site.ledger._rows("SELECT * FROM plan_change") == []


@pytest.mark.parametrize("new", [False, True])
def test_a_grouping_is_accepted_with_its_second_slice_though_the_first_was_refused(
    tmp_path: Path, new: bool
) -> None:
    """Somebody in the first made that request fail: it was not the grouping."""
    hq = directory("hq", "Hall", *(f"p{n:04}" for n in range(1_001)))
    hq.groups["g"].members = [] if new else ["p1000"]
    site = office(tmp_path, hq, membership="additive")
    assert site.run().code == (3 if new else 0)
    group = hq.groups["g"]
    group.description, group.members = "There", [*hq.people]
    hq.people["zoe"] = Entry("zoe")
    group.members.append("zoe")
    site.orbix.faults.add(fault("poison", path="groups", logon="p0000"))
    result = site.run()
    assert result.counts("groups") == {"read": 1, "created" if new else "updated": 1}
    assert [(row[2], row[5]) for row in site.ledger.groups(site.binding)] == [("There", "active")]
    assert site.orbix.world.holdings[TENANT, CLIENT].groupings["hall"].description == "There"
    assert (
        min(result.document["seats"].values()) >= 0
        and site.ledger.refusals(site.binding, "group", b"", b"\xff") == {}
    )
