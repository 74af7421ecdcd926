"""The console in the browser: where every customer stands, why, and what can be done about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from rosterd.daemon.console import actions, customer, person, reports
from rosterd.daemon.console.overview import front
from rosterd.daemon.console.room import Page, Room, answer
from rosterd.daemon.pages import asset, calm
from rosterd.standing import iso

PAGES: dict[str, Page] = {
    "/login": actions.sign_in_page,
    "/people": person.people,
    "/customers/{name}": customer.customer,
    "/customers/{name}/runs": customer.runs,
    "/customers/{name}/runs/{run}": customer.run,
    "/customers/{name}/problems": customer.problems,
    "/customers/{name}/plans/{digest}": customer.plan,
    "/customers/{name}/leavers": customer.leavers,
    "/customers/{name}/person": person.by_key,
    "/customers/{name}/people/{key}": person.person,
    "/customers/{name}/report": reports.report,
    "/customers/{name}/report.{ending}": reports.report,
}
ACTIONS: dict[str, actions.Act] = {
    "approve": actions.approve, "pause": actions.pause, "resume": actions.resume, "run": actions.run_now,
}  # fmt: skip


def routes(room: Room) -> list[BaseRoute]:
    """The console's routes."""
    pages = {"/": front(), **PAGES}
    return [
        Route("/login", actions.sign_in(room), methods=["POST"]),
        Route("/logout", actions.sign_out(room), methods=["POST"]),
        Route("/api/live", live(room)),
        Route("/static/{name}", static),
        *(Route(path, _reading(room, page), methods=["GET"]) for path, page in pages.items()),
        *(
            Route(f"/customers/{{name}}/{verb}", actions.action(room, act), methods=["POST"])
            for verb, act in ACTIONS.items()
        ),
    ]


def _reading(room: Room, page: Page) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(answer, room, page, request)

    return endpoint


def live(room: Room) -> Callable[[Request], Any]:
    """What goes on at this moment, small enough to be asked for each second; of one customer or of all."""

    async def endpoint(request: Request) -> Response:
        board, name = room.state.board, request.query_params.get("customer")
        running = {
            one: {
                "since": iso(going.since),
                "seconds": round(room.clock() - going.since, 1),
                "done": going.counts,
            }
            for one, going in board.going().items()
            if name in (None, one)
        }
        return JSONResponse({"schema": "rosterd/live/1", "running": running, "mark": room.mark(name)})

    return endpoint


async def static(request: Request) -> Response:
    """Styles and scripts."""
    return asset(request.path_params["name"]) or calm(request, 404, "Not found", "There is no such file.")
