"""OpenLDAP, whole: groups of all its kinds, dynamic ones too, accounts that are off, and its ways to sign in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.real import acme, dirsrv
from tests.real.acme import Acme, Human, Unit, plain
from tests.real.dirsrv import group_dn, human_dn
from tests.real.ldap import certificates
from tests.real.ldap.runs_kit import WRITABLE, Site, change, opened, replaced
from tests.real.relay import Relay, relaying
from tests.real.slapd import BASE, PASSWORD, READER, Slapd, Tls, load, running

DOMAIN = "ACME"
VANISHED = [f"cn=gone{n:05},{dirsrv.PEOPLE}" for n in range(max(0, acme.HUGE - acme.PEOPLE))]
PRIMARY = [plain(n) for n in range(60, 64)]
DYNAMIC = [plain(n) for n in range(64, 68)]

RULES = f"""{WRITABLE}\
limits dn.exact="{READER}" size=unlimited size.prtotal=unlimited time=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{READER}" read by * none
overlay dynlist
dynlist-attrset groupOfURLs memberURL member
"""
# Who somebody is who shows a certificate or comes by the socket.
HEAD = f"""\
TLSVerifyClient try
authz-regexp "^cn=rosterd$" "{READER}"
authz-regexp "^gidNumber=0[+]uidNumber=0,cn=peercred,cn=external,cn=auth$" "{READER}"
"""


def company() -> Acme:
    """The company, with what only this server has."""
    found = acme.company()
    found.add(
        Unit("Print-Huge", list(found.humans), strangers=[*VANISHED]),
        Unit("Print-Foreign", [plain(3)], strangers=["uid=someone,dc=elsewhere,dc=example"]),
        Unit("Print-Unique", [plain(4), "jsmith"], kind="unique"),
        Unit("Print-Posix", [plain(5), "plus"], kind="posix"),
        Unit("Print-Primary", PRIMARY, kind="primary"),
        Unit("Print-Dynamic", DYNAMIC, kind="dynamic"),
    )
    return found


def entries(loaded: Acme) -> Iterator[tuple[str, Mapping[str, list[str | bytes]]]]:
    yield BASE, {"objectClass": ["domain"], "dc": ["acme"]}
    for name in ("People", "Groups", "Service"):
        yield f"ou={name},{BASE}", {"objectClass": ["organizationalUnit"], "ou": [name]}
    yield READER, {"objectClass": ["person"], "cn": ["reader"], "sn": ["reader"], "userPassword": [PASSWORD]}
    for human in loaded.humans.values():
        yield human_dn(human), _human(human)
    for unit in loaded.units.values():
        yield group_dn(unit.name), _group(loaded, unit)


def _human(human: Human) -> Mapping[str, list[str | bytes]]:
    found: dict[str, list[str | bytes]] = {
        "objectClass": ["inetOrgPerson"],
        "uid": [human.logon],
        "cn": [human.cn],
        "sn": ["Sample"],
    }
    if human.name:
        found["displayName"] = [human.name]
    if human.mail:
        found["mail"] = [human.mail[0]]
    if human.logon in PRIMARY:
        found["objectClass"].append("posixAccount")
        found |= {"uidNumber": ["7"], "gidNumber": ["600"], "homeDirectory": ["/"]}
    if human.logon in DYNAMIC:
        found["employeeType"] = ["dynamic"]
    match human.state:
        case acme.DISABLED:
            found["pwdAccountLockedTime"] = ["000001010000Z"]
        case acme.EXPIRED:
            found["pwdEndTime"] = ["20200101000000Z"]
        case acme.NEVER_9999:
            found["pwdEndTime"] = ["99991231235959Z"]
        case acme.LOCKED_OUT:
            found["pwdAccountLockedTime"] = ["20260101120000Z"]
    return found


def _group(loaded: Acme, unit: Unit) -> Mapping[str, list[str | bytes]]:
    found = dict(dirsrv.group(loaded, unit))
    match unit.kind:
        case "primary":
            del found["member"]
            found |= {"objectClass": ["posixGroup"], "gidNumber": ["600"]}
        case "dynamic":
            del found["member"]
            url = f"ldap:///{dirsrv.PEOPLE}??sub?(employeeType=dynamic)"
            found |= {"objectClass": ["groupOfURLs"], "memberURL": [url]}
        case _ if "member" not in found and not unit.kind:
            found |= {"objectClass": ["posixGroup"], "gidNumber": ["601"]}  # a groupOfNames is never empty
    return found


@dataclass(frozen=True)
class Held:
    """The loaded server, a way to it that can be disturbed, its certificate."""

    company: Acme
    server: Slapd
    relay: Relay
    tls: Tls


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    folder = tmp_path_factory.mktemp("openldap")
    tls = certificates.make(folder / "tls")
    loaded = company()
    load(folder / "server", entries(loaded), RULES, modules=("dynlist",), schemas=("dyngroup",))
    with running(folder / "server", tls, HEAD) as server, relaying("127.0.0.1", server.port) as relay:
        yield Held(loaded, server, relay, tls)


def hq(held: Held, **more: Any) -> dict[str, Any]:
    return {
        "kind": "ldap",
        "flavor": "openldap",
        "urls": [held.relay.url],
        "bind_dn": READER,
        "bind_password": PASSWORD,
        "allow_cleartext": True,
        "base": BASE,
        "people": {"domain": DOMAIN},
        "groups": {"filter": "(cn=Print-*)", "nested": True},
    } | more


def without_password(held: Held, **more: Any) -> dict[str, Any]:
    source = hq(held, bind="external", **more)
    for name in ("bind_dn", "bind_password", "allow_cleartext"):
        del source[name]
    return source


@pytest.fixture
def site(held: Held, tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "site", held.server, sources={"hq": hq(held)}) as made:
        made.set(orbix={"membership": "additive"})
        yield made


def test_orbix_holds_what_was_loaded(held: Held, site: Site) -> None:
    part = site.one(code=3)
    assert site.users() == acme.expected_users(held.company.humans.values(), DOMAIN)
    members = acme.expected_members(held.company, DOMAIN)
    assert site.members() == members
    assert members["Print-Primary"] == [f"acme//{logon}" for logon in PRIMARY]
    assert members["Print-Dynamic"] == [f"acme//{logon}" for logon in DYNAMIC]
    counts = acme.buckets(held.company)
    assert {name: part["people"][name] for name in ("created", "set_aside", "excluded")} == {
        "created": counts["delivered"], "set_aside": counts["set_aside"], "excluded": counts["excluded"],
    }  # fmt: skip
    site.forget_requests()
    assert site.one(code=0)["people"]["unchanged"] == counts["delivered"]
    assert site.requests("") == []


def test_a_primary_group_counts_only_when_it_is_wanted(held: Held, tmp_path: Path) -> None:
    source = hq(held, groups={"filter": "(cn=Print-*)", "primary": False})
    with opened(tmp_path / "site", held.server, sources={"hq": source}) as site:
        site.set(orbix={"membership": "additive"})
        site.one(code=3)
        assert "Print-Primary" not in site.members() and "Print-Dynamic" in site.members()


def test_a_new_logon_is_told_as_a_rename(held: Held, site: Site) -> None:
    """FAULTS.md row 77: the entryUUID says that it is one person."""
    site.one(code=3)
    person = human_dn(held.company.humans[plain(100)])
    change(held.server, replaced(person, "uid", "maria.nova"))
    try:
        part = site.one(code=0)
        assert part["renames"] == [{"from": f"ACME//{plain(100)}", "to": "ACME//maria.nova"}]
        assert f"renamed: ACME//{plain(100)} → ACME//maria.nova" not in site.do("run", "--once").said, (
            "told once"
        )
        listed = site.do("leavers").said
        assert "now called" in listed and "ACME//maria.nova" in listed
    finally:
        change(held.server, replaced(person, "uid", plain(100)))
    back = site.one(code=0)
    assert back["renames"] == [{"from": "ACME//maria.nova", "to": f"ACME//{plain(100)}"}]


def test_check_recognises_the_flavor(site: Site) -> None:
    findings = site.checked()
    assert "recognised as openldap" in findings["acme: source hq"]["detail"]
    with site.reading(flavor="389ds", base="dc=acme,dc=exampel", people={"domain": "A", "base": BASE}):
        findings = site.checked()
    assert 'looks like openldap, not 389ds: `flavor = "openldap"`' in findings["acme: source hq"]["detail"]


@pytest.mark.parametrize("start_tls", [False, True])
def test_a_certificate_says_who_reads(held: Held, tmp_path: Path, start_tls: bool) -> None:
    """SASL EXTERNAL: without a certificate, or with a stranger's, nothing is read."""
    certificate, key = certificates.client(held.tls.authority.parent, "rosterd")
    source = without_password(
        held,
        urls=[held.server.url if start_tls else held.server.tls_url],
        start_tls=start_tls,
        ca_file=str(held.tls.authority),
        client_certificate=str(certificate),
        client_key=str(key),
    )
    with opened(tmp_path / "site", held.server, sources={"hq": source}) as site:
        site.set(orbix={"membership": "additive"})
        site.one(code=3)
        assert site.users() == acme.expected_users(held.company.humans.values(), DOMAIN)
        other, other_key = certificates.client(held.tls.authority.parent, "stranger")
        with site.reading(client_certificate=str(other), client_key=str(other_key)):
            assert site.one()["exit_code"] in (4, 5), "the stranger may see nothing"
        with site.reading(client_key=str(other_key)):
            part = site.one(code=5)
        assert "`client_certificate`" in part["reason"] and "that fit" in part["reason"]


def test_the_user_of_the_socket_is_who_reads(held: Held, tmp_path: Path) -> None:
    source = without_password(held, urls=[held.server.socket_url])
    with opened(tmp_path / "site", held.server, sources={"hq": source}) as site:
        site.set(orbix={"membership": "additive"})
        site.one(code=3)
        assert site.users() == acme.expected_users(held.company.humans.values(), DOMAIN)
        with site.reading(urls=["ldapi://%2Fnowhere%2Fldapi"]):
            assert "source hq, ldapi://%2Fnowhere%2Fldapi" in site.one(code=5)["reason"]


def test_the_server_that_was_passed_over_is_named(held: Held, site: Site) -> None:
    site.one(code=3)
    with site.reading(urls=["ldap://127.0.0.1:1", held.server.url]):
        part = site.one(code=0)
    told = part["sources"]["hq"]
    assert told.startswith(held.server.url) and "after ldap://127.0.0.1:1: connection refused" in told


def test_somebody_is_explained_from_the_directory(held: Held, site: Site) -> None:
    """By name and by address, before and after a run; whom the filter passes by, and whom nobody knows."""
    logon, other = plain(100), plain(101)
    human = held.company.humans[logon]

    def explained(who: str, *more: str) -> dict[str, Any]:
        (one,) = site.do("explain", who, "--json", *more).document["people"]
        assert isinstance(one, dict)
        return one

    before = explained(logon)
    (entry,) = before["sources"][0]["entries"]
    assert (before["state"], entry["place"].lower()) == ("new", human_dn(human).lower())
    assert explained(f"acme//{logon.upper()}")["key"] == f"ACME//{logon}"
    site.one(code=3)
    after = explained(human.mail[0])
    (entry,) = after["sources"][0]["entries"]
    assert after["state"] == "delivered" and entry["fate"] == "wanted" and entry["values"]["uid"] == logon
    assert [step["gives"] for step in entry["mapping"] if step["field"] == "logon"] == [logon]
    assert explained(logon, "--offline")["sources"] == []
    off = next(one.logon for one in held.company.humans.values() if one.state == acme.DISABLED)
    assert {"rule": "disabled in the directory", "holds": True} in explained(off)["sources"][0]["entries"][0][
        "rules"
    ]
    with site.reading(people={"domain": DOMAIN, "filter": f"(&(objectClass=inetOrgPerson)(!(uid={other})))"}):
        (entry,) = explained(other)["sources"][0]["entries"]
        assert entry["fate"] == "passed by"
    assert site.do("explain", "*").code == 2, "a star is a character"
    with site.reading(urls=["ldap://127.0.0.1:1"]):
        gone = explained(logon)
        assert gone["state"] == "delivered" and gone["sources"][0]["problem"]
