"""The fault table's row 47 over runs: a password that is refused is not tried with every run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.cli.files import people
from tests.cli.kit import Office
from tests.fakeldap import Fake, Peer, Request, done, entry, serving

from rosterd.comeback import FIRST, LONGEST, pause_after

BASE = "dc=acme,dc=example"


def ana(peer: Peer, request: Request) -> None:
    peer.send(entry(request.id, f"uid=ana,{BASE}", {"uid": ["ana"], "cn": ["Ana"]}) + done(request.id))


@pytest.fixture
def refusing() -> Iterator[Fake]:
    """A directory that refuses our password."""
    with serving(ana, bind=49) as fake:
        yield fake


@pytest.fixture
def reading(office: Office, refusing: Fake) -> Office:
    """acme reads that directory, and a file beside it."""
    source = {
        "kind": "ldap", "urls": [refusing.url], "base": BASE, "bind_dn": f"cn=reader,{BASE}",
        "bind_password": "n0t-the-one", "allow_cleartext": True,
        "people": {"logon": "{{ uid }}", "domain": "ACME", "name": "{{ cn }}"},
    }  # fmt: skip
    office.set(customers={"acme": {"sources": {"hq": source}, "precedence": ["hq", "hr"]}})
    return office


def sooner(office: Office, seconds: float) -> None:
    """As if the pause that the ledger keeps ended so much earlier."""
    with closing(sqlite3.connect(office.ledger)) as ledger, ledger:
        for name, value in list(ledger.execute("SELECT name, value FROM meta WHERE name LIKE 'wait:%'")):
            since, until, times = json.loads(value)
            moved = json.dumps([since, until - seconds, times])
            ledger.execute("UPDATE meta SET value = ? WHERE name = ?", (moved, name))


def test_fault_47_back_off_over_runs(reading: Office, refusing: Fake) -> None:
    """Once a run, three times; then only after a pause that grows. The other source goes on."""
    for tries in (1, 2, 3):
        part = reading.one(code=5)
        assert refusing.binds == tries and "invalidCredentials" in part["reason"]
    reading.put(people("ana", "bruno", "carlos", "dora", "egon", "flora"))
    part = reading.one(code=5)
    assert refusing.binds == 3 and "3 times in a row" in part["reason"] and "rosterd check" in part["reason"]
    assert "n0t-the-one" not in part["reason"] and "ndd//flora" in reading.users()
    sooner(reading, FIRST + 1)
    reading.one(code=5)
    assert refusing.binds == 4
    sooner(reading, FIRST + 1)
    assert "4 times in a row" in reading.one(code=5)["reason"] and refusing.binds == 4
    sooner(reading, FIRST)
    refusing.bind = 0
    reading.one(code=0)
    refusing.bind = 49
    for _ in range(3):
        assert "invalidCredentials" in reading.one(code=5)["reason"], "what was refused before is forgiven"
    assert refusing.binds == 8


def test_fault_47_new_settings_are_tried_at_once(reading: Office, refusing: Fake) -> None:
    for _ in range(4):
        reading.one(code=5)
    assert refusing.binds == 3
    refusing.bind = 0
    reading.set(customers={"acme": {"sources": {"hq": {"bind_password": "the-one"}}}})
    reading.one(code=0)
    assert refusing.binds == 4 and "acme//ana" in reading.users()


def test_fault_47_somebody_who_looks_is_not_put_off(reading: Office, refusing: Fake) -> None:
    for _ in range(4):
        reading.one(code=5)
    for tries, verb in ((4, "plan"), (5, "check")):
        result = reading.do(verb)
        assert result.code == 5 and "invalidCredentials" in result.said and refusing.binds == tries, verb


def test_pauses_grow_to_a_bound() -> None:
    pauses = [pause_after(count) for count in range(1, 40)]
    assert pauses[:5] == [0, 0, FIRST, 2 * FIRST, 4 * FIRST] and pauses[-1] == LONGEST


def test_fault_47_one_account_for_two_sources_is_tried_once_a_run(reading: Office, refusing: Fake) -> None:
    """Several branches of a directory are several sources with one account, which two tries a run would lock."""
    first = reading.settings["customers"]["acme"]["sources"]["hq"]
    branch = first | {"base": f"ou=branch,{BASE}"}
    reading.set(customers={"acme": {"sources": {"branch": branch}, "precedence": ["hq", "branch", "hr"]}})
    for tries in (1, 2, 3):
        part = reading.one(code=5)
        assert refusing.binds == tries and part["reason"].count("invalidCredentials") == 2
    assert reading.one(code=5)["reason"].count("3 times in a row") == 2 and refusing.binds == 3
    first["bind_password"] = branch["bind_password"] = "another-0ne"
    reading.set(
        customers={"acme": {"sources": {"hq": first, "branch": branch | {"bind_dn": f"cn=other,{BASE}"}}}}
    )
    reading.one(code=5)
    assert refusing.binds == 5, "two accounts"
