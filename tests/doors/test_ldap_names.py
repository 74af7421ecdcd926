"""Distinguished names: every spelling of one name has one canonical form."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rosterd.core.people import fold
from rosterd.sources.ldap.dn import normalise_dn, parent, within

BASE = "ou=people,dc=acme,dc=example"

SAME = [
    ("uid=ana,ou=People,dc=acme,dc=example", f"uid=ana,{BASE}"),
    ("UID=Ana , OU = People ,DC=Acme, DC=EXAMPLE", f"uid=ana,{BASE}"),
    ("uid=ana;ou=People;dc=acme;dc=example", f"uid=ana,{BASE}"),
    ("userid=ana,organizationalUnitName=people,domainComponent=acme,dc=example", f"uid=ana,{BASE}"),
    ("0.9.2342.19200300.100.1.1=ana,OID.2.5.4.11=people,dc=acme,dc=example", f"uid=ana,{BASE}"),
    ("cn=Smith\\, John,dc=x", "cn=smith\\, john,dc=x"),
    ("cn=Smith\\2C John,dc=x", "cn=smith\\, john,dc=x"),
    ('cn="Smith, John" ,dc=x', "cn=smith\\, john,dc=x"),
    ("cn=a  b   c,dc=x", "cn=a b c,dc=x"),
    ("cn=trailing\\20,dc=x", "cn=trailing,dc=x"),
    ("cn=\\ leading,dc=x", "cn=leading,dc=x"),
    ("cn=trailing   ,dc=x", "cn=trailing,dc=x"),
    ("cn=\\#hash,dc=x", "cn=\\#hash,dc=x"),
    ("cn=\\23hash,dc=x", "cn=\\#hash,dc=x"),
    ("cn=a#b,dc=x", "cn=a#b,dc=x"),
    ("cn=a\\+b+uid=c,dc=x", "cn=a\\+b+uid=c,dc=x"),
    ("uid=c+cn=a\\2bb,dc=x", "cn=a\\+b+uid=c,dc=x"),
    ("cn=Jo\\C3\\A3o,dc=x", "cn=joão,dc=x"),
    ("cn=Joa\u0303o,dc=x", "cn=joão,dc=x"),
    ("CN=JOÃO,dc=x", "cn=joão,dc=x"),
    ("cn=STRAßE,dc=x", "cn=straße,dc=x"),
    ("cn=STRAẞE,dc=x", "cn=straße,dc=x"),
    ("cn=ΟΔΟΣ,dc=x", "cn=οδοσ,dc=x"),
    ("cn=οδος,dc=x", "cn=οδοσ,dc=x"),
    ("cn=#04024869,dc=x", "cn=hi,dc=x"),
    ("cn=#0C024869,dc=x", "cn=hi,dc=x"),
    ("cn=#3003020101,dc=x", "cn=#3003020101,dc=x"),
    ("cn=a=b,dc=x", "cn=a=b,dc=x"),
    ("cn=a\\=b,dc=x", "cn=a=b,dc=x"),
    ("cn=a\\00b,dc=x", "cn=a\\00b,dc=x"),
    ("cn=a\0b,dc=x", "cn=a\\00b,dc=x"),
    ("cn=,dc=x", "cn=,dc=x"),
    ("", ""),
    ("  ", ""),
]
INVALID = ["joao", "cn", "=x", "cn=a\\zz,dc=x", "cn=a\\", 'cn="open,dc=x', 'cn="a"b,dc=x', "cn=a,,dc=x",
           "cn=a,", "cn=\\C3,dc=x", "cn=#0,dc=x", "cn=#,dc=x", 'cn=a"b,dc=x', "ÄÖ\0"]  # fmt: skip


@pytest.mark.parametrize(("spelled", "canonical"), SAME)
def test_spellings(spelled: str, canonical: str) -> None:
    assert normalise_dn(spelled) == canonical
    assert normalise_dn(canonical) == canonical


@pytest.mark.parametrize("text", INVALID)
def test_what_is_no_name_is_folded_and_kept(text: str) -> None:
    assert normalise_dn(text) == fold(text).replace("\0", "\\00")


def escaped(value: str, how: int) -> str:
    """One of the ways RFC 4514 and its forerunners write a value."""
    if how == 0:
        return "".join([f"\\{byte:02x}" for byte in value.encode()])
    if how == 1:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    text = "".join(["\\" + c if c in '\\,+";<>=#' else c for c in value]).replace("\0", "\\00")
    if text.startswith(" "):
        text = "\\" + text
    if text.endswith(" ") and len(text) > 1:
        text = text[:-1] + "\\20"
    return text


values = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
types = st.sampled_from(["cn", "CN", "ou", "uid", "2.5.4.3", "x-other"])
hows = st.integers(0, 2)


@given(st.lists(st.tuples(types, values, hows, hows), min_size=1, max_size=5))
@example([("cn", "a\u037eb", 0, 2)])
def test_two_ways_of_writing_a_name_are_equal(parts: list[tuple[str, str, int, int]]) -> None:
    one = ",".join([f"{kind}={escaped(value, how)}" for kind, value, how, _ in parts])
    other = " , ".join([f"{kind.swapcase()} = {escaped(value, how)}" for kind, value, _, how in parts])
    assert normalise_dn(one) == normalise_dn(other)
    assert "\0" not in normalise_dn(one)


def letter_by_letter(text: str) -> str:
    """As the names of entries are compared: no letter becomes several."""
    some = [[fold(letter), letter.lower(), letter] for letter in unicodedata.normalize("NFC", text)]
    return unicodedata.normalize(
        "NFC", "".join(next(form for form in forms if len(form) == 1) for forms in some)
    )


@given(st.lists(values, min_size=1, max_size=4), st.lists(values, min_size=1, max_size=4))
@example(["Groß"], ["GROSS"])
@example(["Groß"], ["GROẞ"])
def test_different_names_stay_different(one: list[str], other: list[str]) -> None:
    def meaning(parts: list[str]) -> list[str]:
        return [" ".join([word for word in letter_by_letter(part).split(" ") if word]) for part in parts]

    def written(parts: list[str]) -> str:
        return normalise_dn(",".join([f"cn={escaped(part, 0)}" for part in parts]))

    assert (written(one) == written(other)) == (meaning(one) == meaning(other))


@given(st.text(st.sampled_from('cnou=,+;\\"# 0aA2Cé\0'), max_size=20))
def test_any_text_has_a_form(text: str) -> None:
    form = normalise_dn(text)
    assert "\0" not in form


@given(st.permutations(["cn=a", "uid=b\\+c", "ou=d"]))
def test_the_order_of_parts_does_not_count(parts: list[str]) -> None:
    assert normalise_dn("+".join(parts) + ",dc=x") == "cn=a+ou=d+uid=b\\+c,dc=x"


@given(st.text(st.sampled_from("abcXYZ019 .-_@'()/:*!"), min_size=1, max_size=15))
def test_the_short_way_and_the_long_way_agree(value: str) -> None:
    plain = f"uid={value},{BASE}"
    assert normalise_dn(plain) == normalise_dn(f"x-none=1,{plain}").removeprefix("x-none=1,")


def test_within() -> None:
    assert within(f"uid=a,{BASE}", BASE)
    assert within(BASE, BASE)
    assert within(BASE, "")
    assert not within("ou=otherpeople,dc=acme,dc=example", BASE)
    assert not within(f"x{BASE}", BASE)
    assert not within(f"cn=a\\,{BASE}", BASE)  # the comma is a part of the value
    assert within(f"cn=a\\\\,{BASE}", BASE)  # the backslash is
    assert within(f"cn=\\,,{BASE}", BASE)


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("cn=a,dc=x,dc=y", "dc=x,dc=y"),
        ("cn=a\\,b,dc=x", "dc=x"),
        ("cn=a\\\\,dc=x", "dc=x"),
        ("cn=a\\\\\\,b,dc=x", "dc=x"),
        ("cn=a\\00,dc=x", "dc=x"),
        ("dc=x", ""),
        ("", ""),
        ("cn=a\\", ""),
    ],
)
def test_parent(name: str, above: str) -> None:
    assert parent(name) == above


def test_plain_names_are_fast() -> None:
    """Groups of a large directory have millions of members; half of a slow machine's speed is asked for."""
    names = [f"CN=Person {n},OU=People,DC=acme,DC=example" for n in range(20_000)]
    began = time.process_time()
    for name in names:
        normalise_dn(name)
    assert time.process_time() - began < 0.4
