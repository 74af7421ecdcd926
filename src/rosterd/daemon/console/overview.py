"""The first page: every customer in a line, the worst first, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from rosterd.core.people import fold
from rosterd.daemon.console.room import Page, Room, number_of, one_of
from rosterd.ledger.sqlite import SqliteLedger

SHOWN = 50  # customers on a page
POINTS = 24  # runs of a trend
TITLES = {
    "failing": "Failing", "held": "Held", "news": "New problems", "waiting": "Something to do", "paused": "Paused",
    "new": "Never run", "good": "In step",
}  # fmt: skip  # in the order of worry
GROUPS = tuple(TITLES)
SORTS = ("worst", "name", "last", "people")
HEIGHT = 20  # pixels of the tallest bar


class Trend(NamedTuple):
    """The last runs of a customer, as two paths of SVG (bars; stubs of runs that changed nobody), and in words."""

    bars: str
    stubs: str
    text: str


def group_of(status: Mapping[str, Any]) -> str:
    """Which of the GROUPS a customer is counted in."""
    code, state = status["exit_code"], status["state"]
    if state == "paused":
        return "paused"
    if state == "never run":
        return "new"
    return {0: "good", 3: "news", 4: "held", 10: "waiting"}.get(code, "failing")


def front() -> Page:
    """The page; it keeps what it knows of trends."""
    trends = Trends()

    def page(room: Room, request: Request) -> Response:
        query = request.query_params
        statuses = room.state.overview.statuses()
        going = room.state.board.going()
        wanted = one_of(query.get("show"), (*GROUPS, "running"), "")
        text, sort = query.get("q", "")[:100].strip(), one_of(query.get("sort"), SORTS, "worst")
        groups = {name: group_of(status) for name, status in statuses.items()}
        found = _found(room, groups, fold(text))
        counts = Counter(groups[name] for name in found)
        if wanted:
            found = [
                name for name in found if (name in going if wanted == "running" else groups[name] == wanted)
            ]
        found = _sorted(found, sort, statuses, groups)
        pages = max(1, ceil(len(found) / SHOWN))
        number = min(number_of(query.get("page")) or 1, pages)
        listed = found[(number - 1) * SHOWN : number * SHOWN]
        with room.ledger() as ledger:
            lines = {name: trends.of(ledger, room, name, statuses[name]["last_run"]) for name in listed}
        return room.show(
            request, "overview.html",
            rows=[(name, statuses[name], groups[name], lines[name], going.get(name)) for name in listed],
            clients={name: room.state.settings().customers[name].client for name in listed},
            sums=_sums(statuses, going), counts=counts, titles=TITLES, total=len(statuses), found=len(found),
            q=text, wanted=wanted, sort=sort, sorts=SORTS, number=number, pages=pages,
            waiting=len(room.served()) - len(statuses),
        )  # fmt: skip

    return page


def _found(room: Room, groups: Mapping[str, str], text: str) -> list[str]:
    customers = room.state.settings().customers
    return [
        name
        for name in groups
        if name in customers and (not text or text in name or text in fold(customers[name].client))
    ]


def _sorted(
    names: list[str], sort: str, statuses: Mapping[str, Mapping[str, Any]], groups: Mapping[str, str]
) -> list[str]:
    if sort == "worst":
        return sorted(names, key=lambda name: (GROUPS.index(groups[name]), name))
    if sort == "last":
        return sorted(names, key=lambda name: statuses[name]["last_run"] or "", reverse=True)
    if sort == "people":
        return sorted(names, key=lambda name: -statuses[name]["people"])
    return sorted(names)


def _sums(statuses: Mapping[str, Mapping[str, Any]], going: Mapping[str, Any]) -> dict[str, int]:
    """What the tiles say of all customers together."""
    sums = {
        name: sum(status[name] for status in statuses.values())
        for name in ("people", "refused", "set_aside", "left")
    }
    waiting = [plan for status in statuses.values() for plan in status["held"] if not plan["approved"]]
    return sums | {
        "held": len(waiting),
        "changes": sum(plan["changes"] for plan in waiting),
        "running": len(going),
    }


class Trends:
    """The last runs of customers, read again when there is a newer one."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Trend | None]] = {}

    def of(self, ledger: SqliteLedger, room: Room, name: str, last: str | None) -> Trend | None:
        """A customer's trend, None before its second run. last: when it last ran."""
        if last is None:
            return None
        kept = self._known.get(name)
        if kept is None or kept[0] != last:
            points = ledger.trend(room.bound(ledger, name).id, POINTS)
            kept = self._known[name] = (last, _trend([changes for _, changes in points]))
        return kept[1]


def _trend(changes: Sequence[int]) -> Trend | None:
    """Bars by the square root: a run of ten changes is to be seen beside one of ten thousand."""
    if len(changes) < 2:
        return None
    most = sqrt(max(max(changes), 1))
    heights = [max(1, round(sqrt(number) / most * HEIGHT)) for number in changes]
    bars, stubs = "", ""
    for place, height in enumerate(heights):
        path = f"M{place * 4} {HEIGHT}v-{height}h3v{height}z"
        bars, stubs = (bars + path, stubs) if height > 1 else (bars, stubs + path)
    told = ", ".join(f"{number:,}" for number in changes)
    return Trend(bars, stubs, f"People changed in the last {len(changes)} runs: {told}")
