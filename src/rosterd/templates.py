"""Mapping values: Jinja templates over an entry's attributes, compiled to what they really are.

Plain text becomes a constant, `{{ attr }}` (also with `| lower`, `| upper`, `| trim`) a direct look-up, because
a million people pass through it; only the rest is rendered by Jinja, in its sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

from rosterd.core.doors import Cell
from rosterd.errors import SettingsError

Getter: TypeAlias = Callable[[Sequence[Cell]], str]

_SIMPLE = re.compile(r"\s*\{\{\s*([A-Za-z_][A-Za-z0-9_]*)((?:\s*\|\s*(?:lower|upper|trim))*)\s*\}\}\s*")
_LONE = re.compile(r"\s*\{\{[-+]?((?:(?!\}\}).)*?)[-+]?\}\}\s*", re.DOTALL)
_FILTERS: Mapping[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper, "trim": str.strip}
_WORDS = {"entry", "all", "true", "false", "none", "True", "False", "None"}  # names that are not attributes
_MAX_RENDERED = 65_536  # characters; a template that makes more is at fault


def _jinja() -> Any:
    """The module rosterd.jinja, imported with the first template that is more than a look-up (docs/why/imports.md)."""
    return import_module("rosterd.jinja")


class TemplateError(Exception):
    """A template failed on one entry; its text says why."""


@dataclass(frozen=True)
class Template:
    """One mapping value. `attributes`: the names it reads, as written."""

    text: str
    attributes: tuple[str, ...]
    column: str | None = None  # set when it is a direct look-up
    filters: tuple[str, ...] = ()

    @property
    def constant(self) -> bool:
        return not self.attributes and "{" not in self.text


def parse(text: str, where: str) -> Template:
    """Raises SettingsError for a template that does not parse; `where` is its path in the settings."""
    if "{" not in text:
        return Template(text, ())
    if (simple := _SIMPLE.fullmatch(text)) and simple[1] not in _WORDS:
        return Template(text, (simple[1],), simple[1], tuple(re.findall(r"[a-z]+", simple[2])))
    try:
        return Template(text, tuple(sorted(_jinja().names(text) - _WORDS)))
    except ValueError as error:
        raise SettingsError(f"the template {text!r} does not parse: {error}", where=where) from error


def parse_condition(text: str, where: str) -> Template:
    """The same for a lone `{{ expression }}` that is asked for its truth."""
    template = parse(text, where)
    lone = _LONE.fullmatch(text)
    assert lone is not None
    try:
        _jinja().expression(lone[1])
    except ValueError as error:
        raise SettingsError(f"the rule {text!r} is no expression: {error}", where=where) from error
    return template


def is_expression(text: str) -> bool:
    """Whether `text` is a lone `{{ … }}`."""
    return _LONE.fullmatch(text) is not None


class _Names(dict[str, Any]):
    """An entry's attributes by name in any case; missing ones are empty."""

    def __missing__(self, name: str) -> Any:
        return self[low] if (low := name.casefold()) != name and low in self else _jinja().Missing(name=name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]


def positions(attributes: Sequence[str]) -> dict[str, int]:
    """Where each attribute stands in a row, by case-folded name."""
    return {name.casefold(): i for i, name in enumerate(attributes) if name}


def _context(row: Sequence[Cell], places: Mapping[str, int], names: Sequence[str]) -> dict[str, Any]:
    first = _Names()
    every = _Names()
    for name, i in places.items():
        cell = row[i] if i < len(row) else ""
        first[name] = cell if isinstance(cell, str) else cell[0]
        every[name] = [value for value in ((cell,) if isinstance(cell, str) else cell) if value]
    context: dict[str, Any] = {name: first[name] for name in names if name.casefold() in places}
    return context | {"entry": first, "all": every}


def getter(template: Template, attributes: Sequence[str]) -> Getter:
    """A function from a row to the template's stripped text; raises TemplateError when rendering fails."""
    places = positions(attributes)
    if template.constant:
        return lambda _row: template.text
    if template.column is not None:
        at = places.get(template.column.casefold())
        if at is None:
            return lambda _row: ""
        steps = [_FILTERS[name] for name in template.filters]

        def look_up(row: Sequence[Cell]) -> str:
            cell = row[at] if at < len(row) else ""
            text = cell if isinstance(cell, str) else cell[0]
            for step in steps:
                text = step(text)
            return text.strip()

        return look_up
    compiled = _jinja().template(template.text)

    def render(row: Sequence[Cell]) -> str:
        try:
            text: str = compiled.render(_context(row, places, template.attributes)).strip()
        except Exception as error:  # whatever a template does to one entry's data is that entry's problem
            raise TemplateError(f"the template {template.text!r} failed: {error}") from error
        if len(text) > _MAX_RENDERED:
            raise TemplateError(f"the template {template.text!r} made {len(text):,} characters")
        return text

    return render


def quick_column(
    template: Template, columns: Sequence[Sequence[Cell]], count: int, attributes: Sequence[str]
) -> list[str] | None:
    """The template's text for all `count` rows at once, when it is a constant or a plain look-up of single values."""
    if template.constant:
        return [template.text.strip()] * count
    at = (
        positions(attributes).get(template.column.casefold())
        if template.column and not template.filters
        else None
    )
    if at is None or at >= len(columns):
        return None
    try:
        return list(map(_strip, columns[at]))
    except TypeError:  # a cell of several values takes the slower way
        return None


_strip: Callable[[Any], str] = str.strip


def condition(text: str, attributes: Sequence[str]) -> Callable[[Sequence[Cell]], bool]:
    """A lone `{{ expression }}` as truth; raises TemplateError when it fails on an entry."""
    lone = _LONE.fullmatch(text)
    assert lone is not None
    expression = _jinja().expression(lone[1])
    names = parse(text, "").attributes
    places = positions(attributes)

    def holds(row: Sequence[Cell]) -> bool:
        try:
            return bool(expression(**_context(row, places, names)))
        except Exception as error:
            raise TemplateError(f"the rule {text!r} failed: {error}") from error

    return holds


def missing_columns(templates: Sequence[Template], attributes: Sequence[str]) -> list[str]:
    """Attributes that the templates read and the source does not have."""
    have = set(positions(attributes))
    return [name for template in templates for name in template.attributes if name.casefold() not in have]
