"""What an operator asks and notes: held plans and approvals, leavers, pauses, the state of things.

None of this takes the run lock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rosterd.core.plan import GROUP, PERSON, SEAT, Change
from rosterd.errors import SettingsError
from rosterd.ledger import store
from rosterd.ledger.forget import Forget

LAST = 2**63 - 1  # a number of a run, after all others


class HeldPlan(NamedTuple):
    """A plan that a guard held. `approved` and `expires` are times, None until somebody approves."""

    id: int
    binding: int
    client: str
    digest: str
    made: float
    reasons: list[str]
    counts: dict[str, Any]
    pilot: bool
    approved: float | None
    expires: float | None
    open: int  # changes not delivered yet


class Leaver(NamedTuple):
    """What must be removed in the portal by hand: a person, a grouping, or one seat of somebody who stays."""

    kind: str
    key: bytes
    shown: str
    name: str
    email: str
    group: str
    since: float
    doubtful: bool  # it was sent but never confirmed, so it may not exist
    successor: str = ""  # the key that the same entry of the directory has now


class RunRow(NamedTuple):
    """One run of one customer; `ended` and what follows are None when it was killed."""

    id: int
    started: float
    ended: float | None
    outcome: str | None
    exit_code: int | None
    reason: str | None
    document: dict[str, Any]

    @property
    def cut_off(self) -> bool:
        """Whether it did not come to its end: then not everything about what it delivered was noted."""
        return not self.ended or bool(self.document.get("stopped"))


class Desk(Forget):
    """Held plans, approvals, leavers, pauses and runs."""

    def hold(
        self, binding: int, digest: str, reasons: Sequence[str], counts: dict[str, Any],
        changes: Iterable[list[Change]], now: float, *, total: int, pilot: bool,
    ) -> None:  # fmt: skip
        """Stores a held plan change by change; unapproved plans of the same customer give way to it.

        A plan that is stored whole already keeps its approval, as long as that has not expired.
        """
        whole = "(SELECT count(*) FROM plan_change c WHERE c.plan = plan.id)"
        known = self._rows(
            f"SELECT id FROM plan WHERE binding = ? AND digest = ? AND {whole} >= ?"
            " AND (expires IS NULL OR expires > ?)",
            (binding, digest, total, now),
        )
        with self._writing():
            if known:
                self._db.execute(
                    "UPDATE plan SET reasons = ? WHERE id = ?", (json.dumps(list(reasons)), known[0][0])
                )
                return
            old = self._rows(
                "SELECT id FROM plan WHERE binding = ?"
                " AND ((approved IS NULL AND pilot = ?) OR expires < ? OR digest = ?)",
                (binding, int(pilot), now, digest),
            )
            for (plan,) in old:
                self._db.execute("DELETE FROM plan_change WHERE plan = ?", (plan,))
                self._db.execute("DELETE FROM plan WHERE id = ?", (plan,))
            self._db.execute(
                "INSERT INTO plan (binding, digest, made, reasons, counts, pilot) VALUES (?, ?, ?, ?, ?, ?)",
                (binding, digest, now, json.dumps(list(reasons)), json.dumps(counts), int(pilot)),
            )
            plan = self._db.last_insert_rowid()
            sql = "INSERT OR REPLACE INTO plan_change VALUES (?, ?, ?, ?)"
            for chunk in changes:
                self._db.executemany(sql, [(plan, c.kind, c.key, c.text) for c in chunk])

    def forget_holds(self, binding: int) -> None:
        """All is well again: what was held and not approved is no longer offered for approval."""
        stale = "SELECT id FROM plan WHERE binding = ? AND approved IS NULL"
        if self._rows(stale, (binding,)):
            with self._writing():
                self._db.execute(f"DELETE FROM plan_change WHERE plan IN ({stale})", (binding,))
                self._db.execute("DELETE FROM plan WHERE binding = ? AND approved IS NULL", (binding,))

    def held(self, now: float, binding: int | None = None) -> list[HeldPlan]:
        """Held and approved plans that still have changes to deliver, newest first."""
        of = (
            "" if binding is None else "WHERE p.binding = ?"
        )  # "or" in one statement would look at everybody's
        rows = self._rows(
            "SELECT p.id, p.binding, b.client, p.digest, p.made, p.reasons, p.counts, p.pilot, p.approved, p.expires,"
            " (SELECT count(*) FROM plan_change c WHERE c.plan = p.id)"
            f" FROM plan p JOIN binding b ON b.id = p.binding {of} ORDER BY p.id DESC",
            () if binding is None else (binding,),
        )
        plans = [
            HeldPlan(
                plan,
                of,
                client,
                digest,
                made,
                self._value(reasons),
                self._value(counts),
                bool(pilot),
                approved,
                expires,
                left,
            )
            for plan, of, client, digest, made, reasons, counts, pilot, approved, expires, left in rows
        ]
        return [plan for plan in plans if plan.expires is None or plan.expires > now]

    def changes_of(self, plan: int) -> Iterator[tuple[str, str, str, Any, Any]]:
        """op, kind, key as shown, before, after of a held plan's changes."""
        sql = (
            "SELECT kind, key, change FROM plan_change WHERE plan = ? AND (kind, key) > (?, ?)"
            " ORDER BY kind, key LIMIT ?"
        )
        for rows in self._pages(sql, plan, start=("", b"")):
            for _, _, text in rows:
                op, kind, shown, before, after = self._value(text)
                yield op, kind, shown, before, after

    def approve(self, plan: HeldPlan, now: float, expires: float) -> None:
        """Lets exactly the listed changes go, until they are delivered or the approval expires."""
        with self._writing():
            sql = "UPDATE plan SET approved = ?, expires = ? WHERE id = ? AND digest = ?"
            self._db.execute(sql, (now, expires, plan.id, plan.digest))
            if self._db.changes() == 0:
                raise SettingsError(
                    f"the plan {plan.digest[:12]} is no longer held: another has taken its place",
                    hint="look again: `rosterd plan`, then `rosterd approve`",
                )
            if not plan.pilot:
                self._db.execute("UPDATE binding SET approved = 1 WHERE id = ?", (plan.binding,))

    def approve_first(self, binding: int) -> None:
        """Somebody let the first delivery go without a stored plan (`--yes`, or the answer at the terminal)."""
        with self._writing():
            self._db.execute("UPDATE binding SET approved = 1 WHERE id = ?", (binding,))

    def has_approvals(self, binding: int, now: float) -> bool:
        sql = "SELECT 1 FROM plan WHERE binding = ? AND approved IS NOT NULL AND expires > ? LIMIT 1"
        return bool(self._rows(sql, (binding, now)))

    def approvals(
        self, binding: int, kind: str, low: bytes, high: bytes, now: float
    ) -> set[tuple[bytes, str]]:
        """(key, change) pairs that are approved, in a range of keys."""
        rows = self._rows(
            "SELECT c.key, c.change FROM plan p JOIN plan_change c ON c.plan = p.id"
            " WHERE p.binding = ? AND p.approved IS NOT NULL AND p.expires > ? AND c.kind = ?"
            " AND c.key BETWEEN ? AND ?",
            (binding, now, kind, low, high),
        )
        return set(rows)

    def leavers(self, binding: int) -> Iterator[Leaver]:
        """People who left, groupings no longer wanted, and lost seats of people who stay; in key order."""
        since = "coalesce((SELECT started FROM run WHERE run.id = t.run), 0)"
        people = (
            f"SELECT key, domain || '//' || logon, name, email, {since}, source = '' FROM person t"
            " WHERE binding = ? AND state = 'left' AND key > ? ORDER BY key LIMIT ?"
        )
        now = self.successors(binding)
        for page in self._pages(people, binding):
            yield from (
                Leaver(PERSON, key, shown, name, email, "", at, bool(odd), now.get(key, ""))
                for key, shown, name, email, at, odd in page
            )
        groups = (
            f"SELECT key, name, '', '', {since}, source = '' FROM grouping t"
            " WHERE binding = ? AND state = 'left' AND key > ? ORDER BY key LIMIT ?"
        )
        for page in self._pages(groups, binding):
            yield from (
                Leaver(GROUP, key, name, "", "", name, at, bool(odd)) for key, name, _, _, at, odd in page
            )
        seats = (
            f"SELECT key, {since}, source = '' FROM seat t WHERE binding = ? AND state = 'left' AND key > ?"
            " ORDER BY key LIMIT ?"
        )
        for page in self._pages(seats, binding):
            for key, at, odd in page:
                group, _, person = key.partition(b"\0")
                names = self._rows(
                    "SELECT name FROM grouping WHERE binding = ? AND key = ? AND state <> 'left'",
                    (binding, group),
                )
                who = self._rows(
                    "SELECT domain || '//' || logon, name, email FROM person WHERE binding = ? AND key = ?"
                    " AND state NOT IN ('left', 'removed')",
                    (binding, person),
                )
                if names and who:
                    shown, name, email = who[0]
                    yield Leaver(
                        SEAT, key, f"{names[0][0]} / {shown}", name, email, names[0][0], at, bool(odd)
                    )

    def tick(self, binding: int, leaver: Leaver) -> None:
        """Notes that a leaver has been removed in the portal; a person's seats went with them."""
        table = {PERSON: "person", GROUP: "grouping", SEAT: "seat"}[leaver.kind]
        with self._writing():
            sql = f"UPDATE {table} SET state = 'removed' WHERE binding = ? AND key = ? AND state = 'left'"
            self._db.execute(sql, (binding, leaver.key))

    def pause(self, binding: int, why: str, now: float) -> None:
        with self._writing():
            self._db.execute(
                "UPDATE binding SET paused_at = ?, paused_why = ? WHERE id = ?", (now, why, binding)
            )

    def resume(self, binding: int) -> None:
        with self._writing():
            self._db.execute(
                "UPDATE binding SET paused_at = NULL, paused_why = NULL WHERE id = ?", (binding,)
            )

    def runs(self, binding: int, most: int = 1, before: int | None = None) -> list[RunRow]:
        """The last runs (before a run), newest first; one that was killed has no end."""
        rows = self._rows(
            "SELECT id, started, ended, outcome, exit_code, reason, coalesce(document, '{}') FROM run"
            " WHERE binding = ? AND id < ? ORDER BY id DESC LIMIT ?",
            (binding, LAST if before is None else before, most),
        )
        return [
            RunRow(run, started, ended, outcome, code, reason, self._value(document))
            for run, started, ended, outcome, code, reason, document in rows
        ]

    def standing(self, binding: int) -> dict[str, int]:
        """How many people are active, in doubt or left, and how many problems stand."""
        counts = dict(
            self._rows("SELECT state, count(*) FROM person WHERE binding = ? GROUP BY state", (binding,))
        )
        sql = "SELECT bucket, count(*) FROM problem WHERE binding = ? GROUP BY bucket"
        return counts | dict(self._rows(sql, (binding,)))

    def backup(self, target: Path) -> None:
        with store.explained(target):
            store.backup(self._db, target)

    def verify(self) -> list[str]:
        """A full integrity check and the ledger's own rules; what is wrong, or nothing."""
        rows = [str(row[0]) for row in self._rows("PRAGMA integrity_check(20)")]
        problems = [] if rows == ["ok"] else rows
        odd = self._rows(
            "SELECT count(*) FROM seat s WHERE s.state = 'active' AND NOT EXISTS (SELECT 1 FROM person p"
            " WHERE p.binding = s.binding AND p.key = substr(s.key, instr(s.key, x'00') + 1))"
        )[0][0]
        if odd:
            problems.append(f"{odd} seats of people the ledger does not know")
        return problems

    def _value(self, text: str) -> Any:
        """What was stored as JSON."""
        with store.explained(self.path):
            return json.loads(text)
