"""Threats L4, L6 and L10 of FAULTS.md: what people are called, and what a server says, is data and nothing else.

The others stand beside their servers: L1, L2 and L11 in real/ldap/test_slapd_tls and test_runs, L3, L5, L7 and L9 in
doors/test_source_ldap, L8 there and in the fuzzer.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import fakeldap
from tests.cli.kit import Office
from tests.fakeldap import Peer, Request, done, entry, serving

from rosterd.sources.ldap.find import find
from rosterd.sources.settings import LdapSettings

BASE = "dc=acme,dc=example"
AND, OR, EQUAL = 0xA0, 0xA1, 0xA3  # RFC 4511, 4.5.1.7
UNKIND = st.text(alphabet=st.one_of(st.sampled_from("()*\\\0&|!=~<>: "), st.characters(codec="utf-8")))


def hq(url: str) -> dict[str, Any]:
    return {"kind": "ldap", "urls": [url], "base": BASE, "page_size": 10, "timeout": "5s",
            "people": {"logon": "{{ uid }}", "domain": "NDD", "name": "{{ cn }}"}}  # fmt: skip


CHECKED = LdapSettings.model_validate(hq("ldap://127.0.0.1"))


class Heard(Exception):
    """Enough is known."""


class Listening:
    """A session that keeps what it is asked, and stays there."""

    search = b""

    def ask(self, search: bytes, _controls: bytes = b"") -> int:
        self.search = search
        return 1

    def collect(self, _message_id: int, _most: int) -> None:
        raise Heard


def _tree(part: tuple[int, bytes]) -> Any:
    tag, content = part
    below = fakeldap._parts(content) if tag != 0x87 else []
    return (tag, *(map(_tree, below) if tag in (AND, OR) else [value for _, value in below] or [content]))


@settings(max_examples=10_000, deadline=None)
@given(UNKIND, UNKIND)
def test_no_value_changes_the_shape_of_a_filter(logon: str, mail: str) -> None:
    """L4: as it leaves on the wire, each value is compared byte by byte, and does nothing else."""
    session = Listening()
    with suppress(Heard):
        find("hq", CHECKED, ("uid", "mail"), session, "", [("uid", logon), ("mail", mail)])  # type: ignore[arg-type]
    ((_, operation),) = fakeldap._parts(session.search)
    (_, kind, either) = _tree(fakeldap._parts(operation)[6])
    assert kind == (EQUAL, b"objectClass", b"person")
    assert either == (OR, (EQUAL, b"uid", logon.encode()), (EQUAL, b"mail", mail.encode()))


# L6


def person(request: Request, uid: str) -> bytes:
    told: dict[str, list[str | bytes]] = {"uid": [uid], "cn": [f"Name of {uid}"]}
    return entry(request.id, f"uid={uid},{BASE}", told)


def test_an_entry_that_comes_twice_is_told_and_loses_nobody(office: Office) -> None:
    """L6: which of both is right is not for us to say; whoever was delivered before stays as they are."""
    pages = [["ana", "bruno"]]

    def search(peer: Peer, request: Request) -> None:
        number = int(request.cookie or b"0")
        more = str(number + 1).encode() if number + 1 < len(pages) else b""
        peer.send(b"".join([person(request, uid) for uid in pages[number]]) + done(request.id, more))

    with serving(search) as fake:
        office.set(customers={"acme": {"sources": {"hr": None, "hq": hq(fake.url)}}})
        assert office.one(code=0)["people"]["created"] == 2
        pages[:] = [["ana", "bruno"], ["ana", "carlos"]]
        part = office.one(code=3)
    kept = {"read": 4, "created": 1, "unchanged": 1, "set_aside": 2, "gone": 0}
    assert part["people"].items() >= kept.items()
    told = [problem for problem in part["problems"] if problem["bucket"] == "set_aside"]
    assert {problem["key"] for problem in told} == {"NDD//ana"} and len(told) == 2
    assert f"uid=ana,{BASE} beside hq, uid=ana,{BASE}" in told[0]["where"]
    assert office.users().keys() == {"ndd//ana", "ndd//bruno", "ndd//carlos"}


# L10

MANY = [b"1.2.%d" % number for number in range(20_000)]
TRICKS: dict[str, dict[str, list[str | bytes]]] = {
    "a schema elsewhere": {"subschemaSubentry": ["cn=schema,dc=evil"], "schemaNamingContext": ["cn=evil"]},
    "what a terminal obeys": {"vendorName": ["\x1b[2J\x1b]0;evil\x07 389", "\u202eevil"]},
    "a long story": {"vendorName": ["x" * 1_000_000]},
    "no text": {"vendorName": [b"\xff\xfe\x00"], "namingContexts": [b"\xc3"], "objectClass": [b"\x80"]},
    "thousands of values": {"supportedControl": [*MANY, fakeldap.PAGED], "namingContexts": [*MANY]},
    "the same again": {"VENDORNAME": ["Other"], "vendorname": ["Another"], "": [""]},
    "contexts that are no names": {
        "namingContexts": ["=,=,+", "\\", "<GUID=>"],
        "defaultNamingContext": ["\0"],
    },
    "names of values": {"vendorName;lang-xx;binary": ["x"], "supportedControl;range=0-*": ["y"]},
    "attributes without values": {"vendorName": [], "namingContexts": [], "supportedCapabilities": []},
}


@pytest.mark.parametrize("trick", TRICKS)
def test_what_a_server_says_of_itself_is_only_shown(office: Office, trick: str) -> None:
    """L10: the schema is never asked for, nothing is formatted by it, and people are read as ever."""
    bases = set()

    def search(peer: Peer, request: Request) -> None:
        bases.add(request.base)
        peer.send(person(request, "ana") + done(request.id))

    with serving(search) as fake:
        fake.about = TRICKS[trick]
        office.set(customers={"acme": {"sources": {"hr": None, "hq": hq(fake.url)}}})
        finding = next(
            one for one in office.do("check", "--json").document["findings"] if "hq" in one["what"]
        )
        shown = office.do("check").out
        assert office.one(code=0)["people"]["created"] == 1
    assert finding["exit_code"] == 0 and len(finding["people"]) == 1
    assert bases == {BASE} and len(shown) < 5_000
    assert not [one for one in shown if one != "\n" and not one.isprintable()], ascii(shown)
