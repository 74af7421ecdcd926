"""`approve`, `leavers`, `pause`, `resume`, `ledger`: what an operator notes in the ledger."""

from __future__ import annotations

import csv
import json as jsonlib
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rosterd import words
from rosterd.core.people import fold
from rosterd.errors import LedgerError, RosterdError, SettingsError
from rosterd.ledger.desk import HeldPlan, Leaver
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.ledger.store import is_ledger
from rosterd.once import Wish, run_once
from rosterd.reports.cells import cell
from rosterd.verbs.common import Common, begin, clients, desk, paint, say, say_json, saying, written
from rosterd.verbs.run import report

SHORTEST = 6  # characters of a digest that identify a plan
DAY = 86_400.0


def approve(
    common: Common, digests: Sequence[str], customers: Sequence[str], *, everything: bool, now: bool, json: bool
) -> int:  # fmt: skip
    """Approves held plans; without digests and without --all it lists them."""
    with desk(common) as (settings, ledger):
        names = {client: name for name, client in clients(settings, customers)}
        held = [plan for plan in ledger.held(time.time()) if plan.client in names and plan.open]
        waiting = [plan for plan in held if plan.approved is None]
        if not digests and not everything:
            _list(held, names, json=json)
            return 0
        chosen = waiting if everything else [_found(digest, held, names) for digest in digests]
        if everything and not (chosen and _typed(chosen)):
            say(["nothing is held" if not chosen else "nothing was approved"])
            return 0
        for plan in chosen:
            days = settings.customers[names[plan.client]].approval_days
            ledger.approve(plan, time.time(), time.time() + days * DAY)
            if not json:
                name = names[plan.client]
                what = f"{words.plural(plan.open, 'change')}, plan {plan.digest[:12]}"
                say([f"approved: {name}, {what}, for {days} days"])
        concerned = list(dict.fromkeys(names[plan.client] for plan in chosen))
    if not now:
        if json:
            say_json({"schema": "rosterd/approval/1", "approved": [plan.digest for plan in chosen]})
        return 0
    loaded, logger = begin(common)
    document = run_once(loaded.settings, Wish(concerned), logger)
    return report(document, json=json)


def _found(digest: str, held: Sequence[HeldPlan], names: dict[str, str]) -> HeldPlan:
    found = [plan for plan in held if len(digest) >= SHORTEST and plan.digest.startswith(digest.lower())]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{plan.digest[:12]} ({names[plan.client]})" for plan in held) or "nothing"
    what = f"{digest!r} fits several plans" if found else f"no held plan begins with {digest!r}"
    raise SettingsError(
        what, hint=f"held: {listed}; a plan that changed since has a new digest: see `rosterd plan`"
    )


def _list(held: Sequence[HeldPlan], names: dict[str, str], *, json: bool) -> None:
    if json:
        rows = [
            {"customer": names[p.client], "digest": p.digest, "made": _iso(p.made), "reasons": p.reasons,
             "open": p.open, "approved": _iso(p.approved), "expires": _iso(p.expires)} for p in held
        ]  # fmt: skip
        say_json({"schema": "rosterd/held/1", "plans": rows})
        return
    if not held:
        say(["nothing is held"])
    for plan in held:
        state = f"approved until {_iso(plan.expires)}" if plan.approved else "held"
        say([f"{names[plan.client]}: {plan.digest[:12]}, {words.plural(plan.open, 'change')}, {state}"])
        say(f"  {words.safe(reason)}" for reason in plan.reasons)
        if plan.approved is None:
            say([f"  approve: rosterd approve {plan.digest[:12]}"])


def _typed(plans: Sequence[HeldPlan]) -> bool:
    total = sum(plan.open for plan in plans)
    sys.stderr.write(f"This lets {total:,} changes of {len(plans)} held plans go. Type approve to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "approve"


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def leavers(
    common: Common, customers: Sequence[str], form: str, out: Path | None, done: Sequence[str]
) -> int:
    """Lists leavers, or ticks some off."""
    if form not in ("table", "csv", "json"):
        raise SettingsError(f"unknown format {form!r}", hint="--format table, csv or json")
    with desk(common) as (settings, ledger):
        asked = clients(settings, customers)
        if done:
            return _tick(ledger, asked, done)
        rows = (
            (name, leaver) for name, client in asked for leaver in ledger.leavers(ledger.binding(client).id)
        )
        if out is None:
            _show(rows, form)
            return 0
        with written(out) as file:
            _csv(rows, file) if form != "json" else file.write(_json_text(rows))
    return 0


def _tick(ledger: SqliteLedger, asked: Sequence[tuple[str, str]], done: Sequence[str]) -> int:
    for key in done:
        found = [
            (name, ledger.binding(client).id, leaver)
            for name, client in asked
            for leaver in ledger.leavers(ledger.binding(client).id)
            if fold(leaver.shown) == fold(key)
        ]
        if len(found) != 1:
            what = "several customers have" if found else "no leaver is called"
            raise SettingsError(
                f"{what} {key!r}", hint="`rosterd leavers` lists them; --customer picks one customer"
            )
        name, binding, leaver = found[0]
        ledger.tick(binding, leaver)
        say([f"{name}: {words.safe(leaver.shown)} is done"])
    return 0


def _show(rows: Iterator[tuple[str, Leaver]], form: str) -> None:
    if form in ("csv", "json"):
        with saying() as stdout:
            _csv(rows, stdout) if form == "csv" else stdout.write(_json_text(rows))
        return
    listed = list(rows)
    if not listed:
        say(["nobody has to be removed by hand"])
        return
    head = ("customer", "what", "key", "name", "e-mail", "since", "now called")
    body = [
        (name, _what(one), one.shown, one.name, one.email, (_iso(one.since) or "")[:10], one.successor)
        for name, one in listed
    ]
    say(words.columns([head, *body], indent=""))
    say(["", f"{len(listed):,} to remove in the portal; then: rosterd leavers --done KEY"])


def _what(leaver: Leaver) -> str:
    return {"person": "person", "group": "grouping", "seat": "seat"}[leaver.kind] + (
        " (unconfirmed)" if leaver.doubtful else ""
    )


def _csv(rows: Iterator[tuple[str, Leaver]], target: Any) -> None:
    """For the portal, and for spreadsheets: nothing is taken for a formula (CWE-1236)."""
    writer = csv.writer(target)
    writer.writerow(["customer", "kind", "domain", "logon", "name", "email", "group", "since", "successor"])
    for name, one in rows:
        domain, _, logon = (
            one.shown.rpartition(" / ")[2].partition("//") if one.kind != "group" else ("", "", "")
        )
        texts = (
            name,
            one.kind,
            domain,
            logon,
            one.name,
            one.email,
            one.group,
            _iso(one.since),
            one.successor,
        )
        writer.writerow([cell(str(text)) for text in texts])


def _json_text(rows: Iterator[tuple[str, Leaver]]) -> str:
    listed = [
        {"customer": name, "kind": one.kind, "key": one.shown, "name": one.name, "email": one.email, "group": one.group,
         "since": _iso(one.since), "unconfirmed": one.doubtful, "successor": one.successor} for name, one in rows
    ]  # fmt: skip
    return jsonlib.dumps({"schema": "rosterd/leavers/1", "leavers": listed}, ensure_ascii=False) + "\n"


def pause(common: Common, customer: str, reason: str) -> int:
    with desk(common) as (settings, ledger):
        ((name, client),) = clients(settings, [customer])
        binding = ledger.bind(client, name)
        ledger.pause(binding.id, reason or "no reason given", time.time())
        say([f"{name} is paused; `rosterd resume {name}` ends it"])
    return 0


def resume(common: Common, customer: str) -> int:
    with desk(common) as (settings, ledger):
        ((name, client),) = clients(settings, [customer])
        binding = ledger.binding(client)
        ledger.resume(binding.id)
        say([f"{name} runs again" if binding.paused_at is not None else f"{name} was not paused"])
    return 0


def _replaceable(file: Path, ledger: SqliteLedger) -> None:
    """Raises SettingsError unless this existing file is an older copy of a ledger."""
    hint = "name another file"
    if file.samefile(ledger.path):
        raise SettingsError("is the ledger itself", where=str(file), hint=hint)
    if not is_ledger(file):
        raise SettingsError("is there already, and is no copy of a ledger", where=str(file), hint=hint)


def backup(common: Common, file: Path) -> int:
    """A consistent copy; an existing file is only replaced by a whole copy."""
    with desk(common) as (_, ledger):
        if file.is_dir() or not file.absolute().parent.is_dir():
            raise SettingsError(
                "is no place for a file", where=str(file), hint="name a file in an existing directory"
            )
        if file.exists():
            _replaceable(file, ledger)
        ledger.backup(file)
        size = file.stat().st_size
        say([f"{file}: {size:,} bytes, lineage {ledger.lineage[:8]}"])
    return 0


def verify(common: Common, json: bool) -> int:
    loaded, _ = begin(common)
    problems: list[str] = []
    path = loaded.settings.ledger.path
    if not path.exists():
        raise LedgerError("there is no ledger yet", where=str(path), hint="the first run makes it")
    try:
        with desk(common) as (_, ledger):
            problems = ledger.verify()
    except RosterdError as error:
        problems = [str(error)]
    if json:
        say_json({"schema": "rosterd/verify/1", "ledger": str(path), "problems": problems})
    else:
        say(
            [
                f"{path}: {'whole' if not problems else paint().bad('damaged')}",
                *(f"  {words.safe(p)}" for p in problems),
            ]
        )
    return 8 if problems else 0
