"""`rosterd explain` and `rosterd history`: one person end to end, from the ledger alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from rosterd import words
from rosterd.core.people import fold
from rosterd.errors import SettingsError
from rosterd.explain import Explained, differences, explain, fields
from rosterd.ledger.looking import Past
from rosterd.ledger.search import Match, Spot, words_of
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.standing import iso
from rosterd.verbs.common import Common, clients, desk, paint, say, say_json

MOST = 1_000  # people looked at
NAMED = 8  # similar people that an error names


def tell(common: Common, who: str, customers: Sequence[str], *, json: bool) -> int:
    """Explains everybody of this name. Raises SettingsError when there is nobody, LedgerError."""
    found = _people(common, who, customers)
    if json:
        say_json({"schema": "rosterd/explain/1", "people": [_document(*one) for one in found]})
        return 0
    for number, (name, client, one) in enumerate(found):
        say([*([""] if number else []), *_lines(name, client, one)])
    return 0


def history(common: Common, who: str, customers: Sequence[str], *, json: bool) -> int:
    """What was delivered for everybody of this name. Raises as `tell` does."""
    found = _people(common, who, customers)
    if json:
        rows = [
            {"customer": name, "key": one.shown, "history": [_past(row) for row in one.past]}
            for name, _, one in found
        ]
        say_json({"schema": "rosterd/history/1", "people": rows})
        return 0
    for number, (name, _, one) in enumerate(found):
        say(
            [
                *([""] if number else []),
                f"{name}: {words.safe(one.shown)}  {words.safe(one.name)}",
                *_history(one),
            ]
        )
    return 0


def _people(common: Common, who: str, customers: Sequence[str]) -> list[tuple[str, str, Explained]]:
    """Everybody with just this logon, DOMAIN//logon or e-mail address: customer, client, what is known."""
    with desk(common) as (settings, ledger):
        names = {client: name for name, client in clients(settings, customers)}
        bindings = {binding: client for binding, client in ledger.clients().items() if client in names}
        near = [one for one in _search(ledger, who) if one.binding in bindings]
        exact = [one for one in near if fold(who) in _called(one)]
        if not exact:
            similar = ", ".join(words.safe(one.shown) for one in near[:NAMED])
            hint = f"similar: {similar}" if similar else "give a logon, DOMAIN//logon or an e-mail address"
            raise SettingsError(f"nobody is called {words.safe(who)!r}", hint=hint)
        found = [(bindings[one.binding], explain(ledger, one.binding, one.key)) for one in exact]
        return [(names[client], client, one) for client, one in found if one is not None]


def _search(ledger: SqliteLedger, who: str) -> list[Match]:
    found, _ = ledger.search(words_of(who) or [who], Spot(), MOST, time.monotonic() + 3_600)
    return list({(one.binding, one.key): one for one in found}.values())


def _called(one: Match) -> tuple[str, ...]:
    shown = fold(one.shown)
    return shown, shown.partition("//")[2], *fold(one.emails).split("\n")


def _lines(name: str, client: str, one: Explained) -> Iterator[str]:
    colours = paint()
    tone = {"good": colours.good, "odd": colours.odd, "bad": colours.bad}.get(one.standing.tone, colours.bold)
    yield f"{name}: {colours.bold(words.safe(one.shown))}  {words.safe(one.name)}"
    yield f"  {tone(one.standing.word)}: {words.safe(one.standing.why)}"
    if one.standing.step:
        yield f"  next: {words.safe(one.standing.step)}"
    if facts := list(_facts(client, one)):
        yield from words.columns(facts)
    if one.past:
        yield "  history:"
        yield from _history(one, indent="    ")


def _facts(client: str, one: Explained) -> Iterator[tuple[str, str]]:
    if one.account:
        note = f" ({one.account.note})" if one.account.note else ""
        since = f", since {iso(one.account_since)}" if one.account_since else ""
        yield "directory", f"{one.account.state}{note}{since}"
        yield "e-mail", one.account.emails.replace("\n", ", ")
    if one.orbix:
        yield "entry", one.orbix[7]
        yield "Orbix has", ", ".join(filter(None, (one.shown, one.orbix[3], one.orbix[4])))
        yield "client", client + (f", since the run of {iso(one.delivered)}" if one.delivered else "")
    if one.source_state:
        source, whole, reason = one.source_state
        read = f"read whole {iso(whole)}" if whole else "never read whole"
        yield "source", f"{source}, {read}" + (f"; {reason}" if reason else "")
    for seat in one.seats:
        yield (
            "grouping",
            f"{seat.group}: {_SEATS.get(seat.state, seat.state)}{f' ({seat.reason})' if seat.reason else ''}",
        )
    for kind, place, level, via in one.access:
        yield kind, f"{place}: {level}{f' via {via}' if via else ''}"
    for digest, approved, change in one.held:
        yield "approved" if approved else "held", f"{change.op} {change.shown}, plan {digest[:12]}"


_SEATS = {
    "active": "member",
    "doubt": "in doubt",
    "tried": "in doubt",
    "left": "left it",
    "removed": "removed",
}


def _history(one: Explained, indent: str = "  ") -> Iterator[str]:
    if not one.past:
        yield f"{indent}{'delivered once, and not changed since' if one.orbix else 'nothing is kept'}"
        return
    rows = []
    for row in one.past:
        parts = [
            f"{name} {old!r} → {new!r}" for name, old, new in differences(row.kind, row.before, row.after)
        ]
        about = [] if row.kind == "person" else [row.shown]
        answer = f"refused: {row.answer}" if row.answer else "accepted"
        rows.append(
            (iso(row.at) if row.at else f"run {row.run}", row.op, ", ".join([*about, *parts]), answer)
        )
    yield from words.columns(rows, indent=indent)


def _document(name: str, client: str, one: Explained) -> dict[str, Any]:
    return {
        "customer": name,
        "client": client,
        "key": one.shown,
        "name": one.name,
        "emails": one.emails,
        "state": one.standing.word,
        "why": one.standing.why,
        "next": one.standing.step or None,
        "directory": _directory(one),
        "orbix": fields("person", one.orbix[1:5]) if one.orbix else None,
        "groups": [{"name": seat.group, "state": seat.state, "reason": seat.reason or None} for seat in one.seats],
        "access": [{"kind": kind, "place": place, "level": level, "via": via or None}
                   for kind, place, level, via in one.access],
        "held": [{"plan": digest, "approved": approved, "op": change.op, "key": change.shown}
                 for digest, approved, change in one.held],
        "history": [_past(row) for row in one.past],
    }  # fmt: skip


def _directory(one: Explained) -> dict[str, Any] | None:
    if one.account is None:
        return None
    since = iso(one.account_since) if one.account_since else None
    return {
        "state": one.account.state,
        "note": one.account.note or None,
        "since": since,
        "source": one.account.source,
    }


def _past(row: Past) -> dict[str, Any]:
    return {
        "at": iso(row.at) if row.at else None,
        "run": row.run,
        "op": row.op,
        "kind": row.kind,
        "key": row.shown,
        "before": fields(row.kind, row.before) if row.before is not None else None,
        "after": fields(row.kind, row.after) if row.after is not None else None,
        "refused": row.answer or None,
    }
