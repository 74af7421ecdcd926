"""Registrations with 3D printers: asked for once, and what each answer leaves behind."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.doors.autodesk_kit import ACCESS, CODE, aimed, answer, bearer, denied, quiet, refreshed
from tests.doors.scripted import Play, Scripted, http

from rosterd.core.outcome import Issued, Unregistered
from rosterd.errors import CredentialsError, TargetError

EMAIL = "secondary_member@email.com"
SEED = {
    "printer_id": 874,
    "registration_code": CODE,
    "serial_number": None,
    "firmware": "1.1.1.1",
    "printer_type": "7FAF097F-DB2E-45DC-9395-A30210E789AA",
    "issued_date_time": "May 17, 2016 11:42:16",
}


def register(
    tmp_path: Path, *plays: Play, **changes: Any
) -> tuple[Issued | Unregistered | TargetError, Scripted]:
    """What came of one registration at a gateway that plays this, and what the gateway saw."""
    with Scripted([], [refreshed(2), refreshed(3)]) as autodesk, Scripted(plays) as gateway:
        with aimed(autodesk, tmp_path, printers=gateway.url, **changes) as aim:
            assert aim.access.printers is not None
            result: Issued | Unregistered | TargetError
            try:
                result = aim.access.printers.register("874", EMAIL)
            except TargetError as error:
                result = error
                quiet(f"{error} {error.hint}")
        assert autodesk.seen == []
    quiet(repr(result))
    return result, gateway


def doubt(tmp_path: Path, *plays: Play, **changes: Any) -> TargetError:
    """The error after which there may be a registration; it was asked for once."""
    result, gateway = register(tmp_path, *plays, **changes)
    assert isinstance(result, TargetError)
    assert (result.maybe_applied, len(gateway.seen)) == (True, 1)
    assert "printer 874" in result.where
    return result


def test_the_vendors_example(tmp_path: Path) -> None:
    result, gateway = register(tmp_path, answer(SEED))
    assert result == Issued(CODE, "2016-05-17T11:42:16")
    [seen] = gateway.seen
    assert (seen.method, seen.path) == ("POST", "/ps/v1/print/printers/874/secondary_registration")
    assert seen.json() == {"secondary_member_email": EMAIL}
    assert (bearer(seen), seen.headers["content-type"]) == ("canary-access-0002", "application/json")


@pytest.mark.parametrize("text", ["", "yesterday", "Brumaire 1, 2016 11:42:16", "2016-05-17T11:42:16Z"])
def test_a_time_of_another_form_stays_as_it_is(tmp_path: Path, text: str) -> None:
    assert register(tmp_path, answer({**SEED, "issued_date_time": text}))[0] == Issued(CODE, text)


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_refusal_is_a_result_with_its_reason(tmp_path: Path, status: int) -> None:
    body = {"error_id": "e1", "code": "X7", "message": f"No such member {ACCESS[:7]}"}
    result, gateway = register(tmp_path, answer(body, status))
    assert (result, len(gateway.seen)) == (Unregistered("No such member canary- (X7)"), 1)
    assert register(tmp_path, answer("", 422))[0] == Unregistered(
        "the service refuses it (422) and does not say why"
    )


@pytest.mark.parametrize(
    ("status", "body"), [(404, ""), (404, "<html>Not here"), (405, ""), (403, "{}"), (451, "")]
)
def test_what_would_befall_everybody_stops_it_and_nothing_is_in_doubt(
    tmp_path: Path, status: int, body: str
) -> None:
    result, gateway = register(tmp_path, answer(body, status, "Content-Type: text/html"))
    assert isinstance(result, TargetError)
    assert (result.exit_code, result.maybe_applied, len(gateway.seen)) == (6, False, 1)
    assert status != 403 or "data:write" in result.hint


@pytest.mark.parametrize("status", [201, 202, 204, 408, 500, 502, 503, 504])
def test_an_answer_that_leaves_it_open_is_never_asked_again(tmp_path: Path, status: int) -> None:
    error = doubt(tmp_path, Play(http(status, "", "Retry-After: 1", "x-request-id: r-5")))
    assert str(status) in str(error)
    assert "r-5" in error.hint


@pytest.mark.parametrize("end", ["reset", "close"])
def test_a_lost_answer_is_in_doubt(tmp_path: Path, end: Any) -> None:
    doubt(tmp_path, Play(b"", end))
    doubt(tmp_path, Play(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{", end))
    doubt(tmp_path, Play(b"", "hang"), timeout="300ms") if end == "close" else None


@pytest.mark.parametrize(
    "body",
    [
        "", "{}", "[]", "null", "<html>", json.dumps(SEED)[:-3], json.dumps(SEED | {"registration_code": 7}),
        json.dumps(SEED | {"registration_code": ""}), json.dumps(SEED | {"registration_code": f"{CODE} \n"}),
        json.dumps(SEED | {"printer_id": 875}), json.dumps(SEED | {"registration_code": CODE * 20}),
        json.dumps([SEED]),
    ],
    ids=lambda body: body[-24:],
)  # fmt: skip
def test_threat_h4_an_odd_answer_is_in_doubt_and_not_quoted(tmp_path: Path, body: str) -> None:
    assert "open whether there is a code" in str(doubt(tmp_path, answer(body)))


@pytest.mark.parametrize(
    ("status", "maybe"), [(301, False), (302, True), (303, True), (307, False), (308, False)]
)
def test_fault_30_a_redirect_is_not_followed(tmp_path: Path, status: int, maybe: bool) -> None:
    with Scripted([answer(SEED)]) as impostor:
        result, gateway = register(tmp_path, Play(http(status, "", f"Location: {impostor.url}/x")))
        assert isinstance(result, TargetError)
        assert (result.maybe_applied, len(gateway.seen), impostor.connections) == (maybe, 1, 0)


def test_what_was_surely_not_asked_for_is_asked_again(tmp_path: Path) -> None:
    plays = [Play(http(429, "", "Retry-After: 25")), Play(http(401)), answer(SEED)]
    result, gateway = register(tmp_path, *plays)
    assert isinstance(result, Issued)
    assert [bearer(seen)[-1] for seen in gateway.seen] == ["2", "2", "3"]


def test_a_gateway_that_is_not_there_is_no_doubt(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    with Scripted([], [refreshed()]) as autodesk, aimed(autodesk, tmp_path, printers=url) as aim:
        assert aim.access.printers is not None
        with pytest.raises(TargetError, match="no connection") as caught:
            aim.access.printers.register("874", EMAIL)
        assert (caught.value.exit_code, caught.value.maybe_applied) == (6, False)
        assert len(aim.time.waits) == 4


def test_a_lost_refresh_leaves_no_registration_in_doubt(tmp_path: Path) -> None:
    lost = [Play(b"", "reset"), denied("invalid_grant")]
    with (
        Scripted([], lost) as autodesk,
        Scripted([]) as gateway,
        aimed(autodesk, tmp_path, printers=gateway.url) as aim,
    ):
        assert aim.access.printers is not None
        with pytest.raises(CredentialsError) as caught:
            aim.access.printers.register("874", EMAIL)
        assert (caught.value.maybe_applied, gateway.connections) == (False, 0)


def test_without_printers_there_is_no_registrar(tmp_path: Path) -> None:
    with Scripted([]) as server, aimed(server, tmp_path) as aim:
        assert aim.access.printers is None
