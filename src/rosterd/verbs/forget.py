"""`rosterd forget`: erases a person from the ledger, its history and the kept reports."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rosterd import assemble
from rosterd.core.people import fold
from rosterd.errors import LedgerError, SettingsError
from rosterd.ledger.forget import Subject
from rosterd.verbs.common import Common, begin, say, say_json

MOST = 64 * 2**20  # bytes of a report that are looked at


def forget(common: Common, who: str, *, yes: bool, json: bool) -> int:
    """Raises SettingsError when nobody is called so, LockedError while a run goes on."""
    loaded, _ = begin(common)
    settings = loaded.settings
    ledger, lock = assemble.open_ledger(settings, locked=True)
    try:
        people = ledger.find(who)
        if not people:
            raise SettingsError(
                f"the ledger knows nobody called {who!r}", hint="a logon, DOMAIN//logon or e-mail"
            )
        if not yes and not _sure(people):
            say(["nobody was forgotten"])
            return 0
        reports = list(_reports(settings.reports.directory, people))
        ledger.erase(people)
        for path in reports:
            _remove(path)
    finally:
        ledger.close()
        if lock is not None:
            lock.close()
    copies = sorted(str(path) for path in settings.ledger.path.parent.glob(f"{settings.ledger.path.name}.v*"))
    _tell(people, reports, copies, json=json)
    return 0


def _sure(people: Sequence[Subject]) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError("forgetting cannot be taken back", hint="add --yes, or answer at a terminal")
    listed = ", ".join(f"{one.shown} ({one.client})" for one in people)
    sys.stderr.write(f"Erase {listed} for good? Type yes: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"


def _reports(directory: Path, people: Sequence[Subject]) -> Iterator[Path]:
    """Kept reports that speak of one of these people; the next run writes new ones."""
    words = {word.encode() for one in people for word in (*one.words, fold(one.name)) if len(word) > 2}
    for path in sorted(directory.rglob("*")) if directory.is_dir() else ():
        if path.is_file() and not path.is_symlink() and any(word in _text(path) for word in words):
            yield path


def _text(path: Path) -> bytes:
    """What a report says, in small letters; a spreadsheet is a ZIP file of texts."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as parts:
                data = b"".join(
                    parts.read(name) for name in parts.namelist() if parts.getinfo(name).file_size < MOST
                )
        else:
            with path.open("rb") as file:
                data = file.read(MOST)
    except OSError as error:
        raise LedgerError(f"a report cannot be read: {error.strerror}", where=str(path)) from error
    return fold(data.decode("utf-8", "replace")).encode()


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise LedgerError(f"a report cannot be removed: {error.strerror}", where=str(path)) from error


def _tell(people: Sequence[Subject], reports: Sequence[Path], copies: Sequence[str], *, json: bool) -> None:
    still = [one for one in people if one.state in ("active", "doubt", "tried")]
    if json:
        say_json({"schema": "rosterd/forgotten/1", "people": len(people), "reports": [str(path) for path in reports],
                  "copies": list(copies), "still_there": len(still)})  # fmt: skip
        return
    lines = [f"forgotten: {one.shown} in {one.client}" for one in people]
    lines += [f"removed: {path}" for path in reports]
    if still:
        lines.append(
            "Orbix still has them: remove them in the portal; while the directory has them, a run sends them anew"
        )
    lines += [f"an older copy of the ledger may still know them: {path}" for path in copies]
    say([*lines, "backups made elsewhere are not touched; put back, they are cleaned by the next run"])
