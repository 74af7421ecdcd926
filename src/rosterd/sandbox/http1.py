"""Just enough HTTP/1.1 (RFC 9112) to serve: heads, and bodies of a known length."""

from __future__ import annotations

import socket
from dataclasses import replace
from urllib.parse import unquote

from rosterd.sandbox.wire import Request

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 1024 * 1024 * 1024
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class BadRequest(Exception):
    """The bytes are not a request that can be served; `status` is the answer."""

    def __init__(self, status: int = 400) -> None:
        self.status = status
        super().__init__(f"status {status}")


def read_head(connection: socket.socket, buffer: bytearray) -> Request | None:
    """The head of the next request, or None when the client has gone; raises BadRequest."""
    while (end := buffer.find(b"\r\n\r\n")) < 0:
        if len(buffer) > HEAD_LIMIT:
            raise BadRequest(431)
        data = connection.recv(HEAD_LIMIT)
        if not data:
            return None
        buffer += data
    head = bytes(buffer[:end]).decode("latin-1")
    del buffer[: end + 4]
    return parse_head(head)


def parse_head(head: str) -> Request:
    """A request without its body; raises BadRequest."""
    first, *lines = head.split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest
    headers: dict[str, str] = {"connection": "close"} if parts[2] == "HTTP/1.0" else {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequest
        headers[name.lower()] = value.strip()
    path, _, query = parts[1].partition("?")
    return Request(parts[0], unquote(path), query, headers)


def body_length(head: Request) -> int:
    """How many bytes follow the head; raises BadRequest. Chunked requests are asked to say their length."""
    if "transfer-encoding" in head.headers:
        raise BadRequest(411)
    text = head.headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()):
        raise BadRequest
    length = int(text[:20])
    if length > BODY_LIMIT:
        raise BadRequest(413)
    return length


def read_body(connection: socket.socket, buffer: bytearray, head: Request, length: int) -> Request | None:
    """The whole request, or None when the client went before it was sent."""
    if not length:
        return head
    if head.headers.get("expect", "").lower() == "100-continue" and not buffer:
        connection.sendall(CONTINUE)
    body = bytearray(length)
    have = min(length, len(buffer))
    body[:have] = buffer[:have]
    del buffer[:have]
    with memoryview(body) as view:
        while have < length:
            got = connection.recv_into(view[have:])
            if not got:
                return None
            have += got
    return replace(head, body=bytes(body))
