"""A socket that keeps a budget: a deadline, a longest silence, a number of bytes, and the stop event.

A time-out of the operating system is per receive: a server that drips a byte a second never meets it. So the
time-out is set anew before every receive, to what is left, in slices short enough to see the stop event.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from dataclasses import dataclass
from math import inf
from typing import Any

from rosterd.errors import SourceError, Stopped
from rosterd.sources.ldap.faults import Unusable, told

SLICE = 0.5  # seconds after which a waiting receive looks at the stop event


@dataclass
class Budget:
    """What a read may still cost. `ends` is on the monotonic clock; `silence` is seconds per receive.

    `in_by`: until when the server must have let us in, on the same clock.
    """

    ends: float
    deadline: float
    silence: float
    bytes_left: int
    max_bytes: int
    stop: threading.Event
    in_by: float = inf

    def check(self, waiting_since: float) -> float:
        """Seconds the next wait may take. Raises Stopped, SourceError (deadline) or Unusable (silence, `in_by`)."""
        if self.stop.is_set():
            raise Stopped
        now = time.monotonic()
        if now >= self.ends:
            raise SourceError(
                f"the read took longer than its deadline of {self.deadline:g} s",
                hint="raise `deadline` of this source, or ask why the server is slow",
            )
        quiet = waiting_since + self.silence
        if now >= quiet:
            raise Unusable(
                f"the server said nothing for {self.silence:g} s",
                hint="raise `timeout` of this source, or ask why the server is slow",
            )
        if now >= self.in_by:
            raise Unusable(
                f"the server did not let us in within {self.silence:g} s",
                hint="raise `timeout` of this source, or ask why the server is slow",
            )
        return min(SLICE, self.ends - now, quiet - now, self.in_by - now)

    def left(self) -> float:
        """Seconds a step that cannot be sliced may take."""
        self.check(time.monotonic())
        return min(self.silence, max(min(self.ends, self.in_by) - time.monotonic(), 0.01))

    def spend(self, size: int) -> None:
        """Counts received bytes; SourceError when there are too many."""
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise SourceError(
                f"the server sent more than the {self.max_bytes:,} bytes allowed for one read",
                hint="raise `max_bytes` of this source if the directory is really that large",
            )


class Line:
    """The socket of one connection, plain or TLS, with the budget of whoever reads at the moment."""

    def __init__(self, opened: socket.socket, budget: Budget) -> None:
        self.socket = opened
        self.budget = budget

    def recv(self, size: int) -> bytes:
        """Some bytes. Raises Stopped, SourceError, or Unusable when the connection ends."""
        began = time.monotonic()
        while True:
            self.socket.settimeout(self.budget.check(began))
            try:
                data = self.socket.recv(size)
            except TimeoutError:
                continue
            except OSError as error:
                raise _lost(error) from error
            if not data:
                raise Unusable("the server closed the connection", hint="its log may say why")
            self.budget.spend(len(data))
            return data

    def sendall(self, data: bytes) -> None:
        """Sends everything. Raises Stopped, SourceError, or Unusable when the connection ends."""
        self.socket.settimeout(self.budget.left())
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise _lost(error) from error

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Speaks TLS from here on; ssl.SSLError when the server's certificate or version is not accepted."""
        self.socket.settimeout(self.budget.left())
        began = time.monotonic()
        plain = self.socket
        assert not isinstance(plain, ssl.SSLSocket)
        self.socket = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        while True:
            self.socket.settimeout(self.budget.check(began))
            try:
                self.socket.do_handshake()
            except TimeoutError:
                continue
            return

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The server's certificate, as a TLS socket gives it: ldap3 binds a Kerberos handshake to it."""
        if not isinstance(self.socket, ssl.SSLSocket):
            raise ValueError("there is no TLS")
        return self.socket.getpeercert(binary_form)

    def close(self) -> None:
        """Closes the socket without a word to the server."""
        self.socket.close()


def _lost(error: OSError) -> Unusable:
    why = told(error)
    return Unusable(why.what, hint=why.hint)
