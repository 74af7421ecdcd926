"""Several sources of one customer: precedence, the same person twice, one that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.files import customer, groups_file, people
from tests.cli.kit import Office
from tests.cli.test_approvals import FIVE


def source(path: str, **more: Any) -> dict[str, Any]:
    """A CSV source."""
    found: dict[str, Any] = customer()["sources"]["hr"] | {"path": path} | more
    return found


@pytest.fixture
def two(office: Office) -> Office:
    """hr has five people and hq three; carlos is in both, hq comes first."""
    office.set(customers={"acme": {"precedence": ["hq", "hr"], "sources": {"hq": source("hq.csv")}}})
    office.put(
        [("carlos", "Carlos of HQ", "carlos@hq.example"), *people("gerd", "hans", mail="hq.example")],
        "hq.csv",
    )
    return office


def test_the_first_in_precedence_counts(two: Office) -> None:
    part = two.one(code=0)
    assert part["people"]["read"] == 8 and part["people"]["excluded"] == 1 and part["people"]["created"] == 7
    assert two.users()["ndd//carlos"]["Name"] == "Carlos of HQ"
    assert two.one(code=0)["people"]["unchanged"] == 7


def test_precedence_turned_round(two: Office) -> None:
    two.set(customers={"acme": {"precedence": ["hr", "hq"]}})
    two.one(code=0)
    assert two.users()["ndd//carlos"]["Name"] == "Name of carlos"


def test_without_precedence_neither_is_sent(two: Office) -> None:
    two.set(customers={"acme": {"precedence": None}})
    part = two.one(code=3)
    assert part["people"]["set_aside"] == 2 and "ndd//carlos" not in two.users()
    places = " ".join(problem["where"] for problem in part["problems"])
    assert "hq" in places and "hr" in places, "both are named"


@pytest.mark.parametrize("broken", ["hq", "hr"])
def test_an_incomplete_source_freezes_its_own(two: Office, broken: str) -> None:
    two.run(code=0)
    file = {"hq": "hq.csv", "hr": "acme.csv"}[broken]
    other = {"hq": "acme.csv", "hr": "hq.csv"}[broken]
    (two.directory / file).unlink()
    rows = (
        people(*FIVE)
        if broken == "hq"
        else [("carlos", "Carlos of HQ", "carlos@hq.example"), *people("gerd", "hans", mail="hq.example")]
    )
    two.put([*rows[:-1], *people("newcomer")], other)
    part = two.one(code=5)
    assert part["people"]["created"] == 1 and part["people"]["gone"] == 1
    assert file in part["reason"], part["reason"]
    assert two.users()["ndd//carlos"]["Name"] == "Carlos of HQ", "not taken over by another source"
    left = [one["key"] for one in two.do("leavers", "--json").document["leavers"]]
    assert left == [f"NDD//{rows[-1][0]}"], "nobody of the source that could not be read has left"


def test_nothing_is_planned_when_the_only_source_is_incomplete(office: Office) -> None:
    office.run(code=0)
    office.put_text('logon,name,email\nana,"never closed\n')
    part = office.one(code=5)
    assert part["people"]["read"] == 0 and part["people"]["gone"] == 0 and part["requests"] == 0
    assert office.do("leavers", "--json").document["leavers"] == []


def test_a_source_that_recovers(two: Office) -> None:
    two.run(code=0)
    (two.directory / "hq.csv").rename(two.directory / "hq.aside")
    two.one(code=5)
    (two.directory / "hq.aside").rename(two.directory / "hq.csv")
    part = two.one(code=0)
    assert part["people"]["unchanged"] == 7 and part["requests"] == 0


def test_groups_of_two_sources_become_one(two: Office) -> None:
    """FAULTS.md row 89: the same name, agreeing descriptions: both memberships."""
    two.set(
        customers={
            "acme": {
                "sources": {
                    "hr": {"groups": groups_file("hr.groups")},
                    "hq": {"groups": groups_file("hq.groups")},
                }
            }
        }
    )
    two.put_groups(
        [("Colour", "Colour printers", "ana"), ("Colour", "Colour printers", "bruno")], "hr.groups"
    )
    two.put_groups([("Colour", "Colour printers", "gerd")], "hq.groups")
    part = two.one(code=0)
    assert two.members() == {"Colour": ["ndd//ana", "ndd//bruno", "ndd//gerd"]}
    assert part["groups"]["read"] == 1 and part["seats"]["created"] == 3


def test_the_same_file_twice_needs_no_word_within_a_customer(office: Office) -> None:
    """But between customers it is a slip that would cross people."""
    office.set(customers={"bolt": customer("bolt", sources={"hr": {"path": "acme.csv"}})})
    result = office.do("run", "--once")
    assert result.code == 2 and "shared" in result.err, result.said
    assert office.requests() == []


def test_stable_ids_follow_a_renamed_logon(office: Office) -> None:
    office.set(customers={"acme": {"sources": {"hr": {"people": {"id": "{{ id }}"}}}}})
    head = ("id", "logon", "name", "email")
    office.put([(str(at), *row) for at, row in enumerate(people(*FIVE))], head=head)
    office.run(code=0)
    rows = people(*FIVE[:4], "egon.neu")
    office.put([(str(at), *row) for at, row in enumerate(rows)], head=head)
    part = office.one(code=0)
    assert part["people"]["created"] == 1 and part["people"]["gone"] == 1
    assert {"ndd//egon", "ndd//egon.neu"} <= office.users().keys()


def test_mapping_in_the_large(office: Office) -> None:
    office.set(
        customers={
            "acme": {
                "sources": {
                    "hr": {
                        "people": {
                            "logon": "{{ logon | lower }}",
                            "domain": "{{ site or 'NDD' }}",
                            "name": ["{{ name }}", "{{ given }} {{ entry['Last Name'] }}"],
                            "exclude": ["svc-*", "{{ type == 'contractor' }}"],
                            "repair": ["ascii", "lower"],
                        }
                    }
                }
            }
        }
    )
    head = ("Logon", "name", "email", "site", "given", "Last Name", "type")
    office.put(
        [
            ("João", "", "", "ACME", "João", "Silva", ""),
            ("svc-backup", "Backup", "", "", "", "", ""),
            ("tina", "Tina", "TINA@example.com", "", "", "", "contractor"),
            ("uwe", "Uwe", "uwe@example.com", "", "", "", "staff"),
        ],
        head=head,
    )
    part = office.one(code=0)
    assert part["people"]["excluded"] == 2 and part["people"]["created"] == 2
    assert office.users()["acme//joao"] == {"Logon": "joao", "Domain": "ACME", "Name": "João Silva"}
    assert office.users()["ndd//uwe"]["Email"] == "uwe@example.com"


@pytest.mark.parametrize("renamed", ["hq", "hr"])
def test_a_renamed_source_that_cannot_be_read(two: Office, renamed: str) -> None:
    """The ledger knows its people under the old name; they are still those of a source that could not be read."""
    file = {"hq": "hq.csv", "hr": "acme.csv"}[renamed]
    groups = {"groups": groups_file(f"{renamed}.groups")}
    two.set(customers={"acme": {"sources": {renamed: groups}}})
    two.put_groups([("Colour", "", {"hq": "gerd", "hr": "ana"}[renamed])], f"{renamed}.groups")
    two.run(code=0)
    order = {"hq": ["head", "hr"], "hr": ["hq", "head"]}[renamed]
    two.set(
        customers={
            "acme": {"precedence": order, "sources": {renamed: None, "head": source(file, **groups)}},
        }
    )
    (two.directory / file).rename(two.directory / "aside")
    part = two.one(code=5)
    assert part["people"]["gone"] == part["groups"]["gone"] == part["seats"]["gone"] == 0
    assert two.do("leavers", "--json").document["leavers"] == []
    (two.directory / "aside").rename(two.directory / file)
    part = two.one(code=0)
    assert part["requests"] == 0 and part["people"]["unchanged"] == 7, part


def test_people_of_a_source_taken_out_leave_once_all_are_read(two: Office) -> None:
    """While another cannot be read, it may be the same under a new name; after that they are gone."""
    two.run(code=0)
    two.set(customers={"acme": {"precedence": None, "sources": {"hr": None, "new": source("new.csv")}}})
    assert two.one(code=5)["people"]["gone"] == 0
    two.put(people("nora"), "new.csv")
    assert two.one(code=4)["reason"].startswith("leavers: 4 of 7")


def test_a_renamed_source_beside_one_that_cannot_be_read(two: Office) -> None:
    """Whose the people under the old name are cannot be told: they wait, and newcomers go."""
    two.run(code=0)
    order = ["hq", "head"]
    two.set(customers={"acme": {"precedence": order, "sources": {"hr": None, "head": source("acme.csv")}}})
    (two.directory / "hq.csv").rename(two.directory / "aside")
    two.put([("ana", "Ana Costa", ""), *people(*FIVE[1:], "nora")])
    part = two.one(code=5)
    assert (part["people"]["created"], part["people"]["updated"], part["people"]["gone"]) == (1, 0, 0)
    assert "came from hr, perhaps hq, which could not be read" in str(part["problems"])
    (two.directory / "aside").rename(two.directory / "hq.csv")
    assert two.one(code=0)["people"]["updated"] == 1
    assert two.users()["ndd//ana"]["Name"] == "Ana Costa"
