"""The file that keeps a sign-in: 0600 in a 0700 directory, replaced whole, and what is read of it checked."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import NamedTuple

from rosterd.errors import TargetError

SCHEMA = "rosterd/sign-in/1"
LARGEST = 64 * 1024  # bytes
LIFE = 15 * 86_400.0  # seconds after which Autodesk ends a sign-in that nobody used
NOBODY = "nobody has signed in yet"
OTHER = "the sign-in there is was for another application or server"
_PLAIN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class Kept:
    """A sign-in as its file holds it. `issued`: when its token came, `since`: when somebody signed in; both in seconds
    since 1970.

    in_use: the token was handed in, and no answer has been kept. needed: why somebody must sign in, "" while the
    token is good. bootstrap: digest of the last refresh_token of the settings that was taken. previous: the token
    that a bootstrap token is about to replace.
    """

    client_id: str
    server: str
    refresh_token: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ()
    issued: float = 0.0
    in_use: bool = False
    needed: str = ""
    bootstrap: str = ""
    previous: str = field(default="", repr=False)
    previous_in_use: bool = False
    since: float = 0.0


class SignIn(NamedTuple):
    """Where a sign-in stands. `needed`: why somebody must sign in, or "". `ends` (None where that is not known) and
    `since` are in seconds since 1970.
    """

    needed: str
    ends: float | None = None
    since: float = 0.0


def digest(token: str) -> str:
    """A name for a token that does not give it away."""
    return sha256(token.encode()).hexdigest()


class TokenFile:
    """`DIRECTORY/NAME.json`, with `NAME.lock` beside it. Raises TargetError, with what to do about it."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory, self._name = directory, name
        self.path = directory / f"{name}.json"

    def read(self) -> Kept | None:
        """What is kept, None when there is no file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | _PLAIN)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._problem(f"cannot be read: {error.strerror}") from None
        try:
            info = os.fstat(descriptor)
            if not stat.S_ISREG(info.st_mode):
                raise self._problem("is not a file")
            if info.st_uid != os.geteuid():
                raise self._problem("belongs to another user")
            return self._parsed(os.read(descriptor, LARGEST))
        except OSError as error:
            raise self._problem(f"cannot be read: {error.strerror}") from None
        finally:
            os.close(descriptor)

    def _parsed(self, data: bytes) -> Kept:
        try:
            found = json.loads(data)
            if found.pop("schema") != SCHEMA:
                raise ValueError
            kept = Kept(**{**found, "scopes": tuple(found["scopes"])})
            for one in fields(Kept):
                if type(getattr(kept, one.name)) is not type(getattr(_EXAMPLE, one.name)):
                    raise ValueError
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._problem("does not hold a sign-in") from None
        return kept

    def write(self, kept: Kept) -> None:
        """Replaces the file: written aside, synced, renamed, and the directory synced."""
        draft = self.path.with_name(f".{self._name}.new")
        data = json.dumps({"schema": SCHEMA, **asdict(kept)}).encode()
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _PLAIN, 0o600)
            try:
                os.fchmod(descriptor, 0o600)
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            draft.replace(self.path)
            _sync(self._directory)
        except OSError as error:
            raise self._problem(f"cannot be written: {error.strerror}", "is the disk full?") from None

    def lock(self) -> Callable[[], None] | None:
        """Takes the lock and gives what releases it; None, at once, while somebody else holds it.

        The kernel frees it when its holder dies. Raises TargetError for a directory that cannot be used.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if stat.S_IMODE(self._directory.stat().st_mode) & 0o077:
                self._directory.chmod(0o700)
            path = self.path.with_name(f"{self._name}.lock")
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _PLAIN, 0o600)
        except OSError as error:
            raise self._problem(
                f"cannot be used: {error.strerror}", "its directory must be writable"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return partial(os.close, descriptor)

    def _problem(self, what: str, hint: str = "") -> TargetError:
        mend = hint or f"mend its owner and mode, or sign in again: rosterd sign-in {self._name}"
        return TargetError(f"the token file {what}", where=str(self.path), hint=mend)


def sign_in(file: TokenFile, client_id: str, server: str, bootstrap: str) -> SignIn:
    """Where a sign-in stands as its file says it; the vault would do the same, asks nobody, and costs an import."""
    try:
        kept = file.read() or Kept(client_id, server, needed=NOBODY)
    except TargetError as error:
        return SignIn(str(error))
    if bootstrap and digest(bootstrap) != kept.bootstrap:
        return SignIn("", since=inf)  # it is taken with the next read
    if (kept.client_id, kept.server) != (client_id, server):
        return SignIn(OTHER)
    if not kept.refresh_token:
        return SignIn(kept.needed or NOBODY)
    return SignIn("", kept.issued + LIFE, kept.since)


_EXAMPLE = Kept("", "")


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
