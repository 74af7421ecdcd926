"""What `rosterd init` asks: each question with its default, and what its answer does to the settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from rosterd.errors import SourceError
from rosterd.fields import is_loopback, split_url
from rosterd.settings.shape import put
from rosterd.settings.starting import KINDS, label
from rosterd.sources.csv import header
from rosterd.sources.filters import escape
from rosterd.sources.presets import PRESETS

Take: TypeAlias = Callable[[dict[str, Any], str], Sequence[str] | None]
NONE = "-"
HEAD = 65_536  # bytes of a CSV file's first line, the most


class Question(NamedTuple):
    """take: puts an answer into the tree, or gives sentences of what is wrong with it. default: "" is none."""

    text: str
    default: str
    take: Take
    secret: bool = False


def _kind(tree: dict[str, Any], text: str) -> Sequence[str] | None:
    tree["kind"] = text.lower()
    return None if text.lower() in KINDS else [f"one of {', '.join(KINDS)}"]


def _name(tree: dict[str, Any], text: str) -> Sequence[str] | None:
    tree["name"] = text
    return None if re.fullmatch(r"[a-z0-9-]+", text) else ['lower-case letters, digits and "-" only']


FIRST = (
    Question(
        "Where do people come from: a file (csv), a directory (ldap) or Active Directory (ad)?", "csv", _kind
    ),
    Question("A short name for the customer, for settings and commands", "acme", _name),
)


def _into(*path: str) -> Take:
    return lambda tree, text: put(tree, path, text)


def _template(*path: str) -> Take:
    """The answer names a column."""
    return lambda tree, text: put(tree, path, column_template(text))


def column_template(name: str) -> str:
    """The template that shows just this column."""
    if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) and name not in ("all", "entry"):
        return f"{{{{ {name} }}}}"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{{{ entry["{quoted}"] }}}}'


def questions(kind: str, name: str, tree: dict[str, Any], base: Path) -> Iterator[Question]:
    """The questions after the first two. One may depend on what the answers before it put into the tree."""
    orbix, customer = tree["orbix"], ("customers", name)
    yield Question(
        "Orbix: address of the print queue integration", orbix["base_url"], _into("orbix", "base_url")
    )
    yield Question("Orbix: address where tokens are fetched", orbix["token_url"], _into("orbix", "token_url"))
    yield Question("Orbix: your Tenant", "", _into("orbix", "tenant"))
    yield Question("Orbix: client id of your credentials", "", _into("orbix", "client_id"))
    yield Question("Orbix: client secret", "", _into("orbix", "client_secret"), secret=True)
    yield Question("Orbix: the customer's Client", name.upper(), _into(*customer, "client"))
    yield Question("Time zone", _time_zone(), _into(*customer, "time_zone"))
    yield Question(
        "When it runs: cron fields, or an interval such as every 20m",
        "*/15 * * * *",
        _into(*customer, "schedule"),
    )
    source = (*customer, "sources", label(kind))
    yield from _csv(source, tree, base) if kind == "csv" else _ldap(source, tree, kind)


def _time_zone() -> str:
    """The machine's, by the usual link; UTC where there is none."""
    _, mark, found = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")
    return found if mark and not found.startswith("Etc/") else "UTC"


# CSV

_USUAL = {
    "logon": ("logon", "login", "samaccountname", "username", "userid", "uid", "user", "account"),
    "name": ("name", "displayname", "fullname", "cn"),
    "email": ("email", "mail", "emailaddress"),
    "group": ("group", "groupname", "grouping", "cn"),
}


def _csv(source: tuple[str, ...], tree: dict[str, Any], base: Path) -> Iterator[Question]:
    people = (*source, "people")
    yield Question("File of the people, with a header", "people.csv", _into(*source, "path"))
    found = columns(base / _at(tree, source)["path"])
    there = f" (it has {', '.join(found)})" if found else ""
    yield Question(f"Column of the logon{there}", _usual("logon", found), _template(*people, "logon"))
    yield Question("Domain, as in DOMAIN//carlos.silva", "NDD", _into(*people, "domain"))
    yield Question("Column of the name", _usual("name", found), _template(*people, "name"))
    yield Question("Column of the e-mail", _usual("email", found), _template(*people, "email"))
    yield Question(
        f"File with one line per membership of a group; {NONE} for none", NONE, _groups_file(source)
    )
    if "groups" in _at(tree, source):
        found = columns(base / _at(tree, source)["groups"]["path"])
        there = f" (it has {', '.join(found)})" if found else ""
        groups = (*source, "groups")
        yield Question(f"Column of the group{there}", _usual("group", found), _template(*groups, "name"))
        yield Question("Column of the member's logon", _usual("logon", found), _template(*groups, "member"))


def _at(tree: dict[str, Any], path: Sequence[str]) -> dict[str, Any]:
    for key in path:
        tree = tree[key]
    return tree


def _groups_file(source: tuple[str, ...]) -> Take:
    def take(tree: dict[str, Any], text: str) -> None:
        if text == NONE:
            del _at(tree, source)["groups"]
        else:
            put(tree, (*source, "groups", "path"), text)

    return take


def columns(path: Path) -> list[str]:
    """The header of a CSV file; nothing when it cannot be read. The check tells why."""
    try:
        if not path.is_file():  # a pipe would keep us waiting
            return []
        with path.open("rb") as file:
            first = file.readline(HEAD).decode("utf-8-sig")
        names, _ = header(first.rstrip("\r\n"), None, (), str(path))
        return [name for name in names if name]
    except (OSError, ValueError, SourceError):
        return []


def _usual(what: str, found: Sequence[str]) -> str:
    """The column that usually is the one, or "" when the header has none; without a header the usual name."""
    if not found:
        return what
    plain = {re.sub(r"[\W_]", "", name).lower(): name for name in reversed(found)}
    return next((plain[name] for name in _USUAL[what] if name in plain), "")


# LDAP


def _ldap(source: tuple[str, ...], tree: dict[str, Any], kind: str) -> Iterator[Question]:
    if kind == "ldap":
        flavors = ", ".join(name for name in PRESETS if name != "active-directory")
        yield Question(f"Kind of directory ({flavors})", "openldap", _into(*source, "flavor"))
    yield Question(
        "Servers, such as ldaps://dc1.acme.example; several with spaces between", "", _servers(source)
    )
    yield Question(f"Who reads the directory (a DN); {NONE} for an anonymous read", "", _reader(source))
    if "bind_dn" in _at(tree, source):
        yield Question("Password of the reader", "", _into(*source, "bind_password"), secret=True)
    yield Question(
        f"File with your CA's certificates; {NONE} for the system's trust store", NONE, _authority(source)
    )
    yield Question("Where people and groups are searched (a DN)", "", _into(*source, "base"))
    if kind == "ldap":
        yield Question("Attribute of the logon", "uid", _template(*source, "people", "logon"))
        yield Question("Domain, as in DOMAIN//carlos.silva", "", _into(*source, "people", "domain"))
    yield Question(f"Groups to deliver, by name (* is anything); {NONE} for none", "Print-*", _groups(source))


def _servers(source: tuple[str, ...]) -> Take:
    """ldap:// means StartTLS, or, on this machine, no TLS."""

    def take(tree: dict[str, Any], text: str) -> Sequence[str] | None:
        try:
            parts = [split_url(url) for url in text.replace(",", " ").split()]
        except ValueError as error:
            return [str(error)]
        table = _at(tree, source)
        table["urls"] = text.replace(",", " ").split()
        plain = [part for part in parts if part.scheme == "ldap"]
        if plain:
            near = all(is_loopback(part.hostname) for part in plain)
            table["allow_cleartext" if near else "start_tls"] = True
        return None

    return take


def _reader(source: tuple[str, ...]) -> Take:
    def take(tree: dict[str, Any], text: str) -> None:
        table = _at(tree, source)
        if text == NONE:
            del table["bind_dn"], table["bind_password"]
        else:
            table["bind_dn"] = text

    return take


def _authority(source: tuple[str, ...]) -> Take:
    return lambda tree, text: None if text == NONE else put(tree, (*source, "ca_file"), text)


def _groups(source: tuple[str, ...]) -> Take:
    def take(tree: dict[str, Any], text: str) -> None:
        table = _at(tree, source)
        if text == NONE:
            del table["groups"]
            return
        named = "*".join(map(escape, text.split("*")))
        found = PRESETS[table["flavor"]].groups["filter"]
        table["groups"]["filter"] = found if text == "*" else f"(&{found}(cn={named}))"

    return take
