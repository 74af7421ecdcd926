"""Why somebody stands as they do: the first rule that fits, from what the ledger has."""

from __future__ import annotations

from typing import Any

import pytest

from rosterd.core.access import FAULTY, LEFT, OFF, OUTSIDE, PRESENT, Account
from rosterd.core.people import Known
from rosterd.explain import Standing, differences, fields, stands
from rosterd.ledger.looking import Listed, Trouble

KEY = b"ndd\0ana"
GOOD, STALE = ("hq", 1.0, ""), ("hq", 1.0, "it could not be read whole")


def known(state: str) -> Known:
    return KEY, "NDD", "ana", "Ana", "ana@x.example", "hq", "", "", state


def shows(state: str, note: str = "") -> Account:
    return Account(KEY, "NDD//ana", "Ana", "ana@x.example", state, note, "hq")


def trouble(bucket: str) -> Trouble:
    return Trouble("person", KEY, bucket, "NDD//ana", "the logon has a space.", 1.0, 1.0)


def held(*, approved: bool) -> list[tuple[str, bool, Listed]]:
    return [
        ("d" * 64, approved, Listed("create", "person", KEY, "NDD//ana", None, ("NDD", "ana", "Ana", "")))
    ]


@pytest.mark.parametrize(
    ("word", "given"),
    [
        ("delivered", (known("active"), shows(PRESENT), None, [], GOOD)),
        ("delivered", (known("active"), None, None, [], None)),
        ("kept as it is", (known("active"), shows(PRESENT), None, [], STALE)),
        ("left", (known("left"), shows(LEFT), None, [], STALE)),
        ("left", (None, shows(LEFT), None, [], GOOD)),
        ("removed", (known("removed"), shows(LEFT), None, [], GOOD)),
        ("in doubt", (known("doubt"), shows(PRESENT), None, [], GOOD)),
        ("in doubt", (known("tried"), shows(PRESENT), None, [], GOOD)),
        ("refused", (known("active"), shows(PRESENT), trouble("refused"), [], GOOD)),
        ("set aside", (None, shows(FAULTY, "no logon"), None, [], GOOD)),
        ("set aside", (None, None, trouble("set_aside"), [], None)),
        ("disabled", (None, shows(OFF, "disabled"), None, [], GOOD)),
        ("excluded", (None, shows(OUTSIDE), None, [], GOOD)),
        ("held", (None, shows(PRESENT), None, held(approved=False), GOOD)),
        ("approved", (None, shows(PRESENT), None, held(approved=True), GOOD)),
        ("waiting", (None, shows(PRESENT), None, [], GOOD)),
    ],
)
def test_the_first_rule_that_fits(word: str, given: tuple[object, ...]) -> None:
    found = _stands(*given)
    assert found.word == word
    assert found.why[0].isupper() and found.why.endswith(".") and ".." not in found.why


def _stands(*given: Any) -> Standing:
    return stands(*given)


def test_what_orbix_keeps_is_said_of_whom_it_has() -> None:
    assert "Orbix keeps" in stands(known("active"), None, trouble("refused"), [], None).why
    assert "Orbix keeps" not in stands(None, None, trouble("refused"), [], None).why


def test_what_differs() -> None:
    before, after = ("NDD", "ana", "Ana", "a@x.example"), ("NDD", "ana", "Ana Maria", "")
    assert differences("person", before, after) == [
        ("name", "Ana", "Ana Maria"),
        ("email", "a@x.example", ""),
    ]
    assert differences("person", None, after)[0] == ("domain", "", "NDD")
    assert differences("seat", (), ()) == [] == differences("unheard of", ("a",), ("b",))
    assert fields("group", ("Floor 1", "")) == {"name": "Floor 1"}
