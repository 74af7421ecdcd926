"""The cookie and the acknowledgements: whenever a run dies, no change is lost, and none is sent twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.real.ldap.follow_kit import following, generous, proven, telling
from tests.real.ldap.runs_kit import GROUPS, PEOPLE, Site, added, change, joins, leaves, p, person, replaced
from tests.real.slapd import Slapd

from rosterd.ledger.sqlite import SqliteLedger

FLOOR1 = f"cn=Print-Floor1,{GROUPS}"


class Died(BaseException):
    """The process is gone: nothing after this is done, and nobody cleans up."""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with telling(tmp_path_factory.mktemp("slapd") / "server") as server:
        yield server


def cookies(site: Site) -> list[Any]:
    """The server's own part of what is kept."""
    with closing(apsw.Connection(str(site.ledger))) as ledger:
        rows = ledger.execute("SELECT cookie FROM followed").fetchall()
    return [watch[-1] for (text,) in rows for watch in json.loads(str(text))["watches"]]


@pytest.mark.parametrize("step", ["tell", "finish_run"])
def test_a_run_that_dies_after_the_last_acknowledgement(
    tmp_path: Path, directory: Slapd, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Everything is delivered and acknowledged; what is told of it, and the cookie, are not written down yet."""
    new, gone = f"uid=new-{step},{PEOPLE}".replace("_", "-"), p(30 if step == "tell" else 31)
    with following(tmp_path, directory, guards=generous()) as site:
        before = cookies(site)
        change(
            directory,
            joins(new, person(new[4:].partition(",")[0])),
            leaves(gone),
            replaced(p(12), "mail", f"{step}@acme.example"),
            added(FLOOR1, "member", new),
        )

        def die(*_arguments: Any, **_more: Any) -> None:
            raise Died

        with monkeypatch.context() as patch:
            patch.setattr(SqliteLedger, step, die)
            with pytest.raises(Died):
                site.do("run", "--once", "--json")
        assert cookies(site) == before
        assert site.users()["acme//p12"]["Email"] == f"{step}@acme.example", "it was delivered"
        site.forget_requests()
        part = site.one(code=0)
        assert site.requests("/v1/") == [], "it was acknowledged, and is not sent again"
        assert {part["people"][bucket] for bucket in ("created", "updated", "gone")} == {0}
        assert cookies(site) != before
        proven(site)
