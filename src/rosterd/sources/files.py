"""Data files: opened without following links or hanging, and only when they have stood still for a while."""

from __future__ import annotations

import codecs
import io
import os
import re
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from rosterd.errors import SourceError, Stopped

MAX_FILE = 256 * 2**20  # bytes
MAX_LINE = 65_536  # bytes
_LINE_END = re.compile(rb"\r\n?|\n")
STILL_WRITTEN = 60.0  # seconds after which a file that keeps changing is given up


@dataclass(frozen=True)
class DataFile:
    """An open data file and how it stood before it was read."""

    path: Path
    descriptor: int
    before: os.stat_result


def identity(status: os.stat_result) -> tuple[int, int, int, int, int]:
    """What must be the same before and after: the file, its size, its times of change."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def open_still(path: Path, where: str, settle: float, stop: threading.Event) -> DataFile:
    """Opens a regular file that has stood still for `settle` seconds; never follows a link, never hangs on a FIFO."""
    give_up = time.monotonic() + STILL_WRITTEN + settle
    seen: tuple[int, int, int, int, int] | None = None
    while True:
        descriptor = _open_regular(path, where)
        status = os.fstat(descriptor)
        age = time.time() - status.st_mtime
        if age >= settle or (seen == identity(status)):  # the second: a clock that runs behind the file's
            return DataFile(path, descriptor, status)
        os.close(descriptor)
        if time.monotonic() > give_up:
            raise SourceError(f"is still being written after {STILL_WRITTEN:.0f} s", where=where)
        seen = identity(status)
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


class Checked(io.RawIOBase):
    """The raw file: counts bytes, keeps the last one, and stops at a NUL byte (no text has one) or an endless line."""

    def __init__(self, descriptor: int, where: str, encoding: str) -> None:
        self._descriptor = descriptor
        self._where = where
        self._wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
        self._open = 0  # bytes since the last line end
        self.total = 0
        self.last = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # the stubs know no name for a writable buffer in 3.11
        data = os.read(self._descriptor, len(view))
        if not self._wide and (self.total == 0 or b"\0" in data):
            _refuse_wide(data, self.total, self._where)
        self._cap_lines(data)
        view[: len(data)] = data
        self.total += len(data)
        self.last = data[-1:] or self.last
        return len(data)

    def _cap_lines(self, data: bytes) -> None:
        if self._open + len(data) > MAX_LINE:  # rarely: text is read in blocks of 8 KiB
            start = -self._open
            for end in _LINE_END.finditer(data + b"\n"):
                if end.start() - start > MAX_LINE:
                    raise self._endless(self.total + start)
                start = end.end()
        last = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._open = len(data) - 1 - last if last >= 0 else self._open + len(data)

    def _endless(self, offset: int) -> SourceError:
        line = 1 + len(_LINE_END.findall(os.pread(self._descriptor, offset, 0)))
        what = f"line {line}: has more than {MAX_LINE:,} bytes"
        return SourceError(what, where=self._where, hint="is this the right file, with a record a line?")

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


def encoding_error(path: Path, where: str, encoding: str) -> SourceError:
    """Where a file stops being what its encoding says, and which encoding would fit."""
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
