"""A bound connection: searches go out, whole answers come in, everything checked and within the budget."""

from __future__ import annotations

from typing import Any, NamedTuple

from rosterd.errors import SourceError
from rosterd.sources.ldap import ber
from rosterd.sources.ldap.line import Budget, Line
from rosterd.sources.ldap.results import SUCCESS, failure, printable

PAGED_RESULTS = "1.2.840.113556.1.4.319"  # RFC 2696
RECEIVE = 1 << 16  # bytes asked for at a time
LARGEST = 64 << 20  # bytes of one message: a group of half a million members fits
LARGEST_PAGE = 256 << 20  # bytes of one page: more than its entries ever have, unless someone means harm

_ENTRY = 0x64
_DONE = 0x65
_REFERENCE = 0x73
_EXTENDED = 0x78
_INTERMEDIATE = 0x79
_CONTROLS = 0xA0
_REFERRAL = 0xA3


class Search(bytes):
    """A search request as it is sent, and as ldap3 knows it."""

    request: Any

    def __new__(cls, encoded: bytes, request: Any) -> Search:
        made = super().__new__(cls, encoded)
        made.request = request
        return made


class Done(NamedTuple):
    """The end of a search. `cookie` is None when the paging control did not come back."""

    code: int
    message: str
    referrals: tuple[str, ...]
    cookie: bytes | None


class Answer(NamedTuple):
    """One search's answer: entries as (all bytes of it, start, end of the entry in them), references, the end."""

    entries: list[tuple[bytes, int, int]]
    references: list[str]
    done: Done


def paged(size: int, cookie: bytes) -> bytes:
    """The controls of a request for one page (RFC 2696), not critical."""
    value = ber.tlv(ber.SEQUENCE, ber.integer(size) + ber.tlv(ber.OCTETS, cookie))
    control = ber.tlv(ber.OCTETS, PAGED_RESULTS.encode()) + ber.tlv(ber.OCTETS, value)
    return ber.tlv(_CONTROLS, ber.tlv(ber.SEQUENCE, control))


class Session:
    """One connection after its bind. `url` is the server that answered."""

    def __init__(self, url: str, line: Line) -> None:
        self.url = url
        self.line = line
        self.passed_over: tuple[str, ...] = ()  # servers before this one, and why they were not used
        self._buffer = bytearray()
        self._at = 0
        # ldap3 numbers its own few messages from 1, so these never meet.
        self._last_id = 1000

    @property
    def budget(self) -> Budget:
        return self.line.budget

    def ask(self, search: Search, controls: bytes = b"") -> int:
        """Sends a compiled search and returns its message id."""
        self._last_id += 1
        self.line.sendall(ber.tlv(ber.SEQUENCE, ber.integer(self._last_id) + search + controls))
        return self._last_id

    def collect(self, message_id: int, most: int) -> Answer:
        """The answer to one search; SourceError for more than `most` entries, ValueError for garbage."""
        found = _Found(message_id, most)
        while not self._walk(found):
            if len(self._buffer) > LARGEST_PAGE:
                raise SourceError(
                    f"the server sent more than {LARGEST_PAGE:,} bytes in one page",
                    hint="lower `page_size` of this source",
                )
            self._buffer += self.line.recv(RECEIVE)
        data = bytes(memoryview(self._buffer)[: self._at])
        del self._buffer[: self._at]
        self._at = 0
        assert found.done  # the walk has ended
        return Answer([(data, start, end) for start, end in found.places], found.references, found.done)

    def message(self) -> bytes:
        """The next whole message of whatever was asked, not looked into."""
        buffer = self._buffer
        while True:
            at = self._at
            size = self._announced(at) if at + 2 <= len(buffer) else 0
            if size and at + size <= len(buffer):
                self._at = at + size
                return bytes(memoryview(buffer)[at : self._at])
            del buffer[:at]
            self._at = 0
            buffer += self.line.recv(RECEIVE)

    def _walk(self, found: _Found) -> bool:
        """Goes through the messages that are there whole; true when the search's end is among them."""
        buffer, at, heads = self._buffer, self._at, found.heads
        have = len(buffer)
        while at + 2 <= have:
            # Most entries have a length of one byte or two.
            if (form := buffer[at + 1]) == 0x82 and at + 4 <= have:
                size = (buffer[at + 2] << 8 | buffer[at + 3]) + 4
            elif form == 0x81 and at + 3 <= have:
                size = buffer[at + 2] + 3
            else:
                size = self._announced(at)
            after = at + size
            if after > have or not size:
                break
            head = heads.get(size)
            if head is not None and buffer.startswith(head, at):
                found.places.append((at + len(head), after))
            else:
                found.add(bytes(memoryview(buffer)[at:after]), at)
            at = self._at = after
            if found.done:
                break
        forbid_more(len(found.places), found.most)
        return found.done is not None

    def small(self, search: Search, most: int, doing: str) -> list[tuple[bytes, int, int]]:
        """The entries of a search that needs no paging; SourceError unless it succeeds."""
        answer = self.collect(self.ask(search), most)
        if answer.done.code != SUCCESS:
            raise failure(doing, answer.done.code, answer.done.message)
        return answer.entries

    def close(self) -> None:
        """Says good-bye (unbind) if that goes at once, and closes."""
        try:
            self.line.socket.settimeout(0.2)
            self.line.socket.sendall(ber.tlv(ber.SEQUENCE, ber.integer(self._last_id + 1) + b"\x42\x00"))
        except (OSError, ValueError):
            pass  # the server is gone already, which is what closing wants
        finally:
            self.line.close()

    def _announced(self, at: int) -> int:
        """Bytes of the message that begins there in the buffer, 0 while too few of them have come to tell."""
        buffer = self._buffer
        if buffer[at] != ber.SEQUENCE:
            raise ValueError("this is not LDAP")
        size = buffer[at + 1]
        if size < 0x80:
            return size + 2
        width = size & 0x7F
        if not 1 <= width <= 8:
            raise ValueError("a message has no valid length")
        if len(buffer) - at < 2 + width:
            return 0
        size = int.from_bytes(buffer[at + 2 : at + 2 + width], "big")
        if size > min(LARGEST, self.budget.bytes_left + len(buffer)):
            raise SourceError(
                f"the server announced a message of {size:,} bytes",
                hint="raise `max_bytes` of this source if the directory really holds entries that large",
            )
        return size + 2 + width


def forbid_more(entries: int, most: int) -> None:
    """SourceError when a page has more entries than were asked for."""
    if entries > most:
        raise SourceError(
            f"the server sent more than the {most:,} entries asked for in one page",
            hint="it cannot page: set `page_size` above the number of entries",
        )


class _Found:
    """What has come of one search's answer. `places`: first byte and end of each entry, in the buffer.

    heads: what stands before an entry, by the size of its message: learned from one, then compared in one step.
    """

    def __init__(self, message_id: int, most: int) -> None:
        self.message_id = message_id
        self.most = most
        self.places: list[tuple[int, int]] = []
        self.references: list[str] = []
        self.done: Done | None = None
        self.heads: dict[int, bytes] = {}

    def add(self, message: bytes, at: int) -> None:
        """Takes in a message that stands at this byte of the buffer; ValueError when it does not belong here."""
        tag, start, end = _operation(message, self.message_id)
        if tag == _ENTRY:
            self.places.append((at + start, at + end))
            if end == len(message):
                self.heads[len(message)] = message[:start]
        elif tag == _DONE:
            self.done = _done(message, start, end)
        elif tag == _REFERENCE:
            self.references += [
                _text(message, first, last) for _, first, last in ber.children(message, start, end)
            ]
        elif tag != _INTERMEDIATE:
            raise ValueError(f"a message of kind {tag:#04x} stands in a search's answer")


def _operation(message: bytes, message_id: int) -> tuple[int, int, int]:
    """The operation in a message with this id; SourceError for a Notice of Disconnection, else ValueError."""
    _, at, end = ber.header(message, 0, len(message))
    start, at = ber.expect(message, at, end, ber.INTEGER)
    found = ber.number(message, start, at)
    tag, start, end = ber.header(message, at, end)
    if found == 0 and tag == _EXTENDED:
        done = _done(message, start, end)
        raise failure("the server ended the connection", done.code, done.message)
    if found != message_id:
        raise ValueError(f"request {found} was answered where {message_id} was asked")
    return tag, start, end


def _done(message: bytes, start: int, end: int) -> Done:
    """An LDAPResult (RFC 4511, section 4.1.9) with the paging control of the message around it."""
    first, at = ber.expect(message, start, end, 0x0A)
    code = ber.number(message, first, at)
    _, at = ber.expect(message, at, end, ber.OCTETS)  # matchedDN
    first, at = ber.expect(message, at, end, ber.OCTETS)
    text = _text(message, first, at)
    referrals: list[str] = []
    for tag, first, last in ber.children(message, at, end):
        if tag == _REFERRAL:
            referrals += [_text(message, at, to) for _, at, to in ber.children(message, first, last)]
    return Done(code, text, tuple(referrals), _cookie(message, end))


def _cookie(message: bytes, at: int) -> bytes | None:
    """The cookie in the paging control after the operation, None when there is no such control."""
    if at == len(message):
        return None
    start, end = ber.expect(message, at, len(message), _CONTROLS)
    for _, first, last in ber.children(message, start, end):
        parts = ber.children(message, first, last)
        _, kind, kind_end = parts[0]
        if message[kind:kind_end] != PAGED_RESULTS.encode():
            continue
        _, value, value_end = parts[-1]
        inner, inner_end = ber.expect(message, value, value_end, ber.SEQUENCE)
        _, at = ber.expect(message, inner, inner_end, ber.INTEGER)
        start, end = ber.expect(message, at, inner_end, ber.OCTETS)
        return message[start:end]
    return None


def _text(message: bytes, start: int, end: int) -> str:
    return printable(message[start:end].decode("utf-8", "replace"))
