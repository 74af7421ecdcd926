"""The JSON documents as the manual describes them, and a small checker for them.

A shape is a type, a tuple of alternatives, a function, a list with the shape of its items, or a dictionary of
fields; a field whose name ends in "?" may be missing, and "*" stands for any other field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

BUCKETS = ("created", "updated", "unchanged", "refused", "set_aside", "excluded", "unsent")
KINDS = ("people", "groups", "seats", "registrations")


def misfits(value: Any, shape: Any, where: str = "$") -> list[str]:
    """What does not fit, each with its place; an empty list when all does."""
    if isinstance(shape, tuple):
        return [] if any(not misfits(value, one) for one in shape) else [f"{where}: {value!r} fits none"]
    if isinstance(shape, dict):
        return _fields(value, shape, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: no list"]
        return [m for at, item in enumerate(value) for m in misfits(item, shape[0], f"{where}[{at}]")]
    if shape is None:
        return [] if value is None else [f"{where}: {value!r} is not null"]
    if isinstance(shape, type):
        fits = isinstance(value, shape) and not (isinstance(value, bool) and shape is not bool)
        return [] if fits else [f"{where}: {value!r} is no {shape.__name__}"]
    if callable(shape):
        return [] if shape(value) else [f"{where}: {value!r} does not fit {shape.__name__}"]
    return [] if value == shape else [f"{where}: {value!r} is not {shape!r}"]


def _fields(value: Any, shape: Mapping[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: no object"]
    named = {name.removesuffix("?"): inner for name, inner in shape.items() if name != "*"}
    needed = {name for name in shape if not name.endswith("?") and name != "*"}
    found = [f"{where}.{name}: missing" for name in sorted(needed - value.keys())]
    for name, inner in value.items():
        if name in named:
            found += misfits(inner, named[name], f"{where}.{name}")
        elif "*" in shape:
            found += misfits(inner, shape["*"], f"{where}.{name}")
        else:
            found.append(f"{where}.{name}: not in the manual's shape")
    return found


def count(value: object) -> bool:
    """A whole number, not negative."""
    return type(value) is int and value >= 0


def digest(value: object) -> bool:
    """A plan's digest; empty when there is no plan."""
    return isinstance(value, str) and re.fullmatch(r"([0-9a-f]{16,})?", value) is not None


def moment(value: object) -> bool:
    """A time with its zone (ISO 8601)."""
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


def anything(_: object) -> bool:
    return True


def one_of(*texts: object) -> Callable[[object], bool]:
    def choice(value: object) -> bool:
        return value in texts

    return choice


TEXT = (str, None)
TALLY = {"read": count, **dict.fromkeys(BUCKETS, count), "gone": count}
CODE = one_of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
PROBLEM = {
    "kind": one_of("person", "group", "seat", "registration"),
    "key": str,
    "bucket": one_of("refused", "set_aside", "excluded"),
    "reason": str,
    "where": str,
    "new": bool,
}
RUN_CUSTOMER = {
    "outcome": one_of("done", "partial", "held", "failed"),
    "exit_code": CODE,
    "reason": TEXT,
    **dict.fromkeys(KINDS, TALLY),
    "requests": count,
    "plan": digest,
    "problems?": [PROBLEM],
    "*": anything,
}
RUN = {"schema": "rosterd/run/1", "exit_code": CODE, "customers": {"*": RUN_CUSTOMER}, "*": anything}

RECORD = ({"*": str}, None)
CHANGE = {
    "op": one_of("create", "update", "gone"),
    "kind": one_of("person", "group", "seat", "registration"),
    "key": str,
    "before": RECORD,
    "after": RECORD,
}
PLAN_CUSTOMER = {
    "verdict": one_of("go", "hold"),
    "reasons": [str],
    "digest": digest,
    **dict.fromkeys(KINDS, TALLY),
    "changes": [CHANGE],
    "*": anything,
}
PLAN = {"schema": "rosterd/plan/1", "customers": {"*": PLAN_CUSTOMER}}

OUTCOME_OF = {0: "done", 3: "partial", 4: "held"}


def unbalanced(customer: Mapping[str, Any]) -> list[str]:
    """The kinds of a customer whose buckets do not add up to `read`."""
    return [
        f"{kind}: {customer[kind]}"
        for kind in KINDS
        if customer[kind]["read"] != sum(customer[kind][bucket] for bucket in BUCKETS)
    ]
