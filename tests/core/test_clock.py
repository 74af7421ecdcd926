"""The service's clock and timetable when the time of day is set: fault row 70, with clocks of our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from rosterd import due
from rosterd.daemon.clock import Clock
from rosterd.daemon.schedule import RUN, Entry, Timetable

HOUR, YEAR = 3_600.0, 365 * 86_400.0
EVERY = Entry(RUN, "often", "OFTEN", due.Rule(due.parse("every 20m")))
DAILY = Entry(RUN, "daily", "DAILY", due.Rule(due.parse("0 6 * * *")))


@dataclass
class Hands:
    """A clock whose hands are moved."""

    wall: float = 1_900_000_000.0  # years ahead: nothing is started by the machine's own clock
    steady: float = 5_000.0
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(lambda: self.wall, lambda: self.steady)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def set(self, seconds: float) -> None:
        self.wall += seconds


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def timetable(hands: Hands) -> Iterator[Timetable]:
    """One job every 20 minutes and one a day, laid out and never begun."""
    found = Timetable(lambda _entry: None, lambda _entry: None, hands.clock, 1)
    found.prepare([EVERY, DAILY], {EVERY.id: (hands.wall + 600, EVERY.rule.fingerprint)})
    yield found
    found.stop()


@pytest.mark.parametrize("step", [HOUR, -HOUR, YEAR, -YEAR, 6.0, -6.0])
def test_fault_70_a_step_is_seen_once(hands: Hands, step: float) -> None:
    hands.passes(2.0)
    assert hands.clock.step() == 0.0
    hands.passes(2.0)
    hands.set(step)
    assert hands.clock.step() == pytest.approx(step)
    hands.passes(8 * HOUR)  # asleep: both clocks count that
    assert hands.clock.step() == 0.0


def test_a_clock_that_is_disciplined_is_not_set(hands: Hands) -> None:
    for drift in (0.5, -0.5, 4.9):
        hands.passes(2.0)
        hands.set(drift)
        assert hands.clock.step() == 0.0


@pytest.mark.parametrize("step", [HOUR, -HOUR, YEAR, -YEAR])
def test_fault_70_an_interval_goes_on(hands: Hands, timetable: Timetable, step: float) -> None:
    hands.passes(60.0)
    hands.set(step)
    assert timetable.look() == pytest.approx(step)
    assert timetable.due()[EVERY.id] - hands.wall == pytest.approx(540.0, abs=1.0)
    assert timetable.look() == 0.0
    assert timetable.due()[EVERY.id] - hands.wall == pytest.approx(540.0, abs=1.0), "reckoned once"


@pytest.mark.parametrize(
    ("step", "least", "most"),
    [
        (HOUR, -HOUR, 24 * HOUR),  # at most the hour that was jumped over
        (-HOUR, 0.0, 25 * HOUR),
        (YEAR, -YEAR, 0.0),  # owed since: it comes once
        (-YEAR, 0.0, 24 * HOUR),  # and not in a year
    ],
)
def test_fault_70_a_daily_run_is_due_within_a_day(
    hands: Hands, timetable: Timetable, step: float, least: float, most: float
) -> None:
    before = timetable.due()[DAILY.id]
    hands.set(step)
    timetable.look()
    after = timetable.due()[DAILY.id]
    assert least <= after - hands.wall <= most
    assert after <= before and len(timetable.due()) == 2, "each job is there once: no burst"


@pytest.mark.parametrize("step", [HOUR, -HOUR, YEAR, -YEAR])
def test_fault_70_what_is_owed_stays_owed(hands: Hands, timetable: Timetable, step: float) -> None:
    """A job that waits or goes on while the clock is set."""
    hands.passes(700.0)
    since = timetable.owed()[EVERY.id]
    assert since < hands.wall
    hands.set(step)
    timetable.look()
    assert timetable.owed()[EVERY.id] == since
