"""What the token server has given out: authorization codes, access tokens and refresh tokens.

From the vendor's pages: a code lives five minutes and an access token an hour; a refresh token lives fifteen days,
works once, and each refresh gives the next one.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

CODE_SECONDS = 300
REFRESH_SECONDS = 15 * 24 * 3600

Clock: TypeAlias = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token stands for. legs: 2 for the application itself, 3 when it acts for a user.

    user: the Autodesk user id, "" when nobody in particular signed in.
    """

    client: str
    scopes: frozenset[str]
    legs: int = 2
    user: str = ""

    @property
    def scope(self) -> str:
        """The scopes as one text, in order."""
        return " ".join(sorted(self.scopes))


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code with what its request must match (RFC 7636, 4.4)."""

    grant: Grant
    redirect_uri: str
    challenge: str
    ends: float


@dataclass(slots=True)
class Refresh:
    """A refresh token; `used` is when it was turned in, None while it still works."""

    grant: Grant
    ends: float
    used: float | None = None


class Grants:
    """All that is out. Not locked: `holding.Autodesk` is. `clock` counts seconds since the epoch."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._codes: dict[str, Code] = {}
        self._access: dict[str, tuple[Grant, float]] = {}
        self.refresh: dict[str, Refresh] = {}

    def give_code(self, grant: Grant, redirect_uri: str, challenge: str) -> str:
        """A new authorization code."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = Code(grant, redirect_uri, challenge, self.clock() + CODE_SECONDS)
        return code

    def take_code(self, code: str, client: str) -> Code | None:
        """What a code of this client stands for; it works once, and not after its time."""
        found = self._codes.get(code)
        if found is None or found.grant.client != client:
            return None
        del self._codes[code]
        return found if self.clock() < found.ends else None

    def give_access(self, grant: Grant, seconds: float) -> str:
        """A new access token."""
        token = secrets.token_urlsafe(24)
        self._access[token] = (grant, self.clock() + seconds)
        return token

    def access(self, token: str) -> Grant | None:
        """What an access token stands for, None when it does not hold (any more)."""
        grant, ends = self._access.get(token, (None, 0.0))
        return grant if self.clock() < ends else None

    def revoke_all(self) -> None:
        """Every access token that is out ends now; refresh tokens go on."""
        self._access.clear()

    def valid_refresh(self, token: str, client: str, grace: float) -> Grant | None:
        """What a refresh token of this client stands for, None when it was used, is too old or was never given.

        grace: so many seconds after its use a token still counts as unused.
        """
        found = self.refresh.get(token)
        if found is None or found.grant.client != client or self.clock() >= found.ends:
            return None
        if found.used is not None and (not grace or self.clock() - found.used > grace):
            return None
        return found.grant

    def turn(self, used: str | None, new: str, grant: Grant, ends: float) -> None:
        """Takes one refresh token in, if one was used, and enters the next."""
        if used is not None and (old := self.refresh.get(used)) is not None and old.used is None:
            old.used = self.clock()
        self.refresh[new] = Refresh(grant, ends)

    def learn(self, tokens: Iterable[tuple[str, Grant]], before: Iterable[tuple[str, Grant]] = ()) -> None:
        """Enters the refresh tokens of a document; those that only the document before had are withdrawn."""
        now = dict(tokens)
        for token, _ in before:
            if token not in now:
                self.refresh.pop(token, None)
        for token, grant in now.items():
            known = self.refresh.get(token)
            if known is None:
                self.refresh[token] = Refresh(grant, self.clock() + REFRESH_SECONDS)
            else:
                known.grant = replace(known.grant, scopes=grant.scopes, user=grant.user)
