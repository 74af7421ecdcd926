"""What `rosterd explain` shows of the sources: the entry as it is now, and its mapping step by step."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rosterd import assemble, words
from rosterd.comeback import asked, source_place
from rosterd.core.doors import Cell
from rosterd.core.people import ACTIVE, OUT
from rosterd.entries import Entry, Sought, look
from rosterd.errors import SourceError
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.settings import Settings
from rosterd.sources.settings import CsvSettings, LdapSettings
from rosterd.words import Paint

TIMEOUT, DEADLINE = 5.0, 20.0  # seconds: somebody waits for the answer


@dataclass(frozen=True)
class Shown:
    """What one source shows of somebody; `problem`: why it could not be asked, "" when it could."""

    source: str
    file: str  # "" for a directory
    entries: Sequence[Entry] = ()
    problem: str = ""


def ask(
    settings: Settings, ledger: SqliteLedger, log: Any, customer: str, binding: int | None, sought: Sought
) -> list[Shown]:
    """What every source of a customer shows. A password that is refused counts like a run's try: see comeback."""
    found = []
    for label, wanted in settings.customers[customer].sources.items():
        file = wanted.path.name if isinstance(wanted, CsvSettings) else ""
        plan = assemble.source_plan(customer, label, _sooner(wanted), threading.Event(), log)
        read = partial(look, plan, sought)
        try:
            if binding is None:
                entries = read()
            else:
                place = source_place(binding, label)
                entries = asked(ledger, place, settings.changed, time.time(), read)
        except SourceError as error:
            found.append(Shown(label, file, problem=f"{error}{f' ({error.hint})' if error.hint else ''}"))
        else:
            found.append(Shown(label, file, entries))
    return found


def _sooner(wanted: CsvSettings | LdapSettings) -> CsvSettings | LdapSettings:
    if isinstance(wanted, CsvSettings):
        return wanted.model_copy(update={"settle": 0.0})
    patience = {"timeout": min(wanted.timeout, TIMEOUT), "deadline": min(wanted.deadline, DEADLINE)}
    return wanted.model_copy(update=patience)


def lines(shown: Sequence[Shown], colours: Paint) -> Iterator[str]:
    """For people."""
    for one in shown:
        if one.problem:
            yield f"  source {one.source} {colours.odd('cannot be asked now')}: {words.safe(one.problem)}"
        elif not one.entries:
            yield f"  source {one.source}, asked just now, has no such entry"
        for entry in one.entries:
            where = f"line {entry.place} of {one.file}" if one.file else str(entry.place)
            yield f"  source {one.source}, asked just now: {words.safe(where)}"
            yield from words.columns([(name, text[:300]) for name, text in _steps(entry)], indent="    ")


def _steps(entry: Entry) -> Iterator[tuple[str, str]]:
    for name, cell in entry.values:
        yield "reads", f"{name} = {_text(cell)}"
    for step in entry.steps:
        mended = f" → {step.becomes or 'nothing'}" if step.gives and step.becomes != step.gives else ""
        plain = f"{step.template} → {step.gives or 'nothing'}" if "{" in step.template else step.template
        yield step.field, step.problem or f"{plain}{mended}"
    for text, holds in entry.rules:
        yield "rule", f"{text}: {'excludes' if holds else 'does not apply'}"
    yield "result", _result(entry)


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else ", ".join(cell)


def _result(entry: Entry) -> str:
    if not entry.inside:
        return "passed by: the search for people does not find this entry"
    wanted = entry.wanted
    if wanted[8] == ACTIVE:
        note = f"; {wanted[10]}" if wanted[10] else ""
        return f"{', '.join(filter(None, (f'{wanted[1]}//{wanted[2]}', wanted[3], wanted[4])))}{note}"
    return f"{'excluded' if wanted[8] == OUT else 'set aside'}: {wanted[10]}"


def document(shown: Sequence[Shown]) -> list[dict[str, Any]]:
    """For programs."""
    return [
        {"source": one.source, "problem": one.problem or None, "entries": [_entry(entry) for entry in one.entries]}
        for one in shown
    ]  # fmt: skip


def _entry(entry: Entry) -> dict[str, Any]:
    wanted = entry.wanted
    fates = {ACTIVE: "wanted", OUT: "excluded"}
    return {
        "place": entry.place,
        "values": {name: cell if isinstance(cell, str) else list(cell) for name, cell in entry.values},
        "mapping": [
            {"field": step.field, "template": step.template, "gives": step.gives, "becomes": step.becomes,
             "problem": step.problem or None}
            for step in entry.steps
        ],
        "rules": [{"rule": text, "holds": holds} for text, holds in entry.rules],
        "fate": fates.get(wanted[8], "set aside") if entry.inside else "passed by",
        "reason": wanted[10] or None,
        "person": {"domain": wanted[1], "logon": wanted[2], "name": wanted[3], "email": wanted[4]},
    }  # fmt: skip
