"""What travels: a request, the response to it, and the answer that is put on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, TypeAlias

JSON = "application/json; charset=utf-8"

# What happens to the connection after an answer: kept, closed (FIN) or reset (RST).
Ending: TypeAlias = Literal["keep", "close", "reset"]

NO_BODY = frozenset({204, 304})  # RFC 9110, 6.4.1


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are lower case, the path has no query and is decoded."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    scheme: str = "http"


@dataclass(frozen=True, slots=True)
class About:
    """Whose request it was and how many records it carried, for the list of requests."""

    tenant: str = ""
    client: str = ""
    records: int = 0
    groupings: int = 0


NOBODY = About()


@dataclass(frozen=True, slots=True)
class Response:
    """A well-formed response."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = JSON
    about: About = NOBODY


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes an answer consists of, and how they are sent.

    status: what the list of requests shows, None when no status line is sent. wait: seconds before the
    first byte. rate: bytes of body per second, 0 for all at once.
    """

    status: int | None
    head: bytes = b""
    body: bytes = b""
    wait: float = 0.0
    rate: float = 0.0
    ending: Ending = "keep"


def dumps(value: object) -> bytes:
    """Compact JSON; lone surrogates, which UTF-8 cannot carry, leave as escapes."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def json_response(status: int, value: object, about: About = NOBODY) -> Response:
    """A response with a JSON body."""
    return Response(status, dumps(value), about=about)


def status_line(status: int) -> bytes:
    """The first line of an answer."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


def head_of(response: Response, length: int | None = None) -> bytes:
    """The status line and headers; `length` stands in for the length of the body."""
    lines = [f"{name}: {value}\r\n" for name, value in response.headers]
    if response.status not in NO_BODY:
        size = len(response.body) if length is None else length
        lines.append(f"Content-Length: {size}\r\n")
        if response.body:
            lines.append(f"Content-Type: {response.kind}\r\n")
    return status_line(response.status) + "".join(lines).encode("latin-1", "replace") + b"\r\n"


def plain(response: Response, ending: Ending = "keep") -> Answer:
    """The answer an honest server sends."""
    body = b"" if response.status in NO_BODY else response.body
    return Answer(response.status, head_of(response), body, ending=ending)
