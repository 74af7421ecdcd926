"""The one order of everything, and the names by which groups mean people."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd.core.people import (
    CUT,
    NUL,
    US,
    Person,
    Wanted,
    fold,
    key_of,
    known_of,
    ref_dn,
    ref_key,
    ref_logon,
    row_of,
    sort_key,
    wanted_of,
)  # fmt: skip

texts = st.text(max_size=12)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ana", "ANA"),
        ("JOÃO", "joão"),
        ("Jose\u0301", "JOS\u00c9"),  # decomposed and composed
        ("straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),  # final sigma
        ("\u212bngström", "ÅNGSTRÖM"),  # the Ångström sign
        ("\u1e9e", "ss"),
        ("\u0390", "\u0399\u0308\u0301"),  # case folding takes the first apart
        ("ᾲ", "ὰΙ"),  # folding makes what must be composed again
    ],
)
def test_two_spellings_of_one_name_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)
    assert sort_key("NDD", one) == sort_key("ndd", other)


@pytest.mark.parametrize(("one", "other"), [("ana", "anna"), ("a", "а"), ("joao", "joão"), ("a", "a\u200b")])
def test_different_names_stay_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(texts)
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold(text)
    assert fold(once) == once
    assert normalize("NFC", once) == once


@given(texts)
def test_case_and_composition_do_not_matter(text: str) -> None:
    assert fold(normalize("NFD", text)) == fold(text)
    assert fold(normalize("NFC", text)) == fold(text)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_short_cut_for_ascii_is_the_same_thing(text: str) -> None:
    assert fold(text) == normalize("NFC", normalize("NFC", text).casefold())


@given(st.lists(st.tuples(texts, texts), max_size=8))
def test_keys_sort_as_bytes_of_utf_8(pairs: list[tuple[str, str]]) -> None:
    keys = sorted(sort_key(*pair) for pair in pairs)
    spelled = [key.split(NUL) for key in keys if key.count(NUL) == 1]
    assert spelled == sorted(spelled)


def test_the_order_is_that_of_bytes_not_of_display() -> None:
    keys = [sort_key("NDD", logon) for logon in ("z", "é", "\U0001f600", "\uffee", "a-b", "a", "a.b", "B")]
    shown = [key.decode().partition("\0")[2] for key in sorted(keys)]
    assert shown == [
        "a",
        "a-b",
        "a.b",
        "b",
        "z",
        "é",
        "\uffee",
        "\U0001f600",
    ]  # UTF-16 would swap the last two


def test_a_domain_sorts_before_its_longer_namesake() -> None:
    assert sort_key("ab", "c") < sort_key("abc", "") and sort_key("a", "bc") != sort_key("ab", "c")


def test_a_lone_surrogate_has_a_key_too() -> None:
    assert sort_key("NDD", "a\udc80") == b"ndd\0a\xed\xb2\x80"


def test_a_person_is_shown_as_orbix_does() -> None:
    assert Person(b"", "NDD", "carlos.silva", "", "").shown == "NDD//carlos.silva"


@given(texts, texts)
def test_refs_of_different_kinds_never_meet(one: str, other: str) -> None:
    assert len({ref_dn(one), ref_logon(one, other), ref_key(one, other)}) == 3


def test_refs_ignore_case() -> None:
    assert ref_logon("hr", "Ana") == ref_logon("hr", "ANA")
    assert ref_logon("hr", "ana") != ref_logon("hq", "ana")
    assert ref_key("NDD", "Ana") == ref_key("ndd", "ana")


def test_what_is_compared_ends_before_place_and_reason() -> None:
    wanted = (b"k", "d", "l", "n", "e", "s", "i", "dn", "active", 7, "a warning", "refs")
    assert wanted[:CUT] == (b"k", "d", "l", "n", "e", "s", "i", "dn", "active")


def wanted(domain: str, logon: str, name: str = "") -> Wanted:
    return (sort_key(domain, logon), domain, logon, name, "", "hq", "id", "cn=x", "active", 7, "why", "r\0s")


@given(texts, texts, texts)
def test_a_row_gives_back_what_went_in(domain: str, logon: str, name: str) -> None:
    person = wanted(domain, logon, name)
    row = row_of(person, 42)
    assert row[4] == 42
    back = wanted_of(row)
    if US not in domain + logon + name:
        assert back == person
        assert known_of(row[0]) == person[:CUT]
    assert back[CUT:] == person[CUT:]


@given(st.lists(st.tuples(texts, texts), max_size=8))
def test_rows_sort_as_keys_do(names: list[tuple[str, str]]) -> None:
    """Whatever follows the key in a row: for keys of letters, marks and the one NUL."""
    people = [wanted(*(text.translate(dict.fromkeys(range(32))) for text in pair)) for pair in names]
    by_row = sorted([row_of(person) for person in people])
    assert [wanted_of(row)[0] for row in by_row] == sorted(person[0] for person in people)
    assert [key_of(row).encode("utf-8", "surrogatepass") for row in by_row] == sorted(p[0] for p in people)
