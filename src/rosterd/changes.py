"""What changed since the last access report: grants and findings that came, went or are different."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from rosterd.core.access import AccessReport, Finding, Grant, ReportChange
from rosterd.core.merge import align
from rosterd.roster import CHUNK, Pile, Sorter, merged

LISTED = 1_000  # changes that are listed; all of them are remembered


@dataclass
class Difference:
    """What a report says that the last one did not, and the reverse. A first report says as much as it has grants."""

    changes: list[ReportChange] = field(default_factory=list)
    said: Pile[tuple[str, str, str, str]] = field(default_factory=Pile)  # what, key, value, sentence
    dropped: Pile[tuple[str, str]] = field(default_factory=Pile)  # what, key
    findings: set[str] = field(default_factory=set)  # ids of those that are new, or say something new

    def close(self) -> None:
        self.said.close()
        self.dropped.close()


def difference(ledger: Any, binding: int, report: AccessReport) -> Difference:
    """Compares with what the last written report said, grant by grant and finding by finding."""
    found = Difference()
    first = ledger.last_report(binding) is None
    places = {(state.kind, state.id): state.name for state in report.sources}
    for what, items in (
        ("grant", map(_grant_item, report.grants)),
        ("finding", map(_finding_item, report.findings)),
    ):
        sorter: Sorter[tuple[str, str, str]] = Sorter()
        while piece := list(islice(items, CHUNK)):
            sorter.add(piece)
        _compare(found, what, merged([sorter]), ledger.reported(binding, what), places)
        sorter.close()
    if first:
        found.changes.clear()
    return found


def _grant_item(grant: Grant) -> tuple[str, str, str]:
    kind, _, place, subject, name, email, level, _, _, person, verdict, _, _ = grant
    who = f"{name} ({email})" if name and email else name or email or f"user {subject}"
    key = f"{kind}\x1f{place}\x1f{subject or email.casefold() or name}"
    return key, f"{level}\x1f{verdict}\x1f{person}", who


def _finding_item(finding: Finding) -> tuple[str, str, str]:
    return finding.id, f"{finding.severity}\x1f{finding.person}\x1f{finding.place}", finding.sentence


def _weight(what: str, value: str) -> str:
    """What of a value is news when it changes; what a finding's place is called is none, its id tells it apart."""
    return value.rpartition("\x1f")[0] if what == "finding" else value


def _compare(
    found: Difference, what: str, now: Iterable[list[tuple[str, str, str]]],
    then: Iterable[list[tuple[str, str, str, float]]], places: Mapping[tuple[str, str], str],
) -> None:  # fmt: skip
    for ours, theirs in align(now, then):
        old = {row[0]: (row[1], row[2]) for row in theirs}
        said: list[tuple[str, str, str, str]] = []
        for key, value, sentence in {row[0]: row for row in ours}.values():
            before = old.pop(key, None)
            if before is None or _weight(what, before[0]) != _weight(what, value):
                said.append((what, key, value, sentence))
                _note(found, what, key, before, (value, sentence), places)
        for key, before in old.items():
            _note(found, what, key, before, None, places)
        found.said.add(said)
        found.dropped.add([(what, key) for key in old])
        if what == "finding":
            found.findings |= {key for _, key, _, _ in said}


def _note(
    found: Difference, what: str, key: str, before: tuple[str, str] | None, after: tuple[str, str] | None,
    places: Mapping[tuple[str, str], str],
) -> None:  # fmt: skip
    if len(found.changes) >= LISTED:
        return
    op = "added" if before is None else "removed" if after is None else "changed"
    value, said = after or before or ("", "")
    if what == "finding":
        _, person, place = value.split("\x1f")
        sentence = {"added": "New: ", "removed": "Settled: ", "changed": "Now: "}[op] + said
    else:
        kind, place_id, _ = key.split("\x1f")
        level, verdict, person = value.split("\x1f")
        place = places.get((kind, place_id), place_id)
        at = f"the {kind} {place}" + (f" as {level}" if level else "")
        if op == "changed" and before is not None:
            was = before[0].split("\x1f")
            parts = [
                f"{old or 'nothing'} → {new or 'nothing'}"
                for old, new in zip(was, value.split("\x1f"), strict=True)
                if old != new
            ]
            sentence = f"{said}, access to the {kind} {place}: {', '.join(parts)}"
        else:
            sentence = f"{said} {'has' if op == 'added' else 'no longer has'} access to {at} ({verdict})"
    found.changes.append(ReportChange(op, what, sentence, person, place))
