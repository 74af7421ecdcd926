"""`explain` and `history`: one person from the ledger alone, found by logon, key or e-mail."""

from __future__ import annotations

import pytest
from tests.cli.files import groups_file, limit, people
from tests.cli.kit import Office


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
    assert told.requests() == [], "nobody is asked"


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
