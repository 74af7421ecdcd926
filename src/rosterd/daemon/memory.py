"""The service's memory: what lives for long is not looked through again for garbage, and what is free is given back."""

from __future__ import annotations

import ctypes
import gc

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # malloc_trim(3); other C libraries have none


def settle() -> None:
    """What lives now, modules and settings above all, is there to stay until the next call."""
    gc.unfreeze()
    tidy()
    gc.freeze()


def tidy() -> None:
    """After some runs: their garbage goes, and the pages they have left go back to the system."""
    gc.collect()
    if _trim is not None:
        _trim(0)
