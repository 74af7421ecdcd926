"""Changes an LDAP answer as a whole: elements are doubled, dropped, swapped, renamed, and lengths still fit; mostly."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeAlias

# An element: its tag, how its length is written (0: shortest, else that many bytes), and what is in it.
Node: TypeAlias = "list[object]"

CONSTRUCTED = 0x20
DEEP = 12
TAGS = (0x02, 0x04, 0x0A, 0x30, 0x31, 0x64, 0x65, 0x73, 0x78, 0x79, 0xA0, 0xA3)
SPECIAL = (
    b"",
    b"\0",
    b"\xff",
    b"a\nb",
    b"x" * 127,
    b"x" * 128,
    b"y" * 300,
    b"member;range=0-1",
    b"uid",
    b"\x7f" * 9,
)


def read(data: bytes, depth: int = 0) -> list[Node] | None:
    """The elements in some bytes, None when they are no elements."""
    found: list[Node] = []
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            return None
        tag, size, start = data[at], data[at + 1], at + 2
        width = 0
        if size >= 0x80:
            width = size & 0x7F
            size = int.from_bytes(data[start : start + width], "big")
            start += width
        if start + size > len(data):
            return None
        content = data[start : start + size]
        inner = read(content, depth + 1) if tag & CONSTRUCTED and depth < DEEP else None
        # The value of a control is BER in an octet string.
        if tag == 0x04 and content[:1] == b"\x30":
            inner = read(content, depth + 1)
        found.append([tag, width, content if inner is None else inner])
        at = start + size
    return found


def write(nodes: list[Node]) -> bytes:
    """The bytes of some elements."""
    out = bytearray()
    for tag, width, inside in nodes:
        content = write(inside) if isinstance(inside, list) else inside
        assert isinstance(tag, int) and isinstance(width, int) and isinstance(content, bytes)
        size = len(content)
        if (size >= 0x80 and not width) or (width and size >> 8 * width):
            width = (size.bit_length() + 7) // 8
        out.append(tag)
        out += bytes((0x80 | width,)) + size.to_bytes(width, "big") if width else bytes((size,))
        out += content
    return bytes(out)


def changed(data: bytes, dice: Random, leaf: Callable[[bytes], bytes]) -> bytes:
    """The answer with a change or a few; `leaf` changes bytes that have no structure."""
    tree = read(data)
    if tree is None or not tree or dice.random() < 0.1:
        return leaf(data)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        if not tree:
            break
        _change(_somewhere(tree, dice), dice, leaf)
    return write(tree)


def _somewhere(tree: list[Node], dice: Random) -> list[Node]:
    """A list of elements in the tree."""
    here = tree
    while True:
        inner = [node[2] for node in here if isinstance(node[2], list) and node[2]]
        if not inner or dice.random() < 0.2:
            return here
        chosen = dice.choice(inner)
        assert isinstance(chosen, list)
        here = chosen


def _change(nodes: list[Node], dice: Random, leaf: Callable[[bytes], bytes]) -> None:
    at = dice.randrange(len(nodes))
    node = nodes[at]
    match dice.randrange(9):
        case 0:
            nodes.insert(at, node)
        case 1:
            del nodes[at]
        case 2:
            other = dice.randrange(len(nodes))
            nodes[at], nodes[other] = nodes[other], nodes[at]
        case 3:
            nodes[at] = [dice.choice(TAGS), node[1], node[2]]
        case 4:
            nodes[at] = [node[0], dice.choice((0, 1, 2, 3, 4, 8)), node[2]]
        case 5:
            nodes[at] = [node[0], node[1], dice.choice(SPECIAL)]
        case 6:
            nodes[at:at] = [node] * dice.choice((2, 5, 30))
        case _:
            content = write(node[2]) if isinstance(node[2], list) else node[2]
            assert isinstance(content, bytes)
            nodes[at] = [node[0], node[1], leaf(content)]
