"""Following Active Directory (Samba): DirSync, links that change without a word, and the right that it needs."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.real import samba
from tests.real.ldap import certificates
from tests.real.ldap.follow_kit import broken, followed, following, generous, proven, read_whole
from tests.real.ldap.follow_walk import Words, walked
from tests.real.ldap.runs_kit import Site
from tests.real.relay import relaying
from tests.real.samba import BASE, GROUPS, PEOPLE, Samba
from tests.real.slapd import PASSWORD

USERS = f"CN=Users,{BASE}"


def user(number: int) -> str:
    return f"CN=User {number},{PEOPLE}"


def group(name: str) -> str:
    return f"CN={name},{GROUPS}"


def _entries() -> Iterator[samba.Entry]:
    for place in (PEOPLE, GROUPS):
        yield place, {"objectClass": ["organizationalUnit"]}
    for n in range(30):
        yield (
            user(n),
            {
                "objectClass": ["user"],
                "sAMAccountName": [f"u{n}"],
                "userAccountControl": ["512"],
                "mail": [f"u{n}@acme.example"],
            },
        )
    for name, members in (("Print-A", range(10)), ("Print-B", range(5, 12)), ("inner", range(20, 22))):
        yield group(name), {"objectClass": ["group"], "member": [user(n) for n in members]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    folder = tmp_path_factory.mktemp("samba")
    tls = certificates.make(folder / "tls", names=f"DNS:{samba.HOST}")
    samba.provision(folder / "dc")
    samba.load(folder / "dc", _entries())
    with samba.running(folder / "dc", tls) as server:
        yield server


def hq(server: Samba, account: str, password: str) -> dict[str, Any]:
    return {
        "kind": "ldap",
        "flavor": "active-directory",
        "urls": [server.url],
        "bind_dn": f"CN={account},{USERS}",
        "bind_password": password,
        "allow_cleartext": True,
        "base": BASE,
        "follow": True,
        "people": {"base": PEOPLE},
        "groups": {"base": GROUPS, "filter": "(&(objectClass=group)(cn=Print-*))"},
    }


@pytest.fixture(scope="module")
def site(server: Samba, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    source = hq(server, "Administrator", samba.ADMIN_PASSWORD)
    with following(tmp_path_factory.mktemp("office"), None, source, guards=generous()) as site:
        yield site


def new_user(name: str, logon: str) -> str:
    account = f"objectClass: user\nsAMAccountName: {logon}\nuserAccountControl: 512\n"
    return f"dn: CN={name},{PEOPLE}\nchangetype: add\n{account}"


def modify(how: str, dn: str, name: str, *values: str) -> str:
    lines = "".join(f"{name}: {value}\n" for value in values)
    return f"dn: {dn}\nchangetype: modify\n{how}: {name}\n{lines}"


def move(dn: str, to: str, rdn: str = "") -> str:
    rdn = rdn or dn.partition(",")[0]
    return f"dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\nnewsuperior: {to}\n"


CHANGES = [
    (new_user("New", "new"), "people", "created", 1),
    (modify("replace", user(3), "mail", "other@acme.example"), "people", "updated", 1),
    (modify("add", group("Print-A"), "member", user(25), user(26)), "seats", "created", 2),
    (modify("delete", group("Print-A"), "member", user(26)), "seats", "gone", 1),
    (modify("replace", user(4), "userAccountControl", "514"), "people", "gone", 1),
    (modify("replace", user(4), "userAccountControl", "512"), "people", "updated", 1),
    (move(user(5), PEOPLE, "CN=Somebody Else"), "seats", "unchanged", 2),
    (modify("replace", user(6), "sAMAccountName", "u6x"), "people", "created", 1),
    (f"dn: {user(7)}\nchangetype: delete\n", "seats", "gone", 2),
    (move(user(8), USERS), "seats", "gone", 2),
    (move(f"CN=User 8,{USERS}", PEOPLE), "seats", "updated", 2),
    (modify("replace", f"CN=Guest,{USERS}", "description", "nobody's business"), "people", "read", 0),
]  # fmt: skip


def test_people_and_groups_are_followed(server: Samba, site: Site) -> None:
    assert followed(site)["people"]["read"] == 0
    for change, kind, bucket, count in CHANGES:
        server.modify(change)
        assert followed(site, None)[kind][bucket] == count, change
        proven(site)


def test_members_who_are_nobody_of_ours_are_followed_too(server: Samba, site: Site) -> None:
    """Nothing is said of the group when one of them is renamed or deleted, and the name may be given again."""
    contact = f"CN=Casual,{PEOPLE}"
    for change, kind, bucket, count in (
        (f"dn: {contact}\nchangetype: add\nobjectClass: contact\n", "people", "read", 0),
        (modify("add", group("Print-B"), "member", contact), "seats", "set_aside", 1),
        (move(contact, USERS, "CN=Casual\\, Once"), "seats", "set_aside", 1),
        (move(f"CN=Casual\\, Once,{USERS}", PEOPLE, "CN=Casual"), "seats", "set_aside", 1),
        (f"dn: {contact}\nchangetype: delete\n", "seats", "set_aside", 0),
        (new_user("Casual", "casual"), "seats", "created", 0),
        (f"dn: {contact}\nchangetype: delete\n", "people", "gone", 1),
    ):
        server.modify(change)
        assert followed(site, None)[kind][bucket] == count, change
        proven(site)

    # Renamed and deleted at once: under which name the group had it is not told.
    again = f"dn: {contact}\nchangetype: add\nobjectClass: contact\n\n"
    server.modify(again + modify("add", group("Print-B"), "member", contact))
    assert followed(site, None)["seats"]["set_aside"] == 1
    server.modify(move(contact, USERS) + f"\ndn: CN=Casual,{USERS}\nchangetype: delete\n")
    followed(site, None)
    server.modify(new_user("Casual", "casual"))
    assert followed(site, None)["seats"]["created"] == 0
    proven(site)


def test_a_renamed_container_elsewhere_has_everything_read(server: Samba, site: Site) -> None:
    """Members of groups may lie in it."""
    contact = f"dn: CN=Brief,{USERS}\nchangetype: add\nobjectClass: contact\n\n"
    contact += modify("add", group("Print-B"), "member", f"CN=Brief,{USERS}")
    server.modify(f"dn: OU=Far,{BASE}\nchangetype: add\nobjectClass: organizationalUnit\n\n{contact}")
    site.run()
    server.modify(move(f"CN=Brief,{USERS}", f"OU=Far,{BASE}"))
    site.run()
    server.modify(move(f"OU=Far,{BASE}", BASE, "OU=Farther"))
    read_whole(site)
    proven(site)


def test_a_primary_group_is_another_one(server: Samba, site: Site) -> None:
    """Both groups change with it: one lists the person from then on, the other no longer."""
    server.modify(modify("add", f"CN=Domain Guests,{USERS}", "member", user(18)))
    site.run()
    server.modify(modify("replace", user(18), "primaryGroupID", "514"))
    followed(site, None)
    proven(site)
    server.modify(modify("replace", user(18), "primaryGroupID", "513"))
    followed(site, None)
    proven(site)


@pytest.mark.parametrize(
    "change",
    [
        f"dn: OU=Sub,{PEOPLE}\nchangetype: add\nobjectClass: organizationalUnit\n",
        move(f"OU=Sub,{PEOPLE}", BASE),
        move(f"OU=Sub,{BASE}", PEOPLE),
        f"dn: {group('Print-New')}\nchangetype: add\nobjectClass: group\nmember: {user(1)}\n",
    ],
)
def test_containers_and_new_groups_have_everything_read(server: Samba, site: Site, change: str) -> None:
    server.modify(change)
    read_whole(site)
    proven(site)


def test_a_cookie_that_the_server_does_not_know_loses_nothing(server: Samba, site: Site) -> None:
    server.modify(f"dn: {user(28)}\nchangetype: delete\n")
    with closing(apsw.Connection(str(site.ledger))) as ledger:
        ((text,),) = list(ledger.execute("SELECT cookie FROM followed"))
        kept = json.loads(text)
        kept["watches"][0][4] = base64.b64encode(b"garbage").decode()
        ledger.execute("UPDATE followed SET cookie = ?", (json.dumps(kept),))
    assert site.one()["people"]["gone"] == 1
    proven(site)


def test_an_account_without_the_right_is_told_so_and_read_whole(server: Samba, tmp_path: Path) -> None:
    source = hq(server, "reader", PASSWORD)
    with following(tmp_path, None, source, guards=generous()) as site:
        result = site.do("run", "--once", "--json")
        assert result.document["customers"]["acme"]["people"]["read"] >= 28
        told = next(line for line in result.err.splitlines() if "not_followed" in line)
        assert "Replicating Directory Changes" in told


# The server goes away, and comes back


def test_a_server_that_was_started_anew(server: Samba, site: Site) -> None:
    server.modify(modify("replace", user(14), "mail", "before@acme.example"))
    server.again(lambda: None)
    server.modify(modify("replace", user(15), "mail", "after@acme.example"))
    assert followed(site, None)["people"]["updated"] == 2
    proven(site)


@pytest.mark.parametrize("more", [0, 20])
def test_older_data_that_was_put_back(server: Samba, site: Site, tmp_path: Path, more: int) -> None:
    """The server's own count of changes falls behind what it had been; soon it has caught up."""
    data, older = server.folder / "private", tmp_path / "older"
    server.again(lambda: shutil.copytree(data, older, ignore=lambda _folder, names: {*names} & {"ldapi"}))
    site.run()
    server.modify(new_user("Lost", f"lost{more}"))
    server.modify(modify("replace", user(16), "mail", f"new{more}@acme.example"))
    assert followed(site, None)["people"]["updated"] == 1

    def put_back() -> None:
        shutil.rmtree(data)
        shutil.copytree(older, data)

    server.again(put_back)
    server.modify("\n".join(modify("replace", user(19), "mail", f"{n}@acme.example") for n in range(more)))
    part = read_whole(site)
    assert (part["people"]["gone"], part["people"]["updated"]) == (1, 2 if more else 1)
    proven(site)
    server.modify(modify("replace", user(16), "mail", f"newest{more}@acme.example"))
    assert followed(site)["people"]["updated"] == 1
    proven(site)


def test_an_answer_that_breaks_concludes_nothing(server: Samba, tmp_path: Path) -> None:
    with relaying(server.address, 389) as relay:
        source = hq(server, "Administrator", samba.ADMIN_PASSWORD) | {"urls": [relay.url]}
        with following(tmp_path, None, source, guards=generous()) as site:
            broken(
                site,
                relay,
                lambda number: server.modify(modify("replace", user(17), "mail", f"{number}@acme.example")),
            )


def test_after_a_walk_at_random_the_state_is_that_of_a_full_read(server: Samba, site: Site) -> None:
    words = Words(
        rdn="CN",
        places=(PEOPLE, f"CN=Program Data,{BASE}"),
        groups=(group("Print-A"), group("Print-B")),
        account=lambda name: new_user(name, name).partition("changetype: add\n")[2],
        off=("userAccountControl", "512", "514"),
        linked=True,
    )
    walked(site, server.modify, words, 12)
