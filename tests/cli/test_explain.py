"""`explain` and `history`: one person from ledger and sources, found by logon, key or e-mail."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cli.files import groups_file, limit, people
from tests.cli.kit import Office
from tests.fakeldap import done, serving


@pytest.fixture
def told(office: Office) -> Office:
    """Two runs: ana leaves, bruno is renamed, fabia is refused, "not ok" is set aside; bruno sits in Floor 1."""
    acme = office.settings["customers"]["acme"]
    acme["guards"] |= {"leavers": limit(count=5)}
    acme["sources"]["hr"]["groups"] = groups_file("groups.csv")
    office.save()
    office.put_groups([("Floor 1", "First floor", "bruno")])
    office.put(people("ana", "bruno", "carlos", "not ok"))
    office.run()
    office.fault("refuse", logon="fabia", message="Logon is not valid.")
    office.put([("bruno", "Bruno Anew", "bruno@example.com"), *people("carlos", "fabia", "not ok")])
    office.run()
    return office


@pytest.mark.parametrize(
    ("who", "key", "state", "why"),
    [
        ("bruno", "NDD//bruno", "delivered", "Orbix has this person"),
        ("ndd//BRUNO", "NDD//bruno", "delivered", "Orbix has this person"),
        ("Carlos@example.com", "NDD//carlos", "delivered", "Orbix has this person"),
        ("ana", "NDD//ana", "left", "The directory no longer shows"),
        ("fabia", "NDD//fabia", "refused", "Orbix refuses this record: Logon is not valid."),
        ("not ok", "NDD//not ok", "set aside", "which Orbix does not accept"),
    ],
)
def test_everybody_is_explained(told: Office, who: str, key: str, state: str, why: str) -> None:
    told.forget_requests()
    result = told.do("explain", who, "--json")
    (one,) = result.document["people"]
    assert (result.document["schema"], one["key"], one["state"]) == ("rosterd/explain/1", key, state)
    assert why in one["why"] and one["customer"] == "acme" and one["client"] == "ACME"
    text = told.do("explain", who).out
    assert text.startswith(f"acme: {key}") and f"  {state}: " in text
    assert told.requests() == [], "Orbix is not asked"


def test_what_is_told_of_a_person(told: Office) -> None:
    (one,) = told.do("explain", "bruno", "--json").document["people"]
    assert one["groups"] == [{"name": "Floor 1", "state": "active", "reason": None}]
    assert one["orbix"] == {
        "domain": "NDD",
        "logon": "bruno",
        "name": "Bruno Anew",
        "email": "bruno@example.com",
    }
    assert "grouping   Floor 1: member" in told.do("explain", "bruno").out


def test_history(told: Office) -> None:
    (one,) = told.do("history", "bruno", "--json").document["people"]
    (change,) = one["history"]
    assert (change["op"], change["run"], change["refused"]) == ("update", 2, None)
    assert (change["before"]["name"], change["after"]["name"]) == ("Name of bruno", "Bruno Anew")
    assert "name 'Name of bruno' → 'Bruno Anew'" in told.do("history", "bruno").out
    (refused,) = told.do("history", "fabia", "--json").document["people"][0]["history"]
    assert refused["refused"] == "Logon is not valid."
    assert "delivered once, and not changed since" in told.do("history", "carlos").out


def test_a_change_that_is_held(told: Office) -> None:
    told.settings["customers"]["acme"]["guards"] |= {"updates": limit(count=0)}
    told.save()
    told.put([("bruno", "Bruno Again", "bruno@example.com"), *people("carlos", "fabia", "not ok")])
    digest = told.one(code=4)["plan"]
    (one,) = told.do("explain", "bruno", "--json").document["people"]
    assert one["state"] == "held" and one["held"][0]["plan"] == digest
    assert f"rosterd approve {digest[:12]}" in one["next"]


def test_nobody_and_somebody_similar(told: Office) -> None:
    nobody = told.do("explain", "zeno")
    assert nobody.code == 2 and "nobody is called 'zeno'" in nobody.err
    similar = told.do("history", "brun")
    assert similar.code == 2 and "similar: NDD//bruno" in similar.err
    assert told.do("explain", "bruno", "--customer", "nope").code == 2


def entries_of(office: Office, who: str, *more: str) -> list[dict[str, Any]]:
    """What the one source shows of somebody."""
    (one,) = office.do("explain", who, "--json", *more).document["people"]
    (source,) = one["sources"]
    assert source["source"] == "hr" and source["problem"] is None
    found: list[dict[str, Any]] = source["entries"]
    return found


def test_the_entry_is_shown_with_its_mapping(told: Office) -> None:
    """As the file is now, and not as it was when a run read it."""
    told.put([("bruno", "Bruno Third", "none"), *people("carlos")])
    (entry,) = entries_of(told, "bruno")
    assert entry["place"] == 2 and entry["values"] == {
        "logon": "bruno",
        "email": "none",
        "name": "Bruno Third",
    }
    steps = {step["field"]: (step["template"], step["gives"], step["becomes"]) for step in entry["mapping"]}
    assert steps["name"] == ("{{ name }}", "Bruno Third", "Bruno Third")
    assert steps["email"] == ("{{ email }}", "none", ""), "an address that is none is left out"
    assert entry["fate"] == "wanted" and "delivered without it" in entry["reason"]
    text = told.do("explain", "bruno").out
    assert (
        "source hr, asked just now: line 2 of acme.csv" in text
        and "email   {{ email }} → none → nothing" in text
    )
    assert entries_of(told, "fabia") == [], "no longer in the file"
    assert "has no such entry" in told.do("explain", "fabia").out


def test_of_several_templates_those_are_shown_that_were_tried(office: Office) -> None:
    """They end with the first that gives something."""
    names = ["{{ email }}", "{{ name }}", "never {{ logon }}"]
    office.set(customers={"acme": {"sources": {"hr": {"people": {"name": names}}}}})
    office.put([("ana", "Ana Lua", "")])
    (entry,) = entries_of(office, "ana")
    assert [(step["template"], step["gives"]) for step in entry["mapping"] if step["field"] == "name"] == [
        ("{{ email }}", ""),
        ("{{ name }}", "Ana Lua"),
    ]


def test_somebody_whom_no_run_has_read(office: Office) -> None:
    """Every fate is told before a first run; rules each with whether they hold."""
    rules = {"exclude": ["svc-*", "{{ name == 'Dora' }}"], "repair": ["ascii", "lower"]}
    office.set(customers={"acme": {"sources": {"hr": {"people": rules}}}})
    office.put(
        [("João", "João", ""), ("svc-x", "", ""), ("dora", "Dora", ""), ("not ok", "", "odd@example.com")]
    )
    for who, state, key in (
        ("joão", "new", "NDD//joao"), ("NDD//joao", "new", "NDD//joao"), ("svc-x", "excluded", "NDD//svc-x"),
        ("dora", "excluded", "NDD//dora"), ("odd@example.com", "set aside", "NDD//not ok"),
    ):  # fmt: skip
        (one,) = office.do("explain", who, "--json").document["people"]
        assert (one["state"], one["key"]) == (state, key), who
    (entry,) = entries_of(office, "dora")
    assert entry["rules"] == [
        {"rule": "svc-*", "holds": False},
        {"rule": "{{ name == 'Dora' }}", "holds": True},
    ]
    assert "logon   {{ logon }} → João → joao" in office.do("explain", "joao").out
    assert office.do("explain", "joao", "--offline").code == 2
    assert office.do("history", "joao").code == 2 and office.requests() == []


def test_a_source_that_cannot_be_asked(told: Office) -> None:
    """The ledger tells what it knows all the same; of a stranger it is said who was not asked."""
    (told.directory / "acme.csv").unlink()
    (one,) = told.do("explain", "bruno", "--json").document["people"]
    assert one["state"] == "delivered" and "acme.csv" in one["sources"][0]["problem"]
    assert "cannot be asked now" in told.do("explain", "bruno").out
    assert told.do("explain", "bruno", "--offline", "--json").document["people"][0]["sources"] == []
    nobody = told.do("explain", "zeno")
    assert nobody.code == 2 and "not asked: " in nobody.err and "acme.csv" in nobody.err
    told.put_text("logon,nam\nbruno,x\n")
    assert 'the column "email" is missing' in told.do("explain", "bruno").out


def test_a_refused_password_counts(told: Office) -> None:
    """FAULTS.md row 47: explaining somebody often locks no account."""
    told.one(code=0)
    with serving(lambda peer, request: peer.send(done(request.id)), bind=49) as fake:
        source = {
            "kind": "ldap", "urls": [fake.url], "base": "dc=acme,dc=example", "bind_dn": "cn=reader",
            "bind_password": "n0t-the-one", "allow_cleartext": True, "people": {"logon": "{{ uid }}", "domain": "ACME"},
        }  # fmt: skip
        told.set(customers={"acme": {"sources": {"hq": source}, "precedence": ["hr", "hq"]}})
        for _ in range(5):
            result = told.do("explain", "bruno")
            assert result.code == 0 and "source hq cannot be asked now" in result.out
    assert fake.binds == 3 and "3 times in a row" in result.out
