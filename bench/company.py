"""B5 and B6: companies with groupings. Whole processes, imports included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from bench.counting import groups_bound, people_bound
from bench.figures import Figure, peak, ratio
from bench.ground import Setup, Site
from bench.measure import Usage, usual_limit
from bench.people import write_groups, write_people


def usual(setup: Setup) -> list[Figure]:
    """B5: a first run, one without changes, and one for a single person."""
    count, sizes = setup.size(20_000), [setup.size(400)] * 50
    site = _site(setup, "usual", count, sizes)
    first, same, one = _Samples(), _Samples(), _Samples()
    sent: list[int] = []
    bodies: list[int] = []
    idle: list[int] = []
    for _ in range(setup.runs):
        site.anew()
        write_people(site.people(), count)
        first.note(usual_limit(site.people()), site.run(created=count))
        setup.sandbox.clear()
        same.note(usual_limit(site.people()), site.run(unchanged=count))
        idle.append(len(setup.sandbox.requests()))
        write_people(site.people(), count, renamed=lambda number: number == count // 2)
        one.note(usual_limit(site.people()), site.run(updated=1))
        requests = setup.sandbox.requests()
        sent.append(len(requests))
        bodies.append(sum(entry["bytes"] for entry in requests))
    work = f"{count:,} people, 50 × {sizes[0]}"
    return [
        *first.figures("B5", f"{work}, first run", 4.0, 70),
        *same.figures("B5", f"{work}, no change", 1.8, 70),
        Figure("B5", f"{work}, no change: requests", max(idle), "requests", 0, exact=True),
        *one.figures("B5", f"{work}, one changed", 2.0, 70),
        Figure("B5", f"{work}, one changed: requests", max(sent), "requests", 1, exact=True),
        Figure("B5", f"{work}, one changed: bodies", max(bodies), "bytes", 1_023),
    ]


def large(setup: Setup) -> list[Figure]:
    """B6: the first run of a larger company."""
    count, sizes = setup.size(60_000), [setup.size(500)] * 200
    site = _site(setup, "large", count, sizes)
    first = _Samples()
    wrong: list[int] = []
    bound = people_bound(count) + groups_bound(sizes)
    for _ in range(setup.runs):
        site.anew()
        first.note(usual_limit(site.people()), site.run(created=count))
        sent = len(setup.sandbox.requests())
        wrong += [sent] if sent != bound else []
    work = f"{count:,} people, 200 × {sizes[0]}, first run"
    requests = Figure("B6", f"{work}: requests", (wrong or [bound])[0], "requests", bound, exact=True)
    return [*first.figures("B6", work, 8.0, 75), requests]


def _site(setup: Setup, name: str, count: int, sizes: list[int]) -> Site:
    site = Site(setup.room / name, setup.sandbox, groups=True)
    write_people(site.people(), count)
    write_groups(site.memberships(), sizes, count)
    return site


class _Samples:
    """What several runs of one kind gave, each beside the limit measured just before it."""

    def __init__(self) -> None:
        self.limits: list[float] = []
        self.runs: list[Usage] = []

    def note(self, limit: float, usage: Usage) -> None:
        self.limits.append(limit)
        self.runs.append(usage)

    def figures(self, id_: str, work: str, goal: float, memory: float) -> list[Figure]:
        ratios = [run.cpu / limit for run, limit in zip(self.runs, self.limits, strict=True)]
        context = {"CPU": median(run.cpu for run in self.runs), "U": median(self.limits)}
        return [
            ratio(id_, f"{work}: CPU", ratios, "U", goal, context),
            peak(id_, work, [run.rss for run in self.runs], memory),
        ]


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B5": usual, "B6": large}
