"""How this pretend service behaves where the real one can be configured, or is not known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

BASE_PATH = "/printqueue-external-integration-api"
SCOPE = "nddsmart-printqueue-external-integration-api"
NAME = "sandbox"  # tenant, client id and secret unless something else is asked for
MIB = 1024 * 1024

Membership: TypeAlias = Literal["additive", "replacing"]
Synchronize: TypeAlias = Literal["request", "session"]


@dataclass(frozen=True, slots=True)
class Credential:
    """What one provider (Tenant) signs in with."""

    tenant: str = NAME
    client_id: str = NAME
    client_secret: str = NAME


@dataclass(frozen=True, slots=True)
class Switches:
    """The switches that stand for a whole run of the sandbox; faults can be set at any time.

    clients: the customers registered in the portal; None takes any name of letters and digits.
    membership: whether `groups/users` adds members or replaces them.
    synchronize: "request" takes the vendor's page literally, each request deletes what it lacks; "session"
    takes the requests of one token, each within `session_seconds` of the one before, together.
    token_uses: after so many calls a token is refused as if it had expired; None for no such end.
    refresh_grace: so many seconds after its use a refresh token of Autodesk's works again; the real ones work once.
    """

    credentials: tuple[Credential, ...] = (Credential(),)
    scope: str = SCOPE
    base_path: str = BASE_PATH
    clients: frozenset[str] | None = None
    membership: Membership = "additive"
    synchronize: Synchronize = "request"
    session_seconds: float = 60.0
    token_seconds: int = 3600
    token_uses: int | None = None
    refresh_grace: float = 0.0
    body_limit: int = 16 * MIB
    user_limit: int = 4500
    grouping_limit: int = 5
    seat_limit: int = 1000
    name_limit: int = 150
