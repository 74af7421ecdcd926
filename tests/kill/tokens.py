"""A refresh of a sign-in, killed at every write-class system call, against a token server that rotates strictly.

`python -m tests.kill.tokens WHAT DIRECTORY` prints one JSON document. The server lives in this process, and knows
which refresh token is good: so after each death it can be said whether the protocol let the sign-in be kept.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.doors.autodesk_kit import APP, aimed
from tests.kill.tracing import FILES, MOST, OPENS, SENDS, killed_at, traced

from rosterd.autodesk.vault import Vault
from rosterd.errors import CredentialsError

FIRST = "canary-refresh-0001"
SETTINGS = "the-refresh-token-of-the-settings"


class Rotating(HTTPServer):
    """A token server whose refresh tokens work once. It serves one connection after the other."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.good, self.served, self.asked = FIRST, 0, 0
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def restart(self, first: str = FIRST) -> None:
        """As if nobody had ever signed in before."""
        self.good, self.served = first, 0

    def settle(self) -> None:
        """Waits until what was asked before this has been served."""
        connection = HTTPConnection("127.0.0.1", int(self.server_address[1]), timeout=30)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()

    def answer(self, body: bytes) -> tuple[int, dict[str, object]]:
        """The answer to one request for tokens."""
        self.asked += 1
        if parse_qs(body.decode()).get("refresh_token") != [self.good]:
            return 400, {"error": "invalid_grant"}
        self.served += 1
        self.good = f"canary-refresh-{self.served + 1:04}"
        return 200, {"access_token": f"canary-access-{self.served:04}", "refresh_token": self.good}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked is dead."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._say(200, {"results": []})

    def do_POST(self) -> None:
        assert isinstance(self.server, Rotating)
        body = self.rfile.read(length := int(self.headers["Content-Length"]))
        if len(body) == length:
            self._say(*self.server.answer(body))

    def _say(self, status: int, document: dict[str, object]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def refresh(server: Rotating, directory: Path, bootstrap: str = "") -> int:
    """What a run does before its first question: 0 with a token, 3 when somebody must sign in."""
    with aimed(server.url, directory, signed_in=False, attempts=1, bootstrap=bootstrap) as aim:
        try:
            aim.autodesk.user.current()
        except CredentialsError as error:
            assert "rosterd sign-in acme" in error.hint
            return 3
    return 0


def sign_in(server: Rotating, directory: Path) -> int:
    """What `rosterd sign-in` leaves: the first token, kept."""
    with aimed(server.url, directory):
        return 0


def stored(directory: Path) -> str:
    """The refresh token in the file, "" when there is none."""
    path = directory / "tokens" / "acme.json"
    return str(json.loads(path.read_bytes())["refresh_token"]) if path.exists() else ""


def every(calls: str, once: Callable[[str, int], bool]) -> int:
    """Goes through the first, second, … of each of these calls, as long as `once` reaches it; gives how many.

    One kind of call at a time: strace counts each kind on its own, and would pass over calls of mixed kinds.
    """
    reached = 0
    for call in calls.split(","):
        number = 1
        while number < MOST and once(call, number):
            number += 1
        reached += number - 1
    return reached


def refreshes(directory: Path, calls: str, bootstrap: str = "") -> tuple[int, list[str]]:
    """A refresh killed at every call: the sign-in lives on whenever the file, or the settings, hold what the server
    takes. `bootstrap`: the token of the settings, which is there instead of a sign-in.
    """
    wrong: list[str] = []
    lost: list[str] = []
    with Rotating() as server:

        def once(call: str, number: int) -> bool:
            name = f"{call} {number}"
            place = directory / name
            server.restart(bootstrap or FIRST)
            if not bootstrap:
                sign_in(server, place)
            died = killed_at(partial(refresh, server, place, bootstrap), call, number)
            server.settle()
            good = server.good in (stored(place), bootstrap)
            wrong.extend(_after(partial(refresh, server, place, bootstrap), server, name, good=good))
            lost.extend([] if good else [name])
            return died

        reached = every(calls, once)
    if len(lost) > WINDOW[calls]:  # a death between the server's answer and the rename, whoever writes it
        wrong.append(f"more deaths lost the sign-in than the {WINDOW[calls]} that nobody can help: {lost}")
    return reached, wrong


def _after(again: Callable[[], int], server: Rotating, name: str, *, good: bool) -> list[str]:
    """What is wrong after a death: a sign-in that should have lived, a loss without cause, or a loop."""
    if not good and not server.served:
        return [f"{name}: the token was lost although the server never took it"]
    ends = [again() for _ in range(3)]
    if ends != [0 if good else 3] * 3:
        return [f"{name}: the next starts ended {ends}, with a token that was {'good' if good else 'spent'}"]
    asked = server.asked
    if not good and (again(), server.asked) != (3, asked):
        return [f"{name}: a spent token is handed in again and again"]
    return []


def sign_ins(directory: Path, calls: str) -> tuple[int, list[str]]:
    """A sign-in killed at every call: the old one is there whole, or the new one."""
    wrong: list[str] = []
    with Rotating() as server:

        def once(call: str, number: int) -> bool:
            name = f"{call} {number}"
            place = directory / name
            sign_in(server, place)
            before = stored(place)
            with aimed(server.url, place, signed_in=False) as aim:
                died = killed_at(partial(_store, aim.vault), call, number)
            if stored(place) not in (before, "new"):
                wrong.append(f"{name}: neither the old sign-in nor the new one is there")
            return died

        return every(calls, once), wrong


def _store(vault: Vault) -> int:
    vault.store("new", ())
    return 0


def logged(directory: Path) -> tuple[int, list[str]]:
    """A refresh and the first question after it, with every sync, rename and send in a log, `directory`/log."""
    options = ["-y", "-s", "200", "-o", str(directory / "log"), "-e", "trace=fsync,rename,sendto,sendmsg"]
    with Rotating() as server:
        sign_in(server, directory)
        return traced(partial(_question, server, directory), options), []


def _question(server: Rotating, directory: Path) -> int:
    with aimed(server.url, directory, signed_in=False, attempts=1) as aim:
        aim.access.read(APP)
    return 0


# Calls between the answer and its place: write, fchmod, fsync and rename of the file; open of the draft.
WINDOW = {FILES: 4, OPENS: 1, SENDS: 0}
WORKS: dict[str, Callable[[Path], tuple[int, list[str]]]] = {
    "files": lambda directory: refreshes(directory, FILES),
    "opens": lambda directory: refreshes(directory, OPENS),
    "sends": lambda directory: refreshes(directory, SENDS),
    "log": logged,
    "bootstrap": lambda directory: refreshes(directory, FILES, SETTINGS),
    "signing": lambda directory: sign_ins(directory, f"{FILES},{OPENS}"),
}


def main(what: str, directory: str) -> None:
    gc.freeze()
    count, wrong = WORKS[what](Path(directory))
    sys.stdout.write(json.dumps({"calls": count, "wrong": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
