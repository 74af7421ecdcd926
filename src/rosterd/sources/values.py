"""Values of the sources' settings: what each may be."""

from __future__ import annotations

import codecs
import re
from ipaddress import ip_address
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator

from rosterd.fields import split_url
from rosterd.sources import filters

Scope: TypeAlias = Literal["subtree", "one", "base"]
Bind: TypeAlias = Literal["simple", "external", "kerberos"]
Flavor: TypeAlias = Literal["active-directory", "openldap", "389ds", "freeipa", "custom"]


# Checks of single values

# A name that DNS answers with servers (RFC 2782), as in a URL, where it is in small letters.
_SERVICE = re.compile(r"_[a-z0-9-]+\._tcp(\.[a-z0-9_-]+)+\.?")
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
    if parts.scheme == "ldapi":
        return _socket_url(value)
    if parts.scheme not in ("ldap", "ldaps"):
        raise ValueError("must begin with ldaps:// or ldap:// (or ldapi:// for a socket of this machine)")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password: use bind_dn and bind_password")
    if parts.path.strip("/") or "?" in value or "#" in value:
        raise ValueError("must end after host and port: a base belongs in base, a filter in people.filter")
    if parts.hostname and parts.hostname.startswith("_") and not _SERVICE.fullmatch(parts.hostname):
        raise ValueError("must name a service to look up as in ldaps://_ldap._tcp.acme.example")
    return value.rstrip("/")


def _name_server(value: str) -> str:
    try:
        name_server(value)
    except ValueError:
        raise ValueError('is not an address such as "10.0.0.1", "10.0.0.1:53" or "[fd00::1]:53"') from None
    return value


def name_server(text: str) -> tuple[str, int]:
    """Address and port of a DNS server; ValueError when the text is none."""
    try:
        return str(ip_address(text)), 53
    except ValueError:
        parts = urlsplit(f"dns://{text}")
        if parts.path or parts.query or parts.fragment or "@" in text or not parts.port:
            raise
        return str(ip_address(parts.hostname or "")), parts.port


def _socket_url(value: str) -> str:
    if not re.fullmatch(r"ldapi://%2[Ff][A-Za-z0-9._~%-]+", value):
        raise ValueError("must name a socket as in ldapi://%2Frun%2Fslapd%2Fldapi, each slash written %2F")
    return value


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
NameServer: TypeAlias = Annotated[str, AfterValidator(_name_server)]
Disabled: TypeAlias = Annotated[str, AfterValidator(disabled)]
