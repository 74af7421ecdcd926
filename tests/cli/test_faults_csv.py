"""The fault table's rows about CSV files: what is wrong with a file is said with its place, and nothing is sent."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.files import csv_text, customer, limit, numbered, people
from tests.cli.kit import PROGRAM, Office

FIVE = ("ana", "bruno", "carlos", "dora", "egon")
GOOD = csv_text(("logon", "name", "email"), people(*FIVE))


def refused(office: Office, *words: str, code: int = 5) -> dict[str, Any]:
    """A run that sends nothing, takes nobody for gone, and says where and what next; the old file then is fine."""
    first = office.users()
    office.forget_requests()
    result = office.do("run", "--once", "--json")
    part: dict[str, Any] = result.document["customers"]["acme"]
    assert result.code == code, result.said
    assert part["people"]["read"] == 0 and part["requests"] == 0
    assert part["people"]["gone"] == 0 or code == 4, "a held plan may say who would go"
    missing = [word for word in words if word not in part["reason"]]
    assert not missing, (missing, part["reason"])
    assert office.requests("") == [] and office.users() == first
    assert part["reason"] in " ".join(office.do("run", "--once").out.split()) or code == 4
    return part


@pytest.fixture
def running(office: Office) -> Office:
    """Five people, delivered."""
    office.run(code=0)
    return office


ROTTEN: dict[str, tuple[str | bytes, int, tuple[str, ...]]] = {
    "50 a header and no rows": ("logon,name,email\n", 4, ("no people",)),
    "50 no bytes": ("", 5, ("empty", "header")),
    "50 a blank line": ("\n", 5, ("line 1", "column")),
    "50 no header": ("ana,Anna,a@example.com\n", 5, ("line 1", "missing")),
    "51 a quote never closed": (GOOD + 'fil,"Filipa,f@example.com\n', 5, ("line 7", "quote")),
    "51 text behind a quote": (GOOD + '"fil"ipa,Filipa,f@example.com\n', 5, ("line 7",)),
    "51 a quote never closed in the header": ('logon,"name,email\nana,Ana,\n', 5, ("line 1",)),
    "52 a column twice": ("logon,name,email,Name\nana,Ana,,\n", 5, ("line 1", "name", "twice")),
    "52 a column missing": ("login,name,email\nana,Ana,\n", 5, ("line 1", "logon", "missing", "login")),
    "52 another separator": ("logon:name:email\nana:Ana:\n", 5, ("line 1", "separat")),
    "53 NUL": (GOOD.encode() + b"fil\0ipa,Filipa,f@example.com\n", 5, ("NUL", str(len(GOOD) + 3))),
    "53 UTF-16": (GOOD.encode("utf-16"), 5, ("utf-16", "encoding")),
    "53 UTF-16 without a mark": (GOOD.encode("utf-16-le"), 5, ("NUL", "UTF-16")),
    "53 latin-1": (
        GOOD.encode() + "joao,João,j@example.com\n".encode("latin-1"),
        5,
        ("line 7", "cp1252", str(len(GOOD) + 7)),
    ),
    "53 latin-1 in the header": ("logon,name,email,Straße\n".encode("latin-1"), 5, ("line 1", "cp1252")),
    "C3 a huge field": (GOOD + f"fil,{'x' * 9000},\n", 5, ("line 7", "8,192")),
    "C3 too many columns": (
        ",".join(["logon", "name", "email", *(f"c{n}" for n in range(200))]) + "\n",
        5,
        ("200",),
    ),
    "48 cut in the middle of a line": (GOOD + "filipa,Fil", 5, ("line 7", "cut short")),
}


@pytest.mark.parametrize("what", ROTTEN)
def test_fault_48_to_53_rotten_files(running: Office, what: str) -> None:
    data, code, words = ROTTEN[what]
    running.put_text(data)
    refused(running, *words, code=code)
    running.put_text(GOOD)
    assert running.one(code=0)["people"]["unchanged"] == 5


FINE: dict[str, bytes] = {
    "BOM": b"\xef\xbb\xbf" + GOOD.encode(),
    "semicolons": GOOD.replace(",", ";").encode(),
    "tabs": GOOD.replace(",", "\t").encode(),
    "bars": GOOD.replace(",", "|").encode(),
    "CRLF": GOOD.replace("\n", "\r\n").encode(),
    "blank lines": GOOD.replace("\n", "\n\n").encode(),
    "header in capitals": csv_text(("LOGON", "Name", "EMAIL"), people(*FIVE)).encode(),
    "other order": csv_text(
        ("email", "x", "logon", "name"), [(r[2], "", r[0], r[1]) for r in people(*FIVE)]
    ).encode(),
    "quotes": b'"logon","name","email"\n'
    + b"".join(f'"{r[0]}","{r[1]}","{r[2]}"\n'.encode() for r in people(*FIVE)),
}


@pytest.mark.parametrize("how", FINE)
def test_fault_53_files_that_are_fine(running: Office, how: str) -> None:
    running.put_text(FINE[how])
    part = running.one(code=0)
    assert part["people"]["unchanged"] == 5 and part["people"]["read"] == 5, part


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16"])
def test_fault_53_a_declared_encoding(office: Office, encoding: str) -> None:
    office.set(customers={"acme": {"sources": {"hr": {"encoding": encoding}}}})
    office.put_text(
        csv_text(("logon", "name", "email"), [("joao", "João", "j@example.com")]).encode(encoding)
    )
    office.one(code=0)
    assert office.users()["ndd//joao"]["Name"] == "João"


def test_quoted_cells_may_hold_anything(office: Office) -> None:
    office.put(
        [
            ("ana", 'Ana "die Große", Berlin', "a@example.com"),
            ("uwe", "Uwe\nZweite Zeile", "u@example.com"),
            ("o la", "", ""),
        ]
    )
    part = office.one(code=3)
    assert office.users()["ndd//ana"]["Name"] == 'Ana "die Große", Berlin'
    assert "line 5" in part["problems"][0]["where"], "a cell of two lines counts as two"


def test_a_missing_final_newline_is_a_warning(running: Office) -> None:
    running.put_text(GOOD.rstrip("\n"))
    part = running.one(code=0)
    assert part["people"]["unchanged"] == 5 and "acme.csv" in part["reason"] and "line end" in part["reason"]


def test_fault_51_rows_of_another_width_are_set_aside(running: Office) -> None:
    running.put_text(GOOD + "filipa,Filipa\ngerd,Gerd,g@example.com,x\n")
    part = running.one(code=3)
    assert part["people"]["set_aside"] == 2 and part["people"]["unchanged"] == 5
    assert all("fields" in problem["reason"] for problem in part["problems"])


def test_fault_48_a_file_that_was_just_written_is_not_read_at_once(office: Office) -> None:
    office.set(customers={"acme": {"sources": {"hr": {"settle": "1s"}}}})
    file = office.put(people(*FIVE))
    written = file.stat().st_mtime
    office.one(code=0)
    assert time.time() - written >= 1.0


def test_fault_48_a_file_that_stood_still_is_read_at_once(office: Office) -> None:
    office.set(customers={"acme": {"sources": {"hr": {"settle": "60s"}}}})
    os.utime(office.directory / "acme.csv", (0, time.time() - 61))
    begun = time.monotonic()
    office.one(code=0)
    assert time.monotonic() - begun < 30


class Rewriter(threading.Thread):
    """Replaces a file again and again until stopped."""

    def __init__(self, path: Path, text: str, gap: float) -> None:
        super().__init__()
        self.path, self.text, self.gap = path, text, gap
        self.over = threading.Event()
        self.times = 0

    def run(self) -> None:
        draft = self.path.with_name("draft")
        while not self.over.wait(self.gap):
            draft.write_text(self.text, encoding="utf-8")
            draft.replace(self.path)
            self.times += 1


def test_fault_49_replaced_while_it_is_read(running: Office) -> None:
    """Replaced faster than it can be read: given up after some tries, and nothing concluded."""
    rows = csv_text(("logon", "name", "email"), numbered(20_000))
    running.put_text(rows)
    writer = Rewriter(running.directory / "acme.csv", rows, 0.001)
    writer.start()
    try:
        part = running.one(code=5)
    finally:
        writer.over.set()
        writer.join()
    assert writer.times > 3 and "changed while it was read" in part["reason"] and "rename" in part["reason"]
    assert part["people"]["read"] == 0 and len(running.users()) == 5


def special(kind: str, path: Path) -> None:
    path.unlink()
    match kind:
        case "link":
            path.with_name("real.csv").write_text(GOOD, encoding="utf-8")
            path.symlink_to("real.csv")
        case "FIFO":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "device":
            path.symlink_to("/dev/zero")


@pytest.mark.parametrize("kind", ["link", "FIFO", "directory", "device", "nothing"])
def test_fault_54_not_a_regular_file(running: Office, kind: str) -> None:
    special(kind, running.directory / "acme.csv")
    begun = time.monotonic()
    refused(running, "acme.csv", str(running.directory / "acme.csv"))
    assert time.monotonic() - begun < 10
    assert running.do("check").code == 5


def test_fault_54_an_unreadable_file(running: Office) -> None:
    (running.directory / "acme.csv").chmod(0)
    # Root reads everything, unless the two capabilities that let it are taken away.
    plain = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    line = [*plain, *PROGRAM, "run", "--once", "--config", str(running.config)]
    result = subprocess.run(line, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert result.returncode == 5 and "acme.csv" in result.stdout and "denied" in result.stdout, result


def test_fault_44_an_attribute_that_was_dropped(running: Office) -> None:
    """The column is gone from the file: not everybody's address turned empty."""
    running.put_text(csv_text(("logon", "name"), [row[:2] for row in people(*FIVE)]))
    refused(running, "email", "missing")


def test_fault_44_a_column_that_turned_empty(running: Office) -> None:
    running.set(customers={"acme": {"guards": {"creates": limit(count=100)}}})
    running.put(people(*FIVE) + numbered(35))
    running.one(code=0)
    running.put([(row[0], row[1], "") for row in [*people(*FIVE), *numbered(35)]])
    part = running.one(code=4)
    assert "email" in part["reason"] and "40 of 40" in part["reason"], part["reason"]
    assert running.users()["ndd//ana"]["Email"] == "ana@example.com"


def test_fault_97_a_rotten_file_is_its_customers_affair(office: Office) -> None:
    office.set(customers={"bolt": customer("bolt")})
    office.put_text(b"\xff\xfe\0", "bolt.csv")
    document = office.run(code=5)
    assert document["customers"]["acme"]["people"]["created"] == 5
