"""Report files on a real disk: whole or not at all, dated, pruned, and nobody led astray by links."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest
from tests.reports.kit import SMALL

from rosterd.core.access import AccessReport
from rosterd.errors import LedgerError, ReportError, RosterdError, Stopped
from rosterd.reports import csv, files, text, xlsx
from rosterd.reports import json as document

WRITERS = {"json": document.write, "csv": csv.write, "xlsx": xlsx.write, "text": text.write}
DATED = "2026-11-26T060000Z"


def at(day: int, client: str = "ACME") -> AccessReport:
    return replace(SMALL, made=f"2026-11-{day:02d}T06:00:00+00:00", client=client)


def tree(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def contents(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in tree(directory) if (directory / name).is_file()}


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_set_and_its_dated_copy(tmp_path: Path, umask: None) -> None:
    room = tmp_path / "a" / "reports"
    written, problems = files.write(room, SMALL, WRITERS)
    assert problems == []
    assert written == [str(room / f"acme.{ending}") for ending in ("json", "csv", "xlsx", "txt")]
    endings = ("csv", "json", "txt", "xlsx")
    assert tree(room) == sorted(
        ["acme", *(f"acme/{DATED}.{ending}" for ending in endings), *(f"acme.{ending}" for ending in endings)]
    )
    found = contents(room)
    assert all(found[f"acme.{ending}"] == found[f"acme/{DATED}.{ending}"] for ending in endings)
    assert json.loads(found["acme.json"])["customers"]["acme"]["client"] == "ACME"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (room, *room.rglob("*"))}
    assert all(mode == (0o750 if path.is_dir() else 0o640) for path, mode in modes.items())


def test_the_next_set_replaces_the_newest_and_leaves_the_dated(tmp_path: Path) -> None:
    files.write(tmp_path, at(25, "OLD"), WRITERS)
    old = contents(tmp_path)
    files.write(tmp_path, at(26, "NEW"), WRITERS)
    new = contents(tmp_path)
    assert new["acme.json"] != old["acme.json"]
    assert new["acme/2026-11-25T060000Z.json"] == old["acme.json"]
    assert new[f"acme/{DATED}.json"] == new["acme.json"]
    files.write(tmp_path, at(26, "AGAIN"), WRITERS)  # within the same second
    assert contents(tmp_path)[f"acme/{DATED}.json"] == contents(tmp_path)["acme.json"] != new["acme.json"]


def test_customers_do_not_meet(tmp_path: Path) -> None:
    files.write(tmp_path, SMALL, {"text": text.write})
    files.write(tmp_path, replace(SMALL, customer="acme-2"), {"text": text.write})
    assert [name for name in tree(tmp_path) if "." in name] == [
        "acme-2.txt", f"acme-2/{DATED}.txt", "acme.txt", f"acme/{DATED}.txt",
    ]  # fmt: skip


def test_a_time_elsewhere_is_told_in_utc(tmp_path: Path) -> None:
    files.write(tmp_path, replace(SMALL, made="2026-11-26T03:00:00-03:00"), {"text": text.write})
    assert (tmp_path / "acme" / f"{DATED}.txt").exists()


def test_text_written_as_text_is_utf_8(tmp_path: Path) -> None:
    def page(report: AccessReport, out: IO[str]) -> None:
        out.write(f"{report.customer}: João\n\ud800")

    assert files.write(tmp_path, SMALL, {"html": files.as_bytes(page)})[1] == []
    assert (tmp_path / "acme.html").read_bytes() == "acme: João\n?".encode()


def broken(report: AccessReport, out: IO[bytes]) -> None:
    out.write(b"half")
    raise ZeroDivisionError


def test_fault_98_what_cannot_be_rendered_leaves_the_other_formats_and_its_own_last_file(
    tmp_path: Path,
) -> None:
    files.write(tmp_path, at(25), WRITERS)
    old = contents(tmp_path)
    written, problems = files.write(tmp_path, at(26), {**WRITERS, "xlsx": broken})
    assert [Path(path).name for path in written] == ["acme.json", "acme.csv", "acme.txt"]
    (problem,) = problems
    assert isinstance(problem, ReportError)
    assert (problem.exit_code, problem.where) == (3, str(tmp_path / "acme.xlsx"))
    assert "could not be rendered: ZeroDivisionError" in problem.what
    new = contents(tmp_path)
    assert new["acme.xlsx"] == old["acme.xlsx"]
    assert new["acme.json"] != old["acme.json"]
    assert not [name for name in new if "draft" in name]


def test_the_rows_own_errors_stay_what_they_are(tmp_path: Path) -> None:
    def damaged(report: AccessReport, out: IO[bytes]) -> None:
        raise LedgerError("the ledger is damaged", where="ledger.db")

    def stopped(report: AccessReport, out: IO[bytes]) -> None:
        raise Stopped("enough")

    _, problems = files.write(tmp_path, SMALL, {"json": damaged})
    assert [(type(one), one.where) for one in problems] == [(LedgerError, "ledger.db")]
    with pytest.raises(Stopped):
        files.write(tmp_path, SMALL, {"csv": csv.write, "json": stopped})
    assert tree(tmp_path) == ["acme"]


@pytest.mark.parametrize("customer", ["../x", "", ".", "a/b", "A", "a.json", "a\n"])
def test_a_name_that_is_no_customers_is_refused(tmp_path: Path, customer: str) -> None:
    room = tmp_path / "reports"
    written, problems = files.write(room, replace(SMALL, customer=customer), WRITERS)
    assert written == []
    assert "is no customer's name" in problems[0].what
    assert tree(tmp_path) == []


def test_a_report_made_at_no_time_is_refused(tmp_path: Path) -> None:
    written, problems = files.write(tmp_path, replace(SMALL, made="../../x"), WRITERS)
    assert (written, len(problems), tree(tmp_path)) == ([], 1, [])


_LIMITED = """
import resource, sys
from pathlib import Path
from tests.reports.test_report_files import WRITERS, at
from rosterd.reports import files
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
written, problems = files.write(Path(sys.argv[1]), at(26), WRITERS)
print(len(written), *(f"{type(one).__name__}:{one.what}" for one in problems), sep="\\n")
"""
ROOT = Path(__file__).parents[2]


def limited(directory: Path, size: int) -> list[str]:
    """Writes a set in a process of its own whose files may have so many bytes."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(directory), str(size)],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_fault_60_files_that_get_too_large_are_not_half_there(tmp_path: Path) -> None:
    """RLIMIT_FSIZE fails a write in its midst, as a full disk does."""
    files.write(tmp_path, at(25), WRITERS)
    old = contents(tmp_path)
    count, *problems = limited(tmp_path, 4_000)  # the workbook is larger, the other formats are not
    assert count == "3"
    assert problems == ["ReportError:the report could not be written: File too large"]
    new = contents(tmp_path)
    assert new["acme.xlsx"] == old["acme.xlsx"]
    assert new["acme.csv"] != old["acme.csv"] or new["acme.json"] != old["acme.json"]
    assert [name for name in new if name.startswith("acme/") and name.endswith("xlsx")] == [
        "acme/2026-11-25T060000Z.xlsx"
    ]
    count, *problems = limited(tmp_path, 10)
    assert (count, len(problems)) == ("0", 4)
    assert contents(tmp_path) == new


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")
def test_fault_60_a_full_disk_leaves_the_last_set_whole(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        assert files.write(tmp_path, at(1), WRITERS)[1] == []
        for day in range(2, 20):
            before = contents(tmp_path)
            written, problems = files.write(tmp_path, at(day), WRITERS)
            after = contents(tmp_path)
            new = {Path(path).name for path in written}
            assert {name for name in after if "/" not in name and after[name] != before[name]} <= new
            assert not [name for name in after if "draft" in name or not after[name]]
            if not written:
                break
        assert "No space left on device" in problems[-1].what
        assert problems[-1].hint
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_links_below_the_directory_are_not_followed(tmp_path: Path) -> None:
    room, elsewhere = tmp_path / "reports", tmp_path / "elsewhere"
    elsewhere.mkdir()
    room.mkdir()
    (room / "acme").symlink_to(elsewhere)
    written, problems = files.write(room, SMALL, WRITERS)
    assert (written, len(problems), tree(elsewhere)) == ([], 1, [])
    (room / "acme").unlink()
    (elsewhere / "file").write_text("mine")
    (room / "acme.txt").symlink_to(elsewhere / "file")
    files.write(room, SMALL, {"text": text.write})
    assert (elsewhere / "file").read_text() == "mine"
    assert not (room / "acme.txt").is_symlink()


def test_a_directory_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "acme.json").mkdir()
    written, problems = files.write(tmp_path, SMALL, WRITERS)
    assert [one.where for one in problems] == [str(tmp_path / "acme.json")]
    assert len(written) == 3


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    room = tmp_path / "reports"
    room.write_text("")
    written, problems = files.write(room, SMALL, WRITERS)
    assert (written, [type(one) for one in problems]) == ([], [ReportError])
    assert files.prune(room, 1, 0, ["acme"], WRITERS)[0] == []


def test_drafts_of_the_dead_are_removed_and_of_the_living_are_not(tmp_path: Path) -> None:
    own = tmp_path / "acme"
    own.mkdir()
    dead, alive, other = (own / name for name in (f".{'a' * 32}.draft", f".{'b' * 32}.draft", ".mine.draft"))
    for path in (dead, alive, other):
        path.write_text("half")
    (own / f".{'c' * 32}.draft").symlink_to(other)
    with alive.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        files.write(tmp_path, SMALL, {"text": text.write})
        assert (dead.exists(), alive.exists(), other.exists()) == (False, True, True)
        files.prune(tmp_path, 30, 0, ["acme"], WRITERS)
        assert alive.exists()
    files.prune(tmp_path, 30, 0, ["acme"], WRITERS)
    assert (alive.exists(), other.exists()) == (False, True)


def test_there(tmp_path: Path) -> None:
    assert not files.there(tmp_path, "acme", ["json"])
    files.write(tmp_path, SMALL, WRITERS)
    assert files.there(tmp_path, "acme", list(WRITERS))
    assert not files.there(tmp_path, "acme", ["json", "html"])
    (tmp_path / "acme.csv").unlink()
    (tmp_path / "acme.csv").symlink_to(tmp_path / "acme.json")
    assert not files.there(tmp_path, "acme", ["csv"])


NOW = datetime(2026, 12, 26, 6, 0, 0, tzinfo=UTC)


def days_ago(days: float, customer: str = "acme") -> AccessReport:
    return replace(SMALL, customer=customer, made=(NOW - timedelta(days=days)).isoformat())


def pruned(
    directory: Path,
    customers: Collection[str] = ("acme", "beta"),
    formats: Collection[str] = tuple(WRITERS),
    *,
    keep_days: int = 30,
) -> tuple[list[str], list[RosterdError]]:
    return files.prune(directory, keep_days, NOW.timestamp(), customers, formats)


def aged(directory: Path, days: float) -> None:
    """What lies there was written so many days ago."""
    then = NOW.timestamp() - days * 86_400
    for path in directory.rglob("*"):
        os.utime(path, (then, then))


def test_pruning_removes_old_copies_and_says_which(tmp_path: Path) -> None:
    for days in (31, 30.5, 30, 29, 0):
        files.write(tmp_path, days_ago(days), {"json": document.write, "text": text.write})
    removed, problems = pruned(tmp_path)
    assert problems == []
    names = (
        "2026-11-25T060000Z.json",
        "2026-11-25T060000Z.txt",
        "2026-11-25T180000Z.json",
        "2026-11-25T180000Z.txt",
    )
    assert removed == [str(tmp_path / "acme" / name) for name in names]
    assert len(list((tmp_path / "acme").iterdir())) == 6
    assert pruned(tmp_path) == ([], [])


def test_pruning_never_takes_the_newest_set_of_anybody(tmp_path: Path) -> None:
    for days in (400, 300):
        files.write(tmp_path, days_ago(days), {"json": document.write, "text": text.write})
    files.write(tmp_path, days_ago(500, "beta"), {"text": text.write})
    removed, _ = pruned(tmp_path)
    assert len(removed) == 2
    assert len(tree(tmp_path)) == 2 + 5 + 1
    assert files.there(tmp_path, "acme", ["json", "text"])
    assert files.there(tmp_path, "beta", ["text"])


def test_a_customer_that_is_served_no_more_loses_its_reports_with_time(tmp_path: Path) -> None:
    for customer in ("acme", "beta"):
        files.write(tmp_path, days_ago(29, customer), {"json": document.write, "text": text.write})
    aged(tmp_path, 29)
    assert pruned(tmp_path, ["acme"]) == ([], [])
    removed, problems = pruned(tmp_path, ["acme"], keep_days=28)
    assert ({Path(name).name for name in removed}, problems) == (
        {"2026-11-27T060000Z.json", "2026-11-27T060000Z.txt", "beta.json", "beta.txt"},
        [],
    )
    assert all("beta" in name for name in removed)
    assert not (tmp_path / "beta").exists()
    assert files.there(tmp_path, "acme", ["json", "text"])


def test_a_format_that_is_written_no_more_is_pruned_with_time(tmp_path: Path) -> None:
    files.write(tmp_path, days_ago(31), {"json": document.write, "text": text.write})
    files.write(tmp_path, days_ago(0), {"json": document.write})
    assert pruned(tmp_path, formats=["json"])[0] == [
        str(tmp_path / "acme" / "2026-11-25T060000Z.json"),
        str(tmp_path / "acme" / "2026-11-25T060000Z.txt"),
    ]
    assert files.there(tmp_path, "acme", ["json", "text"])
    aged(tmp_path, 31)
    (tmp_path / "acme.pdf").write_text("not ours")
    os.utime(tmp_path / "acme.pdf", (0, 0))
    assert pruned(tmp_path, formats=["json"]) == ([str(tmp_path / "acme.txt")], [])
    assert (tmp_path / "acme.pdf").exists() and (tmp_path / "acme.json").exists()


def test_a_stranger_s_file_keeps_the_folder_of_a_customer_gone(tmp_path: Path) -> None:
    files.write(tmp_path, days_ago(31), {"json": document.write})
    (tmp_path / "acme" / "notes.txt").write_text("mine")
    aged(tmp_path, 31)
    removed, problems = pruned(tmp_path, [])
    assert (len(removed), problems) == (2, [])
    assert [path.name for path in (tmp_path / "acme").iterdir()] == ["notes.txt"]


def test_pruning_touches_nothing_that_is_not_ours(tmp_path: Path) -> None:
    own, elsewhere = tmp_path / "acme", tmp_path / "Elsewhere"
    for place in (own, elsewhere):
        place.mkdir()
    old = "2020-01-01T000000Z"
    (elsewhere / f"{old}.json").write_text("")
    for name in (
        f"{old}.json.bak",
        f"x{old}.json",
        f"{old}.pdf",
        f"{old[:-1]}.json",
        f"{old}.json\n",
        "notes.txt",
    ):
        (own / name).write_text("")
    (own / f"{old}.csv").symlink_to(own / "notes.txt")
    (own / f"{old}.xlsx").mkdir()
    (tmp_path / "beta").symlink_to(elsewhere)
    (tmp_path / f"{old}.json").write_text("")
    (own / "2026-12-26T000000Z.json").write_text("")
    before = tree(tmp_path)
    assert pruned(tmp_path, keep_days=1) == ([], [])
    assert tree(tmp_path) == before


def test_pruning_where_nothing_was_ever_written(tmp_path: Path) -> None:
    assert pruned(tmp_path / "none") == ([], [])
    assert not (tmp_path / "none").exists()


def test_one_file_the_operator_names(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    link = tmp_path / "link.json"
    link.symlink_to(out)
    files.write_one(link, lambda file: document.write(SMALL, file))
    assert link.is_symlink()
    assert json.loads(out.read_bytes())["schema"] == "rosterd/report/1"
    with pytest.raises(ZeroDivisionError):
        files.write_one(out, lambda file: broken(SMALL, file))
    assert json.loads(out.read_bytes())
    assert tree(tmp_path) == ["link.json", "out.json"]
    files.write_one(Path("/dev/null"), lambda file: document.write(SMALL, file))
    assert Path("/dev/null").is_char_device()
    with pytest.raises(ReportError) as error:
        files.write_one(tmp_path / "no" / "x", lambda file: None)
    assert error.value.where == str(tmp_path / "no" / "x")


def test_no_file_stays_open(tmp_path: Path) -> None:
    files.write(tmp_path, SMALL, WRITERS)
    before = len(os.listdir("/proc/self/fd"))
    for writer in (text.write, broken):
        files.write(tmp_path, SMALL, {"text": writer})
    assert len(os.listdir("/proc/self/fd")) == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > before
