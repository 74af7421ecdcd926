"""What the ledger keeps of a directory that is followed: its cookie, and each entry as it was last read.

The entries mean nothing without the cookie, so they may be written in any number of transactions while there is
none; the cookie moves in one transaction with the last acknowledgement that it led to, or else with the end of the run
or, where there was no reason for a run, by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

from rosterd.core.access import Account
from rosterd.core.people import US
from rosterd.ledger.access import Access

SOME = 500  # values of one query
OLDER = 100  # runs before a time, after which no later ones are looked for

Id: TypeAlias = tuple[str, str]  # kind, id


class Followed(NamedTuple):
    """What to go on from. `compared`: when everything was last read, in seconds since 1970."""

    cookie: str
    settings: str
    compared: float


class Mirrored(NamedTuple):
    """One entry. kind: "person" or "group"."""

    kind: str
    id: str
    key: bytes
    data: str


class MirrorChange(NamedTuple):
    """What a run has learnt of a source: entries that are other now (old ones first forgotten), and the cookie."""

    source: str
    state: Followed
    forget: Sequence[Id] = ()
    forget_refs: Sequence[tuple[str, str, str]] = ()  # ref, kind, id
    entries: Sequence[tuple[str, str, bytes, str]] = ()  # as Mirrored
    refs: Sequence[tuple[str, str, str]] = ()  # ref, kind, id
    edges: Sequence[tuple[str, str, str, bytes]] = ()  # kind, id, ref, handle


class Mirror(Access):
    """Entries of followed directories."""

    def followed(self, binding: int, source: str) -> Followed | None:
        """What to go on from; None: everything must be read."""
        sql = "SELECT cookie, settings, compared FROM followed WHERE binding = ? AND source = ?"
        return next((Followed(*row) for row in self._rows(sql, (binding, source))), None)

    def follows(self, binding: int) -> list[tuple[str, float]]:
        """The sources whose changes are followed, and when each was last read whole."""
        return self._rows(
            "SELECT source, compared FROM followed WHERE binding = ? ORDER BY source", (binding,)
        )

    def follow_anew(self, binding: int, source: str) -> None:
        """Before everything is read: forgets the cookie and all entries."""
        with self._writing():
            self._db.execute("DELETE FROM followed WHERE binding = ? AND source = ?", (binding, source))
            for table in ("entry", "entry_ref", "entry_edge"):
                self._db.execute(f"DELETE FROM {table} WHERE binding = ? AND source = ?", (binding, source))

    def follow_no_more(self, binding: int, sources: Sequence[str]) -> None:
        """Forgets what is kept of sources other than these."""
        for table in ("followed", "entry"):
            sql, last = (
                f"SELECT source FROM {table} WHERE binding = ? AND source > ? ORDER BY source LIMIT 1",
                "",
            )
            while rows := self._rows(sql, (binding, last)):
                last = rows[0][0]
                if last not in sources:
                    self.follow_anew(binding, last)

    def mirror(self, binding: int, change: MirrorChange) -> None:
        """While there is no cookie: adds entries."""
        with self._writing():
            self._mirror(binding, change)

    def follow(self, binding: int, change: MirrorChange) -> None:
        """Outside a run, when nothing had to be delivered: entries and cookie in one transaction."""
        with self._writing():
            self._followed(binding, change)

    def _followed(self, binding: int, change: MirrorChange) -> None:
        self._mirror(binding, change)
        self._db.execute(
            "INSERT OR REPLACE INTO followed VALUES (?, ?, ?, ?, ?)", (binding, change.source, *change.state)
        )

    def _mirror(self, binding: int, change: MirrorChange) -> None:
        many, of = self._db.executemany, (binding, change.source)
        for table in ("entry", "entry_edge"):
            many(
                f"DELETE FROM {table} WHERE binding = ? AND source = ? AND kind = ? AND id = ?",
                [(*of, *one) for one in change.forget],
            )
        many(
            "DELETE FROM entry_ref WHERE binding = ? AND source = ? AND ref = ? AND kind = ? AND id = ?",
            [(*of, *row) for row in change.forget_refs],
        )
        many(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?)", [(*of, *one) for one in change.entries]
        )
        many("INSERT OR IGNORE INTO entry_ref VALUES (?, ?, ?, ?, ?)", [(*of, *row) for row in change.refs])
        many(
            "INSERT OR IGNORE INTO entry_edge VALUES (?, ?, ?, ?, ?, ?)",
            [(*of, *row) for row in change.edges],
        )

    # Looking things up

    def mirrored(self, binding: int, source: str, kind: str, ids: Iterable[str]) -> list[Mirrored]:
        """The entries with these ids."""
        return [
            Mirrored(*row)
            for row in self._some("kind, id, key, data FROM entry", binding, source, ids, kind, "id")
        ]

    def mirrored_beside(self, binding: int, source: str, kind: str, ids: set[str]) -> Mirrored | None:
        """An entry of a kind that is none of these, when there is one."""
        sql = "SELECT kind, id, key, data FROM entry WHERE binding = ? AND source = ? AND kind = ? LIMIT ?"
        rows = self._rows(sql, (binding, source, kind, len(ids) + 1))
        return next((Mirrored(*row) for row in rows if row[1] not in ids), None)

    def mirrored_by_key(self, binding: int, source: str, kind: str, keys: Iterable[bytes]) -> list[Mirrored]:
        """The entries with these keys."""
        found = self._some(
            "kind, id, key, data FROM entry INDEXED BY entry_key", binding, source, keys, kind, "key"
        )
        return [Mirrored(*row) for row in found]

    def mirrored_ids(self, binding: int, source: str, kind: str) -> set[str]:
        """The ids of all entries of a kind."""
        sql = "SELECT id FROM entry WHERE binding = ? AND source = ? AND kind = ?"
        return {row[0] for row in self._rows(sql, (binding, source, kind))}

    def mirrored_count(self, binding: int, source: str) -> int:
        """How many entries are kept of a source."""
        sql = "SELECT count(*) FROM entry WHERE binding = ? AND source = ?"
        count: int = self._rows(sql, (binding, source))[0][0]
        return count

    def mirrored_people(self, binding: int, source: str) -> int:
        """How many of them are people."""
        sql = "SELECT count(*) FROM entry WHERE binding = ? AND source = ? AND kind = 'person'"
        count: int = self._rows(sql, (binding, source))[0][0]
        return count

    def accounts_of(self, binding: int, keys: Iterable[bytes]) -> list[Account]:
        """Those of these accounts that are known, in key order."""
        columns = "key, shown, name, emails, state, note, source"
        return [Account(*row) for row in self._known("account", columns, binding, keys)]

    def anybody_mirrored(self, binding: int, source: str, kind: str, but: Sequence[str]) -> bool:
        """Whether there is an entry of this kind besides these."""
        sql = "SELECT id FROM entry WHERE binding = ? AND source = ? AND kind = ? LIMIT ?"
        rows = self._rows(sql, (binding, source, kind, len(but) + 1))
        return any(row[0] not in but for row in rows)

    def named(self, binding: int, source: str, refs: Iterable[str]) -> list[tuple[str, str, str]]:
        """ref, kind and id of the entries that go by these refs."""
        return self._some("ref, kind, id FROM entry_ref", binding, source, refs, None, "ref")

    def mirrored_edges(
        self, binding: int, source: str, refs: Iterable[str]
    ) -> list[tuple[str, str, str, bytes]]:
        """kind and id of who tells of it, ref and handle of the memberships of these refs."""
        return self._some("kind, id, ref, handle FROM entry_edge", binding, source, refs, None, "ref")

    def edges_told_by(
        self, binding: int, source: str, kind: str, ids: Iterable[str]
    ) -> list[tuple[str, str, str, bytes]]:
        """The memberships that these entries tell of."""
        return self._some("kind, id, ref, handle FROM entry_edge", binding, source, ids, kind, "id")

    def lines_of(self, binding: int, keys: Iterable[bytes]) -> list[str]:
        """These people as lines (see core.people), in key order."""
        columns = "CAST(key AS TEXT), domain, logon, name, email, source, id, dn, state"
        return [US.join(row) for row in self._known("person", columns, binding, keys)]

    def seats_at(self, binding: int, keys: Iterable[bytes]) -> list[tuple[bytes, str, str]]:
        """Those of these seats that are known: key, source, state; in key order."""
        return self._known("seat", "key, source, state", binding, keys)

    def edges_of(self, binding: int, refs: Iterable[str]) -> list[tuple[str, bytes, str]]:
        """The raw memberships that the ledger knows of these refs: ref, handle, source; in order."""
        sql = "SELECT ref, handle, source FROM edge WHERE binding = ? AND ref IN ({}) ORDER BY ref, handle, source"
        return self._among(sql, (binding,), refs)

    def unsettled(self, binding: int, retry_before: float) -> str:
        """Why the ledger itself asks for everything to be compared; "" when it does not."""
        for table in ("person", "grouping", "seat"):
            for state in ("doubt", "tried"):  # one by one: so the small index of just these is used
                sql = f"SELECT 1 FROM {table} INDEXED BY {table}_doubt WHERE binding = ? AND state = '{state}' LIMIT 1"
                if self._rows(sql, (binding,)):
                    return "some of what was sent is in doubt"
        sql = "SELECT 1 FROM problem WHERE binding = ? AND bucket = 'refused' AND tried < ? LIMIT 1"
        return "refused records are due to be sent again" if self._rows(sql, (binding, retry_before)) else ""

    def people_there(self, binding: int, most: int = -1) -> int:
        """How many people the target has, counted up to `most`."""
        sql = "SELECT 1 FROM person WHERE binding = ? AND state IN ('active', 'doubt') LIMIT ?"
        count: int = self._rows(f"SELECT count(*) FROM ({sql})", (binding, most))[0][0]
        return count

    def group_problems(self, binding: int, keys: Iterable[bytes]) -> list[str]:
        """Which of these groupings are set aside or refused, as shown."""
        wanted = set(keys)
        sql = "SELECT key, shown FROM problem WHERE binding = ? AND kind = 'group'"
        return [shown for key, shown in self._rows(sql, (binding,)) if key in wanted]

    def followed_counts(self, binding: int, since: float) -> dict[str, int]:
        """How many people were created, updated and gone in runs since then that followed changes.

        Not all runs are looked at: some older ones in a row are the end, not the first, as a clock may be put back.
        """
        columns = [f"coalesce(sum(json_extract(document, '$.people.{name}')), 0)" for name in _COUNTED]
        sql = (
            f"SELECT {', '.join(columns)} FROM run WHERE binding = ?1 AND started >= ?2"
            " AND id > coalesce((SELECT id FROM run WHERE binding = ?1 AND started < ?2"
            f" ORDER BY id DESC LIMIT 1 OFFSET {OLDER}), 0) AND json_extract(document, '$.followed')"
        )
        return dict(zip(_COUNTED, self._rows(sql, (binding, since))[0], strict=True))

    def _known(self, table: str, columns: str, binding: int, keys: Iterable[bytes]) -> list[Any]:
        """The rows with these keys, in key order."""
        sql = f"SELECT {columns} FROM {table} WHERE binding = ? AND key IN ({{}}) ORDER BY key"
        return self._among(sql, (binding,), keys)

    def _some(
        self, what: str, binding: int, source: str, values: Iterable[Any], kind: str | None, column: str
    ) -> list[Any]:
        more, first = ("", (binding, source)) if kind is None else (" AND kind = ?", (binding, source, kind))
        return self._among(
            f"SELECT {what} WHERE binding = ? AND source = ?{more} AND {column} IN ({{}})", first, values
        )

    def _among(self, sql: str, first: tuple[Any, ...], values: Iterable[Any]) -> list[Any]:
        """The rows of a query about many values, which stand where {} is, some of them at a time, in their order."""
        rows: list[Any] = []
        wanted = sorted(set(values))
        for start in range(0, len(wanted), SOME):
            some = wanted[start : start + SOME]
            rows += self._rows(sql.format(_marks(some)), (*first, *some))
        return rows


_COUNTED = ("created", "updated", "gone")


def _marks(some: Sequence[Any]) -> str:
    return ",".join("?" * len(some))
