"""What differs between directories: who is off, primary groups, domains and forests, what `check` recognises."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests import fakeldap
from tests.fakeldap import Fake, Peer, Request, done, entry, serving
from tests.real.dns import naming
from tests.real.ldap.runs_kit import Site, opened

from rosterd.core.doors import Batch, Proof
from rosterd.core.people import ref_dn, ref_sid
from rosterd.errors import SourceError
from rosterd.sources.ldap import LdapSource
from rosterd.sources.ldap.flavors import FLAVORS, Name
from rosterd.sources.ldap.recognise import advice, recognised
from rosterd.sources.settings import LdapSettings

BASE = "DC=acme,DC=example"
NOW = 1_800_000_000.0  # 2027-01-15
Attributes = Mapping[str, Sequence[bytes | str]]


class Silent:
    """A log that nobody reads."""

    def info(self, event: str, **_fields: object) -> None: ...

    warning = info


def holding(
    people: Mapping[str, Attributes], groups: Mapping[str, Attributes] | None = None
) -> fakeldap.Search:
    """A directory with these people, these groups, and the names of two domains."""
    forest = {
        f"CN=HQ,CN=Partitions,CN=Configuration,{BASE}": {"nCName": [BASE], "nETBIOSName": ["HQ"]},
        f"CN=SUB,CN=Partitions,CN=Configuration,{BASE}": {
            "nCName": [f"DC=sub,{BASE}"],
            "nETBIOSName": ["SUB"],
        },
    }

    def search(peer: Peer, request: Request) -> None:
        found: Mapping[str, Attributes] = groups or {} if "member" in request.attributes else people
        if "partitions" in request.base.lower():
            found = forest
        answers = [entry(request.id, dn, attributes) for dn, attributes in found.items()]
        peer.send(b"".join(answers) + done(request.id))

    return search


def told(fake: Fake, **more: Any) -> dict[str, Any]:
    """The shortest settings of a source, here for Active Directory."""
    return {"kind": "ldap", "flavor": "active-directory", "urls": [fake.url], "base": BASE} | more


def source(
    fake: Fake, attributes: Sequence[str] = ("sAMAccountName", "nETBIOSName"), **more: Any
) -> LdapSource:
    fake.about.setdefault("configurationNamingContext", [f"CN=Configuration,{BASE}"])
    settings = LdapSettings.model_validate(told(fake, **more))
    return LdapSource("hq", settings, attributes, ("cn",), threading.Event(), Silent())


def read(opened_source: LdapSource) -> tuple[Batch, list[Batch], Proof]:
    """The people, the groups before them, and the proof of the latter (of the people when there are no groups)."""
    groups = opened_source.groups()
    try:
        before = list(groups) if groups is not None else []
        people = opened_source.people()
        (batch,) = people
        return batch, before, groups.proof() if groups is not None else people.proof()
    finally:
        opened_source.close()


# Accounts that are off


@pytest.mark.parametrize(
    ("flavor", "values", "off"),
    [
        ("active-directory", ("512", ""), False),
        ("active-directory", ("514", "0"), True),
        ("active-directory", ("66050", ""), True),
        ("active-directory", ("", ""), False),
        ("active-directory", ("what?", "when?"), False),
        ("active-directory", ("512", "0"), False),
        ("active-directory", ("512", "9223372036854775807"), False),
        ("active-directory", ("512", "9223372036854775808"), False),
        ("active-directory", ("512", "2650467743990000000"), False),  # the end of the year 9999
        ("active-directory", ("512", "132223104000000000"), True),  # 2020
        ("active-directory", ("512", str(116_444_736_000_000_000 + int(NOW) * 10_000_000)), True),
        ("active-directory", ("512", str(116_444_736_000_000_000 + int(NOW + 1) * 10_000_000)), False),
        ("openldap", ("000001010000Z", ""), True),
        ("openldap", ("00000101000000Z", ""), True),
        ("openldap", ("20270115120000Z", ""), False),  # wrong passwords: it ends by itself
        ("openldap", ("", "20200101000000Z"), True),
        ("openldap", ("", "20200101000000.123Z"), True),
        ("openldap", ("", "99991231235959Z"), False),
        ("openldap", ("", "soon"), False),
        ("389ds", ("TRUE",), True),
        ("389ds", ("false",), False),
        ("389ds", ("",), False),
        ("freeipa", ("FALSE", ""), False),
        ("freeipa", ("TRUE", ""), True),
        ("freeipa", ("", "20200101000000Z"), True),
        ("freeipa", ("", "20400101000000Z"), False),
        ("custom", (), False),
    ],
)
def test_accounts_that_are_off(flavor: Name, values: tuple[str, ...], off: bool) -> None:
    given = [[value.encode()] if value else [] for value in values]
    assert FLAVORS[flavor].disabled(given, NOW) is off


# Domains


def test_the_netbios_name_is_that_of_the_domain_around_the_entry() -> None:
    people: dict[str, Attributes] = {
        f"CN=A,CN=Users,{BASE}": {"sAMAccountName": ["a"]},
        f"CN=B,OU=Far,DC=sub,{BASE}": {"sAMAccountName": ["b"]},
        "CN=C\\,DC=sub,DC=other,DC=example": {"sAMAccountName": ["c"]},
        f"CN=D\\,{BASE},{BASE}": {"sAMAccountName": ["d"]},
    }
    with serving(holding(people)) as fake:
        batch, _, _ = read(source(fake))
    assert batch.rows == [["a", "HQ"], ["b", "SUB"], ["c", ""], ["d", "HQ"]]


def test_a_server_that_tells_no_netbios_name_is_no_source_for_it() -> None:
    with serving(holding({})) as fake:
        fake.about["configurationNamingContext"] = []
        with pytest.raises(SourceError, match="no NetBIOS name") as caught:
            read(source(fake))
        assert '`domain = "ACME"`' in caught.value.hint
        # Nobody asks for it when the operator has written the domain.
        written = source(fake, ("sAMAccountName",))
        assert list(written.people()) == []
        written.close()


# Membership that people tell


def sid(rid: int, domain: int = 3) -> bytes:
    parts = b"".join(part.to_bytes(4, "little") for part in (21, 1, 2, domain, rid))
    return b"\x01\x05\x00\x00\x00\x00\x00\x05" + parts


def test_primary_groups_of_active_directory() -> None:
    people: dict[str, Attributes] = {
        "CN=A,DC=x": {"objectSid": [sid(1104)], "primaryGroupID": ["513"]},
        "CN=B,DC=x": {"objectSid": [sid(1105)], "primaryGroupID": ["9999"]},
        "CN=C,DC=y": {"objectSid": [sid(1104, 4)], "primaryGroupID": ["513"]},  # another domain's 513
        "CN=D,DC=x": {"objectSid": [sid(1106)], "primaryGroupID": ["x"]},
    }
    groups: dict[str, Attributes] = {"CN=Users,DC=x": {"cn": ["Users"], "objectSid": [sid(513)]}}
    with serving(holding(people, groups)) as fake:
        batch, _, _ = read(source(fake, ("sAMAccountName",), groups={}))
        assert [list(some) for some in batch.groups] == [[ref_dn("cn=users,dc=x")], [], [], []]
        assert batch.refs[0] == f"{ref_dn('cn=a,dc=x')}\0{ref_sid('S-1-5-21-1-2-3-1104')}"
        batch, _, _ = read(source(fake, ("sAMAccountName",), groups={"primary": False}))
        assert batch.groups == ()


def test_groups_that_people_name() -> None:
    people: dict[str, Attributes] = {
        "uid=a,dc=x": {"nsRole": ["CN=One, dc=x", "cn=two,dc=x"], "gidNumber": ["5"]}
    }
    groups: dict[str, Attributes] = {
        "cn=first,dc=x": {"cn": ["first"], "gidNumber": ["5"]},
        "cn=again,dc=x": {"cn": ["again"], "gidNumber": ["5"]},
    }
    more = {"people": {"domain": "A"}, "groups": {"member_of": "nsRole"}}
    with serving(holding(people, groups)) as fake:
        batch, _, _ = read(source(fake, ("uid",), flavor="389ds", **more))
    names = ["cn=first,dc=x", "cn=again,dc=x", "cn=one,dc=x", "cn=two,dc=x"]
    assert list(batch.groups[0]) == [ref_dn(name) for name in names]


def test_a_large_group_costs_no_search_for_each_member() -> None:
    groups: dict[str, Attributes] = {
        "cn=all,dc=x": {"cn": ["all"], "member": [f"uid=p{n},dc=x" for n in range(50_000)]}
    }
    with serving(holding({"uid=p7,dc=x": {"uid": ["p7"]}}, groups)) as fake:
        more = {"people": {"domain": "A"}, "groups": {"nested": True}}
        batch, before, _ = read(source(fake, ("uid",), flavor="openldap", **more))
        assert fake.searches == 3, "the groups, those that may be inside them, the people"
    assert len(before[0].members[0]) == 50_000 and len(batch.rows) == 1


def test_a_dynamic_group_that_nobody_expands_is_told() -> None:
    groups: dict[str, Attributes] = {
        "cn=d,dc=x": {"cn": ["d"], "memberURL": ["ldap:///dc=x??sub?(a=b)"]},
        "cn=e,dc=x": {"cn": ["e"], "memberURL": ["ldap:///dc=x??sub?(a=b)"], "member": ["uid=a,dc=x"]},
    }
    with serving(holding({"uid=a,dc=x": {}}, groups)) as fake:
        _, _, proof = read(source(fake, ("uid",), flavor="openldap", people={"domain": "A"}, groups={}))
    assert proof.warnings == ("cn=d,dc=x is a dynamic group, and the server lists no members of it",)


# Two forests, one customer

HQ_GROUPS: dict[str, Attributes] = {
    f"CN=Print-All,{BASE}": {
        "cn": ["Print-All"],
        "member": [
            f"CN=A,{BASE}",
            "CN=B,DC=branch,DC=example",
            f"CN=S-1-5-21-1-2-9-1107,CN=ForeignSecurityPrincipals,{BASE}",
            f"CN=S-1-5-21-6-6-6-1107,CN=ForeignSecurityPrincipals,{BASE}",
        ],
    }
}


def account(logon: str, rid: int, domain: int) -> Attributes:
    return {
        "sAMAccountName": [logon],
        "objectSid": [sid(rid, domain)],
        "primaryGroupID": ["513"],
        "objectGUID": [logon.encode().ljust(16, b"\0")],
    }


def site_of(folder: Path, hq: Fake, branch: Fake) -> Any:
    sources = {
        "hq": told(hq, people={"domain": "HQ"}, groups={"filter": "(cn=Print-*)"}),
        "branch": told(branch, base="DC=branch,DC=example", people={"domain": "BRANCH"}, groups={}),
    }
    return opened(folder, None, sources=sources)


def test_members_from_other_domains_and_forests(tmp_path: Path) -> None:
    """By name within a forest, by identifier across forests; who is in no source is told, not invented."""
    far: dict[str, Attributes] = {
        "CN=B,DC=branch,DC=example": account("b", 1106, 9),
        "CN=C,DC=branch,DC=example": account("c", 1107, 9),
    }
    with (
        serving(holding({f"CN=A,{BASE}": account("a", 1105, 3)}, HQ_GROUPS)) as hq,
        serving(holding(far)) as branch,
        site_of(tmp_path / "site", hq, branch) as site,
    ):
        part = site.one(code=3)
        everybody = ["branch//b", "branch//c", "hq//a"]
        assert site.members() == {"Print-All": everybody}
        (told_one,) = [one for one in part["problems"] if one["kind"] == "seat"]
        assert "S-1-5-21-6-6-6-1107 belongs to another forest" in told_one["reason"]
        _unread(site, branch, hq)


def _unread(site: Site, branch: Fake, hq: Fake) -> None:
    """The branch cannot be read: nobody of it loses a seat, however the group names them; see FAULTS.md row 36."""
    whole, branch.search = branch.search, lambda peer, request: peer.send(done(request.id, None, 52))
    part = site.one(code=5)
    assert part["seats"]["gone"] == 0 and part["people"]["gone"] == 0
    branch.search = whole
    hq.search = holding(
        {f"CN=A,{BASE}": account("a", 1105, 3)}, {f"CN=Print-All,{BASE}": {"cn": ["Print-All"]}}
    )
    assert site.one()["exit_code"] == 4, "now they are gone, and the grouping would be empty"


# What a server is


@pytest.mark.parametrize(
    ("about", "flavor"),
    [
        ({"supportedcapabilities": ["1.2.840.113556.1.4.800"]}, "active-directory"),
        ({"objectclass": ["top", "OpenLDAProotDSE"]}, "openldap"),
        ({"vendorname": ["389 Project"], "vendorversion": ["389-Directory/2.3.1"]}, "389ds"),
        ({"vendorname": ["389 Project"], "ipadomainlevel": ["1"]}, "freeipa"),
        ({"vendorname": ["389 Project"], "ipatopologypluginversion": ["1.0"]}, "freeipa"),
        ({"vendorname": ["Acme"]}, None),
        ({}, None),
    ],
)
def test_flavors_are_recognised(about: dict[str, list[str]], flavor: Name | None) -> None:
    assert recognised(about) == flavor
    if flavor:
        assert advice(about, flavor, "dc=x") == f"recognised as {flavor}"
        assert f"id {FLAVORS[flavor].id}" in advice(about, "custom", "dc=x")
    else:
        assert advice(about, "custom", "dc=x") == ""


def test_a_base_that_is_not_here_is_told() -> None:
    about = {
        "namingcontexts": ["dc=acme,dc=example", "cn=config"],
        "defaultnamingcontext": ["dc=acme,dc=example"],
    }
    assert advice(about, "custom", "OU=People, DC=Acme,dc=example") == ""
    assert 'which has `base = "dc=acme,dc=example"`' in advice(about, "custom", "dc=example")


# Pages


@pytest.mark.parametrize(("times", "whole"), [(1, True), (5, True), (6, False)])
def test_a_server_that_is_busy_with_the_page_before_is_asked_again(times: int, whole: bool) -> None:
    """As 389 DS says when the next page is asked for too soon; it does not go on for ever."""
    left = [times]

    def search(peer: Peer, request: Request) -> None:
        if request.cookie == b"":
            peer.send(entry(request.id, "uid=a,dc=x", {"uid": ["a"]}) + done(request.id, b"next"))
        elif left[0]:
            left[0] -= 1
            peer.send(done(request.id, None, 1))
        else:
            assert request.cookie == b"next"
            peer.send(entry(request.id, "uid=b,dc=x", {"uid": ["b"]}) + done(request.id))

    with serving(search) as fake:
        opened_source = source(fake, ("uid",), flavor="389ds", people={"domain": "A"})
        if whole:
            assert [batch.rows for batch in opened_source.people()] == [[["a"]], [["b"]]]
        else:
            with pytest.raises(SourceError, match="operationsError"):
                list(opened_source.people())
        opened_source.close()


# Servers found by name


@contextmanager
def found_by_name(
    records: dict[tuple[str, str], list[str]], name: str = "_ldap._tcp.acme.example"
) -> Iterator[LdapSource]:
    """A source whose servers a name server announces."""
    with naming(records) as served:
        settings = {
            "kind": "ldap",
            "flavor": "openldap",
            "urls": [f"ldap://{name}"],
            "name_servers": [served.address],
            "base": "dc=x",
            "people": {"domain": "A"},
        }
        checked = LdapSettings.model_validate(settings)
        made = LdapSource("hq", checked, ("uid",), (), threading.Event(), Silent())
        yield made
        made.close()


def test_servers_are_tried_by_priority() -> None:
    with serving(holding({"uid=a,dc=x": {"uid": ["a"]}})) as fake:
        records = {
            ("_ldap._tcp.acme.example", "SRV"): [
                f"20 0 {fake.port} dc2.acme.example.",
                "10 5 1 dc1.acme.example.",
            ],
            ("dc1.acme.example", "A"): ["127.0.0.1"],
            ("dc2.acme.example", "A"): ["127.0.0.1"],
        }
        with found_by_name(records) as opened_source:
            people = opened_source.people()
            assert [batch.rows for batch in people] == [[["a"]]]
            detail = people.proof().detail
        assert detail.startswith(f"ldap://dc2.acme.example:{fake.port}, ")
    assert "after ldap://dc1.acme.example:1: connection refused" in detail


@pytest.mark.parametrize(
    "name",
    [
        "_ldap._tcp.dc._msdcs.acme.example",
        "_gc._tcp.Lisbon._sites.acme.example",
        "_ldap._tcp.Lisbon._sites.dc._msdcs.acme.example",
    ],
)
@pytest.mark.parametrize("host", ["dc1.acme.example", "acme.example"])
def test_domain_controllers_are_found_by_all_their_names(name: str, host: str) -> None:
    with serving(holding({"uid=a,dc=x": {"uid": ["a"]}})) as fake:
        records = {
            (name.lower(), "SRV"): [f"0 100 {fake.port} {host}."],
            (host, "A"): ["127.0.0.1"],
        }
        with found_by_name(records, name) as opened_source:
            assert [batch.rows for batch in opened_source.people()] == [[["a"]]]
    foreign = {(name.lower(), "SRV"): ["0 0 389 dc1.notacme.example."]}
    with (
        found_by_name(foreign, name) as opened_source,
        pytest.raises(SourceError, match="not in that domain"),
    ):
        list(opened_source.people())


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ({}, "DNS names no server for _ldap._tcp.acme.example"),
        ({("_ldap._tcp.acme.example", "SRV"): ["0 0 0 ."]}, "DNS names no server"),
        (
            {("_ldap._tcp.acme.example", "SRV"): ["0 0 389 dc1.evil.example."]},
            "names dc1.evil.example for _ldap._tcp.acme.example, which is not in that domain",
        ),
        (
            {("_ldap._tcp.acme.example", "SRV"): ["0 0 389 notacme.example."]},
            "names notacme.example for _ldap._tcp.acme.example, which is not in that domain",
        ),
    ],
)
def test_names_that_lead_nowhere_or_away(records: dict[tuple[str, str], list[str]], what: str) -> None:
    with found_by_name(records) as opened_source, pytest.raises(SourceError) as caught:
        list(opened_source.people())
    assert what in caught.value.what
    assert caught.value.where == "source hq, ldap://_ldap._tcp.acme.example"
    assert caught.value.hint
