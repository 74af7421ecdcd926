"""Access tokens by client credentials (RFC 6749, 4.4), renewed early and once after a 401.

The answer's shape (access_token, expires_in, token_type) is the usual one; the vendor documents none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from rosterd.bearer import Bearer, Fetched, Token, usable
from rosterd.errors import CredentialsError, TargetError
from rosterd.http import Http, Reply, Unanswered
from rosterd.patience import LEAST_AFTER_429, Again, Breaker, Clock, Pace, Patience, retry_after

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
_REFUSALS = ("invalid_client", "invalid_grant", "invalid_scope", "unauthorized_client", "access_denied")
_HINT = "check client_id, client_secret and scope in [orbix]; NDD support hands them out"


class Tokens:
    """The one token all lanes share. Calls raise TargetError, CredentialsError or Stopped."""

    def __init__(
        self, http: Http, form: dict[str, str], patience: Callable[[], Patience], pace: Pace,
        breaker: Breaker, clock: Clock = time.monotonic,
    ) -> None:  # fmt: skip
        self._http, self._patience = http, patience
        self._pace, self._breaker = pace, breaker
        self._body, self._where = urlencode(form).encode(), str(http.base)
        self._bearer = Bearer(self._fetch, clock)

    def current(self) -> Token:
        """A token that is not about to end; an old one while it lasts and no new one is to be had."""
        return self._bearer.current()

    def renew(self, generation: int) -> Token:
        """The token after a 401: fetched, unless another lane has replaced that generation already."""
        return self._bearer.renew(generation)

    def _fetch(self) -> Fetched:
        refusals: list[str] = []
        fields = self._patience().run(lambda: self._ask(refusals))
        return fields["access_token"], fields.get("expires_in")

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
            raise self._refused(said)
        return Again(self._refused(said))

    def _refused(self, said: str) -> CredentialsError:
        return CredentialsError(said, where=self._where, hint=_HINT)


def _fields(body: bytes, where: str) -> dict[str, Any]:
    """The answer's fields, checked; raises TargetError when it holds no token fit for a header."""
    fields = _object(body)
    value, kind = fields.get("access_token"), fields.get("token_type", "Bearer")
    if not usable(value):
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
