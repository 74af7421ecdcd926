"""`rosterd status`: a probe for monitoring, and a page for people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rosterd import assemble, words
from rosterd.errors import worst
from rosterd.standing import customer_status
from rosterd.verbs.common import Common, clients, desk, paint, say, say_json


def status(common: Common, customers: Sequence[str], json: bool) -> int:
    """Exit 0 when all are in step, else the worst customer's code; 10 for pending or overdue."""
    with desk(common) as (settings, ledger):
        now = time.time()
        found = {
            name: customer_status(
                ledger, client, settings.customers[name], now, sign_in=assemble.sign_in(settings, name)
            )
            for name, client in clients(settings, customers)
        }
    code = worst([one["exit_code"] for one in found.values()])
    if json:
        say_json({"schema": "rosterd/status/1", "exit_code": code, "customers": found})
    else:
        say(_lines(found, now))
    return code


def _lines(found: dict[str, dict[str, Any]], now: float) -> list[str]:
    colours = paint()
    rows: list[tuple[object, ...]] = [
        ("customer", "state", "last run", "people", "refused", "set aside", "left")
    ]
    for name, one in found.items():
        last = (
            f"{words.ago(now - datetime.fromisoformat(one['last_run']).timestamp())} ago"
            if one["last_run"]
            else "never"
        )
        numbers = tuple(one[key] for key in ("people", "refused", "set_aside", "left"))
        state = f"{one['state']}, following" if one["following"] and not one["read_whole"] else one["state"]
        rows.append((name, state, last, *numbers))
    lines = list(words.table(rows, left=3, indent=""))
    out = [colours.dim(lines[0])]
    for line, (name, one) in zip(lines[1:], found.items(), strict=True):
        out.append(colours.good(line) if not one["exit_code"] else colours.odd(line))
        if one["reason"]:
            out.append(f"  {words.safe(one['reason'])}")
        if one["read_whole"]:
            out.append(f"  everything is read each time: {one['read_whole']}")
        for plan in one["held"]:
            state = (
                "approved"
                if plan["approved"]
                else f"rosterd plan --customer {name}; rosterd approve {plan['digest'][:12]}"
            )
            out.append(f"  held: {words.plural(plan['changes'], 'change')}, {state}")
    return out
