"""What an operator is told of a source whose changes are to be followed, before and after the first run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.real.dns import naming
from tests.real.ldap.follow_kit import SESSION_LOG, forget_cookie, rules
from tests.real.ldap.runs_kit import SMALL_RULES, Site, hq, opened, small
from tests.real.relay import relaying
from tests.real.slapd import Slapd, load, running

HR = {
    "kind": "csv",
    "path": "acme.csv",
    "settle": "0s",
    "people": {"logon": "{{ logon }}", "domain": "OTHER", "name": "{{ name }}"},
}


@pytest.fixture(scope="module", params=[True, False], ids=["tells changes", "tells nothing"])
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    folder = tmp_path_factory.mktemp("slapd")
    telling = bool(request.param)
    load(folder / "server", small(), rules(SESSION_LOG) if telling else SMALL_RULES, modules=["syncprov"])
    with running(folder / "server", log="none") as server:
        yield server


@pytest.fixture
def tells(request: pytest.FixtureRequest) -> bool:
    return "tells changes" in request.node.callspec.id


@pytest.fixture
def site(directory: Slapd, tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path, directory, sources={"hq": hq(directory.url, follow=True)}) as made:
        made.set(orbix={"membership": "additive"})
        yield made


def detail(site: Site) -> str:
    """What `check` says of the directory."""
    findings = site.checked()
    told: str = findings["acme: source hq"]["detail"]
    return told


def test_of_servers_by_lot_the_one_that_is_known_is_asked_again(
    directory: Slapd, site: Site, tells: bool
) -> None:
    hosts = [f"dc{n}.acme.example" for n in range(8)]
    records = {("_ldap._tcp.acme.example", "SRV"): [f"0 0 {directory.port} {host}." for host in hosts]}
    with naming(records | {(host, "A"): ["127.0.0.1"] for host in hosts}) as names:
        source = hq("ldap://_ldap._tcp.acme.example", None, follow=True, name_servers=[names.address])
        site.set(customers={"acme": {"sources": {"hq": None}}})
        site.set(customers={"acme": {"sources": {"hq": source}}})
        site.run()
        assert [site.one(code=0).get("followed", False) for _ in range(4)] == [tells] * 4


def test_the_server_that_stood_in_is_asked_again_until_everything_is_read(
    directory: Slapd, site: Site, tells: bool
) -> None:
    with relaying("127.0.0.1", directory.port) as relay:
        relay.spoil = lambda _message, _entries: None
        site.set(customers={"acme": {"sources": {"hq": {"urls": [relay.url, directory.url]}}}})
        assert site.one()["sources"]["hq"].startswith(directory.url)
        relay.spoil = None
        part = site.one(code=0)
        assert part.get("followed", False) == tells
        assert part["sources"]["hq"].startswith(directory.url if tells else relay.url)
        forget_cookie(site)
        assert site.one(code=0)["sources"]["hq"].startswith(relay.url)


def test_an_access_read_that_fails_does_not_have_the_directory_read_whole(site: Site, tells: bool) -> None:
    autodesk = {
        "base_url": "http://127.0.0.1:1",
        "client_id": "an-app",
        "client_secret": "a-canary-secret",
        "applications": ["APP"],
    }
    site.set(customers={"acme": {"autodesk": autodesk}})
    assert not site.one(code=9).get("followed")
    assert site.one(code=9).get("followed", False) == tells


CANNOT = "everything is read each time, for changes cannot be followed: the server does not tell what has changed: "


def test_whether_changes_can_be_followed(directory: Slapd, site: Site, tells: bool) -> None:
    assert ("changes are followed" if tells else f"{CANNOT}unavailableCriticalExtension (12)") in detail(site)
    site.run()
    assert ("in step, following" in site.do("status").out) == tells
    assert site.one(code=0)["sources"]["hq"].startswith(f"{directory.url}, "), (
        "also when only changes were asked for"
    )
    with site.reading(follow=False):
        assert "follow" not in detail(site)


@pytest.mark.parametrize(
    ("acme", "why"),
    [
        ({"leavers": "synchronize"}, "leavers are synchronized, for which everybody must be known"),
        ({"sources": {"hr": HR}}, "there are several sources"),
        (
            {"sources": {"hq": {"people": {"shared_email": "set_aside"}}}},
            "people who share an address are set aside, for which everybody must be known",
        ),
    ],
    ids=["synchronize", "several sources", "shared addresses"],
)
def test_why_everything_is_read_all_the_same(
    site: Site, tells: bool, acme: dict[str, object], why: str
) -> None:
    site.set(customers={"acme": acme})
    site.put([("zoe", "Zoe", "zoe@acme.example")])
    assert (f"everything is read when something changes, for {why}" if tells else CANNOT) in detail(site)
    site.do("run", "--once", "--yes")
    out = site.do("status").out
    assert f"everything is read each time: {why}" in out and "following" not in out
    assert site.do("status", "--json").document["customers"]["acme"]["read_whole"] == why
