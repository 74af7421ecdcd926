"""The shapes in which Autodesk's services refuse: no two alike.

From the vendor's pages: JSON with developerMessage, errorCode and moreInfo; a 403 as plain text; a 401 with an empty
body and the reason in the header x-ads-troubleshooting; the printer service's own object. The token server's words
are those of RFC 6749, 5.2.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from uuid import uuid4

from rosterd.sandbox.wire import NOBODY, About, Response, dumps, json_response

MORE = "https://aps.autodesk.com/en/docs/oauth/v2/developers_guide/error_handling/"
NO_STORE = (("Cache-Control", "no-store"), ("Pragma", "no-cache"))


def developer(status: int, code: str, message: str, about: About = NOBODY) -> Response:
    """The shape most services use."""
    body = {"developerMessage": message, "moreInfo": MORE, "errorCode": code}
    return json_response(status, body, about)


def text(status: int, message: str, about: About = NOBODY) -> Response:
    """A refusal in plain words."""
    return Response(status, message.encode(), kind="text/plain; charset=utf-8", about=about)


def header(status: int, reason: str, about: About = NOBODY) -> Response:
    """Nothing but a header."""
    return Response(status, headers=(("x-ads-troubleshooting", reason),), about=about)


def printer(status: int, code: str, message: str, about: About = NOBODY) -> Response:
    """The printer service's shape."""
    body = {"error_id": secrets.token_hex(8), "code": code, "message": message}
    return json_response(status, body, about)


def oauth(error: str, description: str, about: About = NOBODY) -> Response:
    """The token server's shape."""
    body = {"error": error, "error_description": description}
    return Response(400, dumps(body), NO_STORE, about=about)


SHAPES: dict[str, Callable[[int, str], Response]] = {
    "json": lambda status, words: developer(status, "GEN-001", words),
    "text": text,
    "header": header,
    "printer": lambda status, words: printer(status, words.upper().replace(" ", "_"), words),
}


_KNOWN = frozenset(int(status) for status in HTTPStatus)


def of_status(status: int, shape: str, retry_after: float) -> Response:
    """A refusal of this status in one of the SHAPES; 429 says how many seconds to wait."""
    words = HTTPStatus(status).phrase if status in _KNOWN else "Unknown"
    refusal = SHAPES[shape](status, words)
    wait = (("Retry-After", f"{retry_after:g}"),) if status == HTTPStatus.TOO_MANY_REQUESTS else ()
    headers = (*refusal.headers, *wait, ("x-request-id", str(uuid4())))
    return replace(refusal, headers=headers)
