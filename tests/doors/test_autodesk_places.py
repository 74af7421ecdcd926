"""Collaborators and twins over a real socket: what is read, and each fault's outcome for one place."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from tests.doors.autodesk_kit import (
    ACCESS,
    APP,
    OTHER_APP,
    TWIN_PLACE,
    URN,
    aimed,
    answer,
    bearer,
    collaborator,
    denied,
    given,
    page,
    quiet,
    refreshed,
)
from tests.doors.scripted import Play, Scripted, http

from rosterd.core.access import Holder, Place, Snapshot
from rosterd.errors import CredentialsError, TargetError
from rosterd.patience import ComeBack

SEEDS = Path(__file__).parents[1] / "samples"


def failure(tmp_path: Path, place: Place, *plays: Play, **changes: Any) -> tuple[TargetError, Scripted]:
    """Reads a place from a server that plays this; the error and what the server saw."""
    with Scripted(plays, [refreshed(2), refreshed(3)]) as server, aimed(server, tmp_path, **changes) as aim:
        with pytest.raises(TargetError) as caught:
            aim.access.read(place)
        quiet(f"{caught.value!r} {caught.value} {caught.value.hint}")
        assert not caught.value.maybe_applied
        return caught.value, server


def read(tmp_path: Path, place: Place, *plays: Play, **changes: Any) -> tuple[Snapshot, Scripted]:
    with Scripted(plays, [refreshed()]) as server, aimed(server, tmp_path, **changes) as aim:
        return aim.access.read(place), server


def test_every_page_of_an_application_is_read(tmp_path: Path) -> None:
    with Scripted([], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        link = f"{server.url}/applications/v1/clients/app-1/collaborators?limit=100&cursor=b%2Fc"
        server.plays = [page(collaborator(1), next_url=link), page(collaborator(2, lastName=None))]
        found = aim.access.read(APP)
    assert found == Snapshot([
        Holder("ID1", "Ada L1", "ada1@example.com", "VIEWER", since="2019-01-01T00:00:00Z"),
        Holder("ID2", "Ada", "ada2@example.com", "VIEWER", since="2019-01-01T00:00:00Z"),
    ])  # fmt: skip
    assert [seen.path for seen in server.seen] == [
        "/applications/v1/clients/app-1/collaborators?limit=100",
        "/applications/v1/clients/app-1/collaborators?limit=100&cursor=b%2Fc",
    ]
    assert {(seen.method, bearer(seen)) for seen in server.seen} == {("GET", "canary-access-0002")}


def test_a_relative_link_is_followed_and_an_odd_id_is_one_part_of_the_path(tmp_path: Path) -> None:
    here = Place("application", "a/b?c", "x")
    link = "/applications/v1/clients/a%2Fb%3Fc/collaborators?cursor=2"
    _, server = read(tmp_path, here, page(next_url=link), page(collaborator(1)), applications=["a/b?c"])
    assert [seen.path for seen in server.seen] == [
        "/applications/v1/clients/a%2Fb%3Fc/collaborators?limit=100", link,
    ]  # fmt: skip


def test_the_vendors_example_of_a_twin(tmp_path: Path) -> None:
    group = "urn:adsk.dtg:ysqziKwTSCejQaUVfqj32Q"
    body = {
        "116966059401837": {"name": "Fred Flintstone", "group": group, "accessLevel": "Manage"},
        "3Q56PRM475W4": {"name": "Betty Rubble", "email": "betty@example.com", "accessLevel": "Manage"},
    }
    found, server = read(tmp_path, TWIN_PLACE, answer(body))
    assert found.holders == [
        Holder("116966059401837", "Fred Flintstone", "", "Manage", group),
        Holder("3Q56PRM475W4", "Betty Rubble", "betty@example.com", "Manage"),
    ]
    assert server.seen[0].path == f"/tandem/v1/twins/{URN}/users"
    assert "region" not in server.seen[0].headers


def test_a_region_travels_in_its_header(tmp_path: Path) -> None:
    _, server = read(tmp_path, TWIN_PLACE, answer({}), region="EMEA")
    assert server.seen[0].headers["region"] == "EMEA"


# Rows of the fault table


BUSY = [408, 500, 502, 503, 504]


def test_fault_20_a_token_refused_is_renewed_once_then_ends_9(tmp_path: Path) -> None:
    empty = Play(http(401, b"", "x-ads-troubleshooting: token lacks scope", "x-request-id: r-77"))
    error, server = failure(tmp_path, APP, empty)
    assert isinstance(error, CredentialsError)
    assert (error.exit_code, len(server.seen), len(server.token_requests)) == (9, 2, 2)
    assert "token lacks scope" in str(error)
    assert "rosterd sign-in acme" in error.hint


def test_fault_20_refused_credentials_are_asked_once_more_then_end_9(tmp_path: Path) -> None:
    body = {"developerMessage": "The client_id/client_secret are not valid", "errorCode": "AUTH-003"}
    with Scripted([answer({})], [answer(body, 401)]) as server, aimed(server, tmp_path) as aim:
        for place in (APP, OTHER_APP):
            with pytest.raises(CredentialsError, match="AUTH-003") as caught:
                aim.access.read(place)
            assert "client_secret in [customers.acme.autodesk]" in caught.value.hint
        assert (len(server.token_requests), server.seen) == (2, [])
        aim.time.seconds += 61  # the sign-in was not spent on it
        server.tokens = [refreshed()]
        server.plays = [page()]
        assert aim.access.read(APP).holders == []


def test_fault_21_a_token_that_ends_amid_pages_is_renewed_and_the_read_goes_on(tmp_path: Path) -> None:
    with Scripted([], [refreshed(2), refreshed(3)]) as server, aimed(server, tmp_path) as aim:
        link = f"{server.url}/applications/v1/clients/app-1/collaborators?cursor=2"
        server.plays = [page(collaborator(1), next_url=link), Play(http(401)), page(collaborator(2))]
        found = aim.access.read(APP)
        assert ([holder.subject for holder in found.holders], found.consistent) == (["ID1", "ID2"], True)
        assert [bearer(seen)[-1] for seen in server.seen] == ["2", "2", "3"]


@pytest.mark.parametrize(
    ("status", "words"), [(403, "no permission"), (404, "not found"), (400, "of no use")]
)
def test_faults_22_23_a_final_answer_is_not_retried_and_the_next_place_is_read(
    tmp_path: Path, status: int, words: str
) -> None:
    no = answer({"developerMessage": "You may not", "errorCode": "ABC-1"}, status, "x-request-id: r-9")
    with Scripted([no, page(collaborator(1))], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        with pytest.raises(TargetError, match=words) as caught:
            aim.access.read(APP)
        assert (caught.value.exit_code, len(server.seen)) == (6, 1)
        assert "app-1" in caught.value.where
        assert "You may not (ABC-1)" in str(caught.value)
        assert "r-9" in caught.value.hint
        assert [entry[1]["request_id"] for entry in aim.log.lines] == ["r-9"]
        assert len(aim.access.read(OTHER_APP).holders) == 1


@pytest.mark.parametrize("status", BUSY)
def test_fault_24_a_broken_server_is_asked_again_with_back_off(tmp_path: Path, status: int) -> None:
    plays = [Play(http(status)), Play(http(status)), answer({})]
    with Scripted(plays, [refreshed()]) as server, aimed(server, tmp_path) as aim:
        assert aim.access.read(TWIN_PLACE) == Snapshot([])
        assert aim.time.waits == [0.5, 1.0]
    error, server = failure(tmp_path, TWIN_PLACE, Play(http(status)))
    assert (error.exit_code, len(server.seen)) == (6, 5)
    assert str(status) in str(error)


def test_fault_24_the_breaker_opens_for_one_service_and_not_for_the_other(tmp_path: Path) -> None:
    with Scripted([Play(http(500))], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        for _ in range(4):
            with pytest.raises(TargetError):
                aim.access.read(TWIN_PLACE)
        assert len(server.seen) == 15
        server.plays = [page(collaborator(1))]
        assert len(aim.access.read(APP).holders) == 1


@pytest.mark.parametrize("end", ["reset", "close"])
def test_a_cut_connection_is_asked_again(tmp_path: Path, end: Any) -> None:
    found, server = read(tmp_path, APP, Play(b"", end), page(collaborator(1)))
    assert (len(found.holders), len(server.seen)) == (1, 2)


def test_fault_27_too_many_requests_wait_a_second_at_least(tmp_path: Path) -> None:
    with Scripted([Play(http(429)), page()], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        aim.access.read(APP)
        assert aim.time.waits == [1.0]


@pytest.mark.parametrize("status", [429, 503])
def test_fault_28_retry_after_is_obeyed_up_to_the_cap(tmp_path: Path, status: int) -> None:
    plays = [Play(http(status, "", "Retry-After: 25")), page()]
    with Scripted(plays, [refreshed()]) as server, aimed(server, tmp_path) as aim:
        aim.access.read(APP)
        assert sum(aim.time.waits) == 25
    plays = [Play(http(status, "", "Retry-After: 900"))]
    with Scripted(plays, [refreshed()]) as server, aimed(server, tmp_path) as aim:
        for place in (APP, OTHER_APP, TWIN_PLACE):
            with pytest.raises(ComeBack):
                aim.access.read(place)
        assert (len(server.seen), aim.time.waits) == (1, [])


def test_fault_29_a_date_in_retry_after(tmp_path: Path) -> None:
    past, soon = formatdate(1_000_000_000, usegmt=True), formatdate(1_000_000_007, usegmt=True)
    plays = [
        Play(http(429, "", f"Retry-After: {past}", f"Date: {past}")),
        Play(http(429, "", f"Retry-After: {soon}", f"Date: {past}")),
        Play(http(429, "", "Retry-After: soon")),
        page(),
    ]
    with Scripted(plays, [refreshed()]) as server, aimed(server, tmp_path) as aim:
        aim.access.read(APP)
        assert aim.time.waits == [1.0, 7.0, 2.0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", [APP, TWIN_PLACE], ids=["application", "twin"])
def test_fault_30_redirects_are_never_followed(tmp_path: Path, status: int, place: Place) -> None:
    with Scripted([page()]) as impostor:
        moved = Play(http(status, "", f"Location: {impostor.url}/elsewhere"))
        error, server = failure(tmp_path, place, moved)
        assert (error.exit_code, len(server.seen), impostor.connections) == (6, 1, 0)
        assert impostor.url.removeprefix("http://") in str(error)


@pytest.mark.parametrize(
    "link",
    [
        "{impostor}/applications/v1/clients/app-1/collaborators?cursor=2", "//{host}/x",
        "https://{same}/api/next", "http://user@{same}/api/next", "http://localhost:{port}/api/next",
        "http://{same}/apix/next", "http://{same}/api/../other", "http://{same}/api/%2e%2E/other",
        "http://{same}/api\\@evil.example", "http://[::1", "ftp://{same}/api/x", "javascript:alert(1)",
        "http://{same}:99999/api/x", "http://ex\u00e4mple/api", "http://{same}/api/a b", 7, {}, "?" + "\r\nHost: x",
    ],
)  # fmt: skip
def test_fault_31_a_link_elsewhere_is_not_followed(tmp_path: Path, link: object) -> None:
    with Scripted([page()]) as impostor, Scripted([], [refreshed()]) as server:
        same, host = server.url.removeprefix("http://"), impostor.url.removeprefix("http://")
        if isinstance(link, str):
            link = link.format(impostor=impostor.url, host=host, same=same, port=same.rpartition(":")[2])
        server.plays = [page(collaborator(1), next_url=link)]
        # The base has a path of its own; its token server is scripted at the root.
        with aimed(f"{server.url}/api", tmp_path) as aim:
            server.tokens, server.plays = [], [refreshed(), *server.plays]
            with pytest.raises(TargetError, match="next page") as caught:
                aim.access.read(APP)
        assert (caught.value.exit_code, impostor.connections, len(server.seen)) == (6, 0, 2)


def test_fault_31_pages_in_a_circle_and_pages_without_end(tmp_path: Path) -> None:
    here = "/applications/v1/clients/app-1/collaborators?limit=100"
    error, server = failure(tmp_path, APP, page(collaborator(1), next_url=here))
    assert ("circle" in str(error), len(server.seen)) == (True, 1)
    endless = [page(next_url=f"/applications/v1/clients/app-1/collaborators?cursor={n}") for n in range(1001)]
    error, server = failure(tmp_path, APP, *endless)
    assert ("more than 1,000 pages" in str(error), len(server.seen)) == (True, 1000)


@pytest.mark.parametrize(
    ("pages", "people"),
    [
        ([page(collaborator(1), collaborator(2), next_url="?b"), page(collaborator(2), collaborator(3))], 3),
        ([page(collaborator(1), next_url="?b", totalResults=2), page(collaborator(2), totalResults=3)], 2),
        ([page(collaborator(1), totalResults=5)], 1),
        ([page(collaborator(1), collaborator(1, accessLevel="OWNER"))], 1),
    ],
    ids=["on two pages", "total moves", "total does not fit", "twice on a page"],
)
def test_fault_32_what_changes_while_it_is_read_is_said_to(
    tmp_path: Path, pages: list[Play], people: int
) -> None:
    with Scripted(pages, [refreshed()]) as server, aimed(server, tmp_path) as aim:
        fixed = [play.data.replace(b'"?b"', b'"/applications/v1/x?b"') for play in pages]
        server.plays = [Play(http(200, data.partition(b"\r\n\r\n")[2])) for data in fixed]
        found = aim.access.read(APP)
        assert (len(found.holders), found.consistent) == (people, False)


def test_totals_that_fit_are_consistent(tmp_path: Path) -> None:
    found, _ = read(tmp_path, APP, page(collaborator(1), collaborator(2), totalResults=2))
    assert found.consistent


@pytest.mark.parametrize(
    ("told", "level"),
    [
        ("Manage", "Manage"), (3, "level:3"), (0, "level:0"), (-1, "level:-1"), (None, ""), ("None", "None"),
        (True, "true"), (2.5, "2.5"), (["a"], '["a"]'), ("x" * 5000, "x" * 1000 + "…"),
        ("a\x1bb\ud800", "a\ufffdb\ufffd"),
    ],
)  # fmt: skip
def test_fault_33_levels_of_every_kind(tmp_path: Path, told: object, level: str) -> None:
    found, _ = read(tmp_path, TWIN_PLACE, answer({"S1": {"name": "N", "accessLevel": told}}))
    assert [holder.level for holder in found.holders] == [level]
    found, _ = read(tmp_path, APP, page(collaborator(1, accessLevel=told)))
    assert [holder.level for holder in found.holders] == [level]
    level.encode()


def test_fault_33_no_users_users_without_address_and_groups(tmp_path: Path) -> None:
    assert read(tmp_path, TWIN_PLACE, answer("{}"))[0] == Snapshot([])
    body = {
        "urn:adsk.dtg:one": {"name": "Group one", "accessLevel": 2},
        "G2": {"name": "Group two"},
        "U1": {"name": "In two", "group": "G2"},
        "U2": {},
        "urn:adsk.user:3": {"email": "someone@example.com"},
    }
    found, _ = read(tmp_path, TWIN_PLACE, answer(body))
    assert [holder.group for holder in found.holders] == [True, True, False, False, False]
    assert found.holders[3] == Holder("U2", "", "", "")


ODD = [
    "",
    "null",
    "[]",
    "7",
    '"text"',
    "{",
    "<html>",
    "NaN",
    "[" * 100_000,
    '{"a":1,"a":2}',
    "\ufeff{]",
    '{"a":NaN}',
]


@pytest.mark.parametrize("body", ODD, ids=lambda body: body[:12])
@pytest.mark.parametrize("place", [APP, TWIN_PLACE], ids=["application", "twin"])
def test_threat_h4_an_odd_answer_says_which_place(tmp_path: Path, place: Place, body: str) -> None:
    error, server = failure(tmp_path, place, answer(body))
    assert "the answer is odd" in str(error)
    assert place.id in error.where
    assert (error.exit_code, len(server.seen)) == (6, 1)


@pytest.mark.parametrize(
    ("place", "body"),
    [
        (APP, {}), (APP, {"results": {}}), (APP, {"results": [1]}), (APP, {"results": [], "pagination": []}),
        (APP, {"errorCode": "X"}), (TWIN_PLACE, {"S": 1}), (TWIN_PLACE, {"S": None}),
        (TWIN_PLACE, '{"S":{},"S":{}}'), (TWIN_PLACE, {"error": "no"}),
        (APP, "\udcff".encode("utf-8", "surrogateescape").decode("latin-1")),
    ],
)  # fmt: skip
def test_threat_h4_json_of_another_shape(tmp_path: Path, place: Place, body: object) -> None:
    error, _ = failure(tmp_path, place, answer(body))
    assert "the answer is odd" in str(error)


def test_hostile_fields_are_kept_as_text(tmp_path: Path) -> None:
    entry = {"name": "<script>\x00\x1b[2J", "email": ["a"], "group": {"a": 1}, "accessLevel": {"x": []}}
    found, _ = read(tmp_path, TWIN_PLACE, answer({"S\n1": entry}))
    assert found.holders == [Holder("S\ufffd1", "<script>\ufffd\ufffd[2J", '["a"]', '{"x": []}', '{"a": 1}')]
    odd = {"userId": 7, "firstName": 1, "lastName": [], "email": None}
    found, _ = read(tmp_path, APP, page(odd, odd | {"email": "a@b.c"}, {}))
    assert [holder.subject for holder in found.holders] == ["7", ""]


def test_fault_34_a_gzip_bomb_is_cut(tmp_path: Path) -> None:
    bomb = gzip.compress(b"0" * (64 << 20))
    error, _ = failure(tmp_path, APP, Play(http(200, bomb, "Content-Encoding: gzip")), attempts=1)
    assert "compressed" in str(error)


def test_fault_34_a_flood_is_cut_at_the_cap(tmp_path: Path) -> None:
    """In a process of its own, so that the growth of its memory can be seen."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    with Scripted([Play(head, "flood", piece=b"[" * 65536)], [refreshed()]) as server:
        code = FLOODED.format(url=server.url, directory=str(tmp_path))
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, cwd=SEEDS.parents[1],
            env={"PYTHONPATH": f"src:{SEEDS.parents[1]}", "PATH": ""},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "too long" in found["said"]
    assert found["grown"] <= 32 * 1024


FLOODED = """
import json, resource, sys
from pathlib import Path
from tests.doors.autodesk_kit import APP, aimed
from rosterd.errors import TargetError
with aimed("{url}", Path("{directory}"), attempts=1) as aim:
    aim.autodesk.user.current()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        aim.access.read(APP)
    except TargetError as error:
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({{"said": str(error), "grown": after - before}}))
"""


# Errors in all of Autodesk's shapes


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ('{"developerMessage":"Not yours","errorCode":"A-1","moreInfo":"x"}', "application/json", "Not yours (A-1)"),
        ("You are not allowed", "text/plain; charset=utf-8", "You are not allowed"),
        ('{"error_id":"e1","code":"c2","message":"Nope"}', "application/json", "Nope (c2)"),
        ('{"errors":[{"title":"Denied","code":5}]}', "application/json", "Denied (5)"),
        ('[{"detail":"In a list"}]', "application/json", "In a list"),
        ('{"error":{"message":"Deep"}}', "application/json", "Deep"),
        ('{"errors":["A text in a list"]}', "application/json", "A text in a list"),
        ('{"fault":{"faultstring":"Rate limit","detail":{}}}', "application/json", "Rate limit"),
        ('"just a text"', "application/json", "just a text"),
        ("", "text/plain", "from the header"),
        ("<html><p>Gone", "text/html", "from the header"),
    ],
)  # fmt: skip
def test_errors_of_every_shape_become_one_sentence(tmp_path: Path, body: str, kind: str, words: str) -> None:
    said = Play(http(403, body, f"Content-Type: {kind}", "x-ads-troubleshooting: from the header"))
    error, _ = failure(tmp_path, APP, said)
    assert str(error) == f"collaborators of application app-1: no permission (403): {words}"


def test_an_error_that_quotes_the_token_does_not_give_it_away(tmp_path: Path) -> None:
    """failure() looks for the canaries; the token of this request is one."""
    with (
        Scripted(
            [answer({"message": f"bad token {ACCESS} {'x' * 1000}"}, 403)], [given(refresh_token="n")]
        ) as server,
        aimed(server, tmp_path) as aim,
        pytest.raises(TargetError) as caught,
    ):
        aim.access.read(APP)
    assert "bad token ***" in str(caught.value)
    assert len(str(caught.value)) < 450


def test_a_refused_refresh_tells_once_and_asks_no_more(tmp_path: Path) -> None:
    with Scripted([page()], [denied("invalid_grant")]) as server, aimed(server, tmp_path) as aim:
        for place in (APP, OTHER_APP, APP):
            with pytest.raises(CredentialsError, match="somebody must sign in") as caught:
                aim.access.read(place)
            assert caught.value.hint == "rosterd sign-in acme"
            aim.time.seconds += 3600
        assert (len(server.token_requests), server.seen) == (1, [])
