"""What a run notes in the ledger without a target having said anything: provenance, edges, sizes, what was told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from rosterd.core.plan import GROUP, PERSON, SEAT, Change
from rosterd.ledger.waits import Waits

TABLES = {PERSON: "person", GROUP: "grouping", SEAT: "seat"}


class Notes(Waits):
    """Local notes of a run."""

    def touch(self, binding: int, rows: Iterable[tuple[str, bytes, str, str, str]]) -> None:
        """Takes note of new provenance: (kind, key, source, id, dn); nothing is sent for it."""
        with self._writing():
            for kind, key, *provenance in rows:
                if kind == SEAT:
                    self._db.execute(
                        "UPDATE seat SET source = ? WHERE binding = ? AND key = ?",
                        (provenance[0], binding, key),
                    )
                else:
                    table = "person" if kind == PERSON else "grouping"
                    self._db.execute(
                        f"UPDATE {table} SET source = ?, id = ?, dn = ? WHERE binding = ? AND key = ?",
                        (*provenance, binding, key),
                    )

    def keep_edges(
        self, binding: int, added: Iterable[tuple[str, bytes, str]], removed: Iterable[tuple[str, bytes, str]]
    ) -> None:
        with self._writing():
            self._db.executemany(
                "DELETE FROM edge WHERE binding = ? AND ref = ? AND handle = ? AND source = ?",
                ((binding, *edge) for edge in removed),
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO edge VALUES (?, ?, ?, ?)", ((binding, *edge) for edge in added)
            )

    def arrived(self, binding: int, groups: Iterable[bytes], seats: Iterable[bytes]) -> None:
        """Groupings and seats that were in doubt travelled along as the ledger has them, and were accepted."""
        with self._writing():
            for table, keys in (("grouping", groups), ("seat", seats)):
                sql = f"UPDATE {table} SET state = 'active' WHERE binding = ? AND key = ? AND state = 'doubt'"
                self._db.executemany(sql, ((binding, key) for key in keys))

    def learn_size(self, binding: int, kind: str, size: int) -> None:
        column = "people_size" if kind == PERSON else "groups_size"
        with self._writing():
            self._db.execute(f"UPDATE binding SET {column} = ? WHERE id = ?", (size, binding))

    def tell(
        self, binding: int, asides: Iterable[tuple[str, bytes, str, str]], now: float,
        within: Callable[[str, bytes], bool] | None = None,
    ) -> None:  # fmt: skip
        """After a run that ended 0 or 3: notes what is set aside (kind, key, shown, reason); all problems are told.

        `within`: of which records (kind, key) the run has spoken; None: of all.
        """
        rows = iter(asides)
        first = next(rows, None)
        if first is None and not self._rows("SELECT 1 FROM problem WHERE binding = ? LIMIT 1", (binding,)):
            return  # as after most runs: a transaction costs a sync of the disk
        with self._writing():
            self._db.execute(
                "CREATE TEMP TABLE IF NOT EXISTS aside (kind, key, PRIMARY KEY (kind, key)) WITHOUT ROWID"
            )
            self._db.execute("DELETE FROM aside")
            for kind, key, shown, reason in chain([first] if first else [], rows):
                self._db.execute("INSERT OR IGNORE INTO aside VALUES (?, ?)", (kind, key))
                self._db.execute(
                    "INSERT INTO problem VALUES (?, ?, ?, 'set_aside', ?, ?, '', ?, ?, 1) ON CONFLICT DO UPDATE SET"
                    " bucket = 'set_aside', shown = excluded.shown, reason = excluded.reason, content = ''",
                    (binding, kind, key, shown, reason, now, now),
                )
            over = (
                "FROM problem WHERE binding = ? AND bucket = 'set_aside'"
                " AND (kind, key) NOT IN (SELECT kind, key FROM aside)"
            )
            if within is None:
                self._db.execute(f"DELETE {over}", (binding,))
            else:
                found = self._rows(f"SELECT kind, key {over}", (binding,))
                self._db.executemany(
                    "DELETE FROM problem WHERE binding = ? AND kind = ? AND key = ?",
                    [(binding, *one) for one in found if within(*one)],
                )
            self._db.execute("UPDATE problem SET told = 1 WHERE binding = ? AND told = 0", (binding,))

    def drop_refusals(self, binding: int, keys: Iterable[tuple[str, bytes]]) -> None:
        """Refusals of records that are no longer wanted in that form."""
        rows = iter(keys)
        first = next(rows, None)
        if first is None:
            return
        with self._writing():
            self._db.executemany(
                "DELETE FROM problem WHERE binding = ? AND kind = ? AND key = ? AND bucket = 'refused'",
                ((binding, *pair) for pair in chain([first], rows)),
            )

    def _forget(self, table: str, binding: int, kind: str, changes: list[Change]) -> None:
        if table == "problem":
            sql = "DELETE FROM problem WHERE binding = ? AND kind = ? AND key = ?"
            self._db.executemany(sql, [(binding, kind, c.key) for c in changes])
        else:
            self._db.executemany(
                "DELETE FROM plan_change WHERE kind = ?2 AND key = ?3 AND change = ?4"
                " AND plan IN (SELECT id FROM plan WHERE binding = ?1)",
                [(binding, kind, c.key, c.text) for c in changes],
            )

    def _refuse(self, run: int, binding: int, refused: Sequence[tuple[Change, str]], now: float) -> None:
        self._db.executemany(
            "INSERT INTO problem VALUES (?, ?, ?, 'refused', ?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET"
            " told = told AND bucket = 'refused' AND reason = excluded.reason AND content = excluded.content,"
            " bucket = 'refused', shown = excluded.shown, reason = excluded.reason, content = excluded.content,"
            " tried = excluded.tried",
            [(binding, c.kind, c.key, c.shown, reason, c.content, now, now) for c, reason in refused],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, (SELECT count(*) FROM history WHERE binding = ?1"
            " AND kind = ?2 AND key = ?3 AND run = ?4), ?, ?)",
            [(binding, c.kind, c.key, run, c.text, reason) for c, reason in refused],
        )
        for (
            kind,
            table,
        ) in TABLES.items():  # what was delivered just so and is refused now may be there or not
            self._db.executemany(
                f"UPDATE {table} SET state = 'doubt' WHERE binding = ? AND key = ? AND state = 'active'",
                [
                    (binding, c.key)
                    for c, _ in refused
                    if c.kind == kind and (kind == SEAT or c.before == c.after)
                ],
            )
