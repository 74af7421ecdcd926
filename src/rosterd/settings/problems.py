"""What is wrong with settings, as sentences. None of them holds a value: it might be a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from rosterd.settings.files import WHOLE
from rosterd.settings.shape import Shape, of_field

_SENTENCES = {
    "bool": "must be true or false",
    "dict": "must be a table",
    "float": "must be a number",
    "greater_than_equal": "must be at least {ge:g}",
    "int": "must be a whole number",
    "less_than_equal": "must be at most {le:g}",
    "model": "must be a table",
    "path": "must be a path",
    "string_too_short": "is empty",
    "string": "must be a text",
    "tuple": "must be a list",
    "union_tag": 'must say kind = "csv" or kind = "ldap"',
}
_MISSING = {
    "customers": "add a table [customers.NAME], or customers_dir",
    "customers.*.printers.base_url": "the public 3D-print service closed on 2017-01-15, so name your own",
    "customers.*.sources": "add a table [customers.NAME.sources.NAME]",
    "orbix": "add a table [orbix]",
}


def sentences(error: ValidationError, origins: Mapping[tuple[str, ...], str], main: str) -> Iterator[str]:
    """One sentence for each thing that is wrong: the file, the setting, and what about it."""
    for _, sentence in told(error, origins, main):
        yield sentence


def told(
    error: ValidationError, origins: Mapping[tuple[str, ...], str], main: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    """The same, each with the path of the setting; () when it is about all of them together."""
    for found in error.errors(include_url=False, include_input=False):
        path, place, table = _walk(found["loc"])
        what = _sentence(found["type"], found.get("ctx", {}), path, place, table)
        near = (
            _of_files(origins) if found["type"] == "missing" else origins
        )  # what is missing goes into a file
        yield path, f"{_origin(path, near, main)}: {dotted(path)}: {what}" if path else f"{main}: {what}"


def dotted(path: tuple[str, ...]) -> str:
    """A setting's path as it is written in TOML."""
    return ".".join([key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key) for key in path])


def _walk(location: tuple[int | str, ...]) -> tuple[tuple[str, ...], Shape, type[BaseModel] | None]:
    """The setting that an error is about, its shape, and the class of the table it stands in.

    Where a table is of one of several kinds, the kind is a step of the location, but not of the path.
    """
    path: list[str] = []
    place, table = WHOLE, None
    for step in location:
        if len(place.models) > 1 and step in place.models:
            place = Shape(models={"": place.models[str(step)]})
        elif step != "[key]":
            path.append(str(step))
            table = place.model(None)
            place = place.below(str(step), None)
    return tuple(path), place, table


def _sentence(
    kind: str, context: Mapping[str, Any], path: tuple[str, ...], place: Shape, table: type[BaseModel] | None
) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind == "missing":
        return _missing(path, place)
    if kind == "extra_forbidden":
        return _unknown(path[-1], table)
    if kind == "literal_error":
        return f"must be {context['expected']}".replace("'", '"')
    for known, text in _SENTENCES.items():
        if kind == known or kind.startswith(f"{known}_"):
            return text.format_map(context)
    return f"is not valid ({kind})"


def _missing(path: tuple[str, ...], place: Shape) -> str:
    if place.secret:
        name = "__".join(path)
        variable = f"ROSTERD_{name.upper().replace('-', '_')}"
        return f"is missing; it may also be a secret file {name} or the environment's {variable}"
    general = ".".join(["*" if index == 1 else key for index, key in enumerate(path)])
    hint = _MISSING.get(general)
    return f"is missing: {hint}" if hint else "is missing"


def _unknown(key: str, table: type[BaseModel] | None) -> str:
    if table is None:
        return "is not a setting"
    close = get_close_matches(key.lower(), table.model_fields, 1, 0.6)
    if close:
        return f'is not a setting; did you mean "{close[0]}"?'
    for name, info in table.model_fields.items():
        below = of_field(info).model(None)
        if below and key in below.model_fields:
            return f"is not a setting here; it belongs under {name}"
    return "is not a setting"


def _origin(path: tuple[str, ...], origins: Mapping[tuple[str, ...], str], main: str) -> str:
    """Where the setting came from, or else the nearest that did."""
    for length in range(len(path), 0, -1):
        for setting, origin in origins.items():
            if setting[:length] == path[:length]:
                return origin
    return main


def _of_files(origins: Mapping[tuple[str, ...], str]) -> dict[tuple[str, ...], str]:
    """The origins that are settings files."""
    given = ("secret file ", "environment ")
    return {path: origin for path, origin in origins.items() if not origin.startswith(given)}
