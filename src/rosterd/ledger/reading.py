"""Reading the ledger on SQLite (APSW), and the one way in which everything is written.

Readers page by key in short transactions; nobody keeps a cursor open. Every write is one transaction that also
raises the serial. Raises LedgerError only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from rosterd.core.people import US, Known, Person, key_of_line
from rosterd.ledger import store
from rosterd.ledger.lock import RunLock, rest_of

PAGE = 4_096  # rows a read transaction
OWN = ("lineage", "serial", "copy", "checked", "pruned")


class Binding(NamedTuple):
    """The ledger's row of one Orbix client. `id` is 0 when the ledger has not met it yet."""

    id: int
    client: str
    approved: bool = False
    delivered: bool = False
    people_size: int | None = None
    groups_size: int | None = None
    paused_at: float | None = None
    paused_why: str | None = None


class Reader:
    """An open ledger. With a lock it may be written by a run; without one it serves readers and small notes."""

    def __init__(self, path: Path, base_url: str, tenant: str, lock: RunLock | None = None) -> None:
        self.path = path
        self._lock = lock
        self._db = store.open_store(path, base_url, tenant, rest=rest_of(path))
        with store.explained(path):
            meta = {"lineage": "", "serial": ""} | self.meta()
            self.lineage, self._serial = meta["lineage"], int(meta["serial"])
            if lock is not None:
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
                lock.rested(store.resting_serial(path) or 0)
        self.notices: list[str] = []

    def close(self) -> None:
        with store.explained(self.path):
            self._db.close()

    def meta(self) -> dict[str, str]:
        """What the ledger says of itself. Beside it lie the waits of every customer, which are many."""
        marks = ",".join("?" * len(OWN))
        return dict(self._rows(f"SELECT name, value FROM meta WHERE name IN ({marks})", OWN))

    def binding(self, client: str) -> Binding:
        for row in self._rows(
            "SELECT id, client, approved, delivered, people_size, groups_size, paused_at, paused_why"
            " FROM binding WHERE client = ?",
            (client,),
        ):
            return Binding(row[0], row[1], bool(row[2]), bool(row[3]), *row[4:])
        return Binding(0, client)

    def restored(self, binding: int) -> bool:
        """Whether an older copy was put back, and no whole run of this customer has ended well since."""
        return bool(self._rows("SELECT 1 FROM meta WHERE name = ?", (f"restored {binding}",)))

    def people(self, binding: int) -> Iterator[list[Known]]:
        return self._pages(
            "SELECT key, domain, logon, name, email, source, id, dn, state FROM person"
            " WHERE binding = ? AND key > ? ORDER BY key LIMIT ?",
            binding,
        )

    def lines(self, binding: int) -> Iterator[list[str]]:
        """Everybody as lines (see core.people), in key order."""
        fields = ("CAST(key AS TEXT)", "domain", "logon", "name", "email", "source", "id", "dn", "state")
        # The US is written out: a call of char() for every row costs half as much again.
        line = f"||'{US}'||".join(fields)
        sql = f"SELECT {line} FROM person WHERE binding = ? AND key > ? ORDER BY key LIMIT ?"
        last, after = "", b""
        while rows := self._rows(sql, (binding, after, PAGE)):
            page = [line for (line,) in rows]
            self._rising(last, page)
            yield page
            last, after = page[-1], key_of_line(page[-1]).encode()

    def groups(self, binding: int) -> list[tuple[bytes, str, str, str, str, str]]:
        """key, name, description, source, id, state of every grouping; they are few."""
        return self._rows(
            "SELECT key, name, description, source, id, state FROM grouping WHERE binding = ? ORDER BY key",
            (binding,),
        )

    def seats(self, binding: int) -> Iterator[list[tuple[bytes, str, str]]]:
        return self._pages(
            "SELECT key, source, state FROM seat WHERE binding = ? AND key > ? ORDER BY key LIMIT ?", binding
        )

    def active_seats(self, binding: int, group: bytes, most: int = -1) -> int:
        """How many seats of one grouping the target has, counted up to `most`."""
        seats = "SELECT 1 FROM seat WHERE binding = ? AND key > ? AND key < ? AND state NOT IN ('left', 'removed')"
        values = (binding, group + b"\0", group + b"\1", most)
        count: int = self._rows(f"SELECT count(*) FROM ({seats} LIMIT ?)", values)[0][0]
        return count

    def shown(self, binding: int, keys: Sequence[bytes]) -> dict[bytes, str]:
        """People as Orbix shows them: DOMAIN//logon."""
        found: dict[bytes, str] = {}
        for start in range(0, len(keys), 1_000):
            some = keys[start : start + 1_000]
            marks = ",".join("?" * len(some))
            sql = f"SELECT key, domain || '//' || logon FROM person WHERE binding = ? AND key IN ({marks})"
            found.update(self._rows(sql, (binding, *some)))
        return found

    def seats_of(self, binding: int, group: bytes, most: int) -> list[bytes]:
        """Seat keys of one grouping as the target has them, in key order."""
        sql = (
            "SELECT key FROM seat WHERE binding = ? AND key > ? AND key < ? AND state IN ('active', 'doubt')"
            " ORDER BY key LIMIT ?"
        )
        return [row[0] for row in self._rows(sql, (binding, group + b"\0", group + b"\1", most))]

    def somebody_in(self, binding: int, group: bytes) -> list[bytes]:
        """The first seat of one grouping whose person the target has, too; none when there is no such seat."""
        sql = (
            "SELECT s.key FROM seat s WHERE s.binding = ? AND s.key > ? AND s.key < ?"
            " AND s.state IN ('active', 'doubt') AND EXISTS (SELECT 1 FROM person p"
            " WHERE p.binding = s.binding AND p.source <> '' AND p.key = substr(s.key, instr(s.key, x'00') + 1)"
            " AND p.state IN ('active', 'doubt')) ORDER BY s.key LIMIT 1"
        )
        return [row[0] for row in self._rows(sql, (binding, group + b"\0", group + b"\1"))]

    def edges(self, binding: int) -> Iterator[list[tuple[str, bytes, str]]]:
        """Raw membership in order, in pages that never end amid one ref (core.merge.align asks for that)."""
        sql = "SELECT ref, handle, source FROM edge WHERE binding = ? AND "
        order = " ORDER BY ref, handle, source"
        last, after = ("", b"", ""), ""
        while rows := self._rows(f"{sql}ref > ?{order} LIMIT ?", (binding, after, PAGE)):
            if len(rows) == PAGE:
                after, *rest = rows[-1]
                rows += self._rows(
                    f"{sql}ref = ? AND (handle, source) > (?, ?){order}", (binding, after, *rest)
                )
            self._rising(last, rows)
            yield rows
            last, after = rows[-1], rows[-1][0]

    def refusals(
        self, binding: int, kind: str, low: bytes, high: bytes
    ) -> dict[bytes, tuple[str, str, float]]:
        """Standing refusals in a range of keys: key -> (content, reason, last tried)."""
        rows = self._rows(
            "SELECT key, content, reason, tried FROM problem"
            " WHERE binding = ? AND kind = ? AND key BETWEEN ? AND ? AND bucket = 'refused'",
            (binding, kind, low, high),
        )
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def has_refusals(self, binding: int) -> bool:
        return bool(
            self._rows("SELECT 1 FROM problem WHERE binding = ? AND bucket = 'refused' LIMIT 1", (binding,))
        )

    def problems(self, binding: int) -> Iterator[list[tuple[bytes, str, str, int]]]:
        """Sort key (kind, NUL, key), bucket, reason, told: in that order, in pages."""
        sql = (
            "SELECT kind, key, bucket, reason, told FROM problem"
            " WHERE binding = ? AND (kind, key) > (?, ?) ORDER BY kind, key LIMIT ?"
        )
        for rows in self._pages(sql, binding, start=("", b"")):
            yield [
                (kind.encode() + b"\0" + key, bucket, reason, told)
                for kind, key, bucket, reason, told in rows
            ]

    def untold_refusals(self, binding: int) -> int:
        """Refusals that no run which ended 0 or 3 has reported yet."""
        sql = "SELECT count(*) FROM problem WHERE binding = ? AND bucket = 'refused' AND told = 0"
        count: int = self._rows(sql, (binding,))[0][0]
        return count

    def acknowledged(
        self, binding: int, keys: Sequence[bytes], *, seated: bool = False
    ) -> dict[bytes, Person]:
        """The people among `keys` as the target has them, without those refused in their present form.

        `seated`: as the target was last known to have them, for a grouping that is sent whole: whoever is in it
        already must not be left out because a later form of theirs is refused or in doubt.
        """
        marks = ",".join("?" * len(keys))
        known = "p.state = 'active' AND NOT EXISTS (SELECT 1 FROM problem r WHERE r.binding = p.binding"
        known += " AND r.kind = 'person' AND r.key = p.key AND r.bucket = 'refused')"
        if seated:
            known = "p.state IN ('active', 'doubt') AND p.source <> ''"
        rows = self._rows(
            "SELECT p.key, p.domain, p.logon, p.name, p.email FROM person p"
            f" WHERE p.binding = ? AND p.key IN ({marks}) AND {known}",
            (binding, *keys),
        )
        return {row[0]: Person(*row) for row in rows}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with store.explained(self.path), self._lock.turn if self._lock is not None else nullcontext():
            self._db.execute("BEGIN IMMEDIATE")
            serial = self._serial
            try:
                yield
                if self._lock is not None:  # only a run's writes age the ledger: they tell what a target has
                    sql = "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE name = 'serial' RETURNING value"
                    for (value,) in self._db.execute(sql):
                        serial = int(value)
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            if self._lock is not None:
                self._serial = serial
                self._lock.note(self.lineage, self._serial)

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with store.explained(self.path):
            return list(self._db.execute(sql, values))

    def _pages(self, sql: str, *values: Any, start: tuple[Any, ...] = (b"",)) -> Iterator[list[Any]]:
        """Pages of a query that takes `values`, the key to go on after, and the most rows; keys come first in a row."""
        after, width = start, len(start)
        while rows := self._rows(sql, (*values, *after, PAGE)):
            keys = [row[:width] for row in rows]
            self._rising(after, keys)
            yield rows
            after = keys[-1]

    def _rising(self, last: Any, keys: list[Any]) -> None:
        """A damaged index may give keys in circles: without this a reader would go round for ever."""
        if keys[0] <= last or keys != sorted(keys):
            with store.explained(self.path):
                raise ValueError("its keys are out of order")

    def successors(self, binding: int) -> dict[bytes, str]:
        """Leavers whose entry is delivered under another key, and that key as shown.

        Two passes over a binding's people. A join would look through everybody's, of every binding, for each leaver:
        no index leads from an entry to its keys.
        """
        left = "FROM person WHERE binding = ?1 AND state = 'left' AND id <> '' AND source <> ''"
        rows = self._rows(
            "SELECT source, id, domain || '//' || logon FROM person WHERE binding = ?1"
            f" AND state IN ('active', 'doubt') AND (source, id) IN (SELECT source, id {left})",
            (binding,),
        )
        found: dict[tuple[str, str], list[str]] = {}
        for source, id_, shown in rows:
            found.setdefault((source, id_), []).append(shown)
        only = {entry: shown[0] for entry, shown in found.items() if len(shown) == 1}
        leavers = self._rows(f"SELECT key, source, id {left}", (binding,)) if only else []
        return {key: only[entry] for key, *pair in leavers if (entry := (pair[0], pair[1])) in only}
