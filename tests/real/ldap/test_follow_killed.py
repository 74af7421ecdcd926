"""A run that follows is killed before each transaction and message: no change is lost, and none believed too early."""

from __future__ import annotations

import signal
import subprocess

import pytest
from tests.cli.kit import PATIENCE, PROGRAM, environment
from tests.kill.programs import quick_place
from tests.real.ldap.follow_kit import following, generous, proven
from tests.real.ldap.runs_kit import GROUPS, PEOPLE, Site, added, change, joins, p, person, replaced
from tests.real.ldap.test_cookie import acknowledged, cookies
from tests.real.slapd import Slapd

FLOOR1 = f"cn=Print-Floor1,{GROUPS}"
LEAST = {"fdatasync": 8, "sendto": 10}  # so many calls a run must have: else the set of calls would be wrong
MOST = 60


@pytest.mark.slow
@pytest.mark.parametrize("calls", LEAST)
def test_killed_at_each(directory: Slapd, calls: str) -> None:
    """Somebody's address changes, and somebody is new and in a group: two requests."""
    with quick_place() as place, following(place, directory, guards=generous()) as site:
        for number in range(1, MOST):
            before = cookies(site)
            logon = f"{calls}-{number}"
            mail, new = f"{logon}@acme.example", f"uid={logon},{PEOPLE}"
            moved = replaced(p(12), "mail", mail)
            change(directory, joins(new, person(logon)), moved, added(FLOOR1, "member", new))
            died = killed_at(site, calls, number)
            for one in ("p12", logon):
                if acknowledged(site, one) == [(mail, "active")]:
                    assert site.users()[f"acme//{one}"]["Email"] == mail, "acknowledged, and not there"
            if cookies(site) != before:
                assert acknowledged(site, logon) == acknowledged(site, "p12") == [(mail, "active")]
                assert f"acme//{logon}" in site.members()["Print-Floor1"], "the cookie was too early"
            site.one(code=0)
            assert site.users()["acme//p12"]["Email"] == site.users()[f"acme//{logon}"]["Email"] == mail
            assert f"acme//{logon}" in site.members()["Print-Floor1"]
            if not died:
                break
        proven(site)
    assert LEAST[calls] <= number < MOST - 1


def killed_at(site: Site, calls: str, number: int) -> bool:
    """Whether a run reached the n-th of these calls, and was killed as it entered it; strace counts by thread."""
    inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:signal=KILL:when={number}"]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", *inject, *PROGRAM, "run", "--once", "--json"],
        cwd=site.directory, env={**environment(), "ROSTERD_CONFIG": str(site.config)},
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
    return done.returncode != 0
