"""The assertion a service account signs in with: a JSON Web Token (RFC 7519, RFC 7523) signed by RS256.

From the vendor's pages: header `kid`; claims `iss` client id, `sub` service account id, `aud` the token address,
`exp`, and `scope` as an array.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

AUDIENCE = "https://developer.api.autodesk.com/authentication/v2/token"
LONGEST = 3600  # seconds that an assertion may be valid for

# The start of what RS256 signs: the name of SHA-256 as DER (RFC 8017, 9.2).
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")


class BadAssertion(Exception):
    """The assertion is not to be accepted; the message says why."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an assertion that passed asks for."""

    account: str
    scopes: frozenset[str]


def read(token: str, client: str, accounts: Mapping[str, Any], audiences: set[str], now: float) -> Assertion:
    """What an assertion of this client asks for; raises BadAssertion.

    accounts: the client's service accounts by id. audiences: the addresses that `aud` may name. now: seconds since
    the epoch.
    """
    signed, _, signature = token.rpartition(".")
    head, _, body = signed.partition(".")
    header, claims = _json(head, "header"), _json(body, "claims")
    if header.get("alg") != "RS256" or not header.get("kid"):
        raise BadAssertion("The header must name RS256 and a kid.")
    account = claims.get("sub")
    if claims.get("iss") != client or not isinstance(account, str) or account not in accounts:
        raise BadAssertion("iss or sub is not known.")
    if claims.get("aud") not in audiences:
        raise BadAssertion("aud is not this token server.")
    ends = claims.get("exp")
    if not isinstance(ends, int | float) or not now < ends <= now + LONGEST:
        raise BadAssertion("exp is missing, over or too far away.")
    scopes = claims.get("scope")
    if not isinstance(scopes, list) or not scopes or not all(isinstance(scope, str) for scope in scopes):
        raise BadAssertion("scope must be an array of scopes.")
    _check_signature(accounts[account].get("keys"), header["kid"], signed, signature)
    return Assertion(account, frozenset(scopes))


def _check_signature(keys: Mapping[str, Any] | None, kid: str, signed: str, signature: str) -> None:
    """Without keys every kid is taken; with a null for a key its signature is not looked at."""
    if keys is None:
        return
    if kid not in keys:
        raise BadAssertion("The kid is not known.")
    key = keys[kid]
    if key is not None and not verified(key, signed.encode(), _bytes(signature, "signature")):
        raise BadAssertion("The signature is not valid.")


def verified(key: Mapping[str, str], signed: bytes, signature: bytes) -> bool:
    """Whether a signature by RSASSA-PKCS1-v1_5 with SHA-256 is good (RFC 8017, 8.2.2); key: `n` and `e`."""
    modulus, exponent = (int.from_bytes(_bytes(key[name], "key")) for name in ("n", "e"))
    size = (modulus.bit_length() + 7) // 8
    if len(signature) != size:
        return False
    digest = _SHA256 + sha256(signed).digest()
    expected = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
    return pow(int.from_bytes(signature), exponent, modulus).to_bytes(size) == expected


def _bytes(text: str, what: str) -> bytes:
    try:
        return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise BadAssertion(f"The {what} cannot be decoded.") from error


def _json(text: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(text, what))
    except (ValueError, RecursionError) as error:
        raise BadAssertion(f"The {what} cannot be read.") from error
    if not isinstance(value, dict):
        raise BadAssertion(f"The {what} is not an object.")
    return value
