"""The authorization page: whoever is sent there consents at once (RFC 6749, 4.1; PKCE, RFC 7636)."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from rosterd.sandbox.autodesk import shapes
from rosterd.sandbox.autodesk.call import Call
from rosterd.sandbox.autodesk.grants import Grant
from rosterd.sandbox.wire import About, Response

PATH = "/authentication/v2/authorize"

# Those of the vendor's list that this sandbox has a use for, and a few that it has not.
SCOPES = frozenset(
    {
        "application:client:create",
        "application:client:delete",
        "application:client:read",
        "application:client:update",
        "account:read",
        "account:write",
        "code:all",
        "data:create",
        "data:read",
        "data:search",
        "data:write",
        "openid",
        "user-profile:read",
        "user:read",
        "user:write",
        "viewables:read",
    }
)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch  # a SHA-256 in base64url, without padding


def authorize(call: Call) -> Response:
    """`GET /authentication/v2/authorize`: back to the redirect URI with a code, or with an error.

    A client or redirect URI that is not registered is told so here: nobody is sent to an unknown place.
    """
    query = dict(parse_qsl(call.request.query))
    about = About(query.get("client_id", ""))
    client = call.state.table("clients").get(query.get("client_id", ""))
    target = query.get("redirect_uri", "")
    if client is None:
        return shapes.developer(400, "AUTH-001", "The client_id specified does not exist.", about)
    if not any(fnmatchcase(target, entry) for entry in client.get("redirect_uris", [])):
        return shapes.developer(400, "AUTH-002", "The redirect_uri is not registered.", about)
    error = _error(query, client)
    if error:
        return back(target, {"error": error[0], "error_description": error[1]}, query, about)
    scopes = frozenset(query["scope"].split())
    grant = Grant(query["client_id"], scopes, 3, client.get("user") or "")
    code = call.state.give_code(grant, target, query.get("code_challenge", ""))
    return back(target, {"code": code}, query, about)


def _error(query: dict[str, str], client: dict[str, Any]) -> tuple[str, str] | None:
    """What is wrong with a request for a code, None when nothing is."""
    if query.get("response_type") != "code":
        return "unsupported_response_type", "response_type must be code."
    if not scopes_known(query.get("scope", ""), client):
        return "invalid_scope", "The scope is missing, not known or not allowed."
    if not query.get("state"):
        return "invalid_request", "state is missing."
    challenge, method = query.get("code_challenge"), query.get("code_challenge_method")
    if challenge is None and method is None and client.get("secret") is not None:
        return None
    if method != "S256" or not _CHALLENGE(challenge or ""):
        return "invalid_request", "A code_challenge by S256 is needed."
    return None


def scopes_known(scope: str, limited: dict[str, Any]) -> bool:
    """Whether these are scopes that a client or a service account may ask for, and at least one."""
    allowed = limited.get("scopes")
    scopes = frozenset(scope.split())
    return bool(scopes) and scopes <= (SCOPES if allowed is None else frozenset(allowed))


def back(target: str, answer: dict[str, str], query: dict[str, str], about: About) -> Response:
    """Sends the browser back with an answer; `state` goes with it as it came."""
    if "state" in query:
        answer = {**answer, "state": query["state"]}
    joint = "&" if urlsplit(target).query else "?"
    return Response(302, headers=(("Location", target + joint + urlencode(answer)),), about=about)


def spoil_redirect(response: Response, error: str, state: str) -> Response:
    """The same way back, but with an error (unless it is "") and with the state kept, changed or missing."""
    target = dict(response.headers).get("Location")
    if target is None:
        return response
    address = urlsplit(target)
    answer = dict(parse_qsl(address.query))
    if error:
        answer.pop("code", None)
        answer["error"] = error
    if state != "kept":
        answer.pop("state", None)
    if state == "changed":
        answer["state"] = "somebody-elses"
    return Response(302, headers=(("Location", address._replace(query=urlencode(answer)).geturl()),))
