"""What the end of a run leaves of older runs and requests, and how little it looks at for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from rosterd.ledger.forget import KEEP_BATCHES, THINNED
from rosterd.ledger.sqlite import SqliteLedger

NOW = 1_800_000_000.0
NOTHING = {
    name: {"created": 0, "updated": 0, "gone": 0} for name in ("people", "groups", "seats", "registrations")
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    made = SqliteLedger(tmp_path / "ledger.db", "https://orbix.example", "acme")
    yield made
    made.close()


def ended(ledger: SqliteLedger, binding: int, now: float = NOW, code: int = 0, **more: Any) -> int:
    """A run with such a document."""
    run = ledger.start_run(binding, now)
    document = {"requests": 0, **NOTHING, **more}
    ledger.finish_run(run, binding, "done", code, None, document, now, delivered=True)
    return run


def runs(ledger: SqliteLedger, binding: int) -> list[int]:
    return [row.id for row in ledger.runs(binding, most=100)][::-1]


def test_of_runs_in_which_nothing_happened_only_the_last_stays(ledger: SqliteLedger) -> None:
    acme, other = (ledger.bind(name, name).id for name in ("acme", "other"))
    theirs = ended(ledger, other)
    happened: list[Any] = [
        {"requests": 1},
        {"code": 3},
        {"code": 6},
        *({kind: NOTHING[kind] | {"gone": 1}} for kind in ("people", "groups", "seats")),
        *({"registrations": NOTHING["registrations"] | {op: 1}} for op in ("created", "updated")),
    ]
    kept = [ended(ledger, acme, **what) for what in happened]
    for _ in range(3):
        last = ended(ledger, acme)
    assert runs(ledger, acme) == [*kept, last] and runs(ledger, other) == [theirs]


def test_when_it_last_went_well_stays_known_through_bad_runs(ledger: SqliteLedger) -> None:
    acme = ledger.bind("acme", "acme").id
    codes = (0, 0, 6, 6, 0, 0, 9, 0)
    for number, code in enumerate(codes):
        ended(ledger, acme, NOW + number, code)
        good = max(at for at in range(number + 1) if codes[at] == 0)
        assert ledger.last_success(acme) == NOW + good
    assert [row.exit_code for row in ledger.runs(acme, most=10)] == [0, 9, 0, 6, 6, 0]


def test_old_requests_go_and_those_without_an_answer_stay(ledger: SqliteLedger) -> None:
    acme = ledger.bind("acme", "acme").id
    old, young = NOW - KEEP_BATCHES - 1, NOW - KEEP_BATCHES + 1
    run = ledger.start_run(acme, old)
    batches = [ledger.sending(run, acme, "person", [], 0, when) for when in (old, old, young)]
    for batch in (batches[0], batches[2]):
        ledger.failed(batch, acme, "no", NOW, doubt=False)
    ended(ledger, acme)
    assert [row[0] for row in ledger._rows("SELECT id FROM batch ORDER BY id")] == batches[1:]


def test_the_end_of_a_run_looks_at_few_of_many_runs_and_requests(ledger: SqliteLedger) -> None:
    acme = ledger.bind("acme", "acme").id
    row = (acme, 1, "person", "acknowledged", 1, NOW - KEEP_BATCHES - 1)
    with ledger._writing():
        ledger._db.executemany(
            "INSERT INTO batch (binding, run, kind, state, count, started) VALUES (?, ?, ?, ?, ?, ?)",
            [row] * 30_000,
        )
        ledger._db.executemany(
            "INSERT INTO run (binding, started, ended, exit_code) VALUES (?, 1, 1, 0)", [(acme,)] * 30_000
        )
    ended(ledger, acme)
    steps = [0]

    def count() -> bool:
        steps[0] += 100
        return False

    ledger._db.set_progress_handler(count, 100)
    ended(ledger, acme)
    ledger._db.set_progress_handler(None)
    assert steps[0] < 40_000, "of the virtual machine; to look at all takes more than 100,000"
    assert ledger._rows("SELECT count(*) FROM batch") == [(30_000 - 2 * THINNED,)]


def test_a_ledger_just_opened_holds_little_of_its_file(ledger: SqliteLedger, tmp_path: Path) -> None:
    """Small ones are checked page by page, which is no reason to keep the pages."""
    acme = ledger.bind("acme", "acme").id
    for _ in range(20):
        ended(ledger, acme, requests=1, padding="x" * 100_000)
    opened = SqliteLedger(tmp_path / "ledger.db", "https://orbix.example", "acme")
    used, _ = opened._db.status(apsw.SQLITE_DBSTATUS_CACHE_USED)
    opened.close()
    assert (
        used
        < 200_000
        < 2_000_000
        < (tmp_path / "ledger.db").stat().st_size + (tmp_path / "ledger.db-wal").stat().st_size
    )
