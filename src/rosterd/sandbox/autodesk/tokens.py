"""The token server: four grants in, tokens out."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from rosterd.sandbox.autodesk import assertion, shapes
from rosterd.sandbox.autodesk.assertion import AUDIENCE, BadAssertion
from rosterd.sandbox.autodesk.call import Call
from rosterd.sandbox.autodesk.grants import Grant
from rosterd.sandbox.autodesk.sign_in import scopes_known
from rosterd.sandbox.wire import About, Request, Response, dumps

PATH = "/authentication/v2/token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

# What a service account is not offered in the vendor's list: its document can say otherwise.
NOT_FOR_ACCOUNTS = frozenset({"application:client:read"})

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}").fullmatch  # RFC 7636, 4.1
_STALE = (
    "The authorization code/refresh token is expired or invalid/redirect_uri must have the same value as in the "
    "authorization request."
)


class Asked(NamedTuple):
    """A request for a token by a client that is known."""

    form: dict[str, str]
    client: str
    entry: dict[str, Any]


def form_of(request: Request) -> dict[str, str]:
    """The fields of a form."""
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def token(call: Call) -> Response:
    """`POST /authentication/v2/token`."""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return shapes.oauth("invalid_request", "The body must be a form.")
    form = form_of(call.request)
    grant = GRANTS.get(form.get("grant_type", ""))
    call.state.counted(form["grant_type"] if grant else "other")
    if grant is None:
        return shapes.oauth("unsupported_grant_type", "The grant_type is missing or not supported.")
    asked = _client(call, form)
    response = asked if isinstance(asked, Response) else grant(call, asked)
    if response.status != HTTPStatus.OK:
        call.state.counted("refused")
    return response


def _client(call: Call, form: dict[str, str]) -> Asked | Response:
    """Who asks: by a Basic header or in the body, never both; a public client by its id alone."""
    header = call.request.headers.get("authorization", "")
    if header and ("client_secret" in form or "client_id" in form):
        return shapes.oauth(
            "invalid_request", "Credentials belong in the header or in the body, not in both."
        )
    name, secret = _basic(header) if header else (form.get("client_id", ""), form.get("client_secret"))
    entry = call.state.table("clients").get(name)
    if entry is None or entry.get("secret") != secret:
        message = "The client_id (application key)/client_secret are not valid."
        return shapes.developer(401, "AUTH-003", message, About(name))
    return Asked(form, name, entry)


def _basic(header: str) -> tuple[str, str | None]:
    scheme, _, data = header.partition(" ")
    try:
        name, _, secret = b64decode(data.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", None
    return (name, secret) if scheme.lower() == "basic" else ("", None)


def _by_credentials(call: Call, asked: Asked) -> Response:
    if asked.entry.get("secret") is None:
        return shapes.oauth("unauthorized_client", "A public client has no such grant.", About(asked.client))
    scope = asked.form.get("scope", "")
    if not scopes_known(scope, asked.entry):
        return _bad_scope(asked)
    return _answer(call, Grant(asked.client, frozenset(scope.split())))


def _by_code(call: Call, asked: Asked) -> Response:
    code = call.state.take_code(asked.form.get("code", ""), asked.client)
    if code is None or code.redirect_uri != asked.form.get("redirect_uri"):
        return _stale(asked)
    if code.challenge:
        verifier = asked.form.get("code_verifier", "")
        if not _VERIFIER(verifier) or challenge_of(verifier) != code.challenge:
            return shapes.oauth("invalid_grant", "The code_verifier does not fit.", About(asked.client))
    return _answer(call, code.grant, call.state.first_refresh(code.grant))


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _by_refresh(call: Call, asked: Asked) -> Response:
    turned, grace = asked.form.get("refresh_token", ""), call.switches.refresh_grace
    with call.state.lock:
        grant = call.state.valid_refresh(turned, asked.client, grace)
        if grant is None:
            return _stale(asked)
        # A narrower scope is for the access token; the refresh token keeps what was consented to.
        scopes = frozenset(asked.form.get("scope", "").split()) or grant.scopes
        if not scopes <= grant.scopes:
            return _bad_scope(asked)
        following = call.state.next_refresh(turned, grant)
    return _answer(call, Grant(grant.client, scopes, 3, grant.user), following)


def _by_assertion(call: Call, asked: Asked) -> Response:
    accounts = asked.entry.get("accounts", {})
    audiences = {AUDIENCE, call.origin + PATH}
    now = call.state.grants.clock()
    try:
        wanted = assertion.read(asked.form.get("assertion", ""), asked.client, accounts, audiences, now)
    except BadAssertion as error:
        return shapes.oauth("invalid_grant", str(error), About(asked.client))
    account = accounts[wanted.account]
    listed = account.get("scopes") is not None
    if not scopes_known(" ".join(wanted.scopes), account) or (
        not listed and wanted.scopes & NOT_FOR_ACCOUNTS
    ):
        return _bad_scope(asked)
    return _answer(call, Grant(asked.client, wanted.scopes, 3, wanted.account))


def _stale(asked: Asked) -> Response:
    return shapes.oauth("invalid_grant", _STALE, About(asked.client))


def _bad_scope(asked: Asked) -> Response:
    words = "The scope is missing, not known or not allowed."
    return shapes.oauth("invalid_scope", words, About(asked.client))


def _answer(call: Call, grant: Grant, refresh: str | None = None) -> Response:
    seconds = call.switches.token_seconds
    access = call.state.give_access(grant, seconds)
    body: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": seconds}
    if refresh is not None:
        body["refresh_token"] = refresh
    return Response(200, dumps(body), shapes.NO_STORE, about=About(grant.client))


GRANTS: dict[str, Callable[[Call, Asked], Response]] = {
    "client_credentials": _by_credentials,
    "authorization_code": _by_code,
    "refresh_token": _by_refresh,
    JWT_BEARER: _by_assertion,
}
