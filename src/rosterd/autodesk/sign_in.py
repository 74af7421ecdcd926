"""Three-legged sign-in, the pure part: an address for the browser, and what it brings back (RFC 6749 and 7636)."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qs, urlencode, urlsplit

from rosterd.errors import CredentialsError
from rosterd.http import shown

PATH = "/authentication/v2/authorize"
COLLABORATORS, READ, WRITE = "application:client:read", "data:read", "data:write"
AGAIN = "start again: a sign-in takes one answer, and its code lasts five minutes"


@dataclass(frozen=True)
class Attempt:
    """One sign-in under way. The verifier proves that whoever brings the code also asked for it; the state, that
    the answer belongs to this sign-in.
    """

    verifier: str = field(repr=False)
    state: str = field(repr=False)


def new_attempt() -> Attempt:
    """A verifier of 86 characters (RFC 7636, 4.1: 43 to 128) and a state, both from the system's random source."""
    return Attempt(secrets.token_urlsafe(64), secrets.token_urlsafe(32))


def challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, 4.2)."""
    return urlsafe_b64encode(sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def scopes(*, printers: bool) -> tuple[str, ...]:
    """What consent is asked for: no more than is used."""
    return (COLLABORATORS, READ, *([WRITE] if printers else []))


def address(
    base_url: str, client_id: str, redirect_url: str, wanted: tuple[str, ...], attempt: Attempt
) -> str:
    """Where the browser goes."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_url,
        "scope": " ".join(wanted),
        "state": attempt.state,
        "code_challenge": challenge(attempt.verifier),
        "code_challenge_method": "S256",
    }
    return f"{base_url}{PATH}?{urlencode(query)}"


def belongs(query: str, attempt: Attempt) -> bool:
    """Whether an answer has this sign-in's state."""
    state = parse_qs(query).get("state", [""])
    return len(state) == 1 and hmac.compare_digest(state[0].encode(), attempt.state.encode())


def code_of(query: str, attempt: Attempt) -> str:
    """The code of an answer. Raises CredentialsError when there is none to use, or it belongs to somebody else."""
    if not belongs(query, attempt):
        raise CredentialsError("the answer belongs to another sign-in: its state is not ours", hint=AGAIN)
    fields = parse_qs(query)
    error = fields.get("error", [""])[0]
    if error == "access_denied":
        what = "Autodesk was told not to allow the access"
        raise CredentialsError(what, hint="sign in again, and press Allow")
    if error:
        words = fields.get("error_description", [""])[0]
        what = f"Autodesk refuses the sign-in: {shown(words or error)}"
        hint = "are the redirect URL and the scopes those of the application in the developer portal?"
        raise CredentialsError(what, hint=hint)
    return _usable(fields.get("code", []))


def code_pasted(line: str, attempt: Attempt) -> str:
    """The code in what somebody pasted: the whole address that the browser ended at, its query, or the code alone.

    A code alone carries no state: then the verifier alone vouches for it. Raises CredentialsError.
    """
    plain = line.strip().strip("'\"")
    parts = urlsplit(plain)
    if parts.query or "code=" in plain or "error=" in plain:
        return code_of(parts.query or plain.lstrip("?"), attempt)
    return _usable([plain] if plain else [])


def _usable(codes: list[str]) -> str:
    if len(codes) != 1 or not re.fullmatch(r"[\x21-\x7e]{1,4096}", codes[0]):
        raise CredentialsError("the answer holds no code", hint=AGAIN)
    return codes[0]
