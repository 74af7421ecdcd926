"""Sources that are directories: what a flavor fills in, and the ways to sign in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.core.settings_kit import SMALL, loaded, refusal

from rosterd.sources.settings import LdapSettings

HEAD = "[customers.acme.sources.hq]\nkind = 'ldap'\nbase = 'DC=acme,DC=example'\n"
PEOPLE = "[customers.acme.sources.hq.people]\ndomain = 'ACME'\n"
GROUPS = "[customers.acme.sources.hq.groups]\n"
DOCS = Path(__file__).parents[2] / "docs" / "directories.md"
LDAPS = "urls = ['ldaps://dc1.acme.example']\n"


def ldap(folder: Path, text: str) -> LdapSettings:
    found = loaded(folder, SMALL + HEAD + text).settings.customers["acme"].sources["hq"]
    assert isinstance(found, LdapSettings)
    return found


def refused(folder: Path, text: str) -> str:
    return refusal(folder, SMALL + HEAD + text)


@pytest.mark.parametrize(
    ("flavor", "logon"),
    [
        ("active-directory", "{{ sAMAccountName }}"),
        ("openldap", "{{ uid }}"),
        ("389ds", "{{ uid }}"),
        ("freeipa", "{{ uid }}"),
    ],
)
def test_a_flavor_and_a_domain_are_enough(tmp_path: Path, flavor: str, logon: str) -> None:
    hq = ldap(tmp_path, f"flavor = '{flavor}'\n{LDAPS}{PEOPLE}{GROUPS}")
    assert (hq.people.logon, hq.people.domain, hq.people.disabled) == (logon, "ACME", "exclude")
    assert hq.people.name[0] == "{{ displayName }}" and hq.people.email == ("{{ mail | lower }}",)
    assert hq.groups is not None and (hq.groups.name, hq.groups.primary) == ("{{ cn }}", True)


def test_active_directory_knows_its_domain(tmp_path: Path) -> None:
    hq = ldap(tmp_path, f"flavor = 'active-directory'\n{LDAPS}")
    assert hq.people.domain == "{{ nETBIOSName }}" and hq.groups is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"flavor = 'openldap'\n{LDAPS}", "sources.hq.people: is missing"),
        (f"flavor = 'openldap'\n{LDAPS}{PEOPLE.replace('domain', 'name')}", "people.domain: is missing"),
        (f"{LDAPS}{PEOPLE}", "people.logon: is missing"),
    ],
)
def test_what_no_flavor_knows_must_be_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{LDAPS}bind = 'external'\n", "without client_certificate"),
        (f"{LDAPS}bind = 'external'\nbind_dn = 'cn=a'\nbind_password = 'canary'\n", "keep one"),
        (f"{LDAPS}bind = 'kerberos'\nbind_dn = 'cn=a'\nbind_password = 'canary'\n", "keep one"),
        (f"{LDAPS}client_key = 'a.key'\n", "has a client_key without client_certificate"),
        ("urls = ['ldap://dc1']\nbind = 'external'\nclient_certificate = 'a.pem'\n", "without TLS"),
        ("urls = ['ldap://dc1']\nbind = 'kerberos'\n", "would read people in the clear"),
        (f"{LDAPS}bind = 'ntlm'\n", 'bind: must be "simple", "external" or "kerberos"'),
        ("urls = ['ldapi:///run/ldapi']\n", "is not a URL"),
        ("urls = ['ldapi://run']\n", "ldapi://%2Frun%2Fslapd%2Fldapi"),
        ("urls = ['ldaps://_ldap.acme.example']\n", "_ldap._tcp.acme.example"),
        (
            "urls = ['ldap://_ldap._tcp.acme.example']\nbind_dn = 'cn=a'\nbind_password = 'canary'\n",
            "in the clear",
        ),
        (f"{LDAPS}name_servers = ['ns.acme.example']\n", "name_servers.0: is not an address"),
        (f"{LDAPS}name_servers = ['10.0.0.1:0']\n", "name_servers.0: is not an address"),
        (f"{LDAPS}name_servers = ['10.0.0.1:53/x']\n", "name_servers.0: is not an address"),
    ],
)
def test_ways_to_sign_in_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, f"flavor = 'openldap'\n{text}{PEOPLE}")


@pytest.mark.parametrize(
    "text",
    [
        "urls = ['ldapi://%2Frun%2Fslapd%2Fldapi']\nbind = 'external'\n",
        "urls = ['ldapi://%2Frun%2Fldapi']\nbind_dn = 'cn=a'\nbind_password = 'canary'\n",
        f"{LDAPS}bind = 'external'\nclient_certificate = 'both.pem'\n",
        "urls = ['ldap://dc1']\nstart_tls = true\nbind = 'external'\nclient_certificate = 'both.pem'\n",
        f"{LDAPS}bind = 'kerberos'\nkeytab = 'a.keytab'\nprincipal = 'rosterd@ACME.EXAMPLE'\n",
        "urls = ['ldaps://_ldap._tcp.acme.example']\nname_servers = ['10.0.0.1', '10.0.0.1:53', '[fd00::1]:53']\n",
        "urls = ['ldaps://_ldap._tcp.dc._msdcs.acme.example:3269']\n",
    ],
)
def test_ways_to_sign_in(tmp_path: Path, text: str) -> None:
    values: Any = ldap(tmp_path, f"flavor = 'openldap'\n{text}{PEOPLE}")
    assert values.urls


def test_the_examples_of_the_manual_are_accepted(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 5
    for example in examples:
        secret = "canary" if "bind_dn" in example else ""
        environ = {"ROSTERD_CUSTOMERS__ACME__SOURCES__HQ__BIND_PASSWORD": secret} if secret else {}
        source = loaded(tmp_path, SMALL + example, environ).settings.customers["acme"].sources["hq"]
        assert isinstance(source, LdapSettings)
