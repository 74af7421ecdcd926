"""Values of the sources' settings: what each may be, and what a flavor of directory sets."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import AfterValidator

from rosterd.fields import split_url
from rosterd.sources import filters

Scope: TypeAlias = Literal["subtree", "one", "base"]
Flavor: TypeAlias = Literal["active-directory", "openldap", "389ds", "freeipa", "custom"]


class Preset(NamedTuple):
    """What a flavor sets where the settings do not."""

    people: str
    groups: str
    members: tuple[str, ...]


_GROUP_CLASSES = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))"
PRESETS: Mapping[str, Preset] = {
    "active-directory": Preset(
        "(&(objectCategory=person)(objectClass=user))", "(objectClass=group)", ("member",)
    ),
    "openldap": Preset(
        "(objectClass=inetOrgPerson)", _GROUP_CLASSES, ("member", "uniqueMember", "memberUid")
    ),
    "389ds": Preset("(objectClass=inetOrgPerson)", _GROUP_CLASSES, ("member", "uniqueMember")),
    "freeipa": Preset("(objectClass=posixAccount)", "(objectClass=ipaUserGroup)", ("member",)),
    "custom": Preset("(objectClass=person)", _GROUP_CLASSES, ("member",)),
}


# Checks of single values

# Known to Python as text encodings, but not ways in which a file is stored.
_NOT_FOR_FILES = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "unicode-escape"}


def _encoding(name: str) -> str:
    try:
        found = codecs.lookup(name)
        "".encode(name)  # refuses what turns bytes into bytes, such as base64
    except (LookupError, ValueError):
        raise ValueError('is not an encoding; common ones are "utf-8", "cp1252" and "latin-1"') from None
    if found.name in _NOT_FOR_FILES or found.name.replace("-", "_") in _NOT_FOR_FILES:
        raise ValueError('is not an encoding of files; common ones are "utf-8", "cp1252" and "latin-1"')
    return name


def _separator(value: str) -> str:
    if len(value) != 1 or value in '"\r\n\0' or value.isalnum():
        raise ValueError('must be one character, such as "," or ";" or "\\t"')
    return value


def _filter(value: str) -> str:
    return filters.written(filters.parse(value)) if value else value


def _base(value: str) -> str:
    if value.strip() and "=" not in value:
        raise ValueError('is not a distinguished name such as "DC=acme,DC=example"')
    if "\0" in value:
        raise ValueError("contains a NUL character")
    return value


def _directory_url(value: str) -> str:
    parts = split_url(value)
    if parts.scheme not in ("ldap", "ldaps"):
        raise ValueError("must begin with ldaps:// or ldap://")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password: use bind_dn and bind_password")
    if parts.path.strip("/") or "?" in value or "#" in value:
        raise ValueError("must end after host and port: a base belongs in base, a filter in people.filter")
    return value.rstrip("/")


def same_for_all(value: object) -> object:
    """`max_length = 64` means every field."""
    if isinstance(value, int) and not isinstance(value, bool):
        return dict.fromkeys(("logon", "domain", "name", "email"), value)
    return value


def disabled(value: str) -> str:
    """What happens to disabled people, checked: a word, or an expression that says who is."""
    if value in ("exclude", "include") or (value.startswith("{{") and value.endswith("}}")):
        return value
    raise ValueError('must be "exclude", "include" or an expression "{{ … }}"')


def no_repetition(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values, checked to be different from each other."""
    if len(set(values)) != len(values):
        raise ValueError("names something twice")
    return values


Encoding: TypeAlias = Annotated[str, AfterValidator(_encoding)]
Separator: TypeAlias = Annotated[str, AfterValidator(_separator)]
FilterText: TypeAlias = Annotated[str, AfterValidator(_filter)]
BaseDn: TypeAlias = Annotated[str, AfterValidator(_base)]
DirectoryUrl: TypeAlias = Annotated[str, AfterValidator(_directory_url)]
Disabled: TypeAlias = Annotated[str, AfterValidator(disabled)]
