"""The OpenAPI document of what programs ask the service (spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

from typing import Any


def _json(schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _number(text: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": text}


def _get(
    text: str, answer: dict[str, Any], *parameters: dict[str, Any], **more: dict[str, Any]
) -> dict[str, Any]:
    name = "get" + "".join(
        word.capitalize() for word in text.lower().rstrip(".").split()[:4] if word.isalpha()
    )
    parameter = {"parameters": list(parameters)} if parameters else {}
    return {"get": {"summary": text, "operationId": name, "responses": {"200": answer, **more}, **parameter}}


def _post(name: str, text: str, fields: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    """An action on a customer. With a bearer's token only: a browser's session has a proof in its forms besides."""
    schema = {"type": "object", "properties": fields} | ({"required": list(required)} if required else {})
    form = {"content": {"application/x-www-form-urlencoded": {"schema": schema}}, "required": bool(required)}
    done = {
        "description": "Done; the address is that of the customer's page.",
        "headers": {"Location": {"schema": {"type": "string"}}},
    }
    wrong = ("400", "401", "403", "404", "409", "413", "415", "421", "503")
    return {
        "post": {
            "summary": text, "operationId": name, "parameters": [_NAME], "requestBody": form,
            "responses": {"303": done, **dict.fromkeys(wrong, _ERROR)}, "security": [{"token": []}],
        }
    }  # fmt: skip


def _query(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": text}


_MOMENT = {"type": ["string", "null"], "format": "date-time"}
_ERROR = _json({"$ref": "#/components/schemas/Error"}, "Why it cannot be answered.")
_TALLY = {"type": "object", "additionalProperties": _number("Records.")}
_CUSTOMER = _query("customer", {"type": "string", "pattern": "^[a-z0-9-]+$"}, "The customer's name.")
_LIMIT = _query("limit", {"type": "integer", "minimum": 1, "maximum": 1_000}, "The most to list.")
_NAME = {
    "name": "name", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[a-z0-9-]+$"},
    "description": "The customer's name.",
}  # fmt: skip
_PROBE = {"401": _ERROR, "421": _ERROR}

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "rosterd",
        "version": "",
        "summary": "Where a print fleet's users stand.",
        "license": {"name": "MIT", "identifier": "MIT"},
    },
    "paths": {
        "/healthz": _get(
            "Does the service live?",
            _json({"$ref": "#/components/schemas/Health"}, "It does."),
            **{"503": _json({"$ref": "#/components/schemas/Health"}, "It is stuck.")},
        ),
        "/readyz": _get(
            "Can the service work?",
            _json({"$ref": "#/components/schemas/Ready"}, "It can."),
            **{"503": _json({"$ref": "#/components/schemas/Ready"}, "Not now.")},
        ),
        "/metrics": _get(
            "Metrics for Prometheus.",
            {"description": "Text.", "content": {"text/plain": {"schema": {"type": "string"}}}},
            **_PROBE,
        ),
        "/api/status": _get(
            "Where every customer stands.",
            _json({"$ref": "#/components/schemas/Status"}, "Sorted by name."),
            _CUSTOMER, _LIMIT,
            _query("after", {"type": "string"}, "Only customers after this name: the next page."),
            **_PROBE, **{"400": _ERROR, "404": _ERROR},
        ),
        "/api/runs": _get(
            "The last runs of a customer.",
            _json({"$ref": "#/components/schemas/Runs"}, "The newest first."),
            _CUSTOMER | {"required": True}, _LIMIT,
            _query("before", {"type": "integer", "minimum": 1}, "Only runs before this one: the next page."),
            **_PROBE, **{"400": _ERROR, "404": _ERROR, "503": _ERROR},
        ),
        "/api/live": _get(
            "What runs at this moment.",
            _json({"$ref": "#/components/schemas/Live"}, "Small: it may be asked for each second."),
            _CUSTOMER, **_PROBE,
        ),
        "/customers/{name}/approve": _post(
            "approve", "Lets exactly the changes of a held plan go, as `rosterd approve` does.",
            {
                "digest": {"type": "string", "description": "The whole digest, of `held` in /api/status."},
                "now": {"type": "string", "description": "Anything but nothing: the customer runs at once."},
            },
            ("digest",),
        ),
        "/customers/{name}/pause": _post(
            "pause", "No runs of a customer until resumed.",
            {"reason": {"type": "string", "maxLength": 200, "description": "Why; shown wherever the customer is."}},
        ),
        "/customers/{name}/resume": _post("resume", "Ends a pause.", {}),
        "/customers/{name}/run": _post("runNow", "Makes a customer due now; a run that goes on already goes on.", {}),
        "/api/openapi.json": _get("This document itself.", _json({"type": "object"}, "OpenAPI 3.1."), **_PROBE),
    },
    "components": {
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "console.token"}},
        "schemas": {
            "Error": {
                "type": "object",
                "required": ["error"],
                "properties": {"error": {"type": "string"}, "next": {"type": "string"}},
            },
            "Health": {"type": "object", "properties": {"status": {"enum": ["ok", "stuck"]}}, "required": ["status"]},
            "Ready": {
                "type": "object",
                "required": ["ready", "checks"],
                "properties": {
                    "ready": {"type": "boolean"},
                    "checks": {"type": "object", "additionalProperties": {"type": "boolean"}},
                },
            },
            "Status": {
                "type": "object",
                "required": ["schema", "exit_code", "customers", "total", "service"],
                "properties": {
                    "schema": {"const": "rosterd/status/1"},
                    "exit_code": _number("The worst customer's."),
                    "customers": {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Customer"}},
                    "total": _number("Customers in all."),
                    "service": {"type": "object"},
                },
            },
            "Customer": {
                "type": "object",
                "required": ["state", "exit_code", "held"],
                "properties": {
                    "state": {"type": "string"},
                    "exit_code": _number("As of `rosterd status`."),
                    "reason": {"type": ["string", "null"]},
                    "last_run": _MOMENT,
                    "last_success": _MOMENT,
                    "next_run": _MOMENT,
                    "running": {"type": ["object", "null"]},
                    "held": {"type": "array", "items": {"type": "object"}},
                    "sign_in": {
                        "type": ["object", "null"],
                        "description": "The sign-in at Autodesk; null where there is none and nothing needs one.",
                        "properties": {
                            "needed": {"type": "boolean"},
                            "reason": {"type": ["string", "null"]},
                            "ends": _MOMENT,
                        },
                    },
                },
            },
            "Runs": {
                "type": "object",
                "required": ["schema", "customer", "runs"],
                "properties": {
                    "schema": {"const": "rosterd/runs/1"},
                    "customer": {"type": "string"},
                    "runs": {"type": "array", "items": {"$ref": "#/components/schemas/Run"}},
                },
            },
            "Live": {
                "type": "object",
                "required": ["schema", "running", "mark"],
                "properties": {
                    "schema": {"const": "rosterd/live/1"},
                    "running": {
                        "type": "object",
                        "additionalProperties": {
                            "type": "object",
                            "required": ["since", "seconds", "done"],
                            "properties": {
                                "since": _MOMENT,
                                "seconds": {"type": "number"},
                                "done": {"type": "object", "additionalProperties": _number("Records, by step.")},
                            },
                        },
                    },
                    "mark": {"type": "string", "description": "Another one when the page would show something else."},
                },
            },
            "Run": {
                "type": "object",
                "required": ["id", "started"],
                "properties": {
                    "id": _number("Counts over all customers."),
                    "started": _MOMENT,
                    "ended": _MOMENT,
                    "outcome": {"enum": ["done", "partial", "held", "failed", None]},
                    "exit_code": {"type": ["integer", "null"]},
                    "reason": {"type": ["string", "null"]},
                    "people": _TALLY,
                    "groups": _TALLY,
                    "seats": _TALLY,
                },
            },
        },
    },
    "security": [{}, {"token": []}],
}  # fmt: skip
