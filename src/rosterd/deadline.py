"""Connections whose every step ends within one request's time, however slowly the other side drips.

A timeout of a socket is per step; here a request has a total deadline, a bound once the process was asked to stop,
and a look at the stop event while it waits. The clock is time.monotonic.
"""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import httpcore

from rosterd.errors import Stopped

GRACE = 15.0  # seconds that a request in flight may still take once the process was asked to stop
CONNECT = 10.0  # seconds for one connection attempt or TLS handshake
LOOK = 0.25  # seconds between two looks at the stop event while waiting for an answer
SLICE = 1 << 16  # bytes written at once
Resolver = Callable[..., list[Any]]  # socket.getaddrinfo


class Watch(threading.local):
    """The time one request has left; one per thread, because a request runs in the thread that sends it."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.begin(0.0)

    def begin(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.sent = self.heard = self.stopping = False

    def left(self, late: type[Exception], most: float) -> float:
        """Seconds for the next step, at most `most`; raises `late` when the time is up."""
        now = time.monotonic()
        if self.stop.is_set() and not self.stopping:
            self.stopping, self.until = True, min(self.until, now + GRACE)
        if self.until <= now:
            raise late
        return min(most, self.until - now)

    def halt(self) -> None:
        """Before anything of the request has left, the stop event ends it at once."""
        if self.stop.is_set() and not self.sent:
            raise Stopped


class _Stream(httpcore.NetworkStream):
    """A stream whose every step ends within the request's time, however slowly the other side drips."""

    def __init__(self, inner: httpcore.NetworkStream, watch: Watch) -> None:
        self._inner, self._watch = inner, watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            timeout = self._watch.left(httpcore.ReadTimeout, LOOK)
            with contextlib.suppress(httpcore.ReadTimeout):
                data = self._inner.read(max_bytes, timeout)
                self._watch.heard = True
                return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._watch.halt()
        self._watch.sent = True
        for at in range(0, len(buffer), SLICE):
            timeout = self._watch.left(httpcore.WriteTimeout, GRACE)
            try:
                self._inner.write(buffer[at : at + SLICE], timeout)
            except httpcore.WriteTimeout:
                if self._inner.get_extra_info("is_readable"):  # an early answer, perhaps 413: go and read it
                    raise httpcore.WriteError from None
                raise

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = self._watch.left(httpcore.ConnectTimeout, CONNECT)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, timeout), self._watch)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Backend(httpcore.NetworkBackend):
    """Connects within the request's time, to each address of the host in turn, asked for anew every time."""

    def __init__(self, watch: Watch, resolve: Resolver) -> None:
        self._watch, self._resolve, self._connect = watch, resolve, httpcore.SyncBackend().connect_tcp

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *rest: Any, **options: Any
    ) -> httpcore.NetworkStream:
        addresses = self._addresses(host, port)
        for left in range(len(addresses), 0, -1):
            self._watch.halt()
            timeout = self._watch.left(httpcore.ConnectTimeout, CONNECT * left) / left
            try:
                return _Stream(self._connect(addresses[-left], port, timeout, *rest, **options), self._watch)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
        raise httpcore.ConnectError("the host has no address")

    def _addresses(self, host: str, port: int) -> list[str]:
        """In a thread, because the resolver knows no deadline."""
        if re.fullmatch(r"[0-9.]+|.*:.*", host):  # an IP address: nothing to ask
            return [host]
        found: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()
        try:
            threading.Thread(target=self._look_up, args=(host, port, found), daemon=True).start()
            answer = found.get(timeout=self._watch.left(httpcore.ConnectTimeout, CONNECT))
        except (queue.Empty, RuntimeError) as error:  # no answer, or no thread to be had
            raise httpcore.ConnectError(str(error) or "the name was not resolved in time") from None
        if isinstance(answer, Exception):
            raise httpcore.ConnectError(f"the name is not known: {answer}")
        return answer

    def _look_up(self, host: str, port: int, found: queue.SimpleQueue[list[str] | Exception]) -> None:
        try:
            found.put([row[4][0] for row in self._resolve(host, port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:
            found.put(error)
