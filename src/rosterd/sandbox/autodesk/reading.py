"""Who has access: the collaborators of an application, the users of a Tandem twin."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from rosterd.sandbox.autodesk import shapes
from rosterd.sandbox.autodesk.call import Call
from rosterd.sandbox.autodesk.document import PAGE_SIZE
from rosterd.sandbox.wire import About, Response, json_response

REGIONS = frozenset({"US", "EMEA", "AUS"})


def collaborators(call: Call) -> Response:
    """`GET /applications/v1/clients/{id}/collaborators`: one page.

    What the page of the vendor leaves open: `limit` is at most the page size of the document, and the cursor of a
    page is the number of entries before it, so that somebody removed in between makes another go missing.
    """
    grant = call.grant()
    if grant is None:
        return shapes.developer(401, "AUTH-006", "The access token is missing, not valid or has expired.")
    about = About(grant.client, call.name)
    if grant.legs != 3 or "application:client:read" not in grant.scopes:
        return shapes.developer(403, "AUTH-010", "Token does not have the privilege for this request.", about)
    application = call.state.table("applications").get(call.name)
    if application is None:
        return shapes.developer(404, "APP-404", "The application does not exist.", about)
    everybody = application.get("collaborators", [])
    if grant.user and grant.user not in {entry["userId"] for entry in everybody}:
        return shapes.developer(403, "APP-403", "You must be at least a VIEWER of the application.", about)
    asked = _asked(call)
    if asked is None:
        return shapes.developer(400, "APP-400", "limit or cursor is not valid.", about)
    limit, start = asked
    page = everybody[start : start + limit]
    body = {"pagination": _pagination(call, limit, start, len(everybody)), "results": page}
    return json_response(200, body, About(grant.client, call.name, len(page)))


def _asked(call: Call) -> tuple[int, int] | None:
    """How many entries the page has and how many come before it; None when the query makes no sense."""
    query = dict(parse_qsl(call.request.query, keep_blank_values=True))
    most = call.state.document.get("page_size", PAGE_SIZE)
    limit, cursor = query.get("limit", str(most)), query.get("cursor", "c0")
    if not re.fullmatch("[1-9][0-9]{0,8}", limit) or not re.fullmatch("c[0-9]{1,9}", cursor):
        return None
    return min(int(limit), most), int(cursor[1:])


def _pagination(call: Call, limit: int, start: int, total: int) -> dict[str, Any]:
    pagination: dict[str, Any] = {"limit": limit}
    if start + limit < total:
        pagination["nextUrl"] = page_url(call, limit, start + limit)
    if start:
        pagination["previousUrl"] = page_url(call, limit, max(0, start - limit))
    return pagination


def page_url(call: Call, limit: int, start: int) -> str:
    """The absolute address of a page."""
    return f"{call.origin}{quote(call.path, safe='/')}?{urlencode({'limit': limit, 'cursor': f'c{start}'})}"


def twin_users(call: Call) -> Response:
    """`GET /tandem/v1/twins/{twinID}/users`: all of them, by subject."""
    grant = call.grant()
    if grant is None:
        return shapes.header(401, "Unauthorized. Reason: the token is missing, not valid or has expired.")
    about = About(grant.client, call.name)
    if "data:read" not in grant.scopes:
        return shapes.text(403, "Forbidden: data:read is needed", about)
    region = call.request.headers.get("region")
    if region is not None and region not in REGIONS:
        return shapes.developer(400, "TND-400", "The region is not known.", about)
    twin = call.state.table("twins").get(call.name)
    if twin is None:
        return shapes.developer(404, "TND-404", "The twin does not exist.", about)
    call.state.region(call.name, region)
    users = twin.get("users", {})
    return json_response(200, users, About(grant.client, call.name, len(users)))
