"""Waits on loopback for the browser to come back from a sign-in (RFC 8252, 7.3)."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from rosterd.errors import CredentialsError, SettingsError, Stopped

LOOK = 0.25  # seconds between two looks at the stop event
IDLE = 10.0  # seconds a connection may say nothing; browsers open some that they never use
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;
padding:0 1rem;color-scheme:light dark}}</style><h1>{title}</h1><p>{words}</p></html>
"""
_THERE = ("rosterd has the answer", "You can close this page. The terminal says whether the sign-in worked.")
_FOREIGN = ("Not this sign-in", "This answer belongs to another sign-in. Start again from the terminal.")
_NOTHING = ("Nothing here", "rosterd only waits here for the answer to a sign-in.")
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


class Listener:
    """Listens where `redirect_url` leads. `port` is the one it got."""

    def __init__(self, server: ThreadingHTTPServer, answers: queue.SimpleQueue[str]) -> None:
        self._answers = answers
        self.port = int(server.server_address[1])

    def answer(self, seconds: float, stop: threading.Event) -> str:
        """The query that the browser brought. Raises CredentialsError when none came in time, or Stopped."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if stop.is_set():
                raise Stopped
            try:
                return self._answers.get(timeout=min(LOOK, left))
            except queue.Empty:
                continue
        what = f"nobody came back from Autodesk within {seconds / 60:.0f} minutes"
        raise CredentialsError(what, hint="start again; on a machine without a browser, use --paste")


@contextmanager
def listening(redirect_url: str, ours: Callable[[str], bool]) -> Iterator[Listener]:
    """Listens on loopback while the block runs: at the address, or at 127.0.0.1 for a name.

    `ours` says whether a query belongs to this sign-in: others are turned away, and the wait goes on. Raises
    SettingsError for an address that cannot be listened on.
    """
    parts = urlsplit(redirect_url)
    if parts.scheme != "http" or parts.port is None:
        hint = "use --paste, or register one such as http://localhost:8910/callback"
        raise SettingsError(
            "this redirect_url does not lead to a port of this machine", where=redirect_url, hint=hint
        )
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    handler = partial(_Handler, parts.path or "/", ours, answers)
    try:
        server = _server(parts.hostname or "", parts.port, handler)
    except OSError as error:
        hint = "is another sign-in under way? Else use --paste, or register another port in redirect_url"
        raise SettingsError(
            f"cannot be listened on: {error.strerror}", where=redirect_url, hint=hint
        ) from None
    thread = threading.Thread(target=server.serve_forever, args=(LOOK,), daemon=True)
    thread.start()
    try:
        yield Listener(server, answers)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _server(host: str, port: int, handler: Callable[..., BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        address = ip_address(host)
    except ValueError:
        return _Server(("127.0.0.1", port), handler)
    return (_Server if address.version == 4 else _Server6)((str(address), port), handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser's spare connection must not hold the end up

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no news."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    timeout = IDLE
    server_version = "rosterd"
    sys_version = ""

    def __init__(
        self, path: str, ours: Callable[[str], bool], answers: queue.SimpleQueue[str], *rest: Any
    ) -> None:
        self._there, self._ours, self._answers = path, ours, answers
        super().__init__(*rest)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != self._there:
            self._say(404, *_NOTHING)
        elif not self._ours(parts.query):
            self._say(400, *_FOREIGN)
        else:
            self._say(200, *_THERE)
            self._answers.put(parts.query)

    def _say(self, status: int, title: str, words: str) -> None:
        body = _PAGE.format(title=title, words=words).encode()
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Not logged: the request line holds the code."""
