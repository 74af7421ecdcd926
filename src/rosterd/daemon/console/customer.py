"""A customer's page, and the longer lists behind it: runs, problems, held plans, leavers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from rosterd.core.plan import KINDS, PERSON
from rosterd.daemon.console.overview import TITLES, group_of
from rosterd.daemon.console.reports import offered
from rosterd.daemon.console.room import LOOK, Room, Wrong, key_of, number_of, one_of, place_of
from rosterd.document import NAMES
from rosterd.explain import differences
from rosterd.ledger.desk import HeldPlan, RunRow
from rosterd.ledger.looking import Listed
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.words import BUCKETS

FEW, MANY, CHARTED = 12, 100, 150
OPS = {"create": "new", "update": "changed", "gone": "gone"}


class Row(NamedTuple):
    """A change as a table shows it: what differs, (field, before, after)."""

    op: str
    kind: str
    key: str
    shown: str
    parts: Sequence[tuple[str, str, str]]


class Last(NamedTuple):
    """The last run that changed something, and people whom it was the last to write."""

    run: RunRow
    people: Sequence[tuple[bytes, str, str, str]]
    after: str


def customer(room: Room, request: Request) -> Response:
    """Everything about one customer at a glance."""
    name = request.path_params["name"]
    settings = room.customer(name)
    with room.ledger() as ledger:
        binding = room.bound(ledger, name)
        status = room.status(ledger, name)
        runs = ledger.runs(binding.id, CHARTED)
        gone, _ = ledger.gone(binding.id, b"", 5, time.monotonic() + LOOK)
        places = ledger.places(binding.id)
        return room.show(
            request, "customer.html",
            name=name, client=settings.client, status=status, group=group_of(status), titles=TITLES,
            going=room.state.board.going().get(name), runs=runs[:FEW], more_runs=len(runs) > FEW,
            chart=_chart(runs), held=[_plan(ledger, plan, FEW) for plan in _held(room, ledger, binding.id)],
            reasons=ledger.reasons(binding.id), gone=gone, last=_last(ledger, binding.id, runs),
            sources=_sources(settings.sources, places, runs), places=[p for p in places if p[0].kind != "directory"],
            reports=offered(room, name), paused=binding.paused_at,
            schedule=settings.schedule, zone=settings.time_zone, problem=room.state.board.last().get(name),
        )  # fmt: skip


def _held(room: Room, ledger: SqliteLedger, binding: int) -> list[HeldPlan]:
    return [plan for plan in ledger.held(room.clock(), binding) if plan.open] if binding else []


def _plan(ledger: SqliteLedger, plan: HeldPlan, most: int) -> tuple[HeldPlan, list[Row]]:
    return plan, [_row(change) for change in ledger.listed(plan.id, most=most)]


def _row(change: Listed) -> Row:
    parts = differences(change.kind, change.before, change.after)
    if change.op == "create":
        parts = [part for part in parts if part[0] not in ("domain", "logon")]
    elif change.op == "gone":
        parts = [part for part in parts if part[0] in ("name", "email", "description")]
    return Row(change.op, change.kind, change.key.hex(), change.shown, parts)


def _chart(runs: Sequence[RunRow]) -> list[list[float]]:
    """started, people wanted, created, updated, gone, refused of the runs that ended, the oldest first."""
    buckets = ("read", "created", "updated", "gone", "refused")
    return [
        [run.started, *(run.document["people"][bucket] for bucket in buckets)]
        for run in reversed(runs)
        if run.ended is not None and run.document.get("people")
    ]


def _last(ledger: SqliteLedger, binding: int, runs: Sequence[RunRow]) -> Last | None:
    for run in runs:
        if changed(run):
            people, after = ledger.written(binding, run.id, b"", FEW, time.monotonic() + LOOK)
            return Last(run, people, after.hex() if after else "")
    return None


def changed(run: RunRow) -> int:
    """How many records a run delivered or saw go."""
    kinds = [run.document.get(NAMES[kind], {}) for kind in KINDS]
    return sum(kind.get(bucket, 0) for kind in kinds for bucket in ("created", "updated", "gone"))


def _sources(
    names: Mapping[str, Any], places: Sequence[Any], runs: Sequence[RunRow]
) -> list[tuple[str, str, float | None, str, int | None]]:
    """name, kind, when last read whole, why not since, entries: as noted where access is read, else by the runs."""
    known = {place.id: rest for place, *rest in places if place.kind == "directory"}
    last = next((run for run in runs if run.ended is not None), None)
    whole = next((run.started for run in runs if run.exit_code in (0, 3, 4)), None)
    why = last.reason or "" if last is not None and last.exit_code == 5 else ""
    return [
        (name, source.kind, *known[name][:3]) if name in known else (name, source.kind, whole, why, None)
        for name, source in names.items()
    ]


def runs(room: Room, request: Request) -> Response:
    """The runs of a customer, newest first."""
    name, before = request.path_params["name"], number_of(request.query_params.get("before"))
    with room.ledger() as ledger:
        found = ledger.runs(room.bound(ledger, name).id, MANY + 1, before)
    more = found[MANY - 1].id if len(found) > MANY else None
    return room.show(request, "runs.html", name=name, runs=found[:MANY], more=more, before=before)


def run(room: Room, request: Request) -> Response:
    """One run: its counts, its problems, and people whom it was the last to write."""
    name, number = request.path_params["name"], number_of(request.path_params["run"])
    after = key_of(request.query_params.get("after", ""))
    with room.ledger() as ledger:
        binding = room.bound(ledger, name).id
        found = ledger.runs(binding, 1, (number or 0) + 1)
        if not found or found[0].id != number:
            raise Wrong("There is no such run, or it is no longer kept.")
        people, further = ledger.written(binding, number, after, MANY, time.monotonic() + LOOK)
    kinds = [NAMES[kind] for kind in KINDS if any(found[0].document.get(NAMES[kind], {}).values())]
    return room.show(
        request, "run.html", name=name, run=found[0], kinds=kinds, buckets=BUCKETS, people=people,
        after=after.hex(), further=further.hex() if further else "",
    )  # fmt: skip


def problems(room: Room, request: Request) -> Response:
    """What is refused and set aside, with reasons."""
    name, query = request.path_params["name"], request.query_params
    bucket = one_of(query.get("show"), ("refused", "set_aside"), "")
    after = place_of(query.get("after", ""), KINDS)
    with room.ledger() as ledger:
        binding = room.bound(ledger, name).id
        found = ledger.troubles(binding, after, MANY + 1, bucket or None)
        status = room.status(ledger, name)
    last = found[MANY - 1] if len(found) > MANY else None
    return room.show(
        request, "problems.html", name=name, rows=found[:MANY], bucket=bucket, status=status, person=PERSON,
        further=f"{last.kind}.{last.key.hex()}" if last else "", begun=bool(after[0]),
    )  # fmt: skip


def plan(room: Room, request: Request) -> Response:
    """A held plan, change by change."""
    name, digest = request.path_params["name"], request.path_params["digest"]
    after = place_of(request.query_params.get("after", ""), KINDS)
    with room.ledger() as ledger:
        binding = room.bound(ledger, name).id
        plans = [one for one in _held(room, ledger, binding) if one.digest == digest]
        if not plans:
            raise Wrong("This plan is no longer held: it was delivered, or another has taken its place.")
        found = ledger.listed(plans[0].id, after, MANY + 1)
    last = found[MANY - 1] if len(found) > MANY else None
    return room.show(
        request, "plan.html", name=name, plan=plans[0], rows=[_row(change) for change in found[:MANY]],
        further=f"{last.kind}.{last.key.hex()}" if last else "", begun=bool(after[0]),
        days=room.customer(name).approval_days,
    )  # fmt: skip


def leavers(room: Room, request: Request) -> Response:
    """People who must be removed in the portal by hand."""
    name, after = request.path_params["name"], key_of(request.query_params.get("after", ""))
    with room.ledger() as ledger:
        found, further = ledger.gone(room.bound(ledger, name).id, after, MANY, time.monotonic() + LOOK)
        status = room.status(ledger, name)
    return room.show(
        request, "leavers.html", name=name, rows=found, status=status, begun=bool(after),
        further=further.hex() if further else "",
    )  # fmt: skip
