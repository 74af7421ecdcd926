"""The cookie and the acknowledgements: whenever a run dies, no change is lost, and none is sent twice."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.cli.service_kit import service
from tests.real.ldap.follow_kit import following, generous, proven, read_whole
from tests.real.ldap.runs_kit import (
    GROUPS,
    PEOPLE,
    Site,
    added,
    change,
    hq,
    joins,
    leaves,
    p,
    person,
    replaced,
)
from tests.real.slapd import Slapd

from rosterd.errors import Stopped
from rosterd.ledger.sqlite import SqliteLedger

FLOOR1 = f"cn=Print-Floor1,{GROUPS}"


class Died(BaseException):
    """The process is gone: nothing after this is done, and nobody cleans up."""


def cookies(site: Site) -> list[Any]:
    """The server's own part of what is kept."""
    with closing(apsw.Connection(str(site.ledger))) as ledger:
        rows = ledger.execute("SELECT cookie FROM followed").fetchall()
    return [watch[-1] for (text,) in rows for watch in json.loads(str(text))["watches"]]


def dies(site: Site, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """A run whose process ends as it comes to this step of the ledger."""

    def die(*_arguments: Any, **_more: Any) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(SqliteLedger, step, die)
        with pytest.raises(Died):
            site.do("run", "--once", "--json")


def changed(directory: Slapd, word: str, number: int) -> None:
    """Somebody is new, somebody has gone, somebody has another address, and the new one joins a group: two requests."""
    new = f"uid=new-{word},{PEOPLE}"
    change(
        directory,
        joins(new, person(f"new-{word}")),
        leaves(p(number)),
        replaced(p(12), "mail", f"{word}@acme.example"),
        added(FLOOR1, "member", new),
    )


def acknowledged(site: Site, logon: str) -> list[Any]:
    """What the ledger says of somebody."""
    with closing(apsw.Connection(str(site.ledger))) as ledger:
        return list(ledger.execute("SELECT email, state FROM person WHERE logon = ?", (logon,)))


@pytest.mark.parametrize(
    ("step", "number"), [("keep_edges", 30), ("forget_holds", 31), ("tell", 32), ("finish_run", 33)]
)
def test_a_run_that_dies_after_the_last_acknowledgement(
    tmp_path: Path, directory: Slapd, monkeypatch: pytest.MonkeyPatch, step: str, number: int
) -> None:
    """Everything is delivered and acknowledged, and the cookie has moved; what is noted beside it is not there yet."""
    word = step.replace("_", "-")
    with following(tmp_path, directory, guards=generous()) as site:
        before = cookies(site)
        changed(directory, word, number)
        dies(site, monkeypatch, step)
        assert cookies(site) != before
        assert site.users()["acme//p12"]["Email"] == f"{word}@acme.example", "it was delivered"
        site.forget_requests()
        part = read_whole(site, code=0)
        assert site.requests("/v1/") == [], "it was acknowledged, and is not sent again"
        assert {part["people"][bucket] for bucket in ("created", "updated", "gone")} == {0}
        proven(site)


def test_the_cookie_and_the_last_acknowledgement_are_kept_together_or_not_at_all(
    tmp_path: Path, directory: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies within the transaction that holds both: of two requests only the first one counts."""
    with following(tmp_path, directory, guards=generous()) as site:
        before = cookies(site)
        changed(directory, "both", 34)
        dies(site, monkeypatch, "_followed")
        assert cookies(site) == before
        assert acknowledged(site, "new-both") == [("new-both@acme.example", "active")], "people went first"
        assert "acme//new-both" in site.members()["Print-Floor1"], "it was delivered all the same"
        part = read_whole(site, code=0)
        assert part["people"]["created"] == part["people"]["updated"] == 0
        assert part["seats"]["created"] == 1, "what was not acknowledged is sent again"
        assert cookies(site) != before
        proven(site)


@pytest.mark.parametrize("refused", [False, True], ids=["accepted", "refused"])
def test_the_cookie_waits_for_the_last_of_several_answers(
    tmp_path: Path, directory: Slapd, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    """Whether the last one accepts or refuses."""
    word, number = ("no", 35) if refused else ("yes", 36)
    with following(tmp_path, directory, guards=generous()) as site:
        before = cookies(site)
        changed(directory, word, number)
        if refused:
            site.fault("refuse", grouping="Print-Floor1")
        seen: list[Any] = []
        acknowledge = SqliteLedger.acknowledge

        def watching(ledger: SqliteLedger, *arguments: Any, **more: Any) -> None:
            acknowledge(ledger, *arguments, **more)
            seen.append(cookies(site))

        with monkeypatch.context() as patch:
            patch.setattr(SqliteLedger, "acknowledge", watching)
            assert site.do("run", "--once", "--json").code == (3 if refused else 0)
        assert seen == [before, cookies(site)] and cookies(site) != before
        site.calm()
        proven(site)


def test_a_run_that_is_stopped_after_the_last_acknowledgement(
    tmp_path: Path, directory: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cookie has moved, but not everything beside it was noted: so everything is read."""

    def stop(*_arguments: Any) -> None:
        raise Stopped("stopped")

    with following(tmp_path, directory, guards=generous()) as site:
        before = cookies(site)
        changed(directory, "stop", 38)
        with monkeypatch.context() as patch:
            patch.setattr(SqliteLedger, "keep_edges", stop)
            assert site.do("run", "--once", "--json").code == 0
        assert cookies(site) != before
        read_whole(site, code=0)
        proven(site)


def test_where_nothing_had_to_be_sent_the_cookie_moves_with_the_end_of_the_run(
    tmp_path: Path, directory: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(tmp_path, directory, guards=generous()) as site:
        before = cookies(site)
        change(directory, leaves(p(37)))
        dies(site, monkeypatch, "finish_run")
        assert cookies(site) == before
        read_whole(site, code=0)
        assert cookies(site) != before
        proven(site)


def test_a_pilot_does_not_hide_that_a_run_was_cut_off(
    tmp_path: Path, directory: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(tmp_path, directory, guards=generous()) as site:
        changed(directory, "pilot", 39)
        dies(site, monkeypatch, "tell")
        assert site.do("run", "--once", "--only", "p12").code == 0
        read_whole(site, code=0)
        proven(site)


def test_the_service_makes_up_for_a_run_that_was_cut_off(
    tmp_path: Path, directory: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the directory has nothing more to tell, and no run is due."""
    source = hq(directory.url, follow=True, follow_every="200ms")
    with following(tmp_path, directory, source, guards=generous(), schedule="0 0 1 1 *") as site:
        changed(directory, "service", 28)
        dies(site, monkeypatch, "keep_edges")
        with service(site) as running:
            assert running.wait("run_ended")["exit_code"] == 0
            running.stop()
        proven(site)
