"""Which problems are new: not yet told, in this form, by a run that ended well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from rosterd.core.merge import align
from rosterd.draft import EXAMPLES, Plan, Problem
from rosterd.roster import merged


class ProblemLedger(Protocol):
    def problems(self, binding: int) -> Iterator[list[tuple[bytes, str, str, int]]]: ...
    def untold_refusals(self, binding: int) -> int: ...


def told_or_new(plan: Plan, ledger: ProblemLedger, binding: int) -> tuple[list[dict[str, Any]], int]:
    """The first problems as rows for a document, and how many are new in all.

    A record that is set aside is news when its key or reason was not told; a refusal when the ledger has it untold.
    """
    listed: list[dict[str, Any]] = []
    news = ledger.untold_refusals(binding)
    for ours, known in align(_distinct(plan), ledger.problems(binding)):
        told = {row[0]: row for row in known}
        for problem in ours:
            row = told.get(problem[0])
            same = row is not None and bool(row[3]) and row[1] == problem[3]
            new = not same or (problem[3] == "set_aside" and row is not None and row[2] != problem[5])
            if problem[3] == "set_aside":
                news += new
            if len(listed) < EXAMPLES:
                listed.append(_row(problem, new=new))
    return listed, news


def _distinct(plan: Plan) -> Iterator[list[Problem]]:
    for chunk in merged([plan.problems]):
        yield list({problem[0]: problem for problem in chunk}.values())


def _row(problem: Problem, *, new: bool) -> dict[str, Any]:
    _, kind, _, bucket, shown, reason, place = problem
    return {"kind": kind, "key": shown, "bucket": bucket, "reason": reason, "where": place, "new": new}
