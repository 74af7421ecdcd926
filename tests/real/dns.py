"""A name server of one's own on loopback, for the servers that a domain announces."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class Names:
    """What is announced: the name and the kind ("SRV", "A") -> the records as text. `asked` are the questions."""

    address: str
    records: Mapping[tuple[str, str], list[str]]
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, data: bytes) -> bytes:
        question = dns.message.from_wire(data)
        reply = dns.message.make_response(question)
        for wanted in question.question:
            name, kind = wanted.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(wanted.rdtype)
            self.asked.append((name, kind))
            if found := self.records.get((name, kind)):
                reply.answer.append(dns.rrset.from_text(wanted.name, 60, "IN", kind, *found))
            elif not any(known == name for known, _ in self.records):
                reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()


@contextmanager
def naming(records: Mapping[tuple[str, str], list[str]]) -> Iterator[Names]:
    """Serves these records."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served:
        served.bind(("127.0.0.1", 0))
        names = Names(f"127.0.0.1:{served.getsockname()[1]}", records)
        over = threading.Event()
        thread = threading.Thread(target=_serve, args=(served, names, over), daemon=True)
        thread.start()
        try:
            yield names
        finally:
            over.set()
            served.sendto(b"", served.getsockname())
            thread.join(5)


def _serve(served: socket.socket, names: Names, over: threading.Event) -> None:
    while True:
        data, sender = served.recvfrom(4096)
        if over.is_set():
            return
        served.sendto(names.answer(data), sender)
