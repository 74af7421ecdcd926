"""Bearer tokens that several threads share: fetched when needed, renewed early, and once after a 401.

Life is measured on a monotonic clock; odd values of expires_in are survived. How a token is fetched comes in as a
parameter: this module knows no server.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from rosterd.errors import CredentialsError, TargetError
from rosterd.patience import Clock

UNTOLD_LIFE = 600.0  # seconds assumed when the server does not say, or says nonsense
SHORTEST, LONGEST = 30.0, 86_400.0  # bounds of what we believe
EARLY_PART, EARLY_MOST = 0.1, 60.0  # renewed so much of its life, or so many seconds, before the end
RENEW_AGAIN = 15.0  # seconds until the next try after an early renewal failed
REFUSAL_HOLDS = 60.0  # seconds for which a refusal is repeated without asking: credentials get locked out

# The token's value and its life in seconds as the server told it.
Fetched: TypeAlias = tuple[str, object]


@dataclass(frozen=True)
class Token:
    """A bearer token; `generation` counts the tokens fetched, `life` is in seconds."""

    value: str = field(repr=False)
    generation: int
    life: float
    renew_at: float
    ends_at: float


class Bearer:
    """The one token all threads share. Calls raise TargetError, CredentialsError or Stopped, as `fetch` does."""

    def __init__(self, fetch: Callable[[], Fetched], clock: Clock = time.monotonic) -> None:
        self._fetch, self._clock = fetch, clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self.generation = 0  # of the last token fetched
        self._refusal: tuple[float, CredentialsError] | None = None  # until when, and what was said

    def current(self) -> Token:
        """A token that is not about to end; an old one while it lasts and no new one is to be had."""
        with self._lock:
            now = self._clock()
            if self._token is None or now >= self._token.ends_at:
                self._token = self._next()
            elif now >= self._token.renew_at:
                try:
                    self._token = self._next()
                except TargetError:
                    self._token = replace(self._token, renew_at=self._clock() + RENEW_AGAIN)
            return self._token

    def renew(self, generation: int) -> Token:
        """The token after a 401: fetched, unless another thread has replaced that generation already."""
        with self._lock:
            if self._token is None or self._token.generation == generation:
                self._token = None
                self._token = self._next()
            return self._token

    def _next(self) -> Token:
        if self._refusal and self._clock() < self._refusal[0]:
            said = self._refusal[1]
            raise CredentialsError(said.what, where=said.where, hint=said.hint)
        try:
            value, told = self._fetch()
        except CredentialsError as error:
            self._refusal = (self._clock() + REFUSAL_HOLDS, error)
            raise
        self.generation, self._refusal = self.generation + 1, None
        lasts = life(told)
        ends_at = self._clock() + lasts
        renew_at = ends_at - min(lasts * EARLY_PART, EARLY_MOST)
        return Token(value, self.generation, lasts, renew_at, ends_at)


def usable(value: object) -> bool:
    """Whether a token can travel in a header (RFC 6750, 2.1, read generously)."""
    return isinstance(value, str) and bool(re.fullmatch(r"[\x21-\x7e]{1,16384}", value))


def life(told: object) -> float:
    """A token's life in seconds, within bounds, whatever the server says of it."""
    if isinstance(told, str) and re.fullmatch(r"[0-9]{1,12}", told):
        told = int(told)
    if isinstance(told, bool) or not isinstance(told, (int, float)) or told != told:
        return UNTOLD_LIFE
    return float(min(max(told, SHORTEST), LONGEST))
