"""People who left: told once, listed until ticked off, back when they come back; and pausing a customer."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from tests.cli.files import customer, groups_file, numbered, people
from tests.cli.kit import Office
from tests.cli.test_approvals import FIVE

from rosterd.ledger.sqlite import SqliteLedger


@pytest.fixture
def left(office: Office) -> Office:
    """Egon left."""
    office.run(code=0)
    office.put(people(*FIVE[:4]))
    office.run(code=0)
    return office


def leavers(office: Office, *more: str) -> list[dict[str, Any]]:
    result = office.do("leavers", "--json", *more)
    assert result.code == 0, result.said
    assert result.document["schema"] == "rosterd/leavers/1"
    found: list[dict[str, Any]] = result.document["leavers"]
    return found


def test_a_leaver_is_gone_once(left: Office) -> None:
    assert "ndd//egon" in left.users(), "an upsert cannot delete"
    assert left.one(code=0)["people"]["gone"] == 0
    assert [(one["key"], one["kind"], one["customer"]) for one in leavers(left)] == [
        ("NDD//egon", "person", "acme")
    ]


def test_the_table_for_people(left: Office) -> None:
    result = left.do("leavers")
    assert result.code == 0 and "NDD//egon" in result.out and "egon@example.com" in result.out
    assert "rosterd leavers --done" in result.out
    left.do("leavers", "--done", "NDD//egon")
    assert "nobody" in left.do("leavers").out


def test_csv_for_the_portal(left: Office) -> None:
    result = left.do("leavers", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.out)))
    assert [(row["domain"], row["logon"], row["email"]) for row in rows] == [
        ("NDD", "egon", "egon@example.com")
    ]
    file = left.directory / "leavers.csv"
    assert left.do("leavers", "--format", "csv", "--out", str(file)).out == ""
    assert file.stat().st_mode & 0o007 == 0, "it names people"
    assert list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8")))) == rows


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "  =1+1", "＝1+1", "﹢1", "\u3000@x", "−1"])
def test_threat_c6_csv_holds_no_formulas(office: Office, name: str) -> None:
    rows = [*people(*FIVE[:4]), ("evil", name, "evil@example.com")]
    office.put(rows)
    office.run(code=0)
    office.put(rows[:4])
    office.run(code=0)
    result = office.do("leavers", "--format", "csv")
    assert [row["name"].lstrip()[0] for row in csv.DictReader(io.StringIO(result.out))] == ["'"]


def test_ticked_off(left: Office) -> None:
    result = left.do("leavers", "--done", "ndd//EGON")
    assert result.code == 0 and "NDD//egon" in result.out, result.said
    assert leavers(left) == []
    assert left.one(code=0)["people"]["gone"] == 0


def test_a_key_that_left_nowhere(left: Office) -> None:
    result = left.do("leavers", "--done", "NDD//ana")
    assert result.code == 2 and "NDD//ana" in result.err and "next:" in result.err


def test_an_unknown_format(left: Office) -> None:
    result = left.do("leavers", "--format", "pdf")
    assert result.code == 2 and "pdf" in result.err


@pytest.mark.parametrize("ticked", [False, True])
def test_a_returner_is_an_update_and_always_sent(left: Office, ticked: bool) -> None:
    if ticked:
        left.do("leavers", "--done", "NDD//egon")
    left.put(people(*FIVE))
    part = left.one(code=0)
    assert part["people"]["updated"] == 1 and part["requests"] == 1
    assert left.times()["ndd//egon"] == 2
    assert leavers(left) == []
    assert left.one(code=0)["requests"] == 0


def test_guards_measure_against_the_active(office: Office) -> None:
    """Forty people, four leave, twice: the second time 4 of 36 is over 10 percent."""
    office.put(numbered(40))
    office.run(code=0)
    office.put(numbered(36))
    assert office.one(code=0)["people"]["gone"] == 4
    office.put(numbered(32))
    held = office.one(code=4)
    assert "4 of 36" in held["reason"]


def test_lost_seats_are_listed(grouped: Office) -> None:
    grouped.run(code=0)
    grouped.put_groups(
        [
            *(("Floor 1", "First floor", f"p{n}") for n in range(5)),
            *(("Floor 2", "Second floor", f"p{n}") for n in range(5, 10)),
        ]
    )
    assert grouped.one(code=0)["seats"]["gone"] == 1
    assert [(one["kind"], one["key"], one["group"]) for one in leavers(grouped)] == [
        ("seat", "Floor 1 / NDD//p5", "Floor 1")
    ]
    assert grouped.do("leavers", "--done", "Floor 1 / NDD//p5").code == 0
    assert leavers(grouped) == []


def test_leavers_of_one_customer(left: Office) -> None:
    left.settings = {}
    left.write(acme=customer(), bolt=customer("bolt"))
    left.put(people(*FIVE), "bolt.csv")
    left.run(code=0)
    left.put(people(*FIVE[1:]), "bolt.csv")
    left.run(code=0)
    assert [(one["customer"], one["key"]) for one in leavers(left)] == [
        ("acme", "NDD//egon"),
        ("bolt", "NDD//ana"),
    ]
    assert [one["key"] for one in leavers(left, "--customer", "bolt")] == ["NDD//ana"]


def test_a_run_tells_of_leavers(office: Office) -> None:
    office.run(code=0)
    office.put(people(*FIVE[:4]))
    assert "rosterd leavers" in office.do("run", "--once").out


# Pause and resume


def test_a_paused_customer_does_not_run(office: Office) -> None:
    office.run(code=0)
    assert office.do("pause", "acme", "--reason", "domain migration").code == 0
    office.put(people(*FIVE, "filipa"))
    part = office.one(code=0)
    assert part["requests"] == 0 and "domain migration" in part["reason"]
    status = office.do("status")
    assert status.code == 10 and "paused" in status.out and "domain migration" in status.out
    said = office.do("run", "--once").out
    assert "paused" in said and "domain migration" in said and "acme: done" not in said, said
    assert office.do("resume", "acme").code == 0
    assert office.one(code=0)["people"]["created"] == 1


def test_a_pause_before_the_first_run(office: Office) -> None:
    assert office.do("pause", "acme").code == 0
    assert office.one(code=0)["requests"] == 0
    assert office.do("resume", "acme").code == 0
    assert office.one(code=0)["people"]["created"] == 5


def test_resuming_what_was_not_paused(office: Office) -> None:
    office.run(code=0)
    result = office.do("resume", "acme")
    assert result.code == 0 and "not paused" in result.out


# leavers = "synchronize"


def test_whoever_left_as_the_process_ended_has_no_seats_when_they_return(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that cannot be read tells of their seat, so it is left alone. The administrator removes them in the
    portal, and with them their seat."""
    hq = customer()["sources"]["hr"] | {"path": "hq.csv", "groups": groups_file("groups.csv")}
    office.set(customers={"acme": {"sources": {"hq": hq}}})
    office.put(people("gerd"), "hq.csv")
    office.put_groups([("Floor", "All of it", f"NDD//{who}") for who in ("ana", "egon", "gerd")])
    office.one(code=0)
    (office.directory / "hq.csv").rename(office.directory / "away")
    office.put(people(*FIVE[:4]))

    class Died(BaseException):
        """Nothing after this is done, and nobody cleans up."""

    def die(*_arguments: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(SqliteLedger, "unseat", die)
        with pytest.raises(Died):
            office.do("run", "--once")
    assert office.one(code=5)["people"]["gone"] == 0, "noted already"
    office.do("leavers", "--done", "NDD//egon")
    ((tenant, client),) = office.server.world.holdings
    office.server.world.accept(tenant, client, [("user_gone", "ndd//egon")])
    (office.directory / "away").rename(office.directory / "hq.csv")
    office.put(people(*FIVE))
    part = office.one(code=0)
    assert part["people"]["updated"] == part["seats"]["updated"] == 1
    assert "ndd//egon" in office.members()["Floor"]


@pytest.fixture
def syncing(grouped: Office) -> Office:
    grouped.set(customers={"acme": {"leavers": "synchronize"}})
    grouped.run(code=0)
    return grouped


def shrunk_to(office: Office, count: int) -> None:
    """The first so many of the ten people, each in the groups they were in."""
    office.put(people(*(f"p{n}" for n in range(count))))
    rows = [("Floor 1", "First floor", f"p{n}") for n in range(6)]
    office.put_groups([*rows, *(("Floor 2", "Second floor", f"p{n}") for n in range(5, count))])


def without_the_last(office: Office) -> None:
    shrunk_to(office, 9)


def test_synchronize_takes_a_leaver_away(syncing: Office) -> None:
    without_the_last(syncing)
    part = syncing.one()
    assert part["exit_code"] == 0, part
    assert "ndd//p9" not in syncing.users() and len(syncing.users()) == 9
    assert leavers(syncing) == []
    syncing.forget_requests()
    assert syncing.one(code=0)["requests"] == 0


def test_synchronize_is_guarded(syncing: Office) -> None:
    shrunk_to(syncing, 7)
    syncing.one(code=4)
    assert len(syncing.users()) == 10
    syncing.do("approve", syncing.plan(code=4)["digest"])
    syncing.run(code=0)
    assert len(syncing.users()) == 7


def test_synchronize_beyond_one_request_is_refused(office: Office) -> None:
    """Nothing ties requests together, so a set that needs two of them is never synchronised."""
    office.set(customers={"acme": {"leavers": "synchronize"}})
    office.put(numbered(4501))
    office.run(code=0)
    office.put([*numbered(4500), *people("newcomer")])
    part = office.one()
    assert part["exit_code"] in (0, 3)
    assert "p04500" in str(leavers(office)) and "ndd//p04500" in office.users()
    assert office.requests("synchronize") == []
    assert "synchroni" in (part["reason"] or "") and "4,500" in part["reason"], part["reason"]


def test_synchronize_never_after_an_incomplete_read(syncing: Office) -> None:
    syncing.set(
        customers={
            "acme": {"sources": {"hq": customer("hq")["sources"]["hr"] | {"groups": groups_file("more.csv")}}}
        }
    )
    without_the_last(syncing)
    syncing.one(code=5)
    assert len(syncing.users()) == 10 and syncing.requests("synchronize") == []


def test_synchronize_never_in_a_pilot(syncing: Office) -> None:
    without_the_last(syncing)
    syncing.one("--only", "p1", code=0)
    assert len(syncing.users()) == 10 and syncing.requests("synchronize") == []


def test_synchronize_that_stays_in_doubt_is_not_repeated_blindly(syncing: Office) -> None:
    without_the_last(syncing)
    syncing.fault("reset", path="users-sync", applied=True)
    syncing.one(code=6)
    assert len(syncing.requests("users/synchronize")) == 1
    syncing.calm()
    syncing.run(code=0)
    assert len(syncing.users()) == 9 and leavers(syncing) == []


def test_synchronize_counts_a_seat_once_that_is_refused_with_its_grouping_and_with_its_person(
    syncing: Office,
) -> None:
    """The seats are in doubt; then Orbix refuses somebody's new name, and their grouping's new description."""
    rows = [("Floor 1", "Ground floor", f"p{n}") for n in range(6)]
    syncing.put_groups([*rows, *(("Floor 2", "Second floor", f"p{n}") for n in range(5, 10))])
    syncing.fault("reset", path="groups", applied=True)
    syncing.one(code=6)
    syncing.calm()
    syncing.put(
        [(row[0], row[1] + "!" * (row[0] == "p3"), row[2]) for row in people(*(f"p{n}" for n in range(9)))]
    )
    syncing.put_groups([*rows, *(("Floor 2", "Second floor", f"p{n}") for n in range(5, 9))])
    syncing.fault("refuse", logon="p3", path="users-sync")
    syncing.fault("refuse", grouping="Floor 1")
    part = syncing.one(code=3)
    assert part["people"]["refused"] == 1 and part["groups"]["refused"] == 1
    assert part["seats"]["unsent"] == 0 and part["seats"]["refused"] == 6, part["seats"]
