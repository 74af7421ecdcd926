"""The sign-in of one customer: its refresh token, in a file of its own, which survives a kill at any moment.

A refresh token works once, and its answer brings the next one. So, under a lock that one process holds at a time:
1. the file says that the token is in use;   2. the token is handed in;
3. the next token is written, synced and renamed into place, the directory synced;   4. only then are tokens used.
A death between 2 and 3 loses the answer. The mark of step 1 tells so next time: the old token is tried once more, as
the server may never have seen it, and when it is refused somebody must sign in, once told why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rosterd.autodesk.grants import Granted, Spent
from rosterd.autodesk.kept import NOBODY, OTHER, Kept, TokenFile, digest
from rosterd.errors import CredentialsError, Stopped, TargetError
from rosterd.patience import Wait

PATIENCE = 30.0  # seconds to wait for another process that is refreshing
LOOK = 0.05  # seconds between two tries of the lock
RENEW_IDLE = 7 * 86_400.0  # seconds after which an idle sign-in is refreshed; Autodesk ends it after 15 days

REFUSED = "Autodesk no longer accepts the sign-in: it lasts 15 days unused, and can be revoked"
LOST = (
    "the answer to the last refresh was lost (a crash, or a connection that broke), and a refresh token works once: "
    "the next one went with it"
)
SPENT = "Autodesk does not accept the refresh_token of the settings: it works once, and for 15 days"


class Vault:
    """The sign-in of one customer with one application at one server. Clock: seconds since 1970."""

    def __init__(
        self, directory: Path, customer: str, client_id: str, server: str, *, bootstrap: str = "",
        wait: Wait, now: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._file = TokenFile(directory, customer)
        self._owner = (client_id, server)
        self._bootstrap, self._wait, self._now = bootstrap, wait, now
        self._where = f"customer {customer} at Autodesk"
        self._hint = f"rosterd sign-in {customer}"
        self._mine: Kept | None = None  # what this process last kept, should the file be lost or put back
        self._spent: set[str] = set()  # digests of tokens that this process handed in

    def look(self) -> Kept:
        """The sign-in as it stands; it waits for nobody. Raises TargetError for a file that cannot be read."""
        return self._current()

    def there(self) -> bool:
        """Whether there is a sign-in to be tried; true also when its file cannot be read."""
        try:
            kept = self._current()
        except TargetError:
            return True
        return bool(kept.refresh_token or self._fresh(kept))

    def due(self) -> bool:
        """Whether a sign-in has been idle for so long that it should be refreshed. Raises as look does."""
        kept = self._current()
        idle = abs(self._now() - kept.issued) >= RENEW_IDLE  # abs: a clock that was put back
        return self._fresh(kept) or (bool(kept.refresh_token) and idle)

    def store(self, refresh_token: str, scopes: tuple[str, ...]) -> None:
        """Keeps a new sign-in. Raises TargetError when it cannot be written, or Stopped."""
        with self._held():
            known = (
                digest(self._bootstrap) if self._bootstrap else ""
            )  # older than this sign-in: not taken again
            now = float(self._now())
            self._keep(Kept(*self._owner, refresh_token, scopes, now, bootstrap=known, since=now))

    def exchange(self, ask: Callable[[str], Granted]) -> Granted:
        """Hands the refresh token to `ask`, and keeps the next one before it gives what was granted.

        Raises CredentialsError when somebody must sign in, what `ask` raises, TargetError for a file that cannot be
        read or written, or Stopped. `maybe_applied` is never set: no record of anybody's was sent.
        """
        try:
            with self._held():
                return self._exchange(self._begin(), ask)
        except TargetError as error:
            error.maybe_applied = False
            raise

    def _exchange(self, kept: Kept, ask: Callable[[str], Granted]) -> Granted:
        self._file.write(replace(kept, in_use=True))
        try:
            granted = ask(kept.refresh_token)
        except Spent as error:
            return self._exchange(self._without(kept, lost=kept.in_use or error.maybe_applied), ask)
        except TargetError as error:
            if not error.maybe_applied and not kept.in_use:
                self._file.write(kept)
            raise
        following = granted.refresh_token or kept.refresh_token
        if following != kept.refresh_token:
            self._spent.add(digest(kept.refresh_token))
        self._keep(
            replace(kept, refresh_token=following, issued=float(self._now()), in_use=False, previous="")
        )
        return granted

    def _without(self, kept: Kept, *, lost: bool) -> Kept:
        """After a refusal: the sign-in that a new bootstrap token would have replaced, where there is one."""
        if kept.previous:
            return replace(kept, refresh_token=kept.previous, previous="", in_use=kept.previous_in_use)
        first = bool(kept.bootstrap) and digest(kept.refresh_token) == kept.bootstrap
        why = LOST if lost else SPENT if first else REFUSED
        over = replace(kept, refresh_token="", in_use=False, needed=why)
        self._keep(over)
        raise self._needed(over)

    def _begin(self) -> Kept:
        """What is handed in next: a bootstrap token that was never taken before, else the token of the file."""
        kept = self._current()
        if self._fresh(kept):
            now = float(self._now())
            return Kept(
                *self._owner, self._bootstrap, issued=now, bootstrap=digest(self._bootstrap),
                previous=kept.refresh_token, previous_in_use=kept.in_use, since=now,
            )  # fmt: skip
        if not kept.refresh_token:
            raise self._needed(kept)
        return kept

    def _fresh(self, kept: Kept) -> bool:
        return bool(self._bootstrap) and digest(self._bootstrap) != kept.bootstrap

    def _current(self) -> Kept:
        """The file's word, unless it cannot be read or holds what this process has handed in already."""
        try:
            kept = self._file.read()
        except TargetError:
            if self._mine is None:
                raise
            return self._mine
        if kept is None or digest(kept.refresh_token) in self._spent:
            return self._mine or Kept(*self._owner, needed=NOBODY)
        if (kept.client_id, kept.server) != self._owner:
            return Kept(*self._owner, needed=OTHER, bootstrap=kept.bootstrap)
        return kept

    def _keep(self, kept: Kept) -> None:
        """The write comes second: a token whose file cannot be written lives on in this process."""
        self._mine = kept
        self._file.write(kept)

    def _needed(self, kept: Kept) -> CredentialsError:
        what = f"somebody must sign in: {kept.needed or NOBODY}"
        return CredentialsError(what, where=self._where, hint=self._hint)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """One holder at a time, over processes and threads; the next one reads what this one has left."""
        waited = 0.0
        while (release := self._file.lock()) is None:
            if waited >= PATIENCE:
                what = "another process has been refreshing the sign-in for too long"
                raise TargetError(what, where=self._where, hint="the next run tries again")
            if self._wait(LOOK):
                raise Stopped
            waited += LOOK
        try:
            yield
        finally:
            release()
