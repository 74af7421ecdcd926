"""Addresses that several people share, found in flat memory among any number of people.

A first pass marks slots of a table by hash and remembers the hashes whose slot was taken already (a few of
them by chance); a second pass, over the sorted people, looks closely at those only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rosterd.core.people import ACTIVE, Wanted, fold

_SLOTS: Final = 1 << 22  # 4 MiB; a million people leave about 200,000 candidates by chance


class SharedEmails:
    """Feed all addresses, then ask."""

    def __init__(self) -> None:
        self._taken = bytearray(_SLOTS)
        self.candidates: set[int] = set()

    def feed(self, people: Iterable[Wanted]) -> None:
        taken, mask, add = self._taken, _SLOTS - 1, self.candidates.add
        for email in [person[4] for person in people if person[4] and person[8] == ACTIVE]:
            mark = hash(email.lower())
            slot = mark & mask
            if taken[slot]:
                add(mark)
            else:
                taken[slot] = 1

    def shared(self, chunks: Iterable[list[Wanted]]) -> dict[str, list[str]]:
        """Folded address -> the people (as shown) who have it, where they are two or more."""
        found: dict[str, list[str]] = {}
        for chunk in chunks if self.candidates else ():
            self.look(chunk, found)
        return {email: people for email, people in found.items() if len(people) > 1}

    def look(self, chunk: list[Wanted], found: dict[str, list[str]]) -> None:
        """Notes the candidates of one chunk."""
        candidates = self.candidates
        for person in chunk:
            if person[4] and hash(person[4].lower()) in candidates and person[8] == ACTIVE:
                found.setdefault(fold(person[4]), []).append(f"{person[1]}//{person[2]}")
