"""The console of a running service, in a browser: a held plan approved to its end, and a run followed while it goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.cli.console_kit import TOKEN
from tests.cli.files import customer, numbered, people
from tests.cli.kit import Office, switches
from tests.cli.service_kit import free_port, service
from tests.real.browser.console_kit import Visit, visit

from rosterd.sandbox import serve


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """acme, whose first delivery is to be approved, and a console with a token."""
    with serve(switches=switches()) as server:
        office = Office(tmp_path, server)
        office.write(acme=customer(guards={"first_run": "approve"}, schedule="every 1h"))
        office.put(people("ana", "bruno", "carlos"))
        office.set(console={"listen": f"127.0.0.1:{free_port()}", "token": TOKEN})
        yield office


def come(browser: Browser, office: Office) -> Visit:
    return visit(browser, f"http://{office.settings['console']['listen']}")


def test_a_held_plan_is_approved_and_delivered(browser: Browser, office: Office) -> None:
    with service(office) as running:
        running.wait("run_ended", exit_code=4)
        running.wait("console")
        here = come(browser, office)
        here.sign_in()
        page = here.page
        page.get_by_role("link", name="acme").click()
        expect(page.get_by_role("heading", name="3 changes held")).to_be_visible()
        expect(page.get_by_role("row").filter(has_text="NDD//bruno")).to_contain_text("Name of bruno")
        page.get_by_role("button", name="Approve and run now").click()
        running.wait("run_ended", exit_code=0)
        assert set(office.users()) == {"ndd//ana", "ndd//bruno", "ndd//carlos"}
        expect(page.get_by_text("in step").first).to_be_visible()  # the page follows by itself
        expect(page.get_by_role("heading", name="3 changes held")).to_have_count(0)
        running.wait("approved", customer="acme", by="console")
        _pauses(here)
        here.is_clean()
        running.stop()


def _pauses(here: Visit) -> None:
    """Pause with a reason that would like to be a script, and resume: by keyboard alone."""
    page = here.page
    page.get_by_text("Pause …").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("<img src=x onerror=window.hit=1>")
    page.keyboard.press("Enter")
    expect(page.locator(".title")).to_contain_text("paused")
    expect(page.locator("main")).to_contain_text("<img src=x onerror=window.hit=1>")
    page.get_by_role("button", name="Resume").press("Enter")
    expect(page.get_by_text("Pause …")).to_be_visible()


def test_a_run_is_followed_while_it_goes(browser: Browser, office: Office) -> None:
    office.settings["customers"]["acme"]["guards"] = {"first_run": "go"}
    office.put(numbered(200))
    office.fault("status", path="users", status=503, retry_after=60)  # the run waits, until it is stopped
    office.set(orbix={"attempts": 5})
    with service(office) as running:
        running.wait("console")
        running.wait("orbix_retry", customer="acme")
        here = come(browser, office)
        here.sign_in()
        page = here.page
        expect(page.locator("[data-customer=acme] [data-going]")).to_be_visible()
        expect(page.locator("[data-running]")).to_have_text("1")
        here.go("/customers/acme")
        expect(page.locator("#live")).to_contain_text("200 people compared")
        expect(page.get_by_role("button", name="Run now")).to_have_count(0)
        without = browser.new_context(java_script_enabled=False)
        plain = without.new_page()
        session = next(one for one in page.context.cookies() if one.get("name") == "rosterd_session")
        plain.set_extra_http_headers({"cookie": f"rosterd_session={session.get('value')}"})
        plain.goto(page.url)
        expect(plain.locator("#live")).to_contain_text("200 people compared")
        expect(plain.locator("noscript meta[http-equiv=refresh]")).to_have_count(1)
        without.close()
        here.is_clean()
        running.stop()
