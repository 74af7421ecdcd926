"""Following a 389 Directory Server: its way of telling changes, with the plug-ins that must be on for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from tests.real import dirsrv
from tests.real.ldap.follow_kit import broken, followed, following, generous, proven, read_whole
from tests.real.ldap.follow_walk import Words, walked
from tests.real.ldap.runs_kit import (
    BRANCH,
    GROUPS,
    PEOPLE,
    Site,
    added,
    b,
    hq,
    joins,
    leaves,
    p,
    person,
    removed,
    renamed,
    replaced,
    small,
)  # fmt: skip
from tests.real.relay import relaying

FLOOR1 = f"cn=Print-Floor1,{GROUPS}"


def _entries() -> Iterator[dirsrv.Entry]:
    for dn, attributes in small():
        yield dn, {**attributes, "aci": [dirsrv.READER_MAY_READ]} if dn == dirsrv.BASE else attributes


@pytest.fixture(scope="module")
def directory() -> Iterator[dirsrv.Dirsrv]:
    with dirsrv.place() as folder:
        dirsrv.load(folder, _entries())
        with dirsrv.running(folder, telling=True) as server:
            yield server


@pytest.fixture(scope="module")
def site(directory: dirsrv.Dirsrv, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    source = hq(directory.url, flavor="389ds", follow=True)
    with following(tmp_path_factory.mktemp("office"), None, source, guards=generous()) as site:
        yield site


def test_people_and_groups_are_followed(directory: dirsrv.Dirsrv, site: Site) -> None:
    new = f"uid=new,{PEOPLE}"
    assert followed(site)["people"]["read"] == 0
    for change, kind, bucket, count in (
        (joins(new, person("new")), "people", "created", 1),
        (replaced(p(3), "mail", "other@acme.example"), "people", "updated", 1),
        (added(FLOOR1, "member", p(30), p(31)), "seats", "created", 2),
        (removed(FLOOR1, "member", p(30)), "seats", "gone", 1),
        (added(f"cn=inner,{GROUPS}", "member", p(32)), "seats", "created", 1),
        (leaves(new), "people", "gone", 1),
        (renamed(p(35), "uid=p35x"), "people", "gone", 1),
        ("\n".join([joins(new, person("new")), leaves(new)]), "people", "read", 0),
    ):
        directory.modify(change)
        assert followed(site, None)[kind][bucket] == count, change
        proven(site)


def test_who_leaves_the_search_has_left(directory: dirsrv.Dirsrv, site: Site) -> None:
    site.set(customers={"acme": {"sources": {"hq": {"people": {"base": PEOPLE}}}}})
    read_whole(site)
    directory.modify(
        f"dn: {p(36)}\nchangetype: modrdn\nnewrdn: uid=p36\ndeleteoldrdn: 1\nnewsuperior: {GROUPS}\n"
    )
    assert site.one()["people"]["gone"] == 1
    proven(site)
    followed(site)


def test_a_renamed_container_has_everything_read(directory: dirsrv.Dirsrv, site: Site) -> None:
    directory.modify(renamed(BRANCH, "ou=Branches"))
    part = read_whole(site)
    assert part["people"]["read"] >= 50
    directory.modify(renamed(f"ou=Branches,{PEOPLE}", "ou=Branch"))
    read_whole(site)
    proven(site)


@pytest.mark.parametrize("cookie", ["garbage", "localhost:1#cn=nobody:#7", "x#y#999999999", "#"])
def test_a_cookie_that_the_server_does_not_know_loses_nothing(
    directory: dirsrv.Dirsrv, site: Site, cookie: str
) -> None:
    directory.modify("\n".join([leaves(b(5)), replaced(p(4), "mail", f"{len(cookie)}@acme.example")]))
    with closing(apsw.Connection(str(site.ledger))) as ledger:
        ((text,),) = list(ledger.execute("SELECT cookie FROM followed"))
        kept = json.loads(text)
        coded = base64.b64encode(cookie.encode()).decode()
        kept["watches"] = [[*watch[:4], coded] for watch in kept["watches"]]
        ledger.execute("UPDATE followed SET cookie = ?", (json.dumps(kept),))
    part = site.one()
    assert (part["people"]["gone"], part["people"]["updated"]) == (1, 1)
    proven(site)
    directory.modify(joins(b(5), person("b05")))
    site.run()
    proven(site)


# The server goes away, and comes back


def test_a_server_that_was_started_anew(directory: dirsrv.Dirsrv, site: Site) -> None:
    """It may have other data now, and does not know it: so everything is read."""
    directory.modify("\n".join([joins(f"uid=one,{PEOPLE}", person("one")), leaves(p(20))]))
    directory.again(lambda: None)
    directory.modify("\n".join([leaves(p(21)), replaced(p(22), "mail", "anew@acme.example")]))
    part = read_whole(site)
    assert (part["people"]["created"], part["people"]["updated"], part["people"]["gone"]) == (1, 1, 2)
    proven(site)
    directory.modify(leaves(p(23)))
    assert followed(site)["people"]["gone"] == 1
    proven(site)


def test_older_data_that_was_put_back(directory: dirsrv.Dirsrv, site: Site) -> None:
    """The server's log of changes stands beside its data, and knows nothing of that."""
    folder = directory.folder
    directory.again(lambda: dirsrv.moved(folder, "db2ldif", "-a", "older.ldif"))
    site.run()
    lost = [joins(f"uid=lost,{PEOPLE}", person("lost")), replaced(p(1), "mail", "new@acme.example")]
    directory.modify("\n".join(lost))
    assert followed(site, None)["people"]["updated"] == 1
    directory.again(lambda: dirsrv.moved(folder, "ldif2db", "-i", "older.ldif"))
    directory.modify(replaced(p(2), "mail", "after@acme.example"))
    part = read_whole(site)
    assert (part["people"]["gone"], part["people"]["updated"]) == (1, 2)
    proven(site)
    directory.modify(replaced(p(1), "mail", "newest@acme.example"))
    assert followed(site)["people"]["updated"] == 1
    proven(site)


def test_an_answer_that_breaks_concludes_nothing(directory: dirsrv.Dirsrv, tmp_path: Path) -> None:
    with relaying("127.0.0.1", directory.port) as relay:
        source = hq(relay.url, flavor="389ds", follow=True)
        with following(tmp_path, None, source, guards=generous()) as site:
            broken(
                site,
                relay,
                lambda number: directory.modify(replaced(p(6), "mail", f"{number}@acme.example")),
            )


def test_after_a_walk_at_random_the_state_is_that_of_a_full_read(
    directory: dirsrv.Dirsrv, tmp_path: Path
) -> None:
    words = Words(
        rdn="uid",
        places=(PEOPLE, f"ou=Branch,{PEOPLE}", GROUPS),
        groups=(FLOOR1, f"cn=inner,{GROUPS}"),
        account=lambda name: joins("", person(name)).partition("changetype: add\n")[2],
        off=("nsAccountLock", "", "true"),
        linked=False,
    )
    source = hq(directory.url, flavor="389ds", follow=True)
    source["people"] |= {"base": PEOPLE}
    with following(tmp_path, None, source, guards=generous()) as site:
        walked(site, directory.modify, words, 12)
