"""Content synchronization on the wire (RFC 4533): every message that a server may send, and whatever else may come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd.sources.ldap import sync
from rosterd.sources.ldap.ber import integer, tlv

ONE, TWO = bytes(range(16)), bytes(range(16, 32))
COOKIE = b"rid=000,csn=20261126120000.000000Z#000000#000#000000"


def message(tag: int, content: bytes, *controls: tuple[str, bytes], id_: int = 7) -> bytes:
    """A message with its operation and controls."""
    coded = b"".join(
        tlv(0x30, tlv(4, kind.encode()) + tlv(1, b"\xff") + tlv(4, value)) for kind, value in controls
    )
    return tlv(0x30, integer(id_) + tlv(tag, content) + (tlv(0xA0, coded) if controls else b""))


def entry(state: int, dn: str = "uid=anna,dc=acme", id_: bytes = ONE, cookie: bytes = b"") -> bytes:
    value = tlv(0x0A, bytes((state,))) + tlv(4, id_) + (tlv(4, cookie) if cookie else b"")
    return message(0x64, tlv(4, dn.encode()) + tlv(0x30, b""), (sync.STATE, tlv(0x30, value)))


def end(code: int = 0, cookie: bytes = b"", deletes: bytes = b"", *, bare: bool = False) -> bytes:
    value = (tlv(4, cookie) if cookie else b"") + (tlv(1, deletes) if deletes else b"")
    result = tlv(0x0A, bytes((code,))) + tlv(4, b"") + tlv(4, b"said")
    return message(0x65, result, *([] if bare else [(sync.DONE, tlv(0x30, value))]))


def info(value: bytes, name: str = sync.INFO) -> bytes:
    return message(0x79, tlv(0x80, name.encode()) + tlv(0x81, value))


def test_a_request_says_refresh_only_and_carries_the_cookie_and_is_critical() -> None:
    assert sync.asked(b"c").hex() == (
        "a029" "3027" "0418" + sync.REQUEST.encode().hex() + "0101ff" "0408" "3006" "0a0101" "040163"
    )  # fmt: skip
    assert sync.asked(b"").endswith(bytes.fromhex("040530030a0101"))


@pytest.mark.parametrize("state", [sync.PRESENT, sync.ADD, sync.MODIFY, sync.DELETE])
def test_an_entry_has_its_state_and_its_id(state: int) -> None:
    found = sync.understood(entry(state, "uid=zoë,dc=acme", TWO, COOKIE), 7)
    assert found == sync.Entry("uid=zoë,dc=acme", state, TWO, COOKIE)
    assert sync.understood(entry(state), 7) == sync.Entry("uid=anna,dc=acme", state, ONE, None)


def test_the_messages_in_between() -> None:
    ids = tlv(0x31, tlv(4, ONE) + tlv(4, TWO))
    for value, meant in (
        (tlv(0x80, COOKIE), sync.Info(COOKIE)),
        (tlv(0xA1, tlv(4, COOKIE)), sync.Info(COOKIE)),
        (tlv(0xA2, tlv(1, b"\0")), sync.Info(None)),
        (tlv(0xA3, ids), sync.Info(None, (ONE, TWO))),
        (tlv(0xA3, tlv(4, COOKIE) + tlv(1, b"\xff") + ids), sync.Info(COOKIE, (ONE, TWO), deletes=True)),
        (tlv(0xA3, tlv(0x31, b"")), sync.Info(None)),
    ):
        assert sync.understood(info(value), 7) == meant
    assert sync.understood(info(b"anything", "1.2.3"), 7) == sync.Info(None)


def test_the_end_and_its_proof() -> None:
    assert sync.understood(end(0, COOKIE, b"\xff"), 7) == sync.End(0, "said", True, COOKIE, True)
    assert sync.understood(end(0, COOKIE), 7) == sync.End(0, "said", True, COOKIE, False)
    assert sync.understood(end(bare=True), 7) == sync.End(0, "said", False, None, False)


def test_a_reference_and_a_notice() -> None:
    elsewhere = message(0x73, tlv(4, b"ldap://other/") + tlv(4, b"ldap://third/"))
    assert sync.understood(elsewhere, 7) == sync.Elsewhere(("ldap://other/", "ldap://third/"))
    notice = message(0x78, tlv(0x0A, b"\x34") + tlv(4, b"") + tlv(4, b"bye"), id_=0)
    assert sync.understood(notice, 7) == sync.Notice(52, "bye")


@pytest.mark.parametrize("whole", [entry(sync.ADD), info(tlv(0x80, COOKIE)), end(0, COOKIE)])
def test_the_answer_to_something_else_is_none(whole: bytes) -> None:
    sync.understood(whole, 7)
    with pytest.raises(ValueError, match="request 7 was answered where 8 was asked"):
        sync.understood(whole, 8)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(message(0x64, tlv(4, b"uid=anna") + tlv(0x30, b"")), id="an entry without a state"),
        pytest.param(entry(4), id="a state that there is not"),
        pytest.param(entry(sync.ADD, id_=b"short"), id="an id that is too short"),
        pytest.param(info(tlv(0xA3, tlv(0x31, tlv(4, b"short")))), id="an id in a set that is too short"),
        pytest.param(info(tlv(0xA3, tlv(0x31, tlv(2, ONE)))), id="a set of something else"),
        pytest.param(info(tlv(0xA4, b"")), id="a kind of message that there is not"),
        pytest.param(message(0x6F, b""), id="another operation"),
        pytest.param(message(0x65, tlv(0x0A, b"") + tlv(4, b"") + tlv(4, b"")), id="a result without a code"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_no_answer_is_a_value_error(wrong: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        sync.understood(wrong, 7)


WHOLE = [entry(sync.ADD, cookie=COOKIE), info(tlv(0xA3, tlv(0x31, tlv(4, ONE)))), end(0, COOKIE, b"\xff")]


@given(st.sampled_from(WHOLE), st.integers(0), st.integers(0, 255), st.integers(0, 400))
def test_nothing_else_leaves_however_a_message_is_damaged(whole: bytes, at: int, byte: int, cut: int) -> None:
    damaged = bytearray(whole)
    damaged[at % len(damaged)] = byte
    try:
        found = sync.understood(bytes(damaged)[: max(cut, 1)], 7)
    except ValueError:
        return
    assert isinstance(found, sync.Entry | sync.Info | sync.End | sync.Elsewhere | sync.Notice)


@given(st.binary(max_size=200))
def test_nothing_else_leaves_whatever_the_bytes_are(garbage: bytes) -> None:
    for name in (garbage, message(0x79, tlv(0x80, sync.INFO.encode()) + tlv(0x81, garbage))):
        try:
            sync.understood(name, 7)
        except ValueError:
            continue
