"""Where a customer stands: last and next run, holds, refused records, in step or not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from rosterd import due as rules
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.settings import CustomerSettings

LATE = 600.0  # seconds a run may be late before a customer counts as overdue
JITTER = 86_400.0  # seconds by which the service may start a customer after its schedule
PENDING = 10

# ledger, binding, its last run -> how many people are active, in doubt or left, and how many problems stand
Counts: TypeAlias = Callable[[SqliteLedger, int, int], dict[str, int]]


def _counted(ledger: SqliteLedger, binding: int, _run: int) -> dict[str, int]:
    return ledger.standing(binding)


def iso(moment: float) -> str:
    """A moment in UTC, to the second."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def customer_status(
    ledger: SqliteLedger, client: str, settings: CustomerSettings, now: float, counts: Counts | None = None
) -> dict[str, Any]:
    """One customer: where it stands, in a word and in numbers.

    `counts`: how the people and problems of a binding are counted; whoever asks often keeps them.
    """
    binding = ledger.binding(client)
    runs = ledger.runs(binding.id)
    last = runs[0] if runs else None
    ended = next((run for run in ledger.runs(binding.id, 20) if run.ended is not None), None)
    standing = (counts or _counted)(ledger, binding.id, last.id if last else 0)
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
    elif last.document.get("stopped"):
        code, state = PENDING, "stopped, the next run goes on"
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
        "last_run": iso(last.started) if last else None,
        "last_success": iso(success) if (success := ledger.last_success(binding.id)) else None,
        "last_outcome": last.outcome if last else None,
        "next_run": iso(due) if due is not None and binding.paused_at is None else None,
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
