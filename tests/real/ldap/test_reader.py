"""What a real slapd shows, read by our reader and by ldap3's own search: entry by entry the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.real.ldap import company
from tests.real.ldap.compare import Question, agree
from tests.real.slapd import BASE, READER, Slapd, load, running

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
        texts: list[str | bytes] = [" ", "line\nbreak", "b" * (100 + number)]
        some: list[tuple[str, list[str | bytes]]] = [
            ("uid", [uid]),
            ("mail", [f"{uid}@{part}.example" for part in "ab"[: 1 + number % 2]]),
            ("displayName", ["é" * (number + 1)]),
            ("description;lang-en", ["an option"]),
            ("description", texts[number % 3 :]),
        ]
        given = some[number % 5 :] + some[: number % 5]
        kept = dict(given if number % 4 else given[:3])
        plain: company.Attributes = {"objectClass": ["inetOrgPerson"], "cn": [uid], "sn": [uid]}
        yield (
            f"cn={uid},ou=People,{BASE}",
            {**plain, **kept},
        )


def test_both_readers_find_what_ldap3_finds(directory: Slapd) -> None:
    agree(Question(directory.url, "openldap", READER, BASE, FILTER, ATTRIBUTES), ORDINARY)
