"""What the pretend services hold, and which requests led there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

from rosterd.sandbox.autodesk.holding import FIELDS as AUTODESK_FIELDS
from rosterd.sandbox.autodesk.holding import Autodesk
from rosterd.sandbox.journal import Journal
from rosterd.sandbox.rules import Event, grouping_key
from rosterd.sandbox.sessions import Sessions
from rosterd.sandbox.tokens import Tokens
from rosterd.sandbox.wire import About, Request

# Logon, domain, name, email as sent (None where left out), and how often the record was accepted. A plain
# tuple, because a million of them are held in benchmarks.
User: TypeAlias = "tuple[str, str, str | None, str | None, int]"


@dataclass(slots=True)
class Held:
    """A grouping; members are keys of users."""

    name: str
    description: str | None
    times: int
    members: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Holding:
    """What is held for one client of one tenant, by key (see `rules.user_key`, `rules.grouping_key`)."""

    users: dict[str, User] = field(default_factory=dict)
    groupings: dict[str, Held] = field(default_factory=dict)


# Computes, from what is held before, the events that take away what a request lacks.
Lacking: TypeAlias = Callable[[Holding], list[Event]]


def nothing(_: Holding) -> list[Event]:
    """Takes nothing away."""
    return []


class World:
    """All that is held, for every tenant and client. Every method may be called from any thread."""

    def __init__(
        self,
        journal: Path | str | None = None,
        tokens: Tokens | None = None,
        autodesk: dict[str, Any] | None = None,
    ) -> None:
        self.lock = threading.RLock()
        self.tokens = tokens or Tokens()
        self.sessions = Sessions()
        self.holdings: dict[tuple[str, str], Holding] = {}
        self.requests: list[dict[str, Any]] = []
        self.in_flight = 0
        self.autodesk = Autodesk(autodesk, self._write_down)
        self._journal = Journal(Path(journal)) if journal else None
        if self._journal:
            for tenant, client, event in self._journal.read():
                if event[0] in AUTODESK_FIELDS:
                    self.autodesk.apply(event)
                else:
                    self._apply(tenant, client, [event])

    def _write_down(self, events: Sequence[Event]) -> None:
        """Takes the events of the pretend Autodesk, which belong to no tenant."""
        with self.lock:
            if self._journal:
                self._journal.write("", "", events)

    def accept(self, tenant: str, client: str, events: Sequence[Event], lacking: Lacking = nothing) -> None:
        """Takes what was accepted and takes away what is lacking, as one step, after writing it down."""
        with self.lock:
            gone = lacking(self.holdings.get((tenant, client)) or Holding())
            everything = [*events, *gone]
            if self._journal:
                self._journal.write(tenant, client, everything)
            self._apply(tenant, client, everything)

    def clear(self) -> None:
        """Forgets what is held and the list of requests; tokens stay valid."""
        with self.lock:
            if self._journal:
                self._journal.write("", "", [("cleared",)])
            self.holdings.clear()
            self.requests.clear()

    def close(self) -> None:
        """Closes the journal."""
        with self.lock:
            if self._journal:
                self._journal.close()
                self._journal = None

    def users(self, client: str, tenant: str = "sandbox") -> dict[str, dict[str, str]]:
        """The users of a client as they were sent, by key: `ndd//carlos.silva`."""
        with self.lock:
            holding = self.holdings.get((tenant, client)) or Holding()
            return {key: record_of(user) for key, user in holding.users.items()}

    def times(self, client: str, tenant: str = "sandbox") -> dict[str, int]:
        """How often each user was accepted, by key."""
        with self.lock:
            holding = self.holdings.get((tenant, client)) or Holding()
            return {key: user[4] for key, user in holding.users.items()}

    def members(self, client: str, tenant: str = "sandbox") -> dict[str, list[str]]:
        """The members' keys of each grouping, by the grouping's name as sent."""
        with self.lock:
            holding = self.holdings.get((tenant, client)) or Holding()
            return {held.name: sorted(held.members) for held in holding.groupings.values()}

    def arrived(self, request: Request) -> dict[str, Any]:
        """Puts a request on the list, to be completed by `answered`. No times, so that runs compare."""
        digest = blake2b(request.body, digest_size=8).hexdigest()
        with self.lock:
            self.in_flight += 1
            entry: dict[str, Any] = {
                "number": len(self.requests) + 1,
                "method": request.method,
                "path": request.path,
                "tenant": "",
                "client": "",
                "records": 0,
                "groupings": 0,
                "bytes": len(request.body),
                "digest": digest,
                "in_flight": self.in_flight,
                "status": None,
                "fault": None,
            }
            self.requests.append(entry)
        return entry

    def answered(self, entry: dict[str, Any], status: int | None, about: About, fault: str | None) -> None:
        """Completes a request's entry, before the first byte of its answer."""
        with self.lock:
            self.in_flight -= 1
            entry.update(
                tenant=about.tenant,
                client=about.client,
                records=about.records,
                groupings=about.groupings,
                status=status,
                fault=fault,
            )

    def _apply(self, tenant: str, client: str, events: Sequence[Event]) -> None:
        if not events:
            return
        holding = self.holdings.setdefault((tenant, client), Holding())
        users = holding.users
        for event in events:
            if event[0] == "user":
                _, logon, domain, name, email = event
                key = f"{domain}//{logon}".lower()
                old = users.get(key)
                users[key] = (logon, domain, name, email, old[4] + 1 if old else 1)
            elif event[0] == "cleared":
                self.holdings.clear()
            else:
                apply(holding, event)


def apply(holding: Holding, event: Event) -> None:
    """Applies an event that is not about a user's record."""
    match event:
        case ("grouping", name, description):
            held = holding.groupings.setdefault(grouping_key(name), Held(name, description, 0))
            held.name, held.description, held.times = name, description, held.times + 1
        case ("seat", grouping, user):
            holding.groupings[grouping_key(grouping)].members.add(user.lower())
        case ("seat_gone", grouping, user):
            holding.groupings[grouping_key(grouping)].members.discard(user.lower())
        case ("grouping_gone", grouping):
            holding.groupings.pop(grouping_key(grouping), None)
        case ("user_gone", user):
            holding.users.pop(user.lower(), None)
            for held in holding.groupings.values():
                held.members.discard(user.lower())


def record_of(user: User) -> dict[str, str]:
    """A user's record as it was sent."""
    logon, domain, name, email, _ = user
    fields = {"Logon": logon, "Domain": domain, "Name": name, "Email": email}
    return {field_name: value for field_name, value in fields.items() if value is not None}


def snapshot(world: World, *, counts_only: bool = False) -> dict[str, Any]:
    """Everything held, as one JSON value: a list of clients with their users, groupings and members."""
    with world.lock:
        return {
            "clients": [
                {
                    "tenant": tenant,
                    "client": client,
                    **(counts(holding) if counts_only else contents(holding)),
                }
                for (tenant, client), holding in sorted(world.holdings.items())
            ],
            "requests": len(world.requests),
        }


def counts(holding: Holding) -> dict[str, int]:
    """How much a client holds."""
    seats = sum(len(held.members) for held in holding.groupings.values())
    return {"users": len(holding.users), "groupings": len(holding.groupings), "seats": seats}


def contents(holding: Holding) -> dict[str, Any]:
    """All that a client holds."""
    return {
        "users": {
            key: {"record": record_of(user), "times": user[4]} for key, user in sorted(holding.users.items())
        },
        "groupings": {
            key: {
                "name": held.name,
                "description": held.description,
                "times": held.times,
                "members": sorted(held.members),
            }
            for key, held in sorted(holding.groupings.items())
        },
    }
