"""What the pretend Autodesk holds while it runs, and how that is written down."""

from __future__ import annotations

import secrets
import string
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from typing import Any

from rosterd.sandbox.autodesk.document import Document, checked, with_value, without
from rosterd.sandbox.autodesk.grants import REFRESH_SECONDS, Clock, Code, Grant, Grants
from rosterd.sandbox.rules import Event

_MONTHS = "January February March April May June July August September October November December"
MONTHS = _MONTHS.split()

# The events that the journal takes for this part of the sandbox, with their fields.
FIELDS: dict[str, tuple[str, ...]] = {
    "aps_put": ("path", "value"),
    "aps_removed": ("path",),
    "aps_reset": (),
    "aps_refresh": ("used", "token", "ends", "client_id", "user_id", "scope"),
    "aps_registered": ("printer", "email", "code", "issued"),
}


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration code that was given out."""

    printer: str
    email: str
    code: str
    issued: str


class Autodesk:
    """The document, the tokens that are out and the registrations made. May be called from any thread.

    write: takes the events that must outlive this process, before anything is answered. clock: seconds since the
    epoch.
    """

    def __init__(
        self,
        document: Document | None = None,
        write: Callable[[Sequence[Event]], None] = lambda _: None,
        clock: Clock = time,
    ) -> None:
        self.lock = threading.RLock()
        self._write = write
        self._beginning = checked({} if document is None else document)
        self.grants = Grants(clock)
        self._begin()

    def _begin(self) -> None:
        self.document = self._beginning
        self.registrations: list[Registration] = []
        self.token_requests: Counter[str] = Counter()
        self.regions: dict[str, str | None] = {}
        self.grants.refresh.clear()
        self.grants.learn(refresh_tokens(self.document))

    def table(self, name: str) -> dict[str, Any]:
        """One table of the document; an empty one when it is left out."""
        found: dict[str, Any] = self.document.get(name, {})
        return found

    def put(self, path: Sequence[str], value: Any) -> None:
        """Changes one place of the document; raises KeyError and ValueError, see `document.with_value`."""
        self._record(("aps_put", list(path), value))

    def remove(self, path: Sequence[str]) -> None:
        """Takes one place out of the document; raises KeyError when it is not there."""
        self._record(("aps_removed", list(path)))

    def reset(self) -> None:
        """Back to the document it began with; registrations, counts and refresh tokens are forgotten."""
        self._record(("aps_reset",))

    def take_code(self, code: str, client: str) -> Code | None:
        """See `Grants.take_code`."""
        with self.lock:
            return self.grants.take_code(code, client)

    def give_code(self, grant: Grant, redirect_uri: str, challenge: str) -> str:
        """See `Grants.give_code`."""
        with self.lock:
            return self.grants.give_code(grant, redirect_uri, challenge)

    def give_access(self, grant: Grant, seconds: float) -> str:
        """See `Grants.give_access`."""
        with self.lock:
            return self.grants.give_access(grant, seconds)

    def access(self, token: str) -> Grant | None:
        """What an access token stands for; None when it does not hold."""
        with self.lock:
            return self.grants.access(token)

    def revoke_all(self) -> None:
        """Every access token that is out ends now."""
        with self.lock:
            self.grants.revoke_all()

    def first_refresh(self, grant: Grant) -> str:
        """A refresh token for a sign-in."""
        return self._turn(None, grant)

    def next_refresh(self, used: str, grant: Grant) -> str:
        """The token that follows a refresh token; the used one works no more."""
        return self._turn(used, grant)

    def valid_refresh(self, token: str, client: str, grace: float) -> Grant | None:
        """See `Grants.valid_refresh`; hold the lock from here to `next_refresh`."""
        with self.lock:
            return self.grants.valid_refresh(token, client, grace)

    def register(self, printer: str, email: str) -> Registration:
        """A new registration code: never the same twice, whoever asks."""
        with self.lock:
            code = _letters(len(self.registrations))
            now = datetime.fromtimestamp(self.grants.clock(), UTC)
            # No zone, and a day without a leading zero, as in the vendor's example.
            issued = f"{MONTHS[now.month - 1]} {now.day}, {now.year} {now:%H:%M:%S}"
            self._record(("aps_registered", printer, email, code, issued))
            return self.registrations[-1]

    def counted(self, grant_type: str) -> None:
        """Counts a request for a token."""
        with self.lock:
            self.token_requests[grant_type] += 1

    def region(self, twin: str, region: str | None) -> None:
        """Remembers the region that the last request for a twin named."""
        with self.lock:
            self.regions[twin] = region

    def apply(self, event: Event) -> None:
        """Applies an event, fresh or from the journal."""
        match event:
            case ("aps_put", path, value):
                self._replace(with_value(self.document, path, value))
            case ("aps_removed", path):
                self._replace(without(self.document, path))
            case ("aps_reset",):
                self._begin()
            case ("aps_refresh", used, token, ends, client, user, scope):
                self.grants.turn(used, token, Grant(client, frozenset(scope.split()), 3, user), ends)
            case ("aps_registered", printer, email, code, issued):
                self.registrations.append(Registration(printer, email, code, issued))

    def _replace(self, document: Document) -> None:
        self.grants.learn(refresh_tokens(document), refresh_tokens(self.document))
        self.document = document

    def _turn(self, used: str | None, grant: Grant) -> str:
        token = secrets.token_urlsafe(24)
        with self.lock:
            ends = self.grants.clock() + REFRESH_SECONDS
            self._record(("aps_refresh", used, token, ends, grant.client, grant.user, grant.scope))
        return token

    def _record(self, event: Event) -> None:
        with self.lock:
            match event:  # a change that cannot be made raises here and is not written down
                case ("aps_put", path, value):
                    with_value(self.document, path, value)
                case ("aps_removed", path):
                    without(self.document, path)
            self._write([event])
            self.apply(event)


def _letters(number: int) -> str:
    """Six letters, for each number others: the factor has no divisor in common with 26."""
    rest, letters = (number * 101_111_111 + 202_020_202) % 26**6, ""
    for _ in range(6):
        rest, letter = divmod(rest, 26)
        letters += string.ascii_uppercase[letter]
    return letters


def refresh_tokens(document: Document) -> list[tuple[str, Grant]]:
    """The refresh tokens that a document gives its clients to begin with."""
    return [
        (token, Grant(client, frozenset(scope.split()), 3, entry.get("user") or ""))
        for client, entry in document.get("clients", {}).items()
        for token, scope in entry.get("refresh_tokens", {}).items()
    ]


def shown(state: Autodesk) -> dict[str, Any]:
    """Everything as one JSON value: the document, what was given out and what was asked."""
    with state.lock:
        tokens = {
            token: {"client": entry.grant.client, "scope": entry.grant.scope, "used": entry.used is not None}
            for token, entry in state.grants.refresh.items()
        }
        made = [
            {"printer": each.printer, "email": each.email, "code": each.code, "issued": each.issued}
            for each in state.registrations
        ]
        return {
            "document": state.document,
            "registrations": made,
            "refresh_tokens": tokens,
            "token_requests": dict(sorted(state.token_requests.items())),
            "regions": dict(sorted(state.regions.items())),
        }
