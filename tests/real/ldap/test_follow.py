"""Following an OpenLDAP directory: whatever changes, what is delivered is what a full read would have delivered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.ldap.follow_kit import (
    followed,
    following,
    generous,
    proven,
    read_whole,
)  # fmt: skip
from tests.real.ldap.runs_kit import (
    ANNA,
    BRANCH,
    GROUPS,
    PEOPLE,
    Site,
    added,
    b,
    change,
    group,
    hq,
    joins,
    keys,
    leaves,
    p,
    person,
    removed,
    renamed,
    replaced,
    small_members,
)  # fmt: skip
from tests.real.slapd import BASE, Slapd

FLOOR1, FLOOR2 = (f"cn=Print-Floor{number},{GROUPS}" for number in (1, 2))


@pytest.fixture(scope="module")
def site(directory: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One office for all these stories: each leaves the directory as it found it, or goes on from there."""
    with following(tmp_path_factory.mktemp("office"), directory, guards=generous()) as site:
        assert site.members() == small_members()
        yield site


def moved(dn: str, rdn: str, to: str) -> str:
    return f"dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {to}\n"


def test_nothing_has_changed(site: Site) -> None:
    site.forget_requests()
    part = followed(site)
    assert part["people"]["read"] == 0
    assert site.requests("") == []
    assert "in step, following" in site.do("status").out
    assert list(site.do("status", "--json").document["customers"]["acme"]["following"]) == ["hq"]
    proven(site)


def test_somebody_comes_changes_and_goes(site: Site) -> None:
    new = f"uid=new,{PEOPLE}"
    change(site.slapd, joins(new, person("new")))
    site.forget_requests()
    assert followed(site)["people"]["created"] == 1
    assert len(site.requests("/v1/")) == 1
    proven(site)
    change(site.slapd, replaced(new, "mail", "newer@acme.example"))
    assert followed(site)["people"]["updated"] == 1
    assert site.users()["acme//new"]["Email"] == "newer@acme.example"
    proven(site)
    change(site.slapd, leaves(new))
    part = followed(site)
    assert (part["people"]["gone"], part["people"]["read"]) == (1, 0)
    proven(site)


def test_several_changes_of_one_entry_are_one(site: Site) -> None:
    new = f"uid=brief,{PEOPLE}"
    change(site.slapd, joins(new, person("brief")), leaves(new))
    change(site.slapd, *[replaced(p(2), "mail", f"{n}@acme.example") for n in range(5)])
    part = followed(site)
    assert (part["people"]["created"], part["people"]["updated"]) == (0, 1)
    assert site.users()["acme//p02"]["Email"] == "4@acme.example"
    proven(site)


def test_somebody_joins_a_group_and_leaves_it(site: Site) -> None:
    change(site.slapd, added(FLOOR1, "member", p(30), p(31)), removed(FLOOR1, "member", p(0)))
    part = followed(site)
    assert (part["seats"]["created"], part["seats"]["gone"]) == (2, 1)
    assert part["people"]["read"] == 3
    assert {*keys("p30", "p31")} <= {*site.members()["Print-Floor1"]}
    proven(site)
    change(site.slapd, removed(FLOOR1, "member", p(30), p(31)), added(FLOOR1, "member", p(0)))
    followed(site)
    proven(site)


def test_a_member_of_an_inner_group_sits_in_the_outer_one(site: Site) -> None:
    change(site.slapd, added(f"cn=inner,{GROUPS}", "member", p(33)))
    assert followed(site)["seats"]["created"] == 1
    assert "acme//p33" in site.members()["Print-Floor2"]
    proven(site)


def test_a_member_who_is_nobody_and_then_somebody(site: Site) -> None:
    later = f"uid=later,{PEOPLE}"
    change(site.slapd, added(FLOOR1, "member", later))
    assert followed(site, 3)["seats"]["set_aside"] == 1
    proven(site)
    change(site.slapd, joins(later, person("later")))
    part = followed(site)
    assert (part["people"]["created"], part["seats"]["created"]) == (1, 1)
    proven(site)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ([added(FLOOR2, "member", f"cn=spare,{GROUPS}")], "a group has come into a group"),
        ([joins(*group("Print-New", p(1), p(2)))], "a group is new"),
        ([renamed(f"cn=spare,{GROUPS}", "cn=spares")], "renamed"),
        ([leaves(f"cn=spares,{GROUPS}")], "gone"),
        ([f"dn: ou=Sub,{PEOPLE}\nchangetype: add\nobjectClass: organizationalUnit\nou: Sub\n"], "container"),
        ([renamed(f"ou=Sub,{PEOPLE}", "ou=Subs")], "container"),
        ([moved(f"ou=Subs,{PEOPLE}", "ou=Subs", BRANCH)], "container"),
        ([leaves(f"ou=Subs,{BRANCH}")], "container"),
    ],
)
def test_what_cannot_be_settled_by_itself_has_everything_read(
    site: Site, changes: list[str], reason: str
) -> None:
    change(site.slapd, *changes)
    result = site.do("run", "--once", "--json", "-v")
    part = result.document["customers"]["acme"]
    assert part["people"]["read"] >= 52
    assert "followed" not in part
    told = [line for line in result.err.splitlines() if "everything_is_read" in line]
    assert len(told) == 1
    assert reason in told[0]
    proven(site)


def test_a_renamed_logon_is_a_rename(site: Site) -> None:
    change(site.slapd, renamed(p(35), "uid=p35x"))
    part = followed(site)
    assert part["renames"] == [{"from": "ACME//p35", "to": "ACME//p35x"}]
    proven(site)


def test_a_twin_sets_both_aside_and_its_end_frees_the_other(site: Site) -> None:
    twin = f"uid=p36,{BRANCH}"
    change(site.slapd, joins(twin, person("p36")))
    assert followed(site, 3)["people"]["set_aside"] == 2
    proven(site)
    change(site.slapd, leaves(twin))
    part = followed(site)
    assert (part["people"]["unchanged"], part["people"]["set_aside"]) == (1, 0)
    proven(site)


def test_who_leaves_the_filter_or_the_base_has_left(site: Site) -> None:
    change(site.slapd, moved(p(37), "uid=p37", GROUPS))  # still under the base, so still somebody
    followed(site)
    proven(site)
    change(site.slapd, moved(f"uid=p37,{GROUPS}", "uid=p37", PEOPLE))
    followed(site)
    proven(site)


def test_a_grouping_is_described_anew(site: Site) -> None:
    with_words = replaced(FLOOR1, "description", "The first floor")
    site.set(customers={"acme": {"sources": {"hq": {"people": {"email": "{{ mail | lower }}"}}}}})
    read_whole(site, 0)  # the settings are other ones
    change(site.slapd, with_words)
    assert followed(site)["groups"]["updated"] == 1
    proven(site)


def test_a_whole_branch_leaves_at_once(site: Site) -> None:
    change(site.slapd, *[leaves(b(number)) for number in range(1, 5)])
    assert followed(site, None)["people"]["gone"] == 4
    proven(site)
    change(site.slapd, leaves(ANNA), joins(ANNA, person("anna", cn=["Anna Lang"])))
    followed(site, None)
    proven(site)


def test_a_service_account_is_nobodys_business(site: Site) -> None:
    change(site.slapd, replaced(f"cn=blind,ou=Service,{BASE}", "description", "changed"))
    assert followed(site)["people"]["read"] == 0
    proven(site)


def _posix(name: str, number: str) -> tuple[str, dict[str, list[str | bytes]]]:
    return f"cn={name},{GROUPS}", {
        "objectClass": ["posixGroup"], "cn": [name], "gidNumber": [number], "description": [f"Print-{name}"],
    }  # fmt: skip


def test_a_primary_group_that_is_called_otherwise_has_everything_read(
    tmp_path: Path, directory: Slapd
) -> None:
    """Who is in it is told by the people themselves, of whom nothing is said then."""
    account = person("posix", objectClass=["inetOrgPerson", "posixAccount"])
    account = {**account, "uidNumber": ["1"], "gidNumber": ["77"], "homeDirectory": ["/"]}
    staff, other, who = _posix("Staff", "77"), _posix("Other", "78"), f"uid=posix,{PEOPLE}"
    groups = {
        "filter": "(objectClass=posixGroup)",
        "name": "{{ description }}",
        "nested": False,
        "primary": True,
    }
    source = hq(directory.url, follow=True, groups=groups)
    change(directory, joins(*staff), joins(*other), joins(who, account))
    try:
        with following(tmp_path, directory, source, guards=generous()) as site:
            assert site.members() == {"Print-Staff": ["acme//posix"]}
            change(directory, replaced(staff[0], "description", "Print-Personnel"))
            part = read_whole(site, 4)  # nobody is left in Print-Staff
            assert site.do("approve", part["plan"]).code == 0
            site.run()
            assert site.members()["Print-Personnel"] == ["acme//posix"]
            proven(site)
    finally:
        change(directory, leaves(staff[0]), leaves(other[0]), leaves(who))


def test_the_only_group_there_is(tmp_path: Path, directory: Slapd) -> None:
    """All groups have changed then, and nothing is amiss."""
    groups = {"filter": "(cn=Print-Branch)", "name": "{{ cn }}", "nested": False}
    with following(
        tmp_path, directory, hq(directory.url, follow=True, groups=groups), guards=generous()
    ) as site:
        change(directory, added(f"cn=Print-Branch,{GROUPS}", "member", p(22)))
        assert followed(site)["seats"]["created"] == 1
        change(directory, removed(f"cn=Print-Branch,{GROUPS}", "member", p(22)))
        assert followed(site)["seats"]["gone"] == 1
        proven(site)
