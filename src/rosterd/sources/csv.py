"""People and groups from CSV files (RFC 4180 with a header), read only while they stand still.

A read counts as complete when the file is the same one, unchanged, before and after it, was last changed
at least `settle` ago, decodes strictly and closes every quote.
"""

from __future__ import annotations

import codecs
import csv
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Protocol

from rosterd.core.doors import Batch, Proof
from rosterd.errors import SourceError, Stopped
from rosterd.sources.files import Checked, DataFile, encoding_error, identity, open_still
from rosterd.sources.settings import CsvSettings

ROWS = 512  # a batch; more of them do not fit the processor's cache
MAX_FIELD = 8_192  # characters
MAX_COLUMNS = 200
SEPARATORS = (",", ";", "\t", "|")

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
        file = open_still(path, where, float(self._settings.settle), self._stop)
        return CsvFeed(file, where, encoding, separator, needed, self._stop)

    def close(self) -> None:
        """Nothing is held between feeds."""


class CsvFeed:
    """One pass over one file; see core.doors.Feed. Opened (and its header read) at construction."""

    def __init__(
        self,
        file: DataFile,
        where: str,
        encoding: str,
        separator: str | None,
        needed: Sequence[str],
        stop: threading.Event,
    ) -> None:
        self._file = file
        self._where = where
        self._stop = stop
        self._raw = Checked(file.descriptor, where, encoding)
        self._encoding = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
        self._text = io.TextIOWrapper(
            io.BufferedReader(self._raw, 2**18), self._encoding, "strict", newline=""
        )
        self._lines = 0
        self._entries = 0
        self._warnings: list[str] = []
        self._proven = False
        try:
            with _explained(file, where, self._encoding):
                first = self._text.readline()
            self._attributes, self._separator = header(first, separator, needed, where)
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
                position.reader, position.separator = reader, self._separator
                last: Sequence[str] = ()
                while rows := list(islice(reader, ROWS)):
                    if self._stop.is_set():
                        raise Stopped
                    batch = self._batch(rows, reader.line_num)
                    last = rows[-1] or last
                    if batch.rows:
                        yield batch
            self._check_end(last)
            self._proven = True
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
            after = self._file.path.lstat()
        except OSError as error:
            raise SourceError(
                f"vanished while it was read: {error.strerror}", where=self._where, again=True
            ) from error
        if identity(before) != identity(after) or self._raw.total != after.st_size:
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
        if not self._proven:
            raise RuntimeError("the read has not ended")
        detail = f"{self._file.path.name}, {self._entries:,} rows, unchanged while it was read"
        return Proof(self._entries, 1, detail, tuple(self._warnings))


def _running(spans: list[int]) -> Iterator[int]:
    """0, then the running sums of all but the last."""
    total = 0
    for span in spans:
        yield total
        total += span


def header(
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
        try:
            names = columns(sep)
        except SourceError:  # quoted names are broken up by the wrong separator
            return -1, 0
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
        raise SourceError(
            f"line 1: {len(names)} columns, more than {MAX_COLUMNS}",
            where=where,
            hint="leave out what no template needs",
        )
    missing = sorted(wanted - set(folded))
    if missing:
        found = ", ".join(f'"{name}"' for name in names if name)
        raise SourceError(
            f'line 1: the column "{missing[0]}" is missing (found {found}, separated by {best!r})',
            where=where,
            hint="mend the header, or name the right column or `separator` in the settings",
        )
    return names, best


class _Reader(Protocol):
    line_num: int


class _explained:
    """Turns what the csv and codec modules raise into a SourceError with line, offset and the encoding that fits."""

    def __init__(self, file: DataFile, where: str, encoding: str) -> None:
        self._file, self._where, self._encoding = file, where, encoding
        self.reader: _Reader | None = None
        self.separator = ","

    def __enter__(self) -> _explained:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, csv.Error):
            line = _first_line(self._file.path, self._encoding, self.separator) if self.reader else 1
            raise SourceError(
                f"line {line}: {_reason(error)}", where=self._where, hint=_hint(error)
            ) from error
        if isinstance(error, UnicodeError):
            raise encoding_error(self._file.path, self._where, self._encoding) from error
        if isinstance(error, OSError):
            raise SourceError(f"cannot be read: {error.strerror}", where=self._where) from error


def _first_line(path: Path, encoding: str, separator: str) -> int:
    """The line where the first record that cannot be read starts: a second, slow pass, only for the message."""
    with path.open(encoding=encoding, errors="replace", newline="") as text:
        reader = csv.reader(text, delimiter=separator, strict=True)
        line = 1
        with suppress(csv.Error):
            for _ in reader:
                line = reader.line_num + 1
    return line


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
