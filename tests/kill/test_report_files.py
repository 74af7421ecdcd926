"""A set of report files, killed at every system call that writes: under its name a file is whole, always."""

from __future__ import annotations

import pytest
from tests.kill.programs import program, quick_place

# What is killed, and at least so many calls it must have had: else the set of calls would be wrong.
WORKS = {"writing": 40, "opens": 8, "pruning": 4}


@pytest.mark.slow
@pytest.mark.parametrize("what", WORKS)
def test_a_kill_at_every_call(what: str) -> None:
    with quick_place() as place:
        found = program("reporting", what, place)
    assert found["wrong"] == [], found["said"]
    assert WORKS[what] <= found["calls"] < 300
