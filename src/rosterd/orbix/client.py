"""The Orbix target: one connection per tenant, one frozen binding per customer.

`Orbix` is what all customers of a tenant share: token, pace, breaker, sockets.
"""

from __future__ import annotations

import hashlib
import random as dice
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias, cast

from rosterd import __version__
from rosterd.core.outcome import Answer, Mismatch
from rosterd.core.people import Grouping, Person
from rosterd.deadline import LOOK
from rosterd.errors import CredentialsError, SettingsError, Stopped, TargetError
from rosterd.http import Http, Reply, Unanswered
from rosterd.orbix import wire
from rosterd.orbix.binding import Binding, gate, judge
from rosterd.orbix.settings import OrbixSettings
from rosterd.orbix.tokens import Tokens
from rosterd.patience import Again, Breaker, Clock, Pace, Patience, Wait

USERS, USERS_SYNC = "/v1/users", "/v1/users/synchronize"
GROUPS, GROUPS_SYNC = "/v1/groups/users", "/v1/groups/users-sync"
BREAKER_AT = 10  # failures in a row, or twice the tries of one request where that is more

Parse: TypeAlias = Callable[[int, bytes], "Answer | wire.Ambiguous | None"]


class Log(Protocol):
    """What is used of a structlog logger."""

    def info(self, event: str, **more: Any) -> Any: ...
    def warning(self, event: str, **more: Any) -> Any: ...


class Observer(Protocol):
    """Who counts requests. status: of the answer, 0 for none."""

    def request(self, path: str, status: int, seconds: float) -> None: ...
    def retry(self) -> None: ...
    def waiting(self, more: int) -> None:
        """So many more requests (or fewer) wait for their turn."""


class _Mismatched(TargetError):
    """The answer names records that were not sent."""

    def __init__(self, answer: Mismatch, where: str) -> None:
        super().__init__(answer.message, where=where, maybe_applied=True)
        self.answer = answer


class Orbix:
    """The tenant's connection, shared by all its customers and their lanes."""

    def __init__(
        self, settings: OrbixSettings, stop: threading.Event, log: Log, *, wait: Wait | None = None,
        clock: Clock = time.monotonic, random: Callable[[], float] = dice.random, observer: Observer | None = None,
    ) -> None:  # fmt: skip
        if not settings.tenant.isascii() or not settings.tenant.isprintable():
            raise SettingsError("the tenant cannot travel in a header", where="orbix.tenant")
        self.settings, self.log, self.observer = settings, log, observer
        self._given, self._random, self._wait = wait, random, wait or stop.wait
        self.stop, self._slots = stop, threading.Semaphore(settings.concurrency)
        proxy = settings.proxy.get_secret_value() if settings.proxy else None

        def http(url: str) -> Http:
            return Http(
                url, ca_file=settings.ca_file, proxy=proxy, timeout=settings.timeout,
                max_answer=settings.max_answer, stop=stop, user_agent=f"rosterd/{__version__}",
            )  # fmt: skip

        self.http, self._token_http = http(settings.base_url), http(settings.token_url)
        cap = settings.retry_after_cap
        self.pace = Pace(settings.requests_per_second, cap, self._wait, clock)
        self._clock = clock
        self.breaker_limit = max(BREAKER_AT, 2 * settings.attempts, settings.attempts * settings.concurrency)
        form = {
            "grant_type": "client_credentials",
            "scope": settings.scope,
            "client_id": settings.client_id,
            "client_secret": settings.client_secret.get_secret_value(),
        }
        token_pace, token_breaker = Pace(0, cap, self._wait, clock), Breaker(self.breaker_limit, clock)
        self.tokens = Tokens(self._token_http, form, self.patience, token_pace, token_breaker, clock)

    def patience(self, attempts: int | None = None, stop: threading.Event | None = None) -> Patience:
        """A retry loop with a budget of its own; `stop` ends its waits."""
        wait = self._given or (stop or self.stop).wait
        return Patience(attempts or self.settings.attempts, wait, self._tell, self._random)

    def breaker(self) -> Breaker:
        """A breaker that opens after so many failures in a row that every lane has used up its tries."""
        return Breaker(self.breaker_limit, self._clock)

    def target(self, client: str, stop: threading.Event | None = None) -> OrbixTarget:
        """The target of one customer's run, which `stop` ends; the budget of its retries is that run's."""
        return OrbixTarget(self, Binding(str(self.http.base), self.settings.tenant, client), stop)

    @contextmanager
    def slot(self, stop: threading.Event) -> Iterator[None]:
        """One of the requests that may be under way, over all customers. Raises Stopped."""
        if self.observer is not None:
            self.observer.waiting(1)
        try:
            while not self._slots.acquire(timeout=LOOK):
                if stop.is_set():
                    raise Stopped
        finally:
            if self.observer is not None:
                self.observer.waiting(-1)
        try:
            if stop.is_set():
                raise Stopped
            yield
        finally:
            self._slots.release()

    def check(self) -> str:
        """Obtains a token and says so. Raises TargetError, CredentialsError or Stopped."""
        return f"token obtained, lives {self.tokens.current().life:,.0f} s"

    def close(self) -> None:
        """Closes the connections; may be called twice."""
        self.http.close()
        self._token_http.close()

    def _tell(self, problem: TargetError, seconds: float) -> None:
        if self.observer is not None:
            self.observer.retry()
        self.log.warning("orbix_retry", problem=str(problem), seconds=round(seconds, 1))


class OrbixTarget:
    """core.doors.Target for one customer. `requests` counts the API requests that left."""

    def __init__(self, orbix: Orbix, binding: Binding, stop: threading.Event | None = None) -> None:
        self.binding = binding
        self.requests = 0
        self._orbix, self._stop, self._patience = orbix, stop or orbix.stop, orbix.patience(stop=stop)
        self._breaker = (
            orbix.breaker()
        )  # of its own: one customer's failures must not stop another's requests
        self._lock = threading.Lock()

    def upsert_people(self, people: Sequence[Person]) -> Answer:
        body = wire.users_body(self.binding.client, people)
        return self._call(USERS, body, lambda s, b: wire.parse_users(s, b, people), self._patience)

    def upsert_groups(self, groups: Sequence[Grouping]) -> Answer:
        body = wire.groups_body(self.binding.client, groups)
        return self._call(GROUPS, body, lambda s, b: wire.parse_groups(s, b, groups), self._patience)

    def synchronize_people(self, people: Sequence[Person]) -> Answer:
        body = wire.users_body(self.binding.client, people)
        return self._call(USERS_SYNC, body, lambda s, b: wire.parse_users(s, b, people), self._once())

    def synchronize_groups(self, groups: Sequence[Grouping]) -> Answer:
        body = wire.groups_body(self.binding.client, groups)
        return self._call(GROUPS_SYNC, body, lambda s, b: wire.parse_groups(s, b, groups), self._once())

    def _once(self) -> Patience:
        return self._orbix.patience(attempts=1, stop=self._stop)

    def _call(self, path: str, body: bytes, parse: Parse, patience: Patience) -> Answer:
        conflicts: list[int] = []
        try:  # cast: a type checker joins the kinds of answers to object
            return cast(Answer, patience.run(lambda: self._attempt(path, body, parse, conflicts)))
        except _Mismatched as error:
            return error.answer

    def _attempt(self, path: str, body: bytes, parse: Parse, conflicts: list[int]) -> Answer | Again:
        breaker, where = self._breaker, f"{self.binding.base_url}{path}"
        breaker.check()
        reply = self._authorized(path, body)
        if isinstance(reply, Again):
            breaker.note(worked=False)
            return reply
        result = self._judge(reply, parse, where, conflicts)
        breaker.note(worked=not (isinstance(result, Again) and result.problem.maybe_applied))
        return result

    def _judge(self, reply: Reply, parse: Parse, where: str, conflicts: list[int]) -> Answer | Again:
        answer = parse(reply.status, reply.body)
        match answer:
            case None:
                return judge(reply, where, self.binding, self._orbix.pace, conflicts)
            case wire.Ambiguous(reason):
                digest = hashlib.sha256(reply.body).hexdigest()
                self._warn("orbix_odd_answer", reply, reason=reason, bytes=len(reply.body), sha256=digest)
                return Again(TargetError(f"an odd answer: {reason}", where=where, maybe_applied=True))
            case Mismatch(partly=partly):
                self._warn("response_mismatch", reply, partly=partly)
                # nothing matches: it may be another request's answer, ask again; else bisecting tells more
                return answer if partly else Again(_Mismatched(answer, where))
            case _:
                return answer

    def _warn(self, event: str, reply: Reply, **more: Any) -> None:
        self._orbix.log.warning(
            event, client=self.binding.client, status=reply.status, request_id=reply.request_id, **more
        )

    def _authorized(self, path: str, body: bytes) -> Reply | Again:
        """Sends; after a 401 once more with a renewed token."""
        token = self._orbix.tokens.current()
        reply = self._send(path, body, token.value)
        if isinstance(reply, Reply) and reply.status == 401:
            reply = self._send(path, body, self._orbix.tokens.renew(token.generation).value)
        if isinstance(reply, Reply) and reply.status == 401:
            raise CredentialsError(
                "a fresh token was refused (401)", where=f"{self.binding.base_url}{path}",
                hint="check scope and tenant in [orbix]; NDD support can say what the credentials may do",
            )  # fmt: skip
        return reply

    def _send(self, path: str, body: bytes, token: str) -> Reply | Again:
        headers = {
            "Tenant": self.binding.tenant,
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }
        self._orbix.pace.take()
        gate(self.binding, str(self._orbix.http.base), headers, body)
        try:
            with self._orbix.slot(self._stop):
                reply = self._timed(path, headers, body)
        except Unanswered as error:
            self._count(int(error.maybe_applied))
            if error.final:
                raise
            return Again(error)
        self._count(1)
        return reply

    def _timed(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        begun, status = time.monotonic(), 0
        try:
            reply = self._orbix.http.post(path, headers, body)
            status = reply.status
        finally:
            if self._orbix.observer is not None:
                self._orbix.observer.request(path, status, time.monotonic() - begun)
        return reply

    def _count(self, more: int) -> None:
        with self._lock:
            self.requests += more
