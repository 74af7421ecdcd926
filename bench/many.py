"""B9: many small customers in one process, nothing changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from statistics import median

from bench.figures import Figure, peak, ratio
from bench.ground import Setup, Site
from bench.measure import LIMITS, python
from bench.people import write_people

CUSTOMERS, PEOPLE = 1_000, 100


def customers(setup: Setup) -> list[Figure]:
    """B9: a run over all of them, less reading their files; imports and settings are shared by all."""
    count = setup.size(CUSTOMERS)
    names = [f"c{number:04d}" for number in range(count)]
    site = Site(setup.room / "many", setup.sandbox, names)
    site.anew()
    files = [str(site.people(name)) for name in names]
    for name in names:
        write_people(site.people(name), PEOPLE)
    site.run(created=PEOPLE)
    more, limits, peaks = list[float](), list[float](), list[int]()
    for _ in range(setup.runs):
        limits.append(python(LIMITS, "R", *files).cpu - python(LIMITS, "R", os.devnull).cpu)
        usage = site.run(unchanged=PEOPLE)
        more.append(1_000 * (usage.cpu - limits[-1]) / count)
        peaks.append(usage.rss)
    work = f"{count:,} customers × {PEOPLE}, no change"
    context = {"reading_ms": 1_000 * median(limits) / count}
    return [
        ratio("B9", f"{work}: CPU a customer over reading", more, "ms", 5, context),
        peak("B9", work, peaks, 100),
    ]


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B9": customers}
