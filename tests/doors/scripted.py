"""A tiny HTTP server on a raw socket that plays given bytes, and what is needed to aim Orbix at it."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import SecretStr

from rosterd.core.people import Grouping, Person, sort_key
from rosterd.orbix.client import Orbix
from rosterd.orbix.settings import OrbixSettings

SECRET = "canary-s3cret/+value="
TOKEN = "canary-token-0123456789"
TOKEN_PATHS = ("/connect/token", "/authentication/v2/token")  # of Orbix and of Autodesk
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Play:
    """What is done with one request: bytes sent (with `drip` one by one, seconds apart), then an end."""

    data: bytes = b""
    then: Literal["keep", "close", "reset", "hang", "flood"] = "keep"
    drip: float = 0.0
    at_once: int = 0  # how many bytes come before the drip begins
    piece: bytes = b""  # what a flood repeats until the client has enough
    early: bool = False  # answer when the head is there, without reading the body
    before: Callable[[], object] | None = None  # called when the request has arrived


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    method: str = "POST"

    def json(self) -> Any:
        return json.loads(self.body)


def http(status: int, body: bytes | str = b"", *headers: str) -> bytes:
    """A whole answer."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


def ok(body: str = "[]") -> Play:
    return Play(http(201, body))


def token_body(**fields: object) -> str:
    return json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"} | fields)


@dataclass
class Scripted:
    """Plays `plays` in turn for the API and `tokens` for the token server; the last one is repeated."""

    plays: Sequence[Play]
    tokens: Sequence[Play] = field(default_factory=lambda: [Play(http(200, token_body()))])
    resets_at_accept: int = 0
    context: ssl.SSLContext | None = None
    tunnel: tuple[str, int] | None = None  # a proxy: every CONNECT leads here

    def __post_init__(self) -> None:
        self.seen: list[Seen] = []
        self.token_requests: list[Seen] = []
        self.heads: list[str] = []
        self.connections = self.serving = 0
        self.ending = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        with self._lock:
            still_open = [self._listener, *self._open]
        for sock in still_open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(5)
        self._listener.close()

    def bodies(self) -> list[bytes]:
        return [seen.body for seen in self.seen]

    def _start(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.ending.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.connections <= self.resets_at_accept:
                _reset(connection)
                continue
            with self._lock:
                self._open.append(connection)
            self._start(self._serve, connection, self.connections)

    def _serve(self, connection: socket.socket, number: int) -> None:
        self.serving += 1
        if self.context:
            try:
                connection = self.context.wrap_socket(connection, server_side=True)
            except OSError:
                return connection.close()
        reader = connection.makefile("rb")
        try:
            if self.tunnel:
                return self._relay(reader, connection, self.tunnel)
            while (play := self._next(reader, number)) is not None:
                if play.before:
                    play.before()
                self._send(connection, play)
                while play.then == "flood" and not self.ending.is_set():
                    connection.sendall(play.piece)
                if play.then == "hang":
                    self.ending.wait()
                if play.then == "reset":
                    _reset(connection)
                if play.then != "keep":
                    break
        except OSError:
            pass  # the client has gone
        finally:
            reader.close()
            connection.close()
            self.serving -= 1

    def _relay(self, reader: Any, connection: socket.socket, to: tuple[str, int]) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += reader.readline()
        self.heads.append(head.decode())
        with socket.create_connection(to) as far:
            connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            self._start(_copy, far, connection)
            _copy(connection, far)

    def _next(self, reader: Any, number: int) -> Play | None:
        """Reads a request and says what to do with it; None at the end of the connection."""
        line = reader.readline().decode("latin-1")
        if not line.strip():
            return None
        headers: dict[str, str] = {}
        while (header := reader.readline().decode("latin-1").strip()) != "":
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        method, path = line.split()[:2]
        with self._lock:
            api = path not in TOKEN_PATHS
            book, plays = (self.seen, self.plays) if api else (self.token_requests, self.tokens)
            play = plays[min(len(book), len(plays) - 1)]
            book.append(Seen(path, headers, b"", number, method))
            at = len(book) - 1
        if not play.early:
            body = reader.read(int(headers.get("content-length", "0")))
            with self._lock:
                book[at] = Seen(path, headers, body, number, method)
        return play

    def _send(self, connection: socket.socket, play: Play) -> None:
        if not play.drip:
            connection.sendall(play.data)
            return
        connection.sendall(play.data[: play.at_once])
        for at in range(play.at_once, len(play.data)):
            connection.sendall(play.data[at : at + 1])
            if self.ending.wait(play.drip):
                return


def _copy(near: socket.socket, far: socket.socket) -> None:
    """Passes on bytes until one side ends."""
    with suppress(OSError):
        while data := near.recv(65536):
            far.sendall(data)
        far.shutdown(socket.SHUT_WR)


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


class FakeTime:
    """A clock that only `wait` moves; `stop_at` ends the wait in which that second falls."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.waits: list[float] = []
        self.stop_at = float("inf")
        self._lock = threading.Lock()

    def clock(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> bool:
        with self._lock:
            self.waits.append(seconds)
            self.seconds += seconds
            return self.seconds >= self.stop_at


class Lines:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **more: Any) -> None:
        self.lines.append((event, more))

    warning = info

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


def settings(url: str, **changes: Any) -> OrbixSettings:
    values: dict[str, Any] = {
        "base_url": f"{url}/api",
        "token_url": f"{url}/connect/token",
        "tenant": "provider-one",
        "client_id": "rosterd",
        "client_secret": SecretStr(SECRET),
        "requests_per_second": 0.0,
        "timeout": "5s",
    }
    return OrbixSettings.model_validate(values | changes)


@dataclass
class Aimed:
    """Orbix aimed at a server, with a clock that does not need to be waited for."""

    orbix: Orbix
    time: FakeTime
    log: Lines
    stop: threading.Event


@contextmanager
def aimed(url: str, *, random: float = 1.0, **changes: Any) -> Iterator[Aimed]:
    time, log, stop = FakeTime(), Lines(), threading.Event()
    orbix = Orbix(
        settings(url, **changes), stop, log, wait=time.wait, clock=time.clock, random=lambda: random
    )
    try:
        yield Aimed(orbix, time, log, stop)
    finally:
        orbix.close()


def person(logon: str, domain: str = "NDD", name: str = "", email: str = "") -> Person:
    return Person(sort_key(domain, logon), domain, logon, name, email)


def people(count: int) -> list[Person]:
    return [person(f"user{n:05}", name=f"João {n}", email=f"user{n}@example.com") for n in range(count)]


def grouping(name: str, *members: Person, description: str = "") -> Grouping:
    return Grouping(sort_key(name), name, description, members)
