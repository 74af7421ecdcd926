"""The users of one Tandem twin: one object, a name per subject (APS, Tandem, "twins/{twinID}/users")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from rosterd.autodesk import wire
from rosterd.autodesk.client import Service
from rosterd.bearer import Bearer
from rosterd.core.access import Holder, Snapshot
from rosterd.errors import TargetError


def read_users(service: Service, twin: str, bearer: Bearer, region: str | None) -> Snapshot:
    """Everybody, whole; `{}` is nobody. Raises TargetError naming the twin, CredentialsError or Stopped."""
    where = f"users of twin {twin}"
    path = f"/tandem/v1/twins/{quote(twin, safe=':')}/users"
    reply = service.get(path, bearer, where, {"Region": region} if region else {})
    try:
        found = wire.parsed(reply.body)
        if not isinstance(found, dict):
            raise wire.Odd("it is no object")
        if not all(isinstance(entry, dict) for entry in found.values()):
            raise wire.Odd("a user is no object")
        if found and found.keys() <= set(wire.FAULTS):
            raise wire.Odd("it describes an error")
    except wire.Odd as error:
        raise TargetError(f"the answer is odd: {error}", where=where, hint=wire.HINT) from None
    granting = {entry.get("group") for entry in found.values() if isinstance(entry.get("group"), str)}
    return Snapshot([_holder(subject, entry, granting) for subject, entry in found.items()])


def _holder(subject: str, entry: Mapping[str, Any], granting: set[Any]) -> Holder:
    """An entry without an address is a group when its id is a urn, as a group's is, or grants others' access."""
    email, name, via = (wire.text(entry.get(key)) for key in ("email", "name", "group"))
    group = not email and (subject.lower().startswith("urn:") or subject in granting)
    return Holder(wire.text(subject), name, email, wire.level(entry.get("accessLevel")), via, group=group)
