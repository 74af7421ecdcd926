"""The documents a run prints: rosterd/run/1 and rosterd/plan/1, as plain dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rosterd.core.guard import Verdict
from rosterd.core.plan import GROUP, KINDS, PERSON, REGISTRATION, SEAT
from rosterd.draft import EXAMPLES, Plan

NAMES = {PERSON: "people", GROUP: "groups", SEAT: "seats", REGISTRATION: "registrations"}
OUTCOMES = {0: "done", 3: "partial", 4: "held"}


def run_document(customers: Mapping[str, dict[str, Any]], exit_code: int, **more: Any) -> dict[str, Any]:
    """The run document over all customers. `more`: a reason when no customer's run could start."""
    return {"schema": "rosterd/run/1", "exit_code": exit_code, **more, "customers": dict(customers)}


def customer_document(
    plan: Plan, exit_code: int, reason: str | None, requests: int, problems: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:  # fmt: skip
    """One customer's part of the run document; the sums of each kind match."""
    return {
        "outcome": OUTCOMES.get(exit_code, "failed"),
        "exit_code": exit_code,
        "reason": reason,
        **{NAMES[kind]: plan.tallies[kind].document() for kind in KINDS},
        "requests": requests,
        "plan": plan.digest,
        "reasons": {bucket: dict(counts.most_common(EXAMPLES)) for bucket, counts in plan.reasons.items()},
        "problems": problems,
        "warnings": dict(plan.warnings),
        "renamed": plan.renamed,
        "renames": _renames(plan),
        **more,
    }


def plan_document(plan: Plan, verdict: Verdict) -> dict[str, Any]:
    """One customer's part of the plan document, but for its changes, which are streamed; see `changes_of`."""
    return {
        "verdict": "hold" if verdict.held else "go",
        "reasons": list(verdict.reasons),
        "digest": plan.digest,
        **{NAMES[kind]: plan.tallies[kind].document() for kind in KINDS},
        "warnings": dict(plan.warnings),
        "renamed": plan.renamed,
        "renames": _renames(plan),
    }


def _renames(plan: Plan) -> list[dict[str, str]]:
    return [{"from": old, "to": new} for old, new in sorted(plan.successors.items())]
