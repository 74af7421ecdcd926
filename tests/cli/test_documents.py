"""The documents and files of the verbs beside `run`: their shapes, and what is left on disk."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

from tests.cli.files import numbered, people
from tests.cli.kit import Office
from tests.cli.shapes import CODE, count, digest, misfits, moment, one_of

STATUS = {
    "schema": "rosterd/status/1",
    "exit_code": CODE,
    "customers": {
        "*": {
            "state": str,
            "exit_code": CODE,
            "reason": (str, None),
            "last_run": (moment, None),
            "next_run": (moment, None),
            "held": [{"digest": digest, "changes": count, "approved": bool}],
            "*": lambda _: True,
        }
    },
}
CHECK = {
    "schema": "rosterd/check/1",
    "exit_code": CODE,
    "findings": [{"what": str, "exit_code": CODE, "detail": str, "next": str, "people": [{"*": str}]}],
}
APPROVAL = {"schema": "rosterd/approval/1", "approved": [digest]}
LEAVERS = {
    "schema": "rosterd/leavers/1",
    "leavers": [{"kind": one_of("person", "group", "seat"), "*": lambda _: True}],
}


def test_documents_of_the_other_verbs(office: Office) -> None:
    office.run(code=0)
    office.put(people("ana", "bruno", "carlos"))
    office.run(code=4)
    for line, shape in ((("status",), STATUS), (("check",), CHECK), (("leavers",), LEAVERS)):
        document = office.do(*line, "--json").document
        assert not misfits(document, shape), misfits(document, shape)
    approval = office.do("approve", office.plan()["digest"], "--json")
    assert not misfits(approval.document, APPROVAL), approval.out


def test_plan_check_exits_10_when_something_is_to_be_done(office: Office) -> None:
    assert office.do("plan").code == 0
    assert office.do("plan", "--check").code == 10
    office.run(code=0)
    assert office.do("plan", "--check").code == 0
    office.put(people("ana"))
    assert office.do("plan", "--check").code == office.do("plan").code == 4


def test_plan_writes_nothing(office: Office) -> None:
    office.plan(code=0)
    assert office.requests("") == [], "no request at all, not even for a token"


def test_plan_out(office: Office) -> None:
    file = office.directory / "plan.json"
    result = office.do("plan", "--out", str(file))
    assert result.code == 0 and "5" in result.out
    assert json.loads(file.read_text(encoding="utf-8")) == office.do("plan", "--json").document
    assert list(office.directory.glob(".plan*")) == []
    bad = office.do("plan", "--out", str(office.directory / "no" / "plan.json"))
    assert bad.code == 2 and "plan.json" in bad.err


def test_plan_lists_some_changes_or_all(office: Office) -> None:
    office.put(numbered(60))
    short, full = office.do("plan").out, office.do("plan", "--full").out
    assert short.count("+ person") < 60 == full.count("+ person") and "--full" in short


def test_check_shows_ten_mapped_people_and_writes_nothing(office: Office) -> None:
    office.put(numbered(20))
    result = office.do("check")
    assert result.code == 0 and result.out.count("NDD//p000") == 10, result.out
    assert office.users() == {} and not office.ledger.exists()


def test_check_tells_of_every_trouble(office: Office) -> None:
    (office.directory / "acme.csv").unlink()
    office.set(orbix={"client_secret": "wrong"})
    result = office.do("check", "--json")
    assert result.code == 9 and [one["exit_code"] for one in result.document["findings"]] == [0, 0, 9, 5]
    assert all(one["next"] for one in result.document["findings"] if one["exit_code"])


def test_status_before_the_first_run(office: Office) -> None:
    result = office.do("status")
    assert result.code == 10 and "never" in result.out


def test_status_after_trouble(office: Office) -> None:
    office.fault("status", status=403, path="users")
    office.run(code=6)
    result = office.do("status", "--json")
    part = result.document["customers"]["acme"]
    assert result.code == 6 and "403" in part["reason"] and part["last_outcome"] == "failed"


def test_ledger_backup_and_verify(office: Office) -> None:
    office.run(code=0)
    copy = office.directory / "copy.db"
    assert office.do("ledger", "backup", str(copy)).code == 0
    with sqlite3.connect(copy) as database:
        assert database.execute("SELECT count(*) FROM person").fetchone() == (5,)
    database.close()
    assert office.do("ledger", "verify").code == 0
    assert office.do("ledger", "verify", "--json").document["problems"] == []
    assert office.do("ledger", "backup", str(copy)).code == 0, "an older copy gives way"
    around = office.directory / ".." / office.directory.name / office.ledger.name
    for bad in (office.ledger, around, office.config, office.directory, office.directory / "no" / "copy.db"):
        before = bad.read_bytes() if bad.is_file() else b""
        result = office.do("ledger", "backup", str(bad))
        assert result.code == 2 and str(bad) in result.err, result.said
        assert not before or bad.read_bytes() == before


def test_ledger_verify_without_a_ledger(office: Office) -> None:
    result = office.do("ledger", "verify")
    assert result.code == 8 and "next:" in result.err


def test_modes_of_files(office: Office) -> None:
    os.umask(0o022)
    office.run(code=0)
    for path in office.directory.glob("ledger.db*"):
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_the_ledger_makes_its_directory_private(office: Office) -> None:
    office.set(ledger={"url": "sqlite:///state/deep/ledger.db"})
    office.run(code=0)
    assert (office.directory / "state" / "deep").stat().st_mode & 0o777 == 0o700


def test_the_sample_settings_are_accepted(office: Office, tmp_path: Path) -> None:
    sample = tmp_path / "sample" / "rosterd.toml"
    sample.parent.mkdir()
    sample.write_text(office.do("settings", "sample").out, encoding="utf-8")
    result = office.do("settings", "show", bare=True, env={"ROSTERD_CONFIG": str(sample)})
    assert result.code == 0, result.said
