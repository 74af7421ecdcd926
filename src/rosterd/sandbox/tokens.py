"""The token server: client credentials in, a short-lived bearer token out (RFC 6749, 4.4)."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs

from rosterd.sandbox.switches import Switches
from rosterd.sandbox.wire import About, Request, Response, dumps

PATH = "/connect/token"
NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))


@dataclass(slots=True)
class _Life:
    tenant: str
    ends: float
    uses: int | None


class Tokens:
    """The tokens that are out. `clock` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lives: dict[str, _Life] = {}

    def issue(self, tenant: str, seconds: float, uses: int | None) -> str:
        """A new random token."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._lives[token] = _Life(tenant, self._clock() + seconds, uses)
        return token

    def use(self, token: str) -> str | None:
        """The tenant of a token that still holds, counting one use; None for any other."""
        with self._lock:
            life = self._lives.get(token)
            if life is None or life.uses == 0 or self._clock() >= life.ends:
                self._lives.pop(token, None)
                return None
            if life.uses is not None:
                life.uses -= 1
            return life.tenant

    def revoke_all(self) -> None:
        """Every token that is out ends now."""
        with self._lock:
            self._lives.clear()


def handle(request: Request, tokens: Tokens, switches: Switches) -> Response:
    """Answers `POST /connect/token`."""
    if request.method != "POST":
        return Response(405, headers=(("Allow", "POST"),))
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return refused("invalid_request")
    form = {name: values[0] for name, values in parse_qs(request.body.decode("utf-8", "replace")).items()}
    if form.get("grant_type") != "client_credentials":
        return refused("unsupported_grant_type")
    given = (form.get("client_id", ""), form.get("client_secret", ""))
    known = {(entry.client_id, entry.client_secret): entry.tenant for entry in switches.credentials}
    tenant = known.get(given)
    if tenant is None:
        return refused("invalid_client")
    if form.get("scope") != switches.scope:
        return refused("invalid_scope")
    token = tokens.issue(tenant, switches.token_seconds, switches.token_uses)
    body = {
        "access_token": token,
        "expires_in": switches.token_seconds,
        "token_type": "Bearer",
        "scope": switches.scope,
    }
    return Response(200, dumps(body), NO_STORE, about=About(tenant))


def refused(error: str, status: int = 400) -> Response:
    """An error of the token server (RFC 6749, 5.2)."""
    return Response(status, dumps({"error": error}), NO_STORE)
