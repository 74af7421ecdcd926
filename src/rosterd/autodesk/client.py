"""One customer's connection to Autodesk: whose token is used for what, pace, patience, and errors in words."""

from __future__ import annotations

import random as dice
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypeGuard
from urllib.parse import urlsplit

from rosterd import __version__
from rosterd.autodesk import grants, wire
from rosterd.autodesk.settings import AutodeskSettings
from rosterd.autodesk.vault import Vault
from rosterd.bearer import REFUSAL_HOLDS, Bearer, Fetched, Token
from rosterd.errors import CredentialsError, TargetError
from rosterd.fields import WebTable
from rosterd.http import Http, Reply, Unanswered, shown
from rosterd.patience import (
    LEAST_AFTER_429,
    Again,
    Breaker,
    Clock,
    ComeBack,
    Pace,
    Patience,
    Wait,
    retry_after,
)

BREAKER_AT = 10  # failures in a row, or three times the tries of one request where that is more
TWINS_SCOPE = "data:read"

Assert: TypeAlias = Callable[[], str]  # makes a service account's signed assertion
Ask: TypeAlias = Callable[[str], "Reply | Again"]  # asks once with a token


class Log(Protocol):
    """What is used of a structlog logger."""

    def info(self, event: str, **more: Any) -> Any: ...
    def warning(self, event: str, **more: Any) -> Any: ...


class Autodesk:
    """What all places of a customer share. `base_url` and the printers' address are the only origins asked.

    Tokens: `user` speaks for whoever signed in, `account` for a service account (None without one), `app` for the
    application itself (two-legged).
    """

    def __init__(
        self, settings: AutodeskSettings, customer: str, vault: Vault, stop: threading.Event, log: Log, *,
        assertion: Assert | None = None, wait: Wait | None = None, clock: Clock = time.monotonic,
        random: Callable[[], float] = dice.random,
    ) -> None:  # fmt: skip
        self.settings, self.customer, self.vault, self.log = settings, customer, vault, log
        self._stop, self._wait, self.clock, self._random = stop, wait or stop.wait, clock, random
        self.http = self.connect(settings.base_url, settings)
        self.pace = self.new_pace()
        secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        self.server = grants.TokenServer(
            self.http, grants.Application(settings.client_id, secret), customer, self.patience, self.new_pace(),
            self.breaker(), log,
        )  # fmt: skip
        self.user = Bearer(self._user, clock)
        self.app = Bearer(self._app, clock)
        self.account = (
            Bearer(lambda: self._asked(grants.by_assertion(assertion())), clock) if assertion else None
        )

    def connect(self, base_url: str, web: WebTable) -> Http:
        """A client for one origin."""
        return Http(
            base_url, ca_file=web.ca_file, proxy=web.proxy.get_secret_value() if web.proxy else None,
            timeout=web.timeout, max_answer=self.settings.max_answer, stop=self._stop,
            user_agent=f"rosterd/{__version__}",
        )  # fmt: skip

    def new_pace(self) -> Pace:
        """A pace of its own: one server's pause is not another's."""
        return Pace(self.settings.requests_per_second, self.settings.retry_after_cap, self._wait, self.clock)

    def patience(self, attempts: int | None = None) -> Patience:
        """A retry loop with a budget of its own."""
        return Patience(attempts or self.settings.attempts, self._wait, self._tell, self._random)

    def breaker(self) -> Breaker:
        """A breaker for one service: several places may fail before the others are not even tried."""
        return Breaker(max(BREAKER_AT, 3 * self.settings.attempts), self.clock)

    def for_people(self) -> Bearer:
        """The tokens for what needs a person: whoever signed in, else the service account."""
        return self.account if self.account and not self.vault.there() else self.user

    def for_twins(self) -> Bearer:
        """The tokens for twins: whoever signed in while that holds, else the service account or the application."""
        other = self.account or self.app
        if not self.vault.there():
            return other
        try:
            self.user.current()
        except CredentialsError as error:
            if self.account is None and self.settings.client_secret is None:
                raise  # a public application has no token of its own
            self.log.warning("autodesk_without_sign_in", customer=self.customer, problem=str(error))
            return other
        return self.user

    def keep_alive(self) -> bool:
        """Refreshes a sign-in that has been idle for a week. Whether it did; raises as reading a place does."""
        if not self.vault.due():
            return False
        self.user.renew(self.user.generation)
        return True

    def close(self) -> None:
        """Closes the connections; may be called twice."""
        self.http.close()

    def _user(self) -> Fetched:
        granted = self.vault.exchange(lambda token: self.server.ask(grants.by_refresh(token)))
        return granted.access_token, granted.expires_in

    def _app(self) -> Fetched:
        if self.settings.client_secret is None:
            what = "nobody has signed in, and a public application (no client_secret) has no token of its own"
            where = f"customer {self.customer} at Autodesk"
            raise CredentialsError(what, where=where, hint=f"rosterd sign-in {self.customer}")
        return self._asked(grants.by_credentials(TWINS_SCOPE))

    def _asked(self, form: Mapping[str, str]) -> Fetched:
        try:
            granted = self.server.ask(form)
        except TargetError as error:
            error.maybe_applied = False  # a token may have been given, but nothing was asked for with it
            raise
        return granted.access_token, granted.expires_in

    def _tell(self, problem: TargetError, seconds: float) -> None:
        self.log.warning(
            "autodesk_retry", customer=self.customer, problem=str(problem), seconds=round(seconds, 1)
        )


class Service:
    """One service of Autodesk's, or the printers': its origin, pace and breaker."""

    def __init__(self, autodesk: Autodesk, http: Http, pace: Pace) -> None:
        self.autodesk, self.http, self.pace, self.breaker = autodesk, http, pace, autodesk.breaker()
        self._unwelcome: tuple[Token | None, float] = (
            None,
            0.0,
        )  # a fresh token that was refused, until when it counts

    def get(self, path: str, bearer: Bearer, where: str, headers: Mapping[str, str]) -> Reply:
        """A whole 200. Raises TargetError, CredentialsError or Stopped; `where` names the place in messages."""

        def ask(token: str) -> Reply | Again:
            try:
                return self.http.get(path, {**headers, "Authorization": f"Bearer {token}"})
            except Unanswered as error:
                error.where, error.maybe_applied = f"{where}, {error.where}", False
                if error.final:
                    raise
                return Again(error)

        return self.autodesk.patience().run(lambda: self._get(ask, bearer, where))

    def _get(self, ask: Ask, bearer: Bearer, where: str) -> Reply | Again:
        self.breaker.check()
        reply, token = self.authorized(ask, bearer, where)
        busy = isinstance(reply, Again) or reply.status in (408, 429) or reply.status >= 500
        self.breaker.note(worked=not busy)
        if isinstance(reply, Again):
            return reply
        if busy:
            return self.busy(reply, where, token)
        if reply.status != 200:
            raise self.refusal(reply, where, token)
        return reply

    def authorized(self, ask: Ask, bearer: Bearer, where: str) -> tuple[Reply | Again, str]:
        """Asks; after a 401 once more with a renewed token. Gives the answer, and the token it was asked with.

        Raises CredentialsError when the renewed token is refused too; for a minute others are then not renewed for it.
        """
        token = bearer.current()
        reply = self._asked(ask, token, where)
        if not _unauthorized(reply):
            return reply, token.value
        before, until = self._unwelcome
        if token is not before or self.autodesk.clock() >= until:
            token = bearer.renew(token.generation)
            reply = self._asked(ask, token, where)
            if not _unauthorized(reply):
                return reply, token.value
            self._unwelcome = token, self.autodesk.clock() + REFUSAL_HOLDS
        what = f"a fresh token was refused (401){wire.said(reply, token.value)}"
        again = f"does the sign-in cover this? Sign in again: rosterd sign-in {self.autodesk.customer}"
        hint = (
            again
            if bearer is self.autodesk.user
            else "may the application, or its service account, read this?"
        )
        raise CredentialsError(what, where=where, hint=hint)

    def _asked(self, ask: Ask, token: Token, where: str) -> Reply | Again:
        self.pace.take()
        reply = ask(token.value)
        if _unauthorized(reply):
            self.note(reply, where)
        return reply

    def note(self, reply: Reply, where: str) -> None:
        """Logs the server's id of a request that went wrong: its support asks for it."""
        self.autodesk.log.warning(
            "autodesk_answer", customer=self.autodesk.customer, place=where, status=reply.status,
            request_id=reply.request_id,
        )  # fmt: skip

    def busy(self, reply: Reply, where: str, token: str) -> Again:
        """Overloaded or broken: later. Holds everything asked of this service when it says until when."""
        self.note(reply, where)
        limited = reply.status == 429
        what = "too many requests (429)" if limited else f"the server failed ({reply.status})"
        problem = TargetError(f"{what}{wire.said(reply, token)}", where=where, hint=wire.asked(reply))
        pause = retry_after(reply.headers.get("retry-after"), reply.headers.get("date"), time.time())
        if pause:
            try:
                self.pace.hold(pause)
            except ComeBack as error:
                error.where = where
                raise
        return Again(problem, max(pause or 0.0, LEAST_AFTER_429 if limited or pause == 0 else 0.0))

    def refusal(self, reply: Reply, where: str, token: str) -> TargetError:
        """A final answer, in words, with the next step."""
        self.note(reply, where)
        match reply.status:
            case 403:
                what, hint = "no permission (403)", NO_PERMISSION
            case 404 | 405 | 410:
                what, hint = f"not found ({reply.status})", "is the id right, and base_url?"
            case status if 300 <= status < 400:
                host = shown(urlsplit(reply.headers.get("location", "")).netloc or "nowhere")
                what = f"a redirect ({status}) to {host}, which is never followed"
                hint = "check base_url; set the final address there"
            case status:
                what, hint = f"an answer of no use ({status})", ""
        words = f"{what}{wire.said(reply, token)}"
        return TargetError(words, where=where, hint="; ".join(filter(None, [hint, wire.asked(reply)])))


def _unauthorized(reply: Reply | Again) -> TypeGuard[Reply]:
    return isinstance(reply, Reply) and reply.status == 401


NO_PERMISSION = "has whoever signed in, or the application, been given access there?"
