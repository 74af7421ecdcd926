"""Renders our Helm chart without Helm: the few words of its template language that the chart uses, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "rosterd"


def rendered(**values: Any) -> dict[str, Any]:
    """kind -> document, of every template that gives one."""
    given = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")) | values
    found = {}
    for path in sorted((CHART / "templates").glob("*.yaml")):
        document = yaml.safe_load(_render(path.read_text(encoding="utf-8"), given))
        if document:
            found[f"{document['kind']}"] = document
    return found


def _render(text: str, values: dict[str, Any]) -> str:
    out, shown, at = [], [True], 0
    for tag in re.finditer(r"\{\{(-?)\s*(.*?)\s*\}\}", text):
        piece = text[at : tag.start()]
        out.append((piece.rstrip() if tag[1] else piece) if all(shown) else "")
        at, words = tag.end(), tag[2]
        if words.startswith("if "):
            shown.append(_true(words.removeprefix("if "), values))
        elif words == "end":
            shown.pop()
        elif all(shown):
            out.append(_value(words, values))
    assert shown == [True], "an if without an end"
    return "".join(out) + text[at:]


def _true(words: str, values: dict[str, Any]) -> bool:
    if equal := re.fullmatch(r'eq (\S+) "(.*)"', words):
        return bool(_look(equal[1], values) == equal[2])
    return bool(_look(words, values))


def _value(words: str, values: dict[str, Any]) -> str:
    first, *pipes = [part.strip() for part in words.split("|")]
    value = _look(first.removeprefix("toYaml "), values)
    text = yaml.safe_dump(value).rstrip() if first.startswith("toYaml ") else str(value)
    for pipe in pipes:
        if pipe == "quote":
            text = json.dumps(text)
        else:
            indent = re.fullmatch(r"nindent (\d+)", pipe)
            assert indent, f"the chart uses a word that is not known here: {pipe}"
            text = "\n" + "\n".join(" " * int(indent[1]) + line for line in text.splitlines())
    return text


def _look(path: str, values: dict[str, Any]) -> Any:
    if path == ".Release.Name":
        return "rosterd"
    assert path.startswith(".Values."), f"the chart uses a word that is not known here: {path}"
    return values[path.removeprefix(".Values.")]
