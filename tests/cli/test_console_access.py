"""What the console says of access elsewhere: a person's, the sign-in, the places, the report's files; codes never."""

from __future__ import annotations

from pathlib import Path

from tests.cli.console_kit import console
from tests.cli.elsewhere_kit import elsewhere
from tests.cli.files import people

from rosterd.core.people import sort_key


def test_access_elsewhere(tmp_path: Path) -> None:
    with elsewhere(tmp_path) as office:
        office.one(code=0)
        office.put(people("ana", "carlos", "dora", "egon"))
        office.one(code=3)
        codes = [one.code for one in office.server.world.autodesk.registrations]
        with console(office) as desk:
            ana = desk.page(f"/customers/acme/people/{sort_key('NDD', 'ana').hex()}").seen
            assert "APP application" in ana.partition("Access elsewhere")[2] and "State active, since" in ana
            bruno = desk.page(f"/customers/acme/people/{sort_key('NDD', 'bruno').hex()}").seen
            assert "left The directory no longer shows this person." in bruno and "Makers left it" in bruno
            page = desk.page("/customers/acme")
            for said in (
                "Autodesk sign-in good; unused, it ends",
                "hr csv 4 entries, read whole",
                "APP application",
            ):
                assert said in page.seen, said
            for ending in ("", ".csv", ".json", ".xlsx"):
                assert f"/customers/acme/report{ending}" in page.links
            assert "Access report" in desk.page("/customers/acme/report").text
            pages = (
                "/",
                "/customers/acme",
                "/customers/acme/runs/1",
                "/customers/acme/problems",
                "/people?q=a",
            )
            assert not [code for code in codes for path in pages if code in desk.page(path).text]
        told = office.do("explain", "ana", "--json").document["people"][0]
        assert [one["place"] for one in told["access"] if one["kind"] == "application"] == ["APP"]
        assert told["directory"]["state"] == "active"
        office.fault("token_refused", path="aps-refresh", error="invalid_grant")
        office.fault("status", path="collaborators", status=401)
        office.one(code=9)
        with console(office) as desk:
            assert "failing" in desk.page("/").seen
            sign_in = desk.page("/customers/acme").seen.partition("Autodesk sign-in ")[2]
            assert sign_in and "rosterd sign-in acme" in sign_in[:400]
