"""The commented sample: settings, explanations and defaults from the classes, examples from a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from pydantic import BaseModel

from rosterd.settings.docs import default, explained
from rosterd.settings.files import WHOLE
from rosterd.settings.shape import Shape, shape

_WIDTH = 100
_HEAD = """\
# Settings of rosterd. Lines that begin with "# " explain; lines that begin with "#" alone are settings
# that may be left out, shown with their default or an example.
#
# Every value can also come from a secret file named by its path, such as orbix__client_secret in
# $CREDENTIALS_DIRECTORY or $ROSTERD_SECRETS_DIR, or from the environment, such as
# ROSTERD_ORBIX__CLIENT_SECRET. The environment wins over secret files, and those win over this file.
# Durations are "500ms", "2s", "10m", "24h" or "7d"."""

# The names under which named tables are shown, and of which kind they are. Only the first is live.
_NAMED = {"customers": {"acme": ""}, "sources": {"hr": "csv", "hq": "ldap"}, "registrations": {"874": ""}}
_NAMED |= {"webhooks": {"chat": ""}, "apprise": {"phone": ""}}

_PEOPLE_CSV: dict[str, Any] = {
    "logon": "{{ logon }}",
    "domain": "NDD",
    "name": "{{ name }}",
    "email": "{{ email }}",
    "addresses": ["private_email"],
    "id": "{{ employee_number }}",
    "exclude": ["svc-*", "{{ type == 'contractor' }}"],
    "repair": ["ascii", "lower"],
    "max_length": {"logon": 20, "name": 60},
    "groups": "{{ groups }}",
}
_PEOPLE_LDAP: dict[str, Any] = {
    **_PEOPLE_CSV,
    "logon": "{{ sAMAccountName }}",
    "domain": "ACME",
    "name": ["{{ displayName }}", "{{ givenName }} {{ sn }}"],
    "email": "{{ mail | lower }}",
    "addresses": ["mail", "proxyAddresses"],
    "id": "{{ employeeID }}",
    "exclude": ["svc-*", "{{ employeeType == 'contractor' }}"],
    "groups": "{{ department }}",
    "filter": "(&(objectCategory=person)(objectClass=user))",
    "base": "OU=People,DC=acme,DC=example",
}
_WEB = {"ca_file": "acme-ca.pem", "proxy": "http://proxy.acme.example:3128"}
_SOURCES: dict[str, Any] = {
    "hr": {
        "path": "people.csv",
        "separator": ";",
        "people": _PEOPLE_CSV,
        "groups": {
            "path": "groups.csv",
            "separator": ";",
            "name": "{{ group }}",
            "description": "{{ description }}",
            "member": "{{ logon }}",
        },
    },
    "hq": {
        "flavor": "active-directory",
        "urls": ["ldaps://dc1.acme.example", "ldaps://dc2.acme.example"],
        "bind_dn": "CN=rosterd,OU=Service,DC=acme,DC=example",
        "bind_password": "change-me",
        "name_servers": ["10.0.0.53"],
        "client_certificate": "rosterd.pem",
        "client_key": "rosterd.key",
        "principal": "rosterd@ACME.EXAMPLE",
        "keytab": "rosterd.keytab",
        "ca_file": "acme-ca.pem",
        "base": "DC=acme,DC=example",
        "people": _PEOPLE_LDAP,
        "groups": {
            "filter": "(&(objectClass=group)(cn=Print-*))",
            "base": "OU=Groups,DC=acme,DC=example",
            "name": "{{ cn }}",
            "description": "{{ description }}",
            "member_of": "nsRole",
        },
    },
}
EXAMPLES: dict[str, Any] = {
    "customers_dir": "customers.d",
    "console": {"token": "a-long-secret-of-your-own", "hosts": ["rosterd.acme.example"]},
    "notify": {
        "mail": {
            "host": "mail.acme.example",
            "user": "rosterd",
            "password": "change-me",
            "sender": "rosterd@acme.example",
            "to": ["it@acme.example"],
            "ca_file": "acme-ca.pem",
        },
        "webhooks": {"chat": {"url": "https://chat.acme.example/hooks/change-me", **_WEB}},
        "apprise": {"phone": {"url": "ntfys://ntfy.acme.example/rosterd"}},
    },
    "orbix": {
        "base_url": "https://developer.nddorbix.com/printqueue-external-integration-api",
        "token_url": "https://auth.nddorbix.com/connect/token",
        "tenant": "provider-one",
        "client_id": "change-me",
        "client_secret": "change-me",
        **_WEB,
    },
    "customers": {
        "acme": {
            "client": "ACME",
            "time_zone": "America/Sao_Paulo",
            "blackouts": ["sat,sun 00:00-24:00", "2026-12-24..2027-01-01"],
            "precedence": ["hr"],
            "sources": _SOURCES,
            "autodesk": {
                "client_id": "change-me",
                "client_secret": "change-me",
                "refresh_token": "change-me",
                "applications": ["the-client-id-of-an-application"],
                "twins": [{"id": "urn:adsk.dtt:change-me", "name": "Headquarters"}],
                "managers": "Autodesk-Admins",
                "region": "EMEA",
                "service_account": {
                    "id": "change-me",
                    "key_id": "change-me",
                    "key_file": "service-account.pem",
                    "private_key": "change-me",
                },
                **_WEB,
            },
            "printers": {
                **_WEB,
                "base_url": "https://printers.acme.example",
                "registrations": {"874": {"group": "3D-Printer-Users", "name": "Workshop"}},
            },
        }
    },
}
# Not needed, but what most people want: shown live.
_LIVE = {"name", "email", "description", "kind"}


def sample() -> str:
    """The sample as TOML; it is accepted as it stands, and also with every commented setting switched on."""
    return "\n".join([_HEAD, "", *_table(WHOLE.models[""], (), EXAMPLES, True)]) + "\n"


def _table(
    model: type[BaseModel], path: tuple[str, ...], examples: Mapping[str, Any], live: bool
) -> Iterator[str]:
    """A table: its values, then the tables below it."""
    texts = explained(model)
    place = Shape(models={"": model})
    if path:
        yield _line(f"[{'.'.join(path)}]", live)
    tables = []
    for name, info in model.model_fields.items():
        below = place.below(name, None)
        if not below.is_value and not _is_inline(below):
            tables.append(name)
            continue
        value = examples[name] if name in examples else default(model, name)
        yield from comment(texts[name])
        yield _line(f"{name} = {written(value)}", live and (info.is_required() or name in _LIVE))
    for name in tables:
        info = model.model_fields[name]
        wanted = live and (info.is_required() or info.default_factory is not None or name == "groups")
        yield ""
        yield from comment(texts[name])
        yield from _below(place.below(name, None), (*path, name), examples.get(name, {}), wanted)


def _below(place: Shape, path: tuple[str, ...], examples: Mapping[str, Any], live: bool) -> Iterator[str]:
    """One table, or an example of each kind of named tables."""
    if place.named is None:
        yield from _table(place.models[""], path, examples, live)
        return
    for index, (name, kind) in enumerate(_NAMED[path[-1]].items()):
        if index:
            yield ""
        model = shape(place.named).models[kind]
        yield from _table(model, (*path, name), examples[name], live and index == 0)


def _is_inline(place: Shape) -> bool:
    model = place.model(None)
    return model is not None and bool(getattr(model, "inline", False))


def _line(text: str, live: bool) -> str:
    return text if live else f"#{text}"


def comment(text: str) -> list[str]:
    """A text as lines of comment."""
    return [f"# {line}" for line in wrap(text, _WIDTH - 2, break_on_hyphens=False)]


def written(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, Mapping):
        return f"{{ {', '.join([f'{key} = {written(part)}' for key, part in value.items()])} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join([written(part) for part in value])}]"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False)
