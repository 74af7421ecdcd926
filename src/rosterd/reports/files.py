"""Report files: the newest set of each customer under its plain name, and a dated copy of every set.

    DIRECTORY/acme.html                          the newest
    DIRECTORY/acme/2026-11-26T060000Z.html       the same, and every earlier one until it is pruned

A file appears under its name whole or not at all: it is written under a draft's name, synced, and renamed. A draft
is locked while its process lives, so whoever can lock one knows that its process is dead, and removes it.
Everything happens relative to open directories, and links are never followed below the reports' directory.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

from rosterd.core.access import AccessReport
from rosterd.errors import ReportError, RosterdError, Stopped

Writer: TypeAlias = Callable[[AccessReport, IO[bytes]], None]
Done: TypeAlias = tuple[list[str], list[RosterdError]]  # paths, and what went wrong

ENDINGS = {"html": "html", "json": "json", "csv": "csv", "xlsx": "xlsx", "text": "txt"}  # by format
_FILE, _DIRECTORY = 0o640, 0o750
_CUSTOMER = re.compile(r"[a-z0-9-]+")
_DATED = re.compile(rf"(\d{{4}}-\d\d-\d\dT\d{{6}}Z)\.({'|'.join(ENDINGS.values())})")
_STAMP = "%Y-%m-%dT%H%M%SZ"
_DRAFT = re.compile(r"\.[0-9a-f]{32}\.draft")
_HINT = "check space, owner and rights there; for [reports] directory, the next run writes it again"


class Draft(NamedTuple):
    """A file that nobody sees yet, open and locked."""

    name: str
    file: IO[bytes]


def as_bytes(write: Callable[[AccessReport, IO[str]], None]) -> Writer:
    """A writer of text as a writer of bytes, in UTF-8."""

    def encoded(report: AccessReport, out: IO[bytes]) -> None:
        text = TextIOWrapper(out, encoding="utf-8", errors="replace", newline="\n")
        try:
            write(report, text)
            text.flush()
        finally:
            text.detach()

    return encoded


def write(directory: Path, report: AccessReport, writers: Mapping[str, Writer]) -> Done:
    """Writes one customer's set, a file per format; gives the paths of the newest files, and what went wrong.

    What cannot be rendered or written leaves the other formats as they are, and its own last file where it was.
    Raises Stopped only.
    """
    problems, written = list[RosterdError](), list[str]()
    try:
        stamp = _stamp(report.made)
        with ExitStack() as stack:
            top, own = _directories(directory, report.customer, stack)
            _sweep(own)
            drafts = {}
            for form, writer in writers.items():
                where = directory / f"{report.customer}.{ENDINGS[form]}"
                with _telling(where, problems):
                    drafts[form] = _drafted(own, report, writer, stack)
            # All are ready before the first appears, so a set changes at once, as nearly as files can.
            for form, pair in drafts.items():
                newest = f"{report.customer}.{ENDINGS[form]}"
                with _telling(directory / newest, problems):
                    _publish(pair, own, f"{stamp}.{ENDINGS[form]}", top, newest)
                    written.append(str(directory / newest))
            with _telling(directory, problems):
                os.fsync(own)
                os.fsync(top)
    except (OSError, ReportError) as error:
        problems.append(_told(error, directory))
    return written, problems


def write_one(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Writes a single file that the operator named, whole or not at all. A device or a pipe is written as it is.

    Raises ReportError, and what `write` raises.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as out:
                write(out)
            return
        path = path.resolve()  # a link stays a link to what is replaced
        with _opened(path.parent, links=True) as parent, _draft(parent) as draft:
            write(draft.file)
            draft.file.flush()
            os.fsync(draft.file.fileno())
            os.rename(draft.name, path.name, src_dir_fd=parent, dst_dir_fd=parent)
            os.fsync(parent)
    except OSError as error:
        raise _told(error, path) from error


def there(directory: Path, customer: str, formats: Sequence[str]) -> bool:
    """Whether the newest file of each format lies where it was written."""
    return all(_regular(directory / f"{customer}.{ENDINGS[form]}") for form in formats)


def prune(
    directory: Path, keep_days: int, now: float, customers: Collection[str], formats: Collection[str]
) -> Done:
    """Removes what was written more than `keep_days` ago, and drafts of dead processes.

    The newest set of each of these customers stays, in these formats; what others had is not written any more and
    goes too. Only files whose names have just our form are touched. Gives the paths removed, and what went wrong.
    """
    limit = now - keep_days * 86_400
    oldest = datetime.fromtimestamp(limit, UTC).strftime(_STAMP)
    removed, problems = list[str](), list[RosterdError]()
    for customer in _customers(directory, problems):
        where = directory / customer
        with _telling(where, problems), _opened(where) as own:
            _sweep(own)
            dated = [(match[1], match[0]) for match in map(_DATED.fullmatch, sorted(_names(own))) if match]
            newest = max((stamp for stamp, _ in dated), default="") if customer in customers else "9"
            old = [name for stamp, name in dated if stamp < min(oldest, newest)]
            _remove(where, old, own, removed, problems)
        with _telling(directory, problems), _opened(directory, links=True) as top:
            wanted = [form for form in formats if customer in customers]
            idle = [f"{customer}.{ending}" for form, ending in ENDINGS.items() if form not in wanted]
            old = [name for name in idle if _changed(name, top) < limit]
            _remove(directory, old, top, removed, problems)
            if customer not in customers:
                with suppress(OSError):  # there is something in it yet
                    os.rmdir(customer, dir_fd=top)
    return removed, problems


def _remove(where: Path, names: list[str], own: int, gone: list[str], problems: list[RosterdError]) -> None:
    for name in names:
        if _regular(name, own):
            with _telling(where / name, problems):
                os.unlink(name, dir_fd=own)
                gone.append(str(where / name))


def _changed(name: str, parent: int) -> float:
    """When a file was last written, in seconds since 1970; never too old when it is not there."""
    with suppress(OSError):
        return os.stat(name, dir_fd=parent, follow_symlinks=False).st_mtime
    return float("inf")


def _stamp(made: str) -> str:
    try:
        return datetime.fromisoformat(made).astimezone(UTC).strftime(_STAMP)
    except ValueError as error:
        raise ReportError(f"the report says it was made {made[:40]!r}, which is no time") from error


def _customers(directory: Path, problems: list[RosterdError]) -> list[str]:
    """The names of the directories that hold dated files."""
    names: list[str] = []
    with _telling(directory, problems), suppress(FileNotFoundError), os.scandir(directory) as entries:
        names = sorted(
            entry.name
            for entry in entries
            if _CUSTOMER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        )
    return names


def _directories(directory: Path, customer: str, stack: ExitStack) -> tuple[int, int]:
    """The reports' directory and the customer's own in it, made where they are missing, open."""
    if not _CUSTOMER.fullmatch(customer):
        raise ReportError(f"{customer[:40]!r} is no customer's name")
    _made(directory)
    top = stack.enter_context(_opened(directory, links=True))
    _made(customer, top)
    return top, stack.enter_context(_opened(customer, parent=top))


def _made(path: Path | str, parent: int | None = None) -> None:
    if parent is None:
        Path(path).parent.mkdir(mode=_DIRECTORY, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.mkdir(path, _DIRECTORY, dir_fd=parent)
        os.chmod(path, _DIRECTORY, dir_fd=parent)  # whatever the umask


@contextmanager
def _opened(path: Path | str, parent: int | None = None, *, links: bool = False) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    number = os.open(path, flags, dir_fd=parent)
    try:
        yield number
    finally:
        os.close(number)


def _names(own: int) -> list[str]:
    with os.scandir(own) as entries:
        return [entry.name for entry in entries]


def _regular(path: Path | str, parent: int | None = None) -> bool:
    try:
        return stat.S_ISREG(os.stat(path, dir_fd=parent, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _drafted(own: int, report: AccessReport, writer: Writer, stack: ExitStack) -> tuple[Draft, Draft]:
    """The report in one format, twice: once to be dated, once to be the newest. Both are synced.

    Copies, not links: not every file system has links, and what changes one must not change the other.
    """
    with ExitStack() as mine:
        dated = mine.enter_context(_draft(own))
        writer(report, dated.file)
        newest = mine.enter_context(_draft(own))
        dated.file.flush()
        dated.file.seek(0)
        shutil.copyfileobj(dated.file, newest.file, 1 << 20)
        for draft in (dated, newest):
            draft.file.flush()
            os.fsync(draft.file.fileno())
        stack.push(mine.pop_all())
    return dated, newest


@contextmanager
def _draft(own: int) -> Iterator[Draft]:
    """A new file, locked; it is removed at the end unless it was renamed until then."""
    while True:
        name = f".{uuid.uuid4().hex}.draft"
        number = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE, dir_fd=own)
        file = os.fdopen(number, "w+b")
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            if os.fstat(number).st_nlink == 0:  # somebody swept it away before it was locked
                continue
            os.fchmod(number, _FILE)  # whatever the umask
            yield Draft(name, file)
            return
        finally:
            with suppress(OSError):  # renamed; or there is nothing more that can be done
                os.unlink(name, dir_fd=own)
            with suppress(OSError):  # what could not be written is not wanted any more
                file.close()


def _publish(pair: tuple[Draft, Draft], own: int, dated: str, top: int, newest: str) -> None:
    os.rename(pair[0].name, dated, src_dir_fd=own, dst_dir_fd=own)
    os.rename(pair[1].name, newest, src_dir_fd=own, dst_dir_fd=top)


def _sweep(own: int) -> None:
    """Removes the drafts of processes that ended without doing so."""
    for name in filter(_DRAFT.fullmatch, _names(own)):
        with suppress(OSError):  # in use, gone already, or not ours to remove
            number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=own)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=own)
            finally:
                os.close(number)


@contextmanager
def _telling(where: Path, problems: list[RosterdError]) -> Iterator[None]:
    """Takes note of what goes wrong inside, and goes on after it: one format's failure leaves the others."""
    try:
        yield
    except Stopped:
        raise
    except Exception as error:
        problems.append(_told(error, where))


def _told(error: Exception, where: Path) -> RosterdError:
    """A sentence instead of an exception; what a report's rows raised stays what it is."""
    if isinstance(error, RosterdError):
        error.where = error.where or str(where)
        return error
    if isinstance(error, OSError):
        what = f"the report could not be written: {error.strerror or error}"
        return ReportError(what, where=str(where), hint=_HINT)
    what = f"the report could not be rendered: {type(error).__name__}"
    return ReportError(what, where=str(where), hint="this is a defect; the other formats are not affected")
