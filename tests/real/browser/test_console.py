"""The console as somebody uses it: overview, hold and approve, a person, what runs, by keyboard; and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from tests.cli.console_kit import TOKEN, Desk, console
from tests.cli.kit import Office, switches
from tests.real.browser import company
from tests.real.browser.console_company import provider
from tests.real.browser.console_kit import Visit, visit
from tests.real.browser.kit import pictures

from rosterd.reports import html
from rosterd.sandbox import serve


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A console over the provider's ledger, with a token."""
    with serve(switches=switches()) as server:
        office = Office(tmp_path_factory.mktemp("provider"), server)
        provider(office)
        with console(office, token=TOKEN) as found:
            yield found


@pytest.fixture
def come(browser: Browser, desk: Desk) -> Iterator[Callable[..., Visit]]:
    """Comes to the console and signs in; afterwards nothing may have gone wrong."""
    visits: list[Visit] = []

    def comes(**options: Any) -> Visit:
        visits.append(visit(browser, desk.origin, **options))
        visits[-1].sign_in()
        return visits[-1]

    yield comes
    for one in visits:
        one.is_clean()
        one.page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 1440), ("light", 390)])
def test_pictures(come: Callable[..., Visit], desk: Desk, tmp_path: Path, scheme: str, width: int) -> None:
    folder = pictures(tmp_path)
    here = come(color_scheme=scheme, viewport={"width": width, "height": 900})
    shots = {
        "overview": "/", "customer": "/customers/acme", "held": "/customers/beta", "search": "/people?q=silva",
        "person": "/customers/acme/person?key=NDD//renamed", "problems": "/customers/acme/problems",
        "run": "/customers/acme/runs/1", "nothing": "/nobody",
    }  # fmt: skip
    if scheme == "dark":
        shots = {name: shots[name] for name in ("overview", "customer", "person", "nothing")}
    for name, path in shots.items():
        page = here.go(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is wider than the screen"
        if width < 600:
            over = (
                "es => es.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.outerHTML.slice(0, 200))"
            )
            assert page.locator(".scroll").evaluate_all(over) == [], f"{name} is scrolled sideways"
        page.screenshot(
            path=folder / f"console-{name}-{scheme}-{width}.png", full_page=True, animations="disabled"
        )
    here.trouble.clear()  # of the page that is not there
    assert all((folder / f"console-{name}-{scheme}-{width}.png").stat().st_size for name in shots)
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()


def test_by_keyboard_from_the_first_page_to_a_person(come: Callable[..., Visit]) -> None:
    page = come().page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Find people by key, name or e-mail")).to_be_focused()
    page.keyboard.type("ndd//p00001")
    page.keyboard.press("Enter")
    found = page.get_by_role("row").filter(has_text="acme").get_by_role("link", name="NDD//p00001")
    expect(found).to_have_count(1)
    found.press("Enter")
    expect(page.get_by_role("heading", name="Name of p00001")).to_be_visible()
    expect(page.get_by_text("The directory no longer shows this person.")).to_be_visible()
    page.get_by_role("link", name="acme").press("Enter")
    pop = page.get_by_text("Pause …")
    pop.press("Enter")
    expect(page.get_by_label("Why? Everybody who looks sees it.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Why? Everybody who looks sees it.")).to_be_hidden()
    expect(pop).to_be_focused()


def test_every_control_and_picture_has_a_name(come: Callable[..., Visit]) -> None:
    here = come()
    for path in ("/", "/customers/acme", "/customers/beta", "/people", "/people?q=a"):
        page = here.go(path)
        nameless = """es => es.filter(e => !(e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim()
          || e.getAttribute("aria-hidden") || e.type === "hidden")).map(e => e.outerHTML)"""
        assert page.locator("input, select, button, a, summary, svg").evaluate_all(nameless) == []
        assert page.locator("h1").count() == 1
        assert page.locator("html[lang=en]").count() == 1


def test_the_charts_tell_the_last_run(come: Callable[..., Visit]) -> None:
    page = come().go("/customers/acme")
    expect(page.locator(".charts .uplot")).to_have_count(2)
    expect(page.locator(".charts .u-legend").first).to_contain_text("People60")
    page.emulate_media(color_scheme="dark")
    expect(page.locator(".charts .uplot")).to_have_count(2)


def test_the_overview_filters_and_sorts(come: Callable[..., Visit]) -> None:
    page = come().page
    rows = page.locator("[data-customer]")
    expect(rows.first).to_contain_text("ferro")
    page.get_by_label("Sort").select_option("people")
    expect(rows.first).to_contain_text("acme")
    page.get_by_label("Filter by name").fill("or")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(2)  # norte, orion
    page.get_by_role("link", name="paused 1").click()
    expect(rows).to_have_count(1)


def test_signing_out_ends_it(browser: Browser, desk: Desk) -> None:
    here = visit(browser, desk.origin)
    here.sign_in()
    here.page.get_by_role("button", name="Sign out").click()
    expect(here.page.get_by_role("heading", name="Sign in")).to_be_visible()
    here.page.goto(f"{desk.origin}/customers/acme")
    expect(here.page).to_have_url(f"{desk.origin}/login?next=%2Fcustomers%2Facme")
    here.page.get_by_label("Token").fill("not the token at all")
    here.page.keyboard.press("Enter")
    expect(here.page.get_by_role("alert")).to_have_text("That is not the token.")
    here.trouble.clear()  # the browser's own word of a 403
    here.is_clean()
    here.page.context.close()


def test_the_access_report_runs_apart_from_the_console(come: Callable[..., Visit], desk: Desk) -> None:
    folder = desk.reports
    folder.mkdir(exist_ok=True)
    with (folder / "acme.html").open("w", encoding="utf-8", newline="\n") as out:
        html.write(company.everyday(), out)
    here = come()
    page = here.go("/customers/acme/report")
    page.locator("#search").fill("bruno.13")
    expect(page.locator("#table-people .tabulator-row, #table-grants .tabulator-row").first).to_be_visible()
    page.locator("#theme").click()
    assert page.evaluate("self.origin") == "null", "it is nobody's page, so nobody's cookie is its own"
    asked = "fetch(location.origin + '/api/status').then(() => 'answered', () => 'stopped')"
    assert page.evaluate(asked) == "stopped"
    page.evaluate("window.violations = []")  # of what was just tried
    here.violations.clear()
    here.trouble.clear()
    here.go("/")
