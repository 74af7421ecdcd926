"""Registrations with 3D printers: planned, guarded, approved, asked for once, never repeated in doubt."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.core.company import Crash, Entry
from tests.core.elsewhere import Site

from rosterd.core.guard import Guards, Limit
from rosterd.core.outcome import Unregistered
from rosterd.errors import CredentialsError, Stopped, TargetError


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "ledger.db", printers=(("874", "makers"),))


def codes(site: Site) -> dict[str, tuple[str, str]]:
    return {one.email: (one.state, one.code) for one in site.office.ledger.registrations(site.office.binding)}


def test_every_member_with_an_address_gets_one_code_once(site: Site) -> None:
    result = site.run()
    assert result.code == 3  # joe has no address
    assert result.counts("registrations") == {"read": 3, "created": 2, "set_aside": 1}
    assert site.printers.asked == [("874", "ana@acme.example"), ("874", "rui@acme.example")]
    assert codes(site) == {"ana@acme.example": ("issued", "CODE01"), "rui@acme.example": ("issued", "CODE02")}
    (aside,) = [row for row in result.document["problems"] if row["kind"] == "registration"]
    assert (aside["key"], aside["reason"]) == ("874 / NDD//joe", "NDD//joe has no e-mail address")
    again = site.run()
    assert again.code == 0
    assert again.counts("registrations") == {"read": 3, "unchanged": 2, "set_aside": 1}
    assert len(site.printers.asked) == 2


def test_they_are_changes_of_the_plan_and_call_nobody_when_dry(site: Site) -> None:
    result = site.run(dry=True)
    changes = [change.document() for change, _ in result.changes if change.kind == "registration"]
    assert [(change["op"], change["key"]) for change in changes] == [
        ("create", "874 / ana@acme.example"),
        ("create", "874 / rui@acme.example"),
    ]
    assert changes[0]["after"] == {"printer": "874", "email": "ana@acme.example", "person": "NDD//ana"}
    assert site.printers.asked == []
    assert result.counts("registrations") == {"read": 3, "unsent": 2, "set_aside": 1}


def test_a_guard_holds_them_and_an_approval_lets_just_the_listed_go(site: Site) -> None:
    site.office.job["guards"] = Guards(first_run="go", registrations=Limit(count=1))
    held = site.run()
    assert held.code == 4
    assert held.outcome.verdict.reasons == ("registrations: 2 printer registrations (limit 1)",)
    assert site.printers.asked == []
    site.office.approve()
    site.directory.people["eli"] = Entry("eli", "Eli", "eli@acme.example")
    site.directory.groups["g1"].members.append("eli")
    result = site.run()
    assert {email for _, email in site.printers.asked} == {
        "ana@acme.example", "rui@acme.example", "eli@acme.example",
    }  # fmt: skip
    assert result.counts("registrations")["created"] == 3  # one more is within the limit


def test_a_lost_answer_is_in_doubt_and_never_repeated_until_somebody_has_looked(site: Site) -> None:
    site.printers.answers = [TargetError("no answer", maybe_applied=True)]
    result = site.run()
    assert result.code == 6
    assert result.counts("registrations") == {"read": 3, "unsent": 1, "set_aside": 2}
    assert codes(site) == {"ana@acme.example": ("doubt", "")}
    (finding,) = site.desk.findings("code-in-doubt")
    assert "ana@acme.example" in finding.sentence
    second = site.run()
    assert second.code == 3
    assert second.counts("registrations") == {"read": 3, "created": 1, "set_aside": 2}
    assert site.printers.asked.count(("874", "ana@acme.example")) == 1
    binding = site.office.binding
    key = site.office.ledger.registrations(binding)[0].key
    site.office.ledger.register_again(binding, key)
    site.run()
    assert site.printers.asked.count(("874", "ana@acme.example")) == 2
    assert codes(site)["ana@acme.example"][0] == "issued"


def test_one_in_doubt_that_was_settled_by_hand_counts_as_made(site: Site) -> None:
    site.printers.answers = [TargetError("no answer", maybe_applied=True)]
    site.run()
    binding = site.office.binding
    site.office.ledger.hand_out(binding, site.office.ledger.registrations(binding)[0].key, 1_000_500.0)
    assert site.run().counts("registrations") == {"read": 3, "unchanged": 1, "created": 1, "set_aside": 1}
    assert site.desk.findings("code-in-doubt") == []


def test_what_never_left_is_asked_for_again(site: Site) -> None:
    site.printers.answers = [TargetError("no connection")]
    assert site.run().counts("registrations") == {"read": 3, "unsent": 2, "set_aside": 1}
    assert codes(site) == {}
    assert site.run().counts("registrations")["created"] == 2


def test_a_refused_one_is_not_asked_for_again_until_its_time(site: Site) -> None:
    site.printers.answers = [Unregistered("422: unknown member")]
    result = site.run()
    assert result.code == 3
    assert result.counts("registrations") == {"read": 3, "created": 1, "refused": 1, "set_aside": 1}
    second = site.run()
    assert second.code == 0
    assert second.counts("registrations") == {"read": 3, "unchanged": 1, "refused": 1, "set_aside": 1}
    assert len(site.printers.asked) == 2
    site.office.now += 8 * 86_400
    assert site.run().counts("registrations") == {"read": 3, "unchanged": 1, "created": 1, "set_aside": 1}


def test_a_crash_after_the_request_left_leaves_it_in_doubt(site: Site) -> None:
    site.printers.answers = [Crash()]
    with pytest.raises(Crash):
        site.run()
    site.office.reopen()
    assert codes(site) == {"ana@acme.example": ("doubt", "")}
    site.run()
    assert site.printers.asked.count(("874", "ana@acme.example")) == 1


def test_trouble_with_the_printers_is_none_of_the_delivery_s(site: Site) -> None:
    site.printers.answers = [CredentialsError("sign-in needed")]
    result = site.run()
    assert result.code == 9
    assert result.counts()["created"] == 3
    assert site.run().counts("registrations")["created"] == 2


def test_a_stop_leaves_the_rest_unsent(site: Site) -> None:
    site.printers.answers = [Stopped("stopped")]
    result = site.run()
    assert result.counts("registrations") == {"read": 3, "unsent": 2, "set_aside": 1}
    assert codes(site) == {}


def test_two_people_with_one_address_get_one_code_and_excluded_ones_none(site: Site) -> None:
    site.directory.people["bob"] = Entry("bob", "Bob", "ANA@acme.example")
    site.directory.groups["g1"].members += ["bob", "eva"]
    result = site.run()
    assert result.counts("registrations") == {"read": 3, "created": 2, "set_aside": 1}


def test_a_group_that_no_source_has_is_told(site: Site) -> None:
    site.office.job["printers"] = (("874", "Nobody's"),)
    result = site.run()
    assert result.counts("registrations") == {}
    assert (
        'the 3D printer 874 is for the group "Nobody\'s", which no source has' in result.document["warnings"]
    )


def test_who_leaves_keeps_the_registration_and_it_is_a_finding(site: Site) -> None:
    site.run()
    site.office.job["guards"] = Guards(first_run="go", leavers=Limit(), member_loss=Limit())
    del site.directory.people["rui"]
    site.run()
    grant = site.desk.grants()["874", "rui@acme.example"]
    assert (grant.kind, grant.level, grant.verdict) == ("printer", "code waiting", "left")
    assert "874" in {finding.place for finding in site.desk.findings("access-left")}
    (waiting,) = [one for one in site.desk.findings("code-waiting") if "ana" in one.sentence]
    assert waiting.severity == "low"


def test_a_source_that_could_not_be_read_gives_no_new_registrations(site: Site) -> None:
    site.directory.broken = True
    assert site.run().code == 5
    assert site.printers.asked == []
