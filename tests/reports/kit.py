"""A small report, texts that mean no good, and a second opinion on what a spreadsheet takes for a formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import IO
from unicodedata import category, normalize

from rosterd.core.access import (
    AccessReport,
    Finding,
    Grant,
    LeaverRow,
    PersonRow,
    PlaceState,
    ReportChange,
    TrendPoint,
)

MADE = "2026-11-26T06:00:00+00:00"

SMALL = AccessReport(
    customer="acme",
    client="ACME",
    made=MADE,
    complete=False,
    sources=[
        PlaceState("directory", "hq", "hq", "whole", MADE, "", 3),
        PlaceState("twin", "urn:adsk.dtt:x1", "Factory", "stale", "2026-11-20T06:00:00+00:00", "timed out", 3),
    ],
    people=[
        PersonRow(
            "NDD//bea.lima", "Bea Lima", ("bea@acme.example", "b.lima@acme.example"), "active", "delivered",
            ("Print-HQ", "Print-Lab"),
        ),
        PersonRow("NDD//ana.sá", "Ana Sá", (), "active", "refused", (), "Logon is not valid"),
        PersonRow("NDD//Caio.Reis", "Caio Reis", ("caio@acme.example",), "left", "left"),
    ],
    grants=[
        Grant(
            "twin", "Factory", "urn:adsk.dtt:x1", "S1", "Bea", "bea@acme.example", "Manage", "", "2026-01-02",
            "NDD//bea.lima", "known", "e-mail", "",
        ),
        Grant(
            "application", "Portal", "app1", "S3", "C. Reis", "caio@acme.example", "OWNER", "", "",
            "NDD//Caio.Reis", "left", "id", "",
        ),
        Grant(
            "twin", "Factory", "urn:adsk.dtt:x1", "S9", "Ana Sá", "ana@elsewhere.example", "View", "Guests", "",
            "", "stranger", "", "NDD//ana.sá",
        ),
    ],
    findings=[
        Finding(
            "f2", "medium", "stranger", "Ana Sá (ana@elsewhere.example) is nobody the directory knows.",
            "Ask who that is.", MADE, "", "Factory",
        ),
        Finding(
            "f1", "high", "access-left", "C. Reis has left and still owns Portal.", "Remove them.",
            "2026-11-20T06:00:00+00:00", "NDD//Caio.Reis", "Portal",
        ),
    ],
    leavers=[LeaverRow("person", "NDD//Caio.Reis", "Caio Reis", "caio@acme.example", "", "2026-11-20T06:00:00+00:00")],
    changes=[ReportChange("added", "grant", "Ana Sá got View of Factory.", "", "Factory")],
    trend=[TrendPoint(MADE, 3, 3, 1, 1, 2)],
    counts={"people": 3, "grants": 3, "findings": 2, "known": 1, "left": 1, "stranger": 1},
)  # fmt: skip

_SIGNS = "=+-@＝＋－＠﹢﹣﹦﹫"
_BEFORE = (
    "", " ", "  ", "\t", "\r", "\n", "\r\n", "\0", "\v", "\f", "\u00a0", "\u3000", "\u2003", "\u2028", "\ufeff",
    "\u200b", "\u200d", "\u202e", "\x1b", "a;", "a; ", ';"', "a;\u3000", "a\t", "a\n", "a\r", 'a",',
)  # fmt: skip
_OTHERS = (
    "=cmd|' /C calc'!A0", '=HYPERLINK("https://x.example")', "@SUM(1+1)*cmd|' /C calc'!A0", "'=1", '"=1', "''", '"',
    '","=1', "</t></is></c>", "<f>1+1</f>", "]]>", "&amp;", "&#61;1", "_x003D_1+1", "_x000D_", "_x005F_x003D_1",
    "\ud800", "\udfff\ud800", "\ud83d\ude00", "\uffff", "\ufffe", "\U000e0041", "\u202egnp.exe", "\u2066x\u2069",
    "\x1b[31mred", "\x1b]0;t\x07", "\x9b31m", "\x85", "\x7f", "},{\"", '"}],"people":[{', "},\n{", "},{", "\\u0000",
    "\\", "A" * 1_000_000, "=" * 40_000, ";=" * 20_000, "é" * 40_000, "👩‍👩‍👧‍👦" * 9_000, "<" * 40_000,
    " ", "", "null", "NaN",
)  # fmt: skip
HOSTILE = (
    *(f"{before}{sign}1+1" for sign in _SIGNS for before in _BEFORE),
    *map(chr, range(0x20)),
    *_OTHERS,
)


def hostile() -> AccessReport:
    """A report with every hostile text in every field that holds text."""
    return replace(
        SMALL,
        sources=[PlaceState(t, t, t, "stale", t, t, 1, False) for t in HOSTILE],
        people=[PersonRow(t, t, (t, t), t, t, (t, t), t) for t in HOSTILE],
        grants=[Grant(t, t, t, t, t, t, t, t, t, who, t, t, t) for t in HOSTILE for who in (t, "")],
        findings=[Finding(t, t, t, t, t, t, t, t) for t in HOSTILE],
        leavers=[LeaverRow(t, t, t, t, t, t) for t in HOSTILE],
        changes=[ReportChange(t, t, t, t, t) for t in HOSTILE],
        counts={},
    )


def starts_a_formula(text: str) -> bool:
    """Would a spreadsheet program, in whatever language, take the cell for a formula?

    It is asked as widely as can be: whatever cannot be seen may be dropped, and characters that look alike are one.
    """
    seen = [char for char in text if category(char) not in ("Cc", "Cf", "Zs", "Zl", "Zp", "Cs")]
    return bool(seen) and normalize("NFKC", seen[0])[0] in "=+-@−"


def written(write: Callable[[AccessReport, IO[bytes]], None], report: AccessReport) -> bytes:
    out = BytesIO()
    write(report, out)
    return out.getvalue()
