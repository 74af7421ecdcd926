"""Groupings: a file of memberships, a column, members by logon or DOMAIN//logon, sizes, what is set aside."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.conftest import NewOffice
from tests.cli.files import GROUPS_HEAD, Row, customer, groups_file, numbered, people
from tests.cli.kit import Office


def big(office: Office, count: int, group: str = "Everybody") -> None:
    office.put(numbered(count))
    office.put_groups([(group, "All", row[0]) for row in numbered(count)])


def test_a_groups_file(grouped: Office) -> None:
    part = grouped.one(code=0)
    assert part["groups"]["created"] == 2 and part["seats"]["created"] == 11
    assert [len(members) for members in grouped.members().values()] == [6, 5]
    assert [entry["path"].rsplit("/v1", 1)[1] for entry in grouped.requests()] == ["/users", "/groups/users"]
    grouped.forget_requests()
    assert grouped.one(code=0)["seats"]["unchanged"] == 11 and grouped.requests() == []


def test_a_change_of_a_person_sends_no_grouping(grouped: Office) -> None:
    grouped.run(code=0)
    rows = people(*(f"p{n}" for n in range(10)))
    grouped.put([("p1", "New Name", "p1@example.com"), *(row for row in rows if row[0] != "p1")])
    part = grouped.one(code=0)
    assert part["people"]["updated"] == 1 and part["requests"] == 1


def test_a_person_in_a_grouping_travels_with_the_full_record(grouped: Office) -> None:
    """The sandbox takes the last record it was sent: so equal records prove it."""
    grouped.run(code=0)
    assert grouped.users()["ndd//p5"] == {
        "Logon": "p5",
        "Domain": "NDD",
        "Name": "Name of p5",
        "Email": "p5@example.com",
    }
    assert grouped.times()["ndd//p5"] == 3, "once as a user, once for each of two groupings"


def test_a_new_description_sends_the_grouping(grouped: Office) -> None:
    grouped.run(code=0)
    rows = [("Floor 1", "The first floor", f"p{n}") for n in range(6)]
    grouped.put_groups([*rows, *(("Floor 2", "Second floor", f"p{n}") for n in range(5, 10))])
    part = grouped.one(code=0)
    assert part["groups"]["updated"] == 1 and part["seats"]["unchanged"] == 11 and part["requests"] == 1
    assert len(grouped.members()["Floor 1"]) == 6


@pytest.mark.parametrize("membership", ["additive", "replacing"])
def test_unknown_membership_sends_a_changed_grouping_whole(new_office: NewOffice, membership: str) -> None:
    """So that it is right whether requests add to a grouping or replace it."""
    office = new_office(membership=membership)
    office.write(acme=customer(sources={"hr": {"groups": groups_file("groups.csv")}}))
    big(office, 20)
    office.run(code=0)
    office.put([*numbered(20), *people("newcomer")])
    office.put_groups([("Everybody", "All", row[0]) for row in [*numbered(20), *people("newcomer")]])
    part = office.one(code=0)
    assert part["seats"]["created"] == 1
    assert len(office.members()["Everybody"]) == 21
    assert office.requests("groups")[-1]["records"] == 21


def test_additive_membership_sends_just_the_new_seats(grouped: Office) -> None:
    grouped.set(orbix={"membership": "additive"})
    big(grouped, 20)
    grouped.run(code=0)
    grouped.put([*numbered(20), *people("newcomer")])
    grouped.put_groups([("Everybody", "All", row[0]) for row in [*numbered(20), *people("newcomer")]])
    assert grouped.one(code=0)["seats"]["created"] == 1
    assert grouped.requests("groups")[-1]["records"] == 1
    assert len(grouped.members()["Everybody"]) == 21


def test_fault_83_over_a_thousand_is_set_aside_while_unknown(grouped: Office) -> None:
    grouped.put(numbered(1001))
    rows: list[Row] = [("Everybody", "All", row[0]) for row in numbered(1001)]
    grouped.put_groups([*rows, ("Few", "A few", "p00003")])
    part = grouped.one(code=3)
    assert part["groups"]["set_aside"] == 1 and part["groups"]["created"] == 1
    assert part["people"]["created"] == 1001, "rule 9: the rest goes on"
    assert grouped.members() == {"Few": ["ndd//p00003"]}
    reason = next(problem["reason"] for problem in part["problems"] if problem["kind"] == "group")
    assert "more than the 1,000" in reason and "additive" in reason
    assert grouped.one(code=0)["groups"]["set_aside"] == 1, "told once"


@pytest.mark.parametrize(("count", "requests"), [(1000, 1), (1001, 2), (2500, 3)])
def test_fault_83_over_a_thousand_is_sliced_when_additive(grouped: Office, count: int, requests: int) -> None:
    grouped.set(orbix={"membership": "additive"})
    big(grouped, count)
    part = grouped.one(code=0)
    assert part["seats"]["created"] == count and len(grouped.members()["Everybody"]) == count
    assert len(grouped.requests("groups")) == requests, "never one grouping twice in a request"


def test_a_slice_with_nobody_left_sets_no_grouping_aside_that_is_on_its_way(grouped: Office) -> None:
    """The last of 1,001 people was refused, so the second slice has nobody, while the first one is in flight."""
    grouped.set(orbix={"membership": "additive", "concurrency": 2})
    big(grouped, 1001)
    grouped.fault("refuse", logon="p01000", path="/v1/users")
    part = grouped.one(code=3)
    assert part["people"]["refused"] == part["seats"]["refused"] == 1 and part["seats"]["created"] == 1000
    assert part["groups"]["created"] == 1 and part["groups"]["set_aside"] == 0
    grouped.calm()
    grouped.forget_requests()
    assert grouped.one(code=0)["groups"]["unchanged"] == 1 and grouped.requests() == []


def test_a_seat_that_travels_along_keeps_its_place_in_the_account(grouped: Office) -> None:
    """Its person is set aside now; Orbix, which gets the grouping whole, refuses it there."""
    grouped.run(code=0)
    grouped.put([*people(*(f"p{n}" for n in range(10))), ("P5", "Somebody else", "")])
    rows = [("Floor 1", "Ground floor", f"p{n}") for n in range(6)]
    grouped.put_groups([*rows, *(("Floor 2", "Second floor", f"p{n}") for n in range(5, 10))])
    grouped.fault("refuse", logon="p5", path="groups")
    part = grouped.one(code=3)
    assert part["groups"]["updated"] == 1
    seats = {bucket: count for bucket, count in part["seats"].items() if count}
    assert seats == {"read": 11, "unchanged": 9, "set_aside": 2}


def column(office: Office, separator: str | None = None) -> None:
    rules: dict[str, Any] = {"groups": "{{ groups }}"}
    if separator:
        rules["groups_separator"] = separator
    office.set(customers={"acme": {"sources": {"hr": {"people": rules}}}})


@pytest.mark.parametrize("separator", [None, "|"])
def test_a_groups_column(office: Office, separator: str | None) -> None:
    column(office, separator)
    mark = separator or ";"
    cells = [f"Floor 1{mark} Colour", "Floor 1", "", f"Colour{mark}", f"Floor 1{mark}Floor 1"]
    rows = [
        (*row, cell)
        for row, cell in zip(people("ana", "bruno", "carlos", "dora", "egon"), cells, strict=True)
    ]
    office.put(rows, head=("logon", "name", "email", "groups"))
    part = office.one(code=0)
    assert office.members() == {
        "Colour": ["ndd//ana", "ndd//dora"],
        "Floor 1": ["ndd//ana", "ndd//bruno", "ndd//egon"],
    }
    assert part["seats"]["created"] == 5


def test_a_groups_column_in_another_order(office: Office) -> None:
    """One spelling of a name counts, whichever line comes first, as in a groups file."""
    column(office)
    rows = [(*row, cell) for row, cell in zip(people("ana", "bruno"), ["floor 1", "Floor 1"], strict=True)]
    office.put(rows, head=("logon", "name", "email", "groups"))
    office.run(code=0)
    assert office.members() == {"Floor 1": ["ndd//ana", "ndd//bruno"]}
    office.put(rows[::-1], head=("logon", "name", "email", "groups"))
    assert office.one(code=0)["requests"] == 0


def test_a_column_and_a_file_are_one_too_many(grouped: Office) -> None:
    column(grouped)
    result = grouped.do("run", "--once")
    assert result.code == 2 and "groups" in result.err


MEMBERS = [
    ("p1", "ndd//p1"),
    ("P1", "ndd//p1"),
    ("NDD//p1", "ndd//p1"),
    ("ndd//P1", "ndd//p1"),
    (" p1 ", "ndd//p1"),
    ("ACME//p1", None),
    ("p77", None),
]


@pytest.mark.parametrize(("written", "found"), MEMBERS)
def test_how_a_member_may_be_written(grouped: Office, written: str, found: str | None) -> None:
    grouped.put_groups([("Floor 1", "First floor", "p0"), ("Floor 1", "First floor", written)])
    part = grouped.one(code=0 if found else 3)
    assert grouped.members()["Floor 1"] == ["ndd//p0", *([found] if found else [])]
    if not found:
        assert part["seats"]["set_aside"] == 1 and len(grouped.users()) == 10, "never invented"


def test_a_logon_in_two_domains_is_ambiguous(grouped: Office) -> None:
    grouped.set(customers={"acme": {"sources": {"hr": {"people": {"domain": "{{ site }}"}}}}})
    head = ("logon", "name", "email", "site")
    grouped.put(
        [("ana", "Ana", "", "ACME"), ("ana", "Ana", "", "BOLT"), ("uwe", "Uwe", "", "ACME")], head=head
    )
    grouped.put_groups([("One", "", "ana"), ("One", "", "uwe"), ("Two", "", "BOLT//ana")])
    part = grouped.one(code=3)
    assert grouped.members() == {"One": ["acme//uwe"], "Two": ["bolt//ana"]}
    reason = next(problem["reason"] for problem in part["problems"] if problem["kind"] == "seat")
    assert ("ana" in reason and "ambiguous" in reason) or "several" in reason, reason


@pytest.mark.parametrize("why", ["refused", "set aside", "excluded"])
def test_a_logon_in_two_domains_stays_ambiguous(grouped: Office, why: str) -> None:
    """A trouble of the one must not hand the membership to the other; somebody who is not wanted is not meant."""
    rules: dict[str, Any] = {"domain": "{{ site }}"}
    if why == "excluded":
        rules["exclude"] = ["{{ site == 'NDD' and logon == 'ana' }}"]
    grouped.set(customers={"acme": {"sources": {"hr": {"people": rules}}}})
    rows = [("ana", "A", "", "NDD"), ("ana", "B", "", "SITE"), ("bob", "Bob", "", "NDD")]
    if why == "set aside":
        rows.append(("Ana", "C", "", "NDD"))
    if why == "refused":
        grouped.fault("refuse", logon="ana", path="users", times=1)
        grouped.put([rows[0]], head=("logon", "name", "email", "site"))
        grouped.put_groups([])
        assert grouped.one(code=3)["people"]["refused"] == 1
        grouped.calm()
    grouped.put(rows, head=("logon", "name", "email", "site"))
    grouped.put_groups([("Print", "", "ana"), ("Print", "", "bob")])
    grouped.run()
    meant = ["site//ana"] if why == "excluded" else []
    assert grouped.members()["Print"] == ["ndd//bob", *meant]


def test_an_unknown_member_is_told_with_its_line(grouped: Office) -> None:
    grouped.put_groups([("Floor 1", "First floor", "p0"), ("Floor 1", "First floor", "nobody")])
    problem = grouped.one(code=3)["problems"][0]
    told = f"{problem['reason']} {problem['where']}"
    assert "nobody" in told and "groups.csv" in told and "line 3" in told, told


def test_a_refused_member_is_left_out_and_reported(grouped: Office) -> None:
    grouped.fault("refuse", logon="p5", path="/v1/users")
    part = grouped.one(code=3)
    assert part["people"]["refused"] == 1 and "ndd//p5" not in grouped.users()
    assert part["seats"]["created"] == 9 and part["seats"]["read"] == 11
    grouped.calm()
    grouped.put(
        [
            (row[0], row[1] + "!", row[2]) if row[0] == "p5" else row
            for row in people(*(f"p{n}" for n in range(10)))
        ]
    )
    assert grouped.one(code=0)["seats"]["created"] == 2
    assert "ndd//p5" in grouped.members()["Floor 1"]


def test_a_seat_that_orbix_refused(grouped: Office) -> None:
    fault = grouped.fault("refuse", logon="p5", path="/v1/groups/users")
    part = grouped.one(code=3)
    assert part["people"]["created"] == 10 and part["seats"]["refused"] == 2 and fault.hits
    assert "ndd//p5" not in grouped.members()["Floor 1"]
    grouped.calm()
    grouped.forget_requests()
    assert grouped.one(code=0)["seats"]["refused"] == 2 and grouped.requests() == []


def test_a_grouping_that_orbix_refused(grouped: Office) -> None:
    grouped.fault("refuse", grouping="Floor 1", message="Group Name is reserved.")
    part = grouped.one(code=3)
    assert part["groups"]["refused"] == 1 and part["groups"]["created"] == 1
    assert list(grouped.members()) == ["Floor 2"]
    assert "Group Name is reserved." in str(part["problems"]) and len(grouped.users()) == 10
    grouped.forget_requests()
    assert grouped.one(code=0)["groups"]["refused"] == 1 and grouped.requests() == []


def test_fault_82_a_grouping_with_too_long_a_name(grouped: Office) -> None:
    long = "L" * 151
    grouped.put_groups([("M" * 150, "", "p1"), (long, "", "p2")])
    part = grouped.one(code=3)
    assert part["groups"]["set_aside"] == 1 and list(grouped.members()) == ["M" * 150]
    assert len(grouped.users()) == 10 and "150" in part["problems"][0]["reason"]


def test_fault_89_groups_whose_names_differ_in_case(grouped: Office) -> None:
    grouped.put_groups([("Floor 1", "First", "p1"), ("FLOOR 1", "First", "p2")])
    part = grouped.one()
    assert part["exit_code"] in (0, 3)
    members = grouped.members()
    assert len(members) == 1 and next(iter(members.values())) == ["ndd//p1", "ndd//p2"]


def test_fault_89_groups_that_are_described_in_two_ways(grouped: Office) -> None:
    grouped.put_groups([("Floor 1", "First", "p1"), ("Floor 1", "Premier", "p2"), ("Floor 2", "", "p3")])
    part = grouped.one(code=3)
    assert part["groups"]["set_aside"] == 1 and list(grouped.members()) == ["Floor 2"]
    assert "First" in part["problems"][0]["reason"] and "Premier" in part["problems"][0]["reason"]


def test_empty_new_groupings_are_set_aside(grouped: Office) -> None:
    grouped.put_groups([("Floor 1", "", "p1"), ("Ghosts", "", "nobody")])
    part = grouped.one(code=3)
    assert part["groups"]["set_aside"] == 1 and list(grouped.members()) == ["Floor 1"]


def test_a_groups_file_with_the_wrong_columns(grouped: Office) -> None:
    grouped.put([("a", "b", "c")], "groups.csv", head=("team", *GROUPS_HEAD[1:]))
    part = grouped.one(code=5)
    assert "groups.csv" in part["reason"] and "group" in part["reason"] and grouped.users() == {}
