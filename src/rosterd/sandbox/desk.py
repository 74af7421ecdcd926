"""The sandbox's own pages under `/_sandbox`: what it holds, what it was asked, which faults are set."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape

from rosterd.sandbox.autodesk import desk as autodesk
from rosterd.sandbox.faults import Faults, parse
from rosterd.sandbox.state import World, record_of, snapshot
from rosterd.sandbox.wire import Request, Response, json_response

ROOT = "/_sandbox"
ROWS = 200  # so many rows of a table are shown on the page

SAFE = (
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
    ("X-Content-Type-Options", "nosniff"),
)
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}"
    "table{border-collapse:collapse;margin:0 0 2rem}"
    "th,td{border:1px solid #ccc;padding:.2rem .6rem;text-align:left}th{background:#f3f3f3}"
)


def owns(path: str) -> bool:
    """Whether a path is one of the sandbox's own."""
    return path == ROOT or path.startswith(ROOT + "/")


def handle(request: Request, world: World, faults: Faults) -> Response:
    """Answers the sandbox's own paths."""
    place = request.path.removeprefix(ROOT).strip("/")
    if place.partition("/")[0] == "autodesk":
        return autodesk.handle(request, place.split("/")[1:], world.autodesk)
    match request.method, place:
        case "GET", "":
            return Response(
                200, page(world, faults).encode("utf-8", "replace"), SAFE, "text/html; charset=utf-8"
            )
        case "GET", "state":
            return json_response(200, snapshot(world))
        case "GET", "counts":
            return json_response(200, snapshot(world, counts_only=True))
        case "GET", "requests":
            with world.lock:
                return json_response(200, world.requests)
        case "GET", "faults":
            return json_response(200, faults.shown())
        case "POST", "faults":
            return _set_faults(request, faults)
        case "DELETE", "faults":
            faults.clear()
        case "DELETE", "state":
            world.clear()
        case "DELETE", "tokens":
            world.tokens.revoke_all()
            world.autodesk.revoke_all()
        case _:
            return Response(404)
    return Response(204)


def _set_faults(request: Request, faults: Faults) -> Response:
    try:
        faults.add(*parse(json.loads(request.body)))
    except (ValueError, RecursionError) as error:
        return json_response(400, {"error": str(error)})
    return json_response(200, faults.shown())


def page(world: World, faults: Faults) -> str:
    """What is held, as a page for people."""
    with world.lock:
        parts = [_client(world, tenant, client) for tenant, client in sorted(world.holdings)]
        requests = world.requests[-ROWS:]
        columns = tuple(requests[0]) if requests else ()
        parts.append(_table("Requests", columns, (tuple(entry.values()) for entry in reversed(requests))))
        total = len(world.requests)
    for title, names, rows in autodesk.tables(world.autodesk):
        parts.append(_table(title, names, rows[:ROWS]))
    shown = [(json.dumps(entry),) for entry in faults.shown()]
    parts.append(_table("Faults", ("fault",), shown))
    title = f"Sandbox: {total} requests"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>"
        f"<h1>{title}</h1>{''.join(parts)}</html>"
    )


def _client(world: World, tenant: str, client: str) -> str:
    holding = world.holdings[tenant, client]
    people = [
        (key, *(record_of(user).get(name, "") for name in ("Name", "Email")), user[4])
        for key, user in sorted(holding.users.items())[:ROWS]
    ]
    groups = [
        (held.name, held.description or "", len(held.members), ", ".join(sorted(held.members)[:ROWS]))
        for _, held in sorted(holding.groupings.items())[:ROWS]
    ]
    title = f"{tenant} / {client}"
    return _table(
        f"{title}: {len(holding.users)} users", ("user", "Name", "Email", "accepted"), people
    ) + _table(
        f"{title}: {len(holding.groupings)} groupings",
        ("GroupName", "GroupDescription", "users", "first ones"),
        groups,
    )


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<h2>{escape(title)}</h2><table><tr>{head}</tr>{body}</table>"
