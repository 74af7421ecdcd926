"""The sandbox on a socket: a thread for each connection, one write for each answer."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from rosterd.sandbox import http1
from rosterd.sandbox.app import Sandbox
from rosterd.sandbox.faults import Faults
from rosterd.sandbox.state import World
from rosterd.sandbox.switches import Switches
from rosterd.sandbox.wire import Answer, Ending, Request, Response, plain

# Certificate chain and key, both PEM files.
Certificate: TypeAlias = "tuple[str | Path, str | Path]"

RESET = struct.pack("ii", 1, 0)  # SO_LINGER, no seconds: close sends RST (socket(7))
TICK = 0.05  # seconds between the pieces of a slow body
JOIN = 5.0  # seconds that `close` waits for a thread


class Server:
    """A running sandbox; `close` ends it at once, whatever its connections are doing."""

    def __init__(self, sandbox: Sandbox, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        self._sandbox = sandbox
        self._listener = listener
        self._context = context
        self._lock = threading.Lock()
        self._open: dict[threading.Thread, socket.socket] = {}
        host, self.port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if context else 'http'}://{shown}:{self.port}"
        self.base_url = self.url + sandbox.switches.base_path
        self.token_url = f"{self.url}/connect/token"
        self._thread = threading.Thread(target=self._accept, name="sandbox", daemon=True)
        self._thread.start()

    @property
    def world(self) -> World:
        """What the services hold."""
        return self._sandbox.world

    @property
    def faults(self) -> Faults:
        """The faults that are set."""
        return self._sandbox.faults

    def close(self) -> None:
        """Ends every connection and waits for the threads. The world stays open; may be called twice."""
        self._sandbox.stopping.set()
        _shut(self._listener)
        self._thread.join(JOIN)
        self._listener.close()
        with self._lock:
            still_open = dict(self._open)
        for connection in still_open.values():
            _shut(connection)
        for thread in still_open:
            thread.join(JOIN)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._sandbox.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                self._sandbox.stopping.wait(TICK)  # closed, or out of files: then later
                continue
            if self._sandbox.at_accept():
                _end(connection, "reset")
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            with self._lock:
                self._open[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        ending: Ending = "close"
        try:
            if self._context:
                tls = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._open[threading.current_thread()] = connection = tls
                tls.do_handshake()
            ending = self._converse(connection)
        except OSError:
            pass  # the client has gone, or the handshake failed: its own affair
        finally:
            with self._lock:
                self._open.pop(threading.current_thread(), None)
            _end(connection, ending)

    def _converse(self, connection: socket.socket) -> Ending:
        buffer = bytearray()
        while not self._sandbox.stopping.is_set():
            try:
                head = http1.read_head(connection, buffer)
                if head is None:
                    return "close"
                if self._context:
                    head = replace(head, scheme="https")
                answer = self._exchange(connection, buffer, head)
            except http1.BadRequest as error:
                answer = plain(Response(error.status, headers=(("Connection", "close"),)), ending="close")
                head = None
            if answer is None:
                return "close"
            self._send(connection, answer)
            if answer.ending != "keep" or head is None or _last(head):
                return answer.ending if answer.ending != "keep" else "close"
        return "close"

    def _exchange(self, connection: socket.socket, buffer: bytearray, head: Request) -> Answer | None:
        length = http1.body_length(head)
        early = self._sandbox.early(head, length)
        if early is not None:
            return early
        request = http1.read_body(connection, buffer, head, length)
        if request is None:
            return None
        return self._sandbox.answer(request)

    def _send(self, connection: socket.socket, answer: Answer) -> None:
        if not answer.rate:
            connection.sendall(answer.head + answer.body)
            return
        connection.sendall(answer.head)
        step = max(1, int(answer.rate * TICK))
        for start in range(0, len(answer.body), step):
            if self._sandbox.stopping.wait(step / answer.rate):
                return
            connection.sendall(answer.body[start : start + step])


def _last(head: Request) -> bool:
    return "close" in head.headers.get("connection", "").lower()


def _shut(sock: socket.socket) -> None:
    """Wakes whoever waits on the socket; not through TLS, whose own state belongs to that thread."""
    with suppress(OSError):  # not connected any more
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _end(connection: socket.socket, ending: Ending) -> None:
    if ending == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    else:
        _shut(connection)
    connection.close()


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    world: World | None = None,
    switches: Switches | None = None,
    faults: Faults | None = None,
    tls: Certificate | None = None,
    autodesk: dict[str, Any] | None = None,
) -> Server:
    """Starts the sandbox; port 0 takes a free one. Raises OSError when the address cannot be had.

    autodesk: what Autodesk holds, see `autodesk.document`; not with a world, which has its own. Raises ValueError.
    """
    if world is not None and autodesk is not None:
        raise ValueError("a world that is given has its own document: World(autodesk=…)")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    sandbox = Sandbox(world or World(autodesk=autodesk), switches or Switches(), faults or Faults())
    listener = socket.create_server((host, port), family=family, backlog=128)
    return Server(sandbox, listener, context)
