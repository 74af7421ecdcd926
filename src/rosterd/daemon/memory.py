"""The service's memory: what lives for long is not looked through again for garbage, and what is free is given back."""

from __future__ import annotations

import ctypes
import gc

_libc = ctypes.CDLL(None)
# Of the GNU C library alone: malloc_trim(3), mallopt(3). The numbers are those of its malloc.h.
_trim, _option = (getattr(_libc, name, None) for name in ("malloc_trim", "mallopt"))
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
_LARGE = 128 << 10  # bytes: the library's own first threshold, which it would raise with every larger block


def begin() -> None:
    """Before the threads: one heap for all of them, and every large block by itself, so that it can go back alone.

    Turns come in ever new combinations; with a heap for each thread, each grows to the largest of them.
    """
    if _trim is not None and _option is not None:
        _option(_ARENA_MAX, 1)
        _option(_MMAP_THRESHOLD, _LARGE)


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
