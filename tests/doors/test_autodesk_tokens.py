"""Tokens of every kind over a real socket: what is asked for, for whom, when again, and what is never shown."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode, urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.core.settings_kit import SMALL
from tests.doors.autodesk_kit import (
    APP,
    CLIENT,
    DAY,
    NOW,
    REFRESH,
    SECRET,
    TWIN_PLACE,
    aimed,
    answer,
    bearer,
    denied,
    forms,
    given,
    kept,
    page,
    quiet,
    refreshed,
)
from tests.doors.scripted import Play, Scripted, http

from rosterd.autodesk.assertion import assertions
from rosterd.autodesk.settings import ServiceAccountSettings
from rosterd.core.access import Snapshot
from rosterd.errors import CredentialsError, SettingsError, TargetError

BASIC = "Basic " + b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
REFRESHING = {"grant_type": "refresh_token", "refresh_token": REFRESH}


def test_a_confidential_application_sends_its_secret_in_the_header_alone(tmp_path: Path) -> None:
    with Scripted([page()], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        aim.access.read(APP)
        [seen] = server.token_requests
        assert (seen.method, seen.path) == ("POST", "/authentication/v2/token")
        assert seen.headers["authorization"] == BASIC
        assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
        assert forms(server) == [REFRESHING]
        assert kept(tmp_path)["refresh_token"] == "canary-refresh-0002"


def test_a_public_application_sends_its_id_in_the_body_alone(tmp_path: Path) -> None:
    with Scripted([page()], [refreshed()]) as server, aimed(server, tmp_path, client_secret=None) as aim:
        aim.access.read(APP)
        assert forms(server) == [REFRESHING | {"client_id": CLIENT}]
        assert "authorization" not in server.token_requests[0].headers


def test_twins_are_read_two_legged_while_nobody_has_signed_in(tmp_path: Path) -> None:
    with Scripted([answer({})], [given()]) as server, aimed(server, tmp_path, signed_in=False) as aim:
        assert aim.access.read(TWIN_PLACE) == Snapshot([])
        assert forms(server) == [{"grant_type": "client_credentials", "scope": "data:read"}]
        with pytest.raises(CredentialsError, match="nobody has signed in yet"):
            aim.access.read(APP)
        assert len(server.token_requests) == 1


def test_a_public_application_reads_nothing_until_somebody_signs_in(tmp_path: Path) -> None:
    with Scripted([]) as server, aimed(server, tmp_path, signed_in=False, client_secret=None) as aim:
        with pytest.raises(CredentialsError, match="public application") as caught:
            aim.access.read(TWIN_PLACE)
        assert (caught.value.hint, server.connections) == ("rosterd sign-in acme", 0)


def test_one_sign_in_serves_applications_and_twins(tmp_path: Path) -> None:
    with Scripted([page(), answer({})], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        aim.access.read(APP)
        aim.access.read(TWIN_PLACE)
        assert (len(server.token_requests), {bearer(seen) for seen in server.seen}) == (
            1,
            {"canary-access-0002"},
        )


def test_twins_are_read_two_legged_when_the_sign_in_has_ended(tmp_path: Path) -> None:
    with Scripted([answer({})], [denied("invalid_grant"), given()]) as server, aimed(server, tmp_path) as aim:
        assert aim.access.read(TWIN_PLACE) == Snapshot([])
        assert "autodesk_without_sign_in" in aim.log.events()
        with pytest.raises(CredentialsError, match="somebody must sign in"):
            aim.access.read(APP)


@pytest.mark.parametrize(("life", "margin"), [(3599, 60.0), (300, 30.0)])
def test_threat_o3_a_token_is_renewed_early_on_a_clock_that_never_goes_back(
    tmp_path: Path, life: int, margin: float
) -> None:
    tokens = [
        given("t1", refresh_token="r1", expires_in=life),
        given("t2", refresh_token="r2", expires_in=life),
    ]
    with Scripted([], tokens) as server, aimed(server, tmp_path) as aim:
        assert aim.autodesk.user.current().value == "t1"
        aim.now[0] += 365 * DAY  # the wall clock jumps: nothing happens
        aim.time.seconds += life - margin - 1
        assert aim.autodesk.user.current().value == "t1"
        aim.time.seconds += 1
        assert aim.autodesk.user.current().value == "t2"
        assert len(server.token_requests) == 2


def test_fault_96_an_answer_lost_on_the_way_ends_9_with_the_reason(tmp_path: Path) -> None:
    """The server takes the token, its answer is lost; the next try finds the token spent."""
    lost = [Play(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", "reset"), denied("invalid_grant")]
    with Scripted([answer({})], [*lost, given()]) as server, aimed(server, tmp_path) as aim:
        with pytest.raises(CredentialsError, match="the answer to the last refresh was lost") as caught:
            aim.access.read(APP)
        assert (caught.value.exit_code, caught.value.maybe_applied) == (9, False)
        assert forms(server) == [REFRESHING] * 2
        assert aim.access.read(TWIN_PLACE) == Snapshot([])  # the other half is read all the same
    quiet(str(caught.value), repr(caught.value))


def test_a_lost_answer_that_the_server_forgives_costs_nothing(tmp_path: Path) -> None:
    with Scripted([page()], [Play(b"", "reset"), refreshed()]) as server, aimed(server, tmp_path) as aim:
        assert aim.access.read(APP) == Snapshot([])
        assert not kept(tmp_path)["in_use"]


def test_an_answer_never_read_marks_the_sign_in_until_the_next_run(tmp_path: Path) -> None:
    with Scripted([page()], [Play(b"", "close")]) as server, aimed(server, tmp_path, attempts=2) as aim:
        with pytest.raises(TargetError) as caught:
            aim.access.read(APP)
        assert (caught.value.exit_code, caught.value.maybe_applied, len(server.token_requests)) == (
            6,
            False,
            2,
        )
        assert kept(tmp_path)["in_use"]
        server.tokens = [refreshed()]
        assert aim.access.read(APP) == Snapshot([])


@pytest.mark.parametrize("status", [408, 500, 503])
def test_a_busy_token_server_is_asked_again(tmp_path: Path, status: int) -> None:
    with Scripted([page()], [Play(http(status)), refreshed()]) as server, aimed(server, tmp_path) as aim:
        assert aim.access.read(APP) == Snapshot([])
        assert aim.time.waits == [0.5]


def test_a_token_that_was_refused_is_not_used_again_when_its_renewal_failed(tmp_path: Path) -> None:
    plays = [refreshed(2), Play(http(503)), refreshed(3)]
    with Scripted([Play(http(401)), page()], plays) as server, aimed(server, tmp_path, attempts=1) as aim:
        with pytest.raises(TargetError, match="503"):
            aim.access.read(APP)
        assert aim.access.read(APP) == Snapshot([])
        assert [bearer(seen)[-1] for seen in server.seen] == ["2", "3"]


def test_a_pause_that_the_token_server_asks_for_is_kept(tmp_path: Path) -> None:
    plays = [Play(http(429, "", "Retry-After: 25")), refreshed()]
    with Scripted([page()], plays) as server, aimed(server, tmp_path) as aim:
        aim.access.read(APP)
        assert sum(aim.time.waits) == 25


@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client", "invalid_scope"])
def test_a_refused_application_is_no_refused_sign_in(tmp_path: Path, code: str) -> None:
    with Scripted([page()], [denied(code)]) as server, aimed(server, tmp_path) as aim:
        with pytest.raises(CredentialsError) as caught:
            aim.access.read(APP)
        quiet(str(caught.value), caught.value.hint)
        assert kept(tmp_path)["refresh_token"] == REFRESH
        assert "***" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "", "null", "[]", "{}", '{"access_token":7}', '{"access_token":"a b"}', '{"access_token":"a\\r\\nX: y"}',
        '{"access_token":"t","token_type":"mac"}', '{"access_token":"t","refresh_token":"a b"}', "[" * 50_000,
    ],
    ids=lambda body: body[:30],
)  # fmt: skip
def test_an_answer_without_usable_tokens_ends_6_and_keeps_the_mark(tmp_path: Path, body: str) -> None:
    with Scripted([page()], [answer(body)]) as server, aimed(server, tmp_path) as aim:
        with pytest.raises(TargetError, match="odd") as caught:
            aim.access.read(APP)
        assert (caught.value.exit_code, len(server.token_requests)) == (6, 1)
        assert kept(tmp_path)["in_use"]


@pytest.mark.parametrize("status", [302, 404, 400])
def test_a_place_that_gives_no_tokens_ends_6(tmp_path: Path, status: int) -> None:
    with Scripted([page()], [Play(http(status, "<html>"))]) as server, aimed(server, tmp_path) as aim:
        with pytest.raises(TargetError, match=str(status)):
            aim.access.read(APP)
        assert kept(tmp_path)["refresh_token"] == REFRESH


def test_an_idle_daemon_keeps_its_sign_in(tmp_path: Path) -> None:
    """Six weeks without a read: a look a day refreshes once a week, well within Autodesk's 15 days."""
    plays = [refreshed(number) for number in range(2, 9)]
    with Scripted([], plays) as server, aimed(server, tmp_path) as aim:
        days = []
        for day in range(43):
            aim.now[0] = NOW + day * DAY
            aim.time.seconds += DAY
            if aim.access.keep_alive():
                days.append(day)
        assert days == [7, 14, 21, 28, 35, 42]
        assert len(server.token_requests) == 6


def test_keeping_alive_needs_a_sign_in(tmp_path: Path) -> None:
    with Scripted([]) as server, aimed(server, tmp_path, signed_in=False) as aim:
        assert not aim.access.keep_alive()
        assert server.connections == 0


def test_check_says_whose_token_there_is(tmp_path: Path) -> None:
    with Scripted([], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        assert aim.access.check() == "signed in, refreshed 2026-05-28 20:26:40 UTC, token lives 3,599 s"
    with (
        Scripted([], [given()]) as server,
        aimed(server, tmp_path / "b", signed_in=False, applications=[]) as aim,
    ):
        assert aim.access.check() == "token of the application itself obtained, lives 3,599 s"


# Service accounts


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_rsa(public_exponent=65537, key_size=2048)


def pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def account(**changes: Any) -> ServiceAccountSettings:
    return ServiceAccountSettings.model_validate({"id": "SA1", "key_id": "K1"} | changes)


def unpacked(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_service_account_signs_its_assertion(tmp_path: Path, key: RSAPrivateKey) -> None:
    path = tmp_path / "key.pem"
    path.write_text(pem(key))
    make = assertions(account(key_file=path), CLIENT, "https://aps.example/token", lambda: 1_000_000.5)
    plays = [given("sa-1", expires_in=3599), given("sa-2")]
    with Scripted([page(), answer({})], plays) as server:
        with aimed(server, tmp_path, signed_in=False, assertion=make) as aim:
            aim.access.read(APP)
            aim.access.read(TWIN_PLACE)
            assert aim.access.check() == "token of the service account obtained, lives 3,599 s"
        [form] = forms(server)
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, claims, signature = form["assertion"].split(".")
    assert unpacked(head) == {"alg": "RS256", "typ": "JWT", "kid": "K1"}
    assert unpacked(claims) == {
        "iss": CLIENT, "sub": "SA1", "aud": "https://aps.example/token", "exp": 1_000_300, "scope": ["data:read"],
    }  # fmt: skip
    raw = urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    key.public_key().verify(raw, f"{head}.{claims}".encode(), PKCS1v15(), SHA256())


def test_a_sign_in_goes_before_a_service_account(tmp_path: Path) -> None:
    with (
        Scripted([page()], [refreshed()]) as server,
        aimed(server, tmp_path, assertion=lambda: "a.b.c") as aim,
    ):
        aim.access.read(APP)
        assert forms(server) == [REFRESHING]


def test_keys_that_cannot_be_used_are_refused_without_a_word_of_them(
    tmp_path: Path, key: RSAPrivateKey
) -> None:
    curve = generate_private_key(SECP256R1())
    for text in ("canary-key", pem(curve), pem(key)[:400]):
        with pytest.raises(SettingsError) as caught:
            assertions(account(private_key=text), CLIENT, "https://x")
        assert text[30:60] not in f"{caught.value} {caught.value.hint}" or text == "canary-key"
        assert "canary" not in f"{caught.value} {caught.value.hint}"
    with pytest.raises(SettingsError, match=r"missing\.pem: the key cannot be read"):
        assertions(account(key_file=tmp_path / "missing.pem"), CLIENT, "https://x")
    assert len(assertions(account(private_key=pem(key)), CLIENT, "https://x")().split(".")) == 3


WITHOUT = """
import sys
sys.modules["cryptography"] = None
import threading
from pathlib import Path
from rosterd import assemble
from rosterd.errors import SettingsError
from rosterd.settings import load
try:
    assemble.open_autodesk(load(Path(sys.argv[1]), {}).settings, "acme", threading.Event(), None)
except SettingsError as error:
    print(error.exit_code, error, error.hint)
"""


def test_a_service_account_without_its_library_says_what_to_install(tmp_path: Path) -> None:
    config = tmp_path / "rosterd.toml"
    config.write_text(SMALL + ACCOUNT)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(config)], capture_output=True, text=True, timeout=60, check=True,
        env={"PYTHONPATH": "src"}, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.stdout.startswith(
        "2 customers.acme.autodesk.service_account: a service account needs the library"
    )
    assert "pip install 'rosterd[service-account]'" in done.stdout


ACCOUNT = """
[customers.acme.autodesk]
client_id = "x"
[customers.acme.autodesk.service_account]
id = "a"
key_id = "k"
private_key = "canary"
"""
