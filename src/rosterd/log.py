"""Logs go to stderr through structlog, as text or as JSON lines; results never mix with them."""

from __future__ import annotations

import sys
from typing import Any

from rosterd.absent import absent

with absent("rich", "better_exceptions"):  # for tracebacks in colour, which nobody is shown here
    import structlog
    from structlog.contextvars import bind_contextvars, bound_contextvars

__all__ = ["bind_contextvars", "bound_contextvars", "configure"]

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
            sys.stderr.write(message + "\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass  # there is nowhere left to tell it

    log = debug = info = warning = error = critical = exception = fatal = msg


def _stderr(*_: Any) -> _Quiet:
    return _Quiet()
