"""What the files beside the code promise: the locks, the README, and that no file speaks of one machine."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ["requirements.txt", "requirements-build.txt", "requirements-test.txt"]
OURS = [".ci", "bench", "config", "deploy", "docs", "scripts", "src", "tests"]

PINNED = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)(\[[a-z,]+\])?==(?P<version>[0-9][\w.]*)( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
# The letters in brackets keep these lines from matching themselves.
MACHINE = re.compile(r"(^|[^A-Za-z0-9_.])/(wor[k]|far[m])/[a-z]")


def locked(lock: str) -> dict[str, str]:
    """Names and versions of a lock file."""
    found = map(PINNED.fullmatch, (ROOT / lock).read_text(encoding="utf-8").splitlines())
    return {match["name"]: match["version"] for match in found if match}


def wanted(lock: str) -> list[Requirement]:
    """What pyproject.toml asks for directly, and this lock must hold."""
    build = PROJECT["dependency-groups"]["build"]
    texts = {
        "requirements.txt": PROJECT["project"]["dependencies"],
        "requirements-build.txt": build,
        "requirements-test.txt": [
            *PROJECT["project"]["dependencies"],
            *PROJECT["project"]["optional-dependencies"]["test"],
            *build,
        ],
    }
    return [Requirement(text) for text in texts[lock]]


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the project; what tools leave behind is not ours."""
    places = [path for path in ROOT.iterdir() if path.is_file()]
    places += [path for folder in OURS for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted(places):
        if "__pycache__" not in path.parts:
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_names_versions_and_hashes_only(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    strange = [
        line
        for line in lines
        if not (PINNED.fullmatch(line) or HASH.fullmatch(line) or (line.startswith("#") and "/" not in line))
    ]
    assert strange == []
    assert len(locked(lock)) > 3


@pytest.mark.parametrize("lock", LOCKS)
def test_the_locks_are_in_step_with_the_project(lock: str) -> None:
    """Else `make lock` was forgotten."""
    versions = locked(lock)
    assert [
        str(requirement)
        for requirement in wanted(lock)
        if versions.get(canonicalize_name(requirement.name), "") not in requirement.specifier
    ] == []


def test_what_is_tested_is_what_is_shipped() -> None:
    tested = locked("requirements-test.txt")
    for lock in LOCKS:
        assert locked(lock).items() <= tested.items()


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert not found, "\n".join(found)


@cache
def commands(*verbs: str) -> frozenset[str]:
    """The commands that `rosterd VERBS --help` lists."""
    shown = subprocess.run(
        [sys.executable, "-c", "from rosterd.cli import main; main()", *verbs, "--help"],
        env={"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100", "NO_COLOR": "1", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.returncode == 0, shown.stderr
    return frozenset(re.findall(r"^[\s│|]*([a-z][a-z-]+)(?=  | *$| *│)", shown.stdout, re.MULTILINE))


def typed(text: str) -> Iterator[list[str]]:
    """The words after `rosterd` in every command of a page: in fenced blocks and in back-ticks."""
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    quoted = re.findall(r"(?<!`)`(rosterd [^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in [*"\n".join(fenced).splitlines(), *quoted]:
        match = re.match(r"\s*(?:\$ |# )?(?:sudo )?(?:[\w./~-]*/)?rosterd ([a-z].*)", line)
        if match:
            yield match[1].split()


def test_every_command_of_the_readme_exists() -> None:
    used = list(typed((ROOT / "README.md").read_text(encoding="utf-8")))
    assert used, "the README shows no command"
    assert [words for words in used if words[0] not in commands()] == []
    for group in ("ledger", "settings"):
        subs = {words[1] for words in used if words[0] == group and len(words) > 1}
        assert not subs or subs <= commands(group), f"rosterd {group}: {subs}"
