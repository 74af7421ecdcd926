"""Who has access elsewhere: the join, its verdicts and findings, and a report that tells what changed."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pytest
from tests.core.company import Entry
from tests.core.elsewhere import APP, SITE, Site

from rosterd.access import Reports
from rosterd.core.access import AccessReport, Holder, Place
from rosterd.core.guard import Guards, Limit
from rosterd.errors import CredentialsError, RosterdError, TargetError
from rosterd.reports import files

CALM = Guards(first_run="go", leavers=Limit(), member_loss=Limit())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "ledger.db")


def test_people_are_recognised_by_any_address_or_by_the_id_and_never_by_name(site: Site) -> None:
    assert site.run().code == 0
    grants = site.desk.grants()
    ana = grants["Viewer", "A.Lua@acme.example"]
    assert (ana.person, ana.verdict, ana.matched) == ("NDD//ana", "known", "e-mail")
    again = grants["Headquarters", "Ana Lua"]
    assert (again.person, again.verdict, again.matched) == ("NDD//ana", "known", "id")
    assert grants["Headquarters", "RUI@acme.example"].verdict == "known"
    assert grants["Headquarters", "eva@acme.example"].verdict == "disabled"
    who = grants["Headquarters", "Costa, Rui"]
    assert (who.person, who.verdict, who.possibly) == ("", "cannot tell", "NDD//rui")
    assert grants["Headquarters", "Everybody"].verdict == "service or group"
    stranger = grants["Viewer", "bob@other.example"]
    assert (stranger.person, stranger.verdict, stranger.matched) == ("", "stranger", "")


def test_fault_56_a_stop_while_the_report_is_written_leaves_the_last_one(site: Site, tmp_path: Path) -> None:
    """Its rows may be a million: whoever writes them stops amid them, and no part of a file is left."""

    def write(report: AccessReport) -> tuple[list[str], list[RosterdError]]:
        return files.write(tmp_path / "reports", report, {"text": slow})

    def slow(report: AccessReport, out: IO[bytes]) -> None:
        for number, grant in enumerate(report.grants):
            out.write(f"{number} {grant.email}\n".encode())
            if asked:
                site.office.stop.set()
        out.writelines(f"{person.key}\n".encode() for person in report.people)

    asked: list[str] = []
    site.office.reports = Reports(lambda report: repr(list(report.grants)), write, lambda _name: True)
    assert site.run().code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "reports").rglob("*") if path.is_file()}
    assert len(before) == 2
    site.autodesk.held[APP].pop()
    asked.append("stop")
    result = site.run()
    assert (result.outcome.stopped, result.outcome.delivered) == (True, 0)
    assert {
        path.name: path.read_bytes() for path in (tmp_path / "reports").rglob("*") if path.is_file()
    } == before
    asked.clear()
    site.office.stop.clear()
    assert site.run().code == 0
    newest = (tmp_path / "reports" / "acme.txt").read_bytes()
    assert newest != before["acme.txt"], "what the stopped run left is made up for"


def test_a_stranger_is_one_also_where_a_place_does_not_say_the_address(site: Site) -> None:
    """The same user id is seen elsewhere with an address; a name or an id alone says nothing."""
    site.autodesk.held[SITE] += [
        Holder("u-bob", "Bob", "", "Manage"),
        Holder("u-svc", "Robot", "", "Read"),
    ]
    site.autodesk.held[APP].append(Holder("u-svc", "Robot", "r@adskserviceaccount.autodesk.com", "EDITOR"))
    site.run()
    grants = site.desk.grants()
    assert grants["Headquarters", "Bob"][10:] == ("stranger", "", "")
    assert grants["Headquarters", "Robot"].verdict == "service or group"
    assert grants["Headquarters", "Costa, Rui"].verdict == "cannot tell"
    (finding,) = (one for one in site.desk.findings("stranger") if one.place == "Headquarters")
    assert finding.severity == "high"
    assert "Elsewhere the same user has the address bob@other.example." in finding.sentence


def test_who_left_is_told_by_the_directory_s_memory_and_a_returner_is_known_again(site: Site) -> None:
    site.run()
    rui = site.directory.people.pop("rui")
    site.office.job["guards"] = CALM
    site.run()
    assert site.desk.grants()["Headquarters", "RUI@acme.example"].verdict == "left"
    assert site.desk.people()["NDD//rui"].directory == "left"
    (finding,) = site.desk.findings("access-left")
    assert (finding.severity, finding.person, finding.place) == ("high", "NDD//rui", "Headquarters")
    assert (
        "changed",
        "grant",
        "Rui Costa (RUI@acme.example), access to the twin Headquarters: known → left",
    ) in (site.desk.changes())
    site.directory.people["rui"] = rui
    site.run()
    assert site.desk.grants()["Headquarters", "RUI@acme.example"].verdict == "known"
    assert ("removed", "finding", f"Settled: {finding.sentence}") in site.desk.changes()


def test_an_address_that_somebody_else_has_now_means_the_one_who_is_there(site: Site) -> None:
    site.run()
    site.directory.people["rui2"] = Entry("rui.costa", "Rui Costa", "rui@acme.example")
    del site.directory.people["rui"]
    site.office.job["guards"] = CALM
    site.run()
    grant = site.desk.grants()["Headquarters", "RUI@acme.example"]
    assert (grant.person, grant.verdict) == ("NDD//rui.costa", "known")


def test_findings_of_strangers_disabled_managers_doubles_and_owners(site: Site) -> None:
    site.office.job["managers"] = "Makers"
    site.autodesk.held[APP] += [
        Holder("u-ana2", "Ana Lua", "ana@acme.example", "VIEWER"),
        Holder("u-zoe", "Zoe", "zoe@other.example", "OWNER"),
    ]
    site.run()
    strangers = {
        finding.sentence.split(" is not")[0]: finding.severity for finding in site.desk.findings("stranger")
    }
    assert strangers == {
        "Bob Stranger (bob@other.example)": "medium",
        "Zoe (zoe@other.example)": "high",  # an owner
    }
    (disabled,) = site.desk.findings("access-disabled")
    assert (disabled.severity, disabled.person) == ("high", "NDD//eva")
    outside = {finding.sentence.split(" can ")[0] for finding in site.desk.findings("manager-outside")}
    assert outside == {"Zoe (zoe@other.example)", "Eva Reis (eva@acme.example)"}
    (double,) = site.desk.findings("double")
    assert double.person == "NDD//ana"
    assert "u-ana (" in double.sentence
    assert "u-ana2 (Viewer)" in double.sentence
    assert not site.desk.findings("owner-left")  # two owners
    site.autodesk.held[APP] = [Holder("u-eva", "Eva Reis", "eva@acme.example", "OWNER")]
    site.run()
    (owner,) = site.desk.findings("owner-left")
    assert owner.severity == "high"
    assert "The only owner of the application Viewer" in owner.sentence
    severities = [finding.severity for finding in site.desk.last.findings]
    assert severities == sorted(severities, key=["high", "medium", "low"].index)


def test_a_group_of_managers_that_is_not_there_is_said_to_be_missing(site: Site) -> None:
    site.office.job["managers"] = "Makres"
    site.run()
    outside = [finding.sentence for finding in site.desk.findings("manager-outside")]
    assert len(outside) == 3
    assert all(one.endswith("is not in the group Makres, which Orbix does not have.") for one in outside)


def test_a_level_of_none_is_no_access(site: Site) -> None:
    site.autodesk.held = {SITE: [Holder("u-bob", "Bob", "bob@other.example", "None")]}
    site.run()
    assert site.desk.grants()["Headquarters", "bob@other.example"].verdict == "stranger"
    assert site.desk.last.findings == []


def test_a_place_that_cannot_be_read_keeps_its_last_state_and_the_rest_is_whole(site: Site) -> None:
    site.run()
    before = site.desk.grants()
    site.autodesk.broken[APP] = TargetError("answered 404", where="app-1")
    site.autodesk.held[SITE].append(Holder("u-new", "New", "new@other.example", "Read"))
    result = site.run()
    assert result.code == 3
    assert "404" in result.document["reason"]
    assert not site.desk.last.complete
    states = {state.name: (state.state, state.reason) for state in site.desk.last.sources}
    assert states["Viewer"] == ("stale", "app-1: answered 404")
    assert states["Headquarters"] == ("whole", "")
    now = site.desk.grants()
    assert {key: now[key] for key in before} == before
    assert ("Headquarters", "new@other.example") in now
    del site.autodesk.broken[APP]
    assert site.run().code == 0
    assert site.desk.last.complete


@pytest.mark.parametrize("place", [APP, SITE])
def test_fault_33_an_empty_answer_is_believed_when_it_comes_twice(site: Site, place: Place) -> None:
    site.run()
    before, held = site.desk.grants(), site.autodesk.held[place]
    for empty in ([], held, []):  # a fault, its end, and another one
        site.autodesk.held[place] = empty
        result = site.run()
        assert result.code == (0 if empty else 3)
        assert site.desk.grants() == before
    (state,) = (one for one in site.desk.last.sources if one.id == place.id)
    assert state.state == "stale"
    assert "nobody has access any more" in state.reason
    assert "nobody has access any more" in result.document["reason"]
    assert site.run().code == 0
    assert {name for name, _ in site.desk.grants()} == {"Viewer", "Headquarters"} - {place.name}
    assert site.run().code == 0  # and then nobody is nobody


def test_what_a_place_is_called_is_no_news(site: Site) -> None:
    site.run()
    first = {finding.id: finding.first_seen for finding in site.desk.last.findings}
    site.autodesk.held = {
        place._replace(name=f"New {place.name}"): held for place, held in site.autodesk.held.items()
    }
    result = site.run()
    assert result.code == 0
    assert {finding.place for finding in site.desk.findings("stranger")} == {"New Viewer"}
    assert {name for name, _ in site.desk.grants()} == {"New Viewer", "New Headquarters"}
    assert site.desk.changes() == []
    assert {finding.id: finding.first_seen for finding in site.desk.last.findings} == first


def test_a_refused_sign_in_ends_9_and_keeps_neither_the_delivery_nor_its_memory(site: Site) -> None:
    site.autodesk.broken[APP] = CredentialsError("sign-in needed", hint="rosterd sign-in acme")
    result = site.run()
    assert result.code == 9
    assert result.counts()["created"] == 3
    assert site.office.ledger.binding("ACME").delivered  # the first delivery is over all the same
    assert site.desk.last.complete is False
    assert ("Headquarters", "RUI@acme.example") in site.desk.grants()


def test_a_source_that_could_not_be_read_leaves_its_accounts_and_concludes_nothing(site: Site) -> None:
    site.directory.broken = True
    assert site.run().code == 5
    assert site.desk.grants()["Viewer", "bob@other.example"].verdict == "cannot tell"  # nothing is known yet
    site.directory.broken = False
    site.run()
    assert site.desk.grants()["Viewer", "bob@other.example"].verdict == "stranger"
    site.directory.broken = True
    del site.directory.people["rui"]
    assert site.run().code == 5
    assert site.desk.people()["NDD//rui"].directory == "active"
    assert site.desk.grants()["Headquarters", "RUI@acme.example"].verdict == "known"
    assert {state.state for state in site.desk.last.sources if state.kind == "directory"} == {"stale"}


def test_what_a_guard_holds_is_no_news_of_the_directory(site: Site) -> None:
    site.run()
    people = dict(site.directory.people)
    site.directory.people.clear()
    assert site.run().code == 4
    assert site.desk.people()["NDD//rui"].directory == "active"
    (state,) = [state for state in site.desk.last.sources if state.kind == "directory"]
    assert (state.state, state.reason) == ("stale", "it was read, but a guard holds what it shows")
    site.directory.people.update(people)
    assert site.run().code == 0


def test_orbix_down_still_leaves_a_report(site: Site) -> None:
    site.office.orbix.troubles = ["down"]
    assert site.run().code == 6
    assert site.desk.people()["NDD//ana"].orbix == "never"
    assert ("Viewer", "bob@other.example") in site.desk.grants()


def test_a_report_that_says_the_same_is_not_written_again(site: Site) -> None:
    site.run()
    site.run()
    assert len(site.desk.reports) == 1
    assert site.desk.changes() == []  # the first report has nothing to compare with
    site.autodesk.held[APP].append(Holder("u-x", "Xis", "x@other.example", "VIEWER"))
    result = site.run()
    assert result.document["reports"] == ["acme.json"]
    assert site.desk.changes()[0] == (
        "added", "grant", "Xis (x@other.example) has access to the application Viewer as VIEWER (stranger)",
    )  # fmt: skip
    assert [point.grants for point in site.desk.last.trend] == [7, 8]
    first = site.desk.findings("stranger")[0].first_seen
    site.autodesk.held[APP].pop()
    site.run()
    assert [change[:2] for change in site.desk.changes()] == [("removed", "grant"), ("removed", "finding")]
    assert site.desk.findings("stranger")[0].first_seen == first


def test_a_report_that_could_not_be_written_is_told_and_made_again(site: Site) -> None:
    site.desk.problems = [TargetError("the disk is full", where="reports")]
    result = site.run()
    assert result.code == 3
    assert result.counts()["created"] == 3
    site.desk.problems = []
    assert site.run().code == 0
    assert len(site.desk.reports) == 2


def test_looking_and_pilots_leave_access_alone(site: Site) -> None:
    site.run(dry=True)
    site.run(only=["ana"])
    assert site.desk.reports == []
    assert site.office.ledger.places(site.office.binding) == []


def test_people_of_the_report_show_both_sides(site: Site) -> None:
    site.run()
    people = site.desk.people()
    ana = people["NDD//ana"]
    assert (ana.directory, ana.orbix, ana.groups) == ("active", "delivered", ("Makers",))
    assert ana.emails == ("ana@acme.example", "a.lua@acme.example")
    eva = people["NDD//eva"]
    assert (eva.directory, eva.orbix, eva.note) == ("disabled", "never", "disabled in the directory")
    assert site.desk.last.counts["people"] == 4
    assert site.desk.last.counts["grants"] == 7


def test_a_place_no_longer_named_is_forgotten(site: Site) -> None:
    site.run()
    del site.autodesk.held[APP]
    site.run()
    assert {place for place, _ in site.desk.grants()} == {"Headquarters"}
