"""What is watched for changes: searches over people, groups, and the containers they lie in.

A container that is renamed or moved takes the entries in it along, and no server says so of each of them. So
containers are watched as well, and what happens to one is a reason to read everything.
"""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from rosterd.errors import Doubt
from rosterd.sources.ldap.belonging import Primaries
from rosterd.sources.ldap.dn import normalise_dn, within
from rosterd.sources.ldap.feeds import group_bases
from rosterd.sources.ldap.flavors import ALL_GROUPS, Name
from rosterd.sources.settings import LdapSettings

Kind: TypeAlias = Literal["people", "groups", "containers", "domain"]
PEOPLE: Final = "people"
GROUPS: Final = "groups"
CONTAINERS: Final = "containers"
DOMAIN: Final = "domain"  # all of it, whatever it is: how Active Directory tells changes

FORM = 2  # of a cookie and of the names kept with it; another one is not understood

# What usually holds other entries. Others are only seen by the full compare.
ALL_CONTAINERS = (
    "(|(objectClass=organizationalUnit)(objectClass=organization)(objectClass=domain)(objectClass=dcObject)"
    "(objectClass=locality)(objectClass=country)(objectClass=container)(objectClass=nsContainer))"
)

NOBODY = "(objectClass=nobody-has-this-class)"  # to ask a question that costs the server nothing


class Watch(NamedTuple):
    """One search that is watched, and the server's cookie for it."""

    kind: Kind
    base: str
    scope: str
    filter: str
    cookie: bytes = b""


class Witness(NamedTuple):
    """An entry that was changed, by its stable id, and the server's mark of that change; see witness."""

    kind: Kind
    id: str
    mark: str


def watches(settings: LdapSettings) -> list[Watch]:
    """Everything that must be watched for these settings."""
    people = settings.people
    found = [Watch(PEOPLE, people.base or settings.base, people.scope, people.filter)]
    bases = [found[0].base]
    groups = settings.groups
    if groups is not None:
        base = groups.base or settings.base
        if groups.nested:
            either = f"(|{groups.filter}{ALL_GROUPS})"
            found += [Watch(GROUPS, wide, "subtree", either) for wide in group_bases(base, settings.base)]
        else:
            found.append(Watch(GROUPS, base, groups.scope, groups.filter))
        bases += [watch.base for watch in found[1:]]
    return found + [Watch(CONTAINERS, base, "subtree", ALL_CONTAINERS) for base in _outermost(bases)]


def _outermost(bases: list[str]) -> list[str]:
    """The bases that lie under no other."""
    names = {normalise_dn(base): base for base in bases}
    return [
        base
        for name, base in names.items()
        if not any(other != name and within(name, other) for other in names)
    ]


@dataclass
class Cookie:
    """All that is kept between two looks: which server it was, where each watch stands, what containers there are.

    containers: id -> normalised DN. primaries: what the groups answer to as primary groups. reached: what the
    server's own count of changes had reached, and loaded: since when it has had its data, where it says so.
    witnesses: what was changed last.
    """

    server: str
    watches: list[Watch]
    containers: dict[str, str] = field(default_factory=dict)
    primaries: Primaries = field(default_factory=dict)
    reached: int = 0
    loaded: str = ""
    witnesses: tuple[Witness, ...] = ()

    def text(self) -> str:
        """As it is kept in the ledger."""
        return json.dumps(
            {
                "form": FORM,
                "server": self.server,
                "watches": [(*watch[:4], base64.b64encode(watch.cookie).decode()) for watch in self.watches],
                "containers": self.containers,
                "primaries": {own.hex(): refs for own, refs in self.primaries.items()},
                "reached": self.reached,
                "loaded": self.loaded,
                "witnesses": self.witnesses,
            },
            ensure_ascii=False,
        )


def cookie_of(text: str) -> Cookie:
    """The way back; Doubt when it is none of ours."""
    try:
        kept = json.loads(text)
        if kept["form"] != FORM:
            raise ValueError(kept["form"])
        return Cookie(
            str(kept["server"]),
            [
                Watch(kind, base, scope, filter_text, base64.b64decode(cookie, validate=True))
                for kind, base, scope, filter_text, cookie in kept["watches"]
            ],
            {str(id_): str(dn) for id_, dn in kept["containers"].items()},
            {bytes.fromhex(own): [str(ref) for ref in refs] for own, refs in kept["primaries"].items()},
            int(kept.get("reached", 0)),
            str(kept.get("loaded", "")),
            tuple(
                Witness(kind, str(uuid.UUID(id_)), str(mark)) for kind, id_, mark in kept.get("witnesses", ())
            ),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Doubt("the cookie that was kept is not readable") from error


def id_text(flavor: Name, value: bytes) -> str:
    """A UUID of synchronization as the flavor's stable id spells it."""
    if flavor == "389ds":  # nsUniqueId: four groups of eight digits
        digits = value.hex()
        return "-".join(digits[at : at + 8] for at in range(0, 32, 8))
    return str(uuid.UUID(bytes=value))
