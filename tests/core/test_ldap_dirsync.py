"""The DirSync control on the wire (MS-ADTS 3.1.1.3.4.1.3), and what is kept of a directory between two looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd.errors import Doubt, SourceError
from rosterd.sources.ldap import dirsync
from rosterd.sources.ldap.ber import integer, tlv
from rosterd.sources.ldap.watches import (
    CONTAINERS,
    DOMAIN,
    PEOPLE,
    Cookie,
    Watch,
    Witness,
    cookie_of,
    id_text,
)
from rosterd.sources.ldap.witness import remembered

ID = "01234567-89ab-cdef-0123-456789abcdef"


def message(tag: int, content: bytes, controls: bytes = b"", id_: int = 7) -> bytes:
    return tlv(0x30, integer(id_) + tlv(tag, content) + (tlv(0xA0, controls) if controls else b""))


def end(code: int, *, more: int = 0, cookie: bytes = b"cookie", bare: bool = False) -> bytes:
    value = tlv(0x30, integer(more) + integer(0) + tlv(4, cookie))
    control = tlv(0x30, tlv(4, dirsync.DIRSYNC.encode()) + tlv(4, value))
    result = tlv(0x0A, bytes((code,))) + tlv(4, b"") + tlv(4, b"said")
    return message(0x65, result, b"" if bare else control)


ENTRY = message(0x64, tlv(4, b"CN=Anna,DC=acme") + tlv(0x30, b""))


def test_a_request_carries_the_cookie_and_is_critical() -> None:
    value = tlv(0x30, integer(0) + integer(1 << 20) + tlv(4, b"abc"))
    control = tlv(4, dirsync.DIRSYNC.encode()) + tlv(1, b"\xff") + tlv(4, value)
    assert dirsync.asked(b"abc") == tlv(0xA0, tlv(0x30, control))


def test_the_messages_of_an_answer() -> None:
    found = dirsync.understood(ENTRY, 7)
    assert found is not None and not isinstance(found, dirsync.End)
    assert ENTRY[found[1] : found[2]].startswith(b"\x04\x0fCN=Anna")
    assert dirsync.understood(message(0x73, tlv(4, b"ldap://other/")), 7) is None
    assert dirsync.understood(end(0, more=1), 7) == dirsync.End(0, "said", True, b"cookie")
    assert dirsync.understood(end(0), 7) == dirsync.End(0, "said", False, b"cookie")
    assert dirsync.understood(end(50, bare=True), 7) == dirsync.End(50, "said", False, None)


def test_what_is_no_answer() -> None:
    with pytest.raises(ValueError, match="stands in the answer"):
        dirsync.understood(ENTRY, 8)
    with pytest.raises(ValueError, match="stands in the answer"):
        dirsync.understood(message(0x6F, b""), 7)
    with pytest.raises(SourceError, match="ended the connection"):
        dirsync.understood(message(0x78, tlv(0x0A, b"\x34") + tlv(4, b"") + tlv(4, b""), id_=0), 7)


@given(st.sampled_from([ENTRY, end(0, more=1)]), st.integers(0), st.integers(0, 255), st.integers(1, 200))
def test_nothing_else_leaves_however_a_message_is_damaged(whole: bytes, at: int, byte: int, cut: int) -> None:
    damaged = bytearray(whole)
    damaged[at % len(damaged)] = byte
    try:
        dirsync.understood(bytes(damaged)[:cut], 7)
    except (ValueError, SourceError):
        return


@pytest.mark.parametrize(
    ("dn", "parent", "last"),
    [
        ("CN=Anna\\0ADEL:7,CN=Deleted Objects,DC=acme", "OU=People,DC=acme", "dcn=anna,ou=people,dc=acme"),
        (
            "CN=A\\, B\\0ADEL:7,CN=Deleted",
            "<GUID=7>;<SID=8>;OU=People,DC=acme",
            "dcn=a\\, b,ou=people,dc=acme",
        ),
        ("CN=S-1-5-21-7\\0ADEL:7,DC=acme", "CN=ForeignSecurityPrincipals,DC=acme", "sS-1-5-21-7"),
        ("CN=Anna\\0ADEL:7,CN=Deleted Objects,DC=acme", "", ""),
        ("CN=Anna,OU=People,DC=acme", "OU=People,DC=acme", ""),
    ],
)
def test_how_groups_named_an_object_that_is_deleted(dn: str, parent: str, last: str) -> None:
    raw = [(b"objectGUID", [bytes(16)]), (b"isDeleted", [b"TRUE"]), (b"lastKnownParent", [parent.encode()])]
    assert dirsync._object(dn, raw) == dirsync.Told(
        "00000000-0000-0000-0000-000000000000", True, False, False, last
    )


def test_the_last_witnesses_are_remembered_and_nobody_who_is_gone() -> None:
    one, two, three, four = (Witness(PEOPLE, name, "1") for name in ("one", "two", "three", "four"))
    assert remembered([one], [two, three, four], []) == (one, two, three)
    assert remembered([one._replace(mark="2")], [two, one, three], ["two"]) == (one._replace(mark="2"), three)


def test_a_cookie_comes_back_as_it_was() -> None:
    kept = Cookie(
        "ldaps://dc1:636",
        [
            Watch(PEOPLE, "dc=acme", "subtree", "(a=é)", b"\0\xff"),
            Watch(CONTAINERS, "dc=acme", "one", "(b=*)"),
        ],
        {"id": "ou=people,dc=acme"},
        {b"\x01\x05": ["dcn=a", "dcn=b"]},
        reached=4711,
        loaded="020261126155348",
        witnesses=(Witness(PEOPLE, ID, "20261126155348.000000Z#000000#000#000000"), Witness(DOMAIN, ID, "7")),
    )
    assert cookie_of(kept.text()) == kept
    with pytest.raises(Doubt):  # it becomes a part of a filter
        cookie_of(kept.text().replace(ID, "*)(cn=*"))


@given(st.one_of(st.text(), st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(repr)))
def test_a_cookie_that_is_none_of_ours_is_a_doubt(text: str) -> None:
    with pytest.raises(Doubt):
        cookie_of(text)


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_a_cookie_that_was_cut_off_is_a_doubt(cut: int) -> None:
    whole = Cookie("ldap://a", [Watch(PEOPLE, "dc=acme", "subtree", "(a=b)", b"c")], {"i": "ou=a"}).text()
    with pytest.raises(Doubt):
        cookie_of(whole[:cut])


def test_an_id_is_spelled_as_the_flavor_spells_it() -> None:
    value = bytes.fromhex("0123456789abcdef0123456789abcdef")
    assert id_text("openldap", value) == "01234567-89ab-cdef-0123-456789abcdef"
    assert id_text("389ds", value) == "01234567-89abcdef-01234567-89abcdef"
