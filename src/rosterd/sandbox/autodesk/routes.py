"""Which call of the pretend Autodesk a path means."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from rosterd.sandbox.autodesk import printers, reading, shapes, sign_in, tokens
from rosterd.sandbox.autodesk.call import Call
from rosterd.sandbox.autodesk.holding import Autodesk
from rosterd.sandbox.switches import Switches
from rosterd.sandbox.wire import Request, Response

ROOTS = ("/authentication/", "/applications/", "/tandem/", "/ps/")

# (method, path, what answers); the group of a path names an application, a twin or a printer.
CALLS: tuple[tuple[str, re.Pattern[str], Callable[[Call], Response]], ...] = tuple(
    (method, re.compile(path), answer)
    for method, path, answer in (
        ("POST", re.escape(tokens.PATH), tokens.token),
        ("GET", re.escape(sign_in.PATH), sign_in.authorize),
        ("GET", "/applications/v1/clients/([^/]+)/collaborators", reading.collaborators),
        ("GET", "/tandem/v1/twins/([^/]+)/users", reading.twin_users),
        ("POST", "/ps/v1/print/printers/([^/]+)/secondary_registration", printers.register),
    )
)


def owns(path: str) -> bool:
    """Whether a path is Autodesk's."""
    return path.startswith(ROOTS)


def handle(path: str, request: Request, state: Autodesk, switches: Switches) -> Response:
    """Answers any path of Autodesk's; every answer has an x-request-id."""
    response = _answer(path, request, state, switches)
    return replace(response, headers=(*response.headers, ("x-request-id", str(uuid4()))))


def _answer(path: str, request: Request, state: Autodesk, switches: Switches) -> Response:
    for method, pattern, answer in CALLS:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        if request.method != method:
            return Response(405, headers=(("Allow", method),))
        return answer(Call(request, path, found[1] if pattern.groups else "", state, switches))
    return shapes.developer(404, "GEN-404", "The requested resource does not exist.")


def marked(path: str, request: Request) -> str:
    """The path as faults see it: that of the token server ends with the grant, `/authentication/v2/token:GRANT`."""
    if path != tokens.PATH:
        return path
    return f"{path}:{tokens.form_of(request).get('grant_type', '')}"


def pretended(path: str) -> Response:
    """What a request that was not carried out pretends to have led to: an answer without anything in it."""
    return Response(302 if path == sign_in.PATH else 200, b"{}")
