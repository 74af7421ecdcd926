"""The console as somebody uses it: overview, hold and approve, a person, what runs, by keyboard; and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from tests.cli.console_kit import TOKEN, Desk, console
from tests.cli.kit import Office, switches
from tests.real.browser.console_company import provider
from tests.real.browser.console_kit import Visit, visit
from tests.real.browser.kit import pictures

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pictures(come: Callable[..., Visit], desk: Desk, tmp_path: Path, scheme: str, width: int) -> None:
    folder = pictures(tmp_path)
    here = come(color_scheme=scheme, viewport={"width": width, "height": 900})
    shots = {
        "overview": "/", "customer": "/customers/acme", "held": "/customers/beta", "search": "/people?q=silva",
        "person": "/customers/acme/person?key=NDD//renamed", "problems": "/customers/acme/problems",
        "run": "/customers/acme/runs/1", "nothing": "/nobody",
    }  # fmt: skip
    for name, path in shots.items():
        page = here.go(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is wider than the screen"
        page.screenshot(
            path=folder / f"console-{name}-{scheme}-{width}.png", full_page=True, animations="disabled"
        )
    here.trouble.clear()  # of the page that is not there
    assert len(list(folder.glob(f"console-*-{scheme}-{width}.png"))) == len(shots)
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
