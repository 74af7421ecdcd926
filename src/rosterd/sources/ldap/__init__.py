"""People and groups from an LDAP directory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from rosterd.core.doors import Batch
from rosterd.errors import SourceError
from rosterd.sources.ldap.belonging import Primaries
from rosterd.sources.ldap.connect import Log, connect
from rosterd.sources.ldap.dirsync import DirSyncFollower
from rosterd.sources.ldap.dn import normalise_dn
from rosterd.sources.ldap.faults import boundary
from rosterd.sources.ldap.feeds import LdapFeed, group_batches, people_batches
from rosterd.sources.ldap.find import find
from rosterd.sources.ldap.follow import LdapFollower
from rosterd.sources.ldap.line import Budget
from rosterd.sources.ldap.probe import Probe, look
from rosterd.sources.ldap.session import Session
from rosterd.sources.settings import LdapSettings

# Servers, kind of bind, who, password.
Account: TypeAlias = tuple[tuple[str, ...], str, str, str]
Refused: TypeAlias = dict[Account, SourceError]

__all__ = ["LdapSource", "Probe", "normalise_dn"]


class LdapSource:
    """A directory as a source (core.doors.Source). One connection serves people and groups.

    What failed once stays failed: a second pass tells the same error and asks nobody again, so that a
    wrong password costs one attempt a run. `refused`: accounts that were refused, shared with other sources, which
    then do not try them again.
    """

    def __init__(
        self,
        name: str,
        settings: LdapSettings,
        people_attributes: Sequence[str],
        group_attributes: Sequence[str],
        stop: threading.Event,
        log: Log,
        refused: Refused | None = None,
    ) -> None:
        self._name = name
        self._settings = settings
        self._people_attributes = tuple(people_attributes)
        self._group_attributes = tuple(group_attributes)
        self._stop = stop
        self._log = log
        self._refused: Refused = {} if refused is None else refused
        self._session: Session | None = None
        self._failed: SourceError | None = None
        self._primaries: Primaries = {}  # what the last pass over the groups left for the people

    @property
    def name(self) -> str:
        """The source's name in the settings."""
        return self._name

    def people(self) -> LdapFeed:
        """All people, nothing read yet."""
        batches = people_batches(self._name, self._settings, self._people_attributes, self._primaries)
        return LdapFeed(self._settings, self._people_attributes, self._reading, batches)

    def groups(self) -> LdapFeed | None:
        """All groups, nothing read yet; None when the settings name none."""
        groups = self._settings.groups
        if groups is None:
            return None
        names = self._group_attributes
        batches = group_batches(self._name, self._settings, groups, names, self._primaries)
        return LdapFeed(self._settings, self._group_attributes, self._reading, batches)

    def follower(self) -> LdapFollower:
        """Who follows the changes, over the same connection."""
        attributes = (self._people_attributes, self._group_attributes)
        kind = DirSyncFollower if self._settings.flavor == "active-directory" else LdapFollower
        return kind(self._name, self._settings, attributes, self._reading, self._primaries)

    def probe(self) -> Probe:
        """Connects, binds, and looks at the server and its first people. Raises SourceError or Stopped."""
        with self._reading() as session:
            return look(self._name, self._settings, self._people_attributes, session)

    def find(self, dn: str, named: Sequence[tuple[str, str]]) -> tuple[Batch, bool]:
        """A person's entry by its DN, else by (attribute, value); see ldap.find. Raises SourceError or Stopped."""
        with self._reading() as session:
            return find(self._name, self._settings, self._people_attributes, session, dn, named)

    def close(self) -> None:
        """Ends the connection, if there is one."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    @contextmanager
    def _reading(self, known: str = "") -> Iterator[Session]:
        """The connection, with a fresh budget; dropped unless the pass ends well: answers are left in it.

        known: the server that is asked again, see connect.
        """
        if self._failed is not None:
            raise _again(self._failed, self._failed.what, self._failed.where)
        if (refusal := self._refused.get(self._account())) is not None:
            raise _again(
                refusal, f"{refusal.what}; it is not tried again in this run", f"source {self._name}"
            )
        try:
            with boundary(self._where):
                yield self._connected(self._budget(), known)
        except SourceError as error:
            self._failed = error
            if error.refused:
                self._refused[self._account()] = error
            self.close()
            raise
        except BaseException:
            self.close()
            raise

    def _connected(self, budget: Budget, known: str) -> Session:
        if self._session is None:
            self._session = connect(self._name, self._settings, budget, self._log, known)
        self._session.line.budget = budget
        return self._session

    def _account(self) -> Account:
        """Where who signs in, and with what."""
        settings = self._settings
        password = settings.bind_password.get_secret_value() if settings.bind_password else ""
        return settings.urls, settings.bind, settings.bind_dn or settings.principal or "", password

    def _budget(self) -> Budget:
        settings = self._settings
        return Budget(
            ends=time.monotonic() + settings.deadline,
            deadline=settings.deadline,
            silence=settings.timeout,
            bytes_left=settings.max_bytes,
            max_bytes=settings.max_bytes,
            stop=self._stop,
        )

    def _where(self) -> str:
        return f"source {self._name}, {self._session.url}" if self._session else f"source {self._name}"


def _again(error: SourceError, what: str, where: str) -> SourceError:
    again = SourceError(what, where=where, hint=error.hint)
    again.refused = error.refused
    return again
