"""Connections of the console that ask nothing: they are given up, so that whoever holds many shuts nobody out."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

AT_ONCE = 64  # connections; beyond that uvicorn answers 503
ROOM = 16  # so many of them are kept free, by closing those that have asked nothing for longest
PATIENCE = 5.0  # seconds in which a request must have arrived, its body included


class Connection(H11Protocol):
    """One connection, as uvicorn has it, which waits for ever: RFC 9112, section 9.5, leaves that to the server."""

    _late: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: Any) -> None:
        """Makes room when there are many, and begins to wait."""
        super().connection_made(transport)
        self._wait()
        open_now = [
            one for one in self.connections if isinstance(one, Connection) and not one.transport.is_closing()
        ]
        silent = [one for one in open_now if one is not self and one.unfinished]
        if len(open_now) > AT_ONCE - ROOM and silent:
            min(silent, key=lambda one: one._since).transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Waits for the next request."""
        self._wait()
        super().on_response_complete()

    @property
    def unfinished(self) -> bool:
        """Whether the request that is waited for has not arrived, or not whole."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _wait(self) -> None:
        if self._late is not None:
            self._late.cancel()
        self._since = self.loop.time()
        self._late = self.loop.call_later(PATIENCE, self._give_up)

    def _give_up(self) -> None:
        if self.unfinished:
            self.transport.close()


class Said(logging.Handler):
    """What uvicorn and asyncio say, as lines of our own log: a plain line would be no JSON, and might block."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Anybody can make a server warn, by sending it garbage; errors are ours."""
        tell = self._log.error if record.levelno >= logging.ERROR else self._log.debug
        tell("console_trouble", problem=record.getMessage(), exc_info=record.exc_info or None)


def overheard(log: Any) -> None:
    """Libraries speak through our log from now on."""
    for name in ("uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [Said(log)], False
