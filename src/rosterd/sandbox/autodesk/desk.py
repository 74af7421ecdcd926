"""The sandbox's own page about Autodesk: what is held, and how it is changed while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rosterd.sandbox.autodesk.holding import Autodesk, shown
from rosterd.sandbox.wire import Request, Response, json_response

Row: TypeAlias = "Sequence[object]"


def handle(request: Request, path: Sequence[str], state: Autodesk) -> Response:
    """Answers `/_sandbox/autodesk` and what lies below it: a place in the document, one name after the other.

    POST sets a place to the JSON sent (without a path: the whole document), DELETE takes it away (without a path:
    everything goes back to how it began). Each answers 204, 404 when there is no such place, 400 with what is wrong.
    """
    try:
        if request.method == "GET" and not path:
            return json_response(200, shown(state))
        if request.method == "POST":
            state.put(path, json.loads(request.body))
        elif request.method == "DELETE" and path:
            state.remove(path)
        elif request.method == "DELETE":
            state.reset()
        else:
            return Response(404)
    except KeyError:
        return Response(404)
    except (ValueError, RecursionError) as error:
        return json_response(400, {"error": str(error)})
    return Response(204)


def tables(state: Autodesk) -> list[tuple[str, Sequence[str], list[Row]]]:
    """The tables for the page: title, columns, rows. Empty ones are left out."""
    with state.lock:
        everything = [*_places(state), *_given(state)]
    return [table for table in everything if table[2]]


def _places(state: Autodesk) -> Iterable[tuple[str, Sequence[str], list[Row]]]:
    for key, application in sorted(state.table("applications").items()):
        people: list[Row] = [
            (*(entry.get(name, "") for name in ("userId", "firstName", "lastName", "email", "accessLevel")),)
            for entry in application.get("collaborators", [])
        ]
        columns = ("userId", "first name", "last name", "e-mail", "level")
        yield f"Application {application.get('name', key)}: {len(people)} collaborators", columns, people
    for key, twin in sorted(state.table("twins").items()):
        users: list[Row] = [
            (subject, *(user.get(name, "") for name in ("name", "email", "accessLevel", "group")))
            for subject, user in twin.get("users", {}).items()
            if isinstance(user, dict)
        ]
        columns = ("subject", "name", "e-mail", "level", "group")
        yield f"Twin {twin.get('name', key)}: {len(users)} users", columns, users


def _given(state: Autodesk) -> Iterable[tuple[str, Sequence[str], list[Row]]]:
    made: list[Row] = [(each.printer, each.email, each.code, each.issued) for each in state.registrations]
    yield f"Registrations: {len(made)}", ("printer", "e-mail", "code", "issued"), made
    asked: list[Row] = [*sorted(state.token_requests.items())]
    yield "Requests for Autodesk tokens", ("grant", "requests"), asked
