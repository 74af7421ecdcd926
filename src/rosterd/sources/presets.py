"""What a flavor of directory sets where the settings do not: the same keys as in a settings file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Preset(NamedTuple):
    """The `people` and `groups` tables of a flavor. Where `domain` is missing, the operator must say it."""

    people: Mapping[str, Any]
    groups: Mapping[str, Any]


# Further addresses of a person; what a server does not know it does not send. A userPrincipalName often is one.
_ADDRESSES = (
    "mail",
    "proxyAddresses",
    "otherMailbox",
    "mailAlternateAddress",
    "mailLocalAddress",
    "userPrincipalName",
)

# A class that a server does not know matches nothing. groupOfURLs is a dynamic group, whose members OpenLDAP's
# dynlist puts into the entry.
_GROUP_CLASSES = (
    "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfMembers)"
    "(objectClass=posixGroup)(objectClass=groupOfURLs))"
)
_PERSON = {
    "logon": "{{ uid }}",
    "name": ("{{ displayName }}", "{{ cn }}"),
    "email": "{{ mail | lower }}",
}
_GROUP = {"name": "{{ cn }}", "description": "{{ description }}"}

PRESETS: Mapping[str, Preset] = {
    "active-directory": Preset(
        {
            # Trusts between domains look like people too; their sAMAccountType is 0x30000002 (MS-SAMR 2.2.1.9).
            "filter": "(&(objectCategory=person)(objectClass=user)(!(sAMAccountType=805306370)))",
            "logon": "{{ sAMAccountName }}",
            "domain": "{{ nETBIOSName }}",
            "name": ("{{ displayName }}", "{{ givenName }} {{ sn }}", "{{ cn }}"),
            "email": "{{ mail | lower }}",
        },
        {"filter": "(objectClass=group)", "members": ("member",), **_GROUP},
    ),
    "openldap": Preset(
        {"filter": "(objectClass=inetOrgPerson)", **_PERSON},
        {"filter": _GROUP_CLASSES, "members": ("member", "uniqueMember", "memberUid"), **_GROUP},
    ),
    "389ds": Preset(
        {"filter": "(objectClass=inetOrgPerson)", **_PERSON},
        {"filter": _GROUP_CLASSES, "members": ("member", "uniqueMember", "memberUid"), **_GROUP},
    ),
    "freeipa": Preset(
        # The compatibility tree repeats everybody, and staged people have not arrived: neither has such an id.
        {"filter": "(&(objectClass=posixAccount)(ipaUniqueID=*)(!(ipaUniqueID=autogenerate)))", **_PERSON},
        {"filter": "(objectClass=ipaUserGroup)", "members": ("member",), **_GROUP},
    ),
    "custom": Preset(
        {"filter": "(objectClass=person)"},
        {"filter": _GROUP_CLASSES, "members": ("member", "uniqueMember", "memberUid"), **_GROUP},
    ),
}


def filled(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The table of an LDAP source with what its flavor, its base and its scope say for people and groups."""
    flavor = raw.get("flavor", "custom")
    preset = PRESETS.get(flavor if isinstance(flavor, str) else "", PRESETS["custom"])
    place = {key: raw[key] for key in ("base", "scope") if key in raw}
    out = dict(raw)
    people, groups = raw.get("people", {} if "domain" in preset.people else None), raw.get("groups")
    if isinstance(people, Mapping):
        out["people"] = {"addresses": _ADDRESSES, **preset.people, **place, **people}
    if isinstance(groups, Mapping):
        out["groups"] = {**preset.groups, **place, **groups}
    return out
