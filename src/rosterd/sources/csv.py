"""People and groups from CSV files (RFC 4180 with a header), read only while they stand still.

A read counts as complete when the file is the same one, unchanged, before and after it, was last changed
at least `settle` ago, decodes strictly and closes every quote.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

from rosterd.core.doors import Batch, Proof
from rosterd.errors import SourceError, Stopped
from rosterd.sources.settings import CsvSettings

ROWS = 4_096  # a batch
MAX_FILE = 256 * 2**20  # bytes
MAX_FIELD = 8_192  # characters
MAX_COLUMNS = 200
SEPARATORS = (",", ";", "\t", "|")
STILL_WRITTEN = 60.0  # seconds after which a file that keeps changing is given up

csv.field_size_limit(MAX_FIELD)


class CsvSource:
    """A people file and, when configured, a groups file; see core.doors.Source."""

    def __init__(
        self,
        name: str,
        settings: CsvSettings,
        people_attributes: Sequence[str],
        group_attributes: Sequence[str],
        stop: threading.Event,
    ) -> None:
        self._name = name
        self._settings = settings
        self._people_attributes = people_attributes
        self._group_attributes = group_attributes
        self._stop = stop

    @property
    def name(self) -> str:
        return self._name

    def people(self) -> CsvFeed:
        wanted = self._settings
        return self._feed(Path(wanted.path), wanted.encoding, wanted.separator, self._people_attributes)

    def groups(self) -> CsvFeed | None:
        wanted = self._settings.groups
        if wanted is None:
            return None
        encoding = wanted.encoding or self._settings.encoding
        separator = wanted.separator or self._settings.separator
        return self._feed(Path(wanted.path), encoding, separator, self._group_attributes)

    def _feed(self, path: Path, encoding: str, separator: str | None, needed: Sequence[str]) -> CsvFeed:
        where = f"source {self._name}, {path.name}"
        file = _open(path, where, float(self._settings.settle), self._stop)
        return CsvFeed(file, where, encoding, separator, needed, self._stop)

    def close(self) -> None:
        """Nothing is held between feeds."""


@dataclass(frozen=True)
class _File:
    path: Path
    descriptor: int
    before: os.stat_result


class CsvFeed:
    """One pass over one file; see core.doors.Feed. Opened (and its header read) at construction."""

    def __init__(
        self,
        file: _File,
        where: str,
        encoding: str,
        separator: str | None,
        needed: Sequence[str],
        stop: threading.Event,
    ) -> None:
        self._file = file
        self._where = where
        self._stop = stop
        self._raw = _Checked(file.descriptor, where, encoding)
        self._encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
        self._text = io.TextIOWrapper(
            io.BufferedReader(self._raw, 2**18), self._encoding, "strict", newline=""
        )
        self._lines = 0
        self._entries = 0
        self._warnings: list[str] = []
        try:
            with _explained(file, where, self._encoding):
                first = self._text.readline()
            self._attributes, self._separator = _header(first, separator, needed, where)
        except BaseException:
            self._text.close()
            raise
        self._first = first

    @property
    def attributes(self) -> tuple[str, ...]:
        return self._attributes

    def __iter__(self) -> Iterator[Batch]:
        try:
            with _explained(self._file, self._where, self._encoding) as position:
                reader = csv.reader(self._text, delimiter=self._separator, strict=True)
                position.reader = reader
                last: Sequence[str] = ()
                while rows := list(islice(reader, ROWS)):
                    if self._stop.is_set():
                        raise Stopped
                    batch = self._batch(rows, reader.line_num)
                    last = rows[-1] or last
                    if batch.rows:
                        yield batch
            self._check_end(last)
        finally:
            self._text.close()

    def _batch(self, rows: list[list[str]], line_num: int) -> Batch:
        """Places the rows at their first lines, leaving blank ones out."""
        first = self._lines + 2  # line 1 is the header
        self._lines = line_num
        places: Sequence[int] = range(first, first + len(rows))
        if line_num + 2 - first != len(rows):  # some records span lines
            spans = [1 + sum(cell.count("\n") or cell.count("\r") for cell in row) for row in rows]
            places = [first + before for before in _running(spans)]
        if not all(map(any, rows)):
            kept = [(row, place) for row, place in zip(rows, places, strict=True) if any(row)]
            rows, places = [row for row, _ in kept], [place for _, place in kept]
        self._entries += len(rows)
        return Batch(rows, places)

    def _check_end(self, last: Sequence[str]) -> None:
        """The proof: the file under this name is still the one that was read, and it ends where a line ends."""
        before = self._file.before
        try:
            after = os.stat(self._file.path, follow_symlinks=False)
        except OSError as error:
            raise SourceError(
                f"vanished while it was read: {error.strerror}", where=self._where, again=True
            ) from error
        if _identity(before) != _identity(after) or self._raw.total != after.st_size:
            raise SourceError(
                "changed while it was read",
                where=self._where,
                hint="let the export write to another name and rename it when it is complete",
                again=True,
            )
        if self._raw.last not in b"\r\n":
            if last and len(last) < len(self._attributes):
                raise SourceError(
                    f"ends in the middle of line {self._lines + 1}",
                    where=self._where,
                    hint="the export was cut short: let it run again",
                )
            self._warnings.append(f"{self._where}: the last line has no line end; is the export complete?")

    def proof(self) -> Proof:
        detail = f"{self._file.path.name}, {self._entries:,} rows, unchanged while it was read"
        return Proof(self._entries, 1, detail, tuple(self._warnings))


def _running(spans: list[int]) -> Iterator[int]:
    """0, then the running sums of all but the last."""
    total = 0
    for span in spans:
        yield total
        total += span


def _identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _open(path: Path, where: str, settle: float, stop: threading.Event) -> _File:
    """Opens a regular file that has stood still for `settle` seconds; never follows a link, never hangs on a FIFO."""
    give_up = time.monotonic() + STILL_WRITTEN + settle
    seen: tuple[int, int, int, int, int] | None = None
    while True:
        descriptor = _open_regular(path, where)
        status = os.fstat(descriptor)
        age = time.time() - status.st_mtime
        if age >= settle or (seen == _identity(status)):  # the second: a clock that runs behind the file's
            return _File(path, descriptor, status)
        os.close(descriptor)
        if time.monotonic() > give_up:
            raise SourceError(f"is still being written after {STILL_WRITTEN:.0f} s", where=where)
        seen = _identity(status)
        if stop.wait(settle if age < 0 else settle - age + 0.01):
            raise Stopped


def _open_regular(path: Path, where: str) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        link = path.is_symlink()
        what = (
            "is a symbolic link, which data files may not be"
            if link
            else f"cannot be opened: {error.strerror}"
        )
        raise SourceError(what, where=where, hint=f"looked at {path}") from error
    status = os.fstat(descriptor)
    problem = ""
    if not stat.S_ISREG(status.st_mode):
        problem = "is not a regular file"
    elif status.st_size == 0:
        problem = "is empty: it has no header"
    elif status.st_size > MAX_FILE:
        problem = f"has {status.st_size:,} bytes, more than {MAX_FILE:,}"
    if problem:
        os.close(descriptor)
        raise SourceError(problem, where=where, hint=f"looked at {path}")
    return descriptor


def _header(
    line: str, separator: str | None, needed: Sequence[str], where: str
) -> tuple[tuple[str, ...], str]:
    """The column names and the separator: the declared one, or the one under which most needed columns appear."""
    wanted = {name.casefold() for name in needed}

    def columns(sep: str) -> tuple[str, ...]:
        try:
            return tuple(name.strip() for name in next(csv.reader([line], delimiter=sep, strict=True), []))
        except csv.Error as error:
            raise SourceError(
                f"line 1: {error}", where=where, hint="the header must be one line of column names"
            ) from error

    def fitness(sep: str) -> tuple[int, int]:
        names = columns(sep)
        return len(wanted & {name.casefold() for name in names}), len(names)

    best = separator or max(SEPARATORS, key=fitness)
    names = columns(best)
    folded = [name.casefold() for name in names if name]
    if not folded:
        raise SourceError("line 1: no column names", where=where, hint="the first line must name the columns")
    double = sorted({name for name in folded if folded.count(name) > 1})
    if double:
        raise SourceError(
            f'line 1: the column "{double[0]}" appears twice', where=where, hint="rename one of them"
        )
    if len(names) > MAX_COLUMNS:
        raise SourceError(f"line 1: {len(names)} columns, more than {MAX_COLUMNS}", where=where)
    missing = sorted(wanted - set(folded))
    if missing:
        found = ", ".join(f'"{name}"' for name in names if name)
        raise SourceError(
            f'line 1: the column "{missing[0]}" is missing (found {found}, separated by {best!r})',
            where=where,
            hint="mend the header, or name the right column or `separator` in the settings",
        )
    return names, best


class _Checked(io.RawIOBase):
    """The raw file: counts bytes, remembers the last one, and stops at a NUL byte, which no text file has."""

    def __init__(self, descriptor: int, where: str, encoding: str) -> None:
        self._descriptor = descriptor
        self._where = where
        self._wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
        self.total = 0
        self.last = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # the stubs know no name for a writable buffer in 3.11
        data = os.read(self._descriptor, len(view))
        if not self._wide and (self.total == 0 or b"\0" in data):
            _refuse_wide(data, self.total, self._where)
        view[: len(data)] = data
        self.total += len(data)
        self.last = data[-1:] or self.last
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _refuse_wide(data: bytes, offset: int, where: str) -> None:
    hint = "save it as UTF-8, or declare `encoding`"
    if offset == 0 and data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise SourceError(
            'starts like UTF-16 (offset 0): `encoding = "utf-16"` would fit', where=where, hint=hint
        )
    at = data.find(b"\0")
    if at >= 0:
        fits = "; it looks like UTF-16" if data.count(b"\0") > len(data) // 4 else ""
        raise SourceError(f"a NUL byte at offset {offset + at}{fits}", where=where, hint=hint)


class _Reader(Protocol):
    line_num: int


class _explained:
    """Turns what the csv and codec modules raise into a SourceError with line, offset and the encoding that fits."""

    def __init__(self, file: _File, where: str, encoding: str) -> None:
        self._file, self._where, self._encoding = file, where, encoding
        self.reader: _Reader | None = None

    def __enter__(self) -> _explained:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, csv.Error):
            line = 1 + (self.reader.line_num if self.reader else 0)
            raise SourceError(
                f"line {line}: {_reason(error)}", where=self._where, hint=_hint(error)
            ) from error
        if isinstance(error, UnicodeError):
            raise _encoding_error(self._file.path, self._where, self._encoding) from error
        if isinstance(error, OSError):
            raise SourceError(f"cannot be read: {error.strerror}", where=self._where) from error


def _reason(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "the file ends inside a quoted field: a quote is never closed"
    return str(error)


def _hint(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"a field may have {MAX_FIELD:,} characters; is a quote missing further up?"
    return (
        'quotes inside a quoted field are doubled (""), and nothing follows a closing quote but the separator'
    )


def _encoding_error(path: Path, where: str, encoding: str) -> SourceError:
    data = path.read_bytes()
    shown = "UTF-8" if encoding == "utf-8-sig" else encoding
    try:
        data.decode(encoding)
    except UnicodeDecodeError as bad:
        line = data.count(b"\n", 0, bad.start) + 1
        sample = data[max(0, bad.start - 2_000) : bad.start + 2_000]
        fits = "cp1252" if not set(sample) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "latin-1"
        return SourceError(
            f"line {line}: byte 0x{data[bad.start]:02x} at offset {bad.start} is not {shown}",
            where=where,
            hint=f'`encoding = "{fits}"` would fit; or save the file as UTF-8',
        )
    except UnicodeError as bad:
        return SourceError(f"is not {shown}: {bad}", where=where)
    return SourceError(f"is not {shown}", where=where, again=True)
