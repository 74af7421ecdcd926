"""What somebody who looks asks of the ledger: one person, one page of a list.

Everything is a short read. What no index answers is looked through slice by slice until a moment that the caller
names (of time.monotonic), and goes on from there when asked again: so a page about a million people is as quick as
one about ten.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from rosterd.core.access import Account
from rosterd.core.people import Known
from rosterd.ledger import store
from rosterd.ledger.reading import Reader

SLICE = 2_048  # rows looked through at a time


class Trouble(NamedTuple):
    """A record that stands refused or set aside. Times are seconds since 1970."""

    kind: str
    key: bytes
    bucket: str
    shown: str
    reason: str
    since: float
    tried: float


class Listed(NamedTuple):
    """A change of a held plan; see core.plan.Change."""

    op: str
    kind: str
    key: bytes
    shown: str
    before: Any
    after: Any


class Past(NamedTuple):
    """What a delivery changed, or a refusal. answer: "" when it was accepted. at: None when its run is pruned."""

    kind: str
    shown: str
    op: str
    before: Any
    after: Any
    answer: str
    run: int
    at: float | None


class Looking(Reader):
    """Reading for people's eyes."""

    def only_read(self) -> None:
        """From now on nothing can be written over this connection."""
        with store.explained(self.path):
            self._db.execute("PRAGMA query_only=ON")

    def clients(self) -> dict[int, str]:
        """Every client that the ledger has met, by its binding."""
        return dict(self._rows("SELECT id, client FROM binding"))

    def person(self, binding: int, key: bytes) -> tuple[Known, int] | None:
        """Somebody as the target was told of them, and the run that last wrote it."""
        rows = self._rows(
            "SELECT key, domain, logon, name, email, source, id, dn, state, run FROM person"
            " WHERE binding = ? AND key = ?",
            (binding, key),
        )
        return (rows[0][:9], rows[0][9]) if rows else None

    def account(self, binding: int, key: bytes) -> tuple[Account, float] | None:
        """Somebody as the directory last showed them, and since when they are in that state."""
        rows = self._rows(
            "SELECT key, shown, name, emails, state, note, source, since FROM account WHERE binding = ? AND key = ?",
            (binding, key),
        )
        return (Account(*rows[0][:7]), rows[0][7]) if rows else None

    def trouble(self, binding: int, kind: str, key: bytes) -> Trouble | None:
        """What stands against one record."""
        rows = self._rows(
            "SELECT kind, key, bucket, shown, reason, since, tried FROM problem"
            " WHERE binding = ? AND kind = ? AND key = ?",
            (binding, kind, key),
        )
        return Trouble(*rows[0]) if rows else None

    def troubles(
        self, binding: int, after: tuple[str, bytes] = ("", b""), most: int = 100, bucket: str | None = None
    ) -> list[Trouble]:
        """One page of what is refused and set aside (or of one of the two), in the order of kind and key."""
        return [
            Trouble(*row)
            for row in self._rows(
                "SELECT kind, key, bucket, shown, reason, since, tried FROM problem"
                " WHERE binding = ?1 AND (kind, key) > (?2, ?3) AND (?5 IS NULL OR bucket = ?5)"
                " ORDER BY kind, key LIMIT ?4",
                (binding, *after, most, bucket),
            )
        ]

    def reasons(self, binding: int, most: int = 10, within: int = 5_000) -> list[tuple[str, str, int]]:
        """bucket, reason and number of the commonest reasons among the first problems."""
        return self._rows(
            "SELECT bucket, reason, count(*) FROM (SELECT bucket, reason FROM problem WHERE binding = ? LIMIT ?)"
            " GROUP BY bucket, reason ORDER BY count(*) DESC, reason LIMIT ?",
            (binding, within, most),
        )

    def listed(self, plan: int, after: tuple[str, bytes] = ("", b""), most: int = 100) -> list[Listed]:
        """One page of a held plan's changes."""
        rows = self._rows(
            "SELECT kind, key, change FROM plan_change WHERE plan = ? AND (kind, key) > (?, ?)"
            " ORDER BY kind, key LIMIT ?",
            (plan, *after, most),
        )
        return [_listed(kind, key, self._told(text)) for kind, key, text in rows]

    def waiting(self, binding: int, keys: Sequence[tuple[str, bytes]]) -> list[tuple[str, bool, Listed]]:
        """Which plans hold changes of these records (kind, key): digest, whether it is approved, the change."""
        found = []
        for digest, approved, plan in self._rows(
            "SELECT digest, approved IS NOT NULL, id FROM plan WHERE binding = ? ORDER BY id", (binding,)
        ):
            for kind, key in keys:
                sql = "SELECT change FROM plan_change WHERE plan = ? AND kind = ? AND key = ?"
                for (text,) in self._rows(sql, (plan, kind, key)):
                    found.append((digest, bool(approved), _listed(kind, key, self._told(text))))
        return found

    def seated(self, binding: int, person: bytes) -> list[tuple[bytes, str, str]]:
        """The groupings somebody sits in, or sat in: key of the seat, the grouping's name, state of the seat."""
        return self._rows(
            "SELECT s.key, g.name, s.state FROM grouping g CROSS JOIN seat s ON s.binding = g.binding"
            " AND s.key = CAST(g.key || x'00' || ?2 AS BLOB) WHERE g.binding = ?1 ORDER BY g.key",
            (binding, person),
        )

    def past(self, binding: int, kind: str, key: bytes) -> list[Past]:
        """What is kept of a record's history, the oldest first."""
        rows = self._rows(
            "SELECT h.change, h.answer, h.run, r.started FROM history h LEFT JOIN run r ON r.id = h.run"
            " WHERE h.binding = ? AND h.kind = ? AND h.key = ? ORDER BY h.run, h.seq",
            (binding, kind, key),
        )
        found = []
        for text, answer, run, at in rows:
            op, _, shown, before, after = self._told(text)
            found.append(Past(kind, shown, op, before, after, answer, run, at))
        return found

    def holdings(
        self, binding: int, emails: Sequence[str], looked: int
    ) -> tuple[list[tuple[str, str, str, str]], bool]:
        """Access elsewhere of these addresses: kind and name of the place, level, via; and whether all were looked at.

        At most `looked` entries are: no index leads from an address to them. The access report knows them all, also
        those that it recognises by something else than the address.
        """
        marks = ",".join("?" * len(emails))
        rows = self._rows(
            "SELECT h.kind, coalesce(nullif(p.name, ''), h.place), h.level, h.via FROM"
            " (SELECT * FROM holder WHERE binding = ?1 ORDER BY kind, place, subject, number LIMIT ?2) h"
            " LEFT JOIN place p ON p.binding = h.binding AND p.kind = h.kind AND p.id = h.place"
            f" WHERE lower(h.email) IN ({marks}) ORDER BY 1, 2, 3",
            (binding, looked, *(email.lower() for email in emails)),
        )
        more = self._rows("SELECT 1 FROM holder WHERE binding = ? LIMIT 1 OFFSET ?", (binding, looked))
        return rows, not more

    def run_started(self, run: int) -> float | None:
        """When a run began; None when it is pruned."""
        return next((row[0] for row in self._rows("SELECT started FROM run WHERE id = ?", (run,))), None)

    def trend(self, binding: int, most: int) -> list[tuple[float, int]]:
        """When the last runs began, and how many people each delivered or saw go; the oldest first."""
        counts = (f"coalesce(document ->> '$.people.{name}', 0)" for name in ("created", "updated", "gone"))
        sql = (
            f"SELECT started, {' + '.join(counts)} FROM run WHERE binding = ? AND ended IS NOT NULL"
            " ORDER BY id DESC LIMIT ?"
        )
        return self._rows(sql, (binding, most))[::-1]

    def written(
        self, binding: int, run: int, after: bytes, most: int, until: float
    ) -> tuple[list[tuple[bytes, str, str, str]], bytes | None]:
        """People whom a run was the last to write: key, as shown, name, state; and where to go on, None at the end."""
        sql = (
            "SELECT key, domain || '//' || logon, name, state FROM person"
            " WHERE binding = ? AND key > ? AND key <= ? AND run = ? ORDER BY key LIMIT ?"
        )
        return self._through(binding, sql, (run,), after, most, until)

    def gone(
        self, binding: int, after: bytes, most: int, until: float
    ) -> tuple[list[tuple[bytes, str, str, str, float]], bytes | None]:
        """People who left and must be removed by hand: key, as shown, name, e-mail, since; and where to go on."""
        sql = (
            "SELECT key, domain || '//' || logon, name, email,"
            " coalesce((SELECT started FROM run WHERE run.id = person.run), 0) FROM person"
            " WHERE binding = ? AND key > ? AND key <= ? AND state = 'left' ORDER BY key LIMIT ?"
        )
        return self._through(binding, sql, (), after, most, until)

    def _through(
        self, binding: int, sql: str, values: tuple[Any, ...], after: bytes, most: int, until: float
    ) -> tuple[list[Any], bytes | None]:
        found: list[Any] = []
        while True:
            last, full = self._end(binding, after)
            found += self._rows(sql, (binding, after, last, *values, most - len(found)))
            if len(found) >= most:
                return found, found[-1][0]
            if not full:
                return found, None
            after = last
            if time.monotonic() >= until:
                return found, after

    def _end(self, binding: int, after: bytes) -> tuple[bytes, bool]:
        """The last key of the slice that follows, and whether the slice is a full one."""
        sql = "SELECT key FROM person WHERE binding = ? AND key > ? ORDER BY key LIMIT 1 OFFSET ?"
        for (key,) in self._rows(sql, (binding, after, SLICE - 1)):
            return key, True
        sql = "SELECT max(key) FROM person WHERE binding = ? AND key > ?"
        return self._rows(sql, (binding, after))[0][0] or after, False

    def _told(self, text: str) -> Any:
        with store.explained(self.path):
            return json.loads(text)


def _listed(kind: str, key: bytes, told: Any) -> Listed:
    op, _, shown, before, after = told
    return Listed(op, kind, key, shown, before, after)
