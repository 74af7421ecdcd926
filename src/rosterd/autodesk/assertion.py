"""A service account's assertion, signed with its key (RFC 7523, RS256). Needs the extra "service-account"."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from rosterd.autodesk.settings import ServiceAccountSettings
from rosterd.errors import SettingsError

LIFE = 300  # seconds, as in Autodesk's own samples
LARGEST = 64 * 1024  # bytes of a key
SHORTEST = 2048  # bits


def assertions(
    account: ServiceAccountSettings, client_id: str, token_url: str, now: Callable[[], float] = time.time
) -> Callable[[], str]:
    """Makes a new assertion with each call. Raises SettingsError for a key that cannot be used."""
    key = _key(account)

    def make() -> str:
        head = {"alg": "RS256", "typ": "JWT", "kid": account.key_id}
        claims = {
            "iss": client_id,
            "sub": account.id,
            "aud": token_url,
            "exp": int(now()) + LIFE,
            "scope": list(account.scopes),  # an array, unlike elsewhere
        }
        plain = b".".join([_coded(head), _coded(claims)])
        signature = key.sign(plain, PKCS1v15(), SHA256())
        return b".".join([plain, _base64(signature)]).decode("ascii")

    return make


def _key(account: ServiceAccountSettings) -> RSAPrivateKey:
    """The private key. Its text never reaches a message."""
    where = str(account.key_file or "service_account.private_key")
    if account.private_key is not None:
        pem, where = account.private_key.get_secret_value().encode(), "service_account.private_key"
    else:
        pem = _read(Path(where))
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        hint = "it must be a private key in PEM, without a password"
        raise SettingsError("not a key that can be used", where=where, hint=hint) from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < SHORTEST:
        raise SettingsError(f"not an RSA key of {SHORTEST} bits or more", where=where)
    return key


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST)
    except OSError as error:
        raise SettingsError(f"the key cannot be read: {error.strerror}", where=str(path)) from None


def _coded(part: dict[str, Any]) -> bytes:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
