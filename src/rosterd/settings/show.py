"""The merged settings for people to read, with secrets masked."""

from __future__ import annotations

import json
from typing import Any

from pydantic import SecretStr

from rosterd.settings.load import Loaded
from rosterd.settings.problems import dotted
from rosterd.settings.shape import leaves

MASK = "********"


def shown(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Every setting: its dotted path, its value as text, and where it came from."""
    tree = loaded.settings.model_dump(mode="python")
    return [(dotted(path), text(value), loaded.origin(path)) for path, value in leaves(tree)]


def text(value: Any) -> str:
    """A value for people; a secret is masked, a proxy's address too because it may hold one."""
    if isinstance(value, SecretStr):
        return MASK
    if value is None:
        return "not set"
    if isinstance(value, bool | tuple | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    plain = f"{value:g}" if isinstance(value, float) else str(value)
    return plain if plain.isprintable() else json.dumps(plain)
