"""What stands before every page: who may call, by which name, and what the browser is told to forbid.

A page in a browser must not reach the service by a name that somebody else's DNS points here, so only known names
are answered; a bearer's token, which no browser sends by itself, and the two probes need no name. Where a token is
set, everything but the probes wants it: as a bearer, or as the cookie that a console sets.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rosterd.daemon.settings import ConsoleSettings, listening
from rosterd.fields import is_loopback

OPEN = ("/healthz", "/readyz")  # for probes: no token, and no word about anybody
COOKIE = "rosterd_token"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Gate:
    """ASGI middleware. Looking without a token goes on loopback only; changing anything wants the token always."""

    def __init__(self, app: ASGIApp, settings: ConsoleSettings) -> None:
        self._app = app
        host, port = listening(settings.listen)
        near = is_loopback(host) or ip_address(host).is_unspecified
        own = {"localhost", "127.0.0.1", "[::1]"} if near else set[str]()
        names = {
            f"[{host}]" if ":" in host else host.lower(),
            *own,
            *(name.lower() for name in settings.hosts),
        }
        self._hosts = names | {f"{name}:{port}" for name in names}
        self._token = settings.token.get_secret_value() if settings.token else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            return
        refused = self._refusal(Headers(scope=scope), scope["method"], scope["path"])
        await (refused or self._app)(scope, receive, dressed)

    def _refusal(self, headers: Headers, method: str, path: str) -> JSONResponse | None:
        reading = method in ("GET", "HEAD")
        if reading and path in OPEN:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if self._token and scheme.lower() == "bearer" and self._is_token(given):
            return None
        if len(headers.getlist("host")) != 1 or headers["host"].lower() not in self._hosts:
            return _no(421, "this name is not served here; console.hosts in the settings lists further ones")
        if self._token and not self._is_token(_cookie(headers.get("cookie", ""))):
            return _no(401, "a token is needed", {"www-authenticate": 'Bearer realm="rosterd"'})
        if not reading and not self._token:
            return _no(403, "set console.token in the settings to change anything here")
        if not reading and headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
            return _no(403, "asked for by another site")
        return None

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.strip().encode(), self._token.encode())


def _cookie(text: str) -> str:
    try:
        found = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _no(status: int, why: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": why}, status, headers=headers)
