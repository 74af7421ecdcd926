"""What was decided before about the changes of a plan: refusals that stand, and approvals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rosterd.core.plan import Change
from rosterd.draft import PlanningLedger, Terms


class Judge:
    """Standing refusals and approvals for the changes of one chunk."""

    def __init__(self, terms: Terms, ledger: PlanningLedger, kind: str) -> None:
        self._terms, self._ledger, self._kind = terms, ledger, kind
        self._refusals = ledger.has_refusals(terms.binding)
        self._low = b""
        self._approvals = ledger.has_approvals(terms.binding, terms.now)

    @property
    def idle(self) -> bool:
        """Whether nothing was refused or approved: there is nothing to weigh."""
        return not self._refusals and not self._approvals

    def refused(self, keys: Sequence[bytes]) -> Mapping[bytes, tuple[str, str, float]]:
        """Standing refusals from where the last call ended up to the last of these keys; called in key order."""
        if not self._refusals or not keys:
            return {}
        low, self._low = self._low, keys[-1] + b"\0"
        return self._ledger.refusals(self._terms.binding, self._kind, low, keys[-1])

    def rest(self) -> list[bytes]:
        """Keys of refusals beyond the last key asked for."""
        if not self._refusals:
            return []
        return sorted(self._ledger.refusals(self._terms.binding, self._kind, self._low, b"\xff" * 8))

    def marked(self, changes: list[Change]) -> list[tuple[Change, bool]]:
        """Each change with whether an approval covers exactly it."""
        if not self._approvals or not changes:
            return [(change, False) for change in changes]
        low, high = min(c.key for c in changes), max(c.key for c in changes)
        approved = self._ledger.approvals(self._terms.binding, changes[0].kind, low, high, self._terms.now)
        return [(change, (change.key, change.text) in approved) for change in changes]
