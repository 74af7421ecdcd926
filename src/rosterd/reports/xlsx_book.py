"""The workbook without the rows of its tables: summary, headers, widths, colours, filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any

import xlsxwriter

from rosterd.core.access import VERDICTS, AccessReport
from rosterd.reports.cells import cell
from rosterd.reports.shown import moment_text
from rosterd.reports.xlsx_tables import BAD, DULL, ODD, Column, Table

LONGEST_SHEET = 1_048_575  # rows that a sheet takes below its header
_CHANGES = 1_000  # shown in the summary

_COLOURS = {
    BAD: {"bg_color": "#FFC7CE", "font_color": "#9C0006"},
    ODD: {"bg_color": "#FFEB9C", "font_color": "#7F6000"},
    DULL: {"font_color": "#595959", "italic": True},
}
_HEADER = {"bold": True, "bg_color": "#1F3A5F", "font_color": "#FFFFFF", "valign": "vcenter"}
_OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_SOURCES = ("Kind", "Name", "State", "Read", "Entries", "Stood still", "Reason")
Line = Sequence[str | int]


def shell(
    report: AccessReport, tables: Sequence[Table], made: datetime, longest: int, out: IO[bytes]
) -> Mapping[str, Table]:
    """Writes the workbook; gives the parts of the package that wait for rows, each with its table."""
    waiting: dict[str, Table] = {}
    with xlsxwriter.Workbook(out, _OPTIONS) as book:
        book.set_properties(
            {
                "title": f"Access report: {cell(report.customer)}",
                "created": made.astimezone(UTC).replace(tzinfo=None),
            }
        )
        formats = {name: book.add_format(look) for name, look in (*_COLOURS.items(), ("header", _HEADER))}
        formats["bold"] = book.add_format({"bold": True})
        _summary(book.add_worksheet("Summary"), report, formats)
        for table in tables:
            for name, count in _sheets(table, longest):
                _headers(book.add_worksheet(name), table.columns, count, formats)
                waiting[f"xl/worksheets/sheet{len(book.worksheets())}.xml"] = table
    return waiting


def _sheets(table: Table, longest: int) -> Iterator[tuple[str, int]]:
    """The names of the sheets that a table needs, and how many rows each holds."""
    yield table.name, min(table.count, longest)
    for number, start in enumerate(range(longest, table.count, longest), 2):
        yield f"{table.name} {number}", min(table.count - start, longest)


def _headers(sheet: Any, columns: Sequence[Column], count: int, formats: Mapping[str, Any]) -> None:
    for number, column in enumerate(columns):
        sheet.set_column(number, number, column.width)
        sheet.write_string(0, number, column.title, formats["header"])
        for text, colour in column.colours.items():
            rule = {
                "type": "cell",
                "criteria": "==",
                "value": f'"{text}"',
                "format": formats[colour],
            }
            sheet.conditional_format(1, number, max(count, 1), number, rule)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(count, 1), len(columns) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)


def _summary(sheet: Any, report: AccessReport, formats: Mapping[str, Any]) -> None:
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 6, 26)
    for row, (look, values) in enumerate(_lines(report)):
        for column, value in enumerate(values):
            if isinstance(value, int):
                sheet.write_number(row, column, value, formats.get(look))
            else:
                sheet.write_string(row, column, cell(value), formats.get(look))


def _lines(report: AccessReport) -> Iterator[tuple[str, Line]]:
    """The summary line by line, each with its look."""
    yield "bold", ("Access report", report.customer)
    yield "", ("Client in Orbix", report.client)
    yield "", ("Made", moment_text(report.made))
    yield ("", ("Complete", "yes")) if report.complete else (BAD, ("Complete", "no: see the states below"))
    yield "", ()
    yield from _counts(report)
    yield "", ()
    yield "header", _SOURCES
    for place in report.sources:
        time = moment_text(place.time) if place.time else ""
        still = "yes" if place.consistent else "no"
        values = place.kind, place.name or place.id, place.state, time, place.entries, still, place.reason
        yield ("" if place.state == "whole" else ODD), values
    yield "", ()
    yield from _changes(report)


def _counts(report: AccessReport) -> Iterator[tuple[str, Line]]:
    yield "header", ("Count", "")
    for name in ("people", "grants", *VERDICTS):
        if name in report.counts:
            yield "", (name if name not in VERDICTS else f"grants: {name}", report.counts[name])
    yield "", ("findings", len(report.findings))
    yield "", ("leavers", len(report.leavers))


def _changes(report: AccessReport) -> Iterator[tuple[str, Line]]:
    yield "header", ("Since the last report", "What", "Person", "Place", "")
    for change in report.changes[:_CHANGES]:
        yield "", (change.op, change.what, change.person, change.place, change.sentence)
    more = len(report.changes) - _CHANGES
    if more > 0:
        yield "", (f"and {more:,} more",)
    elif not report.changes:
        yield "", ("nothing",)
