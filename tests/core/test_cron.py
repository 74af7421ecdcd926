"""When a schedule is due next, on days with 23, 24 and 25 hours."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosterd.cron import due_after, parse

PARIS = ZoneInfo("Europe/Paris")  # 2026: 02:00 -> 03:00 on 29 March, 03:00 -> 02:00 on 25 October


def due(text: str, after: str, zone: ZoneInfo = PARIS, times: int = 1) -> list[str]:
    """The next due times after a local moment, in local time with its offset."""
    moment = datetime.fromisoformat(after).replace(tzinfo=zone)
    found = []
    for _ in range(times):
        moment = due_after(parse(text), moment)
        found.append(moment.strftime("%m-%d %H:%M%z"))
    return found


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("*/15 * * * *", "2026-06-01T10:00", "06-01 10:15+0200"),
        ("*/15 * * * *", "2026-06-01T10:59:59", "06-01 11:00+0200"),
        ("0 6 * * *", "2026-06-01T06:00", "06-02 06:00+0200"),
        ("0 6 * * *", "2026-06-01T05:59:59.999999", "06-01 06:00+0200"),
        ("59 23 31 12 *", "2026-12-31T23:59", "12-31 23:59+0100"),
        ("0 0 29 2 *", "2026-03-01T00:00", "02-29 00:00+0100"),
        ("0 8 * * mon", "2026-06-01T09:00", "06-08 08:00+0200"),
        ("0 8 1 * mon", "2026-06-02T09:00", "06-08 08:00+0200"),  # either is enough
        ("0 8 15 * *", "2026-06-15T09:00", "07-15 08:00+0200"),
        (
            "0 8 */2 * mon",
            "2026-06-01T09:00",
            "06-15 08:00+0200",
        ),  # what begins with a star restricts nothing
        ("0 8 1-31 * mon", "2026-06-01T09:00", "06-02 08:00+0200"),
        ("0 8 31 2 mon", "2026-06-01T09:00", "02-01 08:00+0100"),
        ("@hourly", "2026-06-01T09:00", "06-01 10:00+0200"),
        ("@daily", "2026-06-01T00:00", "06-02 00:00+0200"),
        ("@MIDNIGHT", "2026-06-01T00:00", "06-02 00:00+0200"),
        ("@weekly", "2026-06-01T00:00", "06-07 00:00+0200"),
        ("@monthly", "2026-06-01T00:00", "07-01 00:00+0200"),
        ("@yearly", "2026-06-01T00:00", "01-01 00:00+0100"),
    ],
)
def test_the_next_time(text: str, after: str, expected: str) -> None:
    assert due(text, after) == [expected]


@pytest.mark.parametrize("sunday", ["0", "7", "sun", "SUN"])
def test_fault_72_sunday(sunday: str) -> None:
    assert due(f"0 8 * * {sunday}", "2026-06-01T00:00") == ["06-07 08:00+0200"]


@pytest.mark.parametrize("hour", ["0", "1", "2", "3", "4"])
def test_fault_71_a_daily_run_comes_once_in_spring(hour: str) -> None:
    days = [moment[:5] for moment in due(f"30 {hour} * * *", "2026-03-27T12:00", times=4)]
    assert days == ["03-28", "03-29", "03-30", "03-31"]


@pytest.mark.parametrize("hour", ["0", "1", "2", "3", "4"])
def test_fault_71_a_daily_run_comes_once_in_autumn(hour: str) -> None:
    days = [moment[:5] for moment in due(f"30 {hour} * * *", "2026-10-23T12:00", times=4)]
    assert days == ["10-24", "10-25", "10-26", "10-27"]


def test_fault_71_the_hour_that_is_shown_twice_counts_the_first_time() -> None:
    assert due("30 2 * * *", "2026-10-24T12:00") == ["10-25 02:30+0200"]


def test_fault_71_an_hourly_run_comes_every_hour() -> None:
    for after, hours in (("2026-03-28T23:30", 23), ("2026-10-24T23:30", 25)):
        moment = datetime.fromisoformat(after).replace(tzinfo=PARIS)
        moments = []
        for _ in range(hours + 1):
            moment = due_after(parse("0 * * * *"), moment)
            moments.append(moment.astimezone(UTC))
        assert {b - a for a, b in itertools.pairwise(moments)} == {timedelta(hours=1)}


def test_a_midnight_that_is_skipped() -> None:
    """Chile's clocks skip midnight itself."""
    assert due("0 0 * * *", "2026-09-05T12:00", ZoneInfo("America/Santiago"), 2)[1] == "09-07 00:00-0300"
    first = due("0 0 * * *", "2026-09-05T12:00", ZoneInfo("America/Santiago"))[0]
    assert first.startswith("09-06")


@pytest.mark.parametrize("text", ["0 0 31 2 *", "0 0 30 feb *", "0 0 31 4,6,9,11 *"])
def test_a_day_that_never_comes(text: str) -> None:
    with pytest.raises(ValueError, match="never due"):
        parse(text)


SCHEDULES = [
    "*/15 * * * *",
    "7 * * * *",
    "30 2 * * *",
    "0 0 * * *",
    "0 3 * * 0",
    "0 0 1 * *",
    "*/7 1-3 * * *",
]
ZONES = [
    "Europe/Paris",
    "America/Sao_Paulo",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "UTC",
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        ["*/15 * * * *", "7 * * * *", "30 2 * * *", "0 0 * * *", "0 3 * * 0", "0 0 1 * *", "*/7 1-3 * * *"]
    ),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2025, 12, 1), datetime(2027, 1, 31)),
)
def test_a_due_time_lies_ahead_is_on_schedule_and_nothing_is_between(
    text: str, zone: str, after: datetime
) -> None:
    times, moment = parse(text), after.replace(tzinfo=ZoneInfo(zone))
    found = due_after(times, moment)
    start, end = moment.astimezone(UTC), found.astimezone(UTC)
    assert end > start
    real = datetime.fromtimestamp(found.timestamp(), ZoneInfo(zone))  # a skipped time shows as a later one
    skipped = (real.hour, real.minute) != (found.hour, found.minute)
    assert skipped or (real.minute in times.minutes and real.hour in times.hours)
    step = start.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while step < end and step < start + timedelta(days=2):
        local = step.astimezone(ZoneInfo(zone))
        hit = local.minute in times.minutes and local.hour in times.hours and not local.fold
        on = (
            local.day in times.days
            and local.month in times.months
            and local.isoweekday() % 7 in times.weekdays
        )
        assert not (hit and on), f"{local} was passed over"
        step += timedelta(minutes=1)
