"""What offices are made of: people files, groups files, and settings as TOML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Row: TypeAlias = Sequence[str]
PEOPLE_HEAD = ("logon", "name", "email")
GROUPS_HEAD = ("group", "description", "logon")


def people(*logons: str, mail: str = "example.com") -> list[Row]:
    """Rows of a people file."""
    return [(logon, f"Name of {logon}", f"{logon}@{mail}") for logon in logons]


def numbered(count: int, first: int = 0, width: int = 5) -> list[Row]:
    return people(*(f"p{number:0{width}}" for number in range(first, first + count)))


def csv_text(head: Row, rows: Iterable[Row], separator: str = ",") -> str:
    def cell(text: str) -> str:
        odd = any(char in text for char in f'{separator}"\r\n')
        return '"' + text.replace('"', '""') + '"' if odd else text

    return "".join(separator.join(map(cell, row)) + "\n" for row in (head, *rows))


def toml(tree: Mapping[str, Any], path: str = "") -> str:
    """A settings tree as TOML; inner dictionaries become tables, `Inline` ones stay in their line."""
    lines, tables = [], []
    for key, value in tree.items():
        if isinstance(value, dict) and not isinstance(value, Inline):
            name = f"{path}.{key}" if path else key
            tables.append(f"[{name}]\n{toml(value, name)}")
        else:
            lines.append(f"{key} = {_value(value)}\n")
    return "".join([*lines, *tables])


class Inline(dict[str, Any]):
    """A table written in one line."""


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def limit(**parts: float) -> Inline:
    return Inline(parts)


def merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Deeply merged; None takes a key away."""
    out = dict(base)
    for key, value in more.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict) and not isinstance(value, Inline):
            out[key] = merged(out[key], value)
        else:
            out[key] = value
    return out


def customer(name: str = "acme", **more: Any) -> dict[str, Any]:
    """A customer with one CSV source NAME.csv that goes at once, even the first time."""
    source = {
        "kind": "csv",
        "path": f"{name}.csv",
        "settle": "0s",
        "people": {
            "logon": "{{ logon }}",
            "domain": "NDD",
            "name": "{{ name }}",
            "email": "{{ email }}",
        },
    }
    base = {"client": name.upper(), "sources": {"hr": source}, "guards": {"first_run": "go"}}
    return merged(base, more)


def groups_file(path: str) -> dict[str, Any]:
    """What adds a groups file to a source."""
    return {
        "path": path,
        "name": "{{ group }}",
        "description": "{{ description }}",
        "member": "{{ logon }}",
    }
