"""A console in a test: its web server in this process, over an office's own settings and ledger, asked by socket."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import structlog
from tests.cli.kit import PATIENCE, Office, environment
from tests.cli.service_kit import free_port, until

from rosterd import assemble
from rosterd.daemon.api import State
from rosterd.daemon.board import Board
from rosterd.daemon.metrics import Metrics
from rosterd.daemon.overview import Overview
from rosterd.daemon.web import Web
from rosterd.settings import load

TOKEN = "a-token-of-more-than-sixteen-characters"


@dataclass
class Answer:
    """What a page said."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def seen(self) -> str:
        """The text between the tags."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.text)).split())

    def field(self, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.text)
        assert found, f"no field {name} in {self.text}"
        return unescape(found[1])

    @property
    def links(self) -> list[str]:
        return [unescape(one) for one in re.findall(r'<a [^>]*href="([^"]*)"', self.text)]


@dataclass
class Desk:
    """Somebody at the console. `asked` lists the customers that were to run at once."""

    port: int
    board: Board
    overview: Overview
    reports: Path
    asked: list[str | None] = field(default_factory=list)
    cookie: str = ""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Answer:
        """One request; header names with _ for -. An empty header is left out."""
        given = {"accept": "text/html", "cookie": self.cookie}
        if body is not None:
            given |= {"origin": self.origin, "content-type": "application/x-www-form-urlencoded"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {name: value for name, value in given.items() if value})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()

    def page(self, path: str, status: int = 200, **headers: str) -> Answer:
        answer = self.ask(path, **headers)
        assert answer.status == status, (answer.status, answer.text)
        return answer

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> Answer:
        return self.ask(path, "POST", urlencode(fields), **(headers or {}))

    def sign_in(self, token: str = TOKEN) -> Answer:
        answer = self.post("/login", token=token)
        self.cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        return answer

    def proof(self, path: str = "/") -> str:
        return self.page(path).field("proof")

    def known(self) -> None:
        """Waits until every customer was looked up once more."""
        before = self.overview.statuses()
        self.overview.changed()
        until(lambda: self.overview.statuses() is not before)


@contextmanager
def console(office: Office, **settings: Any) -> Iterator[Desk]:
    """A console over the office's ledger for as long as the block lasts; settings are those of [console]."""
    port = free_port()
    office.set(console={"listen": f"127.0.0.1:{port}", **settings})
    loaded = load(office.config, environment()).settings
    log, board, asked = structlog.get_logger(), Board(), list[str | None]()

    def ledger() -> Any:
        return assemble.open_ledger(loaded, locked=False)[0]

    def run_now(name: str | None) -> bool:
        asked.append(name)
        return True

    overview = Overview(ledger, lambda: loaded, lambda: list(loaded.customers), log)
    state = State(
        board, overview, Metrics(), lambda: loaded, ledger, lambda: True, run_now, threading.Event().is_set,
        lambda: list(loaded.customers),
    )  # fmt: skip
    web = Web(state, loaded.console, log)
    overview.start()
    web.start()
    desk = Desk(port, board, overview, loaded.reports.directory, asked)
    try:
        until(lambda: len(overview.statuses()) == len(loaded.customers))
        until(lambda: _answers(desk))
        yield desk
    finally:
        web.stop()
        overview.stop()


def _answers(desk: Desk) -> bool:
    try:
        return desk.ask("/healthz").status == 200
    except OSError:
        return False
