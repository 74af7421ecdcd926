"""Who is signed in to the console in a browser, and what proves that a form came from one of its own pages.

The cookie carries a random name and never the token itself: it is worthless after a sign-out or a restart. Only its
digest is kept.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie

COOKIE = "rosterd_session"
LIFE = 12 * 3_600.0  # seconds
MOST = 200  # sessions; the oldest gives way


class Sessions:
    """Safe for several threads. `token` is "" where none is set: nobody can sign in then."""

    def __init__(self, token: str = "", steady: Callable[[], float] = time.monotonic) -> None:
        self._token, self._steady = token.encode(), steady
        self._key = secrets.token_bytes(32)
        self._ends: dict[bytes, float] = {}
        self._lock = threading.Lock()

    @property
    def wanted(self) -> bool:
        """Whether a token is set."""
        return bool(self._token)

    def is_token(self, given: str) -> bool:
        """Whether this is the token; it takes as long for a wrong one."""
        return self.wanted and hmac.compare_digest(given.strip().encode(), self._token)

    def open(self) -> str:
        """The name of a new session."""
        name = secrets.token_urlsafe(32)
        now = self._steady()
        with self._lock:
            self._ends = {one: end for one, end in self._ends.items() if end > now}
            while len(self._ends) >= MOST:
                self._ends.pop(next(iter(self._ends)))
            self._ends[_digest(name)] = now + LIFE
        return name

    def known(self, name: str) -> bool:
        """Whether a session of this name goes on."""
        with self._lock:
            end = self._ends.get(_digest(name))
        return end is not None and end > self._steady()

    def end(self, name: str) -> None:
        """Ends a session."""
        with self._lock:
            self._ends.pop(_digest(name), None)

    def proof(self, name: str) -> str:
        """What a form of this session carries."""
        return hmac.new(self._key, name.encode(), sha256).hexdigest()

    def proves(self, name: str, given: str) -> bool:
        """Whether a form carries the proof of its session."""
        return hmac.compare_digest(self.proof(name).encode(), given.encode())


def _digest(name: str) -> bytes:
    return sha256(name.encode()).digest()


def session_of(cookies: str) -> str:
    """The name of the session that a Cookie header carries, "" when it carries none."""
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
