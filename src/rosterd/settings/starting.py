"""A first settings file: what most people set, for one kind of source, with the explanations of the classes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rosterd.settings.docs import explained
from rosterd.settings.files import WHOLE, anchored
from rosterd.settings.model import Settings
from rosterd.settings.problems import dotted, sentences
from rosterd.settings.sample import EXAMPLES, comment, written
from rosterd.settings.shape import Shape

KINDS = ("csv", "ldap", "ad")
CHANGE = "change-me"
_HEAD = """\
# Settings of rosterd. This is the beginning; `rosterd settings sample` shows every setting.
#
# Secrets are better kept in files: orbix__client_secret in $CREDENTIALS_DIRECTORY or $ROSTERD_SECRETS_DIR is the
# client_secret of [orbix], and so on. `rosterd check` tries everything, `rosterd plan` shows what a run would do."""


def beginning(kind: str, customer: str) -> dict[str, Any]:
    """The tree of a first settings file. kind: one of KINDS; what nobody can guess is said as examples."""
    orbix = EXAMPLES["orbix"]
    return {
        "ledger": {"url": "sqlite:///ledger.db"},
        "reports": {"directory": "reports", "formats": ["html", "json", "csv"], "keep_days": 30},
        "console": {"listen": "127.0.0.1:8321"},
        "orbix": {key: orbix[key] for key in ("base_url", "token_url", "tenant", "client_id", "client_secret")},
        "customers": {
            customer: {
                "client": customer.upper(),
                "schedule": "*/15 * * * *",
                "time_zone": "UTC",
                "leavers": "report",
                "sources": {label(kind): _source(kind)},
                "guards": {"first_run": "approve"},
            }
        },
    }  # fmt: skip


def label(kind: str) -> str:
    """What the first source is called."""
    return "hr" if kind == "csv" else "hq"


def _source(kind: str) -> dict[str, Any]:
    if kind == "csv":
        people = {"logon": "{{ logon }}", "domain": "NDD", "name": "{{ name }}", "email": "{{ email }}"}
        groups = {"path": "groups.csv", "name": "{{ group }}", "member": "{{ logon }}"}
        return {"kind": "csv", "path": "people.csv", "people": people, "groups": groups}
    if kind == "ad":
        return {
            "kind": "ldap",
            "flavor": "active-directory",
            "urls": ["ldaps://dc1.acme.example"],
            "bind_dn": "CN=rosterd,OU=Service,DC=acme,DC=example",
            "bind_password": CHANGE,
            "base": "DC=acme,DC=example",
            "people": {
                "logon": "{{ sAMAccountName }}",
                "domain": "{{ nETBIOSName }}",
                "email": "{{ mail | lower }}",
            },
            "groups": {"filter": "(&(objectClass=group)(cn=Print-*))", "nested": True},
        }
    return {
        "kind": "ldap",
        "flavor": "openldap",
        "urls": ["ldaps://ldap.acme.example"],
        "bind_dn": "cn=rosterd,ou=service,dc=acme,dc=example",
        "bind_password": CHANGE,
        "base": "dc=acme,dc=example",
        "people": {"logon": "{{ uid }}", "domain": "ACME", "email": "{{ mail | lower }}"},
        "groups": {"filter": "(&(objectClass=groupOfNames)(cn=print-*))"},
    }


def commented(tree: Mapping[str, Any], off: Collection[str] = ()) -> str:
    """The tree as TOML, each setting with its explanation. off: dotted paths of tables that are shown switched off."""
    return "\n".join([_HEAD, *_table(WHOLE, tree, (), frozenset(off))]) + "\n"


def _table(
    place: Shape, tree: Mapping[str, Any], path: tuple[str, ...], off: frozenset[str]
) -> Iterator[str]:
    model = place.model(tree)
    if model is None:  # named tables
        for name, below in tree.items():
            yield from _headed(place.below(name, tree), below, (*path, name), off)
        return
    texts = explained(model)
    tables = []
    for name in (name for name in model.model_fields if name in tree):
        below = place.below(name, tree)
        if not below.is_value:
            tables.append((name, below))
            continue
        yield from comment(texts[name])
        yield f"{'#' if dotted(path) in off else ''}{name} = {written(tree[name])}"
    for name, below in tables:
        if below.named is None:
            yield from _headed(below, tree[name], (*path, name), off, texts[name])
        else:
            yield from _table(below, tree[name], (*path, name), off)


def _headed(
    place: Shape, tree: Mapping[str, Any], path: tuple[str, ...], off: frozenset[str], text: str = ""
) -> Iterator[str]:
    yield ""
    yield from comment(text)
    yield f"{'#' if dotted(path) in off else ''}[{dotted(path)}]"
    yield from _table(place, tree, path, off)


def wrong(tree: Mapping[str, Any], base: Path) -> list[str]:
    """What is wrong with a tree, as sentences; paths are seen from `base`."""
    layers: dict[str, Any] = {"layers": [anchored(WHOLE, tree, base)]}
    try:
        Settings(**layers)
    except ValidationError as error:
        return [sentence.partition(": ")[2] for sentence in sentences(error, {}, "")]
    return []
