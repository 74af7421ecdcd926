"""The fault table's rows about people themselves: keys, spellings, addresses, members."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.files import people
from tests.cli.kit import Office

FIVE = ("ana", "bruno", "carlos", "dora", "egon")


def rules(office: Office, **more: Any) -> None:
    office.set(customers={"acme": {"sources": {"hr": {"people": more}}}})


def reasons(part: dict[str, Any]) -> str:
    return " ".join(
        f"{problem['key']} {problem['reason']} {problem['where']}" for problem in part["problems"]
    )


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("twin", ["dora", "DORA", "Dora"])
def test_fault_75_the_same_key_twice(office: Office, twin: str, order: int) -> None:
    """Neither is sent, both are named, whichever comes first in the file."""
    rows = [*people(*FIVE), (twin, "The other Dora", "dora2@example.com")]
    office.put(rows[::order])
    part = office.one(code=3)
    assert part["people"]["set_aside"] == 2 and part["people"]["created"] == 4
    assert "ndd//dora" not in office.users()
    lines = {"line 5", "line 7"} if order == 1 else {"line 2", "line 4"}
    told = reasons(part)
    assert all(line in told for line in lines), told


def test_fault_75_after_repair(office: Office) -> None:
    rules(office, repair=["ascii", "lower"])
    office.put([*people(*FIVE), ("João", "João", "j1@example.com"), ("Joao", "Joao", "j2@example.com")])
    part = office.one(code=3)
    assert part["people"]["set_aside"] == 2 and "ndd//joao" not in office.users()


def test_fault_75_twins_of_somebody_known_change_nothing(office: Office) -> None:
    office.run(code=0)
    office.put([*people(*FIVE), ("dora", "The other Dora", "")])
    part = office.one(code=3)
    assert part["people"]["set_aside"] == 2 and part["people"]["gone"] == 0
    assert office.users()["ndd//dora"]["Name"] == "Name of dora"


def test_fault_76_another_case_is_the_same_person(office: Office) -> None:
    office.run(code=0)
    office.put([("ANA", "Name of ana", "ana@example.com"), *people(*FIVE[1:])])
    part = office.one(code=0)
    assert part["people"]["created"] == part["people"]["gone"] == 0
    assert part["people"]["updated"] == 1 and len(office.users()) == 5
    assert office.one(code=0)["requests"] == 0


def test_fault_76_another_case_of_the_domain(office: Office) -> None:
    office.run(code=0)
    rules(office, domain="ndd")
    part = office.one(code=0)
    assert part["people"]["created"] == part["people"]["gone"] == 0 and len(office.users()) == 5


def test_fault_77_a_logon_that_was_renamed(office: Office) -> None:
    office.run(code=0)
    office.put(people(*FIVE[:4], "egon.neu"))
    part = office.one(code=0)
    assert part["people"]["created"] == 1 and part["people"]["gone"] == 1
    assert "NDD//egon" in office.do("leavers").out


def test_fault_78_an_address_of_two_people(office: Office) -> None:
    rows = [*people(*FIVE), ("filipa", "Filipa", "ANA@example.com")]
    office.put(rows)
    part = office.one(code=0)
    assert part["people"]["created"] == 6 and "ana@example.com" in str(part["warnings"]).lower()
    assert "ana@example.com" in office.do("run", "--once").out.lower()
    rules(office, shared_email="set_aside")
    office.put([*rows, ("gerd", "Gerd", "egon@example.com")])
    part = office.one(code=3)
    assert part["people"]["set_aside"] == 4 and "ndd//gerd" not in office.users()
    assert part["people"]["gone"] == 0, "those known are kept"


BAD_LOGONS = [
    "joão",
    "an a",
    "ana!",
    "a/b",
    "a\\b",
    "ana@acme",
    "",
    "a\u200bb",
    "\u202eana",
    "an\u0301a",
    "\u0430na",
    "a'",
]


@pytest.mark.parametrize("logon", BAD_LOGONS)
def test_fault_79_and_80_characters_that_orbix_refuses(office: Office, logon: str) -> None:
    office.put([*people(*FIVE), (logon, "Odd One", "odd@example.com")])
    part = office.one(code=3)
    assert part["people"]["set_aside"] == 1 and part["people"]["created"] == 5
    assert "line 7" in reasons(part) and "logon" in reasons(part), reasons(part)
    assert [entry["records"] for entry in office.requests("users")] == [5], "not even sent"


@pytest.mark.parametrize("domain", ["AC ME", "ÁCME", ""])
def test_fault_79_domains_that_orbix_refuses(office: Office, domain: str) -> None:
    rules(office, domain="{{ site }}")
    office.put(
        [("ana", "Ana", "", "NDD"), ("uwe", "Uwe", "", domain)], head=("logon", "name", "email", "site")
    )
    part = office.one(code=3)
    assert part["people"]["set_aside"] == 1 and list(office.users()) == ["ndd//ana"]
    assert "domain" in reasons(part)


@pytest.mark.parametrize("logon", ["a.b", "a-b", "a_b", "7", "A1"])
def test_fault_79_characters_that_are_sent(office: Office, logon: str) -> None:
    office.put([(logon, "Fine", "fine@example.com")])
    part = office.one(code=0)
    assert part["people"]["created"] == 1
    assert bool(part["warnings"]) is ("-" in logon or "_" in logon), part["warnings"]


def test_fault_79_other_characters_may_be_allowed(office: Office) -> None:
    rules(office, allowed_characters="")
    office.put([*people("ana"), *people("a.b")])
    assert office.one(code=3)["people"]["set_aside"] == 1


def test_fault_79_repair_mends_accents_not_spaces(office: Office) -> None:
    rules(office, repair=["ascii"])
    office.put(
        [("joão", "João", "j@example.com"), ("müller", "Müller", "m@example.com"), ("an a", "Ana", "")]
    )
    part = office.one(code=3)
    assert part["people"]["set_aside"] == 1
    assert office.users().keys() == {"ndd//joao", "ndd//muller"}


def test_fault_80_names_are_composed_and_cleaned(office: Office) -> None:
    office.put([("ana", "A\u0301na \u202eevil\x07", "a@example.com")])
    part = office.one(code=0)
    name = office.users()["ndd//ana"]["Name"]
    assert name.startswith("Ána") and "\x07" not in name and "\u202e" not in name
    assert part["warnings"]


BAD_MAILS = [
    "plain",
    "a@b",
    "josé@example.com",
    "a b@example.com",
    "a@example.com, b@example.com",
    "<a@example.com>",
]


@pytest.mark.parametrize("mail", BAD_MAILS)
def test_fault_81_a_bad_address(office: Office, mail: str) -> None:
    office.put([*people(*FIVE), ("filipa", "Filipa", mail)])
    part = office.one(code=0)
    assert part["people"]["created"] == 6 and "Email" not in office.users()["ndd//filipa"]
    assert mail in str(part["warnings"]) or "\\" in str(part["warnings"])


def test_fault_81_a_bad_address_may_set_aside(office: Office) -> None:
    rules(office, bad_email="set_aside")
    office.put([*people(*FIVE), ("filipa", "Filipa", "plain")])
    part = office.one(code=3)
    assert part["people"]["set_aside"] == 1 and "plain" in reasons(part)


def test_fault_81_lengths(office: Office) -> None:
    rules(office, max_length=8)
    office.put([("ana", "Ana", "a@b.com"), ("longlonglong", "Long", "l@b.com"), ("uwe", "U" * 20, "u@b.com")])
    part = office.one(code=3)
    assert "longlonglong" in reasons(part) and "8" in reasons(part)
    assert "ndd//ana" in office.users() and "ndd//longlonglong" not in office.users()


def test_fault_81_a_name_of_a_mebibyte_does_no_harm(office: Office) -> None:
    office.put([*people(*FIVE), ("filipa", "F" * 8000, "f@example.com")])
    part = office.one()
    assert part["exit_code"] in (0, 3) and len(office.users()) >= 5


def test_fault_87_a_member_who_is_not_among_the_people(grouped: Office) -> None:
    rows = [("Floor 1", "First floor", logon) for logon in ("p1", "stranger", "svc-backup")]
    grouped.put_groups(rows)
    rules(grouped, exclude=["svc-*"])
    grouped.put([*people(*(f"p{n}" for n in range(10))), ("svc-backup", "Backup", "")])
    part = grouped.one(code=3)
    assert grouped.members() == {"Floor 1": ["ndd//p1"]} and len(grouped.users()) == 10
    assert "stranger" in reasons(part)


def test_fault_90_user_and_group_calls_carry_the_same_record(grouped: Office) -> None:
    grouped.run(code=0)
    first = grouped.users()
    grouped.server.world.clear()
    grouped.ledger.unlink()
    grouped.fault("refuse", logon="nobody")
    grouped.run(code=0)
    assert grouped.users() == first


def test_fault_97_no_sum_is_ever_off(office: Office) -> None:
    """Every awkward record at once, refused ones too; `run` checks the sums."""
    rules(office, exclude=["svc-*", "{{ name == 'Contractor' }}"], shared_email="set_aside")
    office.put(
        [
            *people(*FIVE),
            ("svc-a", "", ""),
            ("kim", "Contractor", ""),
            ("dora", "", ""),
            ("bad logon", "", ""),
            ("", "Nobody", ""),
            ("uwe", "Uwe", "ana@example.com"),
        ]
    )
    office.fault("refuse", logon="egon")
    part = office.one(code=3)
    assert part["people"] == {
        "read": 11,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "refused": 1,
        "set_aside": 6,
        "excluded": 2,
        "unsent": 0,
        "gone": 0,
    }
