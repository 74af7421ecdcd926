"""What the tests of the pretend Autodesk share: a small world, and a caller who signs in to it."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.core.sandbox_kit import FORM, Caller

from rosterd.sandbox import Server
from rosterd.sandbox.autodesk.tokens import challenge_of

TOKEN, AUTHORIZE = "/authentication/v2/token", "/authentication/v2/authorize"
COLLABORATORS = "/applications/v1/clients/APP/collaborators"
TWIN = "urn:adsk.dtt:d5eZt_XtRzqUHT93-vNZxw"
TWIN_USERS = f"/tandem/v1/twins/{TWIN}/users"
PRINTER = "/ps/v1/print/printers/874/secondary_registration"

CALLBACK = "http://127.0.0.1:8912/callback"
VERIFIER = "a-verifier-is-43-to-128-characters-long.~_0"
ALL = "application:client:read data:read data:write"
REFRESH = "the-first-refresh-token"

Json = dict[str, Any]


def collaborator(number: int, **fields: Any) -> Json:
    return {
        "userId": f"USER{number}",
        "firstName": "First",
        "lastName": f"Last{number}",
        "email": f"user{number}@acme.example",
        "accessLevel": "OWNER" if number == 0 else "VIEWER",
        "createdAt": "2019-01-01T00:00:00Z",
        **fields,
    }


def world(collaborators: int = 3, **changes: Any) -> Json:
    """A document: one confidential client that USER0 signs in with, one public one, and one of everything else."""
    return {
        "clients": {
            "acme": {
                "secret": "word",
                "user": "USER0",
                "redirect_uris": [CALLBACK, "http://localhost:*/back"],
                "refresh_tokens": {REFRESH: ALL},
                "accounts": {"ROBOT": {}},
            },
            "public": {"user": "USER1", "redirect_uris": [CALLBACK]},
        },
        "applications": {
            "APP": {
                "name": "Plans",
                "collaborators": [collaborator(number) for number in range(collaborators)],
            }
        },
        "twins": {
            TWIN: {"name": "Headquarters", "users": {"USER1": {"name": "First Last1", "accessLevel": 3}}}
        },
        "printers": {"874": {"owner": "USER0"}},
        **changes,
    }


class Client(Caller):
    """One client of the pretend Autodesk, with one kept connection and the token it got last."""

    def form(self, basic: str = "", **fields: str) -> tuple[int, Any]:
        """A request for a token; `basic` is `id:secret` for a header."""
        headers = {
            **FORM,
            **({"Authorization": f"Basic {b64encode(basic.encode()).decode()}"} if basic else {}),
        }
        status, body, _ = self.send("POST", TOKEN, urlencode(fields).encode(), headers)
        value = json.loads(body) if body else None
        if isinstance(value, dict) and "access_token" in value:
            self.token = value["access_token"]
        return status, value

    def two_legged(self, scope: str = ALL) -> tuple[int, Any]:
        return self.form("acme:word", grant_type="client_credentials", scope=scope)

    def refresh(self, token: str = REFRESH, **more: str) -> tuple[int, Any]:
        return self.form("acme:word", grant_type="refresh_token", refresh_token=token, **more)

    def authorize(self, **changes: str | None) -> tuple[int, dict[str, str]]:
        """Status and the query that the browser comes back with."""
        given = {
            "response_type": "code",
            "client_id": "acme",
            "redirect_uri": CALLBACK,
            "scope": ALL,
            "state": "a state & more",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        query = urlencode({name: value for name, value in given.items() if value is not None})
        status, _, headers = self.send("GET", f"{AUTHORIZE}?{query}")
        back = headers["Location"] or ""
        assert not back or back.startswith(given["redirect_uri"] or "never")
        return status, {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}

    def ask(self, path: str, **headers: str) -> tuple[int, Any, http.client.HTTPMessage]:
        """A GET with the token; the body as JSON, or None when it is empty or no JSON."""
        status, data, sent = self.send("GET", path, b"", {"Authorization": f"Bearer {self.token}", **headers})
        return status, json.loads(data) if data.startswith((b"{", b"[")) else None, sent

    def register(self, email: object = "ada@acme.example", path: str = PRINTER) -> tuple[int, Any]:
        body = json.dumps({"secondary_member_email": email}).encode()
        status, data, _ = self.send("POST", path, body, self.headers())
        return status, json.loads(data) if data else None

    def pages(self, path: str, most: int = 10) -> list[Any]:
        """All pages, following nextUrl wherever it leads on this server, `most` of them at the most."""
        found: list[Any] = []
        while path and len(found) < most:
            status, body, _ = self.ask(path)
            assert status == 200
            found.append(body)
            path = (body["pagination"].get("nextUrl") or "").removeprefix(f"http://127.0.0.1:{self.port}")
        return found


def error_of(answer: tuple[int, Any]) -> tuple[int, str]:
    """Status and code of a refusal by the token server."""
    status, body = answer
    return status, body.get("error", body.get("errorCode", ""))


def unused(server: Server) -> str:
    """The refresh token that works now."""
    tokens: Json = held(server)["refresh_tokens"]
    return next(token for token, each in tokens.items() if not each["used"])


def held(server: Server) -> Json:
    with Client(server.port) as client:
        value = client.get("/_sandbox/autodesk")
        assert isinstance(value, dict)
        return value
