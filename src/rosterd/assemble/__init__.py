"""From settings to the open objects of a run: the only package that knows every adapter.

An adapter is imported when the settings name it: ldap3 alone costs more than a whole small run from CSV
(see docs/why/imports.md).
"""

from rosterd.assemble.customers import about, guards, job, source_plan
from rosterd.assemble.elsewhere import Elsewheres, open_autodesk, open_vault, sign_in
from rosterd.assemble.reports import open_reports, render, render_to
from rosterd.assemble.targets import open_ledger, open_orbix

__all__ = [
    "Elsewheres", "about", "guards", "job", "open_autodesk", "open_ledger", "open_orbix", "open_reports", "open_vault",
    "render", "render_to", "sign_in", "source_plan",
]  # fmt: skip
