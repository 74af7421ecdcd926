"""The console's pages over real sockets: what they say of an office's own runs, page by page, and what they refuse."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.cli.console_kit import TOKEN, Desk, console
from tests.cli.files import customer, groups_file, limit, numbered, people
from tests.cli.kit import Office, switches
from tests.cli.service_kit import until

from rosterd.core.people import sort_key
from rosterd.daemon.schedule import RUN, Entry
from rosterd.daemon.turns import Turned
from rosterd.daemon.web import _listener
from rosterd.due import Rule, parse
from rosterd.sandbox import serve

MARK = re.compile('data-mark="([^"]*)"')


def key(logon: str) -> str:
    return sort_key("NDD", logon).hex()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """acme after two runs: five people and one set aside, then one changed, one refused, and one gone."""
    with serve(switches=switches()) as server:
        office = Office(tmp_path_factory.mktemp("acme"), server)
        office.write(acme=customer(guards={"leavers": limit(count=5)}))
        office.put(people("ana", "bruno", "carlos", "dora", "egon", "not ok"))
        office.run()
        office.fault("refuse", logon="fabia", message="Logon is <b>not</b> valid.")
        renamed = ("egon", "Egon Anew", "egon@example.com")
        office.put([*people("bruno", "carlos", "dora", "not ok", "fabia"), renamed])
        office.run()
        with console(office) as found:
            yield found


def test_the_overview_says_where_each_customer_stands(desk: Desk) -> None:
    seen = desk.page("/").seen
    assert "1 customer" in seen and "acme ACME" in seen and "new problems" in seen
    assert "People changed in the last 2 runs: 5, 2" in seen  # egon anew, ana gone
    assert "1 refused, 1 set aside" in seen and "1 leaver to remove by hand" in seen


def test_a_customers_page(desk: Desk) -> None:
    page = desk.page("/customers/acme")
    for text in (
        "What changed last",
        "Logon is <b>not</b> valid.",
        "NDD//egon Egon Anew",
        "NDD//ana Name of ana left",
    ):
        assert text in page.seen, text
    assert "<b>not</b>" not in page.text
    assert (
        "are switched off here, because no token is set" in page.seen
        and "<form" not in page.text.split("<main")[1]
    )
    points = re.search(r'data-points="([^"]*)"', page.text)
    assert points and points[1].count("[") == 3
    assert "/customers/acme/runs/2" in page.links


def test_runs_and_one_run(desk: Desk) -> None:
    assert desk.page("/customers/acme/runs").seen.count("partial") == 2
    assert desk.page("/customers/acme/runs?before=2").seen.count("partial") == 1
    run = desk.page("/customers/acme/runs/2").seen
    assert "people 6 0 1 3 1 1 0 0 1" in run and "NDD//egon" in run and "NDD//ana" in run
    assert "NDD//bruno" not in run.partition("no later run")[2]
    for path in ("/customers/acme/runs/3", "/customers/acme/runs/0", "/customers/acme/runs/x"):
        assert desk.ask(path).status in (400, 404)


def test_problems_and_leavers(desk: Desk) -> None:
    assert (
        "NDD//fabia Logon is" in (seen := desk.page("/customers/acme/problems").seen)
        and "NDD//not ok" in seen
    )
    refused = desk.page("/customers/acme/problems?show=refused").seen
    assert "NDD//fabia" in refused and "NDD//not ok" not in refused
    after = desk.page(f"/customers/acme/problems?after=person.{key('fabia')}").seen
    assert "NDD//fabia" not in after and "NDD//not ok" in after
    assert "NDD//ana Name of ana ana@example.com" in desk.page("/customers/acme/leavers").seen
    assert "There is nobody more." in desk.page(f"/customers/acme/leavers?after={key('ana')}").seen


@pytest.mark.parametrize(
    ("logon", "word", "why"),
    [
        ("bruno", "delivered", "Orbix has this person as the directory shows it."),
        ("fabia", "refused", "Orbix refuses this record: Logon is <b>not</b> valid.."),
        ("not ok", "set aside", "which Orbix does not accept"),
        ("ana", "left", "Orbix keeps people until somebody removes them."),
    ],
)
def test_a_person_and_why_they_stand_so(desk: Desk, logon: str, word: str, why: str) -> None:
    found = desk.page(f"/customers/acme/people/{key(logon)}").seen
    assert f"{word} " in found and why.rstrip(".") in found
    there = desk.ask(f"/customers/acme/person?key=ndd//{logon.upper().replace(' ', '%20')}")
    assert (there.status, there.headers["location"]) == (303, f"/customers/acme/people/{key(logon)}")


def test_the_history_of_a_person(desk: Desk) -> None:
    egon = desk.page(f"/customers/acme/people/{key('egon')}").seen
    assert "changed name Name of egon → Egon Anew accepted" in egon
    fabia = desk.page(f"/customers/acme/people/{key('fabia')}").seen
    assert "refused: Logon is <b>not</b> valid." in fabia.partition("History")[2]


def test_groupings_of_a_person(grouped: Office) -> None:
    grouped.run()
    with console(grouped) as desk:
        assert "Floor 1 member Floor 2 member" in desk.page(f"/customers/acme/people/{key('p5')}").seen
        assert "Floor 2" not in desk.page(f"/customers/acme/people/{key('p1')}").seen


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("ANA", ["ana"]), ("name of", ["ana", "bruno", "carlos", "dora"]), ("ndd//dora", ["dora"]),
        ("bruno@example", ["bruno"]), ("egon anew", ["egon"]), ("100%", []), ("_", []), ("nobody", []),
        ("not ok", ["not ok"]), ("fabia", ["fabia"]),
    ],
)  # fmt: skip
def test_finding_people(desk: Desk, asked: str, found: list[str]) -> None:
    page = desk.page(f"/people?q={quote(asked)}")
    people_found = [link.rpartition("/")[2] for link in page.links if "/people/" in link]
    assert people_found == [key(logon) for logon in found]
    for customer_ in ("acme", "nobody"):
        assert desk.ask(f"/people?customer={customer_}&q=x").status == (200 if customer_ == "acme" else 404)


def test_letters_beyond_ascii_are_found_in_any_case(office: Office) -> None:
    names = {"joao": "João Ñandú", "jose": "José Müller", "jane": "Jane Miller"}
    office.put([(logon, name, f"{logon}@example.com") for logon, name in names.items()])
    office.run()
    with console(office) as desk:
        for asked, logon in (("JOÃO", "joao"), ("müller", "jose"), ("ÑANDÚ", "joao")):
            seen = desk.page(f"/people?q={quote(asked)}").seen
            assert re.findall(r"NDD//(\w+)", seen) == [logon], asked


def test_a_held_plan_is_shown_page_by_page(office: Office) -> None:
    office.settings["customers"]["acme"]["guards"] = {"first_run": "approve"}
    office.save()
    office.put(numbered(230))
    digest = office.one(code=4)["plan"]
    with console(office) as desk:
        page = desk.page("/customers/acme")
        assert "230 changes held" in page.seen and page.seen.count("@example.com") == 12
        seen, path = [], f"/customers/acme/plans/{digest}"
        while path:
            page = desk.page(path)
            seen += re.findall(r"NDD//p\d+", page.seen)
            path = next((link for link in page.links if "after=" in link), "")
        assert seen == [f"NDD//p{number:05}" for number in range(230)]
        assert desk.ask(f"/customers/acme/plans/{digest[:-1]}0x").status == 404


def test_filter_sort_and_pages_of_the_overview(office: Office) -> None:
    names = [f"c{number:02}" for number in range(60)]
    office.settings["customers"] = {}
    office.write(**{name: customer(name) for name in names})
    office.put(people("ana"), "c07.csv")
    office.put(people("ana", "bruno"), "c09.csv")
    office.run("--customer", "c07", "--customer", "c09")
    with console(office) as desk:
        first = desk.page("/?sort=name")
        assert rows(first) == names[:50] and "Page 1 of 2" in first.seen and "60 customers" in first.seen
        assert rows(desk.page("/?sort=name&page=2")) == names[50:] == rows(desk.page("/?sort=name&page=99"))
        assert rows(desk.page("/"))[-2:] != ["c07", "c09"]
        assert rows(desk.page("/?page=2"))[-2:] == ["c07", "c09"], "the worst come first, these are in step"
        assert rows(desk.page("/?sort=people"))[:2] == ["c09", "c07"]
        assert rows(desk.page("/?show=good")) == ["c07", "c09"]
        assert rows(desk.page("/?show=running")) == [] == rows(desk.page("/?show=failing"))
        assert rows(desk.page("/?q=C1&sort=name")) == names[10:20]
        assert desk.ask("/?page=-1").status == 400


def rows(page: Any) -> list[str]:
    return re.findall(r'<tr data-customer="([^"]*)"', page.text)


def test_the_access_report_and_its_formats(office: Office) -> None:
    folder = office.directory / "reports"
    folder.mkdir()
    (folder / "acme.html").write_text("<!doctype html><script>1</script>")
    (folder / "acme.csv").write_text("key,name\r\n")
    (folder / "acme.json").symlink_to(office.directory / "acme.csv")
    office.run()
    with console(office) as desk:
        assert {"/customers/acme/report", "/customers/acme/report.csv"} <= set(
            desk.page("/customers/acme").links
        )
        report = desk.page("/customers/acme/report")
        assert "sandbox allow-scripts" in (policy := report.headers["content-security-policy"])
        assert "default-src 'none'" in policy and "allow-same-origin" not in policy
        table = desk.page("/customers/acme/report.csv")
        assert table.text == "key,name\r\n" and table.headers["content-length"] == "10"
        assert table.headers["content-disposition"] == 'attachment; filename="acme-access.csv"'
        assert desk.ask("/customers/acme/report.csv", "HEAD").text == ""
        for ending in ("json", "xlsx", "toml", "db", "html%00"):
            assert desk.ask(f"/customers/acme/report.{ending}").status == 404, ending
        for name in ("..", "%2e%2e", "..%2frosterd", "nobody"):
            assert desk.ask(f"/customers/{name}/report").status == 404, name


def test_groups_in_plans_and_problems(office: Office) -> None:
    office.settings["customers"]["acme"]["sources"]["hr"]["groups"] = groups_file("groups.csv")
    office.save()
    office.put_groups([("Floor 1", "First", "ana"), ("Floor 1", "First", "nobody")])
    office.run()
    with console(office) as desk:
        seen = desk.page("/customers/acme/problems").seen
        assert "set aside seat" in seen and "the member nobody is not among the people read" in seen


def test_what_makes_no_sense_is_refused_calmly(desk: Desk) -> None:
    for path, status in {
        "/customers/nobody": 404, "/customers/acme/people/zz": 400, "/customers/acme/people/00": 404,
        f"/customers/acme/people/{'00' * 3_000}": 400, "/customers/acme/problems?after=person.x": 400,
        "/customers/acme/problems?after=table.00": 400, "/people?q=a&after=sqlite_master.1.00": 400,
        "/people?q=a&after=person.x.00": 400, "/customers/acme/person?key=ana": 400,
        "/customers/acme/leavers?after=1": 400,
        "/nothing": 404, "/customers": 404, "/static/console.css": 404,
        "/customers/acme/runs/99999999999999999999": 400,
    }.items():  # fmt: skip
        page = desk.ask(path)
        assert page.status == status, path
        assert "<main" in page.text and "Traceback" not in page.text and "\\x" not in page.text
        assert desk.ask(path, accept="").headers["content-type"] == "application/json"


def test_head_and_other_methods(desk: Desk) -> None:
    for path in ("/", "/customers/acme", "/people?q=ana", "/api/live", "/login"):
        assert desk.ask(path, "HEAD").status in (200, 303)
    for method in ("PUT", "DELETE", "PATCH"):
        assert desk.ask("/", method).status == 403, "without a token nothing changes"
    assert desk.ask("/customers/acme/pause", accept="application/json").status == 405


def test_what_runs_is_told_in_small_pieces(desk: Desk) -> None:
    assert desk.ask("/api/live").text.startswith('{"schema":"rosterd/live/1","running":{}')
    entry = Entry(RUN, "acme", "ACME", Rule(parse("every 1h")))
    desk.board.began(entry)
    desk.board.progress("acme", "people sent", 4_000)
    assert '"done":{"people sent":4000}' in desk.ask("/api/live?customer=acme").text
    assert '"running":{}' in desk.ask("/api/live?customer=other").text
    assert (
        "4,000 people sent" in desk.page("/customers/acme").seen
        and "refresh" in desk.page("/customers/acme").text
    )
    assert rows(desk.page("/?show=running")) == ["acme"]
    desk.board.ended(Turned(entry, 1.0, 2.0, 0))
    assert '"running":{},"mark":"3.000 0 ' in desk.ask("/api/live").text


def test_a_page_knows_how_old_it_is(desk: Desk) -> None:
    """What ends between the making of a page and its first look is seen by that look."""
    entry = Entry(RUN, "acme", "ACME", Rule(parse("every 1h")))
    for path, name in (("/", ""), ("/customers/acme", "?customer=acme")):
        shown = MARK.search(desk.page(path).text)
        assert shown and f'"mark":"{shown[1]}"' in desk.ask(f"/api/live{name}").text
        desk.board.began(entry)
        desk.board.ended(Turned(entry, 1.0, float(len(path)), 0))
        assert f'"mark":"{shown[1]}"' not in desk.ask(f"/api/live{name}").text


def test_a_page_is_old_when_somebody_stands_elsewhere(tmp_path: Path) -> None:
    with serve(switches=switches()) as server:
        office = Office(tmp_path, server)
        office.write(acme=customer(), other=customer("other"))
        office.put(people("ana"))
        office.put(people("zoe"), "other.csv")
        with console(office) as desk:
            desk.known()
            before = {
                path: desk.ask(f"/api/live{path}").text for path in ("", "?customer=acme", "?customer=other")
            }
            office.run("--customer", "acme")
            until(lambda: desk.ask("/api/live").text != before[""])
            assert desk.ask("/api/live?customer=acme").text != before["?customer=acme"]
            assert desk.ask("/api/live?customer=other").text == before["?customer=other"]


def test_an_answer_is_not_kept_waiting_for_its_second_half() -> None:
    """asyncio switches TCP_NODELAY on for what it sees to be TCP; else a page takes 40 ms more."""
    with _listener("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_files_have_their_hash_in_the_name_and_are_kept(desk: Desk) -> None:
    page = desk.page("/")
    for name, kind in (("css", "text/css"), ("js", "text/javascript"), ("svg", "image/svg+xml")):
        path = re.search(rf'"(/static/\w+-[0-9a-f]{{16}}\.{name})"', page.text)
        assert path
        file = desk.page(path[1])
        assert file.headers["content-type"].startswith(kind) and "immutable" in file.headers["cache-control"]
    assert page.headers["cache-control"] == "no-store" and TOKEN not in page.text
