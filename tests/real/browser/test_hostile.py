"""Fault 99 and the HTML threat: whatever a directory or a service says, it is shown and never run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.real.browser import company
from tests.real.browser.hostile import HOSTILE, hostile_report
from tests.real.browser.kit import Opened

Show = Callable[..., Opened]
TABLES = ("grants", "people", "findings", "leavers", "sources")

# Scrolls a table from end to end, so that every row has been an element once.
SCROLL = """async (name) => {
  const holder = document.querySelector(`#table-${name} .tabulator-tableholder`);
  for (let top = 0; top <= holder.scrollHeight; top += holder.clientHeight / 2) {
    holder.scrollTop = top;
    await new Promise((done) => requestAnimationFrame(done));
  }
}"""

# Opens the page of everybody, in and outside the directory, and counts those that say so.
OPEN_ALL = """async () => {
  let pages = 0;
  for (const name of ["people", "grants", "leavers", "findings"]) {
    for (const page of new Set(set(name).rows.map(pageOf).filter(Boolean))) {
      location.hash = page;
      await new Promise((done) => addEventListener("hashchange", () => setTimeout(done), { once: true }));
      if (document.querySelector("dialog[open] h2").textContent !== "Not in this report") pages++;
    }
  }
  document.getElementById("person").close();
  return pages;
}"""

HOVER = """() => {
  const kinds = ["mouseover", "mouseenter", "focus", "click", "animationstart", "toggle", "close", "error", "load"];
  for (const element of document.querySelectorAll("main .findings *, main .changes *, main .tabulator-cell *")) {
    if (element.tagName === "A") continue;
    for (const kind of kinds) element.dispatchEvent(new Event(kind));
  }
}"""


def test_fault_99_two_hundred_hostile_texts_in_every_field_run_nothing(show: Show) -> None:
    assert len(set(HOSTILE)) >= 200
    opened = show(hostile_report())
    page = opened.page
    for name in TABLES:
        page.click(f"#tab-{name}")
        expect(page.locator(f"#table-{name} .tabulator-row").first).to_be_visible()
        page.evaluate(SCROLL, name)
        page.locator(f"#table-{name} .sort").first.click()
    page.evaluate(HOVER)
    for _ in range(page.locator(".more").count()):
        page.locator(".more").first.click()  # it goes when it is clicked
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    opened.is_clean()
    assert_nothing_grew(page)


def test_every_hostile_person_has_a_page_that_runs_nothing(show: Show) -> None:
    opened = show(hostile_report())
    assert opened.page.evaluate(OPEN_ALL) >= 2 * (len(set(HOSTILE)) - 3)  # an empty key is no page
    opened.is_clean()


def test_hostile_searches_filters_and_links_run_nothing(show: Show) -> None:
    opened = show(hostile_report())
    for text in HOSTILE[::5]:
        if len(text) < 5_000:
            opened.page.fill("#search", text)
            opened.page.evaluate("text => { location.hash = `#person/${text}`; }", text)
    opened.page.evaluate("document.getElementById('person').close()")
    opened.page.fill("#search", "onerror")
    expect(opened.page.locator("#result")).to_contain_text(" of ")


@pytest.mark.parametrize("text", HOSTILE[::17])
def test_a_hostile_customer_runs_nothing(show: Show, text: str) -> None:
    """The text stands in the title, the headings and the time of the report."""
    opened = show(hostile_report(text, text))
    assert_nothing_grew(opened.page)


def assert_nothing_grew(page: Page) -> None:
    """No element that only a hostile text could have made."""
    alien = "iframe, object, embed, base, link, marquee, audio, video, img, xss, math, template, textarea"
    assert page.locator(alien).count() == 0
    assert page.locator("form").count() == 1
    assert page.locator("script:not([type])").count() == 3
    handlers = "es => es.filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"
    assert page.locator("body *").evaluate_all(handlers) == 0
    addresses = "es => es.filter(e => !e.getAttribute('href').startsWith('#')).length"
    assert page.locator("[href]").evaluate_all(addresses) == 0


def test_long_and_unseen_text_is_cut_and_shown(show: Show) -> None:
    page = show(hostile_report()).page
    page.evaluate("location.hash = '#person/' + 'A'.repeat(1999) + '…'")
    heading = page.locator("dialog h2")
    expect(heading).to_be_visible()
    assert heading.inner_text() == "A" * 1_999 + "…"
    text = page.locator("main").evaluate("e => e.textContent")
    assert "a␀b" in text
    assert "␛[31mred" in text
    assert "\ufffdgnp.exe" in text
    assert not set(text) & set("\x00\x1b\x7f\x85\u202e\u2066\u200b\u2028\ufeff")


def test_the_policy_stops_what_would_get_in(show: Show) -> None:
    """The second fence holds by itself: markup put in by force runs nothing, and is seen by this very watch."""
    opened = show(company.empty())
    opened.page.evaluate(
        """async () => {
          const place = document.createElement("div");
          document.body.append(place);
          place.innerHTML = "<img src=x onerror='window.hit=1'><p style='color:red'>x</p>";
          const script = document.createElement("script");
          script.textContent = "window.hit = 2";
          place.append(script);
          await new Promise((done) => setTimeout(done, 100));
        }"""
    )
    hit, violations = opened.page.evaluate("[window.hit, window.violations]")
    assert hit == 0
    assert {each.split()[0] for each in violations} >= {"script-src-elem", "style-src-attr", "img-src"}
    with pytest.raises(AssertionError):
        opened.is_clean()
    opened.page.evaluate("window.violations = []")
    opened.trouble.clear()
    opened.requests.clear()
