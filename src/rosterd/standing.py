"""Where a customer stands: last and next run, holds, refused records, in step or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from rosterd import due as rules
from rosterd.autodesk.kept import SignIn
from rosterd.errors import CredentialsError, worst
from rosterd.ledger.desk import HeldPlan, RunRow
from rosterd.ledger.reading import Binding
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
    ledger: SqliteLedger, client: str, settings: CustomerSettings, now: float, counts: Counts | None = None,
    sign_in: SignIn | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One customer: where it stands, in a word and in numbers.

    `sign_in`: as of assemble.sign_in. `counts`: how the people and problems of a binding are counted; whoever asks
    often keeps them.
    """
    binding = ledger.binding(client)
    runs = ledger.runs(binding.id)
    if runs and runs[0].ended is None:  # only then does it matter how earlier ones ended
        runs = ledger.runs(binding.id, 20)
    last = runs[0] if runs else None
    standing = (counts or _counted)(ledger, binding.id, last.id if last else 0)
    held = [plan for plan in ledger.held(now, binding.id) if plan.open]
    due = next_due(ledger, client, settings, last.started if last else None)
    code, state = _state(binding, runs, held, standing, now=now, due=due)
    reason = last.reason if last and code else None
    if binding.paused_at is not None:
        reason = binding.paused_why
    elif (refused := _refused(ledger, binding, settings, sign_in)) is not None:
        if worst([code, CredentialsError.exit_code]) != code:
            code, (state, reason) = CredentialsError.exit_code, refused
        elif code == CredentialsError.exit_code and not _of_orbix(ledger, binding, last):
            state = refused[0]  # the last run's own reason has all there is to say
    return {
        "state": state,
        "exit_code": code,
        "reason": reason,
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
        "following": {source: iso(compared) for source, compared in ledger.follows(binding.id)},
        "read_whole": _read_whole(settings),
        "sign_in": _sign_in(sign_in),
    }


def _state(
    binding: Binding, runs: Sequence[RunRow], held: Sequence[HeldPlan], standing: dict[str, int], *,
    now: float, due: float | None,
) -> tuple[int, str]:  # fmt: skip
    """The exit code of `status`, and where the customer stands in a word."""
    if binding.paused_at is not None:
        return PENDING, "paused"
    if not runs:
        return PENDING, "never run"
    last = runs[0]
    if last.ended is None:
        ended = next((run for run in runs if run.ended is not None), None)
        going = now - last.started < 60
        known = (ended.exit_code or 0) if ended else PENDING
        return (known, "running") if going else (PENDING, "the last run did not end")
    if last.exit_code == 4:
        waiting = [plan for plan in held if plan.approved is None]
        return (4, "held") if waiting else (PENDING, "approved, waits for the next run")
    if last.exit_code:
        return last.exit_code, {3: "new problems"}.get(last.exit_code, "failing")
    if last.document.get("stopped"):
        return PENDING, "stopped, the next run goes on"
    if not last.document.get("whole", True):
        return PENDING, "only a part was run"
    if standing.get("doubt", 0) + standing.get("tried", 0):
        return PENDING, "some are in doubt, the next run sends them again"
    if due is not None and now > due + LATE:
        return PENDING, "overdue"
    return 0, "in step"


def _read_whole(settings: CustomerSettings) -> str | None:
    """Why everything is read each time, though changes are to be followed; None when that is not so."""
    followed = any(source.kind == "ldap" and source.follow for source in settings.sources.values())
    return settings.everybody or None if followed else None


def _refused(
    ledger: SqliteLedger, binding: Binding, settings: CustomerSettings, sign_in: SignIn | None
) -> tuple[str, str] | None:
    """Why access cannot be read with the credentials there are, in a word and a sentence; None when it can.

    A refusal is remembered until access is read again, or somebody signs in anew.
    """
    if sign_in is not None and sign_in.needed:
        return "sign-in needed", sign_in.needed
    refusal = ledger.refusal(binding.id) if settings.autodesk is not None else None
    if refusal is None or (sign_in is not None and sign_in.since > refusal.at):
        return None
    return "access refused", f"access could not be read: {refusal.reason}"


def _of_orbix(ledger: SqliteLedger, binding: Binding, last: RunRow | None) -> bool:
    """Whether a last run that ended 9 did so for other credentials than those that access is read with."""
    refusal = ledger.refusal(binding.id)
    return last is not None and (refusal is None or refusal.at < last.started)


def _sign_in(found: SignIn | None) -> dict[str, Any] | None:
    if found is None:
        return None
    ends = None if found.ends is None else iso(found.ends)
    return {"needed": bool(found.needed), "reason": found.needed or None, "ends": ends}


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
