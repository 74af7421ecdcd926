"""A walk through changes at random, the same each time: people who come, change, move and go, and their groups."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.real.ldap.follow_kit import followed, proven
from tests.real.ldap.runs_kit import Site, added, leaves, removed, renamed, replaced

PEOPLE = 3  # who take part: few, so that much happens to each


class Words(NamedTuple):
    """What a server's own words are: where people lie (the last place is not read), the groups, an account's lines.

    off: the attribute that says whether an account may be used, then its values; "" for none.
    linked: the server itself keeps the names of members right.
    """

    rdn: str
    places: tuple[str, ...]
    groups: tuple[str, ...]
    account: Callable[[str], str]
    off: tuple[str, str, str]
    linked: bool


@dataclass
class Walk:
    """Where everybody is, so that only possible changes are made."""

    words: Words
    chance: random.Random
    there: dict[int, tuple[str, str]] = field(default_factory=dict)  # number -> name, place
    members: set[tuple[str, str]] = field(default_factory=set)  # group, DN

    def dn(self, number: int) -> str:
        name, place = self.there[number]
        return f"{self.words.rdn}={name},{place}"

    def burst(self) -> Iterator[str]:
        """Some changes in quick succession, as LDIF."""
        for _ in range(self.chance.choice((1, 2, 4, 7))):
            number = self.chance.randrange(PEOPLE)
            yield from self._step(number) if number in self.there else self._come(number)

    def _come(self, number: int) -> Iterator[str]:
        self.there[number] = (f"w{number}", self.chance.choice(self.words.places))
        yield f"dn: {self.dn(number)}\nchangetype: add\n{self.words.account(f'w{number}')}"

    def _step(self, number: int) -> Iterator[str]:
        dn, group = self.dn(number), self.chance.choice(self.words.groups)
        name, usable, unusable = self.words.off
        match self.chance.choice(
            ("go", "mail", "rename", "move", "join", "join", "leave", "off", "on", "again")
        ):
            case "go":
                yield self._gone(number)
            case "again":  # somebody else of the same name
                yield self._gone(number)
                yield from self._come(number)
            case "mail":
                yield replaced(dn, "mail", f"{self.chance.randrange(100)}@acme.example")
            case "rename":
                new = f"w{number}" if self.there[number][0] != f"w{number}" else f"W{number}x"
                yield renamed(dn, f"{self.words.rdn}={new}")
                self._named(number, new, self.there[number][1])
            case "move":
                place = self.chance.choice(self.words.places)
                yield f"{renamed(dn, dn.partition(',')[0])}newsuperior: {place}\n"
                self._named(number, self.there[number][0], place)
            case "join" if (group, dn) not in self.members:
                self.members.add((group, dn))
                yield added(group, "member", dn)
            case "leave" if (group, dn) in self.members:
                self.members.discard((group, dn))
                yield removed(group, "member", dn)
            case "off":
                yield replaced(dn, name, unusable)
            case "on":
                yield replaced(dn, name, *filter(None, (usable,)))

    def _gone(self, number: int) -> str:
        dn = self.dn(number)
        del self.there[number]
        if self.words.linked:
            self.members = {one for one in self.members if one[1] != dn}
        return leaves(dn)

    def _named(self, number: int, name: str, place: str) -> None:
        old = self.dn(number)
        self.there[number] = (name, place)
        if self.words.linked:
            self.members = {(group, self.dn(number) if dn == old else dn) for group, dn in self.members}


def walked(site: Site, modify: Callable[[str], None], words: Words, bursts: int) -> None:
    """After each burst of changes nothing is left for a full read to do."""
    walk = Walk(words, random.Random(3))
    for _ in range(bursts):
        if changes := "\n".join(walk.burst()):
            modify(changes)
        followed(site, None)
        proven(site)
