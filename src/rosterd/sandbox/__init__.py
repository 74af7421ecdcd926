"""A pretend Orbix and a pretend Autodesk, true to the vendors' pages: for tests and for a first look.

It imports nothing of rosterd's own. `serve` starts it on a socket; `app.Sandbox` is the same without one.
"""

from __future__ import annotations

from rosterd.sandbox.faults import Fault, Faults, fault
from rosterd.sandbox.server import Server, serve
from rosterd.sandbox.state import World
from rosterd.sandbox.switches import Credential, Switches

__all__ = ["Credential", "Fault", "Faults", "Server", "Switches", "World", "fault", "serve"]
