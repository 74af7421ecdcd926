"""Logs go to stderr through structlog, as text or as JSON lines; results never mix with them."""

from __future__ import annotations

import json
import os
import select
import sys
import threading
from typing import Any

from rosterd.absent import absent

with absent("rich", "better_exceptions"):  # for tracebacks in colour, which nobody is shown here
    import structlog
    from structlog.contextvars import bind_contextvars, bound_contextvars

__all__ = ["bind_contextvars", "bound_contextvars", "configure"]

STUCK = 1_000  # milliseconds that a full pipe is waited for
LEVELS = {-1: 40, 0: 30, 1: 20, 2: 10}  # -q, nothing, -v, -vv: error, warning, info, debug


def configure(form: str, verbosity: int) -> Any:
    """Sets the process's logging up. `form`: "console" or "json"; `verbosity`: see LEVELS."""
    level = LEVELS[max(-1, min(2, verbosity))]
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if form == "console":
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_stderr,
        cache_logger_on_first_use=False,
    )
    return structlog.get_logger()


class _Quiet:
    """Writes lines to stderr; a closed or full pipe never stops a run."""

    def msg(self, message: str) -> None:
        try:
            number = (
                -1 if sys.stderr.isatty() else sys.stderr.fileno()
            )  # on a terminal, progress may be drawn
        except (OSError, ValueError, AttributeError):
            number = -1  # no file: somebody has put an object in its place, or there is none
        try:
            if number < 0:
                sys.stderr.write(message + "\n")
                sys.stderr.flush()
            else:
                _OUTLET.put(number, message)
        except (OSError, ValueError, AttributeError):
            pass  # there is nowhere left to tell it

    log = debug = info = warning = error = critical = exception = fatal = msg


class _Outlet:
    """Lines for a file that may be a pipe whose reader is stuck: what it does not take in time is lost, and counted."""

    def __init__(self) -> None:
        self._lock, self._lost, self._torn = threading.Lock(), 0, False

    def put(self, number: int, line: str) -> None:
        """Writes a line to a descriptor. Raises OSError when nobody can ever read it."""
        with self._lock:
            sys.stderr.flush()  # what others have said before
            if self._lost and self._fits(number):
                self._lost = 0 if self._written(number, _lost(self._lost, line)) else self._lost
            self._lost += not self._written(number, line)

    def _written(self, number: int, line: str) -> bool:
        start = "\n" if self._torn else ""
        data = memoryview(f"{start}{line}\n".encode("utf-8", "backslashreplace"))
        whole = len(data)
        while data:
            if not self._fits(number):
                self._torn = self._torn if len(data) == whole else True
                return False
            data = data[os.write(number, data[: select.PIPE_BUF]) :]
        self._torn = False
        return True

    def _fits(self, number: int) -> bool:
        """Whether PIPE_BUF bytes can be written without waiting (pipe(7)); waits a while the first time only."""
        poll = select.poll()
        poll.register(number, select.POLLOUT)
        return bool(poll.poll(0 if self._lost else STUCK))


def _lost(count: int, line: str) -> str:
    """A line about lines, in the form of its neighbour."""
    if line.startswith("{"):
        return json.dumps({"event": "log_lines_lost", "level": "warning", "lines": count})
    return f"[warning  ] {count} lines of the log were lost: nobody had read those before them"


_OUTLET = _Outlet()


def _stderr(*_: Any) -> _Quiet:
    return _Quiet()
