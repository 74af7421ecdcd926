"""What is no longer kept: runs and history after a while, and everything about a person who is to be forgotten.

A forgotten person leaves a hash in a file beside the ledger. When an older copy of the ledger is put back, whoever
has such a hash is erased from it again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rosterd.core.people import NO_KEY, fold
from rosterd.core.plan import PERSON, REGISTRATION, SEAT
from rosterd.errors import LedgerError
from rosterd.ledger import store
from rosterd.ledger.agenda import Agenda

DAY = 86_400.0
KEEP_BATCHES = 30 * DAY  # of requests, in seconds
THINNED = 1_000  # requests a run's end looks at
PAGE = 4_096
SALT = b"rosterd forgotten 1\0"


class Subject(NamedTuple):
    """Somebody the ledger knows, in one client."""

    binding: int
    client: str
    key: bytes
    shown: str
    name: str
    email: str
    dn: str
    state: str

    @property
    def words(self) -> tuple[str, ...]:
        """What gives the person away in a text, case-folded."""
        logon = self.shown.partition("//")[2]
        words = (self.shown, logon, *self.email.split("\n"), self.dn)
        return tuple(dict.fromkeys(fold(word) for word in words if len(word) > 2))


class Forget(Agenda):
    """Retention and erasure."""

    def prune(self, now: float, keep_days: int) -> int:
        """Drops runs and history that are older, at most once a day; each customer's last run stays.

        Gives how many rows went.
        """
        if now - float(self.meta().get("pruned", "0")) < DAY:
            return 0
        limit = now - keep_days * DAY
        last = self._rows("SELECT coalesce(max(id), 0) FROM run WHERE started < ?", (limit,))[0][0]
        gone, after = 0, (0, "", b"", 0, 0)
        while rows := self._rows(
            "SELECT binding, kind, key, run, seq FROM history WHERE (binding, kind, key, run, seq) > (?, ?, ?, ?, ?)"
            " ORDER BY binding, kind, key, run, seq LIMIT ?",
            (*after, PAGE),
        ):
            after, old = rows[-1], [row for row in rows if row[3] <= last]
            gone += len(old)
            if old:
                sql = "DELETE FROM history WHERE binding = ? AND kind = ? AND key = ? AND run = ? AND seq = ?"
                with self._writing():
                    self._db.executemany(sql, old)
        with self._writing():
            self._db.execute(
                "DELETE FROM run WHERE id <= ? AND ended IS NOT NULL AND id NOT IN (SELECT max(id) FROM run"
                " GROUP BY binding) AND id NOT IN (SELECT run FROM person WHERE state = 'left')",  # looked through once
                (last,),
            )
            gone += self._db.changes()
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('pruned', ?)", (repr(now),))
        return gone

    def _thin_out(self, run: int, binding: int, now: float, *, well: bool) -> None:
        """Older runs keep their counts; of good ones in a row in which nothing happened only the last is kept, for a
        bad one must not be all that is known. Requests stay a while."""
        self._db.execute(
            "UPDATE run SET document = json_remove(document, '$.problems', '$.reasons', '$.warnings')"
            " WHERE id = (SELECT max(id) FROM run WHERE binding = ?1 AND id < ?2)",
            (binding, run),
        )
        self._db.execute(
            "DELETE FROM run WHERE ?3 AND binding = ?1"
            " AND id = (SELECT max(id) FROM run WHERE binding = ?1 AND id < ?2)"
            " AND exit_code = 0 AND json_extract(document, '$.requests') = 0"
            " AND json_extract(document, '$.people.gone') = 0 AND json_extract(document, '$.seats.gone') = 0"
            " AND json_extract(document, '$.groups.gone') = 0"
            " AND json_extract(document, '$.registrations.created') = 0"
            " AND json_extract(document, '$.registrations.updated') = 0",
            (binding, run, well),
        )
        self._db.execute(  # some of the oldest at a time: all of them are too many to look at in every run
            "DELETE FROM batch WHERE id IN (SELECT id FROM batch ORDER BY id LIMIT ?)"
            " AND state <> 'sending' AND started < ?",
            (THINNED, now - KEEP_BATCHES),
        )

    def find(self, who: str) -> list[Subject]:
        """Everybody with this logon, DOMAIN//logon or e-mail address, in every client."""
        wanted = fold(who)
        found = (
            one
            for one in self._everybody()
            if wanted in (fold(one.shown), fold(one.shown).partition("//")[2], *fold(one.email).split("\n"))
        )
        return _once(found)

    def erase(self, people: Sequence[Subject]) -> None:
        """Erases people for good, and leaves their hashes. Needs the run lock: no run may be going on."""
        self._note_hashes([_hash(one.client, one.key) for one in people])
        with store.explained(self.path):
            self._db.execute("PRAGMA secure_delete=ON")
        with self._writing():
            for one in people:
                self._erase(one)
        with store.explained(self.path):
            self._db.execute("VACUUM")  # what was deleted earlier still lies in free pages
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def erase_again(self) -> int:
        """After an older copy was put back: whoever was forgotten since is erased from it. Gives how many."""
        hashes = self._hashes()
        if not hashes:
            return 0
        known = _once(one for one in self._everybody() if _hash(one.client, one.key) in hashes)
        if known:
            self.erase(known)
        return len(known)

    def _everybody(self) -> Iterator[Subject]:
        """People, then whoever the directory shows or showed without their ever having been delivered.

        Of these some are known by what became of them alone: refused, set aside, or held back by a guard.
        """
        people = (
            "SELECT p.binding, p.key, b.client, p.domain || '//' || p.logon, coalesce(a.name, p.name),"
            " p.email || char(10) || coalesce(a.emails, ''), p.dn, p.state FROM person p"
            " JOIN binding b ON b.id = p.binding LEFT JOIN account a ON a.binding = p.binding AND a.key = p.key"
            " WHERE (p.binding, p.key) > (?, ?) ORDER BY p.binding, p.key LIMIT ?"
        )
        others = (
            "SELECT a.binding, a.key, b.client, a.shown, a.name, a.emails, '', a.state FROM account a"
            " JOIN binding b ON b.id = a.binding WHERE (a.binding, a.key) > (?, ?)"
            " AND NOT EXISTS (SELECT 1 FROM person p WHERE p.binding = a.binding AND p.key = a.key)"
            " ORDER BY a.binding, a.key LIMIT ?"
        )
        unheard = (
            "SELECT t.binding, t.key, b.client, max({0}), coalesce(max({1}), ''),"
            " coalesce(group_concat({2}, char(10)), ''), '', ''"
            " FROM {3} JOIN binding b ON b.id = t.binding WHERE (t.binding, t.key) > (?, ?) AND t.kind = 'person'"
            " AND NOT EXISTS (SELECT 1 FROM person p WHERE p.binding = t.binding AND p.key = t.key)"
            " AND NOT EXISTS (SELECT 1 FROM account a WHERE a.binding = t.binding AND a.key = t.key)"
            " GROUP BY t.binding, t.key ORDER BY t.binding, t.key LIMIT ?"
        )
        name, email = (f"coalesce(t.change ->> '$[4][{at}]', t.change ->> '$[3][{at}]')" for at in (2, 3))
        change = ("t.change ->> 2", name, email)
        held = "(SELECT binding, kind, key, change FROM plan_change c JOIN plan ON plan.id = c.plan) t"
        first = "NOT instr(substr(key, instr(key, x'00') + 1), x'00')"  # of several entries with one key
        problem = f"(SELECT * FROM problem WHERE key < x'{NO_KEY.hex()}' AND {first}) t"
        yet = [
            unheard.format(*change, "history t"),
            unheard.format(*change, held),
            unheard.format("t.shown", "''", "''", problem),
        ]
        for sql in (people, others, *yet):
            for page in self._pages(sql, start=(0, b"")):
                yield from (Subject(binding, client, key, *rest) for binding, key, client, *rest in page)

    def _erase(self, one: Subject) -> None:
        run, key = self._db.execute, one.key
        run("DELETE FROM person WHERE binding = ? AND key = ?", (one.binding, key))
        seats = "binding = ?1 AND substr(key, instr(key, x'00') + 1) = ?2"
        run(f"DELETE FROM seat WHERE {seats}", (one.binding, key))
        for table in ("problem", "history"):
            run(f"DELETE FROM {table} WHERE binding = ? AND kind = ? AND key = ?", (one.binding, PERSON, key))
            run(f"DELETE FROM {table} WHERE {seats} AND kind = ?3", (one.binding, key, SEAT))
        plans = "plan IN (SELECT id FROM plan WHERE binding = ?1)"
        run(f"DELETE FROM plan_change WHERE {plans} AND kind = ?3 AND key = ?2", (one.binding, key, PERSON))
        run(
            f"DELETE FROM plan_change WHERE {plans} AND kind = ?3 AND substr(key, instr(key, x'00') + 1) = ?2",
            (one.binding, key, SEAT),
        )
        twins = "key > ? AND key < ?"  # of several entries with one key, all but the first have a number behind it
        run(
            f"DELETE FROM problem WHERE binding = ? AND kind = ? AND {twins}",
            (one.binding, PERSON, key + b"\0", key + b"\1"),
        )
        # Groups may name a person as nobody else does (before a logon was mended, by a DN that has changed since):
        # no edge stays, and the next run notes them anew.
        run("DELETE FROM edge WHERE binding = ?", (one.binding,))
        run("UPDATE batch SET records = NULL WHERE binding = ? AND state <> 'sending'", (one.binding,))
        said = "instr(lower(coalesce(document, '')), ?2) OR instr(lower(coalesce(reason, '')), ?2)"
        bare = "json_remove(document, '$.problems', '$.reasons', '$.warnings', '$.renames')"
        bare = f"json_replace({bare}, '$.reason', NULL)"  # of a pilot it tells who was asked for
        for word in one.words:
            run(
                f"UPDATE run SET document = {bare}, reason = NULL WHERE binding = ?1 AND ({said})",
                (one.binding, word),
            )

        self._erase_access(one)
        # A directory that is followed is read whole with the next run: its entries name people in many ways.
        for table in ("followed", "entry", "entry_ref", "entry_edge"):
            run(f"DELETE FROM {table} WHERE binding = ?", (one.binding,))

    def _erase_access(self, one: Subject) -> None:
        """What is known of somebody's access elsewhere, and what reports said of it."""
        run, emails = self._db.execute, [email for email in one.email.split("\n") if email]
        run("DELETE FROM account WHERE binding = ? AND key = ?", (one.binding, one.key))
        run("DELETE FROM registration WHERE binding = ? AND person = ?", (one.binding, one.shown))
        for email in emails:
            run("DELETE FROM holder WHERE binding = ? AND lower(email) = lower(?)", (one.binding, email))
            for table, text in (("problem", "shown"), ("plan_change", "change")):
                where = (
                    "binding = ?1"
                    if table == "problem"
                    else "plan IN (SELECT id FROM plan WHERE binding = ?1)"
                )
                run(
                    f"DELETE FROM {table} WHERE {where} AND kind = ?2 AND instr(lower({text}), lower(?3))",
                    (one.binding, REGISTRATION, f" / {email}"),
                )
        run("DELETE FROM holder WHERE binding = ? AND name = ? AND name <> ''", (one.binding, one.name))
        for word in filter(None, {one.shown, one.name, *emails}):  # not the bare logon: "ana" is in "Susana"
            told = "instr(lower(key || ' ' || value || ' ' || said), lower(?2))"
            run(f"DELETE FROM reported WHERE binding = ?1 AND {told}", (one.binding, word))
            told = "instr(lower(changes), lower(?2))"
            run(f"UPDATE report SET changes = '[]' WHERE binding = ?1 AND {told}", (one.binding, word))

    @property
    def _file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.forgotten")

    def _hashes(self) -> set[str]:
        try:
            return set(self._file.read_text(encoding="ascii").split())
        except FileNotFoundError:
            return set()
        except (OSError, ValueError) as error:
            raise LedgerError(f"cannot be read: {error}", where=str(self._file)) from error

    def _note_hashes(self, hashes: Sequence[str]) -> None:
        new = [text for text in hashes if text not in self._hashes()]
        with store.explained(self._file):
            descriptor = os.open(
                self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                os.write(descriptor, "".join(f"{text}\n" for text in new).encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _once(people: Iterable[Subject]) -> list[Subject]:
    """The same people, each once: the places that know somebody are looked through one after the other."""
    found: dict[tuple[int, bytes], Subject] = {}
    for one in people:
        found.setdefault((one.binding, one.key), one)
    return list(found.values())


def _hash(client: str, key: bytes) -> str:
    """One way: slow enough that nobody tries every name there is."""
    return hashlib.scrypt(key, salt=SALT + client.encode(), n=2**12, r=8, p=1, dklen=24).hex()
