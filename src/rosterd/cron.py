"""Schedules of five cron fields, read without the scheduler."""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
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
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_PART = re.compile(r"(\*|[0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?(?:/([0-9]{1,2}))?", re.IGNORECASE)


class Times(NamedTuple):
    """When a schedule is due. Sunday is 0. An unrestricted field holds all of its values.

    either: whether a day or a weekday is enough, as neither of the two begins with a star (crontab(5)).
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool


def parse(text: str) -> Times:
    """The times of a schedule such as "*/15 * * * *", or "@daily". Raises ValueError saying which field is wrong."""
    fields = _NICKNAMES.get(text.strip().lower(), text).split()
    if len(fields) != len(_FIELDS):
        raise ValueError('is not a schedule of five cron fields, such as "*/15 * * * *"')
    minutes, hours, days, months, weekdays = map(_field, fields, _FIELDS)
    either = not (fields[2].startswith("*") or fields[4].startswith("*"))
    if not either and not any(day <= _LONGEST_MONTH[month - 1] for day in days for month in months):
        raise ValueError("is a schedule that is never due: no such day in these months")
    return Times(minutes, hours, days, months, frozenset([day % 7 for day in weekdays]), either)


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


def due_after(times: Times, after: datetime) -> datetime:
    """The first due time after a moment (aware, in the schedule's zone; the answer is in the same zone).

    A time that the clock skips comes when it would have been; one that the clock shows twice comes the first time,
    unless the schedule runs every hour.
    """
    moments = _moments(times)
    for days in range(366 * 9):
        day = after.date() + timedelta(days=days)
        if not _even(after.tzinfo, day):
            return _due_around(times, moments, after, days - 1)
        at = 0 if days else bisect_right(moments, (after.hour, after.minute))
        if at < len(moments) and _on(times, day):
            return datetime(day.year, day.month, day.day, *moments[at], tzinfo=after.tzinfo)
    raise ValueError("is a schedule that is never due")


@lru_cache(1_024)
def _moments(times: Times) -> list[tuple[int, int]]:
    return [(hour, minute) for hour in sorted(times.hours) for minute in sorted(times.minutes)]


@lru_cache(1_024)
def _even(zone: tzinfo | None, day: date) -> bool:
    """Whether the zone's offset is the same from the day before to the day after: nearly always."""
    starts = [datetime.combine(day + timedelta(days=shift), time(), zone) for shift in (-1, 0, 1, 2)]
    return len({moment.utcoffset() for moment in starts}) == 1


def _due_around(times: Times, moments: list[tuple[int, int]], after: datetime, first: int) -> datetime:
    """The same where the clock is put forward or back: every candidate is compared, not only the next."""
    folds = (0, 1) if len(times.hours) == 24 else (0,)
    bound = after.astimezone(UTC)
    for days in range(first, first + 366 * 9):
        day = after.date() + timedelta(days=days)
        if not _on(times, day):
            continue
        found = [
            moment
            for hour, minute in moments
            for fold in folds
            if (
                moment := datetime(day.year, day.month, day.day, hour, minute, tzinfo=after.tzinfo, fold=fold)
            ).astimezone(UTC)
            > bound
        ]
        if found:
            return min(found, key=lambda moment: moment.astimezone(UTC))
    raise ValueError("is a schedule that is never due")


def _on(times: Times, day: date) -> bool:
    if day.month not in times.months:
        return False
    by_day, by_weekday = day.day in times.days, day.isoweekday() % 7 in times.weekdays
    return by_day or by_weekday if times.either else by_day and by_weekday
