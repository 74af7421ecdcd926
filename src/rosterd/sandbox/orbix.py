"""The four calls of the print-queue integration, as functions from request to response.

Known from the vendor's pages: the shapes of requests and answers, the limits, 201 with and without a list,
400 with code 3400. Unknown, and strict here: unknown fields, a grouping named twice and requests over the
limit get a 400 of another code; a grouping that failed takes none of its users.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from rosterd.sandbox import lacking, rules
from rosterd.sandbox.rules import Claim, Event, ForeignBody, Grouping, Refusal
from rosterd.sandbox.state import Lacking, World, nothing
from rosterd.sandbox.switches import Switches
from rosterd.sandbox.wire import About, Request, Response, json_response


@dataclass(frozen=True, slots=True)
class Call:
    """A request that passed the door: who asks, for whom, and what."""

    path: str
    tenant: str
    token: str
    client: str
    body: Mapping[str, Any]
    world: World
    switches: Switches
    claim: Claim

    @property
    def synchronizes(self) -> bool:
        """Whether the call also takes away what it lacks."""
        return self.path in ("/v1/users/synchronize", "/v1/groups/users-sync")

    def together(self, named: set[str]) -> set[str]:
        """What counts as named: by this request, or by all requests of its session."""
        if self.switches.synchronize == "request":
            return named
        where = (self.path, self.tenant, self.client)
        return self.world.sessions.together(where, self.token, self.switches.session_seconds, named)


def no_claim(_users: object, _groupings: object) -> tuple[Refusal, ...]:
    """No fault refuses anything."""
    return ()


def local_path(path: str, switches: Switches) -> str:
    """The path as the vendor's pages write it: the base path may be there or not."""
    return path.removeprefix(switches.base_path)


def handle(request: Request, world: World, switches: Switches, claim: Claim = no_claim) -> Response:
    """Answers one of the CALLS."""
    path = local_path(request.path, switches)
    if request.method != "POST":
        return Response(405, headers=(("Allow", "POST"),))
    token = _bearer(request)
    tenant = world.tokens.use(token)
    if tenant is None:
        return Response(401, headers=(("WWW-Authenticate", "Bearer"),))
    about = About(tenant)
    try:
        response = _check_head(request, tenant, switches)
        if response is not None:
            return response
        body = _parse(request.body)
        client = _client(body, switches)
        about = about_of(body, tenant)
        return CALLS[path](Call(path, tenant, token, client, body, world, switches, claim), about)
    except ForeignBody as error:
        return problem(path, error.code, error.message, about)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _check_head(request: Request, tenant: str, switches: Switches) -> Response | None:
    sent = request.headers.get("tenant")
    if not sent:
        raise ForeignBody("Tenant", "The Tenant field is required.")
    if sent != tenant:
        return Response(403, about=About(sent))
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Response(415, about=About(tenant))
    if len(request.body) > switches.body_limit:
        return Response(413, about=About(tenant))
    return None


def _not_json(text: str) -> NoReturn:
    raise ValueError(text)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise ForeignBody("$", "The body is not JSON in UTF-8.") from error
    if not isinstance(value, dict):
        raise ForeignBody("$", "The body is not an object.")
    return value


def _client(body: Mapping[str, Any], switches: Switches) -> str:
    client = body.get("Client")
    if not isinstance(client, str) or not rules.CLIENT(client):
        raise ForeignBody("$.Client", "The Client field is not valid.")
    if switches.clients is not None and client not in switches.clients:
        raise ForeignBody("3404", "The client is not registered.")
    return client


def _only(body: Mapping[str, Any], name: str) -> list[Any]:
    for field in body:
        if field not in ("Client", name):
            raise ForeignBody(f"$.{field}", "The field is not known.")
    records = rules.a_list(dict(body), name)
    if not records:
        raise ForeignBody(f"$.{name}", f"The {name} field is required.")
    return records


def about_of(body: Mapping[str, Any], tenant: str) -> About:
    """What a body carries, counted without judging it."""
    client = body.get("Client")
    users, groups = body.get("Users"), body.get("Groups")
    users = users if isinstance(users, list) else []
    groups = groups if isinstance(groups, list) else []
    lists = [group.get("Users") for group in groups if isinstance(group, dict)]
    seats = sum(len(entry) for entry in lists if isinstance(entry, list))
    return About(tenant, client if isinstance(client, str) else "", len(users) + seats, len(groups))


def peek(request: Request) -> About:
    """What a request that is not carried out would have carried."""
    try:
        return about_of(_parse(request.body), request.headers.get("tenant", ""))
    except ForeignBody:
        return About(request.headers.get("tenant", ""))


def users(call: Call, about: About) -> Response:
    """`POST /v1/users` and `POST /v1/users/synchronize`."""
    records = _only(call.body, "Users")
    if len(records) > call.switches.user_limit:
        raise ForeignBody("3401", f"A request carries at most {call.switches.user_limit} users.")
    checked = rules.check_users(records, "$.Users")
    refusals = call.claim(checked.good, ())
    rules.refuse_users(checked, refusals)
    if not checked.good or any(refusal.poison for refusal in refusals):
        return problem(call.path, "3400", "All users are invalid.", about)
    gone = lacking.users_lacking(call.together(checked.named())) if call.synchronizes else nothing
    call.world.accept(call.tenant, call.client, checked.good, gone)
    return json_response(201, checked.errors(), about)


def groupings(call: Call, about: About) -> Response:
    """`POST /v1/groups/users` and `POST /v1/groups/users-sync`."""
    records = _only(call.body, "Groups")
    switches = call.switches
    if len(records) > switches.grouping_limit:
        raise ForeignBody("3401", f"A request carries at most {switches.grouping_limit} groups.")
    checked = [
        rules.check_grouping(record, f"$.Groups[{position}]", switches.name_limit, switches.seat_limit)
        for position, record in enumerate(records)
    ]
    names = [rules.grouping_key(grouping.name) for grouping in checked if grouping.name]
    if len(set(names)) < len(names):
        raise ForeignBody("3403", "A group is named twice.")
    sent = [event for grouping in checked for event in grouping.users.good]
    refusals = call.claim(sent, [grouping.name for grouping in checked])
    for grouping in checked:
        _refuse(grouping, refusals)
    good = [grouping for grouping in checked if not grouping.error]
    if not good or any(refusal.poison for refusal in refusals):
        return problem(call.path, "3400", "All groups are invalid.", about)
    _accept(call, checked, good)
    return json_response(201, [_entry(grouping) for grouping in checked if _failed(grouping)], about)


def _refuse(grouping: Grouping, refusals: Any) -> None:
    rules.refuse_users(grouping.users, refusals)
    for refusal in refusals:
        if refusal.grouping is not None and refusal.grouping(grouping.name):
            grouping.error = refusal.message


def _accept(call: Call, checked: list[Grouping], good: list[Grouping]) -> None:
    events: list[Event] = []
    for grouping in good:
        events.append(("grouping", grouping.name, grouping.description))
        events += grouping.users.good
        events += [("seat", grouping.name, f"{user[2]}//{user[1]}") for user in grouping.users.good]
    gone: Lacking = nothing
    if call.synchronizes:
        gone = lacking.groupings_lacking(call.together(lacking.seats_of(checked)))
    elif call.switches.membership == "replacing":
        gone = lacking.replaced(lacking.seats_of(good), good)
    call.world.accept(call.tenant, call.client, events, gone)


def _failed(grouping: Grouping) -> bool:
    return bool(grouping.error or grouping.users.bad)


def _entry(grouping: Grouping) -> dict[str, object]:
    return {"groupName": grouping.name, "users": grouping.users.errors(), "errorMessage": grouping.error}


def problem(path: str, code: str, message: str, about: About) -> Response:
    """A 400 as the vendor's pages show it."""
    body = {
        "errors": {code: [message]},
        "title": "BadRequest",
        "status": 400,
        "detail": "BusinessException",
        "instance": path,
    }
    return json_response(400, body, about)


CALLS: dict[str, Callable[[Call, About], Response]] = {
    "/v1/users": users,
    "/v1/groups/users": groupings,
    "/v1/users/synchronize": users,
    "/v1/groups/users-sync": groupings,
}
