"""Who of the sample company has access at Autodesk: the document that the pretend Autodesk serves.

Among people who are where they should be: a collaborator from outside, two who leave on day 2 (one of the application,
one of a twin), somebody whose account is disabled, and twin entries without an e-mail address.
"""

from __future__ import annotations

from base64 import b32encode
from hashlib import sha256
from typing import Any, TypeAlias

from rosterd.sample_company.people import LEAVERS, Employee, awkward, ordinary

Json: TypeAlias = "dict[str, Any]"

CLIENT = "sandbox"  # the application that rosterd signs in as, and its secret
SECRET = CLIENT
REFRESH = "sandbox-refresh-token"
SCOPE = "application:client:read data:read data:write"
APPLICATION = "plant-viewer"
TWINS = ("urn:adsk.dtt:hq-lisboa-0000000000000", "urn:adsk.dtt:plant-hamburg-00000000")
PRINTER = "874"
# What people call them; Autodesk's answers have no names of places.
NAMES = {
    APPLICATION: "Plant viewer",
    TWINS[0]: "Headquarters Lisboa",
    TWINS[1]: "Plant Hamburg",
    PRINTER: "Workshop",
}

_GROUP = "urn:adsk.dtg:facility-managers-0000"
_OWNER, _EDITORS, _VIEWERS = 3, (20, 60), (30, 150)  # numbers among the ordinary people
_LEAVING_EDITOR, _LEAVING_TWIN_USER = LEAVERS


def autodesk() -> Json:
    """The document for both days: nobody at Autodesk hears of it when somebody leaves the company."""
    people = ordinary()
    client = {
        "secret": SECRET,
        "user": user_id(people[_OWNER].email),
        "redirect_uris": ["http://127.0.0.1:*", "http://localhost:*"],
        "refresh_tokens": {REFRESH: SCOPE},
    }
    return {
        "clients": {CLIENT: client},
        "applications": {APPLICATION: {"name": NAMES[APPLICATION], "collaborators": _collaborators(people)}},
        "twins": {
            TWINS[0]: {"name": NAMES[TWINS[0]], "users": _headquarters(people)},
            TWINS[1]: {"name": NAMES[TWINS[1]], "users": _plant(people)},
        },
        "printers": {PRINTER: {"owner": user_id(people[_OWNER].email)}},
    }


def user_id(email: str) -> str:
    """The Autodesk user id of an address: twelve letters and digits, the same in every place."""
    return b32encode(sha256(email.encode()).digest())[:12].decode()


def _collaborators(people: list[Employee]) -> list[Json]:
    editors = [people[number] for number in (*_EDITORS, _LEAVING_EDITOR)]
    disabled = [person for person in awkward() if person.status == "disabled"]
    viewers = [*(people[number] for number in _VIEWERS), *disabled]
    return [
        _collaborator(people[_OWNER].name, people[_OWNER].email, "OWNER"),
        *(_collaborator(person.name, person.email, "EDITOR") for person in editors),
        _collaborator("Rowan Field", "rowan.field@contractor.example", "EDITOR"),
        *(_collaborator(person.name, person.email.upper(), "VIEWER") for person in viewers),
    ]


def _collaborator(name: str, email: str, level: str) -> Json:
    given, _, family = name.rpartition(" ")
    return {
        "userId": user_id(email.lower()),
        "firstName": given,
        "lastName": family,
        "email": email,
        "accessLevel": level,
        "createdAt": "2024-03-01T09:30:00Z",
    }


def _headquarters(people: list[Employee]) -> Json:
    """Levels as words; an editor of the application without an address, whose user id tells who it is."""
    leaver = people[_LEAVING_TWIN_USER]
    return {
        **_twin_user(people[_OWNER], "Owner"),
        **_twin_user(people[_EDITORS[0]], "Manage", email=None),
        **_twin_user(leaver, "Manage"),
        **_twin_user(people[_VIEWERS[0]], "ReadWrite", group=_GROUP),
        _GROUP: {"name": "Facility managers", "accessLevel": "ReadWrite"},
    }


def _plant(people: list[Employee]) -> Json:
    """Levels as numbers; one of the entries is known nowhere else and has no address."""
    return {
        **_twin_user(people[_EDITORS[1]], 4),
        **_twin_user(people[_VIEWERS[1]], 1),
        "116966059401837": {"name": "Night shift tablet", "accessLevel": 1},
    }


def _twin_user(person: Employee, level: str | int, **fields: str | None) -> Json:
    entry = {"name": person.name, "email": person.email, "accessLevel": level, **fields}
    return {user_id(person.email): {name: value for name, value in entry.items() if value is not None}}
