"""What stands before every page: who may call, by which name, and what the browser is told to forbid.

A page in a browser must not reach the service by a name that somebody else's DNS points here, so only known names
are answered; a bearer's token, which no browser sends by itself, and the two probes need no name. Where a token is
set, everything but the probes and the page to sign in wants it: as a bearer, or by the cookie of a session.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rosterd.daemon.pages import calm, wants_page
from rosterd.daemon.sessions import Sessions, session_of
from rosterd.daemon.settings import ConsoleSettings, listening
from rosterd.fields import is_loopback

OPEN = ("/healthz", "/readyz")  # for probes: no token, and no word about anybody
DOOR = "/login"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer a browser sends "Origin: null" with our own forms
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}


class Gate:
    """ASGI middleware. Looking without a token goes on loopback only; changing anything wants the token always.

    Pages learn from the scope who calls: "session" is the name of the caller's session, "" for bearers and where no
    token is set; "bearer" whether a bearer's token was given.
    """

    def __init__(self, app: ASGIApp, settings: ConsoleSettings, sessions: Sessions) -> None:
        self._app, self._sessions = app, sessions
        host, port = listening(settings.listen)
        near = is_loopback(host) or ip_address(host).is_unspecified
        own = {"localhost", "127.0.0.1", "[::1]"} if near else set[str]()
        names = {
            f"[{host}]" if ":" in host else host.lower(),
            *own,
            *(name.lower() for name in settings.hosts),
        }
        self._hosts = names | {f"{name}:{port}" for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] != "http":
            return
        refused = self._refusal(Request(scope))
        await (refused or self._app)(scope, receive, dressed)

    def _refusal(self, request: Request) -> Response | None:
        headers, scope = request.headers, request.scope
        reading = request.method in ("GET", "HEAD")
        scope["session"], scope["bearer"] = "", False
        if reading and scope["path"] in OPEN:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._sessions.is_token(given):
            scope["bearer"] = True
            return None
        if len(headers.getlist("host")) != 1 or headers["host"].lower() not in self._hosts:
            text = "this name is not served here; console.hosts in the settings lists further ones"
            return calm(request, 421, "Not served by this name", text)
        session = session_of(headers.get("cookie", ""))
        if self._sessions.known(session):
            scope["session"] = session
        elif self._sessions.wanted and not (scope["path"] == DOOR or scope["path"].startswith("/static/")):
            return _sign_in(request)
        return None if reading else self._unasked(request)

    def _unasked(self, request: Request) -> Response | None:
        """A change that no page of ours asked for."""
        headers = request.headers
        if not self._sessions.wanted:
            text = "set console.token in the settings to change anything here"
            return calm(request, 403, "Switched off", text)
        if not _same(headers.get("origin", ""), headers["host"]) or headers.get("sec-fetch-site") not in (
            None,
            "same-origin",
            "none",
        ):
            return calm(
                request, 403, "Refused", "asked for by another site", "Go back and try again from there."
            )
        return None


def _same(origin: str, host: str) -> bool:
    """Whether an Origin is of the name that was called, be it by http or, through a proxy, by https."""
    scheme, slashes, name = origin.lower().partition("://")
    return scheme in ("http", "https") and bool(slashes) and name == host.lower()


def _sign_in(request: Request) -> Response:
    """A browser is led to the page to sign in; programs are told."""
    if request.method in ("GET", "HEAD") and wants_page(request):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        there = f"{DOOR}?next={quote(asked, safe='')}" if asked != "/" else DOOR
        return RedirectResponse(there, 303)
    return JSONResponse(
        {"error": "a token is needed"}, 401, headers={"www-authenticate": 'Bearer realm="rosterd"'}
    )
