"""The explanation under each setting, read from the source of its class, and its default as written.

Pydantic can do this itself, but does so while the classes are made, which would cost every start
of rosterd some 50 ms for texts that only two commands show.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel


def explained(model: type[BaseModel]) -> dict[str, str]:
    """Field → explanation, those of base classes included."""
    found: dict[str, str] = {}
    for part in reversed(model.__mro__):
        if part.__module__.startswith("rosterd."):
            found.update(_of_class(part))
    return {name: found[name] for name in model.model_fields}


def default(model: type[BaseModel], name: str) -> Any:
    """The default of a setting as it would be written in a file: "10m" rather than 600.0."""
    model.model_rebuild()
    return model.model_construct().model_dump(mode="json", include={name}, exclude_none=True).get(name)


def _of_class(part: type) -> Iterator[tuple[str, str]]:
    for node in ast.parse(inspect.getsource(sys.modules[part.__module__])).body:
        if isinstance(node, ast.ClassDef) and node.name == part.__name__:
            for first, second in zip(node.body, node.body[1:], strict=False):
                text = _text(second)
                if isinstance(first, ast.AnnAssign) and isinstance(first.target, ast.Name) and text:
                    yield first.target.id, text


def _text(node: ast.stmt) -> str | None:
    value = node.value.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else None
    return inspect.cleandoc(value) if isinstance(value, str) else None
