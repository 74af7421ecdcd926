"""Both readers of pages, ours and ldap3's, on a directory that misbehaves; and what only ours must see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests import fakeldap
from tests.doors.test_source_ldap import (
    BASE,
    GARBAGE,
    Kept,
    dies,
    endless,
    failing,
    page,
    person,
    ranged,
    read,
    read_groups,
    source,
    three_pages,
)
from tests.fakeldap import Peer, Request, done, entry, message, serving, tlv

from rosterd.core.people import ref_dn
from rosterd.sources.ldap import LdapSource, relayed, session
from rosterd.sources.ldap.connect import connect

READERS = ["own", "ldap3"]


@pytest.mark.parametrize("reader", READERS)
def test_three_pages_are_whole(reader: str) -> None:
    with serving(three_pages) as fake:
        batches, proof = read(source(fake, reader=reader))
    assert [len(batch.rows) for batch in batches] == [10, 10, 10]
    assert batches[2].rows[0] == ["p20", "p20@acme.example"]
    assert (proof.entries, proof.pages) == (30, 3)


@pytest.mark.parametrize("reader", READERS)
def test_ranges_are_fetched(reader: str) -> None:
    with serving(ranged(4_000, 1_500)) as fake:
        (batch,) = read_groups(source(fake, reader=reader))
    assert batch.members == [tuple(ref_dn(f"uid=p{n},{BASE}") for n in range(4_001))]


def same_cookie(peer: Peer, request: Request) -> None:
    peer.send(page(request, 0, b"same"))


def too_many(peer: Peer, request: Request) -> None:
    peer.send(b"".join([person(request, n) for n in range(11)]) + done(request.id))


def reference(peer: Peer, request: Request) -> None:
    peer.send(fakeldap.reference(request.id, f"ldap://other/{BASE}") + done(request.id))


def disconnected(peer: Peer, request: Request) -> None:
    peer.send(person(request, 1) + fakeldap.disconnection())


def other_id(peer: Peer, request: Request) -> None:
    peer.send(done(request.id + 5))


def limited(peer: Peer, request: Request) -> None:
    peer.send(person(request, 1) + done(request.id, b"", 4))


def unpaged(peer: Peer, request: Request) -> None:
    peer.send(page(request, 0, None))


def dripping(peer: Peer, request: Request) -> None:
    for byte in page(request, 0, b""):
        if peer.fake.over.wait(0.05):
            return
        peer.send(bytes((byte,)))


FAULTS: dict[str, tuple[fakeldap.Search, dict[str, Any], str]] = {
    "dies": (dies, {}, "closed the connection"),
    "same cookie": (same_cookie, {}, "same paging cookie"),
    "too many": (too_many, {}, "more than the 10 entries"),
    "reference": (reference, {}, "references to other servers"),
    "referral": (
        lambda peer, request: peer.send(fakeldap.referral(request.id, "ldap://other")),
        {},
        "referral (10)",
    ),
    "disconnected": (disconnected, {}, ""),
    "other id": (other_id, {}, ""),
    "limited": (limited, {}, "sizeLimitExceeded (4)"),
    "unpaged": (unpaged, {}, "no paging control"),
    "dripping": (dripping, {"deadline": "1s", "timeout": "600ms"}, "deadline"),
    "silent": (lambda peer, request: None, {"timeout": "300ms"}, "said nothing"),
    "endless bytes": (endless(10), {"max_bytes": 20_000}, "bytes allowed"),
    "endless entries": (endless(10), {"max_entries": 500}, "500 entries"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_end_as_source_errors_in_time(fault: str, reader: str) -> None:
    search, more, words = FAULTS[fault]
    began = time.monotonic()
    assert words in failing(search, reader=reader, **more).what
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_a_source_error_for_ldap3_too(kind: str) -> None:
    def search(peer: Peer, request: Request) -> None:
        peer.send(GARBAGE[kind])
        peer.socket.shutdown(1)

    failing(search, reader="ldap3")


def test_a_bind_with_a_layer_around_what_follows_is_left_to_ldap3() -> None:
    with serving(three_pages) as fake:
        told = source(fake)._settings
        opened = connect(
            "hq", told, LdapSource("hq", told, (), (), threading.Event(), Kept())._budget(), Kept()
        )
        assert type(opened) is session.Session
        opened.close()

    class Layered:
        """A connection as ldap3 leaves it after a DIGEST-MD5 bind that signs."""

        _digest_md5_kic = b"key"

    assert relayed.wrapped(Layered())
    assert not relayed.wrapped(object())


# What stands in a message


def bad_code(content: bytes) -> fakeldap.Search:
    """The end of a search with this as its result code."""
    result = tlv(0x65, tlv(10, content), tlv(4), tlv(4))
    control = tlv(0xA0, tlv(0x30, tlv(4, fakeldap.PAGED), tlv(4, tlv(0x30, tlv(2, b"\0"), tlv(4)))))
    return lambda peer, request: peer.send(person(request, 1) + message(request.id, result, control))


def test_a_result_code_of_several_bytes_is_read_whole() -> None:
    """256 must not pass for 0, nor a code without a byte."""
    assert "result code 256" in failing(bad_code(b"\1\0")).what
    assert "cannot be understood" in failing(bad_code(b"")).what


@pytest.mark.parametrize("width", [1, 2, 3, 4, 8])
def test_every_form_of_lengths_is_understood(width: int) -> None:
    """BER allows more bytes for a length than it needs (X.690, section 8.1.3.5)."""

    def long(tag: int, *parts: bytes) -> bytes:
        content = b"".join(parts)
        return bytes((tag, 0x80 | width)) + len(content).to_bytes(width, "big") + content

    def search(peer: Peer, request: Request) -> None:
        number = fakeldap.number(request.id)
        for n in range(5):
            uid, value = long(4, b"uid"), long(0x31, long(4, b"p%d" % n))
            entries = long(0x64, long(4, b"uid=p%d" % n), long(0x30, long(0x30, uid, value)))
            peer.send(long(0x30, number, entries))
        peer.send(done(request.id))

    with serving(search) as fake:
        (batch,), _ = read(source(fake))
    assert batch.rows == [[f"p{n}", ""] for n in range(5)]


def test_an_entry_with_controls_is_read() -> None:
    """Behind an entry may stand controls (RFC 4511, section 4.1.11), also behind one of the usual size."""
    control = tlv(0xA0, tlv(0x30, tlv(4, b"1.2.3")))

    def search(peer: Peer, request: Request) -> None:
        for n in range(4):
            whole = person(request, n)
            body = whole[whole.index(b"\x64") :]
            peer.send(message(request.id, body, control if n % 2 else b""))
        peer.send(done(request.id))

    with serving(search) as fake:
        (batch,), _ = read(source(fake))
    assert [row[0] for row in batch.rows] == ["p0", "p1", "p2", "p3"]


def test_an_entry_of_another_search_in_the_middle_is_a_source_error() -> None:
    """The same size, the same layout, another message id."""

    def search(peer: Peer, request: Request) -> None:
        stranger = request._replace(id=request.id + 1)
        peer.send(person(request, 1) + person(request, 2) + person(stranger, 3) + done(request.id))

    assert "was answered where" in failing(search).what


def cut_entry(at: int) -> Callable[[Request], bytes]:
    """An entry whose length says less than its attributes need."""

    def cut(request: Request) -> bytes:
        whole = bytearray(person(request, 3))
        whole[at] -= 1
        return bytes(whole)

    return cut


@pytest.mark.parametrize("at", [1, 6])
def test_an_entry_that_leaves_its_message_is_a_source_error(at: int) -> None:
    def search(peer: Peer, request: Request) -> None:
        assert person(request, 1)[0:1] == b"\x30"
        peer.send(person(request, 1) + person(request, 2) + cut_entry(at)(request) + done(request.id))
        peer.socket.shutdown(1)

    failing(search)


def test_a_page_has_a_limit_of_its_own() -> None:
    """A page is held whole until its end, so that is bounded, whatever `max_bytes` says."""
    part = entry(1001, f"uid=a,{BASE}", {"description": [b"x" * (1 << 20)]}) * 8

    def search(peer: Peer, request: Request) -> None:
        while not peer.fake.over.is_set():
            peer.send(part)

    assert (
        "in one page"
        in failing(search, page_size=100_000, bind_dn=None, bind_password=None, timeout="20s").what
    )
