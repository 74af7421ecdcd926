"""`rosterd status`: a probe for monitoring, and a page for people."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rosterd import due as rules
from rosterd import words
from rosterd.errors import worst
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.settings import CustomerSettings
from rosterd.verbs.common import Common, clients, desk, paint, say, say_json

LATE = 600.0  # seconds a run may be late before a customer counts as overdue
JITTER = 86_400.0  # seconds by which the service may start a customer after its schedule
PENDING = 10


def status(common: Common, customers: Sequence[str], json: bool) -> int:
    """Exit 0 when all are in step, else the worst customer's code; 10 for pending or overdue."""
    with desk(common) as (settings, ledger):
        now = time.time()
        found = {
            name: customer_status(ledger, client, settings.customers[name], now)
            for name, client in clients(settings, customers)
        }
    code = worst([one["exit_code"] for one in found.values()])
    if json:
        say_json({"schema": "rosterd/status/1", "exit_code": code, "customers": found})
    else:
        say(_lines(found, now))
    return code


def customer_status(
    ledger: SqliteLedger, client: str, settings: CustomerSettings, now: float
) -> dict[str, Any]:
    """One customer: where it stands, in a word and in numbers."""
    binding = ledger.binding(client)
    runs = ledger.runs(binding.id)
    last = runs[0] if runs else None
    ended = next((run for run in ledger.runs(binding.id, 20) if run.ended is not None), None)
    standing = ledger.standing(binding.id)
    held = [plan for plan in ledger.held(now, binding.id) if plan.open]
    due = next_due(ledger, client, settings, last.started if last else None)
    code, state = 0, "in step"
    if binding.paused_at is not None:
        code, state = PENDING, "paused"
    elif last is None:
        code, state = PENDING, "never run"
    elif last.ended is None and now - last.started < 60:
        code, state = (ended.exit_code or 0) if ended else PENDING, "running"
    elif last.ended is None:
        code, state = PENDING, "the last run did not end"
    elif last.exit_code == 4:
        waiting = [plan for plan in held if plan.approved is None]
        code, state = (4, "held") if waiting else (PENDING, "approved, waits for the next run")
    elif last.exit_code:
        code, state = last.exit_code, {3: "new problems"}.get(last.exit_code, "failing")
    elif not last.document.get("whole", True):
        code, state = PENDING, "only a part was run"
    elif standing.get("doubt", 0) + standing.get("tried", 0):
        code, state = PENDING, "some are in doubt, the next run sends them again"
    elif due is not None and now > due + LATE:
        code, state = PENDING, "overdue"
    return {
        "state": state,
        "exit_code": code,
        "reason": binding.paused_why
        if binding.paused_at is not None
        else (last.reason if last and code else None),
        "last_run": _iso(last.started) if last else None,
        "last_outcome": last.outcome if last else None,
        "next_run": _iso(due) if due is not None and binding.paused_at is None else None,
        "people": standing.get("active", 0),
        "in_doubt": standing.get("doubt", 0) + standing.get("tried", 0),
        "left": standing.get("left", 0),
        "refused": standing.get("refused", 0),
        "set_aside": standing.get("set_aside", 0),
        "held": [
            {"digest": plan.digest, "changes": plan.open, "approved": plan.approved is not None}
            for plan in held
        ],
    }


def next_due(
    ledger: SqliteLedger, client: str, settings: CustomerSettings, after: float | None
) -> float | None:
    """When the customer is due next: as the service noted it, else after its last run; None before the first."""
    rule = settings.rule(settings.schedule, 0.0)
    noted = ledger.next_of(client, "run")
    if after is None:
        return noted.due if noted else None
    follows = rules.next_due(rule, after)
    return max(noted.due, follows) if noted and noted.due < follows + JITTER else follows


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


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
        rows.append((name, one["state"], last, *numbers))
    lines = list(words.table(rows, left=3, indent=""))
    out = [colours.dim(lines[0])]
    for line, (name, one) in zip(lines[1:], found.items(), strict=True):
        out.append(colours.good(line) if not one["exit_code"] else colours.odd(line))
        if one["reason"]:
            out.append(f"  {words.safe(one['reason'])}")
        for plan in one["held"]:
            state = (
                "approved"
                if plan["approved"]
                else f"rosterd plan --customer {name}; rosterd approve {plan['digest'][:12]}"
            )
            out.append(f"  held: {words.plural(plan['changes'], 'change')}, {state}")
    return out
