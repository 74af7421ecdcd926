"""The service's memory: what lives for long is not looked through again for garbage."""

from __future__ import annotations

import gc


def settle() -> None:
    """What lives now, modules and settings above all, is there to stay until the next call."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
