"""What programs ask the service: whether it lives, where everybody stands, what ran, and its metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from rosterd import __version__
from rosterd.daemon.board import Board
from rosterd.daemon.metrics import Metrics
from rosterd.daemon.openapi import DOCUMENT
from rosterd.daemon.overview import Overview
from rosterd.errors import RosterdError, worst
from rosterd.ledger.desk import RunRow
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.settings import Settings
from rosterd.standing import iso

MOST = 1_000  # customers, or runs, in one answer
FORM = "text/plain; version=0.0.4; charset=utf-8"  # prometheus.io/docs/instrumenting/exposition_formats


@dataclass
class State:
    """What pages are made from. `ledger` opens one to read; whoever asks closes it."""

    board: Board
    overview: Overview
    metrics: Metrics
    settings: Callable[[], Settings]
    ledger: Callable[[], SqliteLedger]
    alive: Callable[[], bool]
    run_now: Callable[[str | None], bool]
    ending: Callable[[], bool] = field(default=lambda: False)
    names: Callable[[], list[str]] = field(default=list)  # the customers that are served


def routes(state: State) -> list[BaseRoute]:
    """The routes of this page."""

    async def health(_: Request) -> Response:
        alive = state.alive()
        return JSONResponse({"status": "ok" if alive else "stuck"}, 200 if alive else 503)

    async def ready(_: Request) -> Response:
        checks = {"ledger": state.overview.readable, "schedule": state.alive(), "serving": not state.ending()}
        good = all(checks.values())
        return JSONResponse({"ready": good, "checks": checks}, 200 if good else 503)

    def metrics(_: Request) -> Response:
        return Response(state.metrics.text(), headers={"content-type": FORM})

    async def status(request: Request) -> Response:
        return _answer(lambda: _status(state, request))

    def runs(request: Request) -> Response:
        return _answer(lambda: _runs(state, request))

    async def document(_: Request) -> Response:
        return JSONResponse(DOCUMENT | {"info": DOCUMENT["info"] | {"version": __version__}})

    return [
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/metrics", metrics),
        Route("/api/status", status),
        Route("/api/runs", runs),
        Route("/api/openapi.json", document),
    ]


class Asked(ValueError):
    """A request that cannot be answered; its text says why. `status`: of the answer."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


def _answer(make: Callable[[], Any]) -> Response:
    try:
        return JSONResponse(make())
    except Asked as error:
        return JSONResponse({"error": str(error)}, error.status)
    except RosterdError as error:
        return JSONResponse({"error": str(error), "next": error.hint}, 503)


def _number(request: Request, name: str, usual: int | None, most: int = 2**53) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:17]) <= most):
        raise Asked(f"{name} must be a number from 1 to {most}")
    return int(text)


def _customer(state: State, request: Request) -> str | None:
    name = request.query_params.get("customer")
    if name is not None and name not in state.settings().customers:
        raise Asked("no such customer", 404)
    return name


def _status(state: State, request: Request) -> dict[str, Any]:
    name, most = _customer(state, request), _number(request, "limit", MOST, MOST) or MOST
    after = request.query_params.get("after", "")
    statuses = {one: dict(status) for one, status in state.overview.statuses().items() if name in (None, one)}
    listed = [one for one in statuses if one > after] if after else list(statuses)
    listed = sorted(listed)[:most]
    going = state.board.going()
    for one in listed:
        run = going.get(one)
        statuses[one]["running"] = {"since": iso(run.since), "done": run.counts} if run else None
    return {
        "schema": "rosterd/status/1",
        "exit_code": worst([status["exit_code"] for status in statuses.values()]),
        "customers": {one: statuses[one] for one in listed},
        "total": len(statuses),
        "service": {
            "version": __version__,
            "started": iso(state.board.started),
            "running": len(going),
            "settings_problem": state.board.settings_problem or state.board.left_out or None,
        },
    }


def _runs(state: State, request: Request) -> dict[str, Any]:
    name = _customer(state, request)
    if name is None:
        raise Asked("say which customer: ?customer=NAME")
    most = _number(request, "limit", 20, MOST) or 20
    before = _number(request, "before", None)
    ledger = state.ledger()
    try:
        binding = ledger.binding(state.settings().customers[name].client)
        found = ledger.runs(binding.id, most, before)
    finally:
        ledger.close()
    return {"schema": "rosterd/runs/1", "customer": name, "runs": [_run(run) for run in found]}


def _run(run: RunRow) -> dict[str, Any]:
    kept = ("people", "groups", "seats", "registrations", "requests", "plan")
    return {
        "id": run.id,
        "started": iso(run.started),
        "ended": iso(run.ended) if run.ended is not None else None,
        "outcome": run.outcome,
        "exit_code": run.exit_code,
        "reason": run.reason,
        **{name: run.document[name] for name in kept if name in run.document},
    }
