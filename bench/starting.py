"""B10: how quickly the program is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from bench.figures import Figure, ratio
from bench.ground import Setup
from bench.measure import python


def help_(setup: Setup) -> list[Figure]:
    """B10: `rosterd --help`, less a Python that does nothing."""
    with_help, nothing = ("-m", "rosterd", "--help"), ("-c", "pass")
    python(*with_help)  # so that all modules are compiled
    pairs = [(python(*nothing).cpu, python(*with_help).cpu) for _ in range(4 * setup.runs)]
    more = [1_000 * (helped - bare) for bare, helped in pairs]
    context = {"python_ms": 1_000 * median(bare for bare, _ in pairs)}
    return [ratio("B10", "rosterd --help: CPU over python -c pass", more, "ms", 150, context)]


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B10": help_}
