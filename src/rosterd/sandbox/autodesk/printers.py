"""Shared 3D printers: a registration code for a second user of a printer (a service that closed on 2017-01-15)."""

from __future__ import annotations

import json
import re
from typing import Any

from rosterd.sandbox.autodesk import shapes
from rosterd.sandbox.autodesk.call import Call
from rosterd.sandbox.wire import About, Response, json_response

FIRMWARE = "1.1.1.1"
KIND = "7FAF097F-DB2E-45DC-9395-A30210E789AA"  # the type of printer in the vendor's example

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+").fullmatch


def register(call: Call) -> Response:
    """`POST /ps/v1/print/printers/{id}/secondary_registration`: a new code with every call."""
    grant = call.grant()
    if grant is None or grant.legs != 3 or "data:write" not in grant.scopes:
        return shapes.printer(401, "UNAUTHORIZED", "A token of a user, with data:write, is needed.")
    about = About(grant.client, call.name, 1)
    printer = call.state.table("printers").get(call.name)
    if printer is None:
        return shapes.printer(404, "NOT_FOUND", "The printer does not exist.", about)
    if grant.user and printer.get("owner") not in (None, grant.user):
        return shapes.printer(401, "NOT_OWNER", "Only the owner of the printer may do this.", about)
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = _body(call.request.body) if kind == "application/json" else None
    if body is None:
        return shapes.printer(400, "BAD_REQUEST", "The body must be a JSON object.", about)
    email = body.get("secondary_member_email")
    if not isinstance(email, str) or not _EMAIL(email):
        return shapes.printer(422, "INVALID_EMAIL", "secondary_member_email is not an e-mail address.", about)
    made = call.state.register(call.name, email)
    answer = {
        "printer_id": int(call.name) if call.name.isdecimal() else call.name,
        "registration_code": made.code,
        "serial_number": printer.get("serial_number"),
        "firmware": printer.get("firmware", FIRMWARE),
        "printer_type": printer.get("printer_type", KIND),
        "issued_date_time": made.issued,
    }
    return json_response(200, answer, about)


def _body(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
