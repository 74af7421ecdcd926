"""What the tests of the HTML report share: how it is written, opened and watched."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Dialog, Page, expect

from rosterd.core.access import AccessReport
from rosterd.reports import html

# A browser of its own mind looks up its maker's hosts at every start.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30_000  # milliseconds, for a busy machine; what must be quick is measured on its own
expect.set_options(timeout=PATIENCE)

WATCH = """
window.violations = [];
window.hit = 0;
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
});
"""


def chromium() -> str:
    """The path of Debian's Chromium; fails with what to install when it is missing."""
    found = shutil.which("chromium")
    if not found:
        raise AssertionError("chromium is missing: apt-get install -y --no-install-recommends chromium")
    return found


@dataclass
class Opened:
    """A report in a browser, and what went wrong in it."""

    page: Page
    address: str
    trouble: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def dismiss(self, dialog: Dialog) -> None:
        """A dialog is nothing of ours."""
        self.trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def is_clean(self) -> None:
        """No script of somebody else's ran, none of ours failed, and nothing was asked of any network."""
        assert self.page.evaluate("[window.hit, window.violations]") == [0, []]
        assert self.trouble == []
        assert [each for each in self.requests if each.partition("#")[0] != self.address] == []

    def rows(self, table: str) -> list[list[str]]:
        """The text of the cells in sight, row by row."""
        cells = (
            "rows => rows.map(row => [...row.querySelectorAll('.tabulator-cell')].map(c => c.textContent))"
        )
        found: list[list[str]] = self.page.locator(f"#table-{table} .tabulator-row").evaluate_all(cells)
        return found

    def result(self) -> str:
        return self.page.locator("#result").inner_text()

    def go(self, hash_: str) -> None:
        """Opens the report anew at a hash, as a link in a mail would."""
        self.page.goto("about:blank")
        self.page.goto(self.address + hash_)
        self.page.wait_for_selector("html[data-ready]", timeout=PATIENCE)


def opened(browser: Browser, report: AccessReport, path: Path, **options: Any) -> Opened:
    """Writes the report and opens it in a context of its own; options are those of a browser's context."""
    with path.open("w", encoding="utf-8", newline="\n") as out:
        html.write(report, out)
    defaults = {
        "viewport": {"width": 1440, "height": 900},
        "locale": "en-GB",
        "timezone_id": "America/Sao_Paulo",
    }
    page = browser.new_context(**{**defaults, **options}).new_page()
    result = Opened(page, path.as_uri())
    page.set_default_timeout(PATIENCE)
    page.add_init_script(WATCH)
    page.on("console", lambda message: result.trouble.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: result.trouble.append(f"error: {error}"))
    page.on("dialog", result.dismiss)
    page.on("request", lambda request: result.requests.append(request.url))
    page.goto(result.address)
    page.wait_for_selector("html[data-ready]", timeout=PATIENCE)
    result.requests = [each for each in result.requests if each != result.address]
    return result


def pictures(tmp_path: Path) -> Path:
    """Where pictures are kept for a human eye: $ROSTERD_PICTURES, else the test's own folder."""
    folder = Path(os.environ.get("ROSTERD_PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
