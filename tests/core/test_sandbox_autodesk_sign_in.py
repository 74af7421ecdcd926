"""The pretend Autodesk's token server: the four grants, and what each of them refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from tests.core.autodesk_kit import (
    ALL,
    AUTHORIZE,
    CALLBACK,
    REFRESH,
    TOKEN,
    VERIFIER,
    Client,
    error_of,
    held,
    world,
)

from rosterd.sandbox import Server, Switches, serve
from rosterd.sandbox.autodesk.tokens import challenge_of

DAY = 24 * 3600


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(autodesk=world()) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port) as caller:
        yield caller


def later(server: Server, seconds: float) -> None:
    now = server.world.autodesk.grants.clock()
    server.world.autodesk.grants.clock = lambda: now + seconds


class TestClients:
    def test_credentials_in_the_header_or_in_the_body(self, client: Client) -> None:
        status, body = client.two_legged("data:read")
        assert (status, set(body)) == (200, {"access_token", "token_type", "expires_in"})
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
        fields = {"grant_type": "client_credentials", "scope": "data:read"}
        assert client.form(client_id="acme", client_secret="word", **fields)[0] == 200
        both = client.form("acme:word", client_id="acme", client_secret="word", **fields)
        assert error_of(both) == (400, "invalid_request")

    @pytest.mark.parametrize("basic", ["acme:guess", "acme:", "other:word", "acme", ":"])
    def test_wrong_credentials(self, client: Client, basic: str) -> None:
        answer = client.form(basic, grant_type="client_credentials", scope="data:read")
        assert error_of(answer) == (401, "AUTH-003")

    def test_a_header_that_cannot_be_read(self, client: Client) -> None:
        for value in ("Basic %", "Basic w6k=x", "Bearer YWNtZTp3b3Jk", "Basic /w=="):
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": value}
            status, _, _ = client.send(
                "POST", TOKEN, b"grant_type=client_credentials&scope=data:read", headers
            )
            assert status == 401

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({}, "unsupported_grant_type"),
            ({"grant_type": "client_credentials"}, "invalid_scope"),
            ({"grant_type": "client_credentials", "scope": "data:everything"}, "invalid_scope"),
        ],
    )
    def test_a_wrong_form(self, client: Client, fields: dict[str, str], error: str) -> None:
        assert error_of(client.form("acme:word", **fields)) == (400, error)

    def test_no_form(self, client: Client) -> None:
        status, data, _ = client.send("POST", TOKEN, b"{}", {"Content-Type": "application/json"})
        assert (status, json.loads(data)["error"]) == (400, "invalid_request")

    def test_a_public_client_has_no_two_legs(self, client: Client) -> None:
        fields = {"grant_type": "client_credentials", "scope": "data:read"}
        assert error_of(client.form(client_id="public", **fields)) == (400, "unauthorized_client")
        assert error_of(client.form(client_id="public", client_secret="x", **fields)) == (401, "AUTH-003")

    def test_a_client_may_be_limited_to_some_scopes(self, client: Client) -> None:
        client.send("POST", "/_sandbox/autodesk/clients/acme/scopes", b'["data:read"]')
        assert client.two_legged("data:read")[0] == 200
        assert error_of(client.two_legged("data:read data:write")) == (400, "invalid_scope")


class TestCode:
    def test_a_sign_in_from_end_to_end(self, client: Client) -> None:
        status, back = client.authorize()
        assert (status, set(back), back["state"]) == (302, {"code", "state"}, "a state & more")
        fields = {"code": back["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        status, body = client.form("acme:word", grant_type="authorization_code", **fields)
        assert (status, set(body)) == (200, {"access_token", "token_type", "expires_in", "refresh_token"})
        assert client.register()[0] == 200
        assert client.refresh(body["refresh_token"])[0] == 200
        again = client.form("acme:word", grant_type="authorization_code", **fields)
        assert error_of(again) == (400, "invalid_grant")

    def test_a_public_client_by_its_id_alone(self, client: Client) -> None:
        _, back = client.authorize(client_id="public")
        fields = {"code": back["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        status, body = client.form(client_id="public", grant_type="authorization_code", **fields)
        assert status == 200
        refresh = {"grant_type": "refresh_token", "refresh_token": body["refresh_token"]}
        assert error_of(client.form("acme:word", **refresh)) == (400, "invalid_grant")
        assert client.form(client_id="public", **refresh)[0] == 200

    def test_a_confidential_client_may_do_without_a_challenge(self, client: Client) -> None:
        _, back = client.authorize(code_challenge=None, code_challenge_method=None)
        fields = {"code": back["code"], "redirect_uri": CALLBACK}
        assert client.form("acme:word", grant_type="authorization_code", **fields)[0] == 200
        assert client.authorize(client_id="public", code_challenge=None, code_challenge_method=None) == (
            302,
            {
                "error": "invalid_request",
                "error_description": "A code_challenge by S256 is needed.",
                "state": "a state & more",
            },
        )

    @pytest.mark.parametrize(
        "changes",
        [
            {"code": "guess"},
            {"redirect_uri": "http://localhost:1/back"},
            {"redirect_uri": None},
            {"code_verifier": VERIFIER + "x"},
            {"code_verifier": "short"},
            {"code_verifier": None},
        ],
    )
    def test_what_must_match(self, client: Client, changes: dict[str, str | None]) -> None:
        _, back = client.authorize()
        right = {"code": back["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        fields = {name: value for name, value in {**right, **changes}.items() if value is not None}
        assert error_of(client.form("acme:word", grant_type="authorization_code", **fields)) == (
            400,
            "invalid_grant",
        )

    def test_a_verifier_that_is_too_short(self, client: Client) -> None:
        _, back = client.authorize(code_challenge=challenge_of("short"))
        fields = {"code": back["code"], "redirect_uri": CALLBACK, "code_verifier": "short"}
        answer = client.form("acme:word", grant_type="authorization_code", **fields)
        assert error_of(answer) == (400, "invalid_grant")

    def test_somebody_elses_code(self, client: Client) -> None:
        _, back = client.authorize(client_id="public")
        fields = {"code": back["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        assert error_of(client.form("acme:word", grant_type="authorization_code", **fields))[0] == 400
        assert client.form(client_id="public", grant_type="authorization_code", **fields)[0] == 200

    @pytest.mark.parametrize(("seconds", "status"), [(299, 200), (300, 400)])
    def test_a_code_lives_five_minutes(
        self, server: Server, client: Client, seconds: float, status: int
    ) -> None:
        _, back = client.authorize()
        later(server, seconds)
        fields = {"code": back["code"], "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        assert client.form("acme:word", grant_type="authorization_code", **fields)[0] == status

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": None}, "unsupported_response_type"),
            ({"scope": None}, "invalid_scope"),
            ({"scope": "data:read data:everything"}, "invalid_scope"),
            ({"state": None}, "invalid_request"),
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge": "short"}, "invalid_request"),
            ({"code_challenge": challenge_of(VERIFIER) + "="}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"code_challenge_method": None}, "invalid_request"),
        ],
    )
    def test_the_browser_comes_back_with_an_error(
        self, client: Client, changes: dict[str, str | None], error: str
    ) -> None:
        status, back = client.authorize(**changes)
        assert (status, back["error"]) == (302, error)
        assert "code" not in back
        assert ("state" in back) == ("state" not in changes)

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_id": "other"},
            {"client_id": None},
            {"redirect_uri": "https://elsewhere.example/"},
            {"redirect_uri": CALLBACK + "/more"},
            {"redirect_uri": None},
        ],
    )
    def test_nobody_is_sent_to_a_place_that_is_not_registered(
        self, client: Client, changes: dict[str, str | None]
    ) -> None:
        assert client.authorize(**changes) == (400, {})

    def test_a_star_in_a_redirect_uri_stands_for_any_port(self, client: Client) -> None:
        assert client.authorize(redirect_uri="http://localhost:49152/back")[0] == 302
        assert client.authorize(redirect_uri="http://localhost:49152/other")[0] == 400

    def test_a_query_in_the_redirect_uri_is_kept(self, client: Client) -> None:
        target = CALLBACK + "?tenant=acme"
        client.send("POST", "/_sandbox/autodesk/clients/acme/redirect_uris", json.dumps([target]).encode())
        status, back = client.authorize(redirect_uri=target)
        assert (status, set(back)) == (302, {"tenant", "code", "state"})

    def test_the_challenge_is_the_rfcs_own(self) -> None:
        """RFC 7636, appendix B."""
        verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

    def test_get_alone(self, client: Client) -> None:
        assert client.send("POST", AUTHORIZE)[0] == 405


class TestRefresh:
    def test_a_token_works_once_and_gives_the_next(self, server: Server, client: Client) -> None:
        token = REFRESH
        for _ in range(3):
            status, body = client.refresh(token)
            assert status == 200
            assert error_of(client.refresh(token)) == (400, "invalid_grant")
            token = body["refresh_token"]
        assert client.refresh(token)[0] == 200
        assert [each["used"] for each in held(server)["refresh_tokens"].values()] == [True] * 4 + [False]
        assert held(server)["token_requests"] == {"refresh_token": 7, "refused": 3}

    @pytest.mark.parametrize(("days", "status"), [(14.99, 200), (15, 400)])
    def test_it_lives_fifteen_days(self, server: Server, client: Client, days: float, status: int) -> None:
        _, body = client.refresh()
        later(server, days * DAY)
        assert client.refresh(body["refresh_token"])[0] == status

    def test_a_narrower_scope_is_for_that_access_token_alone(self, client: Client) -> None:
        _, body = client.refresh(scope="data:read")
        assert client.register()[0] == 401
        assert client.refresh(body["refresh_token"])[0] == 200
        assert client.register()[0] == 200

    def test_a_wider_scope_is_refused_and_uses_nothing_up(self, client: Client) -> None:
        assert error_of(client.refresh(scope=f"{ALL} code:all")) == (400, "invalid_scope")
        assert client.refresh()[0] == 200

    def test_somebody_elses_token(self, client: Client) -> None:
        fields = {"grant_type": "refresh_token", "refresh_token": REFRESH}
        assert error_of(client.form(client_id="public", **fields)) == (400, "invalid_grant")
        assert client.refresh()[0] == 200

    @pytest.mark.parametrize(("seconds", "status"), [(9, 200), (11, 400)])
    def test_a_grace_may_be_switched_on(self, seconds: float, status: int) -> None:
        with (
            serve(autodesk=world(), switches=Switches(refresh_grace=10)) as server,
            Client(server.port) as client,
        ):
            assert client.refresh()[0] == 200
            later(server, seconds)
            assert client.refresh()[0] == status

    def test_the_user_may_withdraw_it(self, client: Client) -> None:
        assert client.send("DELETE", f"/_sandbox/autodesk/clients/acme/refresh_tokens/{REFRESH}")[0] == 204
        assert error_of(client.refresh()) == (400, "invalid_grant")
        client.send(
            "POST", "/_sandbox/autodesk/clients/acme/refresh_tokens/another", json.dumps(ALL).encode()
        )
        assert client.refresh("another")[0] == 200


def test_no_token_is_given_twice(client: Client) -> None:
    given = [client.two_legged("data:read")[1]["access_token"] for _ in range(20)]
    assert len(set(given)) == 20
    assert all(re.fullmatch(r"[\w-]{20,}", token) for token in given)
