"""Following when things go wrong: whatever breaks, the worst that happens is a full read."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.kit import PATIENCE
from tests.cli.service_kit import service
from tests.real.ldap.follow_kit import (
    SESSION_LOG,
    followed,
    following,
    forget_cookie,
    generous,
    loaded,
    proven,
    read_whole,
    rules,
    state,
)  # fmt: skip
from tests.real.ldap.runs_kit import (
    BRANCH,
    GROUPS,
    PEOPLE,
    SMALL_RULES,
    Site,
    added,
    change,
    hq,
    joins,
    leaves,
    opened,
    p,
    person,
    removed,
    renamed,
    replaced,
    small,
)  # fmt: skip
from tests.real.relay import Relay, relaying
from tests.real.slapd import Slapd, load, running

FLOOR1, INNER = f"cn=Print-Floor1,{GROUPS}", f"cn=inner,{GROUPS}"
LONG = 3 * PATIENCE  # seconds a slow machine may take for what takes one
NEVER: dict[str, Any] = {"schedule": "0 0 1 1 *"}  # of the service: nothing but following may bring a change


@pytest.fixture
def site(directory: Slapd, tmp_path: Path) -> Iterator[Site]:
    with following(tmp_path, directory, guards=generous()) as site:
        yield site


@contextmanager
def relayed(folder: Path, slapd: Slapd, **more: Any) -> Iterator[tuple[Site, Relay]]:
    """An office that follows through a relay, whose server may be another one after a while."""
    with (
        relaying("127.0.0.1", slapd.port) as relay,
        following(folder, slapd, hq(relay.url, follow=True, **more), guards=generous(), **NEVER) as site,
    ):
        yield site, relay


def sql(site: Site, statement: str, *values: Any) -> list[Any]:
    with closing(apsw.Connection(str(site.ledger))) as ledger:
        return list(ledger.execute(statement, values))


def until(holds: Callable[[], object]) -> None:
    ends = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.05)


# The cookie is doubted


def _other_cookie(site: Site, turn: Callable[[bytes], bytes]) -> None:
    ((text,),) = sql(site, "SELECT cookie FROM followed")
    kept = json.loads(text)
    for watch in kept["watches"]:
        watch[4] = base64.b64encode(turn(base64.b64decode(watch[4]))).decode()
    sql(site, "UPDATE followed SET cookie = ?", json.dumps(kept))


@pytest.mark.parametrize(
    "turn",
    [
        pytest.param(lambda _: b"garbage", id="garbage"),
        pytest.param(lambda _: b"rid=000,csn=", id="half of one"),
        pytest.param(lambda cookie: cookie.replace(b"csn=20", b"csn=19"), id="a very old one"),
        pytest.param(lambda cookie: cookie.replace(b"csn=20", b"csn=29"), id="one from the future"),
        pytest.param(lambda _: bytes(range(1, 256)) * 20, id="a long one"),
    ],
)
def test_a_cookie_that_the_server_does_not_know_loses_nothing(
    site: Site, turn: Callable[[bytes], bytes]
) -> None:
    mail = f"{time.monotonic_ns()}@acme.example"
    change(site.slapd, replaced(p(4), "mail", mail), leaves(p(39)))
    _other_cookie(site, turn)
    part = site.one(code=0)
    change(site.slapd, joins(p(39), person("p39")))  # as it was, for the others
    assert part["people"]["gone"] == 1
    assert site.users()["acme//p04"]["Email"] == mail
    site.run(code=0)
    proven(site)
    followed(site)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE followed SET cookie = 'x'", "not readable"),
        ("UPDATE followed SET cookie = '{}'", "not readable"),
        ("UPDATE followed SET cookie = replace(cookie, '127.0.0.1', '127.0.0.2')", "answers instead of"),
        ("UPDATE followed SET compared = compared + 9999", "the clock was put back"),
        ("UPDATE followed SET compared = compared - 90000", "a full read is due"),
        ("UPDATE followed SET settings = 'others'", "the settings of the source are other ones"),
        ("DELETE FROM followed", "there is nothing to go on from"),
        ("UPDATE person SET state = 'doubt' WHERE logon = 'p01'", "in doubt"),
        ("UPDATE run SET ended = NULL, exit_code = NULL", "the last run did not end well"),
    ],
)
def test_whatever_leaves_a_doubt_has_everything_read(site: Site, statement: str, reason: str) -> None:
    sql(site, statement)
    result = site.do("run", "--once", "--json", "-v")
    part = result.document["customers"]["acme"]
    assert result.code == 0
    assert (part.get("followed"), part["people"]["read"]) == (None, part["people"]["read"] or 1)
    assert reason in next(line for line in result.err.splitlines() if "everything_is_read" in line)
    proven(site)
    followed(site)


def test_too_many_changes_have_everything_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rosterd.following.MOST", 3)
    change(site.slapd, *[replaced(p(n), "sn", str(time.monotonic_ns())) for n in range(3)])
    followed(site)
    change(site.slapd, *[replaced(p(n), "sn", str(time.monotonic_ns())) for n in range(4)])
    read_whole(site, 0)
    proven(site)


# The server


def test_a_server_that_tells_nothing_is_read_whole_each_time(tmp_path: Path) -> None:
    load(tmp_path / "server", small(), SMALL_RULES)
    with running(tmp_path / "server", log="none") as slapd, following(tmp_path / "office", slapd) as site:
        change(slapd, replaced(p(1), "mail", "other@acme.example"))
        result = site.do("run", "--once", "--json")
        assert result.document["customers"]["acme"]["people"]["updated"] == 1
        told = [line for line in result.err.splitlines() if "not_followed" in line]
        assert len(told) == 1
        assert "unavailableCriticalExtension (12)" in told[0]


def test_an_account_with_a_size_limit_is_told_so_and_read_whole(tmp_path: Path) -> None:
    limited = rules().replace("size=unlimited", "size.soft=20 size.hard=20 size.prtotal=unlimited")
    load(tmp_path / "server", small(), limited, modules=["syncprov"])
    with running(tmp_path / "server", log="none") as slapd, following(tmp_path / "office", slapd) as site:
        result = site.do("run", "--once", "--json")
        assert result.document["customers"]["acme"]["people"]["read"] == 53
        assert "sizeLimitExceeded (4)" in next(
            line for line in result.err.splitlines() if "not_followed" in line
        )


@pytest.mark.parametrize("log", [SESSION_LOG, ""], ids=["with a log of sessions", "without"])
def test_a_server_that_was_started_anew(tmp_path: Path, log: str) -> None:
    loaded(tmp_path / "server", log)
    with (
        running(tmp_path / "server", log="none") as first,
        relayed(tmp_path / "office", first) as (site, relay),
    ):
        change(first, joins(f"uid=one,{PEOPLE}", person("one")), leaves(p(30)))
        first.process.terminate()
        first.process.wait(PATIENCE)
        with running(tmp_path / "server", log="none") as second:
            relay.far = ("127.0.0.1", second.port)
            site.slapd = second
            change(second, leaves(p(31)), replaced(p(32), "mail", "new@acme.example"))
            part = site.one(code=0)
            assert (part["people"]["created"], part["people"]["updated"], part["people"]["gone"]) == (1, 1, 2)
            proven(site)
            change(second, leaves(p(33)))
            assert followed(site)["people"]["gone"] == 1
            proven(site)


def _copy(source: Path, target: Path) -> None:
    """With its holes: a database of slapd is two gigabytes of mostly nothing."""
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)


@pytest.mark.parametrize("log", [SESSION_LOG, ""], ids=["with a log of sessions", "without"])
@pytest.mark.parametrize("at_once", [True, False], ids=["seen at once", "after another change"])
def test_an_older_database_that_was_put_back(tmp_path: Path, log: str, at_once: bool) -> None:
    folder = tmp_path / "server"
    loaded(folder, log)
    with running(folder, log="none") as first:
        change(first, replaced(p(1), "mail", "old@acme.example"))
    _copy(folder / "data", tmp_path / "older")
    with running(folder, log="none") as second, relayed(tmp_path / "office", second) as (site, relay):
        change(
            second, joins(f"uid=lost,{PEOPLE}", person("lost")), replaced(p(1), "mail", "new@acme.example")
        )
        followed(site)
        assert site.users()["acme//p01"]["Email"] == "new@acme.example"
        second.process.terminate()
        second.process.wait(PATIENCE)
        shutil.rmtree(folder / "data")
        _copy(tmp_path / "older", folder / "data")
        with running(folder, log="none") as third:
            relay.far = ("127.0.0.1", third.port)
            site.slapd = third
            if not at_once:
                change(third, replaced(p(2), "mail", "after@acme.example"))
            part = read_whole(site, 0)
            assert part["people"]["gone"] == 1
            assert site.users()["acme//p01"]["Email"] == "old@acme.example"
            change(third, replaced(p(1), "mail", "newest@acme.example"))
            site.run()
            proven(site)


@pytest.mark.parametrize("messages", [1, 2, 3, 5, 7])
def test_an_answer_that_is_cut_off_concludes_nothing(tmp_path: Path, directory: Slapd, messages: int) -> None:
    with relayed(tmp_path, directory) as (site, relay):
        change(directory, replaced(p(6), "mail", f"{time.monotonic_ns()}@acme.example"), leaves(p(38)))
        before = state(site)
        passed = 0

        def spoil(message: bytes, _entries: int) -> bytes | None:
            nonlocal passed
            passed += 1
            return message if passed <= messages else None

        relay.spoil = spoil
        assert site.one()["exit_code"] == 5
        relay.spoil = None
        after = state(site)
        assert before["person"] == after["person"]
        site.run(code=0)
        change(directory, joins(p(38), person("p38")))
        site.run(code=0)
        proven(site)


# The guard


def test_removals_are_guarded_and_many_small_ones_together(tmp_path: Path, directory: Slapd) -> None:
    guards = {"first_run": "go", "leavers": {"percent": 10, "count": 50, "at_least": 2}}
    gone = [p(number) for number in range(20, 27)]
    try:
        with following(tmp_path, directory, guards=guards) as site:
            change(directory, *map(leaves, gone[:3]))
            assert followed(site)["people"]["gone"] == 3
            change(directory, leaves(gone[3]), leaves(gone[4]))
            assert followed(site)["people"]["gone"] == 2
            change(directory, leaves(gone[5]))
            part = followed(site, 4)
            assert "6 of" in part["reason"]
            assert f"acme//{gone[5][4:7]}" in {row[0].decode().replace("\0", "//") for row in _active(site)}
            assert read_whole(site)["exit_code"] == 0  # alone it is no more than anybody's leaving
            proven(site)
    finally:
        change(directory, *[joins(dn, person(dn[4:7])) for dn in gone[:6]])


def _active(site: Site) -> list[Any]:
    return [row for row in state(site)["person"] if row[-1] == "active"]


def test_a_plan_is_made_of_everything(site: Site) -> None:
    change(site.slapd, replaced(p(7), "mail", f"{time.monotonic_ns()}@acme.example"))
    before = sql(site, "SELECT cookie FROM followed")
    plan = site.plan()
    assert plan["people"]["read"] >= 52
    assert len(plan["changes"]) == 1
    assert sql(site, "SELECT cookie FROM followed") == before
    assert followed(site)["plan"] == plan["digest"]


# Any sequence

_NUMBERS = st.integers(0, 9)
_KINDS = ("come", "go", "mail", "rename", "join", "leave", "inside", "outside", "twin", "alone", "run")
_STEPS = st.tuples(st.sampled_from(_KINDS), _NUMBERS)


class Model:
    """What the directory holds of ten people that come and go, so that only possible changes are made."""

    def __init__(self) -> None:
        self.there: dict[int, str] = {}
        self.members: set[int] = set()
        self.inside: set[int] = set()
        self.twins: set[int] = set()

    def dn(self, number: int) -> str:
        return f"uid={self.there.get(number, f'h{number}')},{PEOPLE}"

    def step(self, kind: str, number: int) -> str:
        """A change in LDIF, "" when there is nothing to change."""
        there = number in self.there
        match kind:
            case "come" if not there:
                self.there[number] = f"h{number}"
                return joins(self.dn(number), person(f"h{number}"))
            case "go" if there:
                change = leaves(self.dn(number))
                del self.there[number]
                return change
            case "mail" if there:
                return replaced(self.dn(number), "mail", f"{time.monotonic_ns()}@acme.example")
            case "rename" if there:
                old = self.dn(number)
                self.there[number] = f"h{number}" if self.there[number] != f"h{number}" else f"H{number}x"
                return renamed(old, f"uid={self.there[number]}")
            case "join" if number not in self.members:
                self.members.add(number)
                return added(FLOOR1, "member", f"uid=h{number},{PEOPLE}")
            case "leave" if number in self.members:
                self.members.discard(number)
                return removed(FLOOR1, "member", f"uid=h{number},{PEOPLE}")
            case "inside" if number not in self.inside:
                self.inside.add(number)
                return added(INNER, "member", f"uid=h{number},{PEOPLE}")
            case "outside" if number in self.inside:
                self.inside.discard(number)
                return removed(INNER, "member", f"uid=h{number},{PEOPLE}")
            case "twin" if number not in self.twins:
                self.twins.add(number)
                return joins(f"uid=h{number},{BRANCH}", person(f"h{number}"))
            case "alone" if number in self.twins:
                self.twins.discard(number)
                return leaves(f"uid=h{number},{BRANCH}")
        return ""


def test_after_any_sequence_the_state_is_that_of_a_full_read(directory: Slapd, tmp_path: Path) -> None:
    model = Model()
    with following(tmp_path, directory, guards=generous()) as site:

        @settings(
            max_examples=int(os.environ.get("FOLLOWED_EXAMPLES", "5")), deadline=None, derandomize=True, database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )  # fmt: skip
        @given(st.lists(_STEPS, min_size=3, max_size=12))
        def story(steps: list[tuple[str, int]]) -> None:
            for kind, number in steps:
                if kind == "run":
                    site.run()
                elif changes := model.step(kind, number):
                    change(directory, changes)
            followed(site, None)
            proven(site)

        story()


# The service


def _has_mail(site: Site, who: str, mail: str) -> bool:
    return site.users()[who].get("Email") == mail


def test_a_change_flows_within_seconds_and_an_idle_second_leaves_no_trace(
    tmp_path: Path, directory: Slapd
) -> None:
    source = hq(directory.url, follow=True, follow_every="200ms")
    with following(tmp_path, directory, source, guards=generous(), **NEVER) as site, service(site) as running:
        for number in range(2):
            mail = f"{time.monotonic_ns()}@acme.example"
            change(directory, replaced(p(12), "mail", mail))
            until(partial(_has_mail, site, "acme//p12", mail))
            running.wait("run_ended", number + 1, LONG)
        runs = sql(site, "SELECT count(*) FROM run")
        time.sleep(1.5)  # some looks
        assert sql(site, "SELECT count(*) FROM run") == runs
        assert len(running.said("run_ended")) == 2
        assert running.said("directory connected", source="hq")
        running.stop()
        proven(site)


def test_the_service_goes_on_when_its_directory_was_away(tmp_path: Path, directory: Slapd) -> None:
    with relayed(tmp_path, directory, follow_every="200ms") as (site, relay), service(site) as running:
        relay.spoil = lambda _message, _entries: None
        running.wait("not_watched", seconds=LONG)
        mail = f"{time.monotonic_ns()}@acme.example"
        change(directory, replaced(p(13), "mail", mail))
        relay.spoil = None
        until(partial(_has_mail, site, "acme//p13", mail))
        running.stop()


def test_a_run_that_fails_does_not_go_on_from_what_it_read(tmp_path: Path, directory: Slapd) -> None:
    """The run after it would read everything anyhow; what is kept does not rely on that."""
    with following(tmp_path, directory, guards=generous(), **NEVER) as site:
        mail = f"{time.monotonic_ns()}@acme.example"
        before = sql(site, "SELECT cookie FROM followed")
        change(directory, replaced(p(14), "mail", mail))
        site.fault("status", path="users", status=403)
        site.run(code=6)
        assert sql(site, "SELECT cookie FROM followed") == before
        site.calm()
        site.run(code=0)
        assert site.users()["acme//p14"]["Email"] == mail
        assert sql(site, "SELECT cookie FROM followed") != before
        proven(site)


def test_killed_between_the_push_and_its_acknowledgement(tmp_path: Path, directory: Slapd) -> None:
    with following(tmp_path, directory, guards=generous(), **NEVER) as site:
        mail = f"{time.monotonic_ns()}@acme.example"
        before = sql(site, "SELECT cookie FROM followed")
        change(directory, replaced(p(14), "mail", mail), added(FLOOR1, "member", p(14)))
        site.forget_requests()
        site.fault("hang", path="users", seconds=60.0, applied=True)
        with site.started("run", "--once", "--json") as process:
            until(lambda: site.requests("/v1/"))
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)
        site.calm()
        assert sql(site, "SELECT cookie FROM followed") == before
        site.run(code=0)
        assert site.users()["acme//p14"]["Email"] == mail
        assert "acme//p14" in site.members()["Print-Floor1"]
        proven(site)
        change(directory, removed(FLOOR1, "member", p(14)))
        followed(site)


def test_forgetting_somebody_forgets_what_is_kept_of_the_directory(site: Site) -> None:
    change(site.slapd, leaves(p(29)))
    followed(site)
    assert site.do("forget", "p29", "--yes").code == 0
    assert [len(rows) for table, rows in state(site).items() if table.startswith("entry")] == [0, 0, 0]
    assert sql(site, "SELECT * FROM followed") == []
    change(site.slapd, joins(p(29), person("p29")))
    read_whole(site)
    forget_cookie(site)


# Where everybody must be known


def test_with_several_sources_a_change_has_everything_read_at_once(tmp_path: Path, directory: Slapd) -> None:
    sources = {
        "hq": hq(directory.url, follow=True, follow_every="200ms"),
        "hr": {
            "kind": "csv",
            "path": "acme.csv",
            "settle": "0s",
            "people": {"logon": "{{ logon }}", "domain": "OTHER", "name": "{{ name }}"},
        },
    }
    with opened(tmp_path, directory, sources=sources, guards=generous(), **NEVER) as site:
        site.put([("zoe", "Zoe", "zoe@acme.example")])
        site.run()
        with service(site) as running:
            mail = f"{time.monotonic_ns()}@acme.example"
            change(directory, replaced(p(15), "mail", mail))
            until(partial(_has_mail, site, "acme//p15", mail))
            running.wait("everything_is_read", seconds=LONG, reason="there are several sources")
            running.stop()
        assert read_whole(site, 0)["people"]["read"] > 50


def test_accounts_by_which_access_is_recognised_are_followed(tmp_path: Path, directory: Slapd) -> None:
    autodesk = {"client_id": "an-app", "client_secret": "a-canary-secret", "applications": []}
    with following(tmp_path, directory, guards=generous(), autodesk=autodesk) as site:
        accounts = "SELECT key, shown, name, emails, state, note, source FROM account ORDER BY key"
        entries = "SELECT entries FROM place WHERE kind = 'directory'"
        change(
            directory,
            replaced(p(16), "mail", f"{time.monotonic_ns()}@acme.example"),
            joins(f"uid=known,{PEOPLE}", person("known")),
            joins(f"uid=not fit,{PEOPLE}", person("not fit")),
        )
        part = site.one()
        assert part.get("followed"), part
        change(directory, leaves(f"uid=known,{PEOPLE}"), leaves(f"uid=not fit,{PEOPLE}"))
        assert site.one().get("followed")
        before = (sql(site, accounts), sql(site, entries))
        proven(site)
        assert (sql(site, accounts), sql(site, entries)) == before


def test_what_is_no_longer_followed_is_forgotten(site: Site) -> None:
    site.set(customers={"acme": {"sources": {"hq": {"follow": False}}}})
    assert site.do("status", "--json").document["customers"]["acme"]["following"]
    read_whole(site, 0)
    assert [len(rows) for table, rows in state(site).items() if table.startswith("entry")] == [0, 0, 0]
    assert sql(site, "SELECT * FROM followed") == []


def test_a_grouping_is_judged_by_all_of_its_people(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rosterd.plan_seats.MEMBERS", 11)  # as many as there are
    site.set(orbix={"membership": "unknown"})
    change(site.slapd, added(FLOOR1, "member", p(17)))
    part = followed(site, 3)
    assert (part["groups"]["set_aside"], part["seats"]["set_aside"]) == (1, 1)
    proven(site)
    change(site.slapd, removed(FLOOR1, "member", p(17)))
    read_whole(site, 0)
    proven(site)
