"""Jinja for templates that are more than a constant or a look-up, in its sandbox."""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateSyntaxError, Undefined, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

_WRONG = (TemplateSyntaxError, AssertionError, RecursionError)


class Missing(Undefined):
    """A missing attribute is empty text: directories leave out what is empty."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        return self

    __getitem__ = __getattr__

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self


_ENGINE = ImmutableSandboxedEnvironment(undefined=Missing, autoescape=False)  # makes identifiers, not HTML


def template(text: str) -> Any:
    """A compiled template. Raises ValueError when it does not parse."""
    try:
        return _ENGINE.from_string(text)
    except _WRONG as error:
        raise ValueError(str(error)) from error


def expression(text: str) -> Any:
    """A compiled expression, called with names as keywords. Raises ValueError when it is none."""
    try:
        return _ENGINE.compile_expression(text, undefined_to_none=True)
    except _WRONG as error:
        raise ValueError(str(error)) from error


def names(text: str) -> set[str]:
    """The attributes a template reads: bare names, and those of entry and all. Raises ValueError."""
    template(text)
    tree = _ENGINE.parse(text)
    found = set(meta.find_undeclared_variables(tree))
    for dotted in tree.find_all(nodes.Getattr):
        if isinstance(dotted.node, nodes.Name) and dotted.node.name in ("entry", "all"):
            found.add(dotted.attr)
    for item in tree.find_all(nodes.Getitem):
        if isinstance(item.node, nodes.Name) and item.node.name in ("entry", "all"):
            if not isinstance(item.arg, nodes.Const):
                raise ValueError('entry[…] takes an attribute in quotes, such as entry["Odd Name"]')
            found.add(str(item.arg.value))
    return found
