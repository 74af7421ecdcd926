"""The pretend Autodesk's service accounts: an assertion in, a token out."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from tests.core.autodesk_kit import TOKEN, Client, error_of, world

from rosterd.sandbox import Server, serve
from rosterd.sandbox.autodesk.tokens import JWT_BEARER

DAY = 24 * 3600


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(autodesk=world()) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.port) as caller:
        yield caller


# A key of two known primes, so that none needs to be kept: 2^521 - 1 and 2^607 - 1.
P, Q, E = 2**521 - 1, 2**607 - 1, 65537
SIZE = ((P * Q).bit_length() + 7) // 8


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


JWK = {"n": encoded((P * Q).to_bytes(SIZE)), "e": encoded(E.to_bytes(3))}


def signed(claims: dict[str, Any], header: dict[str, Any] | None = None) -> str:
    """An assertion; the signature is RSASSA-PKCS1-v1_5 with SHA-256, from its own definition (RFC 8017, 9.2)."""
    parts = (header or {"alg": "RS256", "kid": "key-1"}, claims)
    text = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    name = bytes.fromhex("3031300d060960864801650304020105000420")
    digest = name + sha256(text.encode()).digest()
    block = b"\x00\x01" + b"\xff" * (SIZE - len(digest) - 3) + b"\x00" + digest
    signature = pow(int.from_bytes(block), pow(E, -1, (P - 1) * (Q - 1)), P * Q).to_bytes(SIZE)
    return f"{text}.{encoded(signature)}"


def claims(server: Server, **changes: Any) -> dict[str, Any]:
    right = {
        "iss": "acme",
        "sub": "ROBOT",
        "aud": server.url + TOKEN,
        "exp": int(time.time()) + 300,
        "scope": ["data:read"],
    }
    return {name: value for name, value in {**right, **changes}.items() if value is not None}


def assert_with(client: Client, assertion: str) -> tuple[int, Any]:
    return client.form("acme:word", grant_type=JWT_BEARER, assertion=assertion)


class TestServiceAccounts:
    def test_a_token_with_three_legs_and_no_refresh_token(self, server: Server, client: Client) -> None:
        status, body = assert_with(client, signed(claims(server)))
        assert (status, set(body)) == (200, {"access_token", "token_type", "expires_in"})
        grant = server.world.autodesk.access(body["access_token"])
        assert grant is not None
        assert (grant.legs, grant.user, grant.scope) == (3, "ROBOT", "data:read")
        public = "https://developer.api.autodesk.com" + TOKEN
        assert assert_with(client, signed(claims(server, aud=public)))[0] == 200

    @pytest.mark.parametrize(
        "changes",
        [
            {"iss": "public"},
            {"iss": None},
            {"sub": "OTHER"},
            {"sub": ["ROBOT"]},
            {"aud": "https://elsewhere.example/token"},
            {"exp": 1},
            {"exp": time.time() + 30 * DAY},
            {"exp": "soon"},
            {"exp": True},
            {"exp": None},
            {"scope": "data:read"},
            {"scope": []},
            {"scope": [7]},
            {"scope": None},
        ],
    )
    def test_a_wrong_claim(self, server: Server, client: Client, changes: dict[str, Any]) -> None:
        assert error_of(assert_with(client, signed(claims(server, **changes)))) == (400, "invalid_grant")

    @pytest.mark.parametrize(
        "header", [{"alg": "RS256"}, {"alg": "none", "kid": "k"}, {"kid": "k"}, {"x": 1}]
    )
    def test_a_wrong_header(self, server: Server, client: Client, header: dict[str, Any]) -> None:
        assert error_of(assert_with(client, signed(claims(server), header))) == (400, "invalid_grant")

    @pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "..", "W10.W10.x", "e30.e30.", "é.e30.x"])
    def test_no_assertion_at_all(self, client: Client, text: str) -> None:
        assert error_of(assert_with(client, text)) == (400, "invalid_grant")

    def test_scopes_that_service_accounts_are_not_offered(self, server: Server, client: Client) -> None:
        wanted = signed(claims(server, scope=["application:client:read"]))
        assert error_of(assert_with(client, wanted)) == (400, "invalid_scope")
        path = "/_sandbox/autodesk/clients/acme/accounts/ROBOT/scopes"
        client.send("POST", path, b'["application:client:read"]')
        assert assert_with(client, wanted)[0] == 200
        assert error_of(assert_with(client, signed(claims(server)))) == (400, "invalid_scope")

    def test_a_signature_is_checked_when_a_key_is_known(self, server: Server, client: Client) -> None:
        client.send(
            "POST", "/_sandbox/autodesk/clients/acme/accounts/ROBOT/keys", json.dumps({"key-1": JWK}).encode()
        )
        good = signed(claims(server))
        text, _, signature = good.rpartition(".")
        forged = encoded(json.dumps(claims(server, scope=["data:write"])).encode())
        assert assert_with(client, good)[0] == 200
        for bad in (
            f"{text}.{signature[:-6]}AAAAAA",
            f"{text}.{signature[:-4]}",
            f"{text}.",
            f"{text}.AAAA{signature}",
            f"{text}.%",
            f"{text.partition('.')[0]}.{forged}.{signature}",
            signed(claims(server), {"alg": "RS256", "kid": "key-2"}),
        ):
            assert error_of(assert_with(client, bad)) == (400, "invalid_grant")

    def test_a_key_that_is_null_is_taken_at_its_word(self, server: Server, client: Client) -> None:
        client.send("POST", "/_sandbox/autodesk/clients/acme/accounts/ROBOT/keys", b'{"key-1":null}')
        text = signed(claims(server)).rpartition(".")[0]
        assert assert_with(client, f"{text}.AAAA")[0] == 200
        other = signed(claims(server), {"alg": "RS256", "kid": "key-2"})
        assert error_of(assert_with(client, other)) == (400, "invalid_grant")
