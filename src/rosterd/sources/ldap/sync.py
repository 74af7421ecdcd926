"""Content synchronization on the wire (RFC 4533): what is asked, and what the messages of an answer say. Pure.

An answer is entries with a Sync State control, Sync Info messages in between, and an end with a Sync Done control.
Whatever the bytes are, nothing but ValueError leaves here.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from rosterd.sources.ldap import ber

REQUEST = "1.3.6.1.4.1.4203.1.9.1.1"  # the controls and the message, RFC 4533, section 2
STATE = "1.3.6.1.4.1.4203.1.9.1.2"
DONE = "1.3.6.1.4.1.4203.1.9.1.3"
INFO = "1.3.6.1.4.1.4203.1.9.1.4"
REFRESH_REQUIRED = 4096  # e-syncRefreshRequired

PRESENT, ADD, MODIFY, DELETE = range(4)  # what an entry's state says
REFRESH_ONLY = 1

_BOOLEAN, _ENUMERATED = 0x01, 0x0A
_EXTENDED = 0x78
_CONTROLS = 0xA0
_NAME, _VALUE = 0x80, 0x81  # of an intermediate response (RFC 4511, section 4.13)
_NEW_COOKIE, _REFRESH_DELETE, _REFRESH_PRESENT, _ID_SET = 0x80, 0xA1, 0xA2, 0xA3
_UUID = 16  # bytes


class Entry(NamedTuple):
    """An entry that is there (PRESENT, ADD, MODIFY) or is no more (DELETE). `id`: its UUID, 16 bytes."""

    dn: str
    state: int
    id: bytes
    cookie: bytes | None


class Info(NamedTuple):
    """A message between the entries. `ids`: the UUIDs of entries that are there, or with `deletes` are no more."""

    cookie: bytes | None
    ids: tuple[bytes, ...] = ()
    deletes: bool = False


class End(NamedTuple):
    """The end of an answer. `whole`: it had a Sync Done control; `deletes`: what is gone was named, one by one.

    Without `deletes` whatever the answer did not name is gone (RFC 4533, section 3.3.1).
    """

    code: int
    message: str
    whole: bool
    cookie: bytes | None
    deletes: bool


class Elsewhere(NamedTuple):
    """A search reference: a part of the answer lies on another server."""

    urls: tuple[str, ...]


class Notice(NamedTuple):
    """The server ends the connection."""

    code: int
    message: str


Message: TypeAlias = "Entry | Info | End | Elsewhere | Notice"


def asked(cookie: bytes) -> bytes:
    """The controls of a request: what has changed since the cookie, or everything when it is empty."""
    value = ber.tlv(_ENUMERATED, bytes((REFRESH_ONLY,))) + (ber.tlv(ber.OCTETS, cookie) if cookie else b"")
    control = (
        ber.tlv(ber.OCTETS, REQUEST.encode())
        + ber.tlv(_BOOLEAN, b"\xff")
        + ber.tlv(ber.OCTETS, ber.tlv(ber.SEQUENCE, value))
    )
    return ber.tlv(_CONTROLS, ber.tlv(ber.SEQUENCE, control))


def understood(message: bytes, message_id: int) -> Message:
    """What a message of the answer to this request says; ValueError when it is none."""
    try:
        return _understood(message, message_id)
    except IndexError as error:
        raise ValueError("a message is cut off") from error


def _understood(message: bytes, message_id: int) -> Message:
    at, end = ber.expect(message, 0, len(message), ber.SEQUENCE)
    first, at = ber.expect(message, at, end, ber.INTEGER)
    found = ber.number(message, first, at)
    tag, start, at = ber.header(message, at, end)
    if found == 0 and tag == _EXTENDED:
        return Notice(*result(message, start, at))
    if found != message_id:
        raise ValueError(f"request {found} was answered where {message_id} was asked")
    found_controls = controls(message, at, end)
    match tag:
        case 0x64:  # SearchResultEntry
            return _entry(message, start, at, found_controls)
        case 0x79:  # IntermediateResponse
            return _info(message, start, at)
        case 0x65:  # SearchResultDone
            return _end(message, start, at, found_controls)
        case 0x73:  # SearchResultReference
            urls = ber.children(message, start, at)
            return Elsewhere(tuple(_text(message[first:last]) for _, first, last in urls))
        case _:
            raise ValueError(f"a message of kind {tag:#04x} stands in a search's answer")


def controls(message: bytes, at: int, end: int) -> dict[str, bytes]:
    """The values of the controls after an operation, by their type."""
    found: dict[str, bytes] = {}
    if at == end:
        return found
    start, stop = ber.expect(message, at, end, _CONTROLS)
    for _, first, last in ber.children(message, start, stop):
        parts = ber.children(message, first, last)
        if not parts or parts[0][0] != ber.OCTETS:
            raise ValueError("a control has no type")
        value = message[parts[-1][1] : parts[-1][2]] if len(parts) > 1 and parts[-1][0] == ber.OCTETS else b""
        found[_text(message[parts[0][1] : parts[0][2]])] = value
    return found


def _entry(message: bytes, start: int, end: int, beside: dict[str, bytes]) -> Entry:
    """A Sync State Value (RFC 4533, section 2.3) and the name of its entry."""
    first, last = ber.expect(message, start, end, ber.OCTETS)
    dn = _text(message[first:last])
    value = beside.get(STATE)
    if value is None:
        raise ValueError("an entry came without its state")
    at, stop = ber.expect(value, 0, len(value), ber.SEQUENCE)
    first, at = ber.expect(value, at, stop, _ENUMERATED)
    state = ber.number(value, first, at)
    if state not in (PRESENT, ADD, MODIFY, DELETE):
        raise ValueError(f"an entry has the state {state}")
    first, at = ber.expect(value, at, stop, ber.OCTETS)
    return Entry(dn, state, _uuid(value[first:at]), _cookie(value, at, stop)[0])


def _info(message: bytes, start: int, end: int) -> Info:
    """A Sync Info Value (RFC 4533, section 2.5); another intermediate message says nothing to us."""
    name, value = b"", b""
    for tag, first, last in ber.children(message, start, end):
        if tag == _NAME:
            name = message[first:last]
        elif tag == _VALUE:
            value = message[first:last]
    if name != INFO.encode():
        return Info(None)
    tag, at, stop = ber.header(value, 0, len(value))
    if tag == _NEW_COOKIE:
        return Info(value[at:stop])
    cookie, at = _cookie(value, at, stop)
    if tag in (_REFRESH_DELETE, _REFRESH_PRESENT):
        _flag(value, at, stop, default=True)
        return Info(cookie)
    if tag != _ID_SET:
        raise ValueError(f"a message of synchronization has the kind {tag:#04x}")
    deletes, at = _flag(value, at, stop, default=False)
    first, last = ber.expect(value, at, stop, ber.SET)
    ids = ber.children(value, first, last)
    if any(tag != ber.OCTETS for tag, _, _ in ids):
        raise ValueError("a set of entries holds something else")
    return Info(cookie, tuple(_uuid(value[first:last]) for _, first, last in ids), deletes)


def _end(message: bytes, start: int, end: int, beside: dict[str, bytes]) -> End:
    """A Sync Done Value (RFC 4533, section 2.4) beside the result."""
    code, said = result(message, start, end)
    value = beside.get(DONE)
    if value is None:
        return End(code, said, False, None, False)
    at, stop = ber.expect(value, 0, len(value), ber.SEQUENCE)
    cookie, at = _cookie(value, at, stop)
    return End(code, said, True, cookie, _flag(value, at, stop, default=False)[0])


def result(message: bytes, start: int, end: int) -> tuple[int, str]:
    """Code and text of an LDAPResult (RFC 4511, section 4.1.9)."""
    first, at = ber.expect(message, start, end, _ENUMERATED)
    code = ber.number(message, first, at)
    _, at = ber.expect(message, at, end, ber.OCTETS)  # matchedDN
    first, at = ber.expect(message, at, end, ber.OCTETS)
    return code, _text(message[first:at])


def _cookie(value: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    """An optional cookie, and where the next element begins."""
    if at < end and value[at] == ber.OCTETS:
        first, last = ber.expect(value, at, end, ber.OCTETS)
        return value[first:last], last
    return None, at


def _flag(value: bytes, at: int, end: int, *, default: bool) -> tuple[bool, int]:
    """An optional truth value, and where the next element begins."""
    if at < end and value[at] == _BOOLEAN:
        first, last = ber.expect(value, at, end, _BOOLEAN)
        return ber.number(value, first, last) != 0, last
    return default, at


def _uuid(value: bytes) -> bytes:
    if len(value) != _UUID:
        raise ValueError(f"an entry's UUID has {len(value)} bytes")
    return value


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
