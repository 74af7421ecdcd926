"""Requests in flight: at most `lanes` at once, answers settled one by one in the thread that owns the ledger.

A lane that waits (retry, back-off) holds up nobody else's acknowledgement. When something stops the run, what is
in flight is still settled; what was not sent stays unsent.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Protocol, TypeVar

from rosterd.core.outcome import Answer
from rosterd.errors import RosterdError, Stopped, TargetError


class Sendable(Protocol):
    """One request: `send` runs in a lane, the others in the caller's thread."""

    def begin(self) -> None:
        """Notes in the ledger that it leaves now."""

    def send(self) -> Answer: ...

    def settle(self, answer: Answer) -> list[Sendable]:
        """Records the answer; gives requests that must follow (a bisected batch). May raise RosterdError."""
        ...

    def fail(self, error: RosterdError) -> None:
        """Records that no valid answer came."""


S = TypeVar("S", bound=Sendable)

_SLICE = 0.25  # seconds after which a wait looks at the process's own stop


class Halt(threading.Event):
    """A stop of one run: set by itself, or by the process's own stop."""

    def __init__(self, process: threading.Event) -> None:
        super().__init__()
        self._process = process

    def is_set(self) -> bool:
        return super().is_set() or self._process.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _SLICE if end is None else min(_SLICE, end - time.monotonic())
            if left <= 0:
                break
            super().wait(left)
        return self.is_set()


def drive(requests: Iterator[S], lanes: int, stop: threading.Event) -> None:
    """Sends all requests; raises the first error that stops a run once everything in flight is settled."""
    waiting: deque[Sendable] = deque()
    flying: dict[Future[Answer], Sendable] = {}
    problem: RosterdError | None = None
    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
        while True:
            while problem is None and len(flying) < lanes and not stop.is_set():
                request = waiting.popleft() if waiting else next(requests, None)
                if request is None:
                    break
                request.begin()
                try:
                    flying[pool.submit(copy_context().run, request.send)] = (
                        request  # the log's context goes along
                    )
                except RuntimeError as full:  # the machine gives no more threads
                    what = f"a request could not be started: {full}"
                    problem = TargetError(
                        what, hint="raise the limit of processes or memory", maybe_applied=True
                    )  # the pool keeps it, and may give it to a thread that it has
                    request.fail(problem)
            if not flying:
                break
            done, _ = wait(flying, return_when=FIRST_COMPLETED)
            for future in done:
                error = _settle(future, flying.pop(future), waiting, stop)
                problem = problem or error
    if problem is not None:
        raise problem
    if stop.is_set():
        raise Stopped("stopped before everything was sent")


def _settle(
    future: Future[Answer], request: Sendable, waiting: deque[Sendable], stop: threading.Event
) -> RosterdError | None:
    """LedgerError (the answer could not be recorded) goes straight up: nothing more may be sent then."""
    try:
        answer = future.result()
    except RosterdError as error:
        request.fail(error)
        return error
    try:
        waiting.extendleft(reversed(request.settle(answer)))
    except RosterdError as error:
        if error.exit_code == 8:
            if isinstance(stop, Halt):
                stop.set()  # what waits in another lane must not be sent: its answer could not be recorded
            raise
        return error
    return None
