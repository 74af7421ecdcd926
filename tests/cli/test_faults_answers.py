"""The fault table's rows 18 to 34: refusals, final answers, the token server."""

from __future__ import annotations

import pytest
from tests.cli.files import numbered, people
from tests.cli.kit import Office
from tests.cli.test_customers import NAMES, four
from tests.cli.test_faults_orbix import fails, mends


@pytest.fixture
def quick(office: Office) -> Office:
    """Short waits: two tries, a second each."""
    office.set(orbix={"timeout": "800ms", "attempts": 2})
    return office


def test_fault_18_all_invalid_is_bisected(office: Office) -> None:
    office.put(numbered(60))
    office.fault("poison", logon="p00017")
    office.fault("poison", logon="p00042")
    part = office.one(code=3)
    assert part["people"]["refused"] == 2 and part["people"]["created"] == 58
    assert len(office.requests("users")) <= 2 * 60 - 1
    refused = {problem["key"] for problem in part["problems"]}
    assert refused == {"NDD//p00017", "NDD//p00042"}
    assert office.one(code=0)["requests"] == 0


def test_fault_18_when_every_single_one_fails_it_is_the_contract(office: Office) -> None:
    office.fault("poison", logon="*")
    part = fails(office, "every", "client")
    assert "client" in part["reason"]


def test_fault_18_a_lone_record_is_refused(office: Office) -> None:
    office.put(people("ana"))
    office.fault("poison", logon="ana")
    part = office.one(code=3)
    assert part["people"]["refused"] == 1


def test_fault_19_400_with_another_body(office: Office) -> None:
    office.fault(
        "status", status=400, body={"errors": {"Client": ["The Client is not registered."]}}, path="users"
    )
    fails(office, "400", "The Client is not registered", "ACME")


def test_fault_19_is_not_bisected(office: Office) -> None:
    office.fault("status", status=400, body="bad", path="users")
    office.one(code=6)
    assert len(office.requests("users")) == 1


def test_fault_20_the_token_server_refuses(office: Office) -> None:
    office.set(orbix={"client_secret": "wrong-" + "x" * 20})
    result = office.do("run", "--once", "--json")
    part = result.document["customers"]["acme"]
    assert result.code == 9 and "invalid_client" in part["reason"] and "client_secret" in part["reason"]
    assert "wrong-" not in result.said and len(office.requests("token")) <= 2


def test_fault_20_a_fresh_token_is_refused(office: Office) -> None:
    fault = office.fault("status", status=401, path="users")
    fails(office, "401", "scope", code=9)
    assert fault.hits == 2, "renewed once, tried once more"


def test_fault_21_a_token_that_ends_in_the_middle(office: Office) -> None:
    office.put(numbered(30))
    office.set(orbix={"concurrency": 1})
    office.fault("too_large", bytes=500, path="users")
    expired = office.fault("status", status=401, path="users", after=7, times=1)
    part = office.one(code=0)
    assert part["people"]["created"] == 30 and expired.hits == 1
    assert len(office.requests("token")) == 2 and set(office.times().values()) == {1}


@pytest.mark.parametrize(
    ("status", "words"),
    [(403, ("403", "tenant", "provider-one")), (404, ("404", "base_url")), (405, ("405",))],
)
def test_faults_22_and_23_final_answers(office: Office, status: int, words: tuple[str, ...]) -> None:
    fault = office.fault("status", status=status, path="users")
    fails(office, *words)
    assert fault.hits == 1, "no second try"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_fault_24_overloaded_or_broken(quick: Office, status: int) -> None:
    fault = quick.fault("status", status=status, path="users")
    fails(quick, str(status))
    assert fault.hits == 2


def test_fault_24_the_breaker_opens(office: Office) -> None:
    """Two lanes use up their tries, and the many requests that wait behind them are not even begun."""
    office.set(orbix={"concurrency": 2, "attempts": 3})
    office.set(customers={"acme": {"guards": {"updates": {"percent": 100}}}})
    office.put(numbered(64))
    office.fault("too_large", bytes=700, path="users")
    office.one(code=0)
    office.calm()
    office.put([(row[0], "New", row[2]) for row in numbered(64)])
    fault = office.fault("status", status=503, path="users")
    assert office.one(code=6)["people"]["unsent"] == 64
    assert fault.hits <= 10


def test_fault_24_the_next_customer_is_tried_for_itself(office: Office) -> None:
    office.settings = {}
    four(office)
    fault = office.fault("status", status=503, path="users")
    document = office.run(code=6)
    assert {part["exit_code"] for part in document["customers"].values()} == {6}
    assert all(document["customers"][name]["people"]["unsent"] == 5 for name in NAMES)
    asked = {entry["client"] for entry in office.requests("users")}
    assert asked == {name.upper() for name in NAMES} and fault.hits <= 8


def test_fault_25_a_conflict_is_tried_once_more(office: Office) -> None:
    fault = office.fault("status", status=409, path="users")
    fails(office, "409")
    assert fault.hits == 2


@pytest.mark.parametrize("early", [False, True])
def test_fault_26_too_large_is_halved_and_remembered(office: Office, early: bool) -> None:
    office.put(numbered(64))
    office.fault("too_large", bytes=2500, early=early, path="users")
    part = office.one(code=0)
    assert part["people"]["created"] == 64
    refused = [entry for entry in office.requests("users") if entry["status"] == 413]
    assert 0 < len(refused) <= 3
    office.forget_requests()
    office.set(customers={"acme": {"guards": {"updates": {"percent": 100}}}})
    office.put([(row[0], "New", row[2]) for row in numbered(64)])
    office.one(code=0)
    assert all(entry["status"] == 201 for entry in office.requests("users")), "the size is remembered"


def test_fault_26_a_single_record_that_is_too_large(office: Office) -> None:
    """It alone is refused, and how many records fit a request is not learnt from it."""
    office.set(customers={"acme": {"guards": {"updates": {"percent": 100}}}})
    rows = numbered(40)
    office.put([*rows[:39], (*rows[39][:1], "Z" * 900, "")])
    office.fault("too_large", bytes=900, path="users")
    part = office.one(code=3)
    assert (part["people"]["created"], part["people"]["refused"]) == (39, 1)
    assert "413" in part["problems"][0]["reason"]
    office.calm()
    office.forget_requests()
    office.put([(row[0], "New", row[2]) for row in rows])
    office.one(code=0)
    assert len(office.requests("users")) == 1


def test_fault_26_when_everything_is_too_large_it_is_no_record(office: Office) -> None:
    office.fault("too_large", bytes=10, path="users")
    fails(office, "413", "proxy")


@pytest.mark.parametrize("membership", ["unknown", "additive"])
@pytest.mark.parametrize("fault", [("too_large", {"bytes": 10}), ("poison", {"grouping": "*"})])
def test_faults_18_and_26_every_grouping_fails(
    grouped: Office, membership: str, fault: tuple[str, dict[str, object]]
) -> None:
    """Nothing counts as refused then, neither the groupings nor their seats."""
    grouped.set(orbix={"membership": membership})
    grouped.fault(fault[0], path="groups", **fault[1])
    part = grouped.one(code=6)
    assert (part["groups"]["unsent"], part["seats"]["unsent"]) == (2, 11)
    grouped.calm()
    part = grouped.one(code=0)
    assert (part["groups"]["created"], part["seats"]["created"]) == (2, 11)


def test_fault_30_redirects_are_not_followed(office: Office) -> None:
    for status in (301, 302, 307, 308):
        fault = office.fault(
            "status", status=status, path="users", headers={"Location": "https://elsewhere.example/v1/users"}
        )
        part = office.one(code=6)
        assert str(status) in part["reason"] and "elsewhere.example" in part["reason"]
        assert fault.hits == 1, "not tried again, and not sent on"
        office.calm()
    mends(office)


def test_fault_30_the_token_server_redirects(office: Office) -> None:
    office.fault("status", status=302, path="token", headers={"Location": "https://elsewhere.example/"})
    assert office.one(code=6)["requests"] == 0


def test_fault_34_a_gzip_bomb(quick: Office) -> None:
    quick.fault("gzip_bomb", mebibytes=16, path="users")
    fails(quick, "compressed")


ODD_TOKENS = ["no_access_token", "token_null", "token_empty", "token_split", "mac", "list", "html", "empty"]
FINE_TOKENS = [
    "no_expires_in",
    "no_token_type",
    "huge",
    "string",
    "words",
    "zero",
    "negative",
    "null",
    "float",
    "nan",
]


@pytest.mark.parametrize("body", ODD_TOKENS)
def test_fault_20_odd_answers_of_the_token_server(quick: Office, body: str) -> None:
    quick.fault("token_odd", body=body)
    part = quick.one(code=6)
    assert "token" in part["reason"] and part["requests"] == 0
    mends(quick)


@pytest.mark.parametrize("body", FINE_TOKENS)
def test_fault_20_a_token_whose_life_is_odd_is_used(quick: Office, body: str) -> None:
    quick.fault("token_odd", body=body)
    assert quick.one(code=0)["people"]["created"] == 5


@pytest.mark.parametrize("kind", ["reset", "garbage", "status"])
def test_fault_24_the_token_server_is_down(quick: Office, kind: str) -> None:
    quick.fault(kind, path="token")
    fails(quick, "token")
