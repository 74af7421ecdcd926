"""CSV and workbooks, read back as others read them: no formula anywhere, and values otherwise as they were."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import datetime
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.workbook import Workbook
from tests.reports.kit import HOSTILE, SMALL, hostile, starts_a_formula, written

from rosterd.core.access import AccessReport, Finding, Grant, LeaverRow, PersonRow
from rosterd.errors import ReportError
from rosterd.reports import csv as report_csv
from rosterd.reports import xlsx, xlsx_book
from rosterd.reports.cells import LONGEST, cell, cells
from rosterd.reports.shown import shown

texts = st.text(st.one_of(st.characters(), st.sampled_from("=+-@＝ ;'\"\t\r\n\0_x003D&<>")), max_size=12)


def lines(report: AccessReport, delimiter: str = ",") -> list[list[str]]:
    text = written(report_csv.write, report).decode("utf-8-sig")
    before = csv.field_size_limit(2**24)  # read with semicolons, a whole line can be one field
    try:
        return list(csv.reader(StringIO(text, newline=""), delimiter=delimiter))
    finally:
        csv.field_size_limit(before)


def book(report: AccessReport) -> Workbook:
    return openpyxl.load_workbook(BytesIO(written(xlsx.write, report)))


def values(sheet: Any) -> list[tuple[str, ...]]:
    """The rows of a sheet as text, characters given by number decoded as Excel does; openpyxl leaves them."""
    rows = sheet.iter_rows(values_only=True)
    return [tuple(_CODED.sub(_decoded, str(value or "")) for value in row) for row in rows]


_CODED = re.compile("_x([0-9A-Fa-f]{4})_")


def _decoded(code: re.Match[str]) -> str:
    return chr(int(code[1], 16))


def test_a_line_for_each_person_and_grant() -> None:
    header, *rows = lines(SMALL)
    assert header == [
        "key", "name", "emails", "directory", "orbix", "groups", "note", "kind", "place", "place_id", "level", "via",
        "since", "verdict", "matched", "possibly", "grant_name", "grant_email", "subject",
    ]  # fmt: skip
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(row["key"], row["place"], row["verdict"]) for row in found] == [
        ("", "Factory", "stranger"),
        ("NDD//ana.sá", "", ""),
        ("NDD//bea.lima", "Factory", "known"),
        ("NDD//Caio.Reis", "Portal", "left"),
    ]
    assert found[2]["emails"] == "bea@acme.example; b.lima@acme.example"
    assert found[2]["groups"] == "Print-HQ; Print-Lab"
    assert (found[2]["name"], found[2]["grant_name"], found[2]["subject"]) == ("Bea Lima", "Bea", "S1")
    assert set(rows[1][7:]) == {""}


def test_csv_begins_with_the_mark_that_excel_needs_and_ends_lines_as_it_does() -> None:
    data = written(report_csv.write, SMALL)
    assert data.startswith(b"\xef\xbb\xbfkey,name")
    assert data.count(b"\r\n") == 5 == data.count(b"\n")


def test_access_of_somebody_who_is_not_among_the_people_is_not_lost() -> None:
    grants = [
        grant._replace(person=key)
        for grant, key in zip(SMALL.grants, ("ZZ//z", "AA//a", "NDD//bea.lima"), strict=True)
    ]
    _, *rows = lines(replace(SMALL, grants=grants))
    assert [(row[0], row[1], row[8]) for row in rows] == [
        ("AA//a", "", "Portal"),
        ("NDD//ana.sá", "Ana Sá", ""),
        ("NDD//bea.lima", "Bea Lima", "Factory"),
        ("NDD//Caio.Reis", "Caio Reis", ""),
        ("ZZ//z", "", "Factory"),
    ]


def test_many_grants_of_many_people_each_stand_once_beside_their_person() -> None:
    people = [PersonRow(f"A//p{n:05d}", f"n{n}", (), "active", "delivered") for n in range(9_000)]
    known = ("known", "", "")
    grants = [
        Grant("twin", f"t{n // 9_000}", "", "", f"n{n % 9_000}", "", "", "", "", f"A//p{n % 9_000:05d}", *known)
        for n in range(30_000)
    ]  # fmt: skip
    _, *rows = lines(replace(SMALL, people=people[::-1], grants=grants))
    assert len(rows) == 30_000
    assert all(row[1] == row[16] for row in rows)
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert len({(row[0], row[8]) for row in rows}) == 30_000


def test_no_hostile_text_becomes_a_formula_in_csv_whatever_separates_the_cells() -> None:
    report = hostile()
    assert len(HOSTILE) >= 200
    for delimiter in ",;":
        found = [value for row in lines(report, delimiter) for value in row]
        assert [value[:40] for value in found if starts_a_formula(value)] == []


def test_no_cell_is_longer_than_spreadsheets_take() -> None:
    assert max(len(value) for row in lines(hostile()) for value in row) == LONGEST


def test_no_hostile_text_becomes_a_formula_in_a_workbook() -> None:
    found = book(hostile())
    cells_ = [one for sheet in found for row in sheet.iter_rows() for one in row]
    assert {one.data_type for one in cells_} <= {"s", "n", "inlineStr"}
    numbers = [one.value for one in cells_ if one.data_type == "n" and one.value is not None]
    assert all(isinstance(number, int) for number in numbers)
    assert [str(one.value)[:40] for one in cells_ if starts_a_formula(str(one.value or ""))] == []
    packed = written(xlsx.write, hostile())
    with ZipFile(BytesIO(packed)) as parts:
        sheets = [parts.read(name) for name in parts.namelist() if "worksheets/" in name]
        assert not any(b"<f>" in sheet or b"<hyperlink" in sheet for sheet in sheets)


def test_hostile_texts_stay_readable_in_both() -> None:
    """But for the marks against formulas, every text is what people may see of it."""
    names = [row[1] for row in values(book(hostile())["People"])[1:]]
    assert [_bare(name) for name in names] == [_bare(shown(text, LONGEST))[: len(_bare(name))]
                                                for name, text in zip(names, HOSTILE, strict=True)]  # fmt: skip
    lost = [
        text for name, text in zip(names, HOSTILE, strict=True) if len(text) < 1_000 and len(name) < len(text)
    ]
    assert lost == []


def _bare(text: str) -> str:
    return text.replace("'", "").rstrip("…")


@given(texts)
def test_a_cell_is_the_text_with_marks_at_most(text: str) -> None:
    found = cell(text)
    assert found.replace("'", "") == shown(text).replace("'", "")
    assert cell(found) == found
    assert not any(map(starts_a_formula, (found, *found.split(";"))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("  -1", "'  -1"),
        ("＠SUM(1)", "'＠SUM(1)"),
        ("\t=1", "'␉=1"),
        ("\rx", "'␍x"),
        ("\nx", "'␊x"),
        ("\0x", "'␀x"),
        ("a; =1", "a; '=1"),
        ("a\n=1", "a␊=1"),
    ],
)
def test_what_could_be_a_formula_gets_a_mark(text: str, expected: str) -> None:
    assert cell(text) == expected
    assert cells([["plain", text], text]) == [["plain", expected], expected]


@given(st.lists(texts, min_size=1))
def test_a_column_of_cells_is_each_cell(column: list[str]) -> None:
    (found,) = cells([column])
    assert ([found] * len(column) if isinstance(found, str) else list(found)) == [
        cell(text) for text in column
    ]


@pytest.mark.parametrize(
    "text", ["Ana-Maria Sá", "a+b@acme.example", "x = 1", "O'Neil; Bob", "R&D <lab>", "_x12_", "a  b", "c//d", "João"]
)  # fmt: skip
def test_usual_texts_stay_as_they_are(text: str) -> None:
    assert cell(text) == text
    person = PersonRow("A//b", text, (), "active", "delivered")
    report = replace(SMALL, people=[person], grants=[], counts={})
    assert lines(report)[1][1] == text
    assert values(book(report)["People"])[1][1] == text


@given(st.lists(st.tuples(*[texts] * 6), max_size=3))
def test_any_text_comes_back_from_a_workbook_and_from_csv(rows: list[tuple[str, ...]]) -> None:
    people = [
        PersonRow(key, name, (email,), one, two, (group,), "") for key, name, email, one, two, group in rows
    ]
    report = replace(SMALL, people=people, grants=[], counts={})
    expected = [(*map(cell, row), "") for row in rows if any(row)]  # openpyxl leaves out empty rows
    assert values(book(report)["People"])[1:] == expected
    assert sorted(tuple(row[:7]) for row in lines(report)[1:] if any(row)) == sorted(expected)


def test_the_sheets_of_a_small_report() -> None:
    found = book(SMALL)
    assert found.sheetnames == ["Summary", "People", "Grants", "Findings", "Leavers"]
    summary = values(found["Summary"])
    assert summary[0][:2] == ("Access report", "acme")
    assert summary[2][:2] == ("Made", "26 Nov 2026, 06:00 UTC")
    assert summary[3][:2] == ("Complete", "no: see the states below")
    assert ("twin", "Factory", "stale", "20 Nov 2026, 06:00 UTC", "3", "yes", "timed out") in summary
    assert any(row[4] == "Ana Sá got View of Factory." for row in summary)
    people, grants, findings, leavers = (values(found[name]) for name in found.sheetnames[1:])
    assert people[1] == (
        "NDD//bea.lima", "Bea Lima", "bea@acme.example; b.lima@acme.example", "active", "delivered",
        "Print-HQ; Print-Lab", "",
    )  # fmt: skip
    assert grants[3][:7] == ("twin", "Factory", "Ana Sá", "ana@elsewhere.example", "View", "stranger", "")
    assert findings[2][:3] == ("high", "C. Reis has left and still owns Portal.", "Remove them.")
    assert leavers[1][:2] == ("person", "NDD//Caio.Reis")


def test_tables_have_a_frozen_header_filters_widths_and_colours() -> None:
    found = book(SMALL)
    for sheet in found.worksheets[1:]:
        assert sheet.freeze_panes == "A2"
        assert (
            sheet.auto_filter.ref
            == f"A1:{sheet.cell(1, sheet.max_column).column_letter}{max(sheet.max_row, 2)}"
        )
        assert all(sheet.column_dimensions[one.column_letter].width >= 10 for one in sheet[1])
        assert all(one.font.bold for one in sheet[1])
    rules = [rule for group in found["Findings"].conditional_formatting for rule in group.rules]
    assert [rule.formula for rule in rules] == [['"high"'], ['"medium"'], ['"low"']]


def test_the_same_report_gives_the_same_workbook_and_its_time_is_the_report_s() -> None:
    packed = written(xlsx.write, SMALL)
    assert packed == written(xlsx.write, SMALL)
    with ZipFile(BytesIO(packed)) as parts:
        assert {entry.date_time for entry in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}  # of no importance
    assert book(SMALL).properties.created == datetime(2026, 11, 26, 6)


def test_an_empty_report_is_a_workbook_too() -> None:
    found = book(AccessReport("acme", "ACME", "never", True))
    assert [sheet.max_row for sheet in found.worksheets[1:]] == [1, 1, 1, 1]


def test_what_is_longer_than_a_sheet_goes_on_in_another() -> None:
    assert xlsx_book.LONGEST_SHEET == 2**20 - 1  # Excel's rows but for the header
    leavers = [LeaverRow("", f"k{n}", "", "", "", "") for n in range(7)]
    out = BytesIO()
    xlsx.write(replace(SMALL, leavers=leavers), out, 3)
    found = openpyxl.load_workbook(out)
    assert found.sheetnames[4:] == ["Leavers", "Leavers 2", "Leavers 3"]
    keys = [[row[1] for row in values(sheet)] for sheet in found.worksheets[4:]]
    title = "Person or group"
    assert keys == [[title, "k0", "k1", "k2"], [title, "k3", "k4", "k5"], [title, "k6"]]
    assert [sheet.auto_filter.ref for sheet in found.worksheets[4:]] == ["A1:F4", "A1:F4", "A1:F2"]


@pytest.mark.parametrize("longest", [700, 1_024, xlsx_book.LONGEST_SHEET])
def test_many_rows_stand_below_one_another(longest: int) -> None:
    """Whatever is written at a time, and wherever a sheet ends."""
    names = [f"k{n}" for n in range(2_600)]
    report = replace(SMALL, leavers=[LeaverRow("person", name, "", "", "", "") for name in names])
    out = BytesIO()
    xlsx.write(report, out, longest)
    sheets = [values(sheet) for sheet in openpyxl.load_workbook(out).worksheets[4:]]
    assert [len(rows) for rows in sheets] == [
        min(longest, 2_600 - start) + 1 for start in range(0, 2_600, longest)
    ]
    assert [row[1] for rows in sheets for row in rows[1:]] == names


def test_rows_that_grew_while_they_were_written_are_not_left_out_in_silence() -> None:
    report = replace(SMALL, counts={"people": 2, "grants": 3})
    xlsx.write(report, BytesIO(), 3)
    with pytest.raises(ReportError, match="more people than were counted"):
        xlsx.write(report, BytesIO(), 2)


def test_a_finding_has_its_text_in_full() -> None:
    finding = Finding("i", "low", "k", "s" * 5_000, "n", "", "", "")
    assert values(book(replace(SMALL, findings=[finding]))["Findings"])[1][1] == "s" * 5_000
