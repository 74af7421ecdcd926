"""A made-up company to try rosterd on: its people, who of them has access at Autodesk, and settings for it.

It stands alone: nothing of rosterd's is imported here.
"""

from __future__ import annotations

from rosterd.sample_company.access import autodesk
from rosterd.sample_company.people import ORDINARY, write
from rosterd.sample_company.settings import settings

__all__ = ["ORDINARY", "autodesk", "settings", "write"]
