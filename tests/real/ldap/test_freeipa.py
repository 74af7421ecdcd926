"""FreeIPA's tree, schema and attributes, whole: read from a 389 Directory Server that holds them as FreeIPA does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.real import acme, dirsrv, freeipa
from tests.real.acme import Acme, Unit, plain
from tests.real.dirsrv import BASE, Dirsrv
from tests.real.freeipa import GROUPS, PEOPLE, READER
from tests.real.ldap.compare import Question, agree
from tests.real.ldap.runs_kit import Site, opened
from tests.real.slapd import PASSWORD

DOMAIN = "ACME"
VANISHED = f"uid=vanished,{PEOPLE}"


def company() -> Acme:
    """The company, with what only this server has."""
    found = acme.company()
    found.add(
        Unit("ipausers", list(found.humans)),
        Unit("Print-Everybody", inside=["ipausers"]),
        Unit("Print-Posix", [plain(5), "plus"], kind="posix"),
        Unit("Print-External", [plain(3)], kind="external"),
        Unit("Print-Vanished", [plain(4)], strangers=[VANISHED]),
    )
    return found


@dataclass(frozen=True)
class Held:
    """The loaded server."""

    company: Acme
    server: Dirsrv


@pytest.fixture(scope="module")
def held() -> Iterator[Held]:
    loaded = company()
    schemas = {"60kerberos.ldif": freeipa.KERBEROS.read_text(), "60basev2.ldif": freeipa.SCHEMA}
    with dirsrv.place() as folder:
        dirsrv.load(folder, freeipa.entries(loaded), schemas)
        with dirsrv.running(folder) as server:
            freeipa.show_plug_ins(server)
            yield Held(loaded, server)


@pytest.fixture
def site(held: Held, tmp_path: Path) -> Iterator[Site]:
    source: dict[str, Any] = {
        "kind": "ldap",
        "flavor": "freeipa",
        "urls": [held.server.url],
        "bind_dn": READER,
        "bind_password": PASSWORD,
        "allow_cleartext": True,
        "base": BASE,
        "people": {"domain": DOMAIN},
        "groups": {"filter": "(&(objectClass=ipaUserGroup)(cn=print-*))", "nested": True},
    }
    with opened(tmp_path / "site", None, sources={"hq": source}) as made:
        made.set(orbix={"membership": "additive"})
        yield made


def test_orbix_holds_what_was_loaded(held: Held, site: Site) -> None:
    part = site.one(code=3)
    assert site.users() == acme.expected_users(held.company.humans.values(), DOMAIN)
    members = acme.expected_members(held.company, DOMAIN)
    assert site.members() == members and len(members["Print-Everybody"]) > 1_500
    counts = acme.buckets(held.company)
    preserved = 1  # a locked account in another branch; the staged one has no id yet, and is not found
    assert {name: part["people"][name] for name in ("created", "set_aside", "excluded")} == {
        "created": counts["delivered"], "set_aside": counts["set_aside"],
        "excluded": counts["excluded"] + preserved,
    }  # fmt: skip
    lost = [one["reason"] for one in part["problems"] if one["key"].startswith("Print-Vanished / ")]
    assert lost == [f"the member {VANISHED} is not among the people read"]
    site.forget_requests()
    assert site.one(code=0)["people"]["unchanged"] == counts["delivered"]
    assert site.requests("") == []


def test_people_may_name_their_groups_themselves(held: Held, site: Site) -> None:
    """memberOf holds the groups around groups, too, and rules and roles besides, which are no groups."""
    with site.reading(groups={"filter": "(&(objectClass=ipaUserGroup)(cn=print-*))", "member_of": "memberOf",
                              "nested": False, "base": GROUPS}):  # fmt: skip
        site.one(code=3)
    assert site.members() == acme.expected_members(held.company, DOMAIN)


def test_a_new_logon_is_told_as_a_rename(held: Held, site: Site) -> None:
    """FAULTS.md row 77: FreeIPA renames the entry; its ipaUniqueID stays, and members follow."""
    site.one(code=3)
    old = freeipa.human_dn(held.company.humans[plain(100)])
    renamed = f"uid=maria.nova,{PEOPLE}"
    change = "dn: {}\nchangetype: modrdn\nnewrdn: uid={}\ndeleteoldrdn: 1\n"
    held.server.modify(change.format(old, "maria.nova"))
    try:
        part = site.one(code=3)
        assert part["renames"] == [{"from": f"ACME//{plain(100)}", "to": "ACME//maria.nova"}]
        assert part["people"]["created"] == part["people"]["gone"] == 1
    finally:
        held.server.modify(change.format(renamed, plain(100)))


@pytest.mark.parametrize(
    ("off", "on"),
    [
        ("replace: nsAccountLock\nnsAccountLock: TRUE", "delete: nsAccountLock"),
        (
            f"replace: krbPrincipalExpiration\nkrbPrincipalExpiration: {freeipa.LONG_AGO}",
            "delete: krbPrincipalExpiration",
        ),
    ],
)
def test_an_account_that_is_off_leaves_and_comes_back(held: Held, site: Site, off: str, on: str) -> None:
    """FAULTS.md row 91."""
    site.one(code=3)
    head = f"dn: {freeipa.human_dn(held.company.humans[plain(101)])}\nchangetype: modify\n"
    held.server.modify(f"{head}{off}\n")
    try:
        assert site.one(code=0)["people"]["gone"] == 1
    finally:
        held.server.modify(f"{head}{on}\n")
    assert site.one(code=0)["people"]["updated"] == 1


def test_check_recognises_the_flavor(site: Site) -> None:
    findings = site.checked()
    assert "recognised as freeipa" in findings["acme: source hq"]["detail"]
    assert len(findings["acme: source hq"]["people"]) == 10
    with site.reading(flavor="389ds"):
        findings = site.checked()
    assert "looks like freeipa, not 389ds" in findings["acme: source hq"]["detail"]
    assert "id ipaUniqueID" in findings["acme: source hq"]["detail"]


def test_both_readers_find_what_ldap3_finds(held: Held) -> None:
    names = ("uid", "displayName", "mail", "cn", "memberOf", "ipaUniqueID", "krbPrincipalExpiration")
    question = Question(held.server.url, "freeipa", READER, BASE, "(objectClass=posixAccount)", names)
    agree(question, acme.PEOPLE + freeipa.SHADOWED + 2)
