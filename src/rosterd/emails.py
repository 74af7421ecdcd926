"""Addresses that several people share, found in flat memory among any number of people.

A first pass leaves a tag of each address in a slot of a table, both by its hash, and remembers the hashes that found
their slot taken by the same tag (a few of them by chance); a second pass, over the sorted people, looks closely at
those only.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from rosterd.core.people import ACTIVE, Row, fold, wanted_of

_MANY: Final = 50_000  # people after whom a larger table takes over
_FIRST: Final = 1 << 19  # slots of the first table
_REST: Final = (
    1 << 22
)  # slots of the larger one: 4 MiB; a million people leave some 20,000 candidates by chance
_SHARED: Final = 255  # what a slot holds that two different tags met; tags are 1 to 254


_mark = itemgetter(4)
NAMED: Final = 5  # people who are named of those who share an address


@dataclass
class Share:
    """Who has one address: how many, and the first of them as shown."""

    email: str
    count: int = 0
    first: list[str] = field(default_factory=list)


class SharedEmails:
    """Feed all addresses, then ask."""

    def __init__(self) -> None:
        self._table = bytearray(_FIRST)
        self._early = array("q")  # the marks so far, while the table is the small one
        self.candidates: set[int] = set()

    def feed(self, marks: list[int]) -> None:
        """Takes note of addresses by their marks: hash(address.lower())."""
        if len(self._table) == _FIRST:
            self._early.extend(marks)
            if len(self._early) > _MANY:
                self._table = bytearray(_REST)
                marks, self._early = self._early.tolist(), array("q")
        self.candidates.update(_taken(self._table, marks))

    def look(self, rows: list[Row], found: dict[str, Share]) -> None:
        """Notes the candidates among one row per person."""
        if self.candidates.isdisjoint(map(_mark, rows)):
            return
        for person in [wanted_of(row) for row in rows if row[4] in self.candidates]:
            if person[4] and person[8] == ACTIVE:
                share = found.setdefault(fold(person[4]), Share(person[4]))
                share.count += 1
                if share.count <= NAMED:
                    share.first.append(f"{person[1]}//{person[2]}")


def _taken(table: bytearray, marks: list[int]) -> list[int]:
    """The marks that may have come before, all that did among them; each leaves its own tag in its slot.

    A slot that two different marks met is SHARED from then on, and whoever comes to it later is looked at closely.
    """
    mask = len(table) - 1
    found = []
    for mark in marks:
        slot = mark & mask
        held = table[slot]
        if held:
            tag = (mark >> 40) % _SHARED or 1
            if held in (tag, _SHARED):
                found.append(mark)
            else:
                table[slot] = _SHARED
        else:
            table[slot] = (mark >> 40) % _SHARED or 1
    return found
