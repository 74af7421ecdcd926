"""Autodesk's token server: four grants in, tokens out (APS, "authentication/v2/token").

A confidential application sends its id and secret as a Basic header and never in the body: both at once is refused.
A public one sends its id in the body.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from rosterd.autodesk import wire
from rosterd.bearer import usable
from rosterd.errors import CredentialsError, TargetError
from rosterd.http import Http, Reply, Unanswered
from rosterd.patience import LEAST_AFTER_429, Again, Breaker, ComeBack, Pace, Patience, retry_after

PATH = "/authentication/v2/token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FORM = "application/x-www-form-urlencoded"
_REFUSALS = ("invalid_client", "invalid_scope", "unauthorized_client", "access_denied")
_HINT = "check client_id and client_secret in [customers.{}.autodesk]"


@dataclass(frozen=True)
class Granted:
    """What the token server gave. `expires_in` as it said it; `refresh_token` is "" where there is none."""

    access_token: str = field(repr=False)
    expires_in: object
    refresh_token: str = field(default="", repr=False)


class Spent(CredentialsError):
    """The token server does not take this code, refresh token or assertion (any more)."""


@dataclass(frozen=True)
class Application:
    """Whom rosterd signs in as."""

    client_id: str
    secret: str = field(default="", repr=False)

    def headers(self) -> dict[str, str]:
        basic = b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        return {"Content-Type": _FORM, **({"Authorization": f"Basic {basic}"} if self.secret else {})}

    def body(self, form: Mapping[str, str]) -> bytes:
        return urlencode({**form, **({} if self.secret else {"client_id": self.client_id})}).encode()


class TokenServer:
    """The token server of one customer. `ask` raises TargetError, CredentialsError, Spent or Stopped."""

    def __init__(
        self, http: Http, application: Application, customer: str, patience: Callable[[int | None], Patience],
        pace: Pace, breaker: Breaker, log: Any,
    ) -> None:  # fmt: skip
        self._http, self._application, self._patience = http, application, patience
        self._pace, self._breaker, self._log = pace, breaker, log
        self._where, self._hint = f"{http.base}{PATH}", _HINT.format(customer)

    def ask(self, form: Mapping[str, str], *, attempts: int | None = None) -> Granted:
        """Asks for tokens. An error has `maybe_applied` when they may have been given, and their answer lost."""
        refusals: list[str] = []
        return self._patience(attempts).run(lambda: self._attempt(form, refusals))

    def _attempt(self, form: Mapping[str, str], refusals: list[str]) -> Granted | Again:
        self._breaker.check()
        self._pace.take()
        try:
            reply = self._http.post(PATH, self._application.headers(), self._application.body(form))
        except Unanswered as error:
            self._breaker.note(worked=False)
            if error.final:
                raise
            return Again(error)
        busy = reply.status in (408, 429) or reply.status >= 500
        self._breaker.note(worked=not busy)
        if busy:
            return self._busy(reply)
        if reply.status == 200:
            return self._granted(reply)
        secrets = (self._application.secret, *(form.get(name, "") for name in _SECRETS))
        return self._denied(reply, wire.said(reply, *secrets), refusals)

    def _busy(self, reply: Reply) -> Again:
        pause = retry_after(reply.headers.get("retry-after"), reply.headers.get("date"), time.time())
        limited = reply.status == 429  # refused before anything was done; a 5xx may come after it was
        if pause:
            try:
                self._pace.hold(pause)
            except ComeBack as error:
                error.where, error.maybe_applied = self._where, not limited
                raise
        problem = TargetError(
            f"the token server answered {reply.status}", where=self._where, hint=wire.asked(reply),
            maybe_applied=not limited,
        )  # fmt: skip
        return Again(problem, max(pause or 0.0, LEAST_AFTER_429 if limited or pause == 0 else 0.0))

    def _granted(self, reply: Reply) -> Granted:
        try:
            found = wire.parsed(reply.body)
        except wire.Odd as error:
            raise self._useless(str(error)) from None
        if not isinstance(found, dict) or not usable(found.get("access_token")):
            raise self._useless("it holds no usable access_token")
        if str(found.get("token_type", "Bearer")).lower() != "bearer":
            raise self._useless("its token is no bearer token")
        following = found.get("refresh_token")
        if following is not None and not usable(following):
            raise self._useless("its refresh_token is not usable")
        return Granted(found["access_token"], found.get("expires_in"), following or "")

    def _useless(self, why: str) -> TargetError:
        what = f"the token server's answer is odd: {why}"
        return TargetError(what, where=self._where, hint="check base_url", maybe_applied=True)

    def _denied(self, reply: Reply, words: str, refusals: list[str]) -> Again:
        """A refusal of the application is asked once more (secrets are rotated, servers restart), then it stands."""
        code = wire.error_code(reply.body)
        self._log.warning(
            "autodesk_tokens_refused", status=reply.status, error=code, request_id=reply.request_id
        )
        if code == "invalid_grant":
            raise Spent(f"the token server refuses it{words}", where=self._where)
        if reply.status not in (401, 403) and code not in _REFUSALS:
            what = f"the token server answered {reply.status}, which is no token{words}"
            raise TargetError(what, where=self._where, hint=wire.asked(reply) or "check base_url")
        refused = CredentialsError(
            f"the token server refuses the application{words or f' ({reply.status})'}",
            where=self._where,
            hint=self._hint,
        )
        refusals.append(refused.what)
        if len(refusals) > 1:
            raise refused
        return Again(refused)


# Fields of a form that no message may quote.
_SECRETS = ("refresh_token", "code", "code_verifier", "assertion")


def by_credentials(scopes: str) -> dict[str, str]:
    """Two-legged: the application for itself."""
    return {"grant_type": "client_credentials", "scope": scopes}


def by_refresh(token: str) -> dict[str, str]:
    """The next tokens of a sign-in. No scope: all that was consented to is kept."""
    return {"grant_type": "refresh_token", "refresh_token": token}


def by_code(code: str, redirect_url: str, verifier: str) -> dict[str, str]:
    """Three-legged: a code that the browser brought (RFC 6749, 4.1.3; RFC 7636, 4.5)."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_url,
        "code_verifier": verifier,
    }


def by_assertion(assertion: str) -> dict[str, str]:
    """A service account, by a signed assertion (RFC 7523, 2.1)."""
    return {"grant_type": JWT_BEARER, "assertion": assertion}
