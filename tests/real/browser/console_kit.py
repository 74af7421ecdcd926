"""A console opened in a browser, and what went wrong in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page
from tests.cli.console_kit import TOKEN
from tests.real.browser.kit import PATIENCE, WATCH

_TELL = """document.addEventListener("securitypolicyviolation", (event) =>
  violated(`${event.effectiveDirective} ${event.blockedURI}`))"""


@dataclass
class Visit:
    """Somebody's browser at the console of this origin."""

    page: Page
    origin: str
    trouble: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Opens a page, and waits until its script has done its first work."""
        self.page.goto(self.origin + path)
        return self.ready()

    def ready(self) -> Page:
        self.page.wait_for_selector("html[data-ready]", timeout=PATIENCE)
        return self.page

    def sign_in(self) -> None:
        self.go("/login")
        self.page.get_by_label("Token").fill(TOKEN)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.origin}/")
        self.ready()

    def is_clean(self) -> None:
        """No script of somebody else's ran, none of ours failed, nothing was asked of anybody else."""
        hit, violations = self.page.evaluate("[window.hit, window.violations]")
        found = (hit, violations + self.violations, self.trouble)
        assert found == (0, [], []), found
        elsewhere = [one for one in self.requests if not one.startswith(f"{self.origin}/")]
        assert elsewhere == [], elsewhere


def visit(browser: Browser, origin: str, **options: Any) -> Visit:
    """A context of its own; options are those of a browser's context."""
    defaults = {
        "viewport": {"width": 1440, "height": 900},
        "locale": "en-GB",
        "timezone_id": "America/Sao_Paulo",
    }
    page = browser.new_context(**{**defaults, **options}).new_page()
    found = Visit(page, origin)
    page.set_default_timeout(PATIENCE)
    # A page that is left takes its own list along.
    page.expose_function("violated", lambda text: found.violations.append(text))
    page.add_init_script(WATCH)
    page.add_init_script(_TELL)
    page.on("console", lambda message: found.trouble.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.trouble.append(f"error: {error}"))
    page.on("request", lambda request: found.requests.append(request.url))
    return found
