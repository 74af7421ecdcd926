"""Which requests count as one, for the reading of *synchronize* that takes several together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Session:
    token: str
    last: float
    named: set[str] = field(default_factory=set)


class Sessions:
    """For the reading of *synchronize* in which the requests of one token belong together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[tuple[str, ...], _Session] = {}

    def together(self, call: tuple[str, ...], token: str, seconds: float, named: set[str]) -> set[str]:
        """All that the requests of this session named; `call` is the path with tenant and client.

        A session ends when another token is used or when `seconds` pass without a request.
        """
        now = self._clock()
        with self._lock:
            session = self._open.get(call)
            if session is None or session.token != token or now - session.last > seconds:
                session = self._open[call] = _Session(token, now)
            session.last = now
            session.named |= named
            return set(session.named)
