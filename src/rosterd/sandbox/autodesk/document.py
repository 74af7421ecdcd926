"""The document that says what the pretend Autodesk holds: its shape, and how one place in it is changed.

    {"page_size": 100,
     "clients": {ID: {"secret": TEXT, "redirect_uris": […], "user": USER, "scopes": […],
                      "refresh_tokens": {TOKEN: "data:read …"},
                      "accounts": {SERVICE ACCOUNT: {"keys": {KID: null}, "scopes": […]}}}},
     "applications": {ID: {"name": TEXT, "collaborators": [{"userId": …}]}},
     "twins": {URN: {"name": TEXT, "users": {SUBJECT: {…}}}},
     "printers": {ID: {"owner": USER, "serial_number": TEXT, "firmware": TEXT, "printer_type": TEXT}}}

Everything may be left out. A client without a secret is a public one. `user` is who signs in: without it nobody in
particular does, and every application and printer is open to that sign-in. A `*` in a redirect URI stands for
anything (a port, say). `scopes` limit what a client or an account may ask for. A key of a service account is a
JSON Web Key (RFC 7517) with `n` and `e`; with null in its place the signature is not checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeAlias

Document: TypeAlias = "dict[str, Any]"

PAGE_SIZE = 100  # collaborators on a page when the request does not say

_NONE = type(None)
_Fields: TypeAlias = "Mapping[str, tuple[type, ...]]"
TABLES: dict[str, _Fields] = {
    "clients": {
        "secret": (str, _NONE),
        "redirect_uris": (list,),
        "user": (str, _NONE),
        "scopes": (list, _NONE),
        "refresh_tokens": (dict,),
        "accounts": (dict,),
    },
    "applications": {"name": (str,), "collaborators": (list,)},
    "twins": {"name": (str,), "users": (dict,)},
    "printers": {
        "owner": (str, _NONE),
        "serial_number": (str, _NONE),
        "firmware": (str, _NONE),
        "printer_type": (str, _NONE),
    },
}


def checked(value: object) -> Document:
    """The document itself; raises ValueError with the place that is wrong."""
    document = _object(value, "the document")
    for name, table in document.items():
        if name == "page_size":
            if type(table) is not int or table < 1:
                raise ValueError("page_size is a whole number above 0")
        elif name not in TABLES:
            raise ValueError(f"unknown table {name!r}; known: page_size, {', '.join(TABLES)}")
        else:
            for key, entry in _object(table, name).items():
                _fields(entry, TABLES[name], f"{name}.{key}")
    _details(document)
    return document


def _fields(value: object, known: _Fields, where: str) -> None:
    for name, field in _object(value, where).items():
        if name not in known:
            raise ValueError(f"{where} has no field {name!r}; known: {', '.join(known)}")
        if not isinstance(field, known[name]):
            raise ValueError(f"{where}.{name} is of the wrong type")


def _details(document: Document) -> None:
    for key, application in document.get("applications", {}).items():
        for entry in application.get("collaborators", []):
            if not isinstance(_object(entry, f"a collaborator of {key}").get("userId"), str):
                raise ValueError(f"a collaborator of {key} has no userId")
    for key, client in document.get("clients", {}).items():
        _client(client, f"clients.{key}")


def _client(client: dict[str, Any], where: str) -> None:
    for token, scope in client.get("refresh_tokens", {}).items():
        if not isinstance(scope, str):
            raise ValueError(f"{where}.refresh_tokens.{token[:4]}… is not a list of scopes in one text")
    _texts(client.get("redirect_uris"), f"{where}.redirect_uris")
    _texts(client.get("scopes"), f"{where}.scopes")
    for name, account in client.get("accounts", {}).items():
        known: _Fields = {"keys": (dict, _NONE), "scopes": (list, _NONE)}
        _fields(account, known, f"{where}.accounts.{name}")
        _texts(account.get("scopes"), f"{where}.accounts.{name}.scopes")
        for kid, jwk in (account.get("keys") or {}).items():
            if jwk is not None and not all(isinstance(_object(jwk, kid).get(part), str) for part in "ne"):
                raise ValueError(f"{where}.accounts.{name}.keys.{kid} is not a key with n and e")


def _texts(value: list[Any] | None, where: str) -> None:
    if not all(isinstance(entry, str) for entry in value or ()):
        raise ValueError(f"{where} is not a list of texts")


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not an object")
    return value


def with_value(document: Document, path: Sequence[str], value: Any) -> Document:
    """A document with `value` at the path; in a list an entry of the same userId is replaced, any other joins it.

    Raises KeyError when the way there does not exist, ValueError when the document would be wrong.
    """
    changed = deepcopy(document)
    if not path:
        return checked(value)
    place = _walk(changed, path[:-1])
    here = _step(place, path[-1], None)
    if isinstance(here, list) and isinstance(value, dict):
        _join(here, value)
    elif isinstance(place, list):
        _join(place, value)
    else:
        place[path[-1]] = value
    return checked(changed)


def without(document: Document, path: Sequence[str]) -> Document:
    """A document without what lies at the path; raises KeyError when nothing does."""
    changed = deepcopy(document)
    place = _walk(changed, path[:-1])
    found = _step(place, path[-1], place)
    if found is place:
        raise KeyError(path[-1])
    if isinstance(place, list):
        place.remove(found)
    else:
        del place[path[-1]]
    return checked(changed)


def _join(entries: list[Any], value: Any) -> None:
    same = [number for number, entry in enumerate(entries) if entry["userId"] == value.get("userId")]
    if same:
        entries[same[0]] = value
    else:
        entries.append(value)


def _walk(document: Document, path: Sequence[str]) -> Any:
    place: Any = document
    for name in path:
        found = _step(place, name, None)
        if found is None and place is document and name in TABLES:
            found = document.setdefault(name, {})
        if not isinstance(found, dict | list):
            raise KeyError(name)
        place = found
    return place


def _step(place: Any, name: str, lacking: Any) -> Any:
    if isinstance(place, list):
        return next(
            (entry for entry in place if isinstance(entry, dict) and entry.get("userId") == name), lacking
        )
    return place.get(name, lacking)
