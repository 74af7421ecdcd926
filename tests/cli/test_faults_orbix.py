"""The fault table's rows about Orbix: what goes wrong on the way to it, and what each must lead to.

Every test sets a fault, runs, checks code, sandbox and words, takes the fault away and sees the next run mend all.
"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from tests.cli.files import people
from tests.cli.kit import Office

FIVE = ("ana", "bruno", "carlos", "dora", "egon")


@pytest.fixture
def quick(office: Office) -> Office:
    """Short waits: two tries, a second each."""
    office.set(orbix={"timeout": "800ms", "attempts": 2})
    return office


def fails(office: Office, *words: str, code: int = 6) -> dict[str, Any]:
    """A run that fails and records nothing; the same must go out again and then be right."""
    result = office.do("run", "--once", "--json")
    part: dict[str, Any] = result.document["customers"]["acme"]
    assert result.code == code, result.said
    assert part["people"]["created"] == 0 and part["people"]["unsent"] == part["people"]["read"]
    assert part["outcome"] == "failed"
    missing = [word for word in words if word.lower() not in part["reason"].lower()]
    assert not missing, (missing, part["reason"])
    assert str(office.server.port) in part["reason"], f"names the place: {part['reason']}"
    assert re.search(r"\([a-z][^()]{9,}", part["reason"]), f"names the next step: {part['reason']}"
    mends(office)
    return part


def mends(office: Office) -> None:
    """Without faults, the next run delivers what was not acknowledged, and the one after it nothing."""
    office.calm()
    office.forget_requests()
    office.one(code=0)
    assert office.users().keys() == {f"ndd//{logon}" for logon in FIVE}
    assert sum(entry["records"] for entry in office.requests("users")) == 5, "not acknowledged, so sent again"
    assert office.one(code=0)["requests"] == 0


def survives(office: Office) -> dict[str, Any]:
    """A run that overcomes a fault that strikes once."""
    part = office.one(code=0)
    assert part["people"]["created"] == 5 and len(office.users()) == 5
    assert office.one(code=0)["requests"] == 0
    return part


ONCE = [
    ("reset_at_accept", {}),
    ("reset", {"how": "rst"}),
    ("reset", {"how": "fin"}),
    ("reset", {"how": "rst", "applied": True}),
    ("truncate", {"part": "header"}),
    ("truncate", {"part": "body"}),
    ("truncate", {"part": "chunked", "applied": True}),
    ("garbage", {}),
    ("lengths", {}),
    ("status", {"status": 500}),
    ("status", {"status": 503, "applied": True}),
    ("status", {"status": 409}),
    ("odd", {"body": "empty", "applied": True}),
    ("odd", {"body": "unknown_user"}),
]


@pytest.mark.parametrize(("kind", "settings"), ONCE)
def test_faults_1_to_15_that_strike_once_are_overcome(
    quick: Office, kind: str, settings: dict[str, Any]
) -> None:
    where = {} if kind == "reset_at_accept" else {"path": "users"}
    fault = quick.fault(kind, times=1, **where, **settings)
    survives(quick)
    assert fault.hits == 1
    bodies = [entry["digest"] for entry in quick.requests("/v1/users")]
    assert len(set(bodies)) == 1, "the same body again"


def test_fault_01_refused_at_accept(quick: Office) -> None:
    fault = quick.fault("reset_at_accept")
    fails(quick, "connection")
    assert 2 <= fault.hits <= 4


def test_fault_01_nothing_listens(quick: Office) -> None:
    """A port that was free a moment ago."""
    base, token = quick.server.base_url, quick.server.token_url
    quick.set(orbix={"base_url": "http://127.0.0.1:9/api", "token_url": "http://127.0.0.1:9/token"})
    part = quick.one(code=6)
    assert "127.0.0.1:9" in part["reason"] and "server up" in part["reason"]
    quick.set(orbix={"base_url": base, "token_url": token})


@pytest.mark.parametrize("how", ["rst", "fin"])
@pytest.mark.parametrize("applied", [False, True])
def test_fault_02_connection_lost_after_sending(quick: Office, how: str, applied: bool) -> None:
    fault = quick.fault("reset", how=how, applied=applied, path="users")
    fails(quick, "/v1/users")
    assert fault.hits == 2, "within the number of tries"


@pytest.mark.parametrize("applied", [False, True])
def test_fault_03_no_answer_in_time(quick: Office, applied: bool) -> None:
    quick.fault("hang", seconds=20, applied=applied, path="users")
    begun = time.monotonic()
    fails(quick, "in time", "timeout")
    assert time.monotonic() - begun < 8


def test_fault_06_a_body_that_drips(quick: Office) -> None:
    quick.set(orbix={"attempts": 1})
    quick.fault("drip", rate=200, size=40_000, path="users")
    begun = time.monotonic()
    fails(quick, "in time")
    assert time.monotonic() - begun < 6, "cut at the total deadline, however steadily it drips"


@pytest.mark.parametrize("part", ["header", "body", "chunked"])
def test_fault_07_cut_short(quick: Office, part: str) -> None:
    quick.fault("truncate", part=part, path="users", applied=True)
    fails(quick, "/v1/users")


@pytest.mark.parametrize("kind", ["garbage", "lengths"])
def test_fault_08_not_http(quick: Office, kind: str) -> None:
    quick.fault(kind, path="users")
    fails(quick, "/v1/users")


def test_fault_09_200_instead_of_201(quick: Office) -> None:
    quick.fault("status", status=200, body=[], path="users")
    fails(quick, "200")


@pytest.mark.parametrize("body", ["empty", "null", "object", "html", "text"])
def test_fault_10_201_with_an_odd_body(quick: Office, body: str) -> None:
    quick.fault("odd", body=body, path="users")
    result = quick.do("run", "--once", "-v")
    assert result.code == 6 and "sha256" in result.err and "Maintenance" not in result.said, result.said
    mends(quick)


def test_fault_11_204(quick: Office) -> None:
    quick.fault("status", status=204, path="users")
    fails(quick, "204")


@pytest.mark.parametrize(
    "body", ["nan", "duplicate_keys", "deep", "big_integer", "latin_1", "wrong_types", "missing_fields"]
)
def test_fault_12_201_that_is_not_the_contract(quick: Office, body: str) -> None:
    quick.fault("odd", body=body, path="users")
    fails(quick, "odd answer")


def test_fault_13_all_acknowledged(office: Office) -> None:
    part = office.one(code=0)
    assert part["people"]["created"] == 5 and part["requests"] == 1


def test_fault_14_errors_for_known_users(office: Office) -> None:
    office.fault("refuse", logon="dora", message="E-mail inválido")
    result = office.do("run", "--once")
    assert result.code == 3
    assert "NDD//dora" in result.out and "E-mail inválido" in result.out, result.out
    office.forget_requests()
    assert office.one(code=0)["people"]["refused"] == 1 and office.requests() == []


def test_fault_15_errors_naming_somebody_unknown(quick: Office) -> None:
    quick.fault("odd", body="unknown_user", path="users")
    result = quick.do("run", "--once", "--json")
    assert result.code == 6 and "response_mismatch" in result.err
    assert "response_mismatch" in result.document["customers"]["acme"]["reason"]
    assert result.document["customers"]["acme"]["people"]["unsent"] == 5
    mends(quick)


def test_fault_16_errors_that_match_in_part(quick: Office) -> None:
    """The whole batch is not acknowledged; one bisection isolates it."""
    quick.fault("odd", body="partly_unknown", path="users", times=2)
    part = quick.one(code=6)
    assert 0 < part["people"]["created"] < 5
    assert len(quick.requests("users")) == 3
    quick.calm()
    quick.one(code=0)
    assert len(quick.users()) == 5


@pytest.mark.parametrize("spell", ["upper", "lower"])
def test_fault_17_an_error_key_in_another_case(office: Office, spell: str) -> None:
    office.put(people("Ana", "bruno"))
    office.fault("refuse", logon="ana", spell=spell)
    part = office.one(code=3)
    assert part["people"]["refused"] == 1 and part["people"]["created"] == 1
