"""People of a page decoded by what they have in common; what differs is left to the general decoder.

Entries of one search have the same attributes, mostly in the same order, with values of less than 128 bytes.
So a value's length is found by looking up all the bytes before it in one step, and columns of values become
text in one step. Nothing is guessed: what was not seen before is decoded by `parse`, and both give the same
(tests/doors/test_ldap_rows.py compares them, and both with ldap3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from rosterd.core.doors import Cell
from rosterd.sources.ldap import ber
from rosterd.sources.ldap.decode import Entry, Layout, Raw, Target, Value, parse, texts, values_of

SHORT = 0x80  # lengths below it take one byte
SIZES = 10_000  # sizes of attribute lists that are remembered
SPELLINGS = 100  # spellings of attributes that are remembered: a server has one of each

# One entry: its DN, then a value for each place; b"" where there is none.
Row: TypeAlias = "list[Value]"
# The bytes before a value -> the value's length. All of them have the same width.
Heads: TypeAlias = "dict[bytes, int]"


class Block(NamedTuple):
    """Entries by columns: DNs as spelled, then a list for each cell and for each extra of the layout."""

    dns: list[str]
    cells: list[list[Cell]]
    extras: list[list[Value]]


class Slot:
    """An attribute as it is spelled and written: what stands before a short value, and which one came next."""

    __slots__ = ("following", "heads", "target", "width")

    def __init__(self, target: Target, width: int, heads: Heads) -> None:
        self.target = target
        self.width = width
        self.heads = heads
        self.following = self


class Rows:
    """Decodes the pages of one search into the columns that its layout describes."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._places = {target: place for place, target in enumerate(layout.targets(), 1)}
        self._lists: dict[int, bytes] = {}  # the header of an attribute list, by the size of both
        self._slots: dict[bytes, Slot] = {}
        self._root = Slot(((), ()), 0, {})
        self._path: list[
            Slot
        ] = []  # the attributes of most entries, in their order; the first places are theirs
        self._walked: list[Slot] = []  # the same of the last entry that was not so

    def block(self, page: Sequence[tuple[bytes, int, int]], complete: Callable[[Entry], None]) -> Block:
        """The entries of a page, in its order; ValueError when their bytes are none.

        complete: what to do with entries before anything else, as some of their values may be missing.
        """
        odd: dict[int, Entry] = {}
        rows, strays = self._straight(page)
        for at in strays:
            row = self._walk(*page[at])
            if row is None:
                odd[at] = self._general(*page[at])
            rows[at] = row or []
        if len(strays) * 2 > len(page) and self._walked:
            found = self._columns(rows, uneven=True)
            self._follow(self._walked)
        else:
            found = self._columns(rows, uneven=bool(strays))
        for at, entry in odd.items():
            complete(entry)
            _insert(found, at, entry)
        return found

    def _straight(self, page: Sequence[tuple[bytes, int, int]]) -> tuple[list[Row], list[int]]:
        """Rows of the entries that are like most, as wide as the path, and where the others are."""
        rows: list[Row] = []
        strays: list[int] = []
        path = [(slot.width, slot.heads) for slot in self._path]
        lists = self._lists
        for data, start, end in page:
            row: Row = []
            try:
                at = start + 2 + data[start + 1]
                head = lists[end - at]
                dn = at
                at += len(head)
                if data[dn:at] != head or data[start] != ber.OCTETS or data[start + 1] >= SHORT:
                    raise KeyError
                row.append(data[start + 2 : dn])
                for width, heads in path:
                    first = at + width
                    at = first + heads[data[at:first]]
                    row.append(data[first:at])
                if at != end or not path:
                    raise KeyError
            except LookupError:  # costs nothing where it does not happen
                strays.append(len(rows))
            rows.append(row)
        return rows, strays

    def _walk(self, data: bytes, start: int, end: int) -> Row | None:
        """A row as wide as there are places, attribute by attribute; None when something was not seen before."""
        if end - start < 2 or data[start] != ber.OCTETS or (size := data[start + 1]) >= SHORT:
            return None
        at = start + 2 + size
        head = self._lists.get(end - at)
        if head is None or not data.startswith(head, at):
            return None
        row: Row = [b""] * (1 + len(self._places))
        row[0] = data[start + 2 : at]
        at += len(head)
        walked: list[Slot] = []
        previous = self._root
        while at < end:
            slot, value, at = self._step(previous.following, data, at, end)
            if slot is None:
                return None
            previous.following = previous = slot
            row[self._places[slot.target]] = value
            walked.append(slot)
        # An attribute that came twice has filled one place twice: the general decoder puts both together.
        if at != end or len({slot.target for slot in walked}) != len(walked):
            return None
        self._walked = walked
        return row

    def _step(self, slot: Slot, data: bytes, at: int, end: int) -> tuple[Slot | None, Value, int]:
        """One attribute, perhaps in this slot: its slot (None: not known), its value, and where it ends."""
        first = at + slot.width
        size = slot.heads.get(data[at:first])
        if size is not None:
            return slot, data[first : first + size], first + size
        try:
            inner, after = ber.expect(data, at, end, ber.SEQUENCE)
            first, last = ber.expect(data, inner, after, ber.OCTETS)
            values = values_of(data, last, after)
        except (ValueError, IndexError):
            return None, b"", end  # the general decoder says what is wrong
        short = len(values) == 1 and 0 < len(values[0]) < SHORT
        return self._slots.get(data[first:last]), values[0] if short else values, after

    def _general(self, data: bytes, start: int, end: int) -> Entry:
        dn, raw = parse(data, start, end)
        self._learn(data, start, end, raw)
        return self._layout.made(dn, raw)

    def _learn(self, data: bytes, start: int, end: int, raw: Raw) -> None:
        """Remembers how an entry is written, for those that are written alike."""
        _, at = ber.expect(data, start, end, ber.OCTETS)
        inner, _ = ber.expect(data, at, end, ber.SEQUENCE)
        if len(self._lists) < SIZES:
            self._lists[end - at] = data[at:inner]
        write = ber.long_tlv if data[at + 1] == ber.LONG else ber.tlv
        for name, _ in raw:
            target = self._layout.target(name)
            if target in self._places and name not in self._slots and len(self._slots) < SPELLINGS:
                self._slots[name] = Slot(target, *_heads(name, write))

    def _follow(self, path: list[Slot]) -> None:
        """Expects such entries from now on: their attributes come first among the places."""
        self._path = path
        first = [slot.target for slot in path]
        others = [target for target in self._places if target not in first]
        self._places = {target: place for place, target in enumerate([*first, *others], 1)}

    def _columns(self, rows: list[Row], *, uneven: bool) -> Block:
        """Rows turned into columns, without the empty ones. uneven: some are wider, or empty."""
        if uneven:
            blank: Row = [b""] * (1 + len(self._places))
            rows = [row + blank[len(row) :] for row in rows if row]
        columns: list[Sequence[Value]] = list(zip(*rows, strict=True))
        count = len(rows)
        dns = [value for value in columns[0] if isinstance(value, bytes)] if columns else []
        layout = self._layout
        found = Block(
            texts(dns) or [dn.decode("utf-8", "replace") for dn in dns],
            [[""] * count for _ in layout.attributes],
            [[b""] * count for _ in range(layout.width)],
        )
        for (cells, extras), column in zip(self._places, columns[1:], strict=False):
            for at in cells:
                found.cells[at] = layout.column(found.dns, layout.attributes[at], column)
            for at in extras:
                found.extras[at] = list(column)
        return found


def _insert(block: Block, at: int, entry: Entry) -> None:
    """Puts an entry in its place among others."""
    block.dns.insert(at, entry.dn)
    for column, cell in zip(block.cells, entry.cells, strict=True):
        column.insert(at, cell)
    for values, value in zip(block.extras, entry.extras, strict=True):
        values.insert(at, value)


@lru_cache(SPELLINGS)
def _heads(name: bytes, write: Callable[[int, bytes], bytes]) -> tuple[int, Heads]:
    """What stands before a short value of an attribute. `write` makes a SEQUENCE or SET as the server does."""
    described = ber.tlv(ber.OCTETS, name)
    heads: Heads = {}
    width = 0
    for size in range(1, SHORT):
        value = ber.tlv(ber.OCTETS, bytes(size))
        whole = write(ber.SEQUENCE, described + write(ber.SET, value))
        head = whole[: len(whole) - size]
        width = width or len(head)
        if len(head) == width:  # in the shortest form the header of a longer value is longer itself
            heads[head] = size
    return width, heads
