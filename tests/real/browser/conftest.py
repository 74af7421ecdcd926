"""Debian's Chromium, started once for the tests of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.real.browser.kit import FLAGS, Opened, chromium, opened

from rosterd.core.access import AccessReport


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Writes a report and opens it as a file, as from a mail; afterwards nothing may have gone wrong in it."""
    pages: list[Opened] = []

    def write_and_open(report: AccessReport, **options: object) -> Opened:
        path = tmp_path / f"report-{len(pages)}.html"
        pages.append(opened(browser, report, path, **options))
        return pages[-1]

    yield write_and_open
    for each in pages:
        each.is_clean()
        each.page.context.close()
