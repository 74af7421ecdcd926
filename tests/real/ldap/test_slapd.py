"""A real OpenLDAP server with 20,000 people and 200 groups, read whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.real.ldap import company
from tests.real.ldap.company import Read
from tests.real.slapd import BASE, PASSWORD, READER, Slapd, load, running

from rosterd.errors import SourceError, Stopped
from rosterd.sources.ldap import LdapSource
from rosterd.sources.settings import LdapSettings

PEOPLE = ["uid", "displayName", "mail", "description"]
GROUPS = ["cn", "description"]


class Quiet:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def info(self, event: str, **_fields: object) -> None:
        self.told.append(event)

    warning = info


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    folder = tmp_path_factory.mktemp("slapd") / "server"
    load(folder, company.everything(), company.limits())
    with running(folder) as server:
        yield server


def opened(server: Slapd, account: str | None = "reader", **more: Any) -> LdapSource:
    """A source on the server, bound as one of its accounts or as nobody."""
    settings: dict[str, Any] = {
        "kind": "ldap",
        "flavor": "openldap",
        "urls": [server.url],
        "base": BASE,
        "timeout": "20s",
        "people": {"logon": "{{ uid }}", "domain": "ACME"},
        "groups": {"filter": "(cn=Print-*)", "name": "{{ cn }}"},
    }
    if account is not None:
        settings |= {
            "bind_dn": READER.replace("reader", account),
            "bind_password": PASSWORD,
            "allow_cleartext": True,
        }
    checked = LdapSettings.model_validate(settings | more)
    return LdapSource("hq", checked, PEOPLE, GROUPS, threading.Event(), Quiet())


def read(source: LdapSource) -> dict[str, Read]:
    found = {}
    for batch in source.people():
        for dn, row, id_, disabled in zip(batch.dns, batch.rows, batch.ids, batch.disabled, strict=True):
            uid, name, mail, description = row
            found[dn] = Read(uid, name, mail, description, id_, disabled)
    return found


def read_groups(source: LdapSource) -> dict[str, tuple[set[str], bool]]:
    found = {}
    feed = source.groups()
    assert feed is not None
    for batch in feed:
        wanted = batch.wanted or [True] * len(batch.rows)
        for dn, members, is_wanted in zip(batch.dns, batch.members, wanted, strict=True):
            found[dn] = (set(members), is_wanted)
    return found


def failing(source: LdapSource) -> SourceError:
    """The error that reading all people ends with."""
    with pytest.raises(SourceError) as caught:
        for _ in source.people():
            pass
    source.close()
    return caught.value


def test_everybody_is_read_as_loaded(directory: Slapd) -> None:
    source = opened(directory)
    feed = source.people()
    assert feed.attributes == tuple(PEOPLE)
    batches = list(feed)
    assert max(len(batch.rows) for batch in batches) == 1000
    proof = feed.proof()
    assert (proof.entries, proof.pages) == (company.PEOPLE, 20)
    assert proof.detail == f"{directory.url}, 20 pages, last cookie empty"
    assert proof.warnings == (
        f"description of uid=large,ou=People,{BASE} has 1,048,576 bytes and was cut at 65,536",
    )
    assert read(source) == company.expected_people()
    source.close()
    source.close()


def test_places_are_names_as_the_server_spells_them(directory: Slapd) -> None:
    source = opened(directory, people={"logon": "{{ uid }}", "domain": "A", "filter": "(uid=jsmith)"})
    (batch,) = source.people()
    assert batch.places == [f"cn=Smith\\2C John,ou=People,{BASE}"]
    assert batch.refs == [f"dcn=smith\\, john,ou=people,{BASE}\0uhq\x01jsmith"]
    source.close()


def test_bytes_that_are_no_text_are_shown_and_told(directory: Slapd) -> None:
    source = opened(directory, people={"logon": "{{ uid }}", "domain": "A", "filter": "(uid=photo)"})
    source = LdapSource("hq", source._settings, ["jpegPhoto"], GROUPS, threading.Event(), Quiet())
    feed = source.people()
    (batch,) = feed
    assert "\N{REPLACEMENT CHARACTER}" in batch.rows[0][0]
    assert feed.proof().warnings == (f"jpegPhoto of uid=photo,ou=People,{BASE} is no valid UTF-8",)
    source.close()


def test_groups_have_the_members_that_were_loaded(directory: Slapd) -> None:
    source = opened(directory)
    found = read_groups(source)
    source.close()
    plain = {
        dn: attributes for dn, attributes in company.groups() if "cn=Print-" in dn or company.LONG_NAME in dn
    }
    assert len(found) == len(plain)
    for dn, attributes in plain.items():
        if "Spelled" in dn:
            expected = {f"d{name}" for name in company.SPELLED_READ}
        else:
            names = [*attributes.get("member", []), *attributes.get("uniqueMember", [])]
            expected = {"d" + str(name).lower().split("#")[0] for name in names}
            expected |= {"uhq\x01" + str(uid) for uid in attributes.get("memberUid", [])}
        assert found[dn.lower()] == (expected, True), dn


def test_nested_groups_come_from_a_second_search(directory: Slapd) -> None:
    source = opened(directory, groups={"filter": "(cn=Print-*)", "name": "{{ cn }}", "nested": True})
    found = read_groups(source)
    source.close()
    inner = f"ou=groups,{BASE}"
    assert {dn for dn, (_, wanted) in found.items() if not wanted} == {
        f"cn=left,{inner}",
        f"cn=right,{inner}",
        f"cn=bottom,{inner}",
    }
    assert found[f"cn=print-cycle,{inner}"][0] >= {f"dcn=print-back,{inner}"}
    assert found[f"cn=print-back,{inner}"][0] >= {f"dcn=print-cycle,{inner}"}
    assert len(found) == len(company.groups())


def test_nested_groups_are_found_beside_the_base_of_the_groups(directory: Slapd) -> None:
    base = f"cn=Print-Diamond,ou=Groups,{BASE}"
    source = opened(directory, groups={"base": base, "name": "{{ cn }}", "nested": True})
    found = read_groups(source)
    source.close()
    assert [dn for dn, (_, wanted) in found.items() if wanted] == [base.lower()]
    assert f"cn=bottom,ou=groups,{BASE}" in found


def test_base_and_scope_of_people(directory: Slapd) -> None:
    place = {"base": f"ou=Branch,ou=People,{BASE}", "scope": "one"}
    source = opened(directory, people={"logon": "{{ uid }}", "domain": "A", **place})
    assert list(read(source)) == [f"uid=p00001,ou=branch,ou=people,{BASE}"]
    source.close()


def test_a_base_with_accents_and_a_filter_with_escapes(directory: Slapd) -> None:
    place = {
        "base": f"uid=joão silva,ou=People,{BASE}",
        "scope": "base",
        "filter": "(uid=jo\\c3\\a3o*\\20silva)",
    }
    source = opened(directory, people={"logon": "{{ uid }}", "domain": "A", **place})
    assert list(read(source)) == [f"uid=joão silva,ou=people,{BASE}"]
    source.close()


def test_an_anonymous_read_meets_the_servers_size_limit(directory: Slapd) -> None:
    error = failing(opened(directory, None))
    assert "sizeLimitExceeded (4)" in error.what
    assert "size limit" in error.hint


def test_an_anonymous_read_of_a_part_is_whole(directory: Slapd) -> None:
    people = {"logon": "{{ uid }}", "domain": "A", "filter": "(uid=p0001*)"}
    source = opened(directory, None, people=people)
    assert len(read(source)) == 10
    source.close()


@pytest.mark.parametrize(
    ("account", "page_size", "code"),
    [
        ("capped", 1000, "sizeLimitExceeded (4)"),
        ("capped", 100, "sizeLimitExceeded (4)"),
        ("short", 1000, "adminLimitExceeded (11)"),
        ("unpaged", 1000, "adminLimitExceeded (11)"),
    ],
)
def test_limits_of_the_server_make_the_read_incomplete(
    directory: Slapd, account: str, page_size: int, code: str
) -> None:
    source = opened(directory, account, page_size=page_size)
    error = failing(source)
    assert error.exit_code == 5
    assert code in error.what
    assert error.where == f"source hq, {directory.url}"
    assert "page_size" in error.hint


def test_a_hidden_branch_and_a_hidden_attribute_look_like_a_whole_read(directory: Slapd) -> None:
    """Only the guards can see this: the server says nothing."""
    expected = company.expected_people()
    blind = opened(directory, "blind")
    assert set(expected) - set(read(blind)) == {f"uid=hidden,ou=hidden,ou=people,{BASE}"}
    blind.close()
    mailless = opened(directory, "mailless")
    assert {person.mail for person in read(mailless).values()} == {""}
    mailless.close()


def test_a_missing_base_is_told_with_its_name(directory: Slapd) -> None:
    error = failing(opened(directory, base=f"ou=Nowhere,{BASE}"))
    assert "noSuchObject (32)" in error.what
    assert "ou=Nowhere" in error.what
    assert "check `base`" in error.hint


def test_a_wrong_password_costs_one_bind_a_run(directory: Slapd) -> None:
    before = directory.log().count(" BIND dn=")
    source = opened(
        directory, urls=[directory.url, f"ldap://localhost:{directory.port}"], bind_password="wrong"
    )
    with pytest.raises(SourceError, match="invalidCredentials"):
        list(source.people())
    groups = source.groups()
    assert groups is not None
    with pytest.raises(SourceError, match="invalidCredentials") as caught:
        list(groups)
    source.close()
    assert caught.value.where == f"source hq, {directory.url}"
    assert "wrong" not in str(caught.value)
    # The server's log has one line for the request and one for its mechanism when it succeeds.
    assert directory.log().count(" BIND dn=") == before + 1


def test_the_next_server_is_asked_when_one_is_down(directory: Slapd) -> None:
    people = {"logon": "{{ uid }}", "domain": "A", "filter": "(uid=p0001*)"}
    source = opened(directory, urls=["ldap://127.0.0.1:1", directory.url], people=people)
    feed = source.people()
    assert sum(len(batch.rows) for batch in feed) == 10
    assert feed.proof().detail.startswith(directory.url)
    source.close()


def test_too_many_entries_and_too_many_bytes_end_the_read(directory: Slapd) -> None:
    assert "5,000 entries" in failing(opened(directory, max_entries=5000)).what
    assert "bytes allowed" in failing(opened(directory, max_bytes=2_000_000)).what


def test_stop_is_seen_between_pages(directory: Slapd) -> None:
    source = opened(directory)
    batches = iter(source.people())
    next(batches)
    source._stop.set()
    with pytest.raises(Stopped):
        next(batches)
    source.close()


def test_a_pass_that_is_left_early_does_not_disturb_the_next(directory: Slapd) -> None:
    source = opened(directory)
    batches = iter(source.people())
    next(batches)
    batches.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(read_groups(source)) == len([dn for dn, _ in company.groups() if "cn=Print-" in dn])
    source.close()


def test_probe_shows_the_server_and_ten_people(directory: Slapd) -> None:
    source = opened(directory)
    seen = source.probe()
    source.close()
    assert (seen.server, seen.tls, seen.certificate_ends, seen.pages) == (directory.url, "", None, True)
    assert seen.attributes == tuple(PEOPLE)
    assert len(seen.people.rows) == 10
