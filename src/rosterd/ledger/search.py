"""Looking for people in the whole ledger by parts of their key, their name or an address.

No index could answer that without making every delivery slower, so the tables are looked through, slice by slice,
until a moment that the caller names (of time.monotonic); the next call goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from unicodedata import normalize

from rosterd.core.people import fold
from rosterd.ledger.reading import Reader

SLICE = 2_048  # rows looked through at a time
TABLES = ("person", "account", "problem")  # where people are looked for, in this order


class Match(NamedTuple):
    """Somebody whom a search found. state: as of core.people, or of core.access, or a bucket; see `table`."""

    table: str
    binding: int
    key: bytes
    shown: str
    name: str
    emails: str
    state: str


class Spot(NamedTuple):
    """Where a search has come to: it goes on after this."""

    table: str = TABLES[0]
    binding: int = 0
    key: bytes = b""


class Search(Reader):
    """Finding people."""

    def known(self, key: bytes, most: int) -> list[Match]:
        """Everybody with just this key, whatever the client."""
        rows = self._rows(
            "SELECT b.id, p.key, p.domain || '//' || p.logon, p.name, p.email, p.state FROM binding b"
            " CROSS JOIN person p ON p.binding = b.id AND p.key = ? LIMIT ?",
            (key, most),
        )
        return [Match("person", *row) for row in rows]

    def search(
        self, words: Sequence[str], spot: Spot, most: int, until: float, binding: int | None = None
    ) -> tuple[list[Match], Spot | None]:
        """Whoever has all of these words in key, name or an address: matches, and where to go on.

        Nothing is folded but letter case; `binding`: of one client only. There is nowhere to go on to at the end.
        """
        found: list[Match] = []
        for table in TABLES[TABLES.index(spot.table) :]:
            at = spot if table == spot.table else Spot(table)
            if binding is not None and at.binding != binding:
                at = Spot(table, binding)
            full = True
            while full and (reach := self._reach(at, binding)):
                end, full = reach
                for match in self._within(words, at, binding):
                    if (
                        binding in (None, match.binding)
                        and _has(match, words)
                        and not self._seen(match, words)
                    ):
                        found.append(match)
                        if len(found) >= most:
                            return found, Spot(table, match.binding, match.key)
                at = end
                if full and time.monotonic() >= until:
                    return found, at
        return found, None

    def _reach(self, at: Spot, binding: int | None) -> tuple[Spot, bool] | None:
        """The last place of the slice that follows in a table, and whether it is a full one; None when nothing does."""
        where, values = _beyond(at, binding)
        sql = f"SELECT binding, key FROM {at.table} WHERE {where} ORDER BY binding{{0}}, key{{0}}"
        for row in self._rows(f"{sql.format('')} LIMIT 1 OFFSET {SLICE - 1}", values):
            return Spot(at.table, *row), True
        for row in self._rows(f"{sql.format(' DESC')} LIMIT 1", values):
            return Spot(at.table, *row), False
        return None

    def _within(self, words: Sequence[str], after: Spot, binding: int | None) -> Iterator[Match]:
        """Rows of the slice that may match: LIKE knows letter case of ASCII only, so `_has` looks again."""
        columns, text = _SEARCHED[after.table]
        where, values = _beyond(after, binding)
        likes = " AND ".join(f"({text}) LIKE ? ESCAPE '\\'" for _ in words)
        part = f"SELECT * FROM {after.table} WHERE {where} ORDER BY binding, key LIMIT {SLICE}"
        sql = f"SELECT {columns} FROM ({part}) t WHERE {likes} ORDER BY t.binding, t.key"
        for row in self._rows(sql, (*values, *map(_like, words))):
            yield Match(after.table, *row)

    def _seen(self, match: Match, words: Sequence[str]) -> bool:
        """Whether an account is of somebody who was found already among the people."""
        if match.table != "account":
            return False
        sql = "SELECT domain || '//' || logon, name, email FROM person WHERE binding = ? AND key = ?"
        rows = self._rows(sql, (match.binding, match.key))
        return any(
            _has(match._replace(shown=shown, name=name, emails=email), words) for shown, name, email in rows
        )


def _beyond(at: Spot, binding: int | None) -> tuple[str, tuple[Any, ...]]:
    """The condition of what follows, and its values.

    Of one binding it is no pair: SQLite would begin each slice at the binding's first row.
    """
    which = "kind = 'person' AND " if at.table == "problem" else ""
    if binding is None:
        return f"{which}(binding, key) > (?, ?)", at[1:]
    return f"{which}binding = ? AND key > ?", (binding, at.key)


_UNSEEN = "NOT EXISTS (SELECT 1 FROM {table} o WHERE o.binding = t.binding AND o.key = t.key)"
_SEARCHED = {
    "person": (
        "t.binding, t.key, t.domain || '//' || t.logon, t.name, t.email, t.state",
        "t.domain || '//' || t.logon || ' ' || t.name || ' ' || t.email",
    ),
    "account": (
        "t.binding, t.key, t.shown, t.name, t.emails, t.state",
        "t.shown || ' ' || t.name || ' ' || t.emails",
    ),
    "problem": (
        "t.binding, t.key, t.shown, '', '', t.bucket",
        f"iif({_UNSEEN.format(table='person')} AND {_UNSEEN.format(table='account')}, t.shown, '')",
    ),
}


def _like(word: str) -> str:
    """A pattern that nothing which has the word escapes."""
    safe = "".join(f"\\{char}" if char in "\\%_" else char for char in word)
    return "%" + "".join(char if char.isascii() else "_" for char in safe) + "%"


def _has(match: Match, words: Sequence[str]) -> bool:
    text = fold(f"{match.shown} {match.name} {match.emails}")
    return all(fold(word) in text for word in words)


def words_of(text: str) -> list[str]:
    """The words of a search: composed, at most eight, none twice."""
    return list(dict.fromkeys(normalize("NFC", text).split()))[:8]
