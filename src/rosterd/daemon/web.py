"""The service's own web server, in a thread of its own.

Pages join by adding a function from State to routes in PAGES.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from rosterd.daemon import api, console
from rosterd.daemon.api import State
from rosterd.daemon.connections import AT_ONCE, Connection, overheard
from rosterd.daemon.console.readers import Readers
from rosterd.daemon.console.room import Room
from rosterd.daemon.gate import Gate
from rosterd.daemon.pages import calm
from rosterd.daemon.sessions import Sessions
from rosterd.daemon.settings import ConsoleSettings, listening

PAGES: tuple[Callable[[State], list[BaseRoute]], ...] = (api.routes,)
AGAIN = 30.0  # seconds until an address in use is tried again
_WRONG = {
    404: ("Not found", "There is no such page."),
    405: ("Not possible", "This page cannot be asked like that."),
}


def application(state: State, settings: ConsoleSettings, log: Any, readers: Readers) -> Starlette:
    """The pages behind their gate."""

    async def failed(request: Request, error: Exception) -> Response:
        log.error("page_failed", path=request.url.path, problem=type(error).__name__, exc_info=error)
        text = "an unexpected error; the service's log says more"
        return calm(request, 500, "That should not have happened", text)

    async def wrong(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        answer = calm(request, status, *_WRONG.get(status, ("That did not work", "It cannot be answered.")))
        answer.headers.update((error.headers if isinstance(error, HTTPException) else None) or {})
        return answer

    sessions = Sessions(settings.token.get_secret_value() if settings.token else "")
    routes = [route for pages in PAGES for route in pages(state)]
    return Starlette(
        routes=[*routes, *console.routes(Room(state, sessions, readers, log))],
        middleware=[Middleware(Gate, settings=settings, sessions=sessions)],
        exception_handlers={HTTPException: wrong, Exception: failed},
    )


class Web:
    """Serves until stopped. An address in use is told, and tried again: the runs do not depend on it."""

    def __init__(self, state: State, settings: ConsoleSettings, log: Any) -> None:
        self._settings, self._log = settings, log
        self._readers = Readers(state.ledger)
        self._app = application(state, settings, log, self._readers)
        self._server: uvicorn.Server | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="web", daemon=True)

    def start(self) -> None:
        if self._settings.listen:
            self._thread.start()

    def stop(self) -> None:
        """Ends it, within two seconds."""
        self._stop.set()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(2)
        self._readers.close()

    def _work(self) -> None:
        told = False
        while not self._stop.is_set():
            try:
                listener = _listener(*listening(self._settings.listen))
            except OSError as error:
                if not told:
                    self._log.error("console_unreachable", listen=self._settings.listen, problem=error.strerror,
                                    next="free the address, or set another in console.listen")  # fmt: skip
                told = True
                self._stop.wait(AGAIN)
                continue
            with listener:
                self._serve(listener)

    def _serve(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            self._app, loop="asyncio", http=Connection, ws="none", lifespan="off", interface="asgi3",
            log_config=None, access_log=False, server_header=False, proxy_headers=False,
            limit_concurrency=AT_ONCE, timeout_keep_alive=5, timeout_graceful_shutdown=1,
        )  # fmt: skip
        overheard(self._log)
        self._server = uvicorn.Server(config)
        if not self._stop.is_set():
            self._log.info("console", listen="{}:{}".format(*listener.getsockname()[:2]))
            self._server.run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio sends at once (TCP_NODELAY) only where it sees that it is TCP, and else the
    # two parts of an answer, head and body, would lie 40 ms apart.
    found = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(AT_ONCE)
    except BaseException:
        found.close()
        raise
    return found
