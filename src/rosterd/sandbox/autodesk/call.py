"""A request to the pretend Autodesk, with all that is needed to answer it."""

from __future__ import annotations

from dataclasses import dataclass

from rosterd.sandbox.autodesk.grants import Grant
from rosterd.sandbox.autodesk.holding import Autodesk
from rosterd.sandbox.switches import Switches
from rosterd.sandbox.wire import Request


@dataclass(frozen=True, slots=True)
class Call:
    """path: without query. name: what the path names (an application, a twin, a printer), or ""."""

    request: Request
    path: str
    name: str
    state: Autodesk
    switches: Switches

    @property
    def origin(self) -> str:
        """Scheme, host and port as the caller sees them."""
        return origin_of(self.request)

    def grant(self) -> Grant | None:
        """What the bearer token stands for; None when there is none that holds."""
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        return self.state.access(token.strip()) if scheme.lower() == "bearer" else None


def origin_of(request: Request) -> str:
    """Scheme, host and port as the caller of a request sees them."""
    return f"{request.scheme}://{request.headers.get('host', 'localhost')}"
