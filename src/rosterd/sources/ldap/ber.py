"""The little of BER (X.690) that LDAP needs: definite lengths, one-byte tags (RFC 4511, section 5.1)."""

from __future__ import annotations

INTEGER = 0x02
OCTETS = 0x04
SEQUENCE = 0x30
SET = 0x31
LONG = 0x84  # a length in four bytes follows


def tlv(tag: int, content: bytes) -> bytes:
    """One element: tag, definite length in its shortest form, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def long_tlv(tag: int, content: bytes) -> bytes:
    """One element with its length in four bytes, as Active Directory writes what is constructed."""
    return bytes((tag, LONG)) + len(content).to_bytes(4, "big") + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """A whole number that is not negative."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def header(data: bytes | bytearray, at: int, end: int) -> tuple[int, int, int]:
    """Tag, first byte and end of the content of the element at `at`; ValueError when it leaves `end`."""
    if at + 2 > end:
        raise ValueError("an element is cut off")
    tag, size, start = data[at], data[at + 1], at + 2
    if size >= 0x80:
        width = size & 0x7F
        if not 1 <= width <= 8 or start + width > end:
            raise ValueError("an element has no valid length")
        size = int.from_bytes(data[start : start + width], "big")
        start += width
    if start + size > end:
        raise ValueError("an element is longer than what holds it")
    return tag, start, start + size


def expect(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """First byte and end of the content of the element at `at`, which must have this tag; else ValueError."""
    found, start, stop = header(data, at, end)
    if found != tag:
        raise ValueError(f"an element with tag {found:#04x} stands where {tag:#04x} belongs")
    return start, stop


def number(data: bytes, start: int, end: int) -> int:
    """The content of an INTEGER or ENUMERATED; ValueError when it is empty, which must not pass for 0."""
    if start == end:
        raise ValueError("a number has no digits")
    return int.from_bytes(data[start:end], "big", signed=True)


def children(data: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """The elements between `at` and `end`, each as tag, first byte and end of its content."""
    found = []
    while at < end:
        child = header(data, at, end)
        found.append(child)
        at = child[2]
    return found
