"""What differs between directory products: the stable id, who is disabled, how primary groups are named."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias

Name: TypeAlias = Literal["active-directory", "openldap", "389ds", "freeipa", "custom"]

# The values of each of a flavor's state attributes, and the time in seconds since 1970 -> is the account off?
Off: TypeAlias = Callable[[Sequence[list[bytes]], float], bool]


class Flavor(NamedTuple):
    """One product.

    `states`: the attributes that say whether an account is disabled or over. `sid`: the attribute with a security
    identifier, "" when there is none. `primary`: what a person's entry calls the primary group by, and `own`:
    the attribute of groups that answers to it.
    """

    id: str
    states: tuple[str, ...]
    disabled: Off
    sid: str = ""
    primary: str = "gidNumber"  # RFC 2307: a person's first group is not among its memberUid
    own: str = "gidNumber"


def _never(_values: Sequence[list[bytes]], _now: float) -> bool:
    return False


# Active Directory counts time in 100 ns since 1601-01-01; this is 1970-01-01 (MS-DTYP 2.3.3).
_FILETIME_1970, _FILETIME_SECOND = 116_444_736_000_000_000, 10_000_000
# accountExpires of an account that never does (MS-ADTS: Account-Expires), beside 0. Larger ones are overflows.
_FILETIME_NEVER = 0x7FFFFFFFFFFFFFFF


def _active_directory(values: Sequence[list[bytes]], now: float) -> bool:
    """Bit 2 (ACCOUNTDISABLE) of userAccountControl, MS-ADTS 2.2.16; or accountExpires has come."""
    control, expires = values
    if control and _whole(control[0]) & 2:
        return True
    over = _whole(expires[0]) if expires else 0
    return 0 < over < _FILETIME_NEVER and over <= _FILETIME_1970 + int(now * _FILETIME_SECOND)


def _whole(value: bytes) -> int:
    """A number as text; 0 when it is none."""
    try:
        return int(value)
    except ValueError:
        return 0


# pwdAccountLockedTime of an account that an administrator has locked (draft-behera-ldap-password-policy, 5.3.3).
# Another value is the time of too many wrong passwords: that ends by itself, and the person has not left.
_LOCKED = b"000001010000"


def _openldap(values: Sequence[list[bytes]], now: float) -> bool:
    """Locked for good, or the end of the account (OpenLDAP 2.5's pwdEndTime) has come."""
    locked, ends = values
    if not locked and not ends:  # nearly everybody
        return False
    return any(value.startswith(_LOCKED) for value in locked) or _past(ends, now)


def _netscape(values: Sequence[list[bytes]], _now: float) -> bool:
    """389 DS: nsAccountLock is "true", also when a role or the password policy makes it so."""
    return bool(values[0]) and values[0][0].strip().lower() == b"true"


def _freeipa(values: Sequence[list[bytes]], now: float) -> bool:
    """As 389 DS, or the Kerberos principal is over."""
    return _netscape(values, now) or (bool(values[1]) and _past(values[1], now))


def _past(values: Sequence[bytes], now: float) -> bool:
    """Has this generalized time (RFC 4517, 3.3.13) come? What is no time never comes."""
    try:
        return any(_moment(value) <= now for value in values)
    except ValueError:
        return False


def _moment(value: bytes) -> float:
    """Seconds since 1970 of YYYYMMDDHHMMSS[.fraction]Z; ValueError for another form, which no product writes."""
    text = value.decode("ascii").partition(".")[0].rstrip("Zz")
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()


FLAVORS: dict[Name, Flavor] = {
    "active-directory": Flavor(
        "objectGUID",
        ("userAccountControl", "accountExpires"),
        _active_directory,
        sid="objectSid",
        primary="primaryGroupID",
        own="objectSid",
    ),
    "openldap": Flavor("entryUUID", ("pwdAccountLockedTime", "pwdEndTime"), _openldap),
    "389ds": Flavor("nsUniqueId", ("nsAccountLock",), _netscape),
    "freeipa": Flavor("ipaUniqueID", ("nsAccountLock", "krbPrincipalExpiration"), _freeipa),
    "custom": Flavor("entryUUID", (), _never),
}

# Everything that can hold members, for reading nested groups; a class a server does not know matches nothing.
ALL_GROUPS = (
    "(|(objectClass=group)(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)"
    "(objectClass=groupOfMembers)(objectClass=posixGroup)(objectClass=groupOfURLs))"
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
