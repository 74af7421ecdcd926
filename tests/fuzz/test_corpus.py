"""The fuzzed function on its seeds, which real servers have said, and on a few changes of each."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from tests.fuzz import target
from tests.fuzz.mutate import SPECIAL, changed, read, write

SEEDS = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.name)
def test_seeds_and_changes_of_them_end_as_they_may(seed: Path) -> None:
    data = seed.read_bytes()
    tree = read(data)
    assert tree is not None
    assert write(tree) == data
    for what in range(3):
        target.one(data, what)
    dice = Random(1)
    for _ in range(60):
        target.one(changed(data, dice, lambda content: dice.choice(SPECIAL) + content[1:]))


def test_seeds_are_whole_answers() -> None:
    """Else only errors would be tried. Some are answers that must not pass for whole ones."""
    whole = [seed.name for seed in SEEDS if target.one(seed.read_bytes(), 0)]
    assert [seed.name for seed in SEEDS if seed.name not in whole] == [
        seed.name for seed in SEEDS if seed.name.startswith("refused-")
    ]
