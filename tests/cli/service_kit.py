"""A service that runs in a test: its log read line by line, and the manager that it notifies."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.canaries import leaks
from tests.cli.kit import PATIENCE, Office


def soon(seconds: float = 1.0) -> float:
    """A bound of so many seconds on a machine that has nothing else to do, wider on one whose cores are shared."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(holds: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Running:
    """The process, and every line of its log as a document."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.lines.append(json.loads(line) if line.startswith("{") else {"event": line})
                self._more.notify_all()
        with self._more:
            self._more.notify_all()

    def said(self, event: str, **more: Any) -> list[dict[str, Any]]:
        """The lines of one event with these values."""
        wanted = {"event": event, **more}
        return [line for line in list(self.lines) if wanted.items() <= line.items()]

    def wait(self, event: str, count: int = 1, seconds: float = PATIENCE, **more: Any) -> dict[str, Any]:
        """Waits until an event was logged so often; gives the last of them."""
        until = time.monotonic() + seconds
        with self._more:
            while len(found := self.said(event, **more)) < count:
                left = until - time.monotonic()
                alive = self.process.poll() is None
                assert left > 0 and alive, f"waited in vain for {event} {more}: {self.lines[-20:]}"
                self._more.wait(min(left, 0.5))
        return found[count - 1]

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Seconds until it was gone after a signal; it must end 0 and without a traceback."""
        begun = time.monotonic()
        self.process.send_signal(number)
        assert self.process.wait(PATIENCE) == 0, self.lines[-20:]
        seconds = time.monotonic() - begun
        self._reader.join(5)
        assert not [line for line in self.lines if "exception" in line or "Traceback" in str(line)], (
            self.lines
        )
        return seconds


@contextmanager
def service(office: Office, *arguments: str, ready: bool = True, **options: Any) -> Iterator[Running]:
    """`rosterd run` until the end of the block, where it is killed if it still runs."""
    with office.started("run", "--log-format", "json", *arguments, **options) as process:
        running = Running(process)
        if ready:
            running.wait("serving")
        yield running
        assert not (found := leaks(json.dumps(running.lines, ensure_ascii=False))), found


class Manager:
    """What systemd is to the service: a datagram socket, and what arrived there."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.2)
        self.heard: list[str] = []
        self.env = {"NOTIFY_SOCKET": str(path)}

    def until(self, holds: Callable[[list[str]], object], seconds: float = PATIENCE) -> None:
        """Listens until a condition holds."""
        until = time.monotonic() + seconds
        while not holds(self.heard):
            assert time.monotonic() < until, self.heard
            try:
                self.heard += self._socket.recv(65_536).decode().split("\n")
            except TimeoutError:
                continue

    def close(self) -> None:
        self._socket.close()


class Receiver:
    """An HTTP server that keeps what is posted to it and answers with the statuses it was given, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.posted: list[tuple[str, Any]] = []
        answers = list(statuses)
        posted = self.posted

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                posted.append((self.path, json.loads(body)))
                self.send_response(answers.pop(0) if answers else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hooks/T0/canary?sig=Kanary%2B1"


def open_files(pid: int) -> int:
    """Descriptors that a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
