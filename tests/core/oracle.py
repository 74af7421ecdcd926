"""What a company wants delivered, worked out the slow and plain way: dictionaries, no sorting, no streams."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from unicodedata import normalize

from tests.core.company import Directory, Entry

Record = tuple[str, str, str | None, str | None]  # logon, domain, name, e-mail, as Orbix would hold it
Seat = tuple[str, str]  # grouping, person; both folded


@dataclass
class Wish:
    """`seats` must be delivered; those in `kept` stay as they are; those in `perhaps` may or may not."""

    people: dict[str, Record] = field(default_factory=dict)
    aside: set[str] = field(default_factory=set)
    groups: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    groups_aside: set[str] = field(default_factory=set)
    seats: set[Seat] = field(default_factory=set)
    kept: set[Seat] = field(default_factory=set)
    perhaps: set[Seat] = field(default_factory=set)


def key_of(entry: Entry) -> str:
    return f"{entry.domain}//{entry.logon}".lower()


def wish(directories: Sequence[Directory], precedence: Sequence[str]) -> Wish:
    """What is wanted of directories that were all read whole."""
    found = Wish()
    _people(found, directories, precedence)
    _groups(found, directories, precedence)
    for directory in directories:
        for identity, unit in directory.groups.items():
            for member in _members(directory, identity, set()):
                _seat(found, unit.name.casefold(), directory.people[member])
    found.kept -= found.seats
    found.perhaps -= found.seats
    return found


def _people(found: Wish, directories: Sequence[Directory], precedence: Sequence[str]) -> None:
    able: dict[str, list[tuple[int, Entry]]] = {}
    for directory in directories:
        rank = precedence.index(directory.name) if directory.name in precedence else 99
        for entry in directory.people.values():
            if not entry.disabled:
                able.setdefault(key_of(entry), []).append((rank, entry))
    for key, ranked in able.items():
        best = min(rank for rank, _ in ranked)
        entries = [entry for rank, entry in ranked if rank == best or not precedence]
        if len(entries) > 1 or not re.fullmatch(r"[A-Za-z0-9._-]+", entries[0].logon):
            found.aside.add(key)
        else:
            found.people[key] = _record(entries[0])


def _record(entry: Entry) -> Record:
    mail = entry.mail if re.fullmatch(r"[a-z0-9.]+@[a-z.]+", entry.mail) else ""
    return (entry.logon, entry.domain, normalize("NFC", entry.name.strip()) or None, mail or None)


def _groups(found: Wish, directories: Sequence[Directory], precedence: Sequence[str]) -> None:
    spoken: dict[str, list[tuple[int, str, str]]] = {}
    for directory in directories:
        rank = precedence.index(directory.name) if directory.name in precedence else 99
        for unit in directory.groups.values():
            spoken.setdefault(unit.name.casefold(), []).append((rank, unit.name, unit.description))
    for key, ranked in spoken.items():
        best = min(rank for rank, _, _ in ranked)
        said = [(name, about) for rank, name, about in ranked if rank == best or not precedence]
        abouts = {about for _, about in said if about}
        if len(abouts) > 1 or not key or len(key) > 150:
            found.groups_aside.add(key)
        else:
            found.groups[key] = (min(name for name, _ in said), next(iter(abouts), None))


def _members(directory: Directory, identity: str, seen: set[str]) -> Iterator[str]:
    """People in a group, and in the groups in it."""
    seen.add(identity)
    for member in directory.groups[identity].members:
        if member in directory.people:
            yield member
        elif directory.dns and member in directory.groups and member not in seen:
            yield from _members(directory, member, seen)


def _seat(found: Wish, group: str, entry: Entry) -> None:
    seat = (group, key_of(entry))
    if seat[1] in found.aside or group in found.groups_aside:
        found.kept.add(seat)
    elif seat[1] in found.people and entry.disabled:
        found.perhaps.add(seat)  # a disabled twin of somebody: either reading is sound
    elif seat[1] in found.people:
        found.seats.add(seat)
