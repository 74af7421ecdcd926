"""What goes where: results on stdout, logs and progress on stderr, and what happens when nobody listens."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cli.files import numbered, people
from tests.cli.kit import PATIENCE, PROGRAM, Office, environment
from tests.cli.terminal import on_terminal

COLOUR = re.compile(r"\x1b\[\d+m")


def test_a_pipe_gets_neither_progress_nor_colour(office: Office) -> None:
    result = office.process("run", "--once")
    assert result.code == 0 and result.err == "" and "\x1b" not in result.out
    assert "acme: done" in result.out


def test_json_is_one_document_and_nothing_else(office: Office) -> None:
    """Also when there is much to say on stderr."""
    office.fault("status", status=503, times=1, path="users")
    result = office.process("run", "--once", "--json", "-vv")
    assert result.code == 0 and json.loads(result.out)["schema"] == "rosterd/run/1"
    assert result.out.count("\n") == 1 and "503" in result.err


def test_logs_as_json(office: Office) -> None:
    office.fault("status", status=503, times=1, path="users")
    result = office.do("run", "--once", "--log-format", "json")
    lines = [json.loads(line) for line in result.err.splitlines()]
    assert lines and all({"event", "level", "timestamp"} <= line.keys() for line in lines)
    assert "acme: done" in result.out


def test_quiet(office: Office) -> None:
    office.fault("status", status=503, times=1, path="users")
    assert office.do("run", "--once", "-q").err == ""


def test_a_terminal_gets_progress_and_colour(office: Office) -> None:
    office.fault("delay", seconds=0.5, path="users")
    office.put(numbered(200))
    result = on_terminal(office, "run", "--once")
    assert result.code == 0
    assert "acme: people sent" in result.out or "acme: people" in result.out, result.out
    assert COLOUR.search(result.out)


def test_no_colour_and_quiet_on_a_terminal(office: Office) -> None:
    result = on_terminal(office, "-q", "run", "--once", env={"NO_COLOR": "1"})
    assert result.code == 0 and not COLOUR.search(result.out), repr(result.out)
    assert result.out.startswith("acme: done"), repr(result.out)


def into(office: Office, where: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command whose stdout is `where`, through a shell: `| head -1` or `> /dev/full`."""
    line = " ".join([*PROGRAM, *arguments])
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line} {where}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**environment(), "ROSTERD_CONFIG": str(office.config)},
        check=False,
    )


def test_fault_94_nobody_reads_to_the_end(office: Office) -> None:
    office.put(numbered(3000))
    result = into(office, "| head -1", "plan", "--full")
    assert result.stdout.count("\n") == 1 and result.stderr == "", result.stderr
    assert result.returncode == 0


def test_fault_94_a_run_whose_reader_has_gone_is_carried_out(office: Office) -> None:
    result = into(office, "| true", "run", "--once")
    assert result.returncode == 0 and result.stderr == ""
    assert len(office.users()) == 5
    office.put(people("ana"))
    assert into(office, "| true", "run", "--once").returncode == 4, "the code of the run, not of the reader"


@pytest.mark.parametrize("verb", ["run --once", "run --once --json"])
def test_fault_94_stdout_is_full(office: Office, verb: str) -> None:
    """The run is carried out and recorded; that its account could not be written is said."""
    result = into(office, "> /dev/full", *verb.split())
    assert "Traceback" not in result.stderr, result.stderr
    assert len(office.users()) == 5 and office.one(code=0)["people"]["unchanged"] == 5
    assert result.returncode == 3 and "No space left" in result.stderr, result


@pytest.mark.parametrize("verb", ["plan", "leavers --format csv"])
def test_stdout_is_full_elsewhere(office: Office, verb: str) -> None:
    result = into(office, "> /dev/full", *verb.split())
    assert "Traceback" not in result.stderr, result.stderr
    assert result.returncode != 0 and "No space left" in result.stderr, result


def test_fault_94_stderr_is_full_or_closed(office: Office) -> None:
    office.fault("status", status=503, times=1, path="users")
    for where in ("2> /dev/full", ">&- 2>&-"):
        result = into(office, where, "run", "--once", "-vv")
        assert result.returncode == 0 and len(office.users()) == 5, result


def test_names_from_a_directory_cannot_drive_a_terminal(office: Office) -> None:
    office.put(
        [
            *people("ana"),
            ("e\x1b[2J", "Esc\x1b]0;owned\x07 \u202eevil", "x@example.com"),
            ("bo b", "B\x1b[31m", ""),
        ]
    )
    for line in (("plan", "--full"), ("check",), ("run", "--once"), ("status",), ("leavers",)):
        result = office.do(*line)
        assert "\x1b" not in result.said and "\u202e" not in result.said and "\x07" not in result.said, line


def test_temporary_files_are_taken_away(office: Office, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    office.put(numbered(30_000))
    result = office.process("run", "--once", env={"TMPDIR": str(scratch)})
    assert result.code == 0 and list(scratch.iterdir()) == []
    names = {path.name for path in office.directory.iterdir()}
    assert names <= {"acme.csv", "rosterd.toml", "ledger.db", "ledger.db.lock", "reports", "scratch"}, names


DEMO_FILES = ("people.csv", "groups.csv", "rosterd.toml", "ledger.db")


def test_demo(office: Office) -> None:
    office.config.unlink()
    place = office.directory / "try"
    result = office.do("demo", "--directory", str(place), bare=True)
    assert result.code == 0, result.said
    assert all((place / name).exists() for name in DEMO_FILES)
    assert result.out.count("demo: ") == 0 and "Day 1" in result.out and "Day 2" in result.out
    *_, last = result.out.splitlines()  # it ends with the report and its path
    html = Path(last.strip())
    assert html == place.resolve() / "reports" / "acme.html"
    assert "Headquarters Lisboa" in html.read_text(encoding="utf-8")
    again = office.do("demo", "--directory", str(place), bare=True)
    assert again.code == 0, "an earlier demo is made anew"
    other = office.do("demo", "--directory", str(office.directory), bare=True)
    assert other.code == 2 and str(office.directory) in other.err


def test_sandbox_as_a_verb(office: Office) -> None:
    with office.started("sandbox", "--port", "0", stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        assert ready["base_url"].startswith("http://127.0.0.1:")
        process.terminate()
        assert process.wait(PATIENCE) == 0


def test_the_script_and_the_module_are_the_same(office: Office) -> None:
    script = Path(PROGRAM[0]).with_name("rosterd")
    if not script.exists():
        pytest.skip("not installed")
    result = subprocess.run(
        [script, "--version"], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert result.stdout == office.do("--version", bare=True).out
