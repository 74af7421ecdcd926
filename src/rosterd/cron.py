"""Schedules of five cron fields, read without the scheduler."""

from __future__ import annotations

import re
from typing import NamedTuple

_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: number for number, name in enumerate(_DAY_NAMES)}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(\*|[0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?(?:/([0-9]{1,2}))?", re.IGNORECASE)


class Times(NamedTuple):
    """When a schedule is due. Sunday is 0. An unrestricted field holds all of its values."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]


def parse(text: str) -> Times:
    """The times of a schedule such as "*/15 * * * *". Raises ValueError saying which field is wrong."""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError('is not a schedule of five cron fields, such as "*/15 * * * *"')
    minutes, hours, days, months, weekdays = map(_field, fields, _FIELDS)
    if not any(day <= _LONGEST_MONTH[month - 1] for day in days for month in months):
        raise ValueError("is a schedule that is never due: no such day in these months")
    return Times(minutes, hours, days, months, frozenset([day % 7 for day in weekdays]))


def _field(text: str, field: tuple[str, int, int, dict[str, int]]) -> frozenset[int]:
    return frozenset([value for part in text.split(",") for value in _values(part, *field)])


def _values(part: str, what: str, low: int, high: int, names: dict[str, int]) -> range:
    found = _PART.fullmatch(part)
    if not found:
        raise ValueError(f"is not a cron schedule: its {what} cannot be read")
    first, last, step = found[1], found[2], int(found[3] or 1)
    if first == "*":
        start, end = low, min(high, 6) if what == "day of the week" else high
    else:
        start = _number(first, what, names)
        # "5/10" counts from 5 to the end of the field, as Vixie cron has it.
        end = _number(last, what, names) if last else high if found[3] else start
    if what == "day of the week" and last and end == 0 and start > 0:
        end = 7  # "fri-sun"
    if (first == "*" and last) or not low <= start <= end <= high or step == 0:
        raise ValueError(f"is not a cron schedule: its {what} must lie between {low} and {high}")
    return range(start, end + 1, step)


def _number(text: str, what: str, names: dict[str, int]) -> int:
    if text.isdigit():
        return int(text)
    if text.lower() not in names:
        raise ValueError(f"is not a cron schedule: its {what} cannot be read")
    return names[text.lower()]
