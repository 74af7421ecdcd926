"""When jobs are due: a simulated year in every kind of time zone, with nights off, sleep, and clocks that are set."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosterd import due
from rosterd.due import Every, Rule, Window

ZONES = [
    "UTC",
    "Europe/Paris",  # 02:00 -> 03:00 and back
    "America/Sao_Paulo",  # no summer time any more
    "America/Santiago",  # midnight itself is skipped and repeated
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",  # 45 minutes beside the hour
    "Africa/Casablanca",  # an hour back for Ramadan
    "Pacific/Apia",  # the other side of the date line
]
YEAR = 365 * due.DAY


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def local(moment: float, zone: str) -> datetime:
    return datetime.fromtimestamp(moment, ZoneInfo(zone))


def year(rule: Rule, start: float) -> list[float]:
    """Every due time of a year of uninterrupted service."""
    moments, moment = [], start
    while (moment := due.next_due(rule, moment)) < start + YEAR:
        moments.append(moment)
    return moments


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", [0, 1, 2, 3])
def test_a_year_of_nightly_runs_has_one_for_every_day(zone: str, hour: int) -> None:
    """The nights with 23 and 25 hours included."""
    rule = Rule(due.parse(f"30 {hour} * * *"), zone, delay=17.5)
    first = datetime(2026, 1, 1, tzinfo=ZoneInfo(zone))
    days = [local(moment - rule.delay, zone).date() for moment in year(rule, first.timestamp())]
    assert days == [first.date() + timedelta(days=number) for number in range(len(days))]
    assert len(days) >= 364


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_quarters_of_an_hour_has_no_gap_and_no_double(zone: str) -> None:
    moments = year(Rule(due.parse("*/15 * * * *"), zone), at("2026-01-01T00:07", zone))
    gaps = {round(b - a) for a, b in itertools.pairwise(moments)}
    assert gaps == {900} and len(moments) == 365 * 96


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("sunday", ["0", "7", "sun"])
def test_a_year_of_sundays(zone: str, sunday: str) -> None:
    moments = year(Rule(due.parse(f"0 12 * * {sunday}"), zone), at("2026-01-01T00:00", zone))
    assert {local(moment, zone).isoweekday() for moment in moments} == {7} and len(moments) == 52


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_with_blackouts(zone: str) -> None:
    """No start within one; what falls into one comes once, at its end."""
    windows = ("22:00-05:00", "sat,sun 00:00-24:00", "2026-12-24..2026-12-26")
    rule = Rule(due.parse("0 * * * *"), zone, 0.0, tuple(map(due.parse_window, windows)))
    moments = year(rule, at("2026-01-01T12:00", zone))
    for moment in moments:
        then = local(moment, zone)
        assert (
            5 <= then.hour < 22
            and then.isoweekday() < 6
            and (then.month, then.day) not in {(12, 24), (12, 25)}
        )
    workdays = {local(moment, zone).date() for moment in moments}
    assert 0 <= 17 * len(workdays) - len(moments) < 30, "17 hours of nearly every working day"


def test_a_run_put_off_by_a_blackout_comes_once_and_late() -> None:
    rule = Rule(due.parse("30 2 * * *"), "UTC", 0.0, (due.parse_window("mon 02:00-04:00"),))
    sunday = at("2026-06-07T03:00")
    assert due.next_due(rule, sunday) == at("2026-06-08T04:00")
    assert due.next_due(rule, at("2026-06-08T04:00")) == at("2026-06-09T02:30")


def test_blackouts_without_end_are_refused() -> None:
    rule = Rule(due.parse("* * * * *"), "UTC", 0.0, (due.parse_window("00:00-24:00"),))
    with pytest.raises(ValueError, match="never due"):
        due.next_due(rule, 0.0)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("22:00-05:00", Window(frozenset(range(7)), 1_320, 1_740)),
        ("Mon-Fri 08:00-09:30", Window(frozenset({1, 2, 3, 4, 5}), 480, 570)),
        ("fri-mon 00:00-24:00", Window(frozenset({5, 6, 0, 1}), 0, 1_440)),
    ],
)
def test_windows(text: str, window: Window) -> None:
    assert due.parse_window(text) == window


@pytest.mark.parametrize(
    "text", ["", "8-9", "08:00", "08:00-08:00", "25:00-26:00", "08:60-09:00", "day 08:00-09:00", "24:00-08:00",
             "2026-02-30..2026-03-01", "2026-03-02..2026-03-01"]
)  # fmt: skip
def test_windows_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        due.parse_window(text)


@pytest.mark.parametrize(("text", "seconds"), [("every 90s", 90), ("every 20m", 1_200), ("every 1d", 86_400)])
def test_intervals(text: str, seconds: float) -> None:
    assert due.parse(text) == Every(seconds)


@pytest.mark.parametrize(
    "text", ["every", "every 0s", "every 5", "every 1w", "every 99999999s", "every 400d", "often"]
)
def test_intervals_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        due.parse(text)


def test_the_delay_is_the_customers_own_and_spreads_them() -> None:
    delays = [due.delay_of(f"C{number}", 60.0) for number in range(1_000)]
    assert delays == [due.delay_of(f"C{number}", 60.0) for number in range(1_000)]
    assert 0 <= min(delays) < 1 and 59 < max(delays) < 60
    assert all(60 < sum(a <= delay < a + 6 for delay in delays) < 140 for a in range(0, 60, 6))


def test_a_rule_is_known_by_its_fingerprint() -> None:
    rule = Rule(due.parse("*/15 * * * *"), "UTC", 1.5, (due.parse_window("22:00-05:00"),))
    same = Rule(due.parse("0,15,30,45 * * * *"), "UTC", 1.5, (due.parse_window("22:00-05:00"),))
    assert rule.fingerprint == same.fingerprint == rule.fingerprint
    others = [rule._replace(zone="Europe/Paris"), rule._replace(delay=2.5), rule._replace(blackouts=())]
    assert len({rule.fingerprint, *(other.fingerprint for other in others)}) == 4


# A service with a life: it sleeps, is restarted, has its clock set, and its runs take their time


class Life:
    """One job over a year of steady time, as daemon.schedule handles it; `offset`: how far the clock is set off."""

    def __init__(self, rule: Rule, start: float) -> None:
        self.rule, self.steady, self.offset = rule, start, 0.0
        self.due = due.first_due(rule, start)
        self.runs: list[tuple[float, float]] = []  # start by steady time, and what was due

    @property
    def wall(self) -> float:
        return self.steady + self.offset

    def goes_on(self, seconds: float, takes: float) -> None:
        """Awake for so long."""
        until = self.steady + seconds
        while self.due - self.offset <= until:
            self.steady = max(self.steady, self.due - self.offset)
            self.runs.append((self.steady, self.due))
            started = self.wall
            self.due = due.next_due(self.rule, max(self.due, started))
            self.steady += takes
            while self.due <= self.wall:  # due meanwhile: skipped
                self.due = due.next_due(self.rule, self.wall)
        self.steady = max(self.steady, until)

    def sleeps(self, seconds: float) -> None:
        self.steady += seconds

    def restarts(self, seconds: float) -> None:
        self.steady += seconds
        self.due = due.resumed(self.rule, self.due, self.wall)

    def clock_set(self, seconds: float) -> None:
        self.offset += seconds
        self.due = due.stepped(self.rule, self.due, self.wall, seconds)


RULES = st.builds(
    Rule,
    st.sampled_from(["*/15 * * * *", "7 * * * *", "30 2 * * *", "0 0 * * 0", "every 20m", "every 6h"]).map(
        due.parse
    ),
    st.sampled_from(ZONES),
    st.sampled_from([0.0, 12.25]),
    st.sampled_from([(), (due.parse_window("22:00-05:00"),)]),
)
HOUR = 3_600.0
LIVES = st.lists(
    st.tuples(
        st.sampled_from(["sleeps", "restarts", "clock_set"]),
        st.sampled_from([60.0, HOUR, 8 * HOUR, 3 * due.DAY, -HOUR, -YEAR, YEAR]),
        st.sampled_from([HOUR, 30 * HOUR, 20 * due.DAY]),
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(RULES, LIVES, st.sampled_from([1.0, 1_000.0]))
def test_every_run_of_a_life_is_accounted_for(
    rule: Rule, life: list[tuple[str, float, float]], takes: float
) -> None:
    """Faults 70, 73 and 74: never parallel, one run for what was missed, never a burst, and it never falls silent."""
    one = Life(rule, at("2026-03-01T00:00"))
    for what, seconds, after in life:
        one.goes_on(after, takes)
        before = len(one.runs)
        if what == "clock_set":
            one.clock_set(seconds)
        else:
            getattr(one, what)(abs(seconds) % (10 * due.DAY))
        one.goes_on(0.0, takes)
        assert len(one.runs) <= before + 1, "one catch-up run at most"
    starts = [start for start, _ in one.runs]
    assert all(b - a >= takes for a, b in itertools.pairwise(starts)), "never parallel"
    before = len(one.runs)
    one.goes_on(9 * due.DAY, takes)
    expected = [moment for moment in year(rule, one.wall - 9 * due.DAY) if moment <= one.wall]
    assert len(one.runs) - before >= min(1, len(expected)), "it never falls silent"
    assert len(one.runs) - before <= len(expected) + 2, "never a burst"


def test_fault_70_an_interval_does_not_feel_the_clock() -> None:
    rule = Rule(due.parse("every 20m"), "UTC")
    one = Life(rule, at("2026-03-01T00:00"))
    for step in (HOUR, -HOUR, YEAR, -YEAR, 90.0):
        one.goes_on(HOUR, 1.0)
        one.clock_set(step)
    one.goes_on(HOUR, 1.0)
    gaps = {round(b - a) for (a, _), (b, _) in itertools.pairwise(one.runs)}
    assert gaps == {1_200}


@pytest.mark.parametrize("step", [-HOUR, -2.5 * HOUR])
def test_fault_70_a_clock_put_back_a_little_does_not_repeat_a_nightly_run(step: float) -> None:
    one = Life(Rule(due.parse("30 2 * * *"), "UTC"), at("2026-03-01T00:00"))
    one.goes_on(3 * HOUR, 1.0)
    one.clock_set(step)
    one.goes_on(20 * HOUR, 1.0)
    assert len(one.runs) == 1
    one.goes_on(due.DAY, 1.0)
    assert len(one.runs) == 2


def test_fault_70_a_clock_put_back_a_year_goes_on_at_once() -> None:
    one = Life(Rule(due.parse("*/15 * * * *"), "UTC"), at("2026-03-01T00:00"))
    one.clock_set(-YEAR)
    one.goes_on(2 * HOUR, 1.0)
    assert len(one.runs) == 8


def test_fault_73_eight_hours_of_sleep_are_one_run() -> None:
    one = Life(Rule(due.parse("*/15 * * * *"), "UTC"), at("2026-03-01T00:01"))
    one.goes_on(HOUR, 1.0)
    before = len(one.runs)
    one.sleeps(8 * HOUR)
    one.goes_on(60.0, 1.0)
    assert len(one.runs) == before + 1


def test_a_restart_neither_forgets_nor_floods() -> None:
    rule = Rule(due.parse("0 6 * * *"), "UTC")
    now = at("2026-03-02T09:00")
    assert due.resumed(rule, at("2026-03-02T06:00"), now) == at("2026-03-02T06:00"), "owed: at once"
    assert due.resumed(rule, at("2026-03-03T06:00"), now) == at("2026-03-03T06:00")
    assert due.resumed(rule, at("2027-03-03T06:00"), now) == at("2026-03-03T06:00"), (
        "noted while the clock was wrong"
    )
    assert due.resumed(rule, None, now) == at("2026-03-03T06:00"), "new: on its schedule"
    assert due.resumed(Rule(Every(60.0), delay=5.0), None, now) == now + 5.0, "new: at once, with its delay"
    assert datetime.fromtimestamp(now, UTC).hour == 9
