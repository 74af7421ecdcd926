"""LDAP search filters (RFC 4515): read, written, and values escaped for them. Pure.

A filter is a tree of tuples: ("&", part…), ("|", part…), ("!", part) and
(attribute, "=" | "~=" | ">=" | "<=" | ":=", value), with the value as it was written, escapes included.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Filter: TypeAlias = "tuple[str | Filter, ...]"

DEEPEST = 50  # levels; servers have limits of their own, and no filter written by hand comes near
_SPACE = re.compile(r"\s*")
_DESCRIPTION = r"(?:[A-Za-z][A-Za-z0-9_-]*|\d+(?:\.\d+)+)(?:;[A-Za-z0-9_-]+)*"
_RULE = r"(?:[A-Za-z][A-Za-z0-9_-]*|\d+(?:\.\d+)+)"
_ATTRIBUTE = re.compile(_DESCRIPTION)
_EXTENSIBLE = re.compile(rf"(?:{_DESCRIPTION}(?::dn)?(?::{_RULE})?|(?::dn)?:{_RULE}):=", re.IGNORECASE)
_COMPARISON = re.compile(r"=|~=|>=|<=")
_VALUE = re.compile(r"(?:[^\x00()\\]|\\[0-9A-Fa-f]{2})*")
_ESCAPED = {character: f"\\{ord(character):02x}" for character in "\0()*\\"}


def escape(value: str) -> str:
    """The value as it stands in a filter so that it can only be a value (RFC 4515, 3), spaces at its ends included."""
    inner = value.strip()
    start = value.find(inner)
    before, after = value[:start], value[start + len(inner) :]
    return (
        _octets(before)
        + "".join([_ESCAPED.get(character, character) for character in inner])
        + _octets(after)
    )


def _octets(text: str) -> str:
    return "".join([f"\\{octet:02x}" for octet in text.encode()])


def is_attribute(text: str) -> bool:
    """Whether this can be the name of an attribute in a filter."""
    return _ATTRIBUTE.fullmatch(text) is not None


def parse(text: str) -> Filter:
    """The filter's tree. Raises ValueError naming the character (counted from 1) at which it breaks."""
    tree, end = _filter(text, _skip(text, 0), 1)
    end = _skip(text, end)
    if end != len(text):
        raise _broken(end, "there is more after the end of the filter")
    return tree


def written(tree: Filter) -> str:
    """The tree as text, without the spaces and line breaks that people put between its parts."""
    head = str(tree[0])
    if head in ("&", "|", "!"):
        return f"({head}{''.join([written(part) for part in tree[1:] if isinstance(part, tuple)])})"
    return f"({''.join([str(part) for part in tree])})"


def _broken(position: int, what: str) -> ValueError:
    return ValueError(f"is not an LDAP filter: at character {position + 1}, {what}")


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _filter(text: str, position: int, depth: int) -> tuple[Filter, int]:
    if text[position : position + 1] != "(":
        raise _broken(position, 'a "(" is missing')
    if depth > DEEPEST:
        raise _broken(position, f"it is nested more than {DEEPEST} deep")
    start = _skip(text, position + 1)
    operator = text[start : start + 1]
    if operator in ("&", "|", "!") and operator:
        tree, end = _combination(text, start, depth)
    else:
        tree, end = _item(text, start)
    if text[end : end + 1] != ")":
        raise _broken(end, f'the "(" at character {position + 1} is not closed by a ")"')
    return tree, end + 1


def _combination(text: str, start: int, depth: int) -> tuple[Filter, int]:
    """An and, or, or not. An empty and is true, an empty or false (RFC 4526)."""
    operator = text[start]
    parts: list[Filter] = []
    end = _skip(text, start + 1)
    while text[end : end + 1] == "(":
        part, end = _filter(text, end, depth + 1)
        parts.append(part)
        end = _skip(text, end)
    if operator == "!" and len(parts) != 1:
        raise _broken(start, 'a "!" takes exactly one filter')
    return (operator, *parts), end


def _item(text: str, start: int) -> tuple[Filter, int]:
    extensible = _EXTENSIBLE.match(text, start)
    if extensible:
        value, end = _value(text, extensible.end())
        _refuse_star(value, extensible.end())
        return (extensible[0][:-2], ":=", value), end
    attribute = _ATTRIBUTE.match(text, start)
    if not attribute:
        raise _broken(start, "the name of an attribute is missing")
    comparison = _COMPARISON.match(text, attribute.end())
    if not comparison:
        raise _broken(attribute.end(), 'one of "=", "~=", ">=", "<=" or ":=" is missing')
    value, end = _value(text, comparison.end())
    if comparison[0] != "=":
        _refuse_star(value, comparison.end())
    return (attribute[0], comparison[0], value), end


def _refuse_star(value: str, start: int) -> None:
    if "*" in value:
        raise _broken(start + value.index("*"), 'a "*" stands only after "=" (else write \\2a)')


def _value(text: str, start: int) -> tuple[str, int]:
    found = _VALUE.match(text, start)
    end = found.end() if found else start
    if text[end : end + 1] == "\\":
        raise _broken(end, 'a "\\" must be followed by two hexadecimal digits')
    if text[end : end + 1] == "\0":
        raise _broken(end, "a NUL character must be written as \\00")
    return text[start:end], end
