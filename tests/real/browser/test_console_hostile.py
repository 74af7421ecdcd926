"""Fault 99 at the console: whatever a directory or Orbix says, it is shown, and never run."""

from __future__ import annotations

import json
from collections.abc import Iterator

import apsw
import pytest
from playwright.sync_api import Browser, Page
from tests.cli.console_kit import TOKEN, Desk, console
from tests.cli.files import customer, people
from tests.cli.kit import Office, switches
from tests.real.browser.console_kit import visit
from tests.real.browser.hostile import HOSTILE

from rosterd.core.people import sort_key
from rosterd.sandbox import serve

# What no text in UTF-8 can hold is not in a ledger either.
TEXTS = [
    text for text in HOSTILE if text and len(text) < 500 and text.encode(errors="ignore").decode() == text
]
VICTIM = sort_key("d9", TEXTS[9])  # sits in every grouping, and has every history
PATHS = ("", "/problems", "/leavers", "/runs", "/runs/1", "/plans/" + "f" * 64)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A ledger in which every text of every table is hostile, whoever wrote it there."""
    with serve(switches=switches()) as server:
        office = Office(tmp_path_factory.mktemp("hostile"), server)
        office.write(acme=customer(guards={"first_run": "approve"}))
        office.put(people("ana"))
        office.run()
        ledger = apsw.Connection(str(office.ledger))
        with ledger:
            _poison(ledger)
        ledger.close()
        with console(office, token=TOKEN) as found:
            yield found


def _poison(ledger: apsw.Connection) -> None:
    binding, last = ledger.execute("SELECT binding, id FROM run").fetchone() or (0, 0)
    ledger.execute(
        "UPDATE run SET exit_code = 3, outcome = ?, reason = ?", (TEXTS[0], " ".join(TEXTS[:40])[:2_000])
    )
    ledger.execute(
        "INSERT INTO plan VALUES (99, ?, ?, 0, ?, '{}', 0, NULL, NULL)",
        (binding, "f" * 64, json.dumps(TEXTS[:50])),
    )
    for number, text in enumerate(TEXTS):
        other = TEXTS[-number]
        key = sort_key(f"d{number}", text)
        run = ledger.execute
        state = "left" if number % 3 == 0 else "active"
        run("INSERT OR REPLACE INTO person VALUES (?, ?, ?, ?, ?, ?, 'hr', '', ?, ?, ?)",
            (binding, key, f"d{number}", text, other, text, other, state, last))  # fmt: skip
        run("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?, ?, ?, ?, 'hr', 0)",
            (binding, key, text, other, text, text, other))  # fmt: skip
        run("INSERT OR REPLACE INTO grouping VALUES (?, ?, ?, ?, 'hr', '', '', 'active', 1)",
            (binding, sort_key(text), text, other))  # fmt: skip
        run(
            "INSERT OR REPLACE INTO seat VALUES (?, ?, 'hr', ?, 1)",
            (binding, sort_key(text) + b"\0" + VICTIM, text),
        )
        run(
            "INSERT OR REPLACE INTO problem VALUES (?, 'person', ?, 'refused', ?, ?, '', 0, 0, 1)",
            (binding, key, text, other),
        )
        change = json.dumps(["update", "person", text, ["D", text, text, text], ["D", text, other, other]])
        sql = "INSERT OR REPLACE INTO history VALUES (?, 'person', ?, ?, 0, ?, ?)"
        run(sql, (binding, VICTIM, number, change, text))
        run("INSERT OR REPLACE INTO plan_change VALUES (99, 'person', ?, ?)", (key, change))
        run(
            "INSERT OR REPLACE INTO place VALUES (?, 'twin', ?, ?, NULL, ?, 0, 1)",
            (binding, text, text, other),
        )


def test_fault_99_hostile_texts_in_every_field_run_nothing(browser: Browser, desk: Desk) -> None:
    here = visit(browser, desk.origin)
    here.sign_in()
    for path in ["/", *(f"/customers/acme{path}" for path in PATHS)]:
        followed = 0
        while path and followed < 3:
            page = here.go(path)
            _is_ours(page)
            path = (
                page.locator("a[rel=next]").first.get_attribute("href") or ""
                if page.locator("a[rel=next]").count()
                else ""
            )
            followed += 1
    here.is_clean()
    here.page.context.close()


def test_fault_99_hostile_people_have_pages_and_are_found(browser: Browser, desk: Desk) -> None:
    here = visit(browser, desk.origin)
    here.sign_in()
    page = here.go(f"/customers/acme/people/{VICTIM.hex()}")
    _is_ours(page)
    assert page.get_by_role("row").count() == len(TEXTS) + 1, "the history"
    for text in TEXTS[::40]:
        page.get_by_role("searchbox").first.fill(text)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{desk.origin}/people?q=*")
        here.ready()
        _is_ours(page)
    here.is_clean()
    here.page.context.close()


def _is_ours(page: Page) -> None:
    """Nothing is there that our own pages do not have, and nothing that cannot be seen."""
    assert (
        page.locator(
            "iframe, object, embed, base, marquee, audio, video, img, math, style, template, textarea"
        ).count()
        == 0
    )
    assert page.locator("script").count() == 1
    handlers = "es => es.filter(e => [...e.attributes].some(a => a.name.startsWith('on') || a.name === 'style')).length"
    assert page.locator("body :not(.uplot):not(.uplot *)").evaluate_all(handlers) == 0
    elsewhere = "es => es.filter(e => !/^[/#]/.test(e.getAttribute('href'))).length"
    assert page.locator("[href]").evaluate_all(elsewhere) == 0
    text = page.locator("body").evaluate("e => e.textContent")
    assert not set(text) & set("\x00\x1b\x7f\x85\u202e\u2066\u200b\u2028\ufeff")
