"""The pretend Autodesk: its token server, application collaborators, Tandem twins and shared 3D printers."""

from __future__ import annotations

from rosterd.sandbox.autodesk.holding import Autodesk
from rosterd.sandbox.autodesk.routes import handle, marked, owns, pretended

__all__ = ["Autodesk", "handle", "marked", "owns", "pretended"]
