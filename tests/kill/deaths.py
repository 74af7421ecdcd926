"""Where a run is killed."""

from __future__ import annotations

import os
import random
import signal
import threading
from typing import Any, NamedTuple, NoReturn


class Kill(NamedTuple):
    """Where a run is killed: `after` seconds, or at the n-th of something."""

    how: str
    after: float


WHOLE = Kill("none", 0)


def a_kill(dice: random.Random) -> Kill:
    """A random place to die."""
    how = dice.choice(["delay", "clock", "commit", "steps", "accepting", "accepted"])
    most = {"delay": 0.12, "clock": 14, "commit": 25, "steps": 120, "accepting": 5, "accepted": 5}[how]
    return Kill(how, dice.uniform(0, most) if how == "delay" else dice.randint(1, int(most)))


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("alive")


class Countdown:
    """Dies at the n-th call."""

    def __init__(self, left: float) -> None:
        self._left = left
        self._lock = threading.Lock()

    def __call__(self, *_: Any) -> bool:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                die()
        return False
