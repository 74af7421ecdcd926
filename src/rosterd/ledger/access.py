"""What the ledger keeps of access: accounts of the directory, places and their holders, registrations, reports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rosterd.core.access import LEFT, PRINTER, Account, Place, ReportChange, Snapshot
from rosterd.core.join import Held, Identity
from rosterd.core.plan import REGISTRATION, Change
from rosterd.ledger.notes import Notes

ISSUED, IN_DOUBT, AGAIN = "issued", "doubt", "again"  # states of a registration


class Registration(NamedTuple):
    """One registration with a 3D printer. The code is a secret; times are seconds since 1970."""

    key: bytes
    printer: str
    email: str
    person: str
    state: str
    code: str
    issued: str
    at: float
    handed: float | None

    @property
    def shown(self) -> str:
        """Its key as a plan shows it."""
        return f"{self.printer} / {self.email}"

    def __repr__(self) -> str:  # without the code
        return f"<Registration {self.shown}: {self.state}>"


def _held(one: Registration) -> Held:
    """A registration as an entry of its printer."""
    level = "registered" if one.handed else "code waiting" if one.state == ISSUED else "in doubt"
    return "", 0, "", one.email, False, level, "", one.issued


class Access(Notes):
    """Access and reports."""

    def accounts(self, binding: int) -> Iterator[list[Account]]:
        """Everybody the directory shows or showed, in key order."""
        sql = (
            "SELECT key, shown, name, emails, state, note, source FROM account"
            " WHERE binding = ? AND key > ? ORDER BY key LIMIT ?"
        )
        return ([Account(*row) for row in page] for page in self._pages(sql, binding))

    def count_accounts(self, binding: int) -> int:
        """How many accounts are known, gone or not."""
        count: int = self._rows("SELECT count(*) FROM account WHERE binding = ?", (binding,))[0][0]
        return count

    def person_states(self, binding: int, low: bytes, high: bytes) -> dict[bytes, str]:
        """The states of people in a range of keys."""
        sql = "SELECT key, state FROM person WHERE binding = ? AND key BETWEEN ? AND ?"
        return dict(self._rows(sql, (binding, low, high)))

    def problems_of(self, binding: int, kind: str, low: bytes, high: bytes) -> dict[bytes, tuple[str, str]]:
        """Who is refused or set aside in a range of keys: key -> (bucket, reason)."""
        sql = "SELECT key, bucket, reason FROM problem WHERE binding = ? AND kind = ? AND key BETWEEN ? AND ?"
        return {key: (bucket, why) for key, bucket, why in self._rows(sql, (binding, kind, low, high))}

    def refused_people(self, binding: int) -> list[tuple[str, str, str]]:
        """People whom the target refused: key as shown, name, reason."""
        return self._rows(
            "SELECT r.shown, coalesce(a.name, ''), r.reason FROM problem r LEFT JOIN account a"
            " ON a.binding = r.binding AND a.key = r.key"
            " WHERE r.binding = ? AND r.kind = 'person' AND r.bucket = 'refused' ORDER BY r.key",
            (binding,),
        )

    def note_accounts(
        self, binding: int, changed: Iterable[Account], left: Iterable[bytes], now: float
    ) -> None:
        """Takes note of accounts as they are now, and of those that have gone."""
        with self._writing():
            self._db.executemany(
                "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " since = iif(state = excluded.state, since, excluded.since), shown = excluded.shown,"
                " name = excluded.name, emails = excluded.emails, state = excluded.state, note = excluded.note,"
                " source = excluded.source",
                ((binding, *account, now) for account in changed),
            )
            self._db.executemany(
                f"UPDATE account SET state = '{LEFT}', note = '', since = ? WHERE binding = ? AND key = ?",
                ((now, binding, key) for key in left),
            )

    def note_place(
        self, binding: int, place: Place, now: float, *, entries: int = 0, consistent: bool = True, reason: str = ""
    ) -> None:  # fmt: skip
        """Whether a source or place was read whole now; with a reason it was not, and its last state stands."""
        with self._writing():
            self._place(binding, place, now, entries, consistent, reason)

    def _place(
        self, binding: int, place: Place, now: float, entries: int, consistent: bool, reason: str
    ) -> None:
        if reason:
            self._db.execute(
                "INSERT INTO place VALUES (?, ?, ?, ?, NULL, ?, 0, 1) ON CONFLICT DO UPDATE SET"
                " name = excluded.name, reason = excluded.reason",
                (binding, *place, reason),
            )
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?, ?, '', ?, ?)",
                (binding, *place, now, entries, int(consistent)),
            )

    def note_holders(self, binding: int, place: Place, snapshot: Snapshot, now: float) -> None:
        """Everybody with access to a place that was read whole; they take the place of who was there before."""
        numbers: dict[str, int] = {}
        rows: list[tuple[Any, ...]] = []
        for holder in snapshot.holders:
            number = numbers[holder.subject] = numbers.get(holder.subject, -1) + 1
            rows.append((binding, *place[:2], holder.subject, number, *holder[1:6], int(holder.group)))
        rows.sort(key=lambda row: row[3:5])
        with self._writing():
            self._db.execute(
                "DELETE FROM holder WHERE binding = ? AND kind = ? AND place = ?", (binding, *place[:2])
            )
            self._db.executemany("INSERT INTO holder VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._place(binding, place, now, len(rows), snapshot.consistent, "")

    def forget_places(self, binding: int, kept: Iterable[Place], keep: Sequence[str]) -> None:
        """Places that the settings no longer name; those of the kinds in `keep` stay."""
        wanted = {place[:2] for place in kept}
        known = self._rows("SELECT kind, id FROM place WHERE binding = ?", (binding,))
        stale = [(binding, *row) for row in known if tuple(row) not in wanted and row[0] not in keep]
        if stale:
            with self._writing():
                self._db.executemany("DELETE FROM place WHERE binding = ? AND kind = ? AND id = ?", stale)
                self._db.executemany("DELETE FROM holder WHERE binding = ? AND kind = ? AND place = ?", stale)

    def places(self, binding: int) -> list[tuple[Place, float | None, str, int, bool]]:
        """Each source and place: when it was last read whole, why not since, how many entries, consistent."""
        rows = self._rows(
            "SELECT kind, id, name, whole, reason, entries, consistent FROM place WHERE binding = ?"
            " ORDER BY kind, id",
            (binding,),
        )
        return [(Place(*row[:3]), row[3], row[4], row[5], bool(row[6])) for row in rows]

    def last_access(self, binding: int) -> float | None:
        """When the places of a customer were last asked for: the oldest whole read; None when one never was."""
        rows = self._rows(
            "SELECT whole FROM place WHERE binding = ? AND kind NOT IN ('directory', ?)", (binding, PRINTER)
        )
        return min((whole for (whole,) in rows), default=None) if all(whole for (whole,) in rows) else None

    def holders(self, binding: int) -> Iterator[tuple[Place, list[Held]]]:
        """Everybody with access anywhere, in pages by kind, place and subject; printers by their registrations."""
        sql = (
            "SELECT subject, number, name, email, grouped, level, via, since FROM holder"
            " WHERE binding = ? AND kind = ? AND place = ? AND (subject, number) > (?, ?)"
            " ORDER BY subject, number LIMIT ?"
        )
        for place, *_ in self.places(binding):
            if place.kind == PRINTER:
                yield place, [_held(one) for one in self.registrations(binding, place.id)]
                continue
            for rows in self._pages(sql, binding, place.kind, place.id, start=("", -1)):
                yield place, rows

    def identities(self, binding: int) -> list[Identity]:
        """Each identity that holds anything, once."""
        held: list[Identity] = self._rows(
            "SELECT DISTINCT subject, name, email, grouped FROM holder WHERE binding = ?", (binding,)
        )
        return [*held, *(("", "", one.email, False) for one in self.registrations(binding))]

    def registrations(self, binding: int, printer: str | None = None) -> list[Registration]:
        """Registrations in key order, of one printer or of all."""
        rows = self._rows(
            "SELECT key, printer, email, person, state, code, issued, at, handed FROM registration"
            " WHERE binding = ?1 AND (?2 IS NULL OR printer = ?2) ORDER BY key",
            (binding, printer),
        )
        return [Registration(*row) for row in rows]

    def registration_states(self, binding: int) -> dict[bytes, str]:
        """Each registration's state by its key; one in doubt that somebody settled by hand counts as issued."""
        sql = "SELECT key, iif(handed IS NULL, state, ?) FROM registration WHERE binding = ?"
        return dict(self._rows(sql, (ISSUED, binding)))

    def registering(self, run: int, binding: int, change: Change, now: float) -> int:
        """Before a registration is asked for: a crash from here on leaves it in doubt, and it is not repeated."""
        printer, email, person = change.after or ("", "", "")
        with self._writing():
            self._db.execute(
                "INSERT OR REPLACE INTO registration VALUES (?, ?, ?, ?, ?, ?, '', '', ?, ?, NULL)",
                (binding, change.key, printer, email, person, IN_DOUBT, now, run),
            )
            self._db.execute(
                "INSERT INTO batch (binding, run, kind, state, count, started) VALUES (?, ?, ?, 'sending', 1, ?)",
                (binding, run, REGISTRATION, now),
            )
            return self._db.last_insert_rowid()

    def registered(self, binding: int, batch: int, change: Change, code: str, issued: str) -> None:
        """A code was issued: it is kept before anything else happens."""
        with self._writing():
            self._db.execute(
                "UPDATE registration SET state = ?, code = ?, issued = ? WHERE binding = ? AND key = ?",
                (ISSUED, code, issued, binding, change.key),
            )
            self._heard(binding, batch, change, "acknowledged", "")

    def not_registered(
        self, run: int, binding: int, batch: int, change: Change, reason: str, now: float, *, refused: bool
    ) -> None:
        """The service refused it, or it was not sent at all: there is no registration."""
        with self._writing():
            self._db.execute("DELETE FROM registration WHERE binding = ? AND key = ?", (binding, change.key))
            if refused:
                self._refuse(run, binding, [(change, reason)], now)
            self._heard(binding, batch, change, "acknowledged" if refused else "failed", reason)

    def registration_lost(self, batch: int, reason: str, now: float) -> None:
        """No valid answer came: it stays in doubt."""
        with self._writing():
            sql = "UPDATE batch SET state = 'in doubt', ended = ?, answer = ? WHERE id = ?"
            self._db.execute(sql, (now, reason[:500], batch))

    def _heard(self, binding: int, batch: int, change: Change, state: str, answer: str) -> None:
        sql = "UPDATE batch SET state = ?, ended = started, answer = ? WHERE id = ?"
        self._db.execute(sql, (state, answer[:500], batch))
        if state == "acknowledged" and not answer:
            for table in ("problem", "plan_change"):
                self._forget(table, binding, REGISTRATION, [change])

    def hand_out(self, binding: int, key: bytes, now: float) -> None:
        """Notes that a code was handed out, or that somebody settled one in doubt by hand."""
        with self._writing():
            sql = "UPDATE registration SET handed = ? WHERE binding = ? AND key = ?"
            self._db.execute(sql, (now, binding, key))

    def register_again(self, binding: int, key: bytes) -> None:
        """Somebody has looked: a registration in doubt may be asked for once more."""
        with self._writing():
            sql = "UPDATE registration SET state = ? WHERE binding = ? AND key = ? AND state = ?"
            self._db.execute(sql, (AGAIN, binding, key, IN_DOUBT))

    def last_report(self, binding: int) -> tuple[float, str, list[ReportChange]] | None:
        """When the last report was written, its digest, and what it said had changed."""
        rows = self._rows(
            "SELECT made, digest, changes FROM report WHERE binding = ? ORDER BY made DESC LIMIT 1",
            (binding,),
        )
        return (
            (rows[0][0], rows[0][1], [ReportChange(*row) for row in self._value(rows[0][2])])
            if rows
            else None
        )

    def reports(self, binding: int, most: int) -> list[tuple[float, dict[str, int]]]:
        """When the last reports were written and their counts, the oldest first."""
        sql = "SELECT made, counts FROM report WHERE binding = ? ORDER BY made DESC LIMIT ?"
        return [(made, self._value(counts)) for made, counts in self._rows(sql, (binding, most))][::-1]

    def reported(self, binding: int, what: str) -> Iterator[list[tuple[str, str, str, float]]]:
        """key, value, sentence, first seen: what the last report said of one kind of thing, in key order."""
        sql = (
            "SELECT key, value, said, first FROM reported WHERE binding = ? AND what = ? AND key > ?"
            " ORDER BY key LIMIT ?"
        )
        return self._pages(sql, binding, what, start=("",))

    def note_report(
        self, binding: int, made: float, digest: str, counts: Mapping[str, int], changes: Sequence[ReportChange],
        said: Iterable[tuple[str, str, str, str]], dropped: Iterable[tuple[str, str]],
    ) -> None:  # fmt: skip
        """A report was written: what it says newly (what, key, value, sentence), and what it no longer says."""
        with self._writing():
            self._db.executemany(
                "DELETE FROM reported WHERE binding = ? AND what = ? AND key = ?",
                ((binding, *row) for row in dropped),
            )
            self._db.executemany(
                "INSERT INTO reported VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value,"
                " said = excluded.said",
                ((binding, *row, made) for row in said),
            )
            self._db.execute(
                "INSERT OR REPLACE INTO report VALUES (?, ?, ?, ?, ?)",
                (binding, made, digest, json.dumps(dict(counts)), json.dumps(changes)),
            )
