"""A customer's first delivery: looked at, approved, delivered; the terminal's question; a pilot."""

from __future__ import annotations

import pytest
from tests.cli.files import customer, numbered, people
from tests.cli.kit import Office
from tests.cli.terminal import on_terminal


@pytest.fixture
def cautious(office: Office) -> Office:
    """The default: somebody looks at a first delivery."""
    office.set(customers={"acme": {"guards": {"first_run": None}}})
    return office


def test_held_planned_approved_delivered(cautious: Office) -> None:
    held = cautious.one(code=4)
    assert held["outcome"] == "held"
    assert held["people"]["unsent"] == held["people"]["read"] == 5
    assert cautious.users() == {} and cautious.requests() == []
    plan = cautious.plan(code=4)
    assert plan["verdict"] == "hold" and plan["reasons"] and plan["digest"] == held["plan"]
    assert [change["op"] for change in plan["changes"]] == ["create"] * 5
    approval = cautious.do("approve", plan["digest"])
    assert approval.code == 0, approval.said
    assert cautious.requests() == [], "an approval alone sends nothing"
    done = cautious.one(code=0)
    assert done["people"]["created"] == 5 and len(cautious.users()) == 5


def test_what_a_held_run_says(cautious: Office) -> None:
    result = cautious.do("run", "--once")
    assert result.code == 4
    digest = cautious.plan()["digest"]
    for words in ("held", "first_run", "rosterd plan --customer acme", f"rosterd approve {digest[:12]}"):
        assert words in result.out, result.out
    listed = cautious.do("approve")
    assert listed.code == 0 and digest[:12] in listed.out and "5 changes" in listed.out, listed.said


def test_a_held_run_stays_the_same_plan(cautious: Office) -> None:
    first, second = cautious.one(code=4), cautious.one(code=4)
    assert first["plan"] == second["plan"]
    assert len(cautious.do("approve", "--json").document["plans"]) == 1


def test_once_approved_the_first_run_guard_is_over(cautious: Office) -> None:
    cautious.one(code=4)
    cautious.do("approve", cautious.plan()["digest"])
    cautious.put(people("ana", "bruno", "carlos", "dora", "egon", "filipa"))
    done = cautious.one(code=0)
    assert done["people"]["created"] == 6, "rule 8: first_run no longer holds that customer"


def test_yes_lets_a_first_delivery_go(cautious: Office) -> None:
    assert cautious.one("--yes", code=0)["people"]["created"] == 5
    assert cautious.one(code=0)["people"]["unchanged"] == 5


def test_yes_does_not_overrule_other_guards(cautious: Office) -> None:
    cautious.set(customers={"acme": {"guards": {"creates": {"count": 3, "at_least": 1}}}})
    held = cautious.one("--yes", code=4)
    assert "creates" in held["reason"] and cautious.users() == {}


def test_a_first_delivery_is_not_guarded_by_percent(office: Office) -> None:
    office.put(numbered(60))
    fault = office.fault("status", status=503, path="users", after=2)
    office.fault("too_large", bytes=3000, path="users")
    office.set(orbix={"attempts": 1, "concurrency": 1})
    first = office.one(code=6)
    assert 0 < first["people"]["created"] < 60 and fault.hits
    office.calm()
    second = office.one(code=0)
    assert second["people"]["created"] == 60 - first["people"]["created"]
    assert len(office.users()) == 60


def test_approve_needs_a_digest_that_is_held(cautious: Office) -> None:
    cautious.one(code=4)
    digest = cautious.plan()["digest"]
    for wrong in ("0" * 12, digest[:3], "zzzzzzzz"):
        result = cautious.do("approve", wrong)
        assert result.code == 2 and digest[:12] in result.err and "next:" in result.err, result.said
    assert cautious.one(code=4)["people"]["unsent"] == 5


def test_approve_now(cautious: Office) -> None:
    cautious.one(code=4)
    result = cautious.do("approve", cautious.plan()["digest"][:12], "--now", "--json")
    assert result.code == 0 and result.document["schema"] == "rosterd/run/1", result.said
    assert len(cautious.users()) == 5


@pytest.mark.parametrize(("typed", "users"), [("approve\n", 5), ("yes\n", 0), ("\n", 0), ("", 0)])
def test_approve_all_wants_a_word(cautious: Office, typed: str, users: int) -> None:
    cautious.one(code=4)
    result = cautious.do("approve", "--all", given=typed)
    assert result.code == 0, result.said
    cautious.one(code=0 if users else 4)
    assert len(cautious.users()) == users


@pytest.mark.parametrize(("typed", "code", "users"), [("yes", 0, 5), ("no", 4, 0), ("", 4, 0)])
def test_the_question_on_a_terminal(cautious: Office, typed: str, code: int, users: int) -> None:
    result = on_terminal(cautious, "run", "--once", answers=[("Deliver now?", typed)])
    assert result.code == code, result.out
    assert len(cautious.users()) == users
    assert "5 people" in result.out and "rosterd plan --customer acme" in result.out
    asked = result.out.rpartition("Deliver now? Type yes: ")[2]
    assert asked.startswith(f"{typed}\r\n"), "no bar is drawn into the question"


def test_no_question_without_a_terminal(cautious: Office) -> None:
    result = cautious.process("run", "--once")
    assert result.code == 4 and "Deliver now?" not in result.said


# A pilot


def test_a_pilot_delivers_just_these_people(cautious: Office) -> None:
    pilot = cautious.one("--only", "carlos", "--yes", code=0)
    assert pilot["people"]["created"] == 1
    assert list(cautious.users()) == ["ndd//carlos"]


@pytest.mark.parametrize("who", ["carlos", "NDD//Carlos", "CARLOS@example.com"])
def test_who_a_pilot_names(cautious: Office, who: str) -> None:
    cautious.one("--only", who, "--yes", code=0)
    assert list(cautious.users()) == ["ndd//carlos"]


def test_a_pilot_does_not_open_the_first_run(cautious: Office) -> None:
    cautious.one("--only", "carlos", "--yes", code=0)
    held = cautious.one(code=4)
    assert "first_run" in held["reason"] and held["people"]["unsent"] == 4
    assert held["people"]["unchanged"] == 1
    assert list(cautious.users()) == ["ndd//carlos"]


def test_a_pilot_does_not_end_the_first_delivery(office: Office) -> None:
    """After one of 60 was delivered, 59 more would break `creates` by percent, were the delivery over."""
    office.put(numbered(60))
    office.one("--only", "p00007", "--yes", code=0)
    assert office.one(code=0)["people"]["created"] == 59


def test_a_pilot_is_held_like_any_run(cautious: Office) -> None:
    held = cautious.one("--only", "carlos", code=4)
    assert held["outcome"] == "held" and cautious.users() == {}


def test_a_pilot_of_nobody(office: Office) -> None:
    for verb in (("run", "--once"), ("run", "--once", "--json"), ("plan",)):
        result = office.do(*verb, "--only", "nobody.known")
        assert (
            result.code == 2 and result.out == "" and "nobody.known" in result.err and "next:" in result.err
        )
    assert office.users() == {}


def test_a_pilot_with_a_name_that_nobody_has(office: Office) -> None:
    """The others are delivered, and the code says that something is to be looked at."""
    result = office.do("run", "--once", "--json", "--only", "ana", "--only", "nobody.known")
    assert result.code == 3 and "nobody.known" in result.document["customers"]["acme"]["reason"]
    assert list(office.users()) == ["ndd//ana"]


def test_a_pilot_whose_source_cannot_be_read_is_no_error_of_usage(office: Office) -> None:
    (office.directory / "acme.csv").unlink()
    office.one("--only", "ana", code=5)


def test_a_pilot_takes_nobody_away(office: Office) -> None:
    office.run(code=0)
    office.put(people("ana", "bruno", "carlos", "dora"))
    pilot = office.one("--only", "ana", code=0)
    assert pilot["people"]["gone"] == 0 and office.do("leavers", "--json").document["leavers"] == []


def test_a_pilot_takes_no_seats_away(grouped: Office) -> None:
    grouped.run(code=0)
    grouped.put_groups(
        [("Floor 1", "First floor", f"p{n}") for n in range(5)]
        + [("Floor 2", "Second floor", f"p{n}") for n in range(5, 10)]
    )
    pilot = grouped.one("--only", "p1", code=0)
    assert pilot["seats"]["gone"] == 0 and grouped.do("leavers", "--json").document["leavers"] == []


def test_several_customers_and_one_held(office: Office) -> None:
    office.settings = {}
    office.write(acme=customer(), bolt=customer("bolt", guards={"first_run": "approve"}))
    office.put(people("gerd", "hans"), "bolt.csv")
    document = office.run(code=4)
    assert document["customers"]["acme"]["outcome"] == "done"
    assert document["customers"]["bolt"]["outcome"] == "held"
    assert len(office.users("ACME")) == 5 and office.users("BOLT") == {}
