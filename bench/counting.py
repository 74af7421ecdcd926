"""B7: how many requests a run makes, for many sizes, beside the fewest that the limits of the API allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from bench.figures import Figure
from bench.ground import Setup, Site
from bench.people import write_groups, write_people

PEOPLE, GROUPINGS, MEMBERS = 4_500, 5, 1_000  # the limits of one request, by the vendor's page


class Case(NamedTuple):
    """So many people and groupings of these sizes, all new; then so many people changed, and so many seats new."""

    people: int
    sizes: tuple[int, ...] = ()
    changed: int = 0
    joining: tuple[int, ...] = ()


CASES = (
    Case(1),
    Case(4_499, (), 4_499),
    Case(4_500, (1,), 1, (1,)),
    Case(4_501, (1_000,), 4_500, (1_000,)),
    Case(9_000, (1_001,), 4_501, (999,)),
    Case(9_001, (1, 1, 1, 1, 1), 0, (0, 0, 0, 0, 1)),
    Case(1_200, (1, 1, 1, 1, 1, 1), 0, (1, 1, 1, 1, 1, 1)),
    Case(2_000, (2_000, 1), 7, (0, 1_999)),
    Case(5_000, (5_000,), 0, (0,)),
    Case(5_000, (5_000, 5_000), 2, (0, 0)),
    Case(7_000, (6_001, 1, 1, 1), 0, (999, 1, 1, 1)),
    Case(3_000, (3_000, 2_000, 1_000, 1), 0, (0, 1_000, 2_000, 2_999)),
    Case(3_000, (1_000, 1_000, 1_000, 1_000, 1_000), 3_000, (1, 1, 1, 1, 1)),
    Case(3_000, (1_000, 1_001, 1_000, 1_001, 1_000), 0, (2_000, 1_999, 2_000, 1_999, 2_000)),
    Case(2_500, (2_500,) * 4, 0, (0, 0, 0, 0)),
    Case(1_500, (1_500,) * 6, 0, (0,) * 6),
    Case(400, (20,) * 51, 400, (1,) * 51),
    Case(13_501, (999, 1, 999, 1, 2_001, 17, 4_000), 9_001, (1, 999, 0, 0, 0, 0, 501)),
    Case(100, (100,) * 3 + (99,) * 9, 1, (0,) * 3 + (1,) * 9),
    Case(22_500, (4_500, 1_000, 1_000, 1_000), 13_500, (4_501, 1, 1, 1)),
)


def people_bound(count: int) -> int:
    """The fewest requests that can carry so many people."""
    return -(-count // PEOPLE)


def groups_bound(sizes: Sequence[int]) -> int:
    """The fewest requests that can carry groupings of these sizes: one slice of each grouping in a request."""
    slices = [-(-size // MEMBERS) for size in sizes]
    return max(-(-sum(slices) // GROUPINGS), max(slices, default=0))


def requests(setup: Setup) -> list[Figure]:
    """B7: a first run of every case, then one with some changes, then one without any."""
    names = [f"case{number:02d}" for number in range(len(CASES))]
    site = Site(setup.room / "counting", setup.sandbox, names, groups=True)
    site.anew()
    _write(site, names, later=False)
    first = _counted(setup, site)
    _write(site, names, later=True)
    second = _counted(setup, site)
    third = _counted(setup, site)
    firsts = [(people_bound(case.people), groups_bound(case.sizes)) for case in CASES]
    seconds = [(people_bound(case.changed), groups_bound(case.joining)) for case in CASES]
    figures = []
    for what, found, bounds in (
        ("first runs", first, firsts),
        ("runs with changes", second, seconds),
        ("runs without changes", third, [(0, 0)] * len(CASES)),
    ):
        pairs = list(zip(CASES, [found[name] for name in names], bounds, strict=True))
        off = [
            f"{case}: {sent[0]} + {sent[1]} instead of {bound[0]} + {bound[1]}"
            for case, sent, bound in pairs
            if sent != bound
        ]
        work = f"{len(CASES)} sizes, {what}: requests off the bound"
        excess = sum(abs(sent[0] - bound[0]) + abs(sent[1] - bound[1]) for _, sent, bound in pairs)
        total = {"sent": float(sum(map(sum, (sent for _, sent, _ in pairs))))}
        note = "; ".join(off)
        figures.append(Figure("B7", work, excess, "requests", 0, exact=True, note=note, context=total))
    return figures


def _write(site: Site, names: Sequence[str], *, later: bool) -> None:
    for name, case in zip(names, CASES, strict=True):
        changed = case.changed if later else 0
        joining = case.joining if later and case.joining else (0,) * len(case.sizes)
        sizes = [size + more for size, more in zip(case.sizes, joining, strict=True)]
        write_people(site.people(name), case.people, renamed=range(changed).__contains__)
        write_groups(site.memberships(name), sizes, case.people, first=[0] * len(sizes))


def _counted(setup: Setup, site: Site) -> dict[str, tuple[int, int]]:
    """Requests for people and for groupings of one run, by customer."""
    setup.sandbox.clear()
    site.run()
    kinds = Counter(
        (entry["client"], entry["path"].endswith("/groups/users")) for entry in setup.sandbox.requests()
    )
    return {name: (kinds[name, False], kinds[name, True]) for name in site.customers}


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B7": requests}
