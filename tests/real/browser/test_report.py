"""The HTML report in Chromium: found, sorted, filtered, opened, walked by keyboard, printed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.real.browser import company
from tests.real.browser.kit import Opened

Show = Callable[..., Opened]

# Of every element with text of its own: the contrast to the ground it stands on, by WCAG 2.1, 1.4.3.
CONTRASTS = """() => {
  const channel = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!(own || element.matches("input, select")) || element.getClientRects().length === 0) continue;
    const [a, b] = [light(parts(getComputedStyle(element).color)), light(ground(element))].sort((x, y) => y - x);
    const what = `${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`;
    found.push([(a + 0.05) / (b + 0.05), what]);
  }
  return found;
}"""


def test_the_overview_says_whose_when_and_how_much(show: Show) -> None:
    page = show(company.everyday()).page
    assert page.title() == "Access report: acme, 14 Mar 2026, 09:30 UTC"
    made = page.locator(".title time")
    assert made.inner_text() == "14 Mar 2026, 06:30"  # the reader is in São Paulo
    assert made.get_attribute("title") == company.MADE
    figures = page.locator(".tile .figure").all_inner_texts()
    assert figures == ["243", "520", "7", "4"]
    headings = page.locator("main h2").all_inner_texts()
    assert headings[4:] == [
        "What changed since the last report",
        "Findings",
        "Trend",
        "Everybody and everything",
    ]
    assert page.locator(".banner").count() == 0
    severities = page.locator(".findings .severity").all_inner_texts()
    assert severities == ["high"] * 2 + ["medium"] * 3 + ["low"] * 2


def test_an_incomplete_report_names_what_is_missing_and_how_old_it_is(show: Show) -> None:
    page = show(company.everyday(whole=False)).page
    banner = page.locator(".banner").inner_text()
    assert "North Tower (twin) could not be read: The service answered 503 four times." in banner
    assert "3 days old" in banner
    assert "Drawing Index changed" in page.locator(".note").first.inner_text()


def test_a_first_report_in_which_all_is_well(show: Show) -> None:
    opened = show(company.empty())
    text = opened.page.locator("main").inner_text()
    assert "This is the first report." in text
    assert "Nobody who should not have access was found." in text
    assert "Nobody has access to anything." in text
    assert opened.page.locator("#trend").count() == 0


def test_a_search_filters_every_table_without_regard_to_case_and_accents(show: Show) -> None:
    opened = show(company.everyday())
    page = opened.page
    page.keyboard.press("/")
    page.keyboard.type("INES esteves")
    found = sum("Inês Esteves" in grant.name for grant in company.everyday().grants)
    expect(page.locator("#result")).to_have_text(f"{found} of 520 grants")
    assert all(cells[0].startswith("Inês Esteves") for cells in opened.rows("grants"))
    expect(page.locator("#tab-people .number")).to_have_text("2")
    page.click("#tab-people")
    expect(page.locator("#result")).to_have_text("2 of 243 people")
    page.fill("#search", "no such name")
    expect(page.locator("#table-people .nothing")).to_have_text("Nothing matches the search and the filters.")
    page.press("#search", "Escape")
    expect(page.locator("#result")).to_have_text("243 people")
    assert page.locator("#changes").is_visible()


def test_columns_sort_up_down_and_not(show: Show) -> None:
    opened = show(company.everyday())
    head = opened.page.locator("#table-grants .tabulator-col-title", has_text="Who")
    before = opened.rows("grants")
    head.click()
    expect(opened.page.locator("#table-grants [aria-sort=ascending]")).to_have_count(1)
    assert [cells[0] for cells in opened.rows("grants")][:3] == [
        "All engineers",
        "All engineers",
        "All engineers",
    ]
    head.click()
    assert opened.rows("grants")[0][0] == "Unknown 432"
    opened.page.fill("#search", "guest")
    names = [cells[0] for cells in opened.rows("grants")]
    assert len(names) == 6
    assert names == sorted(names, key=lambda name: int(name.split()[1]), reverse=True)
    opened.page.fill("#search", "")
    head.click()
    expect(opened.page.locator("#table-grants .tabulator-row").first).to_contain_text(before[0][0])
    assert opened.rows("grants")[: len(before) // 2] == before[: len(before) // 2]


def test_columns_filter_by_choice_and_by_text_together(show: Show) -> None:
    opened = show(company.everyday())
    page = opened.page
    page.select_option("#table-grants select[aria-label='Filter by verdict']", "stranger")
    expect(page.locator("#result")).to_have_text("6 of 520 grants")
    page.fill("#table-grants input[aria-label='Filter by place']", "head")
    expect(page.locator("#result")).to_have_text("1 of 520 grants")
    assert opened.rows("grants")[0][:3] == ["Guest 102", "guest102@elsewhere.example", "Headquarters"]
    page.click("#clear")
    expect(page.locator("#result")).to_have_text("520 grants")


def test_a_tile_leads_to_its_rows(show: Show) -> None:
    opened = show(company.everyday())
    opened.page.click(".tile a[data-value=disabled]")
    expect(opened.page.locator("#result")).to_have_text("11 of 520 grants")
    assert {cells[5] for cells in opened.rows("grants")} == {"disabled"}
    opened.page.click(".tile a[data-value=medium]")
    expect(opened.page.locator("#result")).to_have_text("3 of 7 findings")


def test_a_click_on_a_row_opens_the_persons_whole_page(show: Show) -> None:
    opened = show(company.everyday())
    page = opened.page
    page.fill("#search", "bruno.13")
    page.locator("#table-grants .tabulator-row", has_text="North Tower").locator(".tabulator-cell").nth(
        3
    ).click()
    dialog = page.locator("dialog")
    expect(dialog.locator("h2")).to_have_text(company.name(13))
    expect(dialog.locator("h2")).to_be_focused()
    text = dialog.inner_text()
    for part in ("NDD//bruno.13", "user13@acme.example", "Print-01", "left in the directory", "Access (3)"):
        assert part in text
    assert "Remove them in Tandem under Facility, Users." in text
    assert "To be removed in the Orbix portal" in text
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("a.who:focus")).to_have_count(1)
    expect(page).not_to_have_url(re.compile("person"))  # the page says "close" a task after it is hidden


def test_a_place_goes_by_its_name_and_its_id_is_at_hand(show: Show) -> None:
    opened = show(company.everyday())
    page, (_, name, id_) = opened.page, company.PLACES[3]
    page.fill("#search", "bruno.13")
    row = page.locator("#table-grants .tabulator-row", has_text=name).first
    expect(row.get_by_title(f"{name} · {id_}")).to_have_text(name)
    row.locator("a.who").click()
    expect(page.locator("dialog")).to_contain_text(id_)
    opened.go("#sources")
    page.fill("#search", id_)  # what a service's own portal shows finds the place
    expect(page.locator("#result")).to_have_text(re.compile("^1 of"))
    assert opened.rows("sources")[0][1:3] == [name, id_]


def test_somebody_outside_the_directory_has_a_page_too(show: Show) -> None:
    opened = show(company.everyday())
    page = opened.page
    page.fill("#search", "guest5@elsewhere")
    page.click("#table-grants a.who")
    dialog = page.locator("dialog")
    expect(dialog.locator("h2")).to_have_text("Guest 5")
    assert "not in the directory" in dialog.inner_text()
    assert "Possibly" in dialog.inner_text()
    dialog.locator("a.who").click()
    expect(dialog.locator("h2")).to_have_text(company.name(5))
    page.go_back()
    expect(dialog.locator("h2")).to_have_text("Guest 5")
    dialog.locator("button.close").click()
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize(
    ("hash_", "heading"),
    [
        ("#person/NDD%2F%2Fbruno.13", company.name(13)),
        ("#person/NDD//bruno.13", company.name(13)),
        ("#outside/X102", "Guest 102"),
        ("#person/nobody", "Not in this report"),
        ("#person/%E0%A4%A", "Not in this report"),
    ],
)
def test_a_link_leads_to_a_page(show: Show, hash_: str, heading: str) -> None:
    opened = show(company.everyday())
    opened.go(hash_)
    expect(opened.page.locator("dialog h2")).to_have_text(heading)


def test_a_link_leads_to_a_table(show: Show) -> None:
    opened = show(company.everyday())
    opened.go("#leavers")
    expect(opened.page.locator("#tab-leavers")).to_have_attribute("aria-selected", "true")
    assert opened.rows("leavers")[0][:2] == ["person", company.name(13)]


def test_the_keyboard_alone_gets_everywhere(show: Show) -> None:
    page = show(company.everyday()).page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#tables")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#tab-grants")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-people")).to_be_focused()
    expect(page.locator("#result")).to_have_text("243 people")
    page.locator("#table-people .sort").first.press("Enter")
    expect(page.locator("#table-people [aria-sort=ascending]")).to_have_count(1)
    first = page.locator("#table-people a.who").first
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#table-people a.who").nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("dialog h2")).to_be_focused()


def test_landmarks_and_names_for_a_screen_reader(show: Show) -> None:
    page = show(company.everyday()).page
    for selector in (
        "header",
        "main",
        "footer",
        "[role=search]",
        "[role=tablist]",
        "#result[aria-live=polite]",
    ):
        assert page.locator(selector).count() >= 1, selector
    assert page.locator("h1").count() == 1
    named = "e => e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim()"
    controls = page.locator("input, select, button, a")
    assert controls.evaluate_all(f"es => es.filter(e => !({named})(e)).length") == 0
    assert page.locator("#trend .figures tbody tr").count() == 15
    assert page.locator("#table-grants[role=grid], #table-grants [role=grid]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(show: Show, scheme: str) -> None:
    opened = show(company.everyday(whole=False), color_scheme=scheme)
    for at in ("", "#people", "#person/NDD//bruno.13"):
        opened.go(at)
        found = opened.page.evaluate(CONTRASTS)
        assert len(found) > 100
        assert [(round(ratio, 2), what) for ratio, what in found if ratio < 4.5] == []


def test_colours_follow_the_system_until_they_are_chosen(show: Show) -> None:
    page = show(company.everyday(), color_scheme="dark").page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    assert light != dark
    page.get_by_role("button", name="Switch to dark colours").click()
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Switch to light colours").click()
    assert page.evaluate(ground) == light


def test_paper_gets_the_findings_in_full_and_the_tables_to_a_sensible_length(show: Show) -> None:
    page = show(company.everyday()).page
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#paper h3").all_inner_texts() == [
        "Grants (520)",
        "People (243)",
        "Leavers (1)",
        "Sources (6)",
    ]
    assert page.locator("#paper tbody").first.locator("tr").count() == 300
    assert "The first 300." in page.locator("#paper").inner_text()
    assert page.locator(".findings > li:visible").count() == 7
    assert page.locator(".bar").is_hidden()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("#paper > *").count() == 0


def test_without_scripts_the_overview_can_be_read(show: Show) -> None:
    opened = show(company.everyday())
    reader = opened.page.context.browser
    assert reader is not None
    context = reader.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(opened.address)
    assert page.locator(".findings > li:visible").count() == 7
    assert page.locator("noscript .note").is_visible()
    assert page.locator("#search").is_hidden()
    context.close()
