"""Autodesk aimed at a scripted server, with canary secrets that must show up nowhere."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from tests.doors.scripted import FakeTime, Lines, Play, Scripted, Seen, http

from rosterd.autodesk.access import AutodeskAccess
from rosterd.autodesk.client import Assert, Autodesk
from rosterd.autodesk.settings import AutodeskSettings, PrintersSettings
from rosterd.autodesk.vault import Vault
from rosterd.core.access import APPLICATION, TWIN, Place

CLIENT = "canary-app"
SECRET = "Kanari/Vogel+7=secret"
REFRESH, NEXT = "canary-refresh-0001", "canary-refresh-0002"
ACCESS = "canary-access-0001"
CODE = "QZXWVK"  # a registration code
URN = "urn:adsk.dtt:d5eZt_XtRzqUHT93-vNZxw"
APP, OTHER_APP = Place(APPLICATION, "app-1", "app-1"), Place(APPLICATION, "app-2", "app-2")
TWIN_PLACE = Place(TWIN, URN, URN)
CANARIES = (
    SECRET, quote(SECRET, safe=""), b64encode(f"{CLIENT}:{SECRET}".encode()).decode(), REFRESH, NEXT, ACCESS, CODE,
)  # fmt: skip
DAY = 86_400.0
NOW = 1_780_000_000.0  # seconds since 1970


def given(access: str = ACCESS, **fields: object) -> Play:
    """A token server's answer."""
    body = {"access_token": access, "expires_in": 3599, "token_type": "Bearer"} | fields
    return Play(http(200, json.dumps(body)))


def refreshed(number: int = 2) -> Play:
    """The answer to a refresh: new tokens, both."""
    return given(f"canary-access-{number:04}", refresh_token=f"canary-refresh-{number:04}")


def answer(body: object, status: int = 200, *headers: str) -> Play:
    return Play(http(status, body if isinstance(body, str) else json.dumps(body), *headers))


def denied(error: str, status: int = 400) -> Play:
    return answer({"error": error, "error_description": f"it is {REFRESH}, {SECRET}"}, status)


def collaborator(number: int, **fields: object) -> dict[str, object]:
    base: dict[str, object] = {
        "userId": f"ID{number}", "firstName": "Ada", "lastName": f"L{number}", "email": f"ada{number}@example.com",
        "accessLevel": "VIEWER", "createdAt": "2019-01-01T00:00:00Z",
    }  # fmt: skip
    return base | fields


def page(*results: object, next_url: object = None, **pagination: object) -> Play:
    about: dict[str, object] = {"limit": 100, **pagination}
    if next_url is not None:
        about["nextUrl"] = next_url
    return answer({"pagination": about, "results": list(results)})


def settings(url: str, **changes: Any) -> AutodeskSettings:
    values: dict[str, Any] = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "base_url": url,
        "applications": ["app-1", "app-2"],
        "twins": [URN],
        "requests_per_second": 0.0,
        "timeout": "5s",
    }
    merged = values | changes
    return AutodeskSettings.model_validate(
        {name: value for name, value in merged.items() if value is not None}
    )


@dataclass
class Aim:
    """Autodesk aimed at a server, with a clock that does not need to be waited for."""

    access: AutodeskAccess
    autodesk: Autodesk
    vault: Vault
    time: FakeTime
    log: Lines
    stop: threading.Event
    now: list[float]


@contextmanager
def aimed(
    server: Scripted | str, directory: Path, *, signed_in: bool = True, bootstrap: str = "",
    printers: str | None = None, assertion: Assert | None = None, **changes: Any,
) -> Iterator[Aim]:  # fmt: skip
    """At the end no log line may hold a secret, and no request to the API anything but a bearer token."""
    url = server if isinstance(server, str) else server.url
    time, log, stop, now = FakeTime(), Lines(), threading.Event(), [NOW]
    wanted = settings(url, **changes)
    vault = Vault(
        directory / "tokens",
        "acme",
        wanted.client_id,
        url,
        bootstrap=bootstrap,
        wait=time.wait,
        now=lambda: now[0],
    )
    if signed_in:
        vault.store(REFRESH, ("application:client:read", "data:read"))
    autodesk = Autodesk(
        wanted,
        "acme",
        vault,
        stop,
        log,
        assertion=assertion,
        wait=time.wait,
        clock=time.clock,
        random=lambda: 1.0,
    )
    gateway = {"base_url": printers, "registrations": {"874": {"group": "3D"}}} if printers else None
    access = AutodeskAccess(autodesk, PrintersSettings.model_validate(gateway) if gateway else None)
    try:
        yield Aim(access, autodesk, vault, time, log, stop, now)
    finally:
        access.close()
    quiet(str(log.lines), repr(vars(autodesk)), repr(vault.__dict__))


def quiet(*texts: str) -> None:
    """None of these shows a secret."""
    for canary in CANARIES:
        assert not [text for text in texts if canary in text], canary


def forms(server: Scripted) -> list[dict[str, str]]:
    """What the token server was asked."""
    return [
        {name: values[0] for name, values in parse_qs(one.body.decode()).items()}
        for one in server.token_requests
    ]


def bearer(seen: Seen) -> str:
    return seen.headers["authorization"].removeprefix("Bearer ")


def kept(directory: Path) -> dict[str, Any]:
    """The token file."""
    found: dict[str, Any] = json.loads((directory / "tokens" / "acme.json").read_bytes())
    return found
