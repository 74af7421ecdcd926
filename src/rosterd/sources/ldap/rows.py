"""Entries of a page decoded by what they have in common; what differs is left to the general decoder.

Entries of one search have the same attributes, mostly in the same order, with values of less than 128 bytes.
So the bytes before a value can be foretold from its length and are compared in one step, and columns of
values become text in one step. Nothing is guessed: what is not exactly as foretold is decoded by `parse`,
and both give the same entry (tests/doors/test_ldap_rows.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from rosterd.core.doors import Cell
from rosterd.sources.ldap import ber
from rosterd.sources.ldap.decode import Entry, Layout, Raw, listed, parse, texts, values_of

SHORT = 0x80  # lengths below it take one byte
MOST = 10_000  # sizes of attribute lists remembered, and spellings of attributes

# One entry: its DN, then a value for each place: b"" where there is none, a list where it is not one short value.
Row: TypeAlias = "list[Any]"


class Slot:
    """An attribute as it is spelled: what stands before its value, by the value's length, and who came next.

    `last`: where in those bytes the length stands. `heads`: those bytes; () matches nothing.
    """

    __slots__ = ("following", "heads", "last", "place")

    def __init__(self, place: int, last: int, heads: Sequence[bytes | tuple[()]]) -> None:
        self.place = place
        self.last = last
        self.heads = heads
        self.following = self


_NONE: list[bytes | tuple[()]] = [()] * 256


class Rows:
    """Decodes the pages of one search into the entries that its layout describes."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        # Where an attribute goes among the cells and the extras -> its place in a row; the DN has the first.
        self._targets = {target: place for place, target in enumerate(layout.targets(), 1)}
        self._blank: Row = [b""] * (1 + len(self._targets))
        self._lists: dict[int, bytes] = {}  # the header of an attribute list, by the size of both
        self._slots: dict[bytes, Slot] = {}
        self._root = Slot(0, 0, _NONE)

    def entries(self, page: Sequence[tuple[bytes, int, int]]) -> list[Entry]:
        """The entries of a page, in its order; ValueError when their bytes are none."""
        rows: list[Row] = []
        odd: dict[int, Entry] = {}
        for at, place in enumerate(page):
            row = self._row(*place)
            if row is None:
                odd[at] = self._general(*place)
            else:
                rows.append(row)
        found = self._whole(rows) if rows else []
        if not odd:
            return found
        regular = iter(found)
        return [odd[at] if at in odd else next(regular) for at in range(len(page))]

    def _row(self, data: bytes, start: int, end: int) -> Row | None:
        """One entry by what is foretold; None when it is not so."""
        if end - start < 2 or data[start] != ber.OCTETS or (size := data[start + 1]) >= SHORT:
            return None
        at = start + 2 + size
        head = self._lists.get(end - at)
        if head is None or not data.startswith(head, at):
            return None
        row = self._blank.copy()
        row[0] = data[start + 2 : at]
        at += len(head)
        count, previous, most = 1, self._root, len(data)
        while at < end:
            slot = previous.following
            last = at + slot.last
            # A length beyond the end of the entry is not believed: `at` is then no longer equal to `end`.
            if last < most and data.startswith(slot.heads[size := data[last]], at):
                row[slot.place] = data[last + 1 : (at := last + 1 + size)]
            else:
                other = self._other(data, at, end)
                if other is None:
                    return None
                slot, value, at = other
                row[slot.place] = value
                previous.following = slot
            previous = slot
            count += 1
        # An attribute that came twice has filled one place twice: the general decoder puts both together.
        return row if at == end and len(row) - row.count(b"") == count else None

    def _other(self, data: bytes, at: int, end: int) -> tuple[Slot, bytes | list[bytes], int] | None:
        """An attribute that was not foretold: where it goes, its value or values, and where it ends."""
        try:
            inner, after = ber.expect(data, at, end, ber.SEQUENCE)
            first, last = ber.expect(data, inner, after, ber.OCTETS)
            slot = self._slots.get(data[first:last])
            if slot is None:
                return None
            values = values_of(data, last, after)
        except (ValueError, IndexError):
            return None  # the general decoder says what is wrong
        simple = len(values) == 1 and 0 < len(values[0]) < SHORT
        return slot, values[0] if simple else values, after

    def _general(self, data: bytes, start: int, end: int) -> Entry:
        dn, raw = parse(data, start, end)
        self._learn(data, start, end, raw)
        return self.layout.made(dn, raw)

    def _learn(self, data: bytes, start: int, end: int, raw: Raw) -> None:
        """Remembers how an entry is written, for those that are written alike."""
        _, at = ber.expect(data, start, end, ber.OCTETS)
        inner, _ = ber.expect(data, at, end, ber.SEQUENCE)
        if len(self._lists) < MOST:
            self._lists[end - at] = data[at:inner]
        write = ber.long_tlv if data[at + 1] == ber.LONG else ber.tlv
        for name, _ in raw:
            place = self._targets.get(self.layout.target(name))
            if place is not None and name not in self._slots and len(self._slots) < MOST:
                self._slots[name] = _slot(place, name, write)

    def _whole(self, rows: list[Row]) -> list[Entry]:
        """Rows as entries, worked out by columns."""
        dns, *columns = zip(*rows, strict=True)
        names = texts(dns) or [dn.decode("utf-8", "replace") for dn in dns]
        layout = self.layout
        cells: list[Sequence[Cell]] = [[""] * len(rows)] * len(layout.attributes)
        extras: list[list[list[bytes]]] = [[] for _ in range(layout.width)]
        for (into, beside), place in self._targets.items():
            column = columns[place - 1]
            if into:
                made = layout.column(names, layout.attributes[into[0]], column)
                for at in into:
                    cells[at] = made
            for at in beside:
                extras[at] = [listed(value) for value in column]
        for at, values in enumerate(extras):
            extras[at] = values or [[] for _ in rows]
        some: list[list[Cell]] = [list(row) for row in zip(*cells, strict=True)] or [[] for _ in rows]
        more: list[list[list[bytes]]] = [list(row) for row in zip(*extras, strict=True)] or [[] for _ in rows]
        return [Entry(*parts, []) for parts in zip(names, some, more, strict=True)]


def _slot(place: int, name: bytes, write: Callable[[int, bytes], bytes]) -> Slot:
    """What stands before one short value of an attribute. `write` makes a SEQUENCE or SET as the server does."""
    described = ber.tlv(ber.OCTETS, name)
    heads = list(_NONE)
    last = -1
    for size in range(1, SHORT):
        value = ber.tlv(ber.OCTETS, bytes(size))
        whole = write(ber.SEQUENCE, described + write(ber.SET, value))
        head = whole[: len(whole) - size]
        # In the shortest form a longer value makes a longer header: its length would stand elsewhere.
        if last < 0:
            last = len(head) - 1
        if len(head) - 1 == last:
            heads[size] = head
    return Slot(place, last, heads)
