"""50,000 people and 50,000 grants in one file: painted at once, and every keystroke answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, expect
from tests.real.browser import company
from tests.real.browser.kit import Opened, pictures

FIRST_PAINT = 2_000  # milliseconds
KEYSTROKE = 100  # milliseconds, from the event to the painted frame
QUERIES = (
    "c",
    "ca",
    "car",
    "carl",
    "carla",
    "carla b",
    "carla ba",
    "carla",
    "c",
    "",
    "joao",
    "user4",
    "user49 plant",
    "",
)

# From a keystroke until the frame that answers it has been handed over.
TYPE = """async (texts) => {
  const box = document.getElementById("search");
  const taken = [];
  for (const text of texts) {
    const before = performance.now();
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    await new Promise((done) => requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = done;
      channel.port2.postMessage(0);
    }));
    taken.push(performance.now() - before);
    await new Promise((done) => setTimeout(done, 100));
  }
  return taken;
}"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
SCROLL = """async () => {
  const holder = document.querySelector("#table-grants .tabulator-tableholder");
  const taken = [];
  for (let turn = 0; turn < 30; turn++) {
    const before = performance.now();
    holder.scrollTop += 1500;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    taken.push((performance.now() - before) / 2);
  }
  return taken;
}"""


def calmest(page: Page) -> list[float]:
    """Milliseconds per keystroke, in the calmest of three rounds: other work of the machine is no fault of the page."""
    rounds: list[list[float]] = [page.evaluate(TYPE, QUERIES) for _ in range(3)]
    return min(rounds, key=median)


def test_fifty_thousand_rows_are_painted_and_searched_at_once(
    show: Callable[..., Opened], tmp_path: Path
) -> None:
    opened = show(company.large())
    page = opened.page
    paints = [page.evaluate(PAINT)]
    for _ in range(2):
        opened.go("")
        paints.append(page.evaluate(PAINT))
    page.wait_for_selector("html[data-searchable]")
    keys = calmest(page)
    page.locator("#table-grants .sort", has_text="Who").click()
    sorted_keys = calmest(page)
    frames = page.evaluate(SCROLL)
    figures = {
        "rows": 50_000,
        "bytes": Path(opened.address.removeprefix("file://")).stat().st_size,
        "first_paint_ms": round(median(paints)),
        "keystroke_ms": {"median": round(median(keys)), "worst": round(max(keys))},
        "keystroke_sorted_ms": {"median": round(median(sorted_keys)), "worst": round(max(sorted_keys))},
        "frame_while_scrolling_ms": {"median": round(median(frames)), "worst": round(max(frames))},
    }
    (pictures(tmp_path) / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(figures)
    assert figures["first_paint_ms"] < FIRST_PAINT
    assert median(keys) < KEYSTROKE
    assert median(sorted_keys) < KEYSTROKE


def test_only_the_rows_in_sight_are_elements_and_the_last_can_be_reached(show: Callable[..., Opened]) -> None:
    opened = show(company.large())
    page = opened.page
    page.click("#tab-people")
    page.wait_for_selector("#table-people .tabulator-row")
    page.evaluate("document.querySelector('#table-people .tabulator-tableholder').scrollTop = 1e9")
    expect(page.locator("#table-people")).to_contain_text(company.name(49_999))
    assert len(opened.rows("people")) < 100
