"""The report as text: in the order people need it, as wide as the terminal, and with nothing a terminal obeys."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest
from tests.reports.kit import HOSTILE, SMALL, hostile, written

from rosterd.core.access import AccessReport, Finding, PersonRow
from rosterd.reports.layout import cut, width_of
from rosterd.reports.text import LISTED, lines, write, write_all
from rosterd.words import Paint

GOLDEN = """\
Access report: acme, ACME in Orbix
made 26 Nov 2026, 06:00 UTC
  ! twin Factory (urn:adsk.dtt:x1) could not be read, shown as of 20 Nov 2026, 06:00 UTC: timed out
  ! The report is incomplete.

Since the last report: 1
  + Ana Sá got View of Factory.

Findings: 2
  high  C. Reis has left and still owns Portal.
        → Remove them. (since 20 Nov 2026, 06:00 UTC)
  medium  Ana Sá (ana@elsewhere.example) is nobody the directory knows.
          → Ask who that is. (since 26 Nov 2026, 06:00 UTC)

To be removed in Orbix by hand: 1
  kind    key             name       e-mail             group  since
  person  NDD//Caio.Reis  Caio Reis  caio@acme.example         20 Nov 2026, 06:00 UTC

Places: 2
  kind         place    grants  known  left  stranger
  twin         Factory  2       1      0     1
  application  Portal   1       0      1     0
  place    id
  Factory  urn:adsk.dtt:x1
  Portal   app1

Access of others than people known: 2
  verdict   place    name     e-mail                 level  person
  left      Portal   C. Reis  caio@acme.example      OWNER  NDD//Caio.Reis
  stranger  Factory  Ana Sá   ana@elsewhere.example  View

People by state: 3
  directory / Orbix   people
  active / delivered  1
  active / refused    1
  left / left         1

People with a note: 1
  key          name    directory  Orbix    note
  NDD//ana.sá  Ana Sá  active     refused  Logon is not valid
"""


def test_a_small_report() -> None:
    assert written(write, SMALL).decode() == GOLDEN


def test_an_empty_report_says_so() -> None:
    text = written(write, AccessReport("acme", "ACME", "2026-11-26T06:00:00+00:00", True)).decode()
    assert "Findings: none\n" in text
    assert "incomplete" not in text
    assert "Since the last report: none\n" in text


def test_colours_change_nothing_but_colours() -> None:
    painted = "\n".join(lines(SMALL, paint=Paint(True))) + "\n"
    assert "\x1b[31mhigh\x1b[0m" in painted
    for code in ("0", "1", "2", "31", "32", "33"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert painted == GOLDEN


@pytest.mark.parametrize("width", [40, 57, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    found = list(lines(replace(SMALL, findings=[_wide, *SMALL.findings]), width))
    wide = [line for line in found if width_of(line) > width]
    assert wide == []
    assert any("…" in line for line in found) == (width < 100)


_wide = Finding("w", "low", "k", "word " * 60 + "東京" * 50, "x" * 300, "", "", "")


def test_nothing_hostile_reaches_the_terminal() -> None:
    found = list(lines(hostile(), 80))
    assert len(HOSTILE) > LISTED
    assert [line for line in found if not line.isprintable()] == []
    assert any("\\u001b" in line for line in found)
    assert max(map(len, found)) < 5_000


def test_long_lists_end_in_a_number() -> None:
    people = [PersonRow(f"A//{n}", "", (), "active", "refused", (), "why") for n in range(LISTED + 1_005)]
    text = written(write, replace(SMALL, people=people)).decode()
    assert "  … and 1,005 more: the other formats list them\n" in text
    assert text.count("  A//") == LISTED


def test_of_many_grants_the_first_that_need_an_eye_are_listed() -> None:
    """They come from the first pages, and no more than one list takes."""
    *_, stranger = SMALL.grants
    known = stranger._replace(verdict="known")
    grants = [
        *[stranger._replace(name="Early")] * (LISTED - 1),
        *[known] * 3_000,
        *[stranger._replace(name="Late")] * 9,
    ]
    text = written(write, replace(SMALL, grants=grants)).decode()
    assert [text.count(name) for name in ("Early", "Late")] == [LISTED - 1, 1]
    assert f"Access of others than people known: {LISTED + 8}\n" in text
    assert f"  {LISTED + 3_008:,}   3,000  {LISTED + 8}\n" in text


def test_several_customers_stand_one_below_the_other() -> None:
    out = BytesIO()
    write_all([SMALL, replace(SMALL, customer="beta")], out, width=10)
    titles = [line for line in out.getvalue().decode().splitlines() if line.startswith("Access report")]
    assert titles == ["Access report: acme, ACME in Orbix", "Access report: beta, ACME in Orbix"]


def test_widths_are_those_of_a_terminal() -> None:
    assert [width_of(text) for text in ("abc", "é", "e\u0301", "東京", "")] == [3, 1, 1, 4, 0]
    assert [cut("東京都", room) for room in (6, 5, 4)] == ["東京都", "東京…", "東…"]
    assert cut("abc", 3) == "abc"
