"""Search result entries written as different servers write them. Imports nothing of the product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

# Attributes of an entry: names and values, in order; a name may come twice.
Attributes: TypeAlias = "Sequence[tuple[bytes, Sequence[bytes]]]"
# Makes one element of a tag and its content.
Writer: TypeAlias = Callable[[int, bytes], bytes]


def shortest(tag: int, content: bytes) -> bytes:
    """As OpenLDAP and 389 DS write: a length in as few bytes as it needs."""
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    width = (size.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + size.to_bytes(width, "big") + content


def microsoft(tag: int, content: bytes) -> bytes:
    """As Active Directory writes: what is constructed has its length in four bytes."""
    if tag in (0x04, 0x02):
        return shortest(tag, content)
    return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content


def wasteful(tag: int, content: bytes) -> bytes:
    """As nobody writes, though BER allows it: every length in three bytes."""
    return bytes((tag, 0x83)) + len(content).to_bytes(3, "big") + content


WRITERS: dict[str, Writer] = {"shortest": shortest, "microsoft": microsoft, "wasteful": wasteful}


def entry(dn: bytes, attributes: Attributes, write: Writer = shortest) -> bytes:
    """The content of a search result entry (RFC 4511, section 4.5.2)."""
    lists = b""
    for name, values in attributes:
        some = b"".join([write(0x04, value) for value in values])
        lists += write(0x30, write(0x04, name) + write(0x31, some))
    return write(0x04, dn) + write(0x30, lists)


def message(number: int, operation: bytes, write: Writer = shortest, controls: bytes = b"") -> bytes:
    """A whole message."""
    width = number.bit_length() // 8 + 1
    return write(0x30, write(0x02, number.to_bytes(width, "big")) + operation + controls)


def answer(number: int, entries: Sequence[tuple[bytes, Attributes]], write: Writer = shortest) -> bytes:
    """A whole page: entries, then the search's end with an empty cookie."""
    page = b"".join([message(number, write(0x64, entry(dn, some, write)), write) for dn, some in entries])
    value = write(0x30, write(0x02, b"\0") + write(0x04, b""))
    control = write(0x30, write(0x04, b"1.2.840.113556.1.4.319") + write(0x04, value))
    done = write(0x65, write(0x0A, b"\0") + write(0x04, b"") + write(0x04, b""))
    return page + message(number, done, write, write(0xA0, control))
