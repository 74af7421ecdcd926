"""The company as FreeIPA holds it: its schema, its tree and its kinds of entries, in a 389 Directory Server.

FreeIPA is a 389 Directory Server with a schema and plug-ins of its own. What a reader sees of the plug-ins is put
in as data: the attributes of the root entry, the memberOf of people, the copies in the compatibility tree.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.real import acme
from tests.real.acme import DISABLED, EXPIRED, Acme, Human, Unit
from tests.real.dirsrv import BASE, READER_MAY_READ, Dirsrv, Entry
from tests.real.dirsrv import READER as SAMPLE_READER
from tests.real.slapd import PASSWORD

ACCOUNTS = f"cn=accounts,{BASE}"
PEOPLE, GROUPS = f"cn=users,{ACCOUNTS}", f"cn=groups,{ACCOUNTS}"
STAGED, PRESERVED = (f"cn={name} users,cn=accounts,cn=provisioning,{BASE}" for name in ("staged", "deleted"))
COMPAT = f"cn=users,cn=compat,{BASE}"
READER = f"uid=rosterd,cn=sysaccounts,cn=etc,{BASE}"
LONG_AGO, FAR_OFF = "20200101000000Z", "20991231000000Z"

SHADOWED = 100  # people whose copy and whose group of one are there as well: to load them for all takes long

KERBEROS = Path("/usr/share/dirsrv/data/60kerberos.ldif")  # FreeIPA's own, in Debian's package of the server
SCHEMA = """\
dn: cn=schema
attributeTypes: ( 2.16.840.1.113730.3.8.3.1 NAME 'ipaUniqueID' EQUALITY caseIgnoreMatch
  ORDERING caseIgnoreOrderingMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORIGIN 'IPA v2' )
attributeTypes: ( 2.16.840.1.113730.3.8.11.37 NAME 'ipaExternalMember' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORIGIN 'IPA v3' )
attributeTypes: ( 2.16.840.1.113730.3.8.11.62 NAME 'ipaAnchorUUID' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE X-ORIGIN 'IPA v4' )
attributeTypes: ( 2.16.840.1.113730.3.8.19.2.1 NAME 'ipaDomainLevel' EQUALITY numericStringMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.36 SINGLE-VALUE X-ORIGIN 'IPA v4' )
attributeTypes: ( 2.16.840.1.113730.3.8.20.2.99 NAME 'ipaTopologyPluginVersion'
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 X-ORIGIN 'sample' )
objectClasses: ( 2.16.840.1.113730.3.8.4.5 NAME 'ipaObject' SUP top AUXILIARY MUST ipaUniqueID )
objectClasses: ( 2.16.840.1.113730.3.8.4.2 NAME 'nestedGroup' SUP groupOfNames STRUCTURAL MAY memberOf )
objectClasses: ( 2.16.840.1.113730.3.8.4.3 NAME 'ipaUserGroup' SUP nestedGroup STRUCTURAL )
objectClasses: ( 2.16.840.1.113730.3.8.12.17 NAME 'ipaExternalGroup' SUP top AUXILIARY
  MAY ipaExternalMember )
objectClasses: ( 2.16.840.1.113730.3.8.12.32 NAME 'ipaOverrideTarget' SUP top AUXILIARY MUST ipaAnchorUUID )
"""


def human_dn(human: Human) -> str:
    return f"uid={acme.escaped(human.logon)},{PEOPLE}"


def group_dn(name: str) -> str:
    return f"cn={acme.escaped(name)},{GROUPS}"


def unique(dn: str) -> str:
    """An ipaUniqueID, always the same for the same entry."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, dn))


def show_plug_ins(server: Dirsrv) -> None:
    """What the root entry of a server says when FreeIPA's plug-ins are in it."""
    server.modify(
        "dn:\nchangetype: modify\nadd: objectClass\nobjectClass: extensibleObject\n-\n"
        "add: ipaDomainLevel\nipaDomainLevel: 1\n-\n"
        "add: ipaTopologyPluginVersion\nipaTopologyPluginVersion: 1.0\n"
    )


def entries(company: Acme) -> Iterator[Entry]:
    """Everything, in an order in which it can be loaded."""
    may_read = READER_MAY_READ.replace(SAMPLE_READER, READER)
    yield BASE, {"objectClass": ["domain"], "dc": ["acme"], "aci": [may_read]}
    for dn in (
        ACCOUNTS, PEOPLE, GROUPS, f"cn=compat,{BASE}", COMPAT, f"cn=etc,{BASE}", f"cn=sysaccounts,cn=etc,{BASE}",
        f"cn=provisioning,{BASE}", f"cn=accounts,cn=provisioning,{BASE}", STAGED, PRESERVED,
    ):  # fmt: skip
        yield dn, {"objectClass": ["nsContainer"], "cn": [dn.partition(",")[0].removeprefix("cn=")]}
    yield READER, {
        "objectClass": ["account", "simpleSecurityObject"], "uid": ["rosterd"], "userPassword": [PASSWORD],
        "nsSizeLimit": ["-1"], "nsLookThroughLimit": ["-1"],
    }  # fmt: skip
    above = _above(company)
    for number, human in enumerate(company.humans.values()):
        yield human_dn(human), _human(human, number, above[human.logon])
        if number < SHADOWED:
            yield f"uid={acme.escaped(human.logon)},{COMPAT}", _copy(human, number)
            yield group_dn(human.logon), _private(human, number)
    for unit in company.units.values():
        yield group_dn(unit.name), _group(company, unit)
    for place, id_ in ((STAGED, "autogenerate"), (PRESERVED, unique("preserved"))):
        logon = place.partition(" ")[0].removeprefix("cn=")
        waiting = _human(Human(logon, logon), 9_999, [])
        yield f"uid={logon},{place}", {**waiting, "nsAccountLock": ["TRUE"], "ipaUniqueID": [id_]}


def _above(company: Acme) -> Mapping[str, list[str]]:
    """The groups that everybody is in, directly or through others, as the memberOf plug-in writes them down."""
    inside: dict[str, list[str]] = {}  # group -> the groups it is in
    for unit in company.units.values():
        for name in unit.inside:
            inside.setdefault(name, []).append(unit.name)
    found: dict[str, dict[str, None]] = {logon: {} for logon in company.humans}
    for unit in company.units.values():
        reached, todo = {unit.name: None}, [unit.name]
        while todo:
            new = [name for name in inside.get(todo.pop(), ()) if name not in reached]
            reached |= dict.fromkeys(new)
            todo += new
        for logon in unit.people:
            found[logon] |= reached
    return {logon: list(names) for logon, names in found.items()}


def _human(human: Human, number: int, groups: list[str]) -> dict[str, list[str | bytes]]:
    dn = human_dn(human)
    found: dict[str, list[str | bytes]] = {
        "objectClass": [
            "top", "person", "organizationalPerson", "inetOrgPerson", "inetUser", "posixAccount",
            "krbPrincipalAux", "krbTicketPolicyAux", "ipaObject", "mepOriginEntry",
        ],
        "uid": [human.logon],
        "cn": [human.cn],
        "sn": ["Sample"],
        "uidNumber": [str(number)],
        "gidNumber": [str(number)],
        "homeDirectory": [f"/home/{number}"],
        "ipaUniqueID": [unique(dn)],
        "krbPrincipalName": [f"person{number}@ACME.EXAMPLE"],
        "memberOf": [
            *map(group_dn, groups), f"cn=helpdesk,cn=roles,{ACCOUNTS}",
            f"ipaUniqueID={unique('a rule')},cn=hbac,{BASE}",
        ],
    }  # fmt: skip
    if human.name:
        found["displayName"] = [human.name]
    if human.mail:
        found["mail"] = [*human.mail]
    if human.state == DISABLED:
        found["nsAccountLock"] = ["TRUE"]
    elif human.state:
        found["nsAccountLock"] = ["FALSE"]
        found["krbPrincipalExpiration"] = [LONG_AGO if human.state == EXPIRED else FAR_OFF]
    return found


def _copy(human: Human, number: int) -> Mapping[str, list[str | bytes]]:
    """The same person once more, for clients of the older schema: not to be read."""
    return {
        "objectClass": ["posixAccount", "account", "ipaOverrideTarget", "top"],
        "uid": [human.logon],
        "cn": [human.cn],
        "uidNumber": [str(number)],
        "gidNumber": [str(number)],
        "homeDirectory": [f"/home/{number}"],
        "ipaAnchorUUID": [f":IPA:acme.example:{unique(human_dn(human))}"],
    }


def _private(human: Human, number: int) -> Mapping[str, list[str | bytes]]:
    """The group of one that everybody has: no group to deliver."""
    return {
        "objectClass": ["posixGroup", "ipaObject", "mepManagedEntry", "top"],
        "cn": [human.logon],
        "gidNumber": [str(number)],
        "ipaUniqueID": [unique(group_dn(human.logon))],
        "mepManagedBy": [human_dn(human)],
    }


def _group(company: Acme, unit: Unit) -> Mapping[str, list[str | bytes]]:
    """A user group; its kinds: "posix" has a number, "external" names people of another domain."""
    names: list[str | bytes] = [human_dn(company.humans[logon]) for logon in unit.people]
    names += [group_dn(name) for name in unit.inside] + unit.strangers
    classes = ["top", "groupOfNames", "nestedGroup", "ipaUserGroup", "ipaObject"]
    found: dict[str, list[str | bytes]] = {"cn": [unit.name], "ipaUniqueID": [unique(group_dn(unit.name))]}
    if unit.kind == "posix":
        found |= {"gidNumber": ["5000"]}
        classes.append("posixGroup")
    if unit.kind == "external":
        found |= {"ipaExternalMember": ["S-1-5-21-1-2-3-1104"]}
        classes.append("ipaExternalGroup")
    if unit.description:
        found["description"] = [unit.description]
    if names:
        found["member"] = names
    return {"objectClass": [*classes], **found}
