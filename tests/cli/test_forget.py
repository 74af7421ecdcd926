"""Retention and erasure: what is old goes, and a forgotten person is found nowhere."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
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


def remains(office: Office) -> list[str]:
    """Statements of the ledger's dump that still name the canary; blobs are written in hex there."""
    with closing(sqlite3.connect(f"file:{office.ledger}?mode=ro", uri=True)) as ledger:
        lines = [line.lower() for line in ledger.iterdump()]
    return [line for line in lines if CANARY in line or CANARY.encode().hex() in line]


def forgotten(office: Office) -> None:
    assert remains(office)
    result = office.do("forget", CANARY, "--yes")
    assert result.code == 0 and result.out.count("forgotten: ") == 1, result.said
    assert remains(office) == []
    assert hits(office, "rosterd.toml") == []


@pytest.mark.parametrize("names", [(CANARY, "married"), ("maiden", CANARY)])
def test_a_renamed_person_is_forgotten_under_either_name(office: Office, names: tuple[str, str]) -> None:
    """The runs' documents tell of renames, with both names."""
    office.set(customers={"acme": {"sources": {"hr": {"people": {"id": "{{ id }}"}}}}})
    others = people("ana", "bruno", "dora", "egon", "flora", "gil")
    for last in ([names[0]], [names[1]], []):
        rows = [(row[0], *row) for row in others] + [("7", *row) for row in people(*last)]
        office.put(rows, head=("id", "logon", "name", "email"))
        office.run()
    forgotten(office)


def test_a_person_with_several_entries_is_forgotten(office: Office) -> None:
    office.put(people("ana", "bruno", CANARY))
    office.run(code=0)
    office.put(people("ana", "bruno", CANARY, CANARY, CANARY.upper()))
    office.run(code=3)
    office.put(people("ana", "bruno"))
    forgotten(office)


def test_a_member_of_groups_is_forgotten(grouped: Office) -> None:
    """While a guard holds, the groups' file as it was last read is still known."""
    others = people("ana", "bruno", "dora")
    grouped.set(customers={"acme": {"sources": {"hr": {"people": {"repair": ["ascii"]}}}}})
    grouped.put([*others, *people(CANARY)])
    grouped.put_groups(
        [("A", "", "ana"), ("A", "", CANARY), ("B", "", f"NDD//{CANARY}"), ("C", "", CANARY.upper())]
    )
    grouped.run()
    grouped.put(others)
    grouped.put_groups([("A", "", "ana")])
    grouped.run(code=4)
    forgotten(grouped)
    grouped.put_groups([("A", "", "ana"), ("A", "", "bruno")])
    assert grouped.one()["seats"]["created"] == 1


def test_a_person_a_pilot_was_about_is_forgotten(office: Office) -> None:
    """Also one whose name the run's reason tells."""
    office.put(people("ana", "bruno", CANARY))
    office.run(code=0)
    office.put(people("ana", "bruno", "nora"))
    office.run("--only", CANARY, "--only", "nora", code=3)
    forgotten(office)


def test_a_refused_person_is_forgotten(office: Office) -> None:
    office.put(people("ana", "bruno", CANARY))
    office.run(code=0)
    office.fault("refuse", logon=CANARY, message=f"{CANARY} is not welcome.")
    office.put([*people("ana", "bruno"), (CANARY, "Other", "")])
    office.run(code=3)
    office.put(people("ana", "bruno"))
    forgotten(office)


def test_somebody_who_was_refused_at_once_is_forgotten(office: Office) -> None:
    """Never delivered, so no person of the ledger's; but the refusal is kept, with name and address."""
    office.fault("refuse", logon=CANARY)
    office.put(people("ana", "bruno", CANARY))
    office.run(code=3)
    office.put(people("ana", "bruno"))
    office.run(code=0)
    forgotten(office)


def test_somebody_who_was_always_set_aside_is_forgotten(office: Office) -> None:
    office.put(people("ana", "bruno", CANARY, CANARY, CANARY.upper()))
    office.run(code=3)
    forgotten(office)


@pytest.mark.parametrize("who", [CANARY, f"{CANARY}@example.com"])
def test_somebody_whose_creation_is_held_is_forgotten(office: Office, who: str) -> None:
    office.set(customers={"acme": {"guards": {"first_run": "approve"}}})
    office.put(people("ana", "bruno", CANARY))
    office.run(code=4)
    result = office.do("forget", who, "--yes")
    assert result.code == 0 and result.out.count("forgotten: ") == 1
    assert remains(office) == []
