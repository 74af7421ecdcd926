"""Answers of Autodesk's that are well-formed HTTP but not what one hopes for: the material of the faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

from rosterd.sandbox.autodesk.call import origin_of
from rosterd.sandbox.wire import Request

Json: TypeAlias = "dict[str, Any]"
Spoil: TypeAlias = Callable[[Json, int], object]

HTML = b"<!doctype html><title>Maintenance</title><p>Back soon.</p>"
LEVELS = (0, 3, -1, 2.5, None, "", "Reviewer", True, ["Manage"])


def _same(how: Callable[[Json], Json]) -> Spoil:
    """The same body with each of its results changed."""
    return lambda body, _: {**body, "results": [how(entry) for entry in body["results"]]}


def _no(name: str) -> Callable[[Json], Json]:
    return lambda entry: {key: value for key, value in entry.items() if key != name}


def _without(name: str) -> Spoil:
    return lambda body, _: _no(name)(body)


def _with(name: str, value: object) -> Spoil:
    return lambda body, _: {**body, name: value}


def _odd_levels(body: Json, _: int) -> object:
    levels = [{**_invented(number), "accessLevel": level} for number, level in enumerate(LEVELS)]
    return {**body, "results": [*body["results"], *levels]}


def _invented(number: int) -> Json:
    return {
        "userId": f"INVENTED{number}",
        "firstName": "Invented",
        "lastName": str(number),
        "email": f"invented.{number}@example.com",
        "accessLevel": "VIEWER",
        "createdAt": "2019-01-01T00:00:00Z",
    }


# What may become of a page of collaborators; the number is how many entries a huge one has.
COLLABORATORS: dict[str, Spoil] = {
    "empty": lambda _, __: {},
    "list": lambda body, _: body["results"],
    "html": lambda _, __: HTML,
    "no_pagination": _without("pagination"),
    "no_results": _without("results"),
    "null_results": _with("results", None),
    "not_objects": _with("results", ["389JJQ8PJSMJ", None, 7]),
    "levels": _odd_levels,
    "no_emails": _same(_no("email")),
    "no_ids": _same(_no("userId")),
    "no_names": _same(lambda entry: _no("firstName")(_no("lastName")(entry))),
    "repeated": lambda body, _: {**body, "results": [each for each in body["results"] for _ in "ab"]},
    "huge": lambda body, count: {**body, "results": [_invented(number) for number in range(count)]},
}


def _twin_levels(body: Json, _: int) -> object:
    odd = {
        f"ODD{number}": {"name": f"Odd {number}", "accessLevel": level} for number, level in enumerate(LEVELS)
    }
    return {**body, **odd}


def _twice(body: Json, _: int) -> object:
    entries = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in body.items() for _ in "ab"]
    return ("{" + ",".join(entries) + "}").encode()


# What may become of the users of a twin.
TWINS: dict[str, Spoil] = {
    "empty": lambda _, __: {},
    "list": lambda body, _: list(body.values()),
    "html": lambda _, __: HTML,
    "nested": lambda body, _: {"users": body},
    "levels": _twin_levels,
    "no_levels": lambda body, _: {key: _no("accessLevel")(value) for key, value in body.items()},
    "no_names": lambda body, _: {key: _no("name")(value) for key, value in body.items()},
    "null_users": lambda body, _: dict.fromkeys(body),
    "twice": _twice,
    "huge": lambda _, count: {
        f"HUGE{number}": {
            "name": f"Huge {number}",
            "email": f"huge.{number}@example.com",
            "accessLevel": "Read",
        }
        for number in range(count)
    },
}

# What may become of a registration: the code was made, and is lost or in doubt.
REGISTRATIONS: dict[str, Spoil] = {
    "empty": lambda _, __: b"",
    "list": lambda _, __: [],
    "html": lambda _, __: HTML,
    "no_code": _without("registration_code"),
    "null_code": _with("registration_code", None),
    "empty_code": _with("registration_code", ""),
    "other_printer": _with("printer_id", 1),
    "no_date": _without("issued_date_time"),
    "odd_date": _with("issued_date_time", "yesterday"),
}

# What may become of the next refresh token, the one that was turned in being used up.
REFRESH: dict[str, Spoil] = {
    "missing": _without("refresh_token"),
    "null": _with("refresh_token", None),
    "empty": _with("refresh_token", ""),
    "split": _with("refresh_token", "a\r\nb"),
    "number": _with("refresh_token", 7),
}


def _address(request: Request, cursor: str) -> str:
    query = dict(parse_qsl(request.query))
    query["cursor"] = cursor
    return f"{origin_of(request)}{quote(request.path, safe='/')}?{urlencode(query)}"


def _start(request: Request) -> int:
    return int(parse_qs(request.query).get("cursor", ["c0"])[0].removeprefix("c"))


def _next(body: Json, url: object) -> Json:
    return {**body, "pagination": {**body["pagination"], "nextUrl": url}}


def _endless(body: Json, request: Request, _: str) -> Json:
    """Beyond the last entry there is always one more."""
    start = _start(request)
    results = body["results"] or [_invented(start)]
    return _next({**body, "results": results}, _address(request, f"c{start + len(results)}"))


def _shifted(by: int) -> Callable[[Json, Request, str], Json]:
    """As if, after the first page, somebody had joined before its end (-1: one twice) or left (1: one missing)."""

    def shifted(body: Json, request: Request, _: str) -> Json:
        if "nextUrl" not in body["pagination"] or _start(request):
            return body
        return _next(body, _address(request, f"c{len(body['results']) + by}"))

    return shifted


# What may become of the link to the next page: from body, request and the fault's `url` to a body.
PAGES: dict[str, Callable[[Json, Request, str], Json]] = {
    "elsewhere": lambda body, _, url: _next(body, url),
    "itself": lambda body, request, _: _next(body, _address(request, f"c{_start(request)}")),
    "circle": lambda body, request, _: (
        body if "nextUrl" in body["pagination"] else _next(body, _address(request, "c0"))
    ),
    "endless": _endless,
    "one_twice": _shifted(-1),
    "one_missing": _shifted(1),
    "null": lambda body, *_: _next(body, None),
    "empty": lambda body, *_: _next(body, ""),
    "number": lambda body, *_: _next(body, 7),
    "relative": lambda body, request, _: _next(
        body, _address(request, f"c{_start(request) + len(body['results'])}").removeprefix(origin_of(request))
    ),
}
