"""A real OpenLDAP server behind certificates good and bad, by LDAPS and by StartTLS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.real.ldap import certificates
from tests.real.slapd import BASE, PASSWORD, READER, Slapd, Tls, load, running

from rosterd.errors import SourceError
from rosterd.sources.ldap import LdapSource
from rosterd.sources.settings import LdapSettings


class Quiet:
    """A log for nobody."""

    def info(self, event: str, **fields: object) -> None: ...

    def warning(self, event: str, **fields: object) -> None: ...


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small directory."""
    folder = tmp_path_factory.mktemp("small") / "server"
    reader = {"objectClass": ["person"], "cn": ["reader"], "sn": ["r"], "userPassword": [PASSWORD]}
    people = [
        (f"uid=p{n},{BASE}", {"objectClass": ["inetOrgPerson"], "uid": [f"p{n}"], "cn": ["P"], "sn": ["P"]})
        for n in range(25)
    ]
    base = [
        (BASE, {"objectClass": ["domain"], "dc": ["acme"]}),
        (f"ou=Service,{BASE}", {"objectClass": ["organizationalUnit"], "ou": ["Service"]}),
    ]
    load(folder, [*base, (READER, reader), *people])  # type: ignore[list-item]  # lists of str only
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return certificates.make(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def directory(loaded: Path, good: Tls) -> Iterator[Slapd]:
    with running(loaded, good) as server:
        yield server


def opened(url: str, ca_file: Path | None, **more: Any) -> LdapSource:
    settings: dict[str, Any] = {
        "kind": "ldap",
        "flavor": "openldap",
        "urls": [url],
        "base": BASE,
        "bind_dn": READER,
        "bind_password": PASSWORD,
        "page_size": 10,
        "people": {"logon": "{{ uid }}", "domain": "ACME"},
    }
    if ca_file is not None:
        settings["ca_file"] = str(ca_file)
    checked = LdapSettings.model_validate(settings | more)
    return LdapSource("hq", checked, ["uid"], [], threading.Event(), Quiet())


def read(source: LdapSource) -> int:
    try:
        return sum(len(batch.rows) for batch in source.people())
    finally:
        source.close()


def test_ldaps_with_a_good_certificate(directory: Slapd, good: Tls) -> None:
    assert read(opened(directory.tls_url, good.authority)) == 25


def test_start_tls_with_a_good_certificate(directory: Slapd, good: Tls) -> None:
    assert read(opened(directory.url, good.authority, start_tls=True)) == 25


def test_an_anonymous_read_may_be_in_clear(directory: Slapd) -> None:
    source = opened(directory.url, None, bind_dn=None, bind_password=None)
    feed = source.people()
    assert sum(len(batch.rows) for batch in feed) == 25
    assert feed.proof().pages == 3
    source.close()


def test_probe_tells_how_the_connection_is_secured(directory: Slapd, good: Tls) -> None:
    source = opened(directory.tls_url, good.authority)
    seen = source.probe()
    source.close()
    assert seen.tls in ("TLSv1.2", "TLSv1.3")
    assert seen.certificate_ends is not None
    days = seen.certificate_ends - datetime.now(UTC).date()
    assert timedelta(days=28) < days < timedelta(days=31)
    assert len(seen.people.rows) == 10


@pytest.mark.parametrize("start_tls", [False, True])
@pytest.mark.parametrize("kind", certificates.BAD)
def test_a_bad_certificate_is_refused_before_the_password(
    loaded: Path, tmp_path: Path, kind: str, start_tls: bool
) -> None:
    """L2."""
    bad = certificates.make(tmp_path, kind)
    with running(loaded, bad) as server:
        url = server.url if start_tls else server.tls_url
        with pytest.raises(SourceError, match=certificates.BAD[kind]) as caught:
            read(opened(url, bad.authority, start_tls=start_tls))
        assert caught.value.where == f"source hq, {url}"
        assert caught.value.hint
        assert " BIND " not in server.log()


def test_without_ca_file_the_systems_store_decides(directory: Slapd) -> None:
    with pytest.raises(SourceError, match="certificate is not accepted") as caught:
        read(opened(directory.tls_url, None))
    assert "ca_file" in caught.value.hint


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used(directory: Slapd, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    with pytest.raises(SourceError, match=r"ca\.pem"):
        read(opened(directory.tls_url, path))


def test_a_good_server_after_a_bad_one(loaded: Path, directory: Slapd, good: Tls, tmp_path: Path) -> None:
    with running(loaded, certificates.make(tmp_path, "wrong-ca")) as bad:
        assert read(opened(bad.tls_url, good.authority, urls=[bad.tls_url, directory.tls_url])) == 25
        assert " BIND " not in bad.log()


def test_start_tls_on_a_server_without_tls_is_the_end(loaded: Path) -> None:
    """L1: there is no going on in clear."""
    with running(loaded) as server:
        with pytest.raises(SourceError, match="StartTLS was refused"):
            read(opened(server.url, None, start_tls=True))
        assert " BIND " not in server.log()
