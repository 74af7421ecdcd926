"""What differs between directory products: the stable id, who is disabled, what a group is."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

Name: TypeAlias = Literal["active-directory", "openldap", "389ds", "freeipa", "custom"]


class Flavor(NamedTuple):
    """One product. `state` is the attribute that says whether an account is disabled, "" when none does."""

    id: str
    state: str
    disabled: Callable[[list[bytes]], bool]


def _never(_values: list[bytes]) -> bool:
    return False


def _account_control(values: list[bytes]) -> bool:
    """Active Directory: bit 2 (ACCOUNTDISABLE) of userAccountControl, MS-ADTS 2.2.16."""
    try:
        return bool(values) and bool(int(values[0]) & 2)
    except ValueError:
        return False


def _true(values: list[bytes]) -> bool:
    """389 DS and FreeIPA: nsAccountLock is "true"."""
    return any(value.strip().lower() == b"true" for value in values)


FLAVORS: dict[Name, Flavor] = {
    "active-directory": Flavor("objectGUID", "userAccountControl", _account_control),
    "openldap": Flavor("entryUUID", "pwdAccountLockedTime", bool),
    "389ds": Flavor("nsUniqueId", "nsAccountLock", _true),
    "freeipa": Flavor("ipaUniqueID", "nsAccountLock", _true),
    "custom": Flavor("entryUUID", "", _never),
}

# Everything that can hold members, for reading nested groups; a class a server does not know matches nothing.
ALL_GROUPS = (
    "(|(objectClass=group)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)"
    "(objectClass=groupOfMembers)(objectClass=posixGroup))"
)

# Servers that give the same paging cookie for every page of a search, by the vendor name in their rootDSE.
SAME_COOKIE = ("389 project", "samba", "red hat", "fedora")

# Active Directory answers a search from the domain's root with references to these partitions. No people
# are in them, so they leave nothing out.
PARTITIONS = ("cn=configuration,", "dc=domaindnszones,", "dc=forestdnszones,")


def guid(value: bytes) -> str:
    """objectGUID as text (MS-DTYP 2.3.4: little-endian); ValueError when it is not 16 bytes."""
    return str(uuid.UUID(bytes_le=value))


def sid(value: bytes) -> str:
    """objectSid as text (MS-DTYP 2.4.2), for instance S-1-5-21-1-2-3-1104; ValueError when it is none."""
    count = value[1] if len(value) >= 8 else -1
    if count < 0 or len(value) != 8 + 4 * count:
        raise ValueError("no security identifier")
    parts = [int.from_bytes(value[at : at + 4], "little") for at in range(8, len(value), 4)]
    return "-".join(["S", str(value[0]), str(int.from_bytes(value[2:8], "big")), *map(str, parts)])


# Attributes whose bytes are no text, by lower-case name.
BINARY: dict[str, Callable[[bytes], str]] = {"objectguid": guid, "objectsid": sid}
