"""Progress on a terminal: a line for what is read, merged and sent; nothing in pipes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


class Progress:
    """Call it with (customer, what, how many more) to tell how far things are."""

    def __init__(self, bars: Any = None) -> None:
        self._bars = bars  # of rich, or None when nothing is drawn
        self._tasks: dict[tuple[str, str], object] = {}

    def __call__(self, customer: str, what: str, count: int) -> None:
        if self._bars is None:
            return
        task = self._tasks.get((customer, what))
        if task is None:
            task = self._tasks[customer, what] = self._bars.add_task(f"{customer}: {what}", total=None)
        self._bars.update(task, advance=count)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nothing is drawn meanwhile: somebody is asked a question."""
        if self._bars is not None:
            self._bars.stop()
        yield
        if self._bars is not None:
            self._bars.start()


@contextmanager
def progress(*, wanted: bool) -> Iterator[Progress]:
    """Draws on stderr when that is a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield Progress()
        return
    rich = import_module("rich.progress")  # only terminals pay for it
    console = import_module("rich.console").Console(stderr=True)
    parts = (
        rich.SpinnerColumn(),
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(bar_width=24),
        rich.TextColumn("{task.completed:,.0f}", markup=False),
        rich.TimeElapsedColumn(),
    )
    with rich.Progress(*parts, console=console, transient=True) as bars:
        yield Progress(bars)
