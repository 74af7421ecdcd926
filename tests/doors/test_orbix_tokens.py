"""Tokens: fetched once for all lanes, renewed early, and odd answers of the token server survived."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
from tests.doors.scripted import SECRET, TOKEN, Play, Scripted, aimed, http, ok, person, settings, token_body

from rosterd.core.outcome import Accepted
from rosterd.errors import CredentialsError, TargetError
from rosterd.orbix.client import Orbix
from rosterd.patience import ComeBack

PEOPLE = [person("maria")]


def named(*names: str, **fields: object) -> list[Play]:
    return [Play(http(200, token_body(access_token=name, **fields))) for name in names]


def test_the_request_is_the_documented_form() -> None:
    with Scripted([ok()]) as server, aimed(server.url) as aim:
        assert aim.orbix.check() == "token obtained, lives 3,600 s"
        [seen] = server.token_requests
        assert parse_qs(seen.body.decode()) == {
            "grant_type": ["client_credentials"],
            "scope": ["nddsmart-printqueue-external-integration-api"],
            "client_id": ["rosterd"],
            "client_secret": [SECRET],
        }
        assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
        assert "tenant" not in seen.headers


def test_many_lanes_share_one_token_and_one_renewal() -> None:
    """All lanes get a 401 for the first token: it is renewed once, and nobody is refused."""
    lanes = 8
    gate = threading.Barrier(lanes)
    first = Play(http(401), before=lambda: gate.wait(5))
    with (
        Scripted([first] * lanes + [ok()], named("t1", "t2")) as server,
        aimed(server.url, concurrency=lanes) as aim,
    ):
        with ThreadPoolExecutor(lanes) as pool:
            target = aim.orbix.target("ACME")
            answers = list(pool.map(lambda _: target.upsert_people(PEOPLE), range(lanes)))
        assert answers == [Accepted()] * lanes
        assert (len(server.token_requests), target.requests) == (2, 2 * lanes)


@pytest.mark.parametrize(("life", "margin"), [(3600, 60.0), (300, 30.0)])
def test_a_token_is_renewed_early(life: int, margin: float) -> None:
    with Scripted([ok()], named("t1", "t2", expires_in=life)) as server, aimed(server.url) as aim:
        aim.orbix.tokens.current()
        aim.time.seconds += life - margin - 1
        assert aim.orbix.tokens.current().value == "t1"
        aim.time.seconds += 1
        assert aim.orbix.tokens.current().value == "t2"
        assert aim.orbix.tokens.current().value == "t2"


def test_when_an_early_renewal_fails_the_old_token_serves_to_its_end() -> None:
    plays = [*named("t1"), Play(http(503))]
    with Scripted([ok()], plays) as server, aimed(server.url, random=0.0) as aim:
        aim.orbix.tokens.current()
        aim.time.seconds += 3550
        for _ in range(5):
            assert aim.orbix.tokens.current().value == "t1"
        assert len(server.token_requests) == 6
        aim.time.seconds += 50
        with pytest.raises(TargetError, match="503"):
            aim.orbix.tokens.current()


@pytest.mark.parametrize(
    ("told", "life"),
    [
        ("7200", 7200.0), (59.5, 59.5), (-1, 30.0), (0, 30.0), (1e300, 86400.0), (10**400, 86400.0),
        (None, 600.0), (True, 600.0), ("soon", 600.0), ([], 600.0), ("-5", 600.0), (float("nan"), 600.0),
        (float("inf"), 86400.0),
    ],
)  # fmt: skip
def test_odd_lives_are_survived(told: object, life: float) -> None:
    with Scripted([ok()], named("t", expires_in=told)) as server, aimed(server.url) as aim:
        assert aim.orbix.tokens.current().life == life


def test_a_missing_life_is_ten_minutes() -> None:
    with Scripted([ok()], [Play(http(200, '{"access_token":"t"}'))]) as server, aimed(server.url) as aim:
        assert aim.orbix.tokens.current().life == 600.0


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "<html>", "{}", '{"access_token":null}', '{"access_token":""}',
        '{"access_token":7}',
        '{"access_token":"a\\r\\nTenant: other"}', '{"access_token":"é"}', '{"access_token":"a b"}',
        '{"access_token":"t","token_type":"mac"}', "[" * 100_000, '{"access_token":"' + "a" * 20_000 + '"}',
    ],
    ids=lambda body: body[:40],
)  # fmt: skip
def test_an_answer_without_a_usable_token_ends_6(body: str) -> None:
    with Scripted([ok()], [Play(http(200, body))]) as server, aimed(server.url) as aim:
        with pytest.raises(TargetError) as caught:
            aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert (caught.value.exit_code, caught.value.maybe_applied) == (6, False)
        assert (len(server.token_requests), server.seen) == (1, [])


@pytest.mark.parametrize("error", ["invalid_client", "invalid_scope", "unauthorized_client"])
def test_refusals_end_9_and_never_quote_what_was_sent(error: str) -> None:
    body = f'{{"error":"{error}","error_description":"bad secret {SECRET}"}}'
    with Scripted([ok()], [Play(http(400, body))]) as server, aimed(server.url) as aim:
        with pytest.raises(CredentialsError, match=error) as caught:
            aim.orbix.check()
        assert SECRET not in f"{caught.value} {caught.value.hint} {aim.log.lines}"


def test_a_refusal_may_be_a_slip_and_is_not_remembered_for_ever() -> None:
    plays = [Play(http(401))] * 3 + named("t1")
    with Scripted([ok()], plays) as server, aimed(server.url) as aim:
        with pytest.raises(CredentialsError):
            aim.orbix.check()
        aim.time.seconds += 61
        assert aim.orbix.check().startswith("token obtained")  # refused once, then given


@pytest.mark.parametrize("status", [302, 404, 400])
def test_a_place_that_gives_no_tokens_ends_6(status: int) -> None:
    with Scripted([ok()], [Play(http(status, "<html>"))]) as server, aimed(server.url) as aim:
        with pytest.raises(TargetError, match=str(status)) as caught:
            aim.orbix.check()
        assert caught.value.exit_code == 6
        assert "token_url" in caught.value.hint


def test_a_busy_token_server_is_asked_again_and_its_pauses_obeyed() -> None:
    plays = [Play(http(503)), Play(http(429, "", "Retry-After: 9")), *named("t1")]
    with Scripted([ok()], plays) as server, aimed(server.url) as aim:
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()
        assert aim.time.waits == [0.5, 9.0]
    with Scripted([ok()], [Play(http(429, "", "Retry-After: 900"))]) as server, aimed(server.url) as aim:
        for _ in range(2):
            with pytest.raises(ComeBack):
                aim.orbix.check()
        assert (len(server.token_requests), aim.time.waits) == (1, [])


def test_no_secret_is_in_what_is_shown() -> None:
    with Scripted([ok()]) as server, aimed(server.url) as aim:
        token = aim.orbix.tokens.current()
        assert TOKEN not in repr(token)
        assert SECRET not in f"{aim.orbix!r} {vars(aim.orbix)!r} {settings(server.url)!r}"
        assert isinstance(aim.orbix, Orbix)
