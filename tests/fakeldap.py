"""A directory that can misbehave: LDAP over a raw socket, with every answer written by the test.

It imports nothing of the product and writes its own BER, so that a mistake in one is no excuse in the other.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

PAGED = b"1.2.840.113556.1.4.319"
START_TLS = b"1.3.6.1.4.1.1466.20037"
BIND, UNBIND, SEARCH, EXTENDED = 0x60, 0x42, 0x63, 0x77


def tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    return bytes((tag, 0x84)) + size.to_bytes(4, "big") + content


def octets(value: bytes | str, tag: int = 4) -> bytes:
    return tlv(tag, value.encode() if isinstance(value, str) else value)


def number(value: int, tag: int = 2) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def message(message_id: int, operation: bytes, controls: bytes = b"") -> bytes:
    return tlv(0x30, number(message_id), operation, controls)


def entry(message_id: int, dn: str | bytes, attributes: Mapping[str, Sequence[bytes | str]]) -> bytes:
    lists = [
        tlv(0x30, octets(name), tlv(0x31, *[octets(value) for value in values]))
        for name, values in attributes.items()
    ]
    return message(message_id, tlv(0x64, octets(dn), tlv(0x30, *lists)))


def reference(message_id: int, *urls: str) -> bytes:
    return message(message_id, tlv(0x73, *[octets(url) for url in urls]))


def result(tag: int, code: int, text: str = "", extra: bytes = b"") -> bytes:
    return tlv(tag, number(code, 10), octets(""), octets(text), extra)


def done(
    message_id: int, cookie: bytes | None = b"", code: int = 0, text: str = "", extra: bytes = b""
) -> bytes:
    """The end of a search; without the paging control when `cookie` is None."""
    controls = b""
    if cookie is not None:
        value = tlv(0x30, number(0), octets(cookie))
        controls = tlv(0xA0, tlv(0x30, octets(PAGED), octets(value)))
    return message(message_id, result(0x65, code, text, extra), controls)


def referral(message_id: int, *urls: str) -> bytes:
    return done(message_id, None, 10, extra=tlv(0xA3, *[octets(url) for url in urls]))


def disconnection(code: int = 52, text: str = "going down") -> bytes:
    return message(0, result(0x78, code, text, octets("1.3.6.1.4.1.1466.20036", 0x8A)))


class Request(NamedTuple):
    """What a client asked. `cookie` is None without paging; `base` and `attributes` are a search's."""

    id: int
    operation: int
    body: bytes
    base: str
    attributes: tuple[str, ...]
    cookie: bytes | None


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, opened: socket.socket, fake: Fake) -> None:
        self.socket = opened
        self.fake = fake

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def requests(self) -> Iterator[Request]:
        buffer = b""
        while True:
            whole = _whole(buffer)
            if whole:
                yield _request(buffer[:whole])
                buffer = buffer[whole:]
                continue
            data = self.socket.recv(65536)
            if not data:
                return
            heard = self.fake.secured if isinstance(self.socket, ssl.SSLSocket) else self.fake.plain
            heard += data
            buffer += data


Search = Callable[[Peer, Request], None]


class Fake:
    """The server. `plain` and `secured` are all bytes it got without and under TLS."""

    def __init__(
        self, search: Search, bind: int, tls: ssl.SSLContext | None, start_tls: ssl.SSLContext | None
    ) -> None:
        self.search = search
        self.bind = bind
        self.tls = tls
        self.start_tls = start_tls
        self.vendor = "Acme Directory"
        self.controls: tuple[bytes, ...] = (PAGED,)
        self.about: dict[str, list[bytes | str]] = {}  # what else it says of itself
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.plain = bytearray()
        self.secured = bytearray()
        self.connections = 0
        self.binds = 0
        self.searches = 0
        self.on_bind: Callable[[Peer, Request], bool] | None = None  # answers instead; false hangs up
        self.on_extended: Callable[[Peer, Request], None] | None = None
        self.threads: list[threading.Thread] = []
        self.peers: list[socket.socket] = []
        self.over = threading.Event()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'ldaps' if self.tls else 'ldap'}://127.0.0.1:{self.port}"

    def accept(self) -> None:
        while True:
            try:
                opened, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.peers.append(opened)
            thread = threading.Thread(target=self.talk, args=(opened,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def talk(self, opened: socket.socket) -> None:
        peer = Peer(opened, self)
        try:
            if self.tls:
                peer.socket = self.tls.wrap_socket(opened, server_side=True)
            while self.conversation(peer):
                assert self.start_tls
                peer.socket = self.start_tls.wrap_socket(peer.socket, server_side=True)
        except OSError:
            pass  # the client went away, or would not have our certificate
        finally:
            with suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
            peer.socket.close()
            opened.close()

    def conversation(self, peer: Peer) -> bool:
        """Answers until the end; true when TLS is to begin."""
        for request in peer.requests():
            if request.operation == BIND:
                self.binds += 1
                if self.on_bind:
                    if not self.on_bind(peer, request):
                        return False
                    continue
                peer.send(message(request.id, result(0x61, self.bind, "data 52e" if self.bind == 49 else "")))
            elif request.operation == EXTENDED and self.on_extended:
                self.on_extended(peer, request)
            elif request.operation == EXTENDED:
                peer.send(message(request.id, result(0x78, 0 if self.start_tls else 2)))
                if self.start_tls:
                    return True
            elif request.operation == SEARCH and request.base == "":
                attributes: dict[str, list[bytes | str]] = {"vendorName": [self.vendor]}
                attributes["supportedControl"] = list(self.controls)
                attributes |= self.about
                peer.send(entry(request.id, "", attributes) + done(request.id, None))
            elif request.operation == SEARCH:
                self.searches += 1
                self.search(peer, request)
        return False


@contextmanager
def serving(
    search: Search | None = None,
    *,
    bind: int = 0,
    tls: ssl.SSLContext | None = None,
    start_tls: ssl.SSLContext | None = None,
) -> Iterator[Fake]:
    """Runs a fake directory on a free port of 127.0.0.1."""
    fake = Fake(search or empty, bind, tls, start_tls)
    acceptor = threading.Thread(target=fake.accept, daemon=True)
    acceptor.start()
    try:
        yield fake
    finally:
        fake.over.set()
        with suppress(OSError):
            fake.listener.shutdown(socket.SHUT_RDWR)
        fake.listener.close()
        acceptor.join(5)
        for opened in fake.peers:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in fake.threads:
            thread.join(5)
            assert not thread.is_alive()


def empty(peer: Peer, request: Request) -> None:
    peer.send(done(request.id))


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """The elements one after another in some BER."""
    found = []
    at = 0
    while at < len(data):
        tag, size, start = data[at], data[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size = int.from_bytes(data[start : start + width], "big")
            start += width
        found.append((tag, data[start : start + size]))
        at = start + size
    return found


def _whole(buffer: bytes) -> int:
    """The size of the first message when it is there whole, else 0."""
    if len(buffer) < 2:
        return 0
    width = buffer[1] & 0x7F if buffer[1] & 0x80 else 0
    if len(buffer) < 2 + width:
        return 0
    size = 2 + width + (int.from_bytes(buffer[2 : 2 + width], "big") if width else buffer[1])
    return size if len(buffer) >= size else 0


def _request(data: bytes) -> Request:
    parts = _parts(_parts(data)[0][1])
    message_id = int.from_bytes(parts[0][1], "big")
    operation, body = parts[1]
    search = _parts(body) if operation == SEARCH else []
    base = search[0][1].decode() if search else ""
    attributes = tuple(name.decode() for _, name in _parts(search[7][1])) if search else ()
    cookie = None
    for _, control in _parts(parts[2][1]) if len(parts) > 2 else []:
        fields = _parts(control)
        if fields[0][1] == PAGED:
            cookie = _parts(_parts(fields[-1][1])[0][1])[1][1]
    return Request(message_id, operation, body, base, attributes, cookie)
