"""The service's clocks: the time of day, which may be set, and one that counts on through sleep and never jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

STEP = 5.0  # seconds between two looks; less is a clock that is being disciplined, and nobody's business


def _boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class Clock:
    """wall: seconds since 1970. steady: seconds that also count while the machine sleeps."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = _boot
    _seen: tuple[float, float] = field(init=False)

    def __post_init__(self) -> None:
        self._seen = (self.wall(), self.steady())

    def step(self) -> float:
        """By how much the time of day was set since the last look, in seconds; 0 when it was not."""
        before, self._seen = self._seen, (self.wall(), self.steady())
        passed, counted = self._seen[0] - before[0], self._seen[1] - before[1]
        return passed - counted if abs(passed - counted) >= STEP else 0.0
