"""Retention and erasure: what is old goes, and a forgotten person is found nowhere."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.cli.files import people
from tests.cli.kit import Office

CANARY = "zzcanary"


def hits(office: Office, *beside: str) -> list[str]:
    """Files of the office that still name the canary, the directory's own export aside."""
    own = {"acme.csv", "groups.csv", *beside}
    files = [path for path in office.directory.rglob("*") if path.is_file() and path.name not in own]
    return [path.name for path in files if CANARY.encode() in path.read_bytes().lower()]


def filled(office: Office) -> None:
    """A ledger, a history and reports that know the canary."""
    office.put([*people("ana", "bruno", "dora", "egon", "flora", "gil"), *people(CANARY)])
    office.run(code=0)
    office.put(
        [
            *people("ana", "bruno", "dora", "egon", "flora", "gil"),
            (CANARY, "Other Name", f"{CANARY}@b.example"),
        ]
    )
    office.run(code=0)
    office.put(people("ana", "bruno", "dora", "egon", "flora", "gil"))
    office.run()
    reports = office.directory / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "acme.json").write_text(f'{{"people": ["NDD//{CANARY.upper()}"]}}', encoding="utf-8")
    (reports / "other.json").write_text('{"people": ["NDD//ana"]}', encoding="utf-8")


def test_a_forgotten_person_is_found_nowhere(office: Office) -> None:
    filled(office)
    assert "ledger.db" in "".join(hits(office))
    result = office.do("forget", f"ndd//{CANARY.upper()}", "--yes")
    assert result.code == 0 and "acme.json" in result.out
    assert hits(office) == []
    assert (office.directory / "reports" / "other.json").exists()
    assert office.do("ledger", "verify").code == 0
    assert office.run(code=0)["customers"]["acme"]["people"]["gone"] == 0
    assert hits(office) == [], "a run does not bring them back"


def test_an_older_copy_put_back_does_not_bring_them_back(office: Office) -> None:
    filled(office)
    copy = office.directory / "copy.db"
    assert office.do("ledger", "backup", str(copy)).code == 0
    assert office.do("forget", CANARY, "--yes").code == 0
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (office.directory / name).unlink(missing_ok=True)
    shutil.copyfile(copy, office.ledger)
    copy.unlink()
    assert CANARY.encode() in office.ledger.read_bytes()
    document = office.run()
    assert any("erased again" in notice for notice in document["notices"])
    assert hits(office) == []


def test_nobody_is_forgotten_by_mistake(office: Office) -> None:
    filled(office)
    assert office.do("forget", CANARY).code == 2, "neither --yes nor a terminal"
    assert office.do("forget", "nobody", "--yes").code == 2
    assert office.do("forget", "zzcan", "--yes").code == 2, "the whole name, not its beginning"
    assert hits(office)


def test_old_runs_and_history_go(office: Office) -> None:
    filled(office)
    with closing(sqlite3.connect(office.ledger)) as ledger, ledger:
        ledger.execute("UPDATE run SET started = ?, ended = ?", (time.time() - 400 * 86_400,) * 2)
        ledger.execute("DELETE FROM meta WHERE name = 'pruned'")
        assert ledger.execute("SELECT count(*) FROM history").fetchone()[0] > 0
    office.run()
    with closing(sqlite3.connect(office.ledger)) as ledger:
        assert ledger.execute("SELECT count(*) FROM history").fetchone()[0] == 0
        assert (
            ledger.execute("SELECT count(*) FROM run WHERE started < ?", (time.time() - 86_400,)).fetchone()[
                0
            ]
            <= 1
        )
    assert Path(office.ledger).exists()
