"""The HTML report as text: JSON that cannot end its element, a policy that names each script, values cut and shown."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.real.browser import company
from tests.real.browser.hostile import HOSTILE, hostile_report

from rosterd.core.access import AccessReport, Finding, PersonRow
from rosterd.reports import html, html_data
from rosterd.reports.html_assets import assets, policy
from rosterd.reports.shown import LONGEST, moment_text, shown

REPORTS = Path(html.__file__).parent


class Shape(HTMLParser):
    """The tags of a page with the names of their attributes, and the text inside <script> and <style>."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.meta: dict[str, str] = {}
        self.inline: list[tuple[str, dict[str, str | None], str]] = []
        self._open: tuple[str, dict[str, str | None]] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, tuple(found)))
        self._open = (tag, found) if tag in ("script", "style") else None
        if tag == "meta" and "http-equiv" in found:
            self.meta[str(found["http-equiv"])] = str(found["content"])

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inline.append((*self._open, data))

    def handle_endtag(self, tag: str) -> None:
        self._open = None


def written(report: AccessReport) -> str:
    out = io.StringIO()
    html.write(report, out)
    return out.getvalue()


def sets(text: str) -> dict[str, Any]:
    """The JSON of a page by name."""
    data = (each for each in Shape(text).inline if each[1].get("type") == "application/json")
    return {str(attributes["id"])[5:]: json.loads(text) for _, attributes, text in data}


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_for_a_script_says_the_same_without_a_dangerous_character(value: object) -> None:
    text = html_data.escaped(value)
    assert json.loads(text) == value
    assert not set(text) & set("<>&\u2028\u2029")


@given(st.lists(st.lists(st.text()), max_size=20))
def test_an_array_in_pieces_is_the_same_array(rows: list[list[object]]) -> None:
    many = rows * 60  # more than one piece
    assert json.loads("".join(html_data.array(many))) == many


def test_the_policy_names_exactly_the_scripts_and_styles_of_the_page() -> None:
    page = Shape(written(company.everyday()))
    ours = [each for each in page.inline if each[1].get("type") != "application/json"]

    def sources(tag: str) -> list[str]:
        texts = (text.encode() for name, _, text in ours if name == tag)
        return [f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'" for text in texts]

    rules = dict(rule.split(" ", 1) for rule in page.meta["Content-Security-Policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"].split() == sources("script")
    assert rules["style-src"].split() == sources("style")
    assert len(sources("script")) == 3
    assert set(rules) == {"default-src", "script-src", "style-src", "base-uri", "form-action"}
    assert "unsafe" not in page.meta["Content-Security-Policy"]


def test_a_policy_is_made_of_hashes() -> None:
    """The example of Content Security Policy Level 3, section 8.3 (a script that says doSubmit())."""
    script = "alert('Hello, world.');"
    assert "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='" in policy((), (script,))


def test_the_page_asks_for_nothing_outside_itself() -> None:
    page = Shape(written(company.everyday()))
    loading = {"src", "srcset", "srcdoc", "action", "formaction", "data", "poster", "background", "ping"}
    assert [tag for tag, attributes in page.tags if loading & set(attributes)] == []
    assert {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags} == set()
    assert not any("style" in attributes for _, attributes in page.tags)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_fault_99_no_text_changes_the_shape_of_the_page() -> None:
    """Every hostile text, as the customer and in every field, leaves the same elements as a harmless one."""
    harmless = Shape(written(hostile_report("x", "x", ["x"]))).tags
    for text in HOSTILE:
        if text:  # what is empty is left out
            page = written(hostile_report(text, text, [text]))
            assert Shape(page).tags == harmless, text[:80]
            page.encode()  # no lone surrogate is left


@given(st.text())
def test_what_is_shown_can_be_seen(text: str) -> None:
    result = shown(text, 50)
    assert len(result) <= 50
    assert all(char.isprintable() or char in "\u00a0\u200c\u200d\u3000" for char in result)
    if text.isprintable() and len(text) <= 50:
        assert result == text


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a\x00b\x1b\x7f", "a␀b␛␡"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("\u2028\ud800", "\ufffd\ufffd"),
        ("می‌خواهم", "می‌خواهم"),
        ("x" * 1_000_000, "x" * (LONGEST - 1) + "…"),
    ],
)
def test_unseen_characters_are_made_visible_and_long_texts_cut(text: str, result: str) -> None:
    assert shown(text) == result


def test_moments_in_words() -> None:
    assert moment_text("2026-03-04T09:05:00Z") == "4 Mar 2026, 09:05 UTC"
    assert moment_text("soon") == "soon"
    assert moment_text("") == ""


def test_the_data_are_the_reports_own() -> None:
    report = company.everyday()
    found = sets(written(report))
    assert [row[0] for row in found["people"]] == [person.key for person in report.people]
    grants = list(report.grants)
    assert [(found["places"][int(str(row[0]))], row[2], row[8]) for row in found["grants"]] == [
        ([grant.kind, grant.place, grant.place_id], grant.name, grant.verdict) for grant in grants
    ]
    assert len(found["findings"]) == len(report.findings)
    assert found["totals"] == {"people": 243, "grants": 520, "findings": 7, "leavers": 1, "sources": 6}
    assert len(found["trend"]) == len(report.trend)


def test_counts_that_the_report_brings_are_believed() -> None:
    counts = {"people": 3, "grants": 1_234, "known": 1_200, "left": 34}
    page = written(AccessReport("acme", "ACME", company.MADE, True, counts=counts))
    assert '<p class="figure">1,234</p>' in page
    assert sets(page)["totals"] == {"people": 3, "grants": 1_234, "findings": 0, "leavers": 0, "sources": 0}


def test_beyond_the_limit_those_that_need_an_eye_come_first() -> None:
    total = html_data.LIMIT + 10
    rows = (
        PersonRow(str(n), "", (), "left" if n >= total - 2 else "active", "delivered") for n in range(total)
    )
    people = list(rows)
    kept = list(html_data.within(PersonRow, people, total, html_data.plain_people))
    assert len(kept) == html_data.LIMIT
    assert [row.key for row in kept[:3]] == [str(total - 2), str(total - 1), "0"]
    assert list(html_data.within(PersonRow, people[:5], 5, html_data.plain_people)) == people[:5]


def test_many_groups_of_one_person_are_cut_and_counted() -> None:
    row = html_data.person(PersonRow("k", "n", (), "active", "delivered", tuple(map(str, range(1_201)))))
    groups = row[5]
    assert isinstance(groups, list)
    assert groups[-1] == "… and 1,001 more"
    assert len(groups) == html_data.MANY + 1


def test_findings_stand_by_severity_then_age() -> None:
    findings = [
        Finding(str(n), severity, "k", f"s{n}", "", seen)
        for n, (severity, seen) in enumerate([("low", "1"), ("odd", "0"), ("high", "2"), ("high", "1")])
    ]
    page = written(AccessReport("acme", "ACME", company.MADE, True, findings=findings))
    assert re.findall(r'<p class="sentence">(s\d)</p>', page) == ["s3", "s2", "s0", "s1"]


def test_what_others_wrote_is_what_they_published() -> None:
    """Vendored files match the sums written down for them, carry no source map, and have their licences."""
    table = (REPORTS / "vendor" / "VENDORED.md").read_text(encoding="utf-8")
    sums = dict(re.findall(r"`([\w./]+)` \| `([0-9a-f]{64})`", table))
    assert len(sums) == 4
    for name, digest in sums.items():
        content = (REPORTS / "vendor" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name
        assert b"sourceMappingURL" not in content
    for licence in assets().licences:
        assert "MIT" in licence
        assert licence.splitlines()[-2] in written(company.empty()).replace("&#34;", '"')
