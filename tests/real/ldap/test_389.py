"""389 Directory Server, whole: groups of all its kinds, roles, locked accounts, its socket."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.real import acme, dirsrv
from tests.real.acme import Acme, Unit, plain
from tests.real.dirsrv import BASE, READER, Dirsrv
from tests.real.ldap.compare import Question, agree
from tests.real.ldap.runs_kit import Site, opened
from tests.real.relay import Relay, relaying
from tests.real.slapd import PASSWORD

DOMAIN = "ACME"
VANISHED = [f"cn=gone{n:05},{dirsrv.PEOPLE}" for n in range(max(0, acme.HUGE - acme.PEOPLE))]
GROUPS = (
    "(|(&(cn=Print-*)(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)))"
    "(&(objectClass=ldapSubEntry)(objectClass=nsRoleDefinition)(cn=Print-*)))"
)


def company() -> Acme:
    """The company, with what only this server has."""
    found = acme.company()
    found.add(
        Unit("Print-Huge", list(found.humans), strangers=[*VANISHED]),
        Unit("Print-Foreign", [plain(3)], strangers=["uid=someone,dc=elsewhere,dc=example"]),
        Unit("Print-Unique", [plain(4), "jsmith"], kind="unique"),
        Unit("Print-Posix", [plain(5), "plus"], kind="posix"),
        Unit("Print-Role", [plain(6), "bob"], kind="role"),
    )
    return found


@dataclass(frozen=True)
class Held:
    """The loaded server, and a way to it that can be disturbed."""

    company: Acme
    server: Dirsrv
    relay: Relay


@pytest.fixture(scope="module")
def held() -> Iterator[Held]:
    loaded = company()
    with dirsrv.place() as folder:
        dirsrv.load(folder, dirsrv.entries(loaded))
        with dirsrv.running(folder) as server, relaying("127.0.0.1", server.port) as relay:
            dirsrv.await_roles(server, "bob")
            yield Held(loaded, server, relay)


def hq(held: Held, **more: Any) -> dict[str, Any]:
    return {
        "kind": "ldap",
        "flavor": "389ds",
        "urls": [held.relay.url],
        "bind_dn": READER,
        "bind_password": PASSWORD,
        "allow_cleartext": True,
        "base": BASE,
        "people": {"domain": DOMAIN},
        "groups": {"filter": GROUPS, "nested": True, "member_of": "nsRole"},
    } | more


@pytest.fixture
def site(held: Held, tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "site", None, sources={"hq": hq(held)}) as made:
        made.set(orbix={"membership": "additive"})
        yield made


def test_orbix_holds_what_was_loaded(held: Held, site: Site) -> None:
    part = site.one(code=3)
    assert site.users() == acme.expected_users(held.company.humans.values(), DOMAIN)
    members = acme.expected_members(held.company, DOMAIN)
    assert site.members() == members
    assert members["Print-Role"] == [f"acme//{logon}" for logon in ("bob", plain(6))]
    counts = acme.buckets(held.company)
    assert {name: part["people"][name] for name in ("created", "set_aside", "excluded")} == {
        "created": counts["delivered"], "set_aside": counts["set_aside"], "excluded": counts["excluded"],
    }  # fmt: skip
    site.forget_requests()
    assert site.one(code=0)["people"]["unchanged"] == counts["delivered"]
    assert site.requests("") == []


def test_members_that_are_gone_are_told(site: Site) -> None:
    part = site.one(code=3)
    foreign = [one["reason"] for one in part["problems"] if one["key"].startswith("Print-Foreign / ")]
    assert foreign == ["the member uid=someone,dc=elsewhere,dc=example is not among the people read"]
    if VANISHED:
        assert f"the member {VANISHED[0].lower()} is not among the people read" in {
            one["reason"] for one in part["problems"]
        }


def test_a_new_logon_is_told_as_a_rename(held: Held, site: Site) -> None:
    """FAULTS.md row 77: the nsUniqueId says that it is one person, whatever the entry is called."""
    site.one(code=3)
    person = dirsrv.human_dn(held.company.humans[plain(100)])
    change = f"dn: {person}\nchangetype: modify\nreplace: uid\nuid: {{}}\n"
    held.server.modify(change.format("maria.nova"))
    try:
        part = site.one(code=0)
        assert part["renames"] == [{"from": f"ACME//{plain(100)}", "to": "ACME//maria.nova"}]
    finally:
        held.server.modify(change.format(plain(100)))


def test_a_locked_account_leaves_and_comes_back(held: Held, site: Site) -> None:
    """FAULTS.md row 91."""
    site.one(code=3)
    person = dirsrv.human_dn(held.company.humans[plain(101)])
    held.server.modify(f"dn: {person}\nchangetype: modify\nadd: nsAccountLock\nnsAccountLock: true\n")
    try:
        assert site.one(code=0)["people"]["gone"] == 1
    finally:
        held.server.modify(f"dn: {person}\nchangetype: modify\ndelete: nsAccountLock\n")
    assert site.one(code=0)["people"]["updated"] == 1


def test_check_recognises_the_flavor(site: Site) -> None:
    findings = site.checked()
    assert "recognised as 389ds" in findings["acme: source hq"]["detail"]
    with site.reading(flavor="openldap"):
        findings = site.checked()
    assert "looks like 389ds, not openldap" in findings["acme: source hq"]["detail"]
    assert "id nsUniqueId" in findings["acme: source hq"]["detail"]
    with site.reading(follow=True, groups={"member_of": None}):
        findings = site.checked()
    assert "cannot be followed" in findings["acme: source hq"]["detail"], "the plug-ins for it are off"


def cut(message: bytes, entries: int) -> bytes | None:
    return None if entries > 1_300 else message


def test_half_a_directory_is_no_directory(held: Held, site: Site) -> None:
    """FAULTS.md row 36."""
    site.one(code=3)
    site.forget_requests()
    held.relay.entries, held.relay.spoil = 0, cut
    try:
        part = site.one(code=5)
    finally:
        held.relay.spoil = None
    assert "closed the connection" in part["reason"] and site.requests("") == []


def test_the_user_of_the_socket_is_who_reads(held: Held, tmp_path: Path) -> None:
    """SASL EXTERNAL over ldapi://: the system's root is the server's manager, and no password is written down."""
    source = hq(held, urls=[held.server.socket_url], bind="external")
    for name in ("bind_dn", "bind_password", "allow_cleartext"):
        del source[name]
    with opened(tmp_path / "socket", None, sources={"hq": source}) as site:
        site.set(orbix={"membership": "additive"})
        part = site.one(code=3)
        assert site.users() == acme.expected_users(held.company.humans.values(), DOMAIN)
    assert part["sources"]["hq"].startswith("ldapi://%2F")


def test_both_readers_find_what_ldap3_finds(held: Held) -> None:
    names = ("uid", "displayName", "mail", "cn", "nsRole", "description", "objectClass")
    agree(Question(held.relay.url, "389ds", READER, BASE, "(objectClass=person)", names), acme.PEOPLE)
