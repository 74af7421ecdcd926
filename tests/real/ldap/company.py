"""A company of 20,000 people and 200 groups as real directories are, and what must be read of it.

The expectations are worked out from the data itself, without any code of the product.
"""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from tests.real.slapd import BASE, PASSWORD, READER

PEOPLE = 20_000
Attributes: TypeAlias = "Mapping[str, list[str | bytes]]"

MEGABYTE = 1 << 20
LOCKED = "000001010000Z"  # pwdAccountLockedTime of an account that stays locked


class Awkward(NamedTuple):
    """An entry that is out of the ordinary: its relative name as written and in canonical form, the rest."""

    rdn: str
    canonical: str
    attributes: Attributes


def _person(uid: str, **more: list[str | bytes]) -> Attributes:
    return {"uid": [uid], "cn": [uid], "sn": ["Sample"], **more}


NFC_NAME = unicodedata.normalize("NFC", "Zoë Müller")
NFD_NAME = unicodedata.normalize("NFD", "Zoë Müller")

AWKWARD = [
    Awkward("cn=Smith\\, John", "cn=smith\\, john", {**_person("jsmith"), "cn": ["Smith, John"]}),
    Awkward("cn=plus\\+sign", "cn=plus\\+sign", {**_person("plus"), "cn": ["plus+sign"]}),
    Awkward("cn=\\#hash", "cn=\\#hash", {**_person("hash"), "cn": ["#hash"]}),
    Awkward('cn=\\"Bob\\" quoted', 'cn=\\"bob\\" quoted', {**_person("bob"), "cn": ['"Bob" quoted']}),
    Awkward("cn=trailing\\20", "cn=trailing", {**_person("trailing"), "cn": ["trailing "]}),
    Awkward("cn=back\\\\slash", "cn=back\\\\slash", {**_person("back"), "cn": ["back\\slash"]}),
    Awkward("cn=semi\\;colon", "cn=semi\\;colon", {**_person("semi"), "cn": ["semi;colon"]}),
    Awkward("cn=two  spaces", "cn=two spaces", {**_person("spaces"), "cn": ["two  spaces"]}),
    Awkward("uid=joão silva", "uid=joão silva", _person("joão silva")),
    Awkward("cn=nfc", "cn=nfc", {**_person("nfc"), "cn": ["nfc"], "displayName": [NFC_NAME]}),
    Awkward("cn=nfd", "cn=nfd", {**_person("nfd"), "cn": ["nfd"], "displayName": [NFD_NAME]}),
    Awkward("uid=twin+cn=Twin One", "cn=twin one+uid=twin", {**_person("twin"), "cn": ["Twin One"]}),
    Awkward("uid=nomail", "uid=nomail", _person("nomail")),
    Awkward(
        "uid=mails", "uid=mails", _person("mails", mail=["z@acme.example", "A@acme.example", "m@x.example"])
    ),
    Awkward("uid=shared1", "uid=shared1", _person("shared1", mail=["team@acme.example"])),
    Awkward("uid=shared2", "uid=shared2", _person("shared2", mail=["team@acme.example"])),
    Awkward("uid=photo", "uid=photo", _person("photo", jpegPhoto=[b"\xff\xd8\xff\xe0\x00\x10"])),
    Awkward("uid=large", "uid=large", _person("large", description=["x" * MEGABYTE])),
    Awkward("uid=locked", "uid=locked", _person("locked", pwdAccountLockedTime=[LOCKED])),
    Awkward("uid=script", "uid=script", _person("script", displayName=["<script>alert(1)</script>\x1b[31m"])),
]


class Read(NamedTuple):
    """What the source must give for a person."""

    uid: str | tuple[str, ...]
    name: str | tuple[str, ...]
    mail: str | tuple[str, ...]
    description: str | tuple[str, ...]
    id: str
    disabled: bool


def _id(dn: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, dn))


def ordinary(number: int) -> tuple[str, Attributes]:
    uid = f"p{number:05}"
    attributes: Attributes = {
        "uid": [uid],
        "cn": [f"Person {number}"],
        "sn": [f"Sample {number}"],
        "displayName": [f"Émile Person {number}"],
        "mail": [f"{uid}@acme.example"],
        "employeeType": ["staff" if number % 10 else "contractor"],
    }
    return f"uid={uid},ou=People,{BASE}", attributes


def people() -> Iterator[tuple[str, Attributes]]:
    """Everybody the filter finds, in the order of loading."""
    for one in AWKWARD:
        yield f"{one.rdn},ou=People,{BASE}", one.attributes
    for number in range(PEOPLE - len(AWKWARD) - 2):
        yield ordinary(number)
    # The same uid in a second branch.
    yield f"uid=p00001,ou=Branch,ou=People,{BASE}", {**_person("p00001"), "displayName": ["Another One"]}
    yield f"uid=hidden,ou=Hidden,ou=People,{BASE}", _person("hidden")


def expected_people() -> dict[str, Read]:
    """What must be read, by the canonical name of the entry."""
    canonical = {f"{one.rdn},ou=People,{BASE}": one.canonical + f",ou=people,{BASE}" for one in AWKWARD}
    return {
        canonical.get(dn, dn.lower()): Read(
            _cell(attributes.get("uid", [])),
            _cell(attributes.get("displayName", [])),
            _cell(attributes.get("mail", [])),
            _cell(attributes.get("description", [])),
            _id(dn),
            "pwdAccountLockedTime" in attributes,
        )
        for dn, attributes in people()
    }


def _cell(values: Iterable[str | bytes]) -> str | tuple[str, ...]:
    """One value as it is, several in folded order, a long one (all are ASCII here) cut at 64 KiB."""
    texts = sorted((str(value)[: 64 << 10] for value in values), key=lambda text: (text.casefold(), text))
    return tuple(texts) if len(texts) > 1 else "".join(texts)


def _p(number: int) -> str:
    return f"uid=p{number:05},ou=People,{BASE}"


def _group(name: str, *members: str) -> tuple[str, Attributes]:
    return f"cn={name},ou=Groups,{BASE}", {
        "cn": [name],
        "objectClass": ["groupOfNames"],
        "member": list(members),
    }


LONG_NAME = "Print-" + "L" * 154
GONE = [f"uid=gone{number:05},ou=People,{BASE}" for number in range(30_000)]
SPELLED = [
    f"CN=Smith\\2C John,ou=people,{BASE}",
    f"UID=P00002, OU=People, {BASE.upper()}",
    f'cn="plus+sign",ou=People,{BASE}',
    f"uid=jo\\C3\\A3o silva,ou=People,{BASE}",
    f"cn=twin one+uid=TWIN,ou=People,{BASE}",
    f"cn=\\23hash,ou=People,{BASE}",
]
SPELLED_READ = {
    f"cn=smith\\, john,ou=people,{BASE}",
    f"uid=p00002,ou=people,{BASE}",
    f"cn=plus\\+sign,ou=people,{BASE}",
    f"uid=joão silva,ou=people,{BASE}",
    f"cn=twin one+uid=twin,ou=people,{BASE}",
    f"cn=\\#hash,ou=people,{BASE}",
}


def groups() -> list[tuple[str, Attributes]]:
    """Groups named Print-… are wanted; the others are there to be nested."""
    inner = f"ou=Groups,{BASE}"
    found: list[tuple[str, Attributes]] = [
        _group("Print-Spelled", *SPELLED),
        _group("Print-Large", *[_p(number) for number in range(5_000)]),
        _group("Print-Huge", *[_p(number) for number in range(PEOPLE - 100)], *GONE),
        _group("Print-Diamond", f"cn=left,{inner}", f"cn=right,{inner}"),
        _group("left", f"cn=bottom,{inner}"),
        _group("right", f"cn=bottom,{inner}"),
        _group("bottom", _p(7)),
        _group("Print-Cycle", f"cn=Print-Back,{inner}", _p(8)),
        _group("Print-Back", f"cn=Print-Cycle,{inner}", _p(9)),
        _group("Print-Foreign", "cn=someone,dc=elsewhere,dc=example", f"cn=pc1,ou=Computers,{BASE}"),
        _group(LONG_NAME, _p(3)),
        (
            f"cn=Print-Unique,{inner}",
            {
                "cn": ["Print-Unique"],
                "objectClass": ["groupOfUniqueNames"],
                "uniqueMember": [f"{_p(4)}#'0101'B", _p(5)],
            },
        ),
        (
            f"cn=Print-Posix,{inner}",
            {
                "cn": ["Print-Posix"],
                "objectClass": ["posixGroup"],
                "gidNumber": ["500"],
                "memberUid": ["p00001", "joão silva", "nobody"],
            },
        ),
        (
            f"cn=Print-Empty,{inner}",
            {"cn": ["Print-Empty"], "objectClass": ["posixGroup"], "gidNumber": ["501"]},
        ),
    ]
    found += [
        _group(f"Print-{number:03}", *[_p(number * 10 + i) for i in range(10)])
        for number in range(200 - len(found))
    ]
    return found


def everything() -> Iterator[tuple[str, Attributes]]:
    """All entries in the order in which they can be loaded."""
    yield BASE, {"objectClass": ["domain"], "dc": ["acme"]}
    for path in ("ou=Service", "ou=People", "ou=Branch,ou=People", "ou=Hidden,ou=People", "ou=Groups"):
        yield f"{path},{BASE}", {"objectClass": ["organizationalUnit"], "ou": [path.partition(",")[0][3:]]}
    for account in ACCOUNTS:
        attributes: Attributes = {"cn": [account], "sn": [account], "userPassword": [PASSWORD]}
        yield READER.replace("reader", account), {"objectClass": ["person"], **attributes}
    for dn, attributes in people():
        yield dn, {"objectClass": ["inetOrgPerson"], "entryUUID": [_id(dn)], **attributes}
    for dn, attributes in groups():
        yield dn, {"entryUUID": [_id(dn)], **attributes}


# Accounts, by what the server lets them do.
ACCOUNTS = ("reader", "capped", "short", "unpaged", "blind", "mailless")


def limits() -> str:
    """The lines of slapd.conf for the accounts."""

    def of(account: str) -> str:
        return f'"{READER.replace("reader", account)}"'

    return f"""\
limits dn.exact={of("reader")} size=unlimited size.prtotal=unlimited time=unlimited
limits dn.exact={of("blind")} size=unlimited size.prtotal=unlimited
limits dn.exact={of("mailless")} size=unlimited size.prtotal=unlimited
limits dn.exact={of("capped")} size=500 size.prtotal=500
limits dn.exact={of("short")} size.soft=500 size.hard=500 size.pr=100
limits dn.exact={of("unpaged")} size=unlimited size.prtotal=disabled
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=Hidden,ou=People,{BASE}" by dn.exact={of("blind")} none by * read
access to attrs=mail by dn.exact={of("mailless")} none by * read
access to * by * read
"""
