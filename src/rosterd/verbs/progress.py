"""Progress on a terminal: a line for what is read, merged and sent; nothing in pipes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TypeAlias

Tell: TypeAlias = Callable[[str, str, int], None]  # customer, what, how many more


@contextmanager
def progress(*, wanted: bool) -> Iterator[Tell]:
    """A function to tell how far things are; it draws on stderr when that is a terminal."""
    if not wanted or not sys.stderr.isatty():
        yield lambda _customer, _what, _count: None
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
        tasks: dict[tuple[str, str], object] = {}

        def tell(customer: str, what: str, count: int) -> None:
            task = tasks.get((customer, what))
            if task is None:
                task = tasks[customer, what] = bars.add_task(f"{customer}: {what}", total=None)
            bars.update(task, advance=count)

        yield tell
