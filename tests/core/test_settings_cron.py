"""Schedules of five fields."""

from __future__ import annotations

import pytest

from rosterd import cron


def test_the_usual_schedule() -> None:
    times = cron.parse("*/15 * * * *")
    assert times.minutes == {0, 15, 30, 45}
    assert times.hours == set(range(24))
    assert times.days == set(range(1, 32))
    assert times.months == set(range(1, 13))
    assert times.weekdays == set(range(7))


@pytest.mark.parametrize(
    ("weekday", "days"),
    [
        ("0", {0}),
        ("7", {0}),
        ("sun", {0}),
        ("mon-fri", {1, 2, 3, 4, 5}),
        ("Fri-Sun", {5, 6, 0}),
        ("5-7", {5, 6, 0}),
        ("1,3,5", {1, 3, 5}),
        ("*/2", {0, 2, 4, 6}),
        ("0-7", {0, 1, 2, 3, 4, 5, 6}),
    ],
)
def test_days_of_the_week(weekday: str, days: set[int]) -> None:
    assert cron.parse(f"0 6 * * {weekday}").weekdays == days


@pytest.mark.parametrize(
    ("minute", "minutes"),
    [
        ("0", {0}),
        ("10-20/5", {10, 15, 20}),
        ("50/3", {50, 53, 56, 59}),
        ("1,2,5-6", {1, 2, 5, 6}),
        ("00", {0}),
    ],
)
def test_minutes(minute: str, minutes: set[int]) -> None:
    assert cron.parse(f"{minute} * * * *").minutes == minutes


def test_months_by_name_and_leap_days() -> None:
    assert cron.parse("0 0 29 feb *").months == {2}
    assert cron.parse("0 0 31 jan-mar *").months == {1, 2, 3}
    assert cron.parse("  0   0 1 1 *  ").days == {1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "five cron fields"),
        ("* * * *", "five cron fields"),
        ("* * * * * *", "five cron fields"),
        ("@reboot", "five cron fields"),
        ("60 * * * *", "its minute must lie between 0 and 59"),
        ("* 24 * * *", "its hour must lie between 0 and 23"),
        ("* * 0 * *", "its day of the month must lie between 1 and 31"),
        ("* * * 13 *", "its month must lie between 1 and 12"),
        ("* * * * 8", "its day of the week must lie between 0 and 7"),
        ("5-1 * * * *", "its minute must lie"),
        ("*/0 * * * *", "its minute must lie"),
        ("*-5 * * * *", "its minute must lie"),
        ("-1 * * * *", "its minute cannot be read"),
        ("a * * * *", "its minute cannot be read"),
        ("jan * * * *", "its minute cannot be read"),
        ("1, * * * *", "its minute cannot be read"),
        ("* * L * *", "its day of the month cannot be read"),
        ("* * * * 1#2", "its day of the week cannot be read"),
        ("* * * * foo", "its day of the week cannot be read"),
        ("٣ * * * *", "its minute cannot be read"),
        ("0 0 30 2 *", "never due"),
        ("0 0 31 4,6 *", "never due"),
    ],
)
def test_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        cron.parse(text)
