"""When a run of the service reads access: by a schedule of its own, whichever of the two jobs comes first."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.core.elsewhere import APP, Site

from rosterd.daemon.turns import access_due
from rosterd.settings import CustomerSettings


def customer(schedule: str) -> CustomerSettings:
    people = {"logon": "{{ logon }}", "domain": "NDD"}
    return CustomerSettings.model_validate(
        {
            "client": "ACME",
            "time_zone": "America/Sao_Paulo",
            "sources": {"hr": {"kind": "csv", "path": "/people.csv", "people": people}},
            "autodesk": {"client_id": "app", "schedule": schedule},
        }
    )


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "ledger.db")
    site.office.now = at("2026-11-26T09:05:00")  # 06:05 in São Paulo
    return site


def test_it_is_due_when_its_time_has_come_since_the_last_read(site: Site) -> None:
    daily, ledger = customer("0 6 * * *"), site.office.ledger
    assert access_due(daily, ledger, site.office.now)  # never read
    site.run()
    assert not access_due(daily, ledger, at("2026-11-26T09:20:00"))
    assert not access_due(daily, ledger, at("2026-11-27T08:59:00"))
    assert access_due(daily, ledger, at("2026-11-27T09:00:00"))
    assert access_due(customer("*/15 * * * *"), ledger, at("2026-11-26T09:20:00"))


def test_a_run_that_does_not_read_access_delivers_and_keeps_the_report(site: Site) -> None:
    site.run()
    site.autodesk.held[APP].pop()
    site.office.read_access = False
    site.directory.people["ana"].name = "Ana Maria Lua"
    assert site.run().counts()["updated"] == 1
    assert len(site.desk.reports) == 1
    site.office.read_access = True
    site.run()
    assert site.desk.people()["NDD//ana"].name == "Ana Maria Lua"
