"""A way to a real directory that has the limits of Microsoft's, and may cut, stall or lie.

Samba pages as far as it is asked to and sends every member at once; Microsoft's Active Directory gives at most a
thousand entries a page (MaxPageSize) and 1,500 values of an attribute (MaxValRange). This puts both in between.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.fakeldap import PAGED, SEARCH, _parts, _whole, number, octets, tlv

ENTRY, DONE = 0x64, 0x65


@dataclass
class Relay:
    """The relay; its knobs may be turned between two runs. `page` and `values` are limits, 0 for none."""

    url: str
    far: tuple[str, int]
    page: int = 0
    values: int = 0
    spoil: Callable[[bytes, int], bytes | None] | None = None  # (message, entries so far): None hangs up
    entries: int = 0  # that have gone through
    largest: int = 0  # entries of one page
    ranges: int = 0  # attributes that were cut
    _page: int = 0
    ends: list[socket.socket] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def forth(self, message: bytes) -> bytes:
        """A request on its way: too large a page is asked for as one that is allowed."""
        parts = _parts(_parts(message)[0][1])
        if not self.page or parts[1][0] != SEARCH or len(parts) < 3:
            return message
        controls = [self._control(control) for _, control in _parts(parts[2][1])]
        return tlv(0x30, tlv(2, parts[0][1]), tlv(SEARCH, parts[1][1]), tlv(0xA0, *controls))

    def _control(self, control: bytes) -> bytes:
        fields = _parts(control)
        if fields[0][1] == PAGED:
            size, cookie = _parts(_parts(fields[-1][1])[0][1])
            least = min(int.from_bytes(size[1], "big"), self.page)
            fields[-1] = (4, tlv(0x30, number(least), octets(cookie[1])))
        return tlv(0x30, *[tlv(tag, value) for tag, value in fields])

    def back(self, message: bytes) -> bytes | None:
        """An answer on its way: attributes with too many values come in part."""
        operation = _parts(_parts(message)[0][1])[1]
        if operation[0] == ENTRY:
            self.entries += 1
            self._page += 1
            self.largest = max(self.largest, self._page)
            message = self._in_part(message)
        elif operation[0] == DONE:
            self._page = 0
        return self.spoil(message, self.entries) if self.spoil else message

    def _in_part(self, message: bytes) -> bytes:
        if not self.values or len(message) < 10 * self.values:
            return message
        head, operation, *rest = _parts(_parts(message)[0][1])
        dn, attributes = _parts(operation[1])
        cut = [self._cut(*_parts(one)) for _, one in _parts(attributes[1])]
        whole = [tlv(tag, value) for tag, value in rest]
        return tlv(0x30, tlv(2, head[1]), tlv(ENTRY, octets(dn[1]), tlv(0x30, *cut)), *whole)

    def _cut(self, name: tuple[int, bytes], values: tuple[int, bytes]) -> bytes:
        some = _parts(values[1])
        if len(some) <= self.values:
            return tlv(0x30, octets(name[1]), tlv(0x31, values[1]))
        self.ranges += 1
        plain, _, span = name[1].partition(b";range=")
        start = int(span.partition(b"-")[0] or b"0")
        spelled = b"%s;range=%d-%d" % (plain, start, start + self.values - 1)
        kept = [octets(value) for _, value in some[: self.values]]
        return tlv(0x30, octets(spelled), tlv(0x31, *kept))


@contextmanager
def relaying(host: str, port: int, *, page: int = 0, values: int = 0) -> Iterator[Relay]:
    """Opens the way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(f"ldap://127.0.0.1:{listener.getsockname()[1]}", (host, port), page, values)
        acceptor = threading.Thread(target=_accept, args=(listener, relay), daemon=True)
        acceptor.start()
        try:
            yield relay
        finally:
            for end in (listener, *relay.ends):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            acceptor.join(5)
            for thread in relay.threads:
                thread.join(5)
            for end in relay.ends:
                end.close()


def _accept(listener: socket.socket, relay: Relay) -> None:
    with suppress(OSError):
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(relay.far)
            relay.ends += [near, far]
            for source, target, turned in ((near, far, relay.forth), (far, near, relay.back)):
                thread = threading.Thread(target=_pump, args=(source, target, turned), daemon=True)
                relay.threads.append(thread)
                thread.start()


def _pump(source: socket.socket, target: socket.socket, turned: Callable[[bytes], bytes | None]) -> None:
    buffer = b""
    with suppress(OSError):
        while data := source.recv(1 << 20):
            buffer += data
            out: list[bytes] = []
            while whole := _whole(buffer):
                message, buffer = buffer[:whole], buffer[whole:]
                changed = turned(message)
                if changed is None:
                    target.sendall(b"".join(out))
                    source.shutdown(socket.SHUT_RDWR)
                    break
                out.append(changed)
            target.sendall(b"".join(out))
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
