"""Active Directory, whole: a real Samba domain controller with the limits of Microsoft's put in front of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cli.kit import Result, clean
from tests.real import acme, samba
from tests.real.acme import Acme, Unit, plain
from tests.real.dns import naming
from tests.real.ldap import certificates
from tests.real.ldap.compare import Question, agree
from tests.real.ldap.runs_kit import Site, discreet, opened
from tests.real.relay import Relay, relaying
from tests.real.samba import BASE, HOST, NETBIOS, Samba
from tests.real.slapd import PASSWORD, Tls

# People who are none, so that a group has more members than three ranges; and one whom no source reads, always.
CONTACTS = max(1, acme.HUGE - acme.PEOPLE)
PRIMARY = [plain(n) for n in range(60, 70)]


def company() -> Acme:
    """The company, with what only Active Directory has."""
    found = acme.company()
    everybody = list(found.humans)
    contacts = [samba.contact_dn(n) for n in range(CONTACTS)]
    found.add(
        Unit("Print-Huge", everybody, strangers=contacts),
        Unit("Print-Foreign", [plain(3)], strangers=[samba.FOREIGN, samba.contact_dn(0)]),
        # Membership of the next two is in the people's own entries.
        Unit("Print-Primary", PRIMARY, kind="primary"),
    )
    return found


@dataclass(frozen=True)
class Domain:
    """The loaded domain: its server, the way to it with Microsoft's limits, its certificate."""

    company: Acme
    server: Samba
    relay: Relay
    tls: Tls


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Domain]:
    folder = tmp_path_factory.mktemp("samba")
    tls = certificates.make(folder / "tls", names=f"DNS:{HOST}")
    held = company()
    samba.provision(folder / "dc")
    samba.load(folder / "dc", samba.entries(held, CONTACTS), "Print-Primary", PRIMARY)
    with samba.running(folder / "dc", tls) as server:
        server.modify(samba.links(held))
        server.modify(samba.SERVICE)
        everyone = f"dn: {samba.group_dn('Print-Everyone')}\n"
        server.modify(
            f"{everyone}changetype: add\nobjectClass: group\nmember: CN=Domain Users,CN=Users,{BASE}\n"
        )
        with relaying(server.address, 389, page=1000, values=1500) as relay:
            yield Domain(held, server, relay, tls)


def hq(domain: Domain, **more: Any) -> dict[str, Any]:
    """No more than flavor, urls, bind and base; the rest is what the flavor chooses."""
    return {
        "kind": "ldap",
        "flavor": "active-directory",
        "urls": [domain.relay.url],
        "bind_dn": samba.READER,
        "bind_password": PASSWORD,
        "allow_cleartext": True,
        "base": BASE,
        "page_size": 5000,
        "groups": {"filter": "(&(objectClass=group)(cn=Print-*))", "nested": True},
    } | more


@pytest.fixture
def site(domain: Domain, tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "site", None, sources={"hq": hq(domain)}) as made:
        made.set(orbix={"membership": "additive"})
        yield made


def everybody(domain: Domain) -> list[str]:
    """Who can be delivered of the domain: the company, and the accounts that every domain has."""
    return sorted([*acme.expected_users(domain.company.humans.values(), NETBIOS), *BUILT_IN])


BUILT_IN = [f"{NETBIOS}//{name}".lower() for name in ("Administrator", "dns-dc1", "reader")]


def test_orbix_holds_what_was_loaded(domain: Domain, site: Site) -> None:
    part = site.one(code=3)
    users, members = site.users(), site.members()
    assert {key: users.pop(key)["Domain"] for key in BUILT_IN} == dict.fromkeys(BUILT_IN, NETBIOS)
    assert users == acme.expected_users(domain.company.humans.values(), NETBIOS)
    assert members.pop("Print-Everyone") == everybody(domain), "Domain Users, by primaryGroupID"
    primary = {f"{NETBIOS}//{logon}".lower() for logon in PRIMARY}
    assert members == acme.expected_members(domain.company, NETBIOS)
    assert set(members["Print-Primary"]) == primary

    counts = acme.buckets(domain.company)
    assert part["people"]["created"] == counts["delivered"] + len(BUILT_IN)
    assert part["people"]["set_aside"] == counts["set_aside"]
    assert part["people"]["excluded"] == counts["excluded"] + 2  # Guest and krbtgt
    assert domain.relay.largest == 1000 and domain.relay.ranges >= 4

    site.forget_requests()
    again = site.one(code=0)
    assert site.requests("") == [] and again["people"]["unchanged"] == part["people"]["created"]


def test_members_that_are_nobody_here_are_told(domain: Domain, site: Site) -> None:
    part = site.one(code=3)
    foreign = [one for one in part["problems"] if one["key"].startswith("Print-Foreign / ")]
    assert {one["reason"] for one in foreign} == {
        f"the member {samba.FOREIGN_SID} belongs to another forest, and no source has read it",
        f"the member {samba.contact_dn(0).lower()} is not among the people read",
    }
    assert {one["where"] for one in foreign} == {f"hq, {samba.group_dn('Print-Foreign')}"}


def test_check_recognises_the_flavor(domain: Domain, site: Site) -> None:
    findings = site.checked()
    detail = findings["acme: source hq"]["detail"]
    assert "recognised as active-directory" in detail and "Samba" in detail
    source = hq(domain, flavor="custom", people={"logon": "{{ sAMAccountName }}", "domain": "A"})
    site.set(customers={"acme": {"sources": {"hq": source}}})
    findings = site.checked()
    detail = findings["acme: source hq"]["detail"]
    assert 'looks like active-directory, not custom: `flavor = "active-directory"` would choose' in detail
    assert "objectGUID" in detail and "accountExpires" in detail


def test_somebody_is_explained_from_the_directory(domain: Domain, site: Site) -> None:
    """Before any run, by logon; the domain's name, which no person's entry has, is among what is read."""
    (one,) = site.do("explain", plain(100), "--json").document["people"]
    (entry,) = one["sources"][0]["entries"]
    assert (one["state"], one["key"], entry["fate"]) == ("new", f"{NETBIOS}//{plain(100)}", "wanted")
    assert entry["values"]["nETBIOSName"] == NETBIOS


def test_check_says_whether_changes_can_be_followed(domain: Domain, site: Site) -> None:
    def told() -> str:
        findings = site.checked()
        return str(findings["acme: source hq"]["detail"])

    with site.reading(follow=True):
        assert 'the account needs the right "Replicating Directory Changes" on the domain' in told()
        account = f"CN=Administrator,CN=Users,{BASE}"
        with site.reading(bind_dn=account, bind_password=samba.ADMIN_PASSWORD):
            assert told().endswith("changes are followed")
            site.set(customers={"acme": {"leavers": "synchronize"}})
            assert told().endswith(
                "everything is read by the schedule, for leavers are synchronized, for which everybody must be known"
            )


def test_a_new_logon_is_told_as_a_rename(domain: Domain, site: Site) -> None:
    """FAULTS.md row 77: the objectGUID says that it is one person."""
    site.one(code=3)
    person = samba.human_dn(domain.company.humans[plain(100)])
    old, new = f"{NETBIOS}//{plain(100)}", f"{NETBIOS}//maria.nova"
    domain.server.modify(
        f"dn: {person}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: maria.nova\n"
    )
    try:
        plan = site.plan()
        assert plan["renames"] == [{"from": old, "to": new}]
        said = site.do("plan").said
        assert f"person  {new}" in said and f"was {old}" in said and f"{old}  is now {new}" in said
        part = site.one(code=0)
        assert (part["people"]["created"], part["people"]["gone"], part["renamed"]) == (1, 1, 1)
        leavers = site.do("leavers", "--format", "json").document["leavers"]
        assert [(one["key"], one["successor"]) for one in leavers if one["kind"] == "person"] == [(old, new)]
        assert site.members()["Print-Huge"].count(new.lower()) == 1
    finally:
        domain.server.modify(
            f"dn: {person}\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: {plain(100)}\n"
        )


def test_disabled_and_expired_accounts_leave(domain: Domain, site: Site) -> None:
    """FAULTS.md row 91."""
    site.one(code=3)
    off, over = (samba.human_dn(domain.company.humans[plain(n)]) for n in (101, 102))
    changes = f"dn: {off}\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: {{}}\n\n"
    changes += f"dn: {over}\nchangetype: modify\nreplace: accountExpires\naccountExpires: {{}}\n"
    domain.server.modify(changes.format(514, 132223104000000000))
    try:
        part = site.one(code=0)
        assert part["people"]["gone"] == 2
        keys = {one["key"] for one in site.do("leavers", "--format", "json").document["leavers"]}
        assert keys >= {f"{NETBIOS}//{plain(101)}", f"{NETBIOS}//{plain(102)}"}
    finally:
        domain.server.modify(changes.format(512, 0))


def test_the_global_catalogue_names_the_domain_too(domain: Domain, tmp_path: Path) -> None:
    source = hq(domain, urls=[domain.server.catalogue_url])
    del source["groups"]
    with opened(tmp_path / "catalogue", None, sources={"hq": source}) as site:
        site.one(code=3)
        assert sorted(site.users()) == everybody(domain)


@pytest.mark.parametrize("who", [f"{NETBIOS}\\reader", "reader@acme.example"])
def test_names_that_windows_knows_bind_too(domain: Domain, site: Site, who: str) -> None:
    with site.reading(bind_dn=who):
        assert site.do("plan").code in (0, 4)


# A server, or what lies before it, that misbehaves


def cut(message_: bytes, entries: int) -> bytes | None:
    return None if entries > 1_300 else message_


def without_ranges(message_: bytes, _entries: int) -> bytes:
    """A lie: the rest of a range is named as if it were something else."""
    return message_.replace(b"member;range=1500-", b"membex;range=1500-")


def stalled(message_: bytes, entries: int) -> bytes:
    """Nothing more comes, and the connection stays."""
    return b"" if entries > 1_300 else message_


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (cut, "closed the connection"),
        (stalled, "the server said nothing for 2 s"),
        (without_ranges, "the server sent something else"),
    ],
)
def test_half_a_domain_is_no_domain(domain: Domain, site: Site, spoil: Any, told: str) -> None:
    """FAULTS.md rows 36, 37 and 45: exit 5, and nothing is concluded."""
    site.one(code=3)
    users, members = site.users(), site.members()
    site.forget_requests()
    domain.relay.entries, domain.relay.spoil = 0, spoil
    try:
        with site.reading(timeout="2s" if spoil is stalled else "20s"):
            part = site.one(code=5)
    finally:
        domain.relay.spoil = None
    assert told in part["reason"]
    assert site.requests("") == [] and (site.users(), site.members()) == (users, members)
    assert site.one(code=0)["people"]["gone"] == 0


# Servers that the domain announces, TLS, and Kerberos


def announced(server: Samba) -> dict[tuple[str, str], list[str]]:
    return {
        ("_ldap._tcp.acme.example", "SRV"): [f"0 100 389 {HOST}."],
        (HOST, "A"): [server.address],
    }


def test_servers_found_by_name_and_verified(domain: Domain, tmp_path: Path) -> None:
    source = hq(domain, urls=["ldaps://_ldap._tcp.acme.example"], ca_file=str(domain.tls.authority))
    with naming(announced(domain.server)) as names:
        source |= {"name_servers": [names.address], "allow_cleartext": False}
        with opened(tmp_path / "found", None, sources={"hq": source}) as site:
            site.set(orbix={"membership": "additive"})
            part = site.one(code=3)
    assert part["sources"]["hq"].startswith(f"ldaps://{HOST}:636, ")
    assert sorted(site.users()) == everybody(domain)


def _kerberos(folder: Path) -> dict[str, str]:
    """What a process needs in order to import gssapi: nothing, or the way to Debian's, or it is not here."""
    folder.mkdir()
    for name in ("gssapi", "decorator.py"):
        (folder / name).symlink_to(Path("/usr/lib/python3/dist-packages") / name)
    for path in ({}, {"PYTHONPATH": str(folder)}):
        test = [sys.executable, "-c", "import gssapi"]
        if subprocess.run(test, env={**os.environ, **path}, capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip("gssapi is not here: pip install 'rosterd[kerberos]'")


def test_kerberos_with_a_keytab(domain: Domain, tmp_path: Path) -> None:
    """A ticket from the domain's own KDC, for a server found by name, over TLS."""
    path = _kerberos(tmp_path / "modules")
    keytab = tmp_path / "reader.keytab"
    samba.export_keytab(domain.server.folder, keytab, "reader@ACME.EXAMPLE")
    settings = tmp_path / "krb5.conf"
    settings.write_text(
        "[libdefaults]\ndefault_realm = ACME.EXAMPLE\ndns_lookup_kdc = false\ndns_canonicalize_hostname = false\n"
        f"rdns = false\n[realms]\nACME.EXAMPLE = {{\n kdc = {domain.server.address}\n}}\n"
    )
    source = hq(domain, urls=["ldaps://_ldap._tcp.acme.example"], ca_file=str(domain.tls.authority))
    for name in ("bind_dn", "bind_password", "allow_cleartext"):
        del source[name]
    env = {**path, "KRB5_CONFIG": str(settings)}
    with naming(announced(domain.server)) as names:
        source |= {"name_servers": [names.address], "bind": "kerberos", "keytab": str(keytab)}
        with opened(tmp_path / "kerberos", None, sources={"hq": source}) as site:
            found = _findings(site.process("check", "--json", env=env))
            assert found["exit_code"] == 0 and len(found["people"]) == 10, found["detail"]
            keytab.write_bytes(b"")
            assert "Kerberos" in _findings(site.process("check", "--json", env=env))["detail"]


def _findings(done: Result) -> dict[str, Any]:
    found: dict[str, Any] = next(
        one for one in discreet(clean(done)).document["findings"] if one["what"] == "acme: source hq"
    )
    return found


def test_both_readers_find_what_ldap3_finds(domain: Domain) -> None:
    names = ("sAMAccountName", "displayName", "mail", "cn", "userAccountControl", "memberOf", "objectClass")
    people = "(&(objectCategory=person)(objectClass=user))"
    agree(Question(domain.relay.url, "active-directory", samba.READER, BASE, people, names), acme.PEOPLE)
