"""Records that Orbix refused, and records that were set aside: told once, counted every time."""

from __future__ import annotations

from tests.cli.files import people
from tests.cli.kit import Office
from tests.cli.test_approvals import FIVE, later


def refuse_dora(office: Office, message: str = "Logon is not valid.") -> None:
    office.fault("refuse", logon="dora", message=message)


def test_a_refusal_is_news_once(office: Office) -> None:
    refuse_dora(office, "Display Name inválido")
    first = office.one(code=3)
    assert first["people"]["refused"] == 1 and first["people"]["created"] == 4
    problem = first["problems"][0]
    assert problem["key"] == "NDD//dora" and problem["reason"] == "Display Name inválido" and problem["new"]
    office.forget_requests()
    second = office.one(code=0)
    assert second["people"]["refused"] == 1 and second["people"]["unchanged"] == 4
    assert office.requests() == [], "not sent again"
    assert not second["problems"][0]["new"]


def test_a_refused_record_is_sent_again_when_it_changes(office: Office) -> None:
    refuse_dora(office)
    office.one(code=3)
    office.put([*people("ana", "bruno", "carlos", "egon"), ("dora", "Dora Melo", "dora@example.com")])
    office.forget_requests()
    assert office.one(code=3)["people"]["refused"] == 1, "refused again, with other content: news"
    assert [entry["records"] for entry in office.requests("users")] == [1]
    office.calm()
    office.put([*people("ana", "bruno", "carlos", "egon"), ("dora", "Dora Lima", "dora@example.com")])
    assert office.one(code=0)["people"]["created"] == 1
    assert office.users()["ndd//dora"]["Name"] == "Dora Lima"


def test_a_refused_record_is_sent_again_after_some_days(office: Office) -> None:
    refuse_dora(office)
    office.one(code=3)
    office.calm()
    assert later(office, 6.9)["people"]["refused"] == 1
    assert "ndd//dora" not in office.users()
    assert later(office, 7.1)["people"]["created"] == 1
    assert "ndd//dora" in office.users()


def test_fault_70_a_refusal_that_was_noted_while_the_clock_was_ahead(office: Office) -> None:
    """It does not keep the record back for a year and a week: it is sent again, and then as ever."""
    refuse_dora(office)
    assert later(office, 365)["people"]["refused"] == 1
    office.forget_requests()
    assert office.one(code=0)["people"]["refused"] == 1
    assert [entry["records"] for entry in office.requests("users")] == [1]
    office.forget_requests()
    assert office.one(code=0)["people"]["refused"] == 1 and office.requests() == []
    assert later(office, 7.1)["people"]["refused"] == 1 and len(office.requests("users")) == 1


def test_retry_refused_after(office: Office) -> None:
    office.set(customers={"acme": {"retry_refused_after": "1h"}})
    refuse_dora(office)
    office.one(code=3)
    office.calm()
    assert later(office, 1.5 / 24)["people"]["created"] == 1


def test_the_same_refusal_after_some_days_is_no_news(office: Office) -> None:
    refuse_dora(office)
    office.one(code=3)
    again = later(office, 8)
    assert again["people"]["refused"] == 1 and again["exit_code"] == 0, again


def test_a_refused_update_keeps_what_was_acknowledged(office: Office) -> None:
    office.one(code=0)
    refuse_dora(office)
    office.put([*people("ana", "bruno", "carlos", "egon"), ("dora", "Dora Melo", "dora@example.com")])
    assert office.one(code=3)["people"]["refused"] == 1
    office.put(people(*FIVE))
    part = office.one(code=0)
    assert part["people"]["unchanged"] == 5 and part["requests"] == 0


def test_a_refusal_that_was_mended_is_forgotten(office: Office) -> None:
    refuse_dora(office)
    office.one(code=3)
    office.put(people("ana", "bruno", "carlos", "egon"))
    part = office.one(code=0)
    assert part["people"] | {"gone": 0} == part["people"], "it was never delivered, so it cannot leave"
    assert office.do("status", "--json").document["customers"]["acme"]["refused"] == 0


def test_set_aside_is_news_once_and_again_for_another_reason(office: Office) -> None:
    rows = people(*FIVE)
    office.put([*rows, ("jo ão", "João", "joao@example.com")])
    first = office.one(code=3)
    assert first["people"]["set_aside"] == 1 and first["people"]["created"] == 5
    assert first["problems"][0]["new"] and "acme.csv" not in str(office.users())
    second = office.one(code=0)
    assert second["people"]["set_aside"] == 1 and not second["problems"][0]["new"]
    office.put([*rows, ("jo ão", "João", "joao@example.com"), ("ana", "Ana again", "")])
    assert office.one(code=3)["people"]["set_aside"] == 3


def test_a_problem_told_by_a_failed_run_is_still_news(office: Office) -> None:
    office.put([*people(*FIVE), ("jo ão", "João", "joao@example.com")])
    office.fault("status", status=403, path="users")
    office.one(code=6)
    office.calm()
    assert office.one(code=3)["problems"][0]["new"]


def test_a_set_aside_record_that_is_known_is_kept(office: Office) -> None:
    office.one(code=0)
    office.put([*people("ana", "bruno", "carlos"), *people("dora", "DORA"), *people("egon")])
    part = office.one(code=3)
    assert part["people"]["set_aside"] == 2 and part["people"]["gone"] == 0
    assert office.do("leavers", "--json").document["leavers"] == []
    office.put(people(*FIVE))
    assert office.one(code=0)["people"]["unchanged"] == 5
