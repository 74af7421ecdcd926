"""What a real slapd shows, read by our reader and by ldap3's own search: entry by entry the same."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from tests.real.ldap import company
from tests.real.ldap.test_slapd import Quiet
from tests.real.slapd import BASE, PASSWORD, READER, Slapd, load, running

from rosterd.core.people import fold
from rosterd.sources.ldap import LdapSource
from rosterd.sources.settings import LdapSettings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3

FILTER = "(|(objectClass=inetOrgPerson)(objectClass=groupOfNames)(objectClass=posixGroup))"
ATTRIBUTES = (
    "uid",
    "displayName",
    "mail",
    "description",
    "jpegPhoto",
    "member",
    "memberUid",
    "cn",
    "employeeType",
)
ORDINARY = 3_000
CUT = 64 << 10  # bytes of a value that are kept

Row = tuple[str | tuple[str, ...], ...]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    folder = tmp_path_factory.mktemp("reader") / "server"
    load(folder, entries(), company.limits())
    with running(folder) as server:
        yield server


def entries() -> Iterator[tuple[str, company.Attributes]]:
    """The company, smaller; and people whose attributes come in another order, in part, or with options."""
    for dn, attributes in company.everything():
        if not dn.startswith("uid=p") or dn < f"uid=p{ORDINARY:05}":
            yield dn, attributes
    for number in range(300):
        uid = f"q{number:03}"
        some: list[tuple[str, list[str | bytes]]] = [
            ("uid", [uid]),
            ("mail", [f"{uid}@{part}.example" for part in "ab"[: 1 + number % 2]]),
            ("displayName", ["é" * (number + 1)]),
            ("description;lang-en", ["an option"]),
            ("description", ["" if number % 7 else " ", "line\nbreak", "b" * (100 + number)][number % 3 : 3]),
        ]
        given = some[number % 5 :] + some[: number % 5]
        kept = dict(given if number % 4 else given[:3])
        plain: company.Attributes = {"objectClass": ["inetOrgPerson"], "cn": [uid], "sn": [uid]}
        yield (
            f"cn={uid},ou=People,{BASE}",
            {**plain, **{name: [v for v in vs if v] for name, vs in kept.items()}},
        )


def ours(server: Slapd, reader: str) -> list[tuple[str, Row]]:
    """DNs as spelled, and cells."""
    settings: dict[str, Any] = {
        "flavor": "openldap",
        "urls": [server.url],
        "base": BASE,
        "bind_dn": READER,
        "bind_password": PASSWORD,
        "allow_cleartext": True,
        "timeout": "60s",
        "page_size": 500,
        "people": {"filter": FILTER, "logon": "{{ uid }}", "domain": "ACME"},
        "reader": reader,
    }
    checked = LdapSettings.model_validate(settings)
    source = LdapSource("hq", checked, ATTRIBUTES, (), threading.Event(), Quiet())
    found = []
    for batch in source.people():
        found += [(str(dn), tuple(row)) for dn, row in zip(batch.places, batch.rows, strict=True)]
    source.close()
    return found


def theirs(server: Slapd) -> list[tuple[str, Row]]:
    """The same by ldap3's own paged search, its raw values turned into cells here."""
    target = ldap3.Server("127.0.0.1", server.port, get_info=ldap3.NONE)
    connection = ldap3.Connection(target, READER, PASSWORD, auto_bind=True, auto_referrals=False)
    try:
        answers = connection.extend.standard.paged_search(
            BASE, FILTER, attributes=list(ATTRIBUTES), paged_size=500, dereference_aliases=ldap3.DEREF_NEVER
        )
        return [(one["raw_dn"].decode(), cells(one["raw_attributes"])) for one in answers]
    finally:
        connection.unbind()


def cells(raw: dict[str, list[bytes]]) -> Row:
    by_name = {name.lower(): values for name, values in raw.items()}
    return tuple(cell(by_name.get(name.lower(), [])) for name in ATTRIBUTES)


def cell(values: list[bytes]) -> str | tuple[str, ...]:
    texts = sorted(
        (value[:CUT].decode("utf-8", "replace") for value in values), key=lambda text: (fold(text), text)
    )
    return tuple(texts) if len(texts) > 1 else "".join(texts)


@pytest.mark.parametrize("reader", ["own", "ldap3"])
def test_both_readers_find_what_ldap3_finds(directory: Slapd, reader: str) -> None:
    expected = sorted(theirs(directory))  # ldap3 gives each page from its end
    found = sorted(ours(directory, reader))
    assert len(found) > ORDINARY
    assert [dn for dn, _ in found] == [dn for dn, _ in expected]
    for mine, its in zip(found, expected, strict=True):
        assert mine == its
