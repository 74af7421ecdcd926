"""B3 and B4: one large file, against a ledger that knows it, and against an empty one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from bench.figures import Figure, peak, ratio
from bench.ground import Setup, Site
from bench.measure import Usage, importing, modules_of, rows_limit
from bench.people import write_people

PEOPLE = 1_000_000
NET = "CPU less that of a process which imports the modules of such a run and does nothing else; R less its start"


def known(setup: Setup) -> list[Figure]:
    """B3: 1 % changed, and nothing changed."""
    count = setup.size(PEOPLE)
    site = Site(setup.room / "known", setup.sandbox)
    old, new = site.directory / "old.csv", site.directory / "new.csv"
    write_people(old, count)
    write_people(new, count, renamed=lambda number: number % 100 == 0)
    old.rename(site.people())
    site.anew()
    site.run(created=count)
    sending, idle = _modules(setup, "known-one")
    changed, same = _Samples(), _Samples()
    for _ in range(setup.runs):
        site.people().rename(old)  # the files change places, so that every time one row in a hundred differs
        new.rename(site.people())
        old, new = new, old
        for samples, modules, expected in (
            (changed, sending, {"updated": -(-count // 100)}),
            (same, idle, {"unchanged": count}),
        ):
            limit = rows_limit(site.people())
            samples.note(site.run(**expected), importing(modules), limit)
    work = f"CSV of {count:,}"
    return [
        changed.figure("B3", f"{work}, 1 % changed", 2.5, NET),
        peak("B3", f"{work}, 1 % changed", changed.rss, 80),
        same.figure("B3", f"{work}, nothing changed", 2.0),
        peak("B3", f"{work}, nothing changed", same.rss, 80),
    ]


def cold(setup: Setup) -> list[Figure]:
    """B4: the first delivery of everybody."""
    count = setup.size(PEOPLE)
    site = Site(setup.room / "cold", setup.sandbox)
    write_people(site.people(), count)
    modules, _ = _modules(setup, "cold-one")
    first = _Samples()
    for _ in range(setup.runs):
        site.anew()
        limit = rows_limit(site.people())
        first.note(site.run(created=count), importing(modules), limit)
    work = f"CSV of {count:,}, first delivery"
    return [first.figure("B4", work, 5.0, NET), peak("B4", work, first.rss, 80)]


def _modules(setup: Setup, name: str) -> tuple[list[str], list[str]]:
    """What a run imports that sends something, and one that finds nothing to do."""
    site = Site(setup.room / name, setup.sandbox)
    write_people(site.people(), 1)
    return modules_of(*site.command), modules_of(*site.command)


class _Samples:
    """What several runs of one kind gave."""

    def __init__(self) -> None:
        self.limits: list[float] = []
        self.net: list[float] = []
        self.rss: list[int] = []

    def note(self, usage: Usage, imports: float, limit: float) -> None:
        self.limits.append(limit)
        self.net.append(usage.cpu - imports)
        self.rss.append(usage.rss)

    def figure(self, id_: str, work: str, goal: float, note: str = "") -> Figure:
        ratios = [net / limit for net, limit in zip(self.net, self.limits, strict=True)]
        context = {"net": median(self.net), "R": median(self.limits)}
        return ratio(id_, f"{work}: CPU", ratios, "R", goal, context, note)


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B3": known, "B4": cold}
