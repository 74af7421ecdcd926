"""When something is due: a schedule, its own small delay, and the windows in which nothing may start.

Pure: moments are seconds since 1970 and come in as parameters. A schedule is five cron fields or "every 20m".
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rosterd import cron

DAY = 86_400.0
NEAR = 3 * 3_600.0  # seconds; a clock put back by less does not repeat what was done (cron(8) has it so too)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": DAY}
_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_WINDOW = re.compile(r"(?:([a-z,-]+) +)?(\d{2}):(\d{2})-(\d{2}):(\d{2})")
_DATES = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?")


class Every(NamedTuple):
    """So many seconds after the last start."""

    seconds: float


class Window(NamedTuple):
    """Nothing starts on these weekdays (0 is Sunday) between two minutes of the day, or from one date to another.

    `end` may lie beyond midnight: the window then belongs to the weekday on which it begins.
    """

    weekdays: frozenset[int]
    start: int = 0
    end: int = 1_440
    first: date | None = None
    last: date | None = None


class Rule(NamedTuple):
    """When one job is due. delay: seconds that it starts after its schedule, see `delay_of`."""

    schedule: cron.Times | Every
    zone: str = "UTC"
    delay: float = 0.0
    blackouts: tuple[Window, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The same for the same rule, in every process: a due time is kept only while its rule stands."""
        schedule = [sorted(part) if isinstance(part, frozenset) else part for part in self.schedule]
        windows = [(sorted(w.weekdays), w.start, w.end, str(w.first), str(w.last)) for w in self.blackouts]
        text = repr((schedule, self.zone, round(self.delay, 3), windows))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse(text: str) -> cron.Times | Every:
    """A schedule such as "*/15 * * * *" or "every 20m". Raises ValueError saying what is wrong."""
    if not text.startswith("every"):
        return cron.parse(text)
    found = re.fullmatch(r"every +(\d+)([smhd])", text, re.ASCII)
    seconds = float(found[1]) * _UNITS[found[2]] if found and len(found[1]) < 8 else 0.0
    if not 1 <= seconds <= 366 * DAY:
        raise ValueError('is not a schedule such as "every 20m", "every 90s" or "every 1d"')
    return Every(seconds)


def parse_window(text: str) -> Window:
    """A blackout such as "22:00-05:00", "mon-fri 08:00-09:30", "2026-12-24..2027-01-01". Raises ValueError."""
    plain = text.strip().lower()
    if found := _DATES.fullmatch(plain):
        first = date.fromisoformat(found[1])
        last = date.fromisoformat(found[2] or found[1])
        if last < first:
            raise ValueError("ends before it begins")
        return Window(frozenset(range(7)), first=first, last=last)
    found = _WINDOW.fullmatch(plain)
    if not found:
        raise ValueError(
            'is not a window such as "22:00-05:00", "sat,sun 00:00-24:00" or "2026-12-24..2027-01-01"'
        )
    start, end = _minute(found[2], found[3]), _minute(found[4], found[5])
    if start == end or start == 1_440:
        raise ValueError("is a window without length")
    return Window(_weekdays(found[1]), start, end if end > start else end + 1_440)


def _minute(hour: str, minute: str) -> int:
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > 1_440:
        raise ValueError("has a time of day that does not exist")
    return value


def _weekdays(text: str | None) -> frozenset[int]:
    if text is None:
        return frozenset(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in _NAMES or (last or first) not in _NAMES:
            raise ValueError("has a weekday other than mon, tue, wed, thu, fri, sat, sun")
        low, high = _NAMES.index(first), _NAMES.index(last or first)
        found |= {day % 7 for day in range(low, (high if high >= low else high + 7) + 1)}
    return frozenset(found)


def delay_of(name: str, jitter: float) -> float:
    """A delay between 0 and `jitter` seconds that is always the same for the same name."""
    digest = hashlib.sha256(name.encode()).digest()
    return jitter * (int.from_bytes(digest[:8]) / 2**64)


@lru_cache(64)
def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)  # UTC needs no data


def next_due(rule: Rule, after: float) -> float:
    """The first time after a moment. For an interval, `after` is the last start.

    A time within a blackout is put off to its end, and many such are one: the caller asks again from there.
    Raises ValueError when the blackouts leave no time at all.
    """
    if isinstance(rule.schedule, Every):
        return _allowed(rule, after + rule.schedule.seconds)
    local = datetime.fromtimestamp(after - rule.delay, _zone(rule.zone))
    found = _allowed(rule, cron.due_after(rule.schedule, local).timestamp() + rule.delay)
    while found <= after:  # a fraction of a second lost in the sum
        local = datetime.fromtimestamp(found - rule.delay + 1, _zone(rule.zone))
        found = _allowed(rule, cron.due_after(rule.schedule, local).timestamp() + rule.delay)
    return found


def first_due(rule: Rule, now: float) -> float:
    """When a job that never ran is due: an interval at once, with its delay; a schedule when it says so."""
    if isinstance(rule.schedule, Every):
        return _allowed(rule, now + rule.delay)
    return next_due(rule, now)


def resumed(rule: Rule, owed: float | None, now: float) -> float:
    """What a due time of an earlier process is worth: owed work comes at once, nothing is put off by it."""
    first = first_due(rule, now) if owed is None else next_due(rule, now)
    return first if owed is None else min(owed, first)


def stepped(rule: Rule, due: float, now: float, step: float) -> float:
    """A due time after the clock was put forward (step > 0) or back by so many seconds; `now` is the new time.

    An interval goes on as if nothing had happened. A schedule follows the new time: forward, what was jumped over
    comes once; back, what the clock will show again is due again, but a fixed time of day not within NEAR.
    """
    if isinstance(rule.schedule, Every):
        return due + step
    if step > 0 or (-step <= NEAR and len(rule.schedule.hours) < 24):
        return due
    return min(due, next_due(rule, now))


def _allowed(rule: Rule, moment: float) -> float:
    """The moment, or the end of the blackouts that it lies in, with the job's own delay."""
    for _ in range(800):  # more than every weekday and date of a year, one after the other
        ends = [end for window in rule.blackouts if (end := _end(window, moment, rule.zone)) is not None]
        if not ends:
            return moment
        moment = max(ends) + rule.delay
    raise ValueError("is never due: the blackouts leave no time for it")


def _end(window: Window, moment: float, zone: str) -> float | None:
    """When a window that covers the moment ends, else None."""
    local = datetime.fromtimestamp(moment, _zone(zone))
    if window.first and window.last:
        if not window.first <= local.date() <= window.last:
            return None
        return _at(window.last, 1_440, local)
    minute = local.hour * 60 + local.minute
    for back in (0, 1):  # begun today, or yesterday and beyond midnight
        day = local.date() - timedelta(days=back)
        begun = minute + 1_440 * back
        if day.isoweekday() % 7 in window.weekdays and window.start <= begun < window.end:
            end = _at(day, window.end, local)
            return end if end > moment else moment + 60  # an hour that the clock shows twice
    return None


def _at(day: date, minute: int, local: datetime) -> float:
    whole = datetime.combine(day, time(), local.tzinfo) + timedelta(minutes=minute)
    return whole.replace(fold=local.fold).timestamp()
