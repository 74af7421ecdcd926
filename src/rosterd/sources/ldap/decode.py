"""From the bytes of an entry to the cells that the mapping reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias, cast

from rosterd.core.doors import Cell
from rosterd.core.people import fold
from rosterd.sources.ldap import ber
from rosterd.sources.ldap.dn import ALIASES
from rosterd.sources.ldap.flavors import BINARY
from rosterd.sources.ldap.results import printable

VALUE_CAP = 64 << 10  # bytes of one value
WARNINGS = 20  # told one by one; the rest is counted

# The name an attribute came with, and its values, as they were sent.
Raw: TypeAlias = "list[tuple[bytes, list[bytes]]]"

# The cells and the extras that an attribute's values go to.
Target: TypeAlias = tuple[tuple[int, ...], tuple[int, ...]]

# What an entry has for an attribute: nothing (b""), one value that is not empty, or a list of values.
Value: TypeAlias = "bytes | list[bytes]"


class Entry(NamedTuple):
    """One entry: its DN as spelled, its cells, and the raw values of the layout's extra attributes."""

    dn: str
    cells: list[Cell]
    extras: list[list[bytes]]
    ranges: list[tuple[str, int]]  # attributes that came in part (`member;range=0-1499`): name, next index


class Warnings:
    """The first few warnings of a read, and how many more there were."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._more = 0

    def add(self, text: str) -> None:
        if len(self._told) < WARNINGS:
            self._told.append(text)
        else:
            self._more += 1

    def all(self) -> tuple[str, ...]:
        more = (f"and {self._more:,} more warnings like these",) if self._more else ()
        return (*self._told, *more)


class Layout:
    """Which attributes are asked for, and where each value goes. Case does not count in names."""

    def __init__(self, attributes: Sequence[str], extras: Sequence[str], warnings: Warnings) -> None:
        self.attributes = tuple(attributes)
        self.asked = tuple(name for name in dict.fromkeys([*attributes, *extras]) if name)
        self.warnings = warnings
        self._cells = _positions(attributes)
        self._extras = _positions(extras)
        self.width = len(extras)
        self._simple: dict[bytes, int] = {}  # spellings of text attributes that go to one cell
        self._names: dict[bytes, tuple[list[int], list[int], Callable[[bytes], str] | None]] = {}

    def entry(self, message: bytes, start: int, end: int) -> Entry:
        """Decodes one entry; ValueError when its bytes are none."""
        return self.made(*parse(message, start, end))

    def made(self, dn: str, raw: Raw) -> Entry:
        """An entry of raw attributes."""
        found = Entry(dn, [""] * len(self.attributes), [[] for _ in range(self.width)], [])
        self.add(found, raw)
        return found

    def targets(self) -> list[Target]:
        """Where attributes go, without those that share a cell or an extra with one of another name."""
        found = {self.target(name.encode()) for name in self._cells.keys() | self._extras.keys()}
        taken = Counter((kind, at) for target in found for kind, some in enumerate(target) for at in some)
        return [
            target
            for target in sorted(found)
            if all(taken[kind, at] == 1 for kind, some in enumerate(target) for at in some)
        ]

    def target(self, name: bytes) -> Target:
        """Where the values of an attribute of this spelling go, among the cells and among the extras."""
        if b";" in name:
            return (), ()  # with options, of which `range` means that this is a part: for `add` alone
        cells, extras, _ = self._names.get(name) or self._learn(name)
        return tuple(cells), tuple(extras)

    def column(self, dns: Sequence[str], name: str, values: Sequence[Value]) -> list[Cell]:
        """The cells of one attribute for several entries."""
        binary = BINARY.get(name.lower())
        if binary is None and (found := texts(values)):
            return [*found]
        spelled = name.encode()
        return [
            self._cell(dn, spelled, some, binary) if (some := listed(value)) else ""
            for dn, value in zip(dns, values, strict=True)
        ]

    def add(self, found: Entry, raw: Raw) -> None:
        """Adds raw attributes to an entry, beside the values it has."""
        cells = found.cells
        for name, values in raw:
            at = self._simple.get(name)
            if at is None or len(values) != 1 or len(values[0]) > VALUE_CAP or cells[at]:
                self._place(found, name, values)
                continue
            try:
                cells[at] = str(values[0], "utf-8")
            except UnicodeDecodeError:
                self._place(found, name, values)

    def _place(self, found: Entry, name: bytes, values: list[bytes]) -> None:
        known = self._names.get(name)
        if known is None:
            if b";range=" in name.lower():
                name = _ranged(found, name)
            known = self._learn(name)
        cells, extras, binary = known
        for at in extras:
            found.extras[at] += values
        if cells and values:
            cell = self._cell(found.dn, name, values, binary)
            for at in cells:
                found.cells[at] = merged(found.cells[at], cell)

    def _learn(self, name: bytes) -> tuple[list[int], list[int], Callable[[bytes], str] | None]:
        """Where an attribute of this spelling goes; remembered, for a directory has few spellings."""
        lower = name.decode("utf-8", "replace").lower()
        known = (self._cells.get(lower, []), self._extras.get(lower, []), BINARY.get(lower))
        if len(self._names) < 1000:
            self._names[name] = known
            if len(known[0]) == 1 and not known[1] and known[2] is None:
                self._simple[name] = known[0][0]
        return known

    def _cell(self, dn: str, name: bytes, values: list[bytes], binary: Callable[[bytes], str] | None) -> Cell:
        if len(values) == 1:
            return self._text(dn, name, values[0], binary)
        return folded([self._text(dn, name, value, binary) for value in values])

    def _text(self, dn: str, name: bytes, value: bytes, binary: Callable[[bytes], str] | None) -> str:
        """A value as text. Bytes that are none show as U+FFFD, which no logon may contain."""
        try:
            if binary is None and len(value) <= VALUE_CAP:
                return str(value, "utf-8")
            if binary is not None:
                return binary(value)
        except ValueError:
            pass  # told below
        shown = f"{name.decode('utf-8', 'replace')} of {printable(dn)}"
        if len(value) > VALUE_CAP:
            self.warnings.add(f"{shown} has {len(value):,} bytes and was cut at {VALUE_CAP:,}")
            cut = value[:VALUE_CAP]
            return cut.decode("utf-8", "ignore" if _is_text(cut) else "replace")
        self.warnings.add(f"{shown} is no valid {'identifier' if binary else 'UTF-8'}")
        return value.decode("utf-8", "replace")


def parse(message: bytes, start: int, end: int) -> tuple[str, Raw]:
    """DN and attributes of a search result entry (RFC 4511, section 4.5.2); ValueError when it is none."""
    first, at = ber.expect(message, start, end, ber.OCTETS)
    dn = message[first:at].decode("utf-8", "replace")
    at, stop = ber.expect(message, at, end, ber.SEQUENCE)
    raw: Raw = []
    while at < stop:
        # The short form of lengths by hand, here and below: nearly all are under 128, and there are millions.
        after = at + 2 + message[at + 1]
        first = at + 4
        if (
            message[at] == ber.SEQUENCE
            and after <= at + 0x81
            and after <= stop
            and message[at + 2] == ber.OCTETS
            and (last := first + message[at + 3]) <= after
        ):
            raw.append((message[first:last], values_of(message, last, after)))
        else:
            inner, after = ber.expect(message, at, stop, ber.SEQUENCE)
            first, last = ber.expect(message, inner, after, ber.OCTETS)
            raw.append((message[first:last], values_of(message, last, after)))
        at = after
    return dn, raw


def values_of(message: bytes, at: int, end: int) -> list[bytes]:
    """The values of one attribute: a SET of octet strings."""
    at, stop = ber.expect(message, at, end, 0x31)
    values = []
    while at < stop:
        if message[at] == ber.OCTETS and at + 1 < stop and (size := message[at + 1]) < 0x80:
            first, at = at + 2, at + 2 + size
            if at > stop:
                raise ValueError("a value is longer than what holds it")
        else:
            first, at = ber.expect(message, at, stop, ber.OCTETS)
        values.append(message[first:at])
    return values


def texts(values: Sequence[Value]) -> list[str] | None:
    """All values as text in one step; None when some are none, or several, or have line breaks of their own."""
    try:
        found = str(b"\n".join(cast("Sequence[bytes]", values)), "utf-8").split("\n")
    except (TypeError, UnicodeDecodeError):
        return None
    return found if len(found) == len(values) else None


def listed(value: Value) -> list[bytes]:
    """The values, in a list of their own."""
    if isinstance(value, list):
        return value.copy()
    return [value] if value else []


def folded(values: Iterable[str]) -> Cell:
    """Several values in folded order (a directory keeps none, and replicas differ); one as it is."""
    ordered = sorted(values, key=lambda text: (fold(text), text))
    return ordered[0] if len(ordered) == 1 else tuple(ordered)


def merged(one: Cell, other: Cell) -> Cell:
    """The values of two cells together."""
    if one == "":
        return other
    if other == "":
        return one
    both = [*((one,) if isinstance(one, str) else one), *((other,) if isinstance(other, str) else other)]
    return folded(both)


def _ranged(found: Entry, name: bytes) -> bytes:
    """Notes that an attribute came in part (MS-ADTS 3.1.1.3.1.3.3) and returns its plain name."""
    plain, _, span = name.decode("utf-8", "replace").partition(";")
    for option in span.lower().split(";"):
        if option.startswith("range="):
            last = option.rpartition("-")[2]
            if last != "*":
                found.ranges.append((plain, int(last) + 1))
    return plain.encode()


def _positions(names: Sequence[str]) -> dict[str, list[int]]:
    """Where each attribute goes, by its lower-case name and, for a long name, by its short one too."""
    positions: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        lower = name.lower()
        if not lower:
            continue
        for spelling in {lower, ALIASES.get(lower, lower)}:
            positions.setdefault(spelling, []).append(at)
    return positions


def _is_text(cut: bytes) -> bool:
    """Is this UTF-8, but for a last character that was cut?"""
    try:
        cut.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(cut) - 3 and error.reason == "unexpected end of data"
    return True
