"""Imports without what is only a library's extra: memory and time of every start."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def absent(*modules: str) -> Iterator[None]:
    """While this lasts, modules that nobody has imported yet seem not to be installed.

    Several libraries do more where another one is installed, and load it whether or not that is ever used. How an
    import finds out is documented: None in sys.modules (docs.python.org, The import system, 5.3.1).
    """
    known = cast(dict[str, ModuleType | None], sys.modules)
    hidden = [name for name in modules if name not in known]
    known.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del known[name]
