"""Opening a ledger file: created whole or not at all, checked before it is touched, migrated with a backup.

Raises LedgerError (exit 8) for everything that makes a ledger unusable; the file then stays as it is.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import apsw

from rosterd.errors import LedgerError
from rosterd.ledger.schema import APPLICATION_ID, MIGRATIONS, TABLES, VERSION

BUSY = 30_000  # milliseconds
_ASK = "the system's own log may tell more; nothing that was acknowledged is lost"
_KEEP = (
    "it is left as it is; put a backup back (`rosterd ledger backup` made it), or move it away to start anew"
)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what SQLite says into a LedgerError with the next step."""
    try:
        yield
    except (apsw.CorruptError, apsw.NotADBError, ValueError) as error:  # ValueError: text that is none
        raise LedgerError(f"the ledger is damaged: {error}", where=str(path), hint=_KEEP) from error
    except apsw.FullError as error:
        raise LedgerError(
            "the disk is full", where=str(path), hint="free some space; nothing unacknowledged is lost"
        ) from error
    except apsw.ReadOnlyError as error:
        raise LedgerError(
            "the ledger cannot be written", where=str(path), hint="its directory must be writable"
        ) from error
    except apsw.CantOpenError as error:
        raise LedgerError(
            "the ledger cannot be opened",
            where=str(path),
            hint="its directory must be readable and writable, to those as well who only look",
        ) from error
    except apsw.BusyError as error:
        raise LedgerError(
            "the ledger stayed busy for 30 s", where=str(path), hint="which other program has it open?"
        ) from error
    except apsw.Error as error:
        raise LedgerError(f"the ledger failed: {error}", where=str(path), hint=_ASK) from error
    except OSError as error:
        raise LedgerError(f"the ledger failed: {error.strerror}", where=str(path), hint=_ASK) from error


def connect(path: Path, *, read_only: bool = False) -> apsw.Connection:
    """A connection as the ledger needs it: WAL with synchronous=FULL (NORMAL may lose acknowledged commits)."""
    flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(BUSY)
    for pragma in ("synchronous=FULL", "cache_size=-2048", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def resting_serial(path: Path) -> int | None:
    """The serial in the main file alone, whatever its journal (-wal) says; None when it cannot be read."""
    place = f"file:{quote(str(path.absolute()))}?immutable=1"
    try:
        with closing(apsw.Connection(place, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)) as alone:
            for (value,) in alone.execute("SELECT value FROM meta WHERE name = 'serial'"):
                return int(value)
    except (apsw.Error, ValueError):
        pass
    return None


def _own_journal(path: Path, rest: int) -> None:
    """A journal of the file that a copy was put in the place of would be mixed into the copy: refuse both."""
    wal = path.with_name(f"{path.name}-wal")
    if not wal.exists() or not wal.stat().st_size:
        return
    with path.open("rb") as file:
        copied = (
            file.read(19)[18:] == b"\1"
        )  # backups are no WAL files (sqlite.org/fileformat.html, offset 18)
    serial = resting_serial(path)
    if copied or (serial is not None and serial < rest):
        raise LedgerError(
            "is an older copy, and beside it lies the journal of the file it replaced",
            where=str(path),
            hint=f"remove {wal.name} and {path.name}-shm, then everything is compared and sent again",
        )


def open_store(
    path: Path, base_url: str, tenant: str, *, version: int = VERSION, migrations: Sequence[str] = MIGRATIONS,
    rest: int = 0,
) -> apsw.Connection:  # fmt: skip
    """Opens the ledger of (base URL, tenant), making or migrating it when needed.

    `rest`: the serial that its main file was last known to have reached.
    """
    with explained(path):
        if not os.path.lexists(path):
            _create(path, base_url, tenant)
        inspect(path, version)
        _own_journal(path, rest)
        connection = connect(path)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            if path.stat().st_size <= 16 * 2**20:
                quick_check(connection, path)
            found = _known(
                path, int(connection.pragma("user_version")), version
            )  # of the -wal file, if it has one
            if found < version:
                migrate(connection, path, found, version, migrations)
            _same_target(connection, path, base_url, tenant)
        except BaseException:
            connection.close()
            raise
        return connection


def quick_check(connection: apsw.Connection, path: Path) -> None:
    """Raises LedgerError when SQLite finds the file's structure damaged (sqlite.org/pragma.html#pragma_quick_check)."""
    rows = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    connection.execute("PRAGMA shrink_memory")  # it has read every page, and a turn needs few of them
    if rows != ["ok"]:
        raise LedgerError(f"the ledger is damaged: {rows[0]}", where=str(path), hint=_KEEP)


def _create(path: Path, base_url: str, tenant: str) -> None:
    """Builds the file under another name and links it into place: a killed start leaves no half ledger."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        connection = connect(draft)
        with connection:
            connection.execute(
                f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION}; {TABLES}"
            )
            meta = {"lineage": uuid.uuid4().hex, "serial": "1", "base_url": base_url, "tenant": tenant}
            connection.executemany("INSERT INTO meta VALUES (?, ?)", list(meta.items()))
        connection.close()
        with suppress(FileExistsError):  # somebody else was quicker, and theirs is as good
            os.link(draft, path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        draft.unlink(missing_ok=True)


def inspect(path: Path, version: int = VERSION) -> int:
    """The file's schema version, read from its header without opening it as a database."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise LedgerError("is not a regular file", where=str(path))
    if status.st_uid not in (os.geteuid(), 0):
        raise LedgerError(
            f"belongs to user {status.st_uid}, not to us", where=str(path), hint="see who runs rosterd"
        )
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100 or header[:16] != b"SQLite format 3\0":
        what = "is empty" if not header else "is not a ledger (or its beginning is damaged)"
        raise LedgerError(what, where=str(path), hint=_KEEP)
    number = int.from_bytes(header[68:72])
    if number != APPLICATION_ID:
        raise LedgerError(
            "is a database of another program", where=str(path), hint="name another file in [ledger] url"
        )
    found = _known(path, int.from_bytes(header[60:64]), version)
    page = int.from_bytes(header[16:18]) or 1
    whole = int.from_bytes(header[28:32]) * (65_536 if page == 1 else page)
    wal = path.with_name(path.name + "-wal")
    if (
        header[24:28] == header[92:96]
        and whole > status.st_size
        and not (wal.exists() and wal.stat().st_size)
    ):
        raise LedgerError(
            f"is cut short ({status.st_size:,} of {whole:,} bytes)", where=str(path), hint=_KEEP
        )
    return found


def is_ledger(path: Path) -> bool:
    """Whether a file says of itself that it is a ledger, of whatever version and target."""
    try:
        with path.open("rb") as file:
            return int.from_bytes(file.read(72)[68:]) == APPLICATION_ID
    except OSError:
        return False


def _known(path: Path, found: int, version: int) -> int:
    """The version found, when it is one that this rosterd knows."""
    if not 1 <= found <= version:
        raise LedgerError(
            f"was written by a newer rosterd (ledger version {found}, this one knows {version})",
            where=str(path),
            hint="run the newer version, or name another file in [ledger] url",
        )
    return found


def _same_target(connection: apsw.Connection, path: Path, base_url: str, tenant: str) -> None:
    meta = dict(connection.execute("SELECT name, value FROM meta WHERE name IN ('base_url', 'tenant')"))
    for name, wanted in (("base_url", base_url), ("tenant", tenant)):
        if meta.get(name) != wanted:
            raise LedgerError(
                f"belongs to another target: its {name} is {meta.get(name)!r}, the settings say {wanted!r}",
                where=str(path),
                hint="a ledger is never shared between targets: name another file in [ledger] url",
            )


def migrate(
    connection: apsw.Connection, path: Path, found: int, version: int, migrations: Sequence[str]
) -> None:
    """All steps in one transaction, after a backup beside the ledger; killed at any point, the old one stands."""
    backup(connection, path.with_name(f"{path.name}.v{found}"))
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for step in migrations[found - 1 : version - 1]:
            connection.execute(step)
        connection.execute(f"PRAGMA user_version={version}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def backup(connection: apsw.Connection, target: Path) -> None:
    """A consistent copy while others write; marked as a copy, complete or not there at all."""
    draft = target.with_name(f"{target.name}.part-{os.getpid()}")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        copy = connect(draft)
        with copy.backup("main", connection, "main") as job:
            while not job.done:
                job.step(256)
        copy.execute("PRAGMA journal_mode=DELETE")
        with copy:
            copy.execute("INSERT OR REPLACE INTO meta VALUES ('copy', '1')")
        copy.close()
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
