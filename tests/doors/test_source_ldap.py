"""The LDAP source against a directory that misbehaves: it ends whole, or with a SourceError, and in time."""

from __future__ import annotations

import random
import socket
import ssl
import threading
import time
import uuid
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests import fakeldap
from tests.fakeldap import Fake, Peer, Request, done, entry, serving
from tests.real.ldap import certificates
from tests.real.slapd import Tls

from rosterd.core.doors import Batch, Proof
from rosterd.core.people import ref_dn, ref_logon
from rosterd.errors import SourceError, Stopped
from rosterd.sources.ldap import LdapSource
from rosterd.sources.settings import LdapSettings

BASE = "dc=acme,dc=example"
CANARY = "canary-password-7"


class Kept:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def info(self, event: str, **fields: object) -> None:
        self.told.append(f"{event} {fields}")

    warning = info


def source(
    fake: Fake, *, people: tuple[str, ...] = ("uid", "mail"), groups: tuple[str, ...] = ("cn",), **more: Any
) -> LdapSource:
    """A source on a fake directory; `more` goes over the settings (`groups_` over its groups)."""
    told: dict[str, Any] = {
        "kind": "ldap",
        "urls": [fake.url],
        "base": BASE,
        "bind_dn": f"cn=reader,{BASE}",
        "bind_password": CANARY,
        "allow_cleartext": fake.url.startswith("ldap:"),
        "page_size": 10,
        "timeout": "5s",
        "people": {"logon": "{{ uid }}", "domain": "ACME"},
        "groups": {"name": "{{ cn }}"},
    }
    told |= more
    if "groups_" in told:
        told["groups"] = told.pop("groups_")
    if told["bind_dn"] is None or told.get("start_tls"):
        told["allow_cleartext"] = False
    checked = LdapSettings.model_validate(told)
    return LdapSource("hq", checked, people, groups, threading.Event(), Kept())


def read(opened: LdapSource) -> tuple[list[Batch], Proof]:
    feed = opened.people()
    try:
        return list(feed), feed.proof()
    finally:
        opened.close()


def read_groups(opened: LdapSource) -> list[Batch]:
    feed = opened.groups()
    assert feed is not None
    try:
        return list(feed)
    finally:
        opened.close()


def failing(search: fakeldap.Search, **more: Any) -> SourceError:
    """The error that reading people from such a server ends with."""
    with serving(search) as fake, pytest.raises(SourceError) as caught:
        read(source(fake, **more))
    error = caught.value
    assert error.exit_code == 5
    assert error.where.startswith("source hq, ldap://127.0.0.1:")
    assert error.hint
    assert CANARY not in f"{error}{error.hint}"
    return error


def person(request: Request, number: int) -> bytes:
    uid = f"p{number}"
    return entry(request.id, f"uid={uid},{BASE}", {"uid": [uid], "mail": [f"{uid}@acme.example"]})


def page(request: Request, number: int, cookie: bytes | None) -> bytes:
    people = b"".join([person(request, number * 10 + i) for i in range(10)])
    return people + done(request.id, cookie)


def three_pages(peer: Peer, request: Request) -> None:
    number = int(request.cookie or b"0")
    peer.send(page(request, number, str(number + 1).encode() if number < 2 else b""))


def test_a_read_of_three_pages_is_whole() -> None:
    with serving(three_pages) as fake:
        batches, proof = read(source(fake))
        assert [len(batch.rows) for batch in batches] == [10, 10, 10]
        assert batches[2].rows[0] == ["p20", "p20@acme.example"]
        assert batches[2].places[0] == f"uid=p20,{BASE}"
        assert proof == Proof(30, 3, f"{fake.url}, 3 pages, last cookie empty")
        assert (fake.connections, fake.binds) == (1, 1)


def test_people_and_groups_share_a_connection() -> None:
    with serving(three_pages) as fake:
        opened = source(fake)
        list(opened.people())
        read_groups(opened)
        assert (fake.connections, fake.binds) == (1, 1)


def test_no_entries_at_all_are_a_whole_read() -> None:
    with serving() as fake:
        assert read(source(fake)) == ([], Proof(0, 1, f"{fake.url}, 1 page, last cookie empty"))


def test_the_proof_is_there_only_after_the_end() -> None:
    with serving(three_pages) as fake:
        opened = source(fake)
        feed = opened.people()
        batches = iter(feed)
        next(batches)
        with pytest.raises(RuntimeError):
            feed.proof()
        assert len(list(batches)) == 2
        assert feed.proof().entries == 30
        opened.close()


# What makes a read incomplete


def dies(peer: Peer, request: Request) -> None:
    if request.cookie == b"":
        three_pages(peer, request)
    else:
        peer.send(page(request, 1, None)[:200])
        peer.socket.shutdown(2)


def test_the_server_dies_in_the_middle_of_a_page() -> None:
    """Row 36 and L5."""
    assert "closed the connection" in failing(dies).what


@pytest.mark.parametrize("code", [1, 3, 4, 11, 32, 50, 51, 52, 53, 80, 4242])
def test_a_page_that_ends_with_a_fault(code: int) -> None:
    def search(peer: Peer, request: Request) -> None:
        if request.cookie == b"":
            three_pages(peer, request)
        else:
            peer.send(person(request, 11) + done(request.id, b"", code, "so it is\x1b[31m"))

    error = failing(search)
    assert str(code) in error.what
    assert "so it is" in error.what
    assert "\x1b" not in error.what


def test_no_control_comes_back_from_a_server_that_pages() -> None:
    assert "no paging control" in failing(lambda peer, request: peer.send(page(request, 0, None))).what


@pytest.mark.parametrize("controls", [(fakeldap.PAGED,), ()])
def test_no_control_comes_back_on_the_second_page(controls: tuple[bytes, ...]) -> None:
    """Even when the server says by then that it cannot page."""

    def search(peer: Peer, request: Request) -> None:
        people = person(request, 1 if request.cookie == b"" else 2)
        peer.send(people + done(request.id, b"1" if request.cookie == b"" else None))

    with serving(search) as fake:
        fake.controls = controls
        with pytest.raises(SourceError, match="no paging control"):
            read(source(fake))


def test_a_page_larger_than_asked_for_is_cut_off() -> None:
    def search(peer: Peer, request: Request) -> None:
        peer.send(b"".join([person(request, n) for n in range(11)]) + done(request.id))

    assert "more than the 10 entries" in failing(search).what


@pytest.mark.parametrize(("entries", "whole"), [(9, True), (10, False), (11, False)])
def test_a_server_that_cannot_page(entries: int, whole: bool) -> None:
    def search(peer: Peer, request: Request) -> None:
        peer.send(b"".join([person(request, n) for n in range(entries)]) + done(request.id, None))

    with serving(search) as fake:
        fake.controls = ()
        opened = source(fake)
        if whole:
            batches, proof = read(opened)
            assert len(batches[0].rows) == proof.entries == entries
            assert "cannot page" in proof.detail
        else:
            with pytest.raises(SourceError, match=r"cannot page|entries asked for") as caught:
                read(opened)
            assert "page_size" in caught.value.hint


def test_a_cookie_that_comes_back_is_a_circle() -> None:
    """FAULTS.md row 43 and L6."""
    with serving(lambda peer, request: peer.send(page(request, 0, b"same"))) as fake:
        with pytest.raises(SourceError, match="same paging cookie twice"):
            read(source(fake))
        assert fake.searches <= 3


def test_an_older_cookie_that_comes_back_is_a_circle() -> None:
    def search(peer: Peer, request: Request) -> None:
        peer.send(page(request, 0, {b"": b"a", b"a": b"b", b"b": b"c", b"c": b"a"}[request.cookie or b""]))

    assert "same paging cookie twice" in failing(search).what


@pytest.mark.parametrize("vendor", ["389 Project", "Samba Team (https://www.samba.org)"])
def test_servers_known_to_repeat_their_cookie_may(vendor: str) -> None:
    pages = iter(range(3))

    def search(peer: Peer, request: Request) -> None:
        number = next(pages)
        peer.send(page(request, number, b"0" if number < 2 else b""))

    with serving(search) as fake:
        fake.vendor = vendor
        assert read(source(fake))[1].entries == 30


def endless(entries: int) -> fakeldap.Search:
    def search(peer: Peer, request: Request) -> None:
        number = int(request.cookie or b"0")
        people = b"".join([person(request, number * 10 + i) for i in range(entries)])
        peer.send(people + done(request.id, str(number + 1).encode()))

    return search


@pytest.mark.parametrize(
    ("entries", "limit", "words"),
    [
        (10, {"max_entries": 500}, "500 entries"),
        (10, {"max_bytes": 20_000}, "bytes allowed"),
        (10, {"deadline": "300ms", "max_entries": 1_000_000_000}, "deadline"),
        (0, {}, "empty pages"),
    ],
)
def test_endless_pages_end_at_a_cap(entries: int, limit: dict[str, Any], words: str) -> None:
    """L6."""
    assert words in failing(endless(entries), **limit).what


def test_references_are_not_followed() -> None:
    """L3: who is named hears nothing."""
    with serving() as other:

        def search(peer: Peer, request: Request) -> None:
            url = f"ldap://127.0.0.1:{other.port}/{BASE}"
            peer.send(person(request, 1) + fakeldap.reference(request.id, url, url) + done(request.id))

        error = failing(search)
        assert "2 references" in error.what
        assert str(other.port) in error.what
        assert other.connections == 0
        assert not other.plain


def test_a_referral_is_not_followed() -> None:
    """L3."""
    with serving() as other:
        error = failing(lambda peer, request: peer.send(fakeldap.referral(request.id, other.url)))
        assert "referral (10)" in error.what
        assert other.connections == 0


AD = ("CN=Configuration", "DC=DomainDnsZones", "DC=ForestDnsZones")


@pytest.mark.parametrize("flavor", ["active-directory", "openldap"])
def test_references_to_partitions_without_people_leave_nothing_out(flavor: str) -> None:
    def search(peer: Peer, request: Request) -> None:
        urls = [f"ldap://acme.example/{name},DC=acme,DC=example" for name in AD]
        peer.send(b"".join([fakeldap.reference(request.id, url) for url in urls]) + done(request.id))

    with serving(search) as fake:
        if flavor == "active-directory":
            proof = read(source(fake, flavor=flavor))[1]
            assert "3 references to partitions without people" in proof.detail
        else:
            with pytest.raises(SourceError, match="3 references"):
                read(source(fake, flavor=flavor))


def test_a_child_domain_of_active_directory_is_left_out_and_told() -> None:
    def search(peer: Peer, request: Request) -> None:
        url = "ldap://child.acme.example/DC=child,DC=acme,DC=example"
        peer.send(fakeldap.reference(request.id, url) + done(request.id))

    assert "child.acme.example" in failing(search, flavor="active-directory").what


# Servers that are slow, or speak no LDAP


def test_a_dripping_server_meets_the_deadline() -> None:
    """L9."""

    def search(peer: Peer, request: Request) -> None:
        for byte in page(request, 0, b""):
            if peer.fake.over.wait(0.05):
                return
            peer.send(bytes((byte,)))

    began = time.monotonic()
    assert "deadline" in failing(search, deadline="1s", timeout="600ms").what
    assert time.monotonic() - began < 3


def test_a_silent_server_meets_the_timeout() -> None:
    began = time.monotonic()
    assert "said nothing" in failing(lambda peer, request: None, timeout="300ms").what
    assert time.monotonic() - began < 2


def test_a_dripping_tls_handshake_meets_the_deadline() -> None:
    over = threading.Event()

    def drip() -> None:
        opened, _ = listener.accept()
        with opened, suppress(OSError):
            for byte in b"\x16\x03\x03\x40\x00" + bytes(500):
                if over.wait(0.05):
                    return
                opened.send(bytes((byte,)))

    with socket.create_server(("127.0.0.1", 0)) as listener, serving() as fake:
        dripping = threading.Thread(target=drip)
        dripping.start()
        url = f"ldaps://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(SourceError, match="deadline"):
            read(source(fake, urls=[url], allow_cleartext=False, deadline="1s"))
        assert time.monotonic() - began < 3
        over.set()
        dripping.join(5)


def test_stop_is_seen_while_waiting() -> None:
    with serving(lambda peer, request: None) as fake:
        opened = source(fake, timeout="30s")
        threading.Timer(0.2, opened._stop.set).start()
        began = time.monotonic()
        with pytest.raises(Stopped):
            read(opened)
        assert time.monotonic() - began < 2


GARBAGE = {
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(64),
    "indefinite length": b"\x30\x80\x02\x01\x01",
    "length of length": b"\x30\xff" + bytes(300),
    "huge length": b"\x30\x84\xff\xff\xff\xff",
    "very huge length": b"\x30\x88\x7f" + b"\xff" * 7,
    "empty message": b"\x30\x00",
    "no id": b"\x30\x02\x04\x00",
    "deep": b"\x30\x81\xc8" + b"\x30\x81\xc5" * 66 + b"\x30\x00",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_a_source_error(kind: str) -> None:
    def search(peer: Peer, request: Request) -> None:
        peer.send(GARBAGE[kind])
        peer.socket.shutdown(1)

    failing(search)


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_instead_of_a_bind_answer_is_a_source_error(kind: str) -> None:
    def talk(peer: Peer, _request: Request) -> bool:
        peer.send(GARBAGE[kind])
        return False

    with serving() as fake:
        fake.on_bind = talk
        with pytest.raises(SourceError):
            read(source(fake))


@pytest.mark.parametrize("kind", ["huge length", "very huge length"])
def test_a_huge_length_is_not_waited_for(kind: str) -> None:
    began = time.monotonic()
    assert "announced a message" in failing(lambda peer, request: peer.send(GARBAGE[kind])).what
    assert time.monotonic() - began < 3


def test_an_answer_to_another_request_is_a_source_error() -> None:
    error = failing(lambda peer, request: peer.send(done(request.id + 5)))
    assert "request 1006 was answered" in error.what


def test_an_answer_of_another_kind_is_a_source_error() -> None:
    operation = fakeldap.result(0x61, 0)
    error = failing(lambda peer, request: peer.send(fakeldap.message(request.id, operation)))
    assert "0x61" in error.what


def test_a_notice_of_disconnection_is_told() -> None:
    error = failing(lambda peer, request: peer.send(person(request, 1) + fakeldap.disconnection()))
    assert "unavailable (52): going down" in error.what


WHOLE = b"".join(
    [
        entry(1001, f"uid=a,{BASE}", {"uid": ["a"], "mail": ["a@x.example", "b@x.example"]}),
        entry(1001, f"cn=Smith\\2C John,{BASE}", {"uid": ["b" * 200], "memberOf": []}),
        fakeldap.message(1001, fakeldap.tlv(0x79, b"")),
        done(1001),
    ]
)


def mangled(chance: random.Random) -> bytes:
    """The answer with a few bytes changed, cut or doubled."""
    data = bytearray(WHOLE)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randint(1, 9)]
            case 2:
                data[at:at] = bytes([chance.randrange(256)]) * chance.randint(1, 9)
            case _:
                data[at] ^= 1 << chance.randrange(8)
    return bytes(data)


def test_mangled_answers_end_whole_or_as_source_errors() -> None:
    """L8: 600 answers that a fault or an enemy changed: nothing but SourceError leaves, nothing hangs."""
    chance = random.Random(20)

    def search(peer: Peer, request: Request) -> None:
        assert request.id == 1001
        peer.send(mangled(chance))
        peer.socket.shutdown(1)

    ends = {True: 0, False: 0}
    with serving(search) as fake:
        for _ in range(600):
            try:
                read(source(fake, bind_dn=None, bind_password=None))
                ends[True] += 1
            except SourceError:
                ends[False] += 1
    assert ends[True] > 30
    assert ends[False] > 150


# Passwords: where they go, and where they never go


def context(tls: Tls, *, old: bool = False) -> ssl.SSLContext:
    """A server's TLS; with `old` nothing newer than TLS 1.1."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(tls.certificate, tls.key)
    if old:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version = ssl.TLSVersion.TLSv1
            made.maximum_version = ssl.TLSVersion.TLSv1_1
        made.set_ciphers("ALL:@SECLEVEL=0")
    return made


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return certificates.make(tmp_path_factory.mktemp("good"))


def test_a_password_goes_under_start_tls_only(good: Tls) -> None:
    with serving(start_tls=context(good)) as fake:
        read(source(fake, start_tls=True, ca_file=str(good.authority)))
        assert fakeldap.START_TLS in fake.plain
        assert CANARY.encode() not in fake.plain
        assert b"cn=reader" not in fake.plain
        assert CANARY.encode() in fake.secured
        assert fake.binds == 1


def test_a_refused_start_tls_ends_before_the_bind() -> None:
    with serving() as fake:
        with pytest.raises(SourceError, match="StartTLS was refused"):
            read(source(fake, start_tls=True))
        assert fake.binds == 0
        assert CANARY.encode() not in fake.plain


def test_a_bind_answer_to_start_tls_is_no_agreement() -> None:
    """A success of another kind must not pass for TLS."""

    def answer(peer: Peer, request: Request) -> None:
        peer.send(fakeldap.message(request.id, fakeldap.result(0x61, 0)))

    with serving() as fake:
        fake.on_extended = answer
        with pytest.raises(SourceError):
            read(source(fake, start_tls=True))
        assert fake.binds == 0
        assert CANARY.encode() not in fake.plain


@pytest.mark.parametrize("start_tls", [False, True])
@pytest.mark.parametrize("kind", certificates.BAD)
def test_a_bad_certificate_gets_no_password(tmp_path: Path, kind: str, start_tls: bool) -> None:
    bad = certificates.make(tmp_path, kind)
    tls = context(bad)
    with serving(tls=None if start_tls else tls, start_tls=tls if start_tls else None) as fake:
        with pytest.raises(SourceError, match=certificates.BAD[kind]):
            read(source(fake, start_tls=start_tls, ca_file=str(bad.authority)))
        assert CANARY.encode() not in fake.plain + fake.secured
        assert fake.binds == 0


def test_an_old_tls_gets_no_password(good: Tls) -> None:
    """L2."""
    with serving(tls=context(good, old=True)) as fake:
        with pytest.raises(SourceError, match="TLS"):
            read(source(fake, ca_file=str(good.authority)))
        assert CANARY.encode() not in fake.plain + fake.secured


def test_nothing_in_clear_without_permission() -> None:
    """L1. The settings refuse this already; the source refuses it again, before it opens a connection."""
    with serving() as fake:
        told = source(fake)._settings
        for change in ({"allow_cleartext": False}, {"urls": (f"ldap://dc1.acme.example:{fake.port}",)}):
            opened = LdapSource("hq", told.model_copy(update=change), ["uid"], [], threading.Event(), Kept())
            with pytest.raises(SourceError, match="in clear"):
                read(opened)
        assert fake.connections == 0


@pytest.mark.parametrize("secret", [None, ""])
def test_an_empty_password_is_not_sent(secret: str | None) -> None:
    """L11: it would bind as nobody and pass for a success (RFC 4513, section 5.1.2)."""
    with serving() as fake:
        given_ = SecretStr(secret) if secret is not None else None
        told = source(fake)._settings.model_copy(update={"bind_password": given_})
        with pytest.raises(SourceError, match="password is empty"):
            read(LdapSource("hq", told, ["uid"], [], threading.Event(), Kept()))
        assert fake.connections == 0


def test_a_wrong_password_is_tried_once_in_a_run() -> None:
    with serving(bind=49) as first, serving(bind=49) as second:
        opened = source(first, urls=[first.url, second.url])
        for _ in range(2):
            with pytest.raises(SourceError, match="invalidCredentials") as caught:
                list(opened.people())
            assert "the password is wrong" in caught.value.hint
        with pytest.raises(SourceError):
            read_groups(opened)
        assert (first.binds, second.binds, second.connections) == (1, 0, 0)


@pytest.mark.parametrize("code", [51, 52])
def test_a_server_too_busy_to_bind_is_passed_over(code: int) -> None:
    with serving(bind=code) as busy, serving(three_pages) as idle:
        opened = source(busy, urls=[busy.url, idle.url])
        proof = read(opened)[1]
        assert proof.detail.startswith(idle.url)


def test_a_server_that_hangs_up_at_the_bind_is_passed_over() -> None:
    with serving() as gone, serving(three_pages) as there:
        gone.on_bind = lambda peer, request: False
        assert read(source(gone, urls=[gone.url, there.url]))[1].detail.startswith(there.url)


def test_a_server_that_drips_its_answer_to_the_bind_is_passed_over() -> None:
    def drip(peer: Peer, request: Request) -> bool:
        answer = fakeldap.message(request.id, fakeldap.result(0x61, 0, "x" * 100))
        for byte in answer:
            if peer.fake.over.wait(0.2):
                return False
            peer.send(bytes((byte,)))
        return True

    with serving() as slow, serving(three_pages) as there:
        slow.on_bind = drip
        detail = read(source(slow, urls=[slow.url, there.url], timeout="3s"))[1].detail
        assert detail.startswith(there.url)
        assert f"after {slow.url}: the server did not let us in within 3 s" in detail


def test_a_server_that_takes_its_leave_at_the_bind_is_passed_over() -> None:
    def leave(peer: Peer, _request: Request) -> bool:
        peer.send(fakeldap.disconnection())
        return True

    with serving() as leaving, serving(three_pages) as there:
        leaving.on_bind = leave
        detail = read(source(leaving, urls=[leaving.url, there.url]))[1].detail
        assert f"after {leaving.url}: the server ended the connection" in detail


def test_when_no_server_is_left_each_is_told() -> None:
    with serving(bind=51) as busy, pytest.raises(SourceError) as caught:
        read(source(busy, urls=["ldap://127.0.0.1:1", busy.url]))
    assert caught.value.where == "source hq"
    assert "ldap://127.0.0.1:1: connection refused" in caught.value.what
    assert "busy (51)" in caught.value.what


def test_an_anonymous_read_sends_no_name() -> None:
    with serving(three_pages) as fake:
        assert read(source(fake, bind_dn=None, bind_password=None))[1].entries == 30
        assert b"cn=reader" not in fake.plain


def test_a_failure_in_the_people_is_told_for_the_groups_too() -> None:
    with serving(dies) as fake:
        opened = source(fake)
        with pytest.raises(SourceError) as first:
            list(opened.people())
        with pytest.raises(SourceError) as second:
            read_groups(opened)
        assert str(first.value) == str(second.value)
        assert fake.connections == 1


# Entries and flavours


def answering(*entries: tuple[str, dict[str, list[bytes | str]]]) -> fakeldap.Search:
    def search(peer: Peer, request: Request) -> None:
        peer.send(
            b"".join([entry(request.id, dn, attributes) for dn, attributes in entries]) + done(request.id)
        )

    return search


def one(fake_entries: fakeldap.Search, **more: Any) -> tuple[Batch, Proof]:
    with serving(fake_entries) as fake:
        batches, proof = read(source(fake, **more))
        assert len(batches) == 1
        return batches[0], proof


def test_cells_follow_the_attributes_that_were_asked_for() -> None:
    search = answering(
        (
            f"UID=A,{BASE}",
            {"UID": ["A"], "Mail": ["b@x.example", "C@x.example", "a@x.example"], "other": ["x"]},
        ),
        (f"uid=b,{BASE}", {"mail": [], "uid;lang-en": ["no"]}),
    )
    batch, _ = one(search, people=("mail", "Uid", "MAIL"))
    mails = ("a@x.example", "b@x.example", "C@x.example")
    assert batch.rows == [[mails, "A", mails], ["", "", ""]]
    assert batch.dns == [f"uid=a,{BASE}", f"uid=b,{BASE}"]
    assert batch.ids == ["", ""]
    assert batch.disabled == ()
    named = ref_logon("hq", "a")  # as groups with memberUid do
    assert batch.refs == [f"{ref_dn(f'uid=a,{BASE}')}\0{named}", ref_dn(f"uid=b,{BASE}")]


def test_long_names_of_attributes_find_their_short_ones() -> None:
    batch, _ = one(
        answering((f"uid=a,{BASE}", {"sn": ["Silva"], "uid": ["a"]})), people=("surname", "userid")
    )
    assert batch.rows == [["Silva", "a"]]


GUID = uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")
SID = bytes.fromhex("01050000000000051500000001000000020000000300000050040000")


def test_active_directory() -> None:
    search = answering(
        (
            "CN=A,DC=acme,DC=example",
            {"objectGUID": [GUID.bytes_le], "userAccountControl": ["512"], "objectSid": [SID]},
        ),
        ("CN=B,DC=acme,DC=example", {"objectGUID": [GUID.bytes_le], "userAccountControl": ["66050"]}),
        ("CN=C,DC=acme,DC=example", {"objectGUID": [b"short"], "userAccountControl": ["none"]}),
    )
    batch, proof = one(search, flavor="active-directory", people=("objectGUID", "objectSid"))
    assert batch.ids == [str(GUID), str(GUID), ""]
    assert batch.disabled == [False, True, False]
    assert batch.rows[0] == [str(GUID), "S-1-5-21-1-2-3-1104"]
    assert all("CN=C" in told for told in proof.warnings)


@pytest.mark.parametrize(
    ("flavor", "id_", "state", "value", "disabled"),
    [
        ("openldap", "entryUUID", "pwdAccountLockedTime", "000001010000Z", True),
        ("389ds", "nsUniqueId", "nsAccountLock", "true", True),
        ("389ds", "nsUniqueId", "nsAccountLock", "FALSE", False),
        ("freeipa", "ipaUniqueID", "nsAccountLock", "TRUE", True),
    ],
)
def test_flavors(flavor: str, id_: str, state: str, value: str, disabled: bool) -> None:
    search = answering((f"uid=a,{BASE}", {id_.lower(): ["id-1"], state: [value]}), (f"uid=b,{BASE}", {}))
    batch, _ = one(search, flavor=flavor)
    assert batch.ids == ["id-1", ""]
    assert batch.disabled == [disabled, False]


def test_values_that_are_large_or_no_text() -> None:
    """L7."""
    long = "é" * 40_000
    search = answering(
        (f"uid=a,{BASE}", {"uid": [b"a\xff"], "mail": [long]}), (b"uid=\xff,".decode("latin-1") + BASE, {})
    )
    batch, proof = one(search)
    assert batch.rows[0] == ["a\N{REPLACEMENT CHARACTER}", "é" * 32_768]
    assert proof.warnings == (
        f"uid of uid=a,{BASE} is no valid UTF-8",
        f"mail of uid=a,{BASE} has 80,000 bytes and was cut at 65,536",
    )


def test_warnings_are_counted_beyond_the_first_few() -> None:
    search = answering((f"uid=a,{BASE}", {"mail": [bytes((0xFF, n)) for n in range(50)]}))
    _, proof = one(search)
    assert len(proof.warnings) == 21
    assert proof.warnings[-1] == "and 30 more warnings like these"


# Groups


def test_members_of_all_kinds() -> None:
    search = answering(
        (
            f"cn=g,{BASE}",
            {
                "cn": ["g"],
                "member": ["", f"CN=A, {BASE}", f"cn=a,{BASE}"],
                "uniqueMember": [f"uid=b,{BASE}#'01'B", f"uid=c,{BASE}"],
                "memberUid": ["João", "\0x"],
            },
        )
    )
    with serving(search) as fake:
        members = ["member", "uniqueMember", "memberUid"]
        (batch,) = read_groups(source(fake, groups_={"name": "{{ cn }}", "members": members}))
    dns = [ref_dn(f"{name},{BASE}") for name in ("cn=a", "uid=b", "uid=c")]
    assert batch.members == [(*dns, ref_logon("hq", "joão"), ref_logon("hq", "x"))]
    assert batch.rows == [["g"]]
    assert batch.refs == ()


def test_people_have_their_uids_where_groups_use_them() -> None:
    search = answering((f"uid=a,{BASE}", {"uid": ["a", "B"]}))
    with serving(search) as fake:
        batches, _ = read(source(fake, groups_={"name": "{{ cn }}", "members": ["memberUid"]}))
    assert batches[0].refs == [
        "\0".join([ref_dn(f"uid=a,{BASE}"), ref_logon("hq", "a"), ref_logon("hq", "b")])
    ]


def ranged(last: int, step: int, fault: Callable[[int], bytes] | None = None) -> fakeldap.Search:
    """A group whose members come `step` at a time, as Active Directory gives them."""

    def search(peer: Peer, request: Request) -> None:
        found = [text for text in request.attributes if text.startswith("member;range=")]
        start = int(found[0][13:].partition("-")[0]) if found else 0
        end = "*" if start + step > last else str(start + step - 1)
        values: list[bytes | str] = [f"uid=p{n},{BASE}" for n in range(start, min(start + step, last + 1))]
        name = f"member;range={start}-{end}"
        if fault and start:
            peer.send(fault(request.id))
        else:
            peer.send(
                entry(request.id, f"cn=g,{BASE}", {"cn": ["g"], "member": [], name: values})
                + done(request.id)
            )

    return search


def test_members_that_come_in_ranges_are_all_read() -> None:
    with serving(ranged(4_000, 1_500)) as fake:
        (batch,) = read_groups(source(fake))
        assert fake.searches == 3
    assert batch.members == [tuple(ref_dn(f"uid=p{n},{BASE}") for n in range(4_001))]


def test_ranges_are_fetched_between_two_pages() -> None:
    inner = ranged(20, 10)

    def search(peer: Peer, request: Request) -> None:
        if request.cookie == b"":
            members: list[bytes | str] = [f"uid=p{n},{BASE}" for n in range(10)]
            first = entry(request.id, f"cn=g,{BASE}", {"cn": ["g"], "member;range=0-9": members})
            peer.send(first + done(request.id, b"next"))
        elif request.cookie == b"next":
            peer.send(entry(request.id, f"cn=h,{BASE}", {"cn": ["h"]}) + done(request.id))
        else:
            inner(peer, request)

    with serving(search) as fake:
        first, second = read_groups(source(fake))
    assert first.members == [tuple(ref_dn(f"uid=p{n},{BASE}") for n in range(21))]
    assert second.rows == [["h"]]


@pytest.mark.parametrize(
    "fault",
    [
        lambda id_: done(id_, None, 32),
        lambda id_: done(id_, None),
        lambda id_: entry(id_, f"cn=g,{BASE}", {"member": []}) + done(id_, None),
        lambda id_: entry(id_, f"cn=g,{BASE}", {"member;range=0-1499": ["uid=x"]}) + done(id_, None),
        lambda id_: entry(id_, f"cn=g,{BASE}", {"member;range=1500-0": ["uid=x"]}) + done(id_, None),
    ],
)
def test_a_range_that_does_not_come_makes_the_read_incomplete(fault: Callable[[int], bytes]) -> None:
    with serving(ranged(4_000, 1_500, fault)) as fake, pytest.raises(SourceError) as caught:
        read_groups(source(fake))
    assert f"cn=g,{BASE}" in caught.value.what


def test_a_range_that_leads_nowhere_is_a_circle() -> None:
    def fault(id_: int) -> bytes:
        return entry(id_, f"cn=g,{BASE}", {"member;range=1500-1499": ["uid=x"]}) + done(id_, None)

    with serving(ranged(4_000, 1_500, fault)) as fake, pytest.raises(SourceError, match="same values again"):
        read_groups(source(fake, deadline="3s"))


def test_nested_groups_are_read_once_and_not_wanted() -> None:
    def search(peer: Peer, request: Request) -> None:
        names = ["wanted", "inner"] if b"\x04\x05group" in request.body else ["wanted"]
        groups = [entry(request.id, f"cn={name},{BASE}", {"cn": [name]}) for name in names]
        peer.send(b"".join(groups) + done(request.id))

    with serving(search) as fake:
        batches = read_groups(source(fake, groups_={"name": "{{ cn }}", "nested": True}))
    assert [(batch.rows, list(batch.wanted)) for batch in batches] == [
        ([["wanted"]], []),
        ([["inner"]], [False]),
    ]


def test_no_groups_in_the_settings_no_feed() -> None:
    with serving() as fake:
        assert source(fake, groups_=None).groups() is None


def test_close_may_come_first_and_twice() -> None:
    with serving() as fake:
        opened = source(fake)
        opened.close()
        opened.close()
        assert fake.connections == 0


def test_probe_of_a_server_that_says_little() -> None:
    with serving(lambda peer, request: peer.send(person(request, 1) + done(request.id, None, 4))) as fake:
        fake.controls = ()
        opened = source(fake)
        seen = opened.probe()
        opened.close()
    assert (seen.vendor, seen.pages, len(seen.people.rows)) == ("Acme Directory", False, 1)
