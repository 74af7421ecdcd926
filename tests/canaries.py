"""The canaries: secrets that the tests give the program, which nothing it says or writes may show in any spelling.

A plugin of pytest as well: every test's captured output is searched for them, and at the end of the session what runs
have left behind. A test in whose output one is found fails.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

# One for each slot, with symbols that other spellings write differently.
ORBIX = "Kanary+Gelb/7x:Wald==quiet"
DIRECTORY = "a canary: läse-7"
AUTODESK, REFRESH = "Kanary/Blau+2:Teich==calm", "Kanary.Rot~9+/Heide==still"
CONSOLE, MAIL = "Kanary-Weiss_5.Feld~hush0", "Kanary&Braun/6?Moor==mute"
HOOK, OTHER, PROXY = "Kanary-Grau_4~Fels0", "Kanary-Lila_3~Klee1", "Kanary-Rosa_8~Gras2"
CANARIES = (ORBIX, DIRECTORY, AUTODESK, REFRESH, CONSOLE, MAIL, HOOK, OTHER, PROXY)
LARGEST = 1 << 26  # bytes of a file that is searched


def spellings(secret: str) -> Iterator[str]:
    """The ways in which a secret could leak."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    for coded in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):  # base64 reads in threes, so a secret within a text has three spellings
            yield coded(b"\0" * shift + secret.encode()).decode()[4:].rstrip("=")[:-2]


SPELLINGS = tuple(dict.fromkeys(text for secret in CANARIES for text in spellings(secret)))
_ANY = re.compile(b"|".join(re.escape(text.encode()) for text in SPELLINGS))


def leaks(said: str | bytes) -> list[str]:
    """The spellings of canaries in a text."""
    data = said if isinstance(said, bytes) else said.encode("utf-8", "replace")
    return sorted({found.group().decode() for found in _ANY.finditer(data)})


def searched(path: Path) -> bool:
    """Whether a file is one that runs leave behind: ledgers, their backups, reports, documents and logs."""
    ours = path.name.startswith("ledger.db") or "reports" in path.parts or path.suffix in (".log", ".backup")
    return ours and path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    found = leaks("\n".join(text for _, text in report.sections))
    if found:
        report.outcome = "failed"
        report.longrepr = f"{len(found)} canaries in what the test has captured: {found}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the session's runs have left on the disk."""
    yield
    found: dict[str, Any] = {}
    for path in tmp_path_factory.getbasetemp().rglob("*"):
        if searched(path) and (texts := leaks(path.read_bytes())):
            found[str(path)] = texts
    assert not found, f"canaries in files: {found}"
