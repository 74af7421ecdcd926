"""What a run writes to the ledger: requests before they leave, acknowledgements, departures, what was told.

An acknowledgement is recorded per record, in key order, in the transaction of its request.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rosterd.core.people import fold, sort_key
from rosterd.core.plan import GONE, GROUP, PERSON, SEAT, Change
from rosterd.errors import LedgerError
from rosterd.ledger import store
from rosterd.ledger.looking import Looking
from rosterd.ledger.mirror import Mirror, MirrorChange
from rosterd.ledger.notes import TABLES
from rosterd.ledger.reading import Binding
from rosterd.ledger.search import Search

RESERVE = 8 * 2**20  # bytes that must be free before anything is sent, so that its answer can be recorded
RECHECK = 86_400.0  # seconds between full checks of a large ledger


class SqliteLedger(Mirror, Looking, Search):
    """The whole ledger: reading, the operator's notes (desk), local notes, access, followed directories, looking, and
    a run's writing."""

    def prepare(self, now: float) -> None:
        """Before a run: proves the ledger can be written, and draws the conclusions of what happened to it."""
        meta = self.meta()
        with store.explained(self.path):
            checked = float(meta.get("checked", "0"))
            if not checked <= now <= checked + RECHECK:
                store.quick_check(self._db, self.path)
        lock = self._lock
        older = lock is not None and lock.lineage == self.lineage and lock.serial > self._serial
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES ('checked', ?)", (repr(now),))
            if older or meta.get("copy"):
                self.notices.append(
                    "an older copy of the ledger was put back: everything is compared and sent again"
                )
                self._doubt_everything()
            self._doubt_open("state = 'sending'", (), now)
        if (older or meta.get("copy")) and (again := self.erase_again()):
            self.notices.append(f"{again} of its people were forgotten since and are erased again")
        if lock is not None and lock.lineage and lock.lineage != self.lineage:
            self.notices.append(
                "the ledger is a new one: everybody is delivered again, and nobody counts as gone"
            )

    def join(self, client: str, now: float) -> None:
        """Instead of `prepare`, before a run beside others under the same lock: only its own remains are looked at."""
        mine = "state = 'sending' AND binding = (SELECT id FROM binding WHERE client = ?)"
        if self._rows(f"SELECT 1 FROM batch WHERE {mine}", (client,)):
            with self._writing():
                self._doubt_open(mine, (client,), now)

    def _doubt_open(self, which: str, values: Sequence[Any], now: float) -> None:
        """Requests whose run ended before their answer was recorded."""
        for batch, binding, kind, records in self._rows(
            f"SELECT id, binding, kind, records FROM batch WHERE {which}", values
        ):
            self._doubt(binding, kind, json.loads(records or "[]"))
            self._db.execute(
                "UPDATE batch SET state = 'in doubt', records = NULL, ended = ?, answer = ? WHERE id = ?",
                (now, "the process ended before an answer was recorded", batch),
            )

    def room(self) -> None:
        """Raises LedgerError unless there is space to record what is about to be sent."""
        with store.explained(self.path):
            status = os.statvfs(self.path.parent)
        if status.f_bavail * status.f_frsize < RESERVE:
            raise LedgerError(
                f"less than {RESERVE // 2**20} MiB are free for the ledger, so nothing is sent",
                where=str(self.path.parent),
                hint="free some space; what was not sent goes with the next run",
            )

    def bind(self, client: str, customer: str) -> Binding:
        """The binding, made when it is new."""
        if self._rows("SELECT 1 FROM binding WHERE client = ? AND customer = ?", (client, customer)):
            return self.binding(client)
        with self._writing():
            self._db.execute(
                "INSERT INTO binding (client, customer) VALUES (?, ?)"
                " ON CONFLICT (client) DO UPDATE SET customer = excluded.customer",
                (client, customer),
            )
        return self.binding(client)

    def start_run(self, binding: int, now: float) -> int:
        with self._writing():
            self._db.execute("INSERT INTO run (binding, started) VALUES (?, ?)", (binding, now))
            return self._db.last_insert_rowid()

    def sending(
        self, run: int, binding: int, kind: str, records: Sequence[Any], count: int, now: float
    ) -> int:
        """Before a request leaves: what it carries, so that a crash leaves it in doubt and not forgotten."""
        with self._writing():
            self._db.execute(
                "INSERT INTO batch (binding, run, kind, state, count, records, started)"
                " VALUES (?, ?, ?, 'sending', ?, ?, ?)",
                (binding, run, kind, count, json.dumps(records, ensure_ascii=False), now),
            )
            return self._db.last_insert_rowid()

    def acknowledge(
        self, run: int, binding: int, batch: int, accepted: Sequence[Change], refused: Sequence[tuple[Change, str]],
        now: float, followed: Sequence[MirrorChange] = (),
    ) -> None:  # fmt: skip
        """A valid answer: what it accepted and what it refused, in one transaction, in key order.

        `followed`: how far the directories are followed from then on, with the last acknowledgement it led to.
        """
        with self._writing():
            for kind in (PERSON, GROUP, SEAT):
                some = [change for change in accepted if change.kind == kind]
                if some:
                    self._deliver(run, binding, kind, some)
            self._refuse(run, binding, refused, now)
            self._db.execute(
                "UPDATE batch SET state = 'acknowledged', records = NULL, ended = ?, answer = ? WHERE id = ?",
                (now, f"{len(refused)} refused" if refused else "", batch),
            )
            for change in followed:
                self._followed(binding, change)

    def _deliver(self, run: int, binding: int, kind: str, changes: list[Change]) -> None:
        run_many = self._db.executemany
        run_many(
            "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?, (SELECT count(*) FROM history WHERE binding = ?1"
            " AND kind = ?2 AND key = ?3 AND run = ?4), ?, '')",
            ((binding, kind, c.key, run, c.text) for c in changes if c.before is not None),
        )
        if kind == PERSON:
            run_many(
                "INSERT OR REPLACE INTO person VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', ?)",
                ((binding, c.key, *(c.after or ()), *c.provenance, run) for c in changes),
            )
        elif kind == GROUP:
            run_many(
                "INSERT OR REPLACE INTO grouping VALUES (?, ?, ?, ?, ?, ?, ?, 'active', ?)",
                ((binding, c.key, *(c.after or ()), *c.provenance, run) for c in changes),
            )
        else:
            run_many(
                "INSERT OR REPLACE INTO seat VALUES (?, ?, ?, 'active', ?)",
                ((binding, c.key, c.provenance[0], run) for c in changes),
            )
        for table, mine in (
            ("problem", "binding = ?"),
            ("plan_change", "plan IN (SELECT id FROM plan WHERE binding = ?)"),
        ):  # rarely: spares a million look-ups of a first run
            if self._rows(f"SELECT 1 FROM {table} WHERE {mine} LIMIT 1", (binding,)):
                self._forget(table, binding, kind, changes)

    def failed(self, batch: int, binding: int, reason: str, now: float, *, doubt: bool) -> None:
        """No valid answer. With `doubt` the request may have been carried out: its records are sent again."""
        with self._writing():
            if doubt:
                for kind, records in self._rows("SELECT kind, records FROM batch WHERE id = ?", (batch,)):
                    self._doubt(binding, kind, json.loads(records or "[]"))
            self._db.execute(
                "UPDATE batch SET state = ?, records = NULL, ended = ?, answer = ? WHERE id = ?",
                ("in doubt" if doubt else "failed", now, reason[:500], batch),
            )

    def _doubt(self, binding: int, kind: str, records: list[Any]) -> None:
        """What was acknowledged once is in doubt; what never was (it has no source) was only tried."""
        people = records if kind == PERSON else [person for group in records for person in group[1]]
        if kind == PERSON:
            self._db.executemany(
                "INSERT INTO person VALUES (?, ?, ?, ?, '', '', '', '', '', 'tried', 0) ON CONFLICT DO UPDATE"
                " SET state = iif(source = '', 'tried', 'doubt')",
                [(binding, sort_key(domain, logon), domain, logon) for domain, logon in people],
            )
            return
        for name, members in records:
            key = fold(name).encode()
            self._db.execute(
                "INSERT INTO grouping VALUES (?, ?, ?, '', '', '', '', 'tried', 0) ON CONFLICT DO UPDATE"
                " SET state = iif(source = '', 'tried', 'doubt')",
                (binding, key, name),
            )
            self._db.executemany(
                "INSERT INTO seat VALUES (?, ?, '', 'tried', 0) ON CONFLICT DO UPDATE"
                " SET state = iif(source = '', 'tried', 'doubt')",
                [(binding, key + b"\0" + sort_key(domain, logon)) for domain, logon in members],
            )

    def _doubt_everything(self) -> None:
        for table in ("person", "grouping", "seat"):
            self._db.execute(f"UPDATE {table} SET state = 'doubt' WHERE state = 'active'")
        # Registrations made since are not in it, and must not be asked for twice: the guard wants to know.
        self._db.execute("INSERT OR REPLACE INTO meta SELECT 'restored ' || id, 'yes' FROM binding")
        self._db.execute("DELETE FROM meta WHERE name = 'copy'")

    def depart(self, run: int, binding: int, changes: Iterable[Change], *, carried: bool = False) -> None:
        """Marks records as left (they stay known until somebody removes them in the portal).

        `carried`: seats and groupings go with a request yet to come, and an approval of that lasts until its answer.
        """
        with self._writing():
            for change in changes:
                assert change.op == GONE
                sql = (
                    f"UPDATE {TABLES[change.kind]} SET state = 'left', run = ? WHERE binding = ? AND key = ?"
                    " AND state NOT IN ('left', 'removed')"
                )
                self._db.execute(sql, (run, binding, change.key))
                if carried and change.kind != PERSON:
                    continue
                self._db.execute(
                    "DELETE FROM plan_change WHERE kind = ? AND key = ? AND change = ?"
                    " AND plan IN (SELECT id FROM plan WHERE binding = ?)",
                    (change.kind, change.key, change.text, binding),
                )

    def spend_departed(self, binding: int) -> None:
        """Approvals of what has left meanwhile are used up; of what is in doubt again they last."""
        plans = "(SELECT id FROM plan WHERE binding = ?1)"
        if not self._rows(f"SELECT 1 FROM plan_change WHERE plan IN {plans} LIMIT 1", (binding,)):
            return
        with self._writing():
            for kind in (SEAT, GROUP):
                self._db.execute(
                    f"DELETE FROM plan_change WHERE plan IN {plans} AND kind = ?2"
                    f" AND json_extract(change, '$[0]') = '{GONE}' AND key IN"
                    f" (SELECT key FROM {TABLES[kind]} WHERE binding = ?1 AND state IN ('left', 'removed'))",
                    (binding, kind),
                )

    def cut_short(self, binding: int, run: int) -> bool:
        """Whether the run before this one was cut off, by the ledger's own failure perhaps."""
        return any(one.cut_off or one.exit_code == 8 for one in self.runs(binding, before=run))

    def unseat(self, binding: int, people: Sequence[bytes] | None = None) -> None:
        """Whoever has departed sits nowhere for certain: their seats are in doubt, so that a returner's go again.

        `people`: of these alone, who are few; None: of everybody, which looks through all seats.
        """
        with self._writing():
            if people is not None:
                groups = [row[0] for row in self.groups(binding)]
                self._db.executemany(
                    "UPDATE seat SET state = 'doubt' WHERE binding = ? AND key = ? AND state = 'active'",
                    ((binding, group + b"\0" + person) for group in groups for person in people),
                )
                return
            self._db.execute(
                "UPDATE seat SET state = 'doubt' WHERE binding = ?1 AND state = 'active'"
                " AND substr(key, instr(key, x'00') + 1) IN"
                " (SELECT key FROM person WHERE binding = ?1 AND state IN ('left', 'removed'))",
                (binding,),
            )

    def remove(self, binding: int, changes: Iterable[Change]) -> None:
        """Departures that the target has carried out itself (synchronize): nobody needs to do it by hand."""
        with self._writing():
            for change in changes:
                table = TABLES[change.kind]
                sql = f"UPDATE {table} SET state = 'removed' WHERE binding = ? AND key = ? AND state = 'left'"
                self._db.execute(sql, (binding, change.key))

    def finish_run(
        self, run: int, binding: int, outcome: str, code: int, reason: str | None, document: Mapping[str, Any],
        now: float, *, delivered: bool, followed: Sequence[MirrorChange] = (),
    ) -> None:  # fmt: skip
        """`delivered`: a whole run, not a pilot, whose delivery ended 0 or 3: the first delivery is over.

        `followed`: how far the directories are followed from then on, where no acknowledgement has brought it.
        """
        with self._writing():
            self._db.execute(
                "UPDATE run SET ended = ?, outcome = ?, exit_code = ?, reason = ?, document = ? WHERE id = ?",
                (now, outcome, code, reason, json.dumps(document), run),
            )
            if delivered:
                self._db.execute("UPDATE binding SET delivered = 1 WHERE id = ?", (binding,))
                self._db.execute("DELETE FROM meta WHERE name = ?", (f"restored {binding}",))
            for change in followed:
                self._followed(binding, change)
            self._thin_out(run, binding, now, well=delivered and code in (0, 3))
