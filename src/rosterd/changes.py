"""What changed since the last access report: grants and findings that came, went or are different."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rosterd.core.access import AccessReport, Finding, Grant, ReportChange
from rosterd.core.merge import align
from rosterd.roster import Sorter, merged

LISTED = 1_000  # changes that are listed; all of them are remembered


@dataclass
class Difference:
    """What a report says that the last one did not, and the reverse."""

    changes: list[ReportChange]
    said: list[tuple[str, str, str, str]]  # what, key, value, sentence
    dropped: list[tuple[str, str]]  # what, key


def difference(ledger: Any, binding: int, report: AccessReport) -> Difference:
    """Compares with what the last written report said, grant by grant and finding by finding."""
    found = Difference([], [], [])
    first = ledger.last_report(binding) is None
    items: Sorter[tuple[str, str, str]] = Sorter()
    places = {(state.kind, state.id): state.name for state in report.sources}
    for what, rows in (("grant", _grant_items(report.grants)), ("finding", _finding_items(report.findings))):
        for chunk in rows:
            items.add(chunk)
        _compare(found, what, merged([items]), ledger.reported(binding, what), places)
        items.close()
        items = Sorter()
    if first:
        found.changes.clear()
    return found


def _grant_items(rows: Iterable[Grant]) -> Iterator[list[tuple[str, str, str]]]:
    for grant in rows:
        key = "\x1f".join((grant.kind, grant.place_id, grant.subject or grant.email.casefold() or grant.name))
        who = f"{grant.name} ({grant.email})" if grant.name and grant.email else grant.name or grant.email
        value = "\x1f".join((grant.level, grant.verdict, grant.person))
        yield [(key, value, who or f"user {grant.subject}")]


def _finding_items(rows: Iterable[Finding]) -> Iterator[list[tuple[str, str, str]]]:
    for finding in rows:
        yield [(finding.id, "\x1f".join((finding.severity, finding.person, finding.place)), finding.sentence)]


def _compare(
    found: Difference, what: str, now: Iterable[list[tuple[str, str, str]]],
    then: Iterable[list[tuple[str, str, str, float]]], places: Mapping[tuple[str, str], str],
) -> None:  # fmt: skip
    for ours, theirs in align(now, then):
        old = {row[0]: (row[1], row[2]) for row in theirs}
        for key, value, said in {row[0]: row for row in ours}.values():
            before = old.pop(key, None)
            if before is None or before[0] != value:
                found.said.append((what, key, value, said))
                _note(found, what, key, before, (value, said), places)
        for key, before in old.items():
            found.dropped.append((what, key))
            _note(found, what, key, before, None, places)


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
