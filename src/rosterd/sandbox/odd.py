"""Bodies that are well-formed HTTP but not the contract: the material of the faults `odd` and `token_odd`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rosterd.sandbox.wire import Request, dumps

NOBODY = "NDD//nobody.anyone.sent"


def _named(request: Request, *users: str) -> bytes:
    """An answer that refuses these users; "" stands for the first one of the request, which must be sound."""
    try:
        body = json.loads(request.body)
    except ValueError:  # a call that carries no records
        body = {"Users": []}
    groups = body.get("Groups")
    people = groups[0]["Users"] if groups else body.get("Users", [])
    first = f"{people[0]['Domain']}//{people[0]['Logon']}" if people else NOBODY
    errors = [{"user": user or first, "errorMessage": "Logon is not valid."} for user in users]
    if groups:
        return dumps([{"groupName": groups[0]["GroupName"], "users": errors, "errorMessage": ""}])
    return dumps(errors)


def _unknown_grouping(_request: Request) -> bytes:
    return dumps(
        [{"groupName": "A grouping nobody sent", "users": [], "errorMessage": "Group Name is too long."}]
    )


# Bodies that are not the contract, or not about this request.
ODD: dict[str, Callable[[Request], bytes]] = {
    "empty": lambda _: b"",
    "null": lambda _: b"null",
    "object": lambda _: b"{}",
    "text": lambda _: b'"ok"',
    "html": lambda _: b"<!doctype html><title>Maintenance</title><p>Back soon.</p>",
    "nan": lambda _: b"[NaN]",
    "duplicate_keys": lambda _: b'[{"user":"NDD//a","user":"NDD//b","errorMessage":"","errorMessage":"x"}]',
    "deep": lambda _: b"[" * 200_000 + b"]" * 200_000,
    "big_integer": lambda _: b"[" + b"9" * 20_000 + b"]",
    "latin_1": lambda _: '[{"user":"NDD//joão","errorMessage":"inválido"}]'.encode("latin-1"),
    "wrong_types": lambda _: b'[{"user":7,"errorMessage":null}]',
    "missing_fields": lambda _: b'[{"user":"NDD//a"}]',
    "unknown_user": lambda request: _named(request, NOBODY),
    "partly_unknown": lambda request: _named(request, "", NOBODY),
    "unknown_grouping": _unknown_grouping,
}


def _without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda body: {key: value for key, value in body.items() if key != name}


def _with(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda body: {**body, name: value}


# What may become of the token server's body, the token in it being a good one.
TOKEN_ODD: dict[str, Callable[[dict[str, Any]], object]] = {
    "no_expires_in": _without("expires_in"),
    "no_token_type": _without("token_type"),
    "no_access_token": _without("access_token"),
    "huge": _with("expires_in", 10**15),
    "string": lambda body: {**body, "expires_in": str(body["expires_in"])},
    "words": _with("expires_in", "soon"),
    "zero": _with("expires_in", 0),
    "negative": _with("expires_in", -60),
    "null": _with("expires_in", None),
    "float": _with("expires_in", 59.5),
    "nan": lambda body: dumps(body).replace(b'"expires_in":', b'"expires_in":NaN,"was":'),
    "token_null": _with("access_token", None),
    "token_empty": _with("access_token", ""),
    "token_split": _with("access_token", "a\r\nTenant: other"),
    "mac": _with("token_type", "mac"),
    "list": lambda _: [],
    "html": lambda _: b"<!doctype html><title>Sign in</title>",
    "empty": lambda _: b"",
}
