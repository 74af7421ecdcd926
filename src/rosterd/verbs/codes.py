"""`rosterd codes`: registration codes of 3D printers that wait to be handed out. The only place that shows them."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rosterd import words
from rosterd.core.people import fold
from rosterd.errors import SettingsError
from rosterd.ledger.access import IN_DOUBT, Registration
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.reports.cells import cell
from rosterd.verbs.common import Common, clients, desk, say, say_json, saying, written

_HEAD = ("customer", "key", "code", "person", "issued", "state")


def codes(
    common: Common, customers: Sequence[str], form: str, out: Path | None, *, everything: bool,
    handed: Sequence[str], again: Sequence[str],
) -> int:  # fmt: skip
    """Lists codes, or notes what became of some. Raises SettingsError for a key that nobody has."""
    if form not in ("table", "csv", "json"):
        raise SettingsError(f"unknown format {form!r}", hint="--format table, csv or json")
    with desk(common) as (settings, ledger):
        asked = clients(settings, customers)
        if handed or again:
            return _note(ledger, asked, handed, again)
        rows = [
            (name, one)
            for name, client in asked
            for one in ledger.registrations(ledger.binding(client).id)
            if everything or one.handed is None
        ]
    if out is not None:
        with written(out, 0o600) as file:
            _csv(rows, file) if form == "csv" else file.writelines(line + "\n" for line in _text(rows, form))
        say([f"{out}: {words.plural(len(rows), 'code')}; the file is yours alone (mode 0600)"])
    elif form == "csv":
        with saying() as stdout:
            _csv(rows, stdout)
    elif form == "json":
        say_json(_document(rows))
    else:
        say(_text(rows, form))
    return 0


def _note(
    ledger: SqliteLedger, asked: Sequence[tuple[str, str]], handed: Sequence[str], again: Sequence[str]
) -> int:
    for key in handed:
        name, binding, one = _found(ledger, asked, key)
        ledger.hand_out(binding, one.key, time.time())
        say([f"{name}: the code of {words.safe(one.shown)} has been handed out"])
    for key in again:
        name, binding, one = _found(ledger, asked, key)
        if one.state != IN_DOUBT:
            raise SettingsError(f"{key!r} is not in doubt", hint="only a lost answer is asked for once more")
        ledger.register_again(binding, one.key)
        say([f"{name}: {words.safe(one.shown)} is asked for once more with the next run"])
    return 0


def _found(ledger: SqliteLedger, asked: Sequence[tuple[str, str]], key: str) -> tuple[str, int, Registration]:
    found = [
        (name, ledger.binding(client).id, one)
        for name, client in asked
        for one in ledger.registrations(ledger.binding(client).id)
        if fold(one.shown) == fold(key)
    ]
    if len(found) != 1:
        what = "several customers have" if found else "there is no registration"
        raise SettingsError(
            f"{what} {key!r}", hint="`rosterd codes --all` lists them; --customer picks one customer"
        )
    return found[0]


def _state(one: Registration) -> str:
    if one.handed is not None:
        return "handed out"
    return {"issued": "waiting", "doubt": "in doubt", "again": "asked for again"}[one.state]


def _cells(name: str, one: Registration) -> tuple[str, ...]:
    return name, one.shown, one.code, one.person, one.issued, _state(one)


def _text(rows: Sequence[tuple[str, Registration]], form: str) -> Iterator[str]:
    if form == "json":
        yield json.dumps(_document(rows), ensure_ascii=False)
        return
    if not rows:
        yield "no code waits to be handed out"
        return
    yield from words.columns([_HEAD, *(_cells(name, one) for name, one in rows)], indent="")
    yield ""
    yield "Handed out? rosterd codes --handed-out 'KEY'"
    if any(one.state == IN_DOUBT and one.handed is None for _, one in rows):
        yield "In doubt: look in the printer's own portal; then --again KEY asks once more, --handed-out KEY settles it"


def _csv(rows: Sequence[tuple[str, Registration]], target: Any) -> None:
    writer = csv.writer(target)
    writer.writerow(_HEAD)
    for name, one in rows:
        writer.writerow([cell(text) for text in _cells(name, one)])


def _document(rows: Sequence[tuple[str, Registration]]) -> dict[str, Any]:
    listed = [
        {
            "customer": name, "printer": one.printer, "email": one.email, "person": one.person, "code": one.code,
            "issued": one.issued, "state": _state(one), "since": _iso(one.at), "handed_out": _iso(one.handed),
        }
        for name, one in rows
    ]  # fmt: skip
    return {"schema": "rosterd/codes/1", "codes": listed}


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
