"""When the service's jobs are due, kept so that a restart neither forgets nor floods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rosterd.ledger.reading import Reader

OWN = ""  # the client of jobs that are the service's own


class Owed(NamedTuple):
    """A job that is owed from a time on. rule: the fingerprint of the schedule that the time was reckoned by."""

    client: str
    job: str
    due: float
    rule: str


class Agenda(Reader):
    """Due times. Notes of them do not age the ledger: they say nothing of what a target has."""

    def data_version(self) -> int:
        """Another number whenever somebody else has written (sqlite.org/pragma.html#pragma_data_version)."""
        return int(self._rows("PRAGMA data_version")[0][0])

    def rest(self) -> None:
        """Gives memory back: a connection that is kept for long would fill its cache with what it once read."""
        self._rows("PRAGMA shrink_memory")

    def last_success(self, binding: int) -> float | None:
        """When a run last ended 0 or 3."""
        sql = "SELECT ended FROM run WHERE binding = ? AND exit_code IN (0, 3) ORDER BY id DESC LIMIT 1"
        return next((row[0] for row in self._rows(sql, (binding,))), None)

    def last_codes(self, client: str, most: int) -> list[int]:
        """The exit codes of a client's last runs that ended, the newest first."""
        sql = (
            "SELECT r.exit_code FROM run r JOIN binding b ON b.id = r.binding"
            " WHERE b.client = ? AND r.exit_code IS NOT NULL ORDER BY r.id DESC LIMIT ?"
        )
        return [row[0] for row in self._rows(sql, (client, most))]

    def owed(self) -> list[Owed]:
        """Every job with its due time."""
        rows = self._rows(
            "SELECT coalesce(b.client, ''), a.job, a.due, a.rule FROM agenda a LEFT JOIN binding b ON b.id = a.binding"
        )
        return [Owed(*row) for row in rows]

    def next_of(self, client: str, job: str) -> Owed | None:
        """One job's due time, if it has one."""
        sql = (
            "SELECT b.client, a.job, a.due, a.rule FROM agenda a JOIN binding b ON b.id = a.binding"
            " WHERE b.client = ? AND a.job = ?"
        )
        return next((Owed(*row) for row in self._rows(sql, (client, job))), None)

    def owe(self, jobs: Iterable[Owed], customers: Mapping[str, str]) -> None:
        """Notes due times in one transaction; clients the ledger has not met get their binding.

        `customers`: client -> the customer's name.
        """
        place = "coalesce((SELECT id FROM binding WHERE client = ?), 0)"
        with self._writing():
            for job in jobs:
                if job.client:
                    self._db.execute(
                        "INSERT OR IGNORE INTO binding (client, customer) VALUES (?, ?)",
                        (job.client, customers[job.client]),
                    )
                self._db.execute(f"INSERT OR REPLACE INTO agenda VALUES ({place}, ?, ?, ?)", tuple(job))

    def owe_no_more(self, jobs: Iterable[tuple[str, str]]) -> None:
        """Forgets jobs, (client, job), that the settings no longer ask for."""
        with self._writing():
            self._db.executemany(
                "DELETE FROM agenda WHERE job = ?2 AND"
                " binding = coalesce((SELECT id FROM binding WHERE client = ?1), 0)",
                jobs,
            )
