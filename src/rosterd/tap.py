"""A full read of a followed source is written down entry by entry, while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rosterd.core.doors import Batch
from rosterd.core.people import Row
from rosterd.grouping import GroupPlan
from rosterd.mirror import ROWS, Rows, Told, groups_told, people_told


class Tap:
    """Takes note of each batch. `fault`: why what was noted is not good to go on from ("" while it is)."""

    def __init__(self, write: Callable[[Rows], None]) -> None:
        self._write = write
        self._rows = Rows([], [], [])
        self.count = 0
        self.fault = ""

    def people(self, batch: Batch, rows: Sequence[Row]) -> None:
        """People as they were read, and as they were mapped."""
        self._note(batch, people_told(batch, rows) if batch.ids else ())

    def groups(self, plan: GroupPlan, attributes: Sequence[str], batch: Batch) -> None:
        """Groups as they were read."""
        self._note(batch, groups_told(plan, attributes, batch) if batch.ids else ())

    def _note(self, batch: Batch, told: Iterable[Told]) -> None:
        if not all(batch.ids) or len(batch.ids) != len(batch.rows):
            self.fault = "the server shows no stable id of some entries"
        for one in told:
            self._rows.add(one)
            self.count += 1
        if len(self._rows.entries) + len(self._rows.edges) >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Writes what has come so far."""
        rows, self._rows = self._rows, Rows([], [], [])
        if rows.entries:
            self._write(rows)
