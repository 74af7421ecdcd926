"""Five hundred runs killed at random: nothing is acknowledged that the target did not accept, nothing is forgotten.

Two customers change all the time (joiners, leavers, renames, what goes back to what it was, refused and set-aside
records), and every run may die after a random time, at a random transaction, amid one, or with a random request just
before or after the target accepts it. Every few rounds a whole run must bring directory, ledger and target in step.
"""

from __future__ import annotations

import pytest
from tests.kill.mutants import KINDS
from tests.kill.programs import program, quick_place

MODES = ("unknown", "additive")
KILLS = 250  # in each mode


@pytest.mark.slow
@pytest.mark.parametrize("membership", MODES)
def test_random_kills(membership: str) -> None:
    with quick_place() as place:
        found = program("driver", "at_random", place, membership, "a seed", KILLS)
    assert found["wrong"] == [], found["said"]
    assert sum(found["kills"].values()) >= KILLS
    assert min(found["kills"].values()) > 10, found["kills"]
    assert found["rounds"] > KILLS


@pytest.mark.parametrize("membership", MODES)
def test_what_goes_back_after_a_kill_is_sent_again(membership: str) -> None:
    with quick_place() as place:
        found = program("driver", "revert", place, membership, "", 0)
    assert found["wrong"] == [], found["said"]
    assert found["kills"] == {"accepted": 3}


def test_standing_refusals_tried_again_alone_stop_nothing() -> None:
    with quick_place() as place:
        found = program("driver", "standing", place, "additive", "", 0)
    assert found["wrong"] == [], found["said"]


@pytest.mark.parametrize(
    ("mutant", "scenario", "finding"),
    [
        ("forgetful", "revert", "is acknowledged as"),
        ("blind", "revert", "nothing was sent again"),
        ("eager", "at_random", "acknowledged"),
    ],
)
def test_a_ledger_or_a_push_that_is_wrong_is_found(mutant: str, scenario: str, finding: str) -> None:
    """The same with one wrong part: else the checks above would prove nothing."""
    assert mutant in KINDS
    with quick_place() as place:
        found = program("driver", scenario, place, "additive", "a seed", 100, mutant)
    assert any(finding in what for what in found["wrong"]), found
