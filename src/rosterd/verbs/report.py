"""`rosterd report`: the access report as the ledger knows it; no directory and no service is asked."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rosterd import assemble
from rosterd.changes import difference
from rosterd.core.access import AccessReport
from rosterd.errors import SettingsError
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.once import chosen
from rosterd.reporting import build
from rosterd.settings import Settings
from rosterd.verbs.common import Common, desk, paint, saying

FORMS = ("text", "html", "csv", "json", "xlsx")


def report(common: Common, customers: Sequence[str], form: str, out: Path | None) -> int:
    """Prints or writes the report; 3 when it is incomplete. Raises SettingsError or LedgerError."""
    if form not in FORMS:
        raise SettingsError(
            f"unknown format {form!r}", hint=f"--format {', '.join(FORMS[:-1])} or {FORMS[-1]}"
        )
    with desk(common) as (settings, ledger):
        names = chosen(settings, customers)
        if len(names) > 1 and form not in ("text", "json"):
            raise SettingsError(
                f"one {form} file is for one customer", hint=f"--customer {names[0]}, for instance"
            )
        if form == "xlsx" and out is None and sys.stdout.isatty():
            raise SettingsError("a spreadsheet is nothing for a terminal", hint="--out report.xlsx")
        now = time.time()
        reports = [_made(settings, ledger, name, now) for name in names]
        if out is None:
            with saying() as stdout:
                assemble.render(form, reports, stdout.buffer, paint())
        else:
            assemble.render_to(form, reports, out)
    return 0 if all(one.complete for one in reports) else 3


def _made(settings: Settings, ledger: SqliteLedger, name: str, now: float) -> AccessReport:
    customer = settings.customers[name]
    binding = ledger.binding(customer.client).id
    made = build(ledger, assemble.about(name, customer, binding), now)
    last = ledger.last_report(binding)
    new = difference(ledger, binding, made)
    new.close()
    return replace(made, changes=new.changes or (last[2] if last else []))
