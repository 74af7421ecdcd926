"""50,000 people and 50,000 grants in one file: painted at once, and every keystroke answered."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

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


class Keystrokes(NamedTuple):
    """Milliseconds of a round of typing: until each frame, and how long the page itself was at work on average."""

    frames: list[float]
    work: float


def typed(page: Page) -> Keystrokes:
    """The calmest of three rounds. Work is the page's own processor time: a busy machine does not add to it."""
    watch = page.context.new_cdp_session(page)
    watch.send("Performance.enable", {"timeDomain": "threadTicks"})

    def worked() -> float:
        metrics = watch.send("Performance.getMetrics")["metrics"]
        return 1_000 * float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))

    rounds: list[Keystrokes] = []
    for _ in range(3):
        before = worked()
        frames = page.evaluate(TYPE, QUERIES)
        rounds.append(Keystrokes(frames, (worked() - before) / len(QUERIES)))
    return min(rounds, key=lambda each: median(each.frames))


def summary(keys: Keystrokes) -> dict[str, int]:
    return {
        "median": round(median(keys.frames)),
        "worst": round(max(keys.frames)),
        "own_work": round(keys.work),
    }


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
    plain = typed(page)
    page.locator("#table-grants .sort", has_text="Who").click()
    sorted_ = typed(page)
    frames = page.evaluate(SCROLL)
    figures = {
        "rows": 50_000,
        "bytes": Path(opened.address.removeprefix("file://")).stat().st_size,
        "first_paint_ms": round(median(paints)),
        "keystroke_ms": summary(plain),
        "keystroke_sorted_ms": summary(sorted_),
        "frame_while_scrolling_ms": {"median": round(median(frames)), "worst": round(max(frames))},
    }
    (pictures(tmp_path) / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(figures)
    assert figures["first_paint_ms"] < FIRST_PAINT
    for keys in (plain, sorted_):
        quiet = os.getloadavg()[0] <= (os.cpu_count() or 1)
        assert (median(keys.frames) if quiet else keys.work) < KEYSTROKE


def test_only_the_rows_in_sight_are_elements_and_the_last_can_be_reached(show: Callable[..., Opened]) -> None:
    opened = show(company.large())
    page = opened.page
    page.click("#tab-people")
    page.wait_for_selector("#table-people .tabulator-row")
    page.evaluate("document.querySelector('#table-people .tabulator-tableholder').scrollTop = 1e9")
    expect(page.locator("#table-people")).to_contain_text(company.name(49_999))
    assert len(opened.rows("people")) < 100
