"""Access tokens by client credentials (RFC 6749, 4.4), renewed early and once after a 401.

The answer's shape (access_token, expires_in, token_type) is the usual one; the vendor documents none,
so odd values of expires_in are survived. Life is measured on a monotonic clock.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from rosterd.errors import CredentialsError, TargetError
from rosterd.http import Http, Reply, Unanswered
from rosterd.patience import LEAST_AFTER_429, Again, Breaker, Clock, Pace, Patience, retry_after

UNTOLD_LIFE = 600.0  # seconds assumed when the server does not say, or says nonsense
SHORTEST, LONGEST = 30.0, 86_400.0  # bounds of what we believe
EARLY_PART, EARLY_MOST = 0.1, 60.0  # renewed so much of its life, or so many seconds, before the end
RENEW_AGAIN = 15.0  # seconds until the next try after an early renewal failed
REFUSAL_HOLDS = 60.0  # seconds for which a refusal is repeated without asking: credentials get locked out
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
_REFUSALS = ("invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client", "access_denied")
_HINT = "check client_id, client_secret and scope in [orbix]; NDD support hands them out"


@dataclass(frozen=True)
class Token:
    """A bearer token; `generation` counts the tokens fetched, `life` is in seconds."""

    value: str = field(repr=False)
    generation: int
    life: float
    renew_at: float
    ends_at: float


class Tokens:
    """The one token all lanes share. Calls raise TargetError, CredentialsError or Stopped."""

    def __init__(
        self, http: Http, form: dict[str, str], patience: Callable[[], Patience], pace: Pace,
        breaker: Breaker, clock: Clock = time.monotonic,
    ) -> None:  # fmt: skip
        self._http, self._patience, self._clock = http, patience, clock
        self._pace, self._breaker = pace, breaker
        self._body, self._where = urlencode(form).encode(), str(http.base)
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._generation = 0
        self._refusal: tuple[float, str] | None = None  # until when, and the words

    def current(self) -> Token:
        """A token that is not about to end; an old one while it lasts and no new one is to be had."""
        with self._lock:
            now = self._clock()
            if self._token is None or now >= self._token.ends_at:
                self._token = self._fetch()
            elif now >= self._token.renew_at:
                try:
                    self._token = self._fetch()
                except TargetError:
                    self._token = replace(self._token, renew_at=self._clock() + RENEW_AGAIN)
            return self._token

    def renew(self, generation: int) -> Token:
        """The token after a 401: fetched, unless another lane has replaced that generation already."""
        with self._lock:
            if self._token is None or self._token.generation == generation:
                self._token = None
                self._token = self._fetch()
            return self._token

    def _fetch(self) -> Token:
        if self._refusal and self._clock() < self._refusal[0]:
            raise self._refused(self._refusal[1])
        refusals: list[str] = []
        fields = self._patience().run(lambda: self._ask(refusals))
        self._generation, self._refusal = self._generation + 1, None
        life = _life(fields.get("expires_in"))
        ends_at = self._clock() + life
        renew_at = ends_at - min(life * EARLY_PART, EARLY_MOST)
        return Token(fields["access_token"], self._generation, life, renew_at, ends_at)

    def _ask(self, refusals: list[str]) -> dict[str, Any] | Again:
        self._breaker.check()
        self._pace.take()
        try:
            reply = self._http.post("", _HEADERS, self._body)
        except Unanswered as error:
            self._breaker.note(worked=False)
            error.maybe_applied = False  # a token may have been given, but nobody's records were sent
            if error.final:
                raise
            return Again(error)
        busy = reply.status in (408, 429) or reply.status >= 500
        self._breaker.note(worked=not busy)
        if busy:
            return self._again(reply)
        return _fields(reply.body, self._where) if reply.status == 200 else self._denied(reply, refusals)

    def _again(self, reply: Reply) -> Again:
        asked = retry_after(reply.headers.get("retry-after"), reply.headers.get("date"), time.time())
        if asked:
            self._pace.hold(asked)
        problem = TargetError(f"the token server answered {reply.status}", where=self._where)
        return Again(problem, max(asked or 0.0, LEAST_AFTER_429 if reply.status == 429 else 0.0))

    def _denied(self, reply: Reply, refusals: list[str]) -> Again:
        """A refusal is asked once more (token servers restart, secrets are rotated), then it stands."""
        code = _error_code(reply.body)
        if reply.status not in (401, 403) and code not in _REFUSALS:
            what = f"the token server answered {reply.status}, which is no token"
            raise TargetError(what, where=self._where, hint="check token_url in [orbix]")
        said = f"the token server refused the credentials: {code or reply.status}"
        refusals.append(said)
        if len(refusals) > 1:
            self._refusal = (self._clock() + REFUSAL_HOLDS, said)
            raise self._refused(said)
        return Again(self._refused(said))

    def _refused(self, said: str) -> CredentialsError:
        return CredentialsError(said, where=self._where, hint=_HINT)


def _fields(body: bytes, where: str) -> dict[str, Any]:
    """The answer's fields, checked; raises TargetError when it holds no token fit for a header."""
    fields = _object(body)
    value, kind = fields.get("access_token"), fields.get("token_type", "Bearer")
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]{1,16384}", value):
        what = "the token server's answer holds no usable access_token"
        raise TargetError(what, where=where, hint="check token_url in [orbix]")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise TargetError("the token server gave a token that is no bearer token", where=where)
    return fields


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; an empty one when there is none."""
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _error_code(body: bytes) -> str:
    """The error of RFC 6749, 5.2, where it is one we know; other texts may quote what we sent."""
    code = _object(body).get("error")
    return code if isinstance(code, str) and code in _REFUSALS else ""


def _life(told: object) -> float:
    """A token's life in seconds, within bounds, whatever the server says of it."""
    if isinstance(told, str) and re.fullmatch(r"[0-9]{1,12}", told):
        told = int(told)
    if isinstance(told, bool) or not isinstance(told, (int, float)) or told != told:
        return UNTOLD_LIFE
    return float(min(max(told, SHORTEST), LONGEST))
