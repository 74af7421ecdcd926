"""Who sits where: raw membership joined with people, through nested groups, and what is said about the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.company import Directory, Entry, Office, Unit

from rosterd.core.people import ACTIVE, ASIDE, OUT, Wanted, ref_dn, ref_key, ref_logon
from rosterd.membership import REFUSED, folded, refs_of, shown_ref, unique_seats

Opened = Callable[..., Office]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    offices: list[Office] = []

    def make(*directories: Directory, **job: Any) -> Office:
        offices.append(Office(tmp_path / "ledger.db", *directories, **job))
        return offices[-1]

    yield make
    for office in offices:
        office.ledger.close()


def company(*logons: str, name: str = "hq", dns: bool = True, **groups: list[str]) -> Directory:
    """People whose ids are their logons in small letters, and groups of ids."""
    people = {logon.lower(): Entry(logon, f"{logon} of {name}") for logon in logons}
    units = {f"g-{group.lower()}": Unit(group, "", members) for group, members in groups.items()}
    return Directory(name, dns, people, units)


def seats(office: Office) -> set[str]:
    """What the target has."""
    members = office.orbix.world.members("ACME")
    return {f"{group} / {who.removeprefix('ndd//')}" for group, found in members.items() for who in found}


def problems(document: dict[str, Any], kind: str = "seat") -> dict[str, str]:
    return {p["key"]: p["reason"] for p in document["problems"] if p["kind"] == kind}


@pytest.mark.parametrize("dns", [True, False])
def test_members_by_dn_or_by_logon(opened: Opened, dns: bool) -> None:
    office = opened(company("Ana", "Bob", dns=dns, Print=["ana", "bob"], Sales=["ana"]))
    assert office.run().code == 0
    assert seats(office) == {"Print / ana", "Print / bob", "Sales / ana"}


def test_a_column_of_groups(opened: Opened) -> None:
    rules = {"groups": "{{ groups }}"}
    office = opened(company("Ana", "Bob", Print=["ana", "bob"], Sales=["ana"]), rules=rules)
    assert office.run().code == 0
    assert seats(office) == {"Print / ana", "Print / bob", "Sales / ana"}


def test_repaired_people_are_found_by_their_old_and_new_logons(opened: Opened) -> None:
    hq = company("João", "Ana", dns=False, Print=["joão"])
    office = opened(hq, rules={"repair": ["ascii", "lower"]})
    assert office.run().code == 0
    assert seats(office) == {"Print / joao"}


def test_fault_87_members_who_are_not_delivered_are_told_and_never_created(opened: Opened) -> None:
    hq = company("Ana", "a b", "Off", Print=["ana", "a b", "off", "nobody"])
    hq.people["off"].disabled = True
    office = opened(hq)
    result = office.run()
    assert result.code == 3
    assert seats(office) == {"Print / ana"}
    assert result.counts("seats") == {"read": 4, "created": 1, "set_aside": 2, "excluded": 1}
    said = problems(result.document)
    assert said["Print / NDD//a b"] == "NDD//a b is set aside"
    assert "is not among the people read" in said["Print / cn=nobody,ou=hq"]
    assert set(office.people()) == {"ndd//ana"}


def test_a_logon_of_two_domains_is_ambiguous(opened: Opened) -> None:
    hr = company("Ana", "Ana2", dns=False, Print=["ana"])
    hr.people["ana2"] = Entry("ANA", domain="OTHER")
    result = opened(hr).run()
    assert result.counts("seats") == {"read": 1, "set_aside": 1}
    assert "is ambiguous: NDD//Ana or OTHER//ANA" in next(iter(problems(result.document).values()))


def test_a_logon_of_two_domains_means_the_only_one_who_is_delivered(opened: Opened) -> None:
    hr = company("Ana", "Ana2", dns=False, Print=["ana"])
    hr.people["ana2"] = Entry("ANA", domain="OTHER", disabled=True)
    office = opened(hr)
    assert office.run().code == 0
    assert seats(office) == {"Print / ana"}


def test_fault_88_nested_groups_with_a_diamond_and_a_cycle(opened: Opened) -> None:
    hq = company(
        "Ana", "Bob", "Carl", Top=["g-left", "g-right"], Left=["g-low"], Right=["g-low", "bob"], Low=["ana"]
    )
    hq.groups["g-a"] = Unit("A", "", ["g-b", "carl"])
    hq.groups["g-b"] = Unit("B", "", ["g-a"])
    office = opened(hq)
    result = office.run()
    assert result.code == 0
    assert {seat.split(" / ")[0] for seat in seats(office) if seat.endswith("ana")} == {
        "Top",
        "Left",
        "Right",
        "Low",
    }
    assert {seat.split(" / ")[0] for seat in seats(office) if seat.endswith("bob")} == {"Top", "Right"}
    assert {seat.split(" / ")[0] for seat in seats(office) if seat.endswith("carl")} == {"A", "B"}
    cycles = [text for text in result.document["warnings"] if "contains itself" in text]
    assert cycles


def test_nested_groups_are_reported_where_they_are_not_expanded(opened: Opened) -> None:
    hq = company("Ana", "Bob", Top=["g-low", "bob"], Low=["ana"])
    office = opened(hq, flat=frozenset({"hq"}))
    result = office.run()
    assert seats(office) == {"Top / bob", "Low / ana"}
    assert any("is a group, and `nested` is off" in reason for reason in problems(result.document).values())


def test_a_group_that_contains_one_of_two_namesakes_does_not_contain_the_other(opened: Opened) -> None:
    """Staff of Paris and staff of Rome are both called Staff; Top holds only the first."""
    hq = company("Ana", "Bob", Top=["g-paris"])
    hq.groups["g-paris"] = Unit("Staff", "", ["ana"])
    hq.groups["g-rome"] = Unit("Staff", "", ["bob"])
    office = opened(hq)
    assert office.run().code == 0
    assert seats(office) == {"Staff / ana", "Staff / bob", "Top / ana"}


def test_several_ways_into_a_grouping_count_once(opened: Opened) -> None:
    hq = company("Ana", Top=["g-low", "ana"], Low=["ana"])
    hq.groups["g-twin"] = Unit("TOP", "", ["ana"])
    office = opened(hq)
    assert office.run().counts("seats") == {"read": 2, "created": 2}


def test_people_of_one_source_in_groups_of_another(opened: Opened) -> None:
    hq = company("Ana")
    hr = company("Bob", name="hr", dns=False)
    hq.groups["g"] = Unit("Print", "", ["ana"])
    hr.groups["g"] = Unit("print", "", ["bob"])
    office = opened(hq, hr)
    assert office.run().code == 0
    assert {seat.lower() for seat in seats(office)} == {"print / ana", "print / bob"}


def test_a_shadowed_entry_is_still_the_person(opened: Opened) -> None:
    """LDAP knows the groups, the staff's file the names: the member of the group is the same person."""
    hq = company("Ana", Print=["ana"])
    hr = company("ana", name="hr", dns=False)
    office = opened(hq, hr, precedence=("hr", "hq"))
    result = office.run()
    assert result.code == 0
    assert office.people()["ndd//ana"][0] == "ana of hr"
    assert seats(office) == {"Print / ana"}


@pytest.mark.parametrize("newcomer", ["0", "z"])
def test_the_seats_of_a_collision_are_kept(opened: Opened, newcomer: str) -> None:
    hq = company("Ana", Print=["ana"])
    office = opened(hq)
    office.run()
    hq.people[newcomer] = Entry("Ana", newcomer)
    result = office.run()
    assert result.code == 3
    assert office.seats() == {("print", "ndd//ana"): "active"}
    assert result.counts("seats") == {"read": 1, "set_aside": 1}
    assert office.people()["ndd//ana"][2] == "active"


def test_a_lost_seat_counts_once_and_a_returner_is_sent_again(opened: Opened) -> None:
    hq = company("Ana", "Bob", Print=["ana", "bob"])
    office = opened(hq)
    office.run()
    hq.groups["g-print"].members.remove("bob")
    assert office.run().counts("seats") == {"read": 1, "unchanged": 1, "gone": 1}
    assert office.run().counts("seats") == {"read": 1, "unchanged": 1}
    assert [leaver.shown.casefold() for leaver in office.ledger.leavers(office.binding)] == [
        "print / ndd//bob"
    ]
    hq.groups["g-print"].members.append("bob")
    assert office.run().counts("seats") == {"read": 2, "unchanged": 1, "updated": 1}
    assert list(office.ledger.leavers(office.binding)) == []


def test_a_persons_change_sends_no_grouping(opened: Opened) -> None:
    hq = company("Ana", "Bob", Print=["ana", "bob"])
    office = opened(hq)
    office.run()
    hq.people["ana"].name = "Ana Maria"
    office.orbix.clear()
    office.run()
    assert office.orbix.calls == [("/v1/users", 1)]


def test_raw_edges_are_kept_and_an_unchanged_run_touches_none(opened: Opened) -> None:
    """More edges than the ledger reads at a time, several of each person."""
    people = {f"p{n:04}": Entry(f"p{n:04}") for n in range(1_400)}
    groups = {f"g{n}": Unit(f"G{n}", "", list(people)) for n in range(3)}
    office = opened(Directory("hr", False, people, groups), additive=True)
    assert office.run().code == 0
    edges = [edge for page in office.ledger.edges(office.binding) for edge in page]
    assert len(edges) == len(set(edges)) == 4_200
    again = office.run()
    assert again.counts("seats") == {"read": 4_200, "unchanged": 4_200}
    assert again.outcome.plan.edge_places == ([], [])


# The parts


def person(logon: str, state: str = ACTIVE, dn: str = "", refs: str = "") -> Wanted:
    return (logon.encode(), "NDD", logon, "", "", "hq", "", dn, state, 2, "", refs)


def test_refs_are_made_of_what_groups_use() -> None:
    people = [person("ana", dn="cn=ana"), person("bob", OUT)]
    assert refs_of(people, {"d"}, set()) == [(ref_dn("cn=ana"), b"ana", ACTIVE, "NDD//ana")]
    made = refs_of(people, {"u"}, {b"bob"})
    assert (ref_logon("hq", "bob"), b"bob", REFUSED, "NDD//bob") in made
    assert refs_of([person("ana", refs="x\0y")], {"d", "u", "k"}, set()) == [
        ("x", b"ana", ACTIVE, "NDD//ana"),
        ("y", b"ana", ACTIVE, "NDD//ana"),
        (ref_key("NDD", "ana"), b"ana", ACTIVE, "NDD//ana"),
    ]


def test_a_person_with_a_dn_is_found_by_domain_and_logon_too() -> None:
    """One source names members by DN, another by DOMAIN//logon."""
    made = refs_of([person("ana", dn="cn=ana")], {"d", "k"}, set())
    assert {ref for ref, *_ in made} >= {ref_dn("cn=ana"), ref_key("NDD", "ana")}


def test_the_best_way_into_a_grouping_counts() -> None:
    def seat(state: str, source: str) -> tuple[bytes, str, str, str, str, str]:
        return (b"k", source, state, "who", state, "")

    (found,) = next(unique_seats([[seat(ASIDE, "hq"), seat(OUT, "hr"), seat(ACTIVE, "hr")]]))
    assert found[1:3] == ("hq,hr", ACTIVE)
    (found,) = next(unique_seats([[seat(OUT, "hq"), seat(ASIDE, "hq"), seat(REFUSED, "x")]]))
    assert found[1:3] == ("hq,x", REFUSED)


@pytest.mark.parametrize(
    ("ref", "shown"),
    [(ref_dn("cn=a"), "cn=a"), (ref_logon("hr", "Ana"), "ana"), (ref_key("NDD", "Ana"), "ndd//ana")],
)
def test_refs_as_people_read_them(ref: str, shown: str) -> None:
    assert shown_ref(ref) == shown


def test_names_on_a_command_line() -> None:
    assert folded([" Ana ", "", "NDD//Bob"]) == ("ana", "ndd//bob")
