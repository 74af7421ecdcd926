"""B13: the join of people and grants, and the files of an access report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from bench.figures import Figure, peak, ratio
from bench.ground import Setup
from bench.measure import LIMITS, Usage, python, rows_limit
from bench.people import write_people

FORMATS = ("html", "json", "csv", "xlsx", "text")
PEOPLE, PLACES = 50_000, 20
NOMINAL = (
    1.45  # seconds that R takes for 1,000,000 rows on the machine that the goals in seconds were set for
)


def access_files(setup: Setup) -> list[Figure]:
    """B13: 50,000 people with access to 20 places each, joined; and all formats, written in one process."""
    room, people = setup.room / "access", PEOPLE // setup.divisor
    room.mkdir()

    def done(*steps: str) -> Usage:
        return python("-m", "bench.rows", str(room), *steps)

    done("make", str(people), str(PLACES))
    idle = python(LIMITS, "imports", "rosterd.assemble.reports", "rosterd.ledger.sqlite").cpu
    rows = setup.room / "rows.csv"
    write_people(rows, people * PLACES)
    joined, written, limits = [], [], []
    for _ in range(setup.runs):
        joined.append(done("join"))
        written.append(done("digest", *FORMATS))
        limits.append(rows_limit(rows))
    join = median(run.cpu for run in joined) - idle
    alone = {name: done(name).cpu - idle - join for name in ("digest", "changes", *FORMATS)}
    both = [
        (run.cpu - idle, all_.cpu - run.cpu, limit)
        for run, all_, limit in zip(joined, written, limits, strict=True)
    ]
    work = f"access of {people:,} people to {PLACES} places"
    limit = median(limits)
    return [
        ratio("B13", f"{work}, joined: CPU", [one for one, _, _ in both], "s", 3, {"R": limit}),
        ratio("B13", f"{work}, joined: CPU", [one / r for one, _, r in both], "R", 3 / NOMINAL, {"R": limit}),
        peak("B13", f"{work}, joined", [run.rss for run in joined], 150),
        ratio("B13", f"{work}, all formats: CPU", [one for _, one, _ in both], "s", 10, alone),
        ratio("B13", f"{work}, all formats: CPU", [one / r for _, one, r in both], "R", 10 / NOMINAL, {"R": limit}),
        peak("B13", f"{work}, all formats", [run.rss for run in written], 200),
    ]  # fmt: skip


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B13": access_files}
