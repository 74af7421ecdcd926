"""Access elsewhere, from settings to report files: runs against the pretend Autodesk, its faults, and the verbs."""

from __future__ import annotations

import csv
import io
import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.elsewhere_kit import elsewhere
from tests.cli.files import customer, limit, people
from tests.cli.kit import Office, clean
from tests.cli.test_sources import source
from tests.core.autodesk_kit import REFRESH, TWIN


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with elsewhere(tmp_path) as found:
        yield found


def report(office: Office) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((office.directory / "reports" / "acme.json").read_text())
    assert found["schema"] == "rosterd/report/1"
    part: dict[str, Any] = found["customers"]["acme"]
    return part


def verdicts(office: Office) -> dict[tuple[str, str], str]:
    return {(one["kind"], one["email"] or one["name"]): one["verdict"] for one in report(office)["grants"]}


def test_a_run_reads_access_registers_and_reports(office: Office) -> None:
    part = office.one(code=0)
    assert part["registrations"] == {**part["registrations"], "read": 2, "created": 2}
    assert verdicts(office) == {
        ("application", "ANA@example.com"): "known",
        ("application", "carlos@example.com"): "known",
        ("application", "mallory@elsewhere.example"): "stranger",
        ("printer", "ana@example.com"): "known",
        ("printer", "bruno@example.com"): "known",
        ("twin", "First Last1"): "known",  # by the id of carlos
    }
    files = sorted(path.name for path in (office.directory / "reports").glob("acme.*"))
    assert files == ["acme.csv", "acme.html", "acme.json", "acme.xlsx"]
    assert sorted(part["reports"]) == sorted(str(office.directory / "reports" / name) for name in files)
    for path in (office.directory / "reports").glob("acme.*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    tokens = office.directory / "tokens"
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tokens.iterdir())
    codes = [one.code for one in office.server.world.autodesk.registrations]
    for path in (office.directory / "reports").rglob("*"):
        assert not path.is_file() or not any(code.encode() in path.read_bytes() for code in codes)


def test_a_second_run_uses_the_next_token_and_asks_no_printer_again(office: Office) -> None:
    office.one(code=0)
    part = office.one(code=0)
    assert part["registrations"]["unchanged"] == 2
    assert "reports" not in part  # nothing changed
    assert len(office.server.world.autodesk.registrations) == 2
    assert office.server.world.autodesk.token_requests["refresh_token"] == 2


def test_who_left_is_found_with_the_next_step(office: Office) -> None:
    office.one(code=0)
    office.put(people("ana", "bruno", "dora", "egon"))
    office.one(code=0)
    found = [one for one in report(office)["findings"] if one["kind"] == "access-left"]
    assert {one["place"] for one in found} == {"APP", TWIN}
    assert all(
        one["severity"] == "high" and one["person"] == "NDD//carlos" and one["next_step"] for one in found
    )
    said = office.do("report")
    assert said.code == 0
    assert "carlos@example.com) has left and still has access" in " ".join(said.out.split())


def test_one_place_that_fails_makes_the_report_say_so_and_leaves_the_rest(office: Office) -> None:
    office.one(code=0)
    office.fault("status", path="twins", status=404)
    part = office.one(code=3)
    assert TWIN in part["reason"]
    found = report(office)
    assert not found["complete"]
    assert {one["id"]: one["state"] for one in found["sources"]}[TWIN] == "stale"
    assert ("twin", "First Last1") in verdicts(office)
    assert office.do("report").code == 3


def test_a_spent_sign_in_ends_9_and_the_queue_is_served_all_the_same(office: Office) -> None:
    office.fault("token_refused", path="aps-refresh", error="invalid_grant")
    office.fault("aps_error", path="aps-token", status=400)
    part = office.one(code=9)
    assert "rosterd sign-in acme" in part["reason"]
    assert part["people"]["created"] == 5
    assert len(office.users()) == 5
    office.forget_requests()
    office.one(code=9)
    assert len(office.requests("/authentication/")) <= 3  # no loop


def test_a_lost_registration_is_shown_and_not_repeated(office: Office) -> None:
    office.fault("reset", path="registrations", applied=True)
    part = office.one(code=6)
    assert part["registrations"] == {**part["registrations"], "read": 2, "set_aside": 1, "unsent": 1}
    assert len(office.server.world.autodesk.registrations) == 1
    office.calm()
    office.one(code=3)
    made = [one.email for one in office.server.world.autodesk.registrations]
    assert sorted(made) == ["ana@example.com", "bruno@example.com"]
    shown = office.do("codes")
    assert "in doubt" in shown.out
    assert office.do("codes", "--again", "874 / bruno@example.com").code == 2  # not in doubt
    assert office.do("codes", "--again", "874 / ANA@example.com").code == 0
    office.one(code=0)
    assert len(office.server.world.autodesk.registrations) == 3


def test_codes_are_shown_by_their_verb_and_ticked_off(office: Office, tmp_path: Path) -> None:
    office.one(code=0)
    codes = {one.email: one.code for one in office.server.world.autodesk.registrations}
    rows = list(csv.DictReader(io.StringIO(office.do("codes", "--format", "csv").out)))
    assert {row["key"].removeprefix("874 / "): row["code"] for row in rows} == codes
    out = tmp_path / "codes.csv"
    office.do("codes", "--format", "csv", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    out.unlink()
    assert office.do("codes", "--handed-out", "874 / ana@example.com").code == 0
    left = json.loads(office.do("codes", "--json").out)
    assert [one["email"] for one in left["codes"]] == ["bruno@example.com"]
    assert len(json.loads(office.do("codes", "--json", "--all").out)["codes"]) == 2
    unknown = office.do("codes", "--handed-out", "875 / ana@example.com")
    assert (unknown.code, "rosterd codes --all" in unknown.err) == (2, True)
    office.one(code=0)
    grants = {one["email"]: one["level"] for one in report(office)["grants"] if one["kind"] == "printer"}
    assert grants == {"ana@example.com": "registered", "bruno@example.com": "code waiting"}


def test_plan_and_dry_run_show_registrations_and_ask_nobody(office: Office) -> None:
    office.forget_requests()
    planned = office.plan(code=0)
    keys = [one["key"] for one in planned["changes"] if one["kind"] == "registration"]
    assert keys == ["874 / ana@example.com", "874 / bruno@example.com"]
    assert planned["registrations"]["unsent"] == 2
    assert office.do("run", "--once", "--dry-run").code == 0
    assert office.requests("") == []
    assert not (office.directory / "reports").exists()


def test_registrations_over_the_guard_hold_and_are_approved(office: Office) -> None:
    office.set(customers={"acme": {"guards": {"registrations": limit(count=1)}}})
    part = office.one(code=4)
    assert "registrations: 2 printer registrations" in part["reason"]
    assert office.server.world.autodesk.registrations == []
    assert office.do("approve", part["plan"][:12]).code == 0
    assert office.one(code=0)["registrations"]["created"] == 2


@pytest.mark.parametrize("form", ["text", "html", "csv", "json", "xlsx"])
def test_the_report_verb_writes_every_format(office: Office, tmp_path: Path, form: str) -> None:
    office.one(code=0)
    office.forget_requests()
    out = tmp_path / f"mine.{form}"
    assert office.do("report", "--format", form, "--out", str(out)).code == 0
    data = out.read_bytes()
    out.unlink()
    assert (b"mallory@elsewhere.example" in data) == (form != "xlsx")
    assert form != "xlsx" or data.startswith(b"PK")
    assert office.requests("") == []  # from the ledger alone


def test_the_report_verb_before_any_run_says_that_nothing_was_read(office: Office) -> None:
    said = office.do("report", "--json")
    assert said.code == 3
    part = json.loads(said.out)["customers"]["acme"]
    assert not part["complete"]
    assert [(one["kind"], one["state"]) for one in part["sources"]] == [("directory", "never")]


def test_one_customer_s_sign_in_is_no_trouble_of_another_s(office: Office) -> None:
    office.set(customers={"beta": customer("beta")})
    office.put(people("zoe"), "beta.csv")
    office.fault("token_refused", path="aps-refresh", error="invalid_grant")
    document = office.run(code=9)
    assert document["customers"]["acme"]["exit_code"] == 9
    assert document["customers"]["beta"]["exit_code"] == 0
    assert document["customers"]["beta"]["people"]["created"] == 1
    assert not (office.directory / "reports" / "beta.json").exists()  # it has nothing at Autodesk


def test_reports_that_cannot_be_written_leave_the_delivery(office: Office) -> None:
    (office.directory / "reports").write_text("a file in the way")
    part = office.one(code=3)
    assert part["people"]["created"] == 5
    assert "reports" in part["reason"]
    (office.directory / "reports").unlink()
    office.one(code=0)
    assert (office.directory / "reports" / "acme.html").exists()


def test_secrets_of_autodesk_are_shown_nowhere(office: Office) -> None:
    office.fault("aps_error", path="collaborators", status=403, shape="text")
    outputs = [
        office.process("run", "--once", "-vv"), office.do("report"), office.do("settings", "show"),
        office.do("status"), office.do("check"),
    ]  # fmt: skip
    held = office.server.world.autodesk.token_requests
    assert held
    for result in outputs:
        clean(result, ["word-of-acme", REFRESH])


def test_a_forgotten_person_is_found_nowhere(office: Office) -> None:
    office.one(code=0)
    rows = [row for row in people("ana", "bruno", "carlos", "dora", "egon") if row[0] != "carlos"]
    office.put(rows)
    office.one(code=0)
    office.server.world.autodesk.remove(["applications", "APP", "collaborators", "USER1"])
    said = office.do("forget", "NDD//carlos", "--yes")
    assert said.code == 0, said.said
    own = {"acme.csv", "groups.csv", "rosterd.toml"}
    files = [
        path for path in office.directory.rglob("*") if path.is_file() and path.parent != office.directory
    ]
    files += [path for path in office.directory.iterdir() if path.is_file() and path.name not in own]
    assert [path.name for path in files if b"carlos" in path.read_bytes().lower()] == []
    assert {one.email for one in office.server.world.autodesk.registrations} == {
        "ana@example.com",
        "bruno@example.com",
    }
    office.one(code=0)
    assert len(office.server.world.autodesk.registrations) == 2  # nobody else's registration was forgotten


@pytest.mark.parametrize("name", ["A. of HQ", "Z. of HQ"])
def test_a_registration_is_for_the_address_of_the_source_that_counts(office: Office, name: str) -> None:
    """The code would go to an address that the delivered record does not have."""
    office.set(
        customers={"acme": {"precedence": ["hq", "hr"], "sources": {"hq": source("hq.csv")}}},
    )
    office.put([("ana", name, "ana@hq.example"), ("bruno", name, "")], "hq.csv")
    office.run(code=3)
    assert office.users()["ndd//ana"]["Email"] == "ana@hq.example"
    assert [one.email for one in office.server.world.autodesk.registrations] == ["ana@hq.example"]


def test_an_older_ledger_repeats_no_registration_unseen(office: Office) -> None:
    """Those made since the copy are not in it; whoever has looked in the printer's portal approves them."""
    makers = [("Makers", "They may print in 3D", logon) for logon in ("ana", "bruno")]
    office.put_groups(makers[:1])
    office.run(code=0)
    copy = office.directory / "copy.db"
    assert office.do("ledger", "backup", str(copy)).code == 0
    office.put_groups(makers)
    office.run(code=0)
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (office.directory / name).unlink(missing_ok=True)
    shutil.copyfile(copy, office.ledger)
    made = office.server.world.autodesk.registrations
    for _ in range(2):
        part = office.one(code=4)
        assert "older copy of the ledger" in part["reason"] and len(made) == 2
    assert office.do("approve", part["plan"], "--now").code == 0
    assert [one.email for one in made] == ["ana@example.com", "bruno@example.com", "bruno@example.com"]
    office.put_groups([*makers, ("Makers", "They may print in 3D", "dora")])
    assert office.one(code=0)["registrations"]["created"] == 1, "from then on they go as before"
