"""Rows of the fault table about the wire: what Orbix may do, played over a real socket, and what follows."""

from __future__ import annotations

import json
import socket
import threading
import time
from email.utils import formatdate
from typing import Any

import pytest
from tests.doors.scripted import (
    Lines,
    Play,
    Scripted,
    aimed,
    grouping,
    http,
    ok,
    people,
    person,
    settings,
    token_body,
)

from rosterd.core.outcome import Accepted, TooLarge
from rosterd.errors import CredentialsError, RosterdError, Stopped, TargetError
from rosterd.orbix.binding import Binding
from rosterd.orbix.client import Orbix, OrbixTarget
from rosterd.patience import Again, ComeBack, Patience

PEOPLE = [person("carlos.silva"), person("Joao.Souza"), person("maria")]
ALL_BAD = '{"errors":{"3400":["All users are invalid."]},"title":"BadRequest","status":400}'


def listed(*entries: tuple[str, str]) -> str:
    """The body of a 201 that refuses these."""
    return json.dumps([{"user": user, "errorMessage": message} for user, message in entries])


def doubtful(*plays: Play, **changes: Any) -> tuple[TargetError, Scripted]:
    """Sends PEOPLE to a server that plays this; the error and what the server saw."""
    with Scripted(plays) as server, aimed(server.url, **changes) as aim:
        with pytest.raises(TargetError) as caught:
            aim.orbix.target("ACME").upsert_people(PEOPLE)
        return caught.value, server


def test_fault_01_reset_at_accept_is_retried_with_back_off() -> None:
    with Scripted([ok()], resets_at_accept=2) as server, aimed(server.url, random=0.5) as aim:
        target = aim.orbix.target("ACME")
        assert target.upsert_people(PEOPLE) == Accepted()
        assert aim.time.waits == [0.25, 0.5]


def test_fault_01_refused_connections_end_6_and_nothing_was_applied() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with aimed(url) as aim:
        target = aim.orbix.target("ACME")
        with pytest.raises(TargetError, match="no connection") as caught:
            target.upsert_people(PEOPLE)
        assert (caught.value.exit_code, caught.value.maybe_applied, target.requests) == (6, False, 0)
        assert aim.time.waits == [0.5, 1.0, 2.0, 4.0]


def test_a_token_server_that_does_not_answer_multiplies_no_retries() -> None:
    with Scripted([ok()], [Play(b"", "close")]) as server, aimed(server.url) as aim:
        with pytest.raises(TargetError) as caught:
            aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert (caught.value.maybe_applied, len(server.token_requests), len(server.seen)) == (False, 5, 0)


@pytest.mark.parametrize("end", ["reset", "close"])
def test_fault_02_cut_after_the_request_is_retried_with_the_same_body(end: str) -> None:
    cut = Play(b"", "reset" if end == "reset" else "close")
    with Scripted([cut, cut, ok()]) as server, aimed(server.url) as aim:
        target = aim.orbix.target("ACME")
        assert target.upsert_people(PEOPLE) == Accepted()
        assert len(server.seen) == target.requests == 3
        assert len(set(server.bodies())) == 1
    error, server = doubtful(cut)
    assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, True, 5)


def test_fault_03_a_read_timeout_is_doubtful() -> None:
    error, server = doubtful(Play(b"", "hang"), timeout="300ms", attempts=2)
    assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, True, 2)


def test_fault_04_a_half_open_connection_ends_at_the_deadline() -> None:
    """A full backlog drops SYNs as a silent firewall does."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        where = listener.getsockname()
        with socket.create_connection(where), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(where)
            with aimed(f"http://127.0.0.1:{where[1]}", timeout="700ms", attempts=1) as aim:
                started = time.monotonic()
                with pytest.raises(TargetError, match="in time") as caught:
                    aim.orbix.target("ACME").upsert_people(PEOPLE)
                assert time.monotonic() - started < 3
                assert caught.value.exit_code == 6


@pytest.mark.parametrize("at_once", [0, 60], ids=["head", "body"])
def test_fault_06_a_dripping_answer_is_cut_at_the_total_deadline(at_once: int) -> None:
    started = time.monotonic()
    drip = Play(http(201, "[" + " " * 100 + "]"), drip=0.05, at_once=at_once)
    error, _ = doubtful(drip, timeout="600ms", attempts=1)
    assert error.maybe_applied
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 201 Cre",
        b"HTTP/1.1 201 Created\r\nContent-Le",
        b"HTTP/1.1 201 Created\r\nContent-Length: 20\r\n\r\n[]",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]",
    ],
)
def test_fault_07_a_truncated_answer_is_doubtful(data: bytes) -> None:
    error, server = doubtful(Play(data, "close"))
    assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, True, 5)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\xff\xfe garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 2O1 Created\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
        b"HTTP/1.1 201 Created\r\nContent-Length: -2\r\n\r\n[]",
        b"HTTP/1.1 201 Created\r\nContent-Length: 99999999999999999999999\r\n\r\n[]",
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n[]\r\n",
        b"HTTP/1.1 201 Created\r\nbroken header\r\n\r\n[]",
        b"HTTP/1.1 201 Created\r\nX: " + b"a" * 200_000,
    ],
)
def test_fault_08_garbage_is_doubtful_and_no_crash(data: bytes) -> None:
    error, server = doubtful(Play(data, "close"), attempts=2)
    assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, True, 2)


@pytest.mark.parametrize("refusal", [http(401), http(400, '{"error":"invalid_client"}'), http(403)])
def test_fault_20_refused_credentials_are_asked_twice_then_9(refusal: bytes) -> None:
    with Scripted([ok()], [Play(refusal)]) as server, aimed(server.url) as aim:
        for _ in range(3):  # later calls do not ask again at once: credentials get locked out
            with pytest.raises(CredentialsError) as caught:
                aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert caught.value.exit_code == 9
        assert (len(server.token_requests), len(server.seen)) == (2, 0)


def test_fault_20_a_fresh_token_that_is_refused_ends_9() -> None:
    with Scripted([Play(http(401))]) as server, aimed(server.url) as aim:
        with pytest.raises(CredentialsError):
            aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert (len(server.token_requests), len(server.seen)) == (2, 2)


def test_fault_21_an_expired_token_is_renewed_and_the_batch_resumed() -> None:
    tokens = [Play(http(200, token_body(access_token=f"token-{n}"))) for n in (1, 2)]
    with Scripted([ok(), Play(http(401)), ok()], tokens) as server, aimed(server.url, attempts=1) as aim:
        target = aim.orbix.target("ACME")
        assert target.upsert_people(PEOPLE) == Accepted()
        assert target.upsert_people(PEOPLE[:1]) == Accepted()
        assert [seen.headers["authorization"][-1] for seen in server.seen] == ["1", "1", "2"]
        assert server.seen[1].body == server.seen[2].body
        assert target.requests == 3


@pytest.mark.parametrize(
    ("status", "word"), [(403, "tenant"), (404, "base_url"), (405, "base_url"), (422, "")]
)
def test_fault_22_23_forbidden_and_not_found_are_final(status: int, word: str) -> None:
    error, server = doubtful(Play(http(status, '{"detail":"No such\\nthing"}', "X-Request-Id: r-1")))
    assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, False, 1)
    assert word in error.hint
    assert "No such" in error.what
    assert "\n" not in str(error)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_fault_24_server_failures_are_retried_with_full_jitter(status: int) -> None:
    with Scripted([Play(http(status))] * 3 + [ok()]) as server, aimed(server.url, random=0.5) as aim:
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()
        assert aim.time.waits == [0.25, 0.5, 1.0]
    error, server = doubtful(Play(http(status)))
    assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, True, 5)


def test_fault_24_the_breaker_opens_and_lets_one_through_later() -> None:
    """It is one customer's: the others' requests go on."""
    with Scripted([Play(http(500))] * 10 + [ok(), ok()]) as server, aimed(server.url, random=0.0) as aim:
        acme = aim.orbix.target("ACME")
        for _ in range(5):
            with pytest.raises(TargetError):
                acme.upsert_people(PEOPLE)
        assert len(server.seen) == 10
        with pytest.raises(TargetError, match="last 10 requests failed"):
            acme.upsert_people(PEOPLE)
        assert len(server.seen) == 10
        assert aim.orbix.target("OTHER").upsert_people(PEOPLE) == Accepted()
        aim.time.seconds += 61
        assert acme.upsert_people(PEOPLE) == Accepted()


def test_fault_25_a_conflict_is_retried_once() -> None:
    with Scripted([Play(http(409)), ok()]) as server, aimed(server.url) as aim:
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()
        assert aim.time.waits == [1.0]
    error, server = doubtful(Play(http(409)))
    assert (error.exit_code, len(server.seen)) == (6, 2)


@pytest.mark.parametrize("end", ["keep", "close", "reset"])
def test_fault_26_too_large_also_when_answered_early(end: str) -> None:
    early = Play(
        http(413), "keep" if end == "keep" else "reset" if end == "reset" else "close", early=end != "keep"
    )
    with Scripted([early]) as server, aimed(server.url) as aim:
        assert aim.orbix.target("ACME").upsert_people(people(4500)) == TooLarge()
        assert len(server.seen) == 1


def test_fault_27_too_many_requests_waits_a_second_at_least() -> None:
    with Scripted([Play(http(429))] * 4 + [ok()]) as server, aimed(server.url) as aim:
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()
        assert aim.time.waits == [1.0, 1.0, 2.0, 4.0]
    error, _ = doubtful(Play(http(429)))
    assert not error.maybe_applied


@pytest.mark.parametrize("status", [429, 503])
def test_fault_28_retry_after_is_obeyed_within_the_cap(status: int) -> None:
    with Scripted([Play(http(status, "", "Retry-After: 7")), ok()]) as server, aimed(server.url) as aim:
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()
        assert aim.time.waits == [7.0]


def test_fault_28_over_the_cap_ends_for_every_customer_and_says_when() -> None:
    with Scripted([Play(http(429, "", "Retry-After: 3600")), ok()]) as server, aimed(server.url) as aim:
        with pytest.raises(ComeBack, match=r"come back in 3600 s, at 20\d\d-") as caught:
            aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert (caught.value.exit_code, caught.value.maybe_applied) == (6, False)
        with pytest.raises(ComeBack):
            aim.orbix.target("OTHER").upsert_people(PEOPLE)
        assert (len(server.seen), aim.time.waits) == (1, [])
        aim.time.seconds += 3601
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(formatdate(time.time() - 5000, usegmt=True), 1.0, id="a date that is past"),
        ("soon", 1.0),
        ("-5", 1.0),
        ("7.5", 1.0),
        ("", 1.0),
        ("Thu, 99 Foo 2026 99:99:99 GMT", 1.0),
    ],
)
def test_fault_29_a_past_or_bad_retry_after_is_the_least_wait(value: str, expected: float) -> None:
    with Scripted([Play(http(429, "", f"Retry-After: {value}")), ok()]) as server, aimed(server.url) as aim:
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()
        assert aim.time.waits == [expected]


def test_fault_29_a_date_is_measured_from_the_answer_s_own_clock() -> None:
    headers = (f"Date: {formatdate(1e9, usegmt=True)}", f"Retry-After: {formatdate(1e9 + 20, usegmt=True)}")
    with Scripted([Play(http(503, "", *headers)), ok()]) as server, aimed(server.url) as aim:
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()
        assert aim.time.waits == [20.0]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_fault_30_redirects_are_not_followed(status: int) -> None:
    with Scripted([ok()]) as elsewhere:
        error, server = doubtful(Play(http(status, "", f"Location: {elsewhere.url}/api/v1/users")))
        assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, False, 1)
        assert elsewhere.url.removeprefix("http://") in error.what
        assert (elsewhere.seen, elsewhere.connections) == ([], 0)


def test_fault_57_a_stop_in_real_time_ends_within_a_second() -> None:
    stop = threading.Event()
    stopped: list[float] = []

    def stop_now() -> None:
        stopped.append(time.monotonic())
        stop.set()

    with Scripted(
        [Play(http(429, "", "Retry-After: 100"), before=threading.Timer(0.2, stop_now).start)]
    ) as server:
        orbix = Orbix(settings(server.url), stop, Lines())
        with pytest.raises(Stopped):
            orbix.target("ACME").upsert_people(PEOPLE)
        assert time.monotonic() - stopped[0] < 1
        orbix.close()


def test_fault_57_a_stop_during_a_pause_ends_at_once() -> None:
    with Scripted([Play(http(429, "", "Retry-After: 100"))]) as server, aimed(server.url) as aim:
        aim.time.stop_at = aim.time.seconds + 50
        with pytest.raises(Stopped) as caught:
            aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert (caught.value.exit_code, len(server.seen)) == (0, 1)


def test_fault_70_a_jump_of_the_wall_clock_changes_no_wait() -> None:
    """Only the given monotonic clock moves the pace: requests are spaced by it and never come in a burst."""
    with Scripted([ok()]) as server, aimed(server.url, requests_per_second=4) as aim:
        target = aim.orbix.target("ACME")
        aim.time.seconds += 31_536_000
        for _ in range(5):
            target.upsert_people(PEOPLE)
        assert aim.time.waits == [0.25] * 4


@pytest.mark.parametrize("play", [Play(b"", "close"), Play(http(500)), Play(http(200, "[]")), ok("{}")])
def test_synchronize_is_tried_once(play: Play) -> None:
    with Scripted([play]) as server, aimed(server.url) as aim:
        target = aim.orbix.target("ACME")
        with pytest.raises(TargetError) as caught:
            target.synchronize_people(PEOPLE)
        assert caught.value.maybe_applied
        with pytest.raises(TargetError) as caught:
            target.synchronize_groups([grouping("G", PEOPLE[0])])
        assert caught.value.maybe_applied
        assert [seen.path for seen in server.seen] == [
            "/api/v1/users/synchronize",
            "/api/v1/groups/users-sync",
        ]
        assert aim.time.waits == []


def test_doubt_is_not_forgotten_when_the_last_try_was_harmless() -> None:
    error, server = doubtful(Play(b"", "close"), Play(http(403)))
    assert (len(server.seen), error.maybe_applied) == (2, True)


def test_only_requests_that_left_are_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with Scripted([ok()]) as server, aimed(server.url, base_url=url) as aim:
        target = aim.orbix.target("ACME")
        with pytest.raises(TargetError, match="no connection") as caught:
            target.upsert_people(PEOPLE)
        assert (target.requests, caught.value.maybe_applied, len(server.token_requests)) == (0, False, 1)


def test_a_defective_binding_sends_nothing() -> None:
    with Scripted([ok()]) as server, aimed(server.url) as aim:
        target = OrbixTarget(aim.orbix, Binding("https://elsewhere.example.com", "provider-one", "ACME"))
        with pytest.raises(RosterdError, match="another server") as caught:
            target.upsert_people(PEOPLE)
        assert (caught.value.exit_code, server.seen) == (1, [])


@pytest.mark.parametrize(
    ("status", "headers", "least"),
    [(429, (), 1.0), (503, (), 0.0), (503, (f"Retry-After: {formatdate(1e9, usegmt=True)}",), 1.0)],
)
def test_the_least_wait(status: int, headers: tuple[str, ...], least: float) -> None:
    plays = [Play(http(status, "", *headers)), ok()]
    with Scripted(plays) as server, aimed(server.url, random=0.0) as aim:
        aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert aim.time.waits == [least]


def test_back_off_is_capped_and_a_run_has_a_budget() -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return False

    def failing() -> Again:
        return Again(TargetError("busy"))

    patience = Patience(20, wait, lambda _problem, _seconds: None, random=lambda: 1.0, budget=100.0)
    with pytest.raises(TargetError, match="busy"):
        patience.run(failing)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
