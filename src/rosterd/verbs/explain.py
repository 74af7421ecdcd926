"""`rosterd explain` and `rosterd history`: one person end to end, from the ledger and from sources that answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rosterd import words
from rosterd.core.people import fold
from rosterd.entries import Sought
from rosterd.errors import SettingsError
from rosterd.explain import Explained, differences, explain, fields, stands_in_source, unread
from rosterd.ledger.looking import Past
from rosterd.ledger.search import Match, Spot, words_of
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.settings import Settings
from rosterd.standing import iso
from rosterd.verbs import entries
from rosterd.verbs.common import Common, begin, clients, opened, paint, say, say_json

MOST = 1_000  # people looked at
NAMED = 8  # similar people that an error names


class Found(NamedTuple):
    """One person of a customer: what the ledger knows, and what the sources show (nothing when they are not asked)."""

    customer: str
    client: str
    one: Explained
    sources: Sequence[entries.Shown] = ()


def tell(common: Common, who: str, customers: Sequence[str], *, offline: bool, json: bool) -> int:
    """Explains everybody of this name. Raises SettingsError when there is nobody, LedgerError."""
    found = _people(common, who, customers, ask=not offline)
    if json:
        say_json({"schema": "rosterd/explain/1", "people": [_document(*one) for one in found]})
        return 0
    for number, one in enumerate(found):
        say([*([""] if number else []), *_lines(*one)])
    return 0


def history(common: Common, who: str, customers: Sequence[str], *, json: bool) -> int:
    """What was delivered for everybody of this name. Raises as `tell` does."""
    found = _people(common, who, customers, ask=False)
    if json:
        rows = [
            {"customer": name, "key": one.shown, "history": [_past(row) for row in one.past]}
            for name, _, one, _ in found
        ]
        say_json({"schema": "rosterd/history/1", "people": rows})
        return 0
    for number, (name, _, one, _) in enumerate(found):
        say(
            [
                *([""] if number else []),
                f"{name}: {words.safe(one.shown)}  {words.safe(one.name)}",
                *_history(one),
            ]
        )
    return 0


def _people(common: Common, who: str, customers: Sequence[str], *, ask: bool) -> list[Found]:
    """Everybody with just this logon, DOMAIN//logon or e-mail address; of the sources as well when they are asked."""
    loaded, logger = begin(common, warn=False)
    settings = loaded.settings
    with opened(settings) as ledger:
        names = {client: name for name, client in clients(settings, customers)}
        bindings = {binding: client for binding, client in ledger.clients().items() if client in names}
        near = [one for one in _search(ledger, who) if one.binding in bindings]
        desk = Desk(settings, ledger, logger, names, bindings)
        found = list(_known(desk, near, who, ask=ask))
        problems: list[str] = []
        if not found and ask:
            found = list(_unread(desk, who, problems))
        if not found:
            raise _nobody(who, near, problems)
        return found


class Desk(NamedTuple):
    """What is at hand. names: customer by client; bindings: client by binding, of those that have run."""

    settings: Settings
    ledger: SqliteLedger
    log: Any
    names: Mapping[str, str]
    bindings: Mapping[int, str]

    def ask(self, client: str, sought: Sought) -> list[entries.Shown]:
        """What the client's sources show."""
        binding = next((number for number, one in self.bindings.items() if one == client), None)
        return entries.ask(self.settings, self.ledger, self.log, self.names[client], binding, sought)


def _known(desk: Desk, near: Sequence[Match], who: str, *, ask: bool) -> Iterator[Found]:
    """Whom the ledger knows by this name; for the first few the sources are asked."""
    for number, match in enumerate([match for match in near if fold(who) in _called(match)]):
        one, client = explain(desk.ledger, match.binding, match.key), desk.bindings[match.binding]
        if one is not None:
            shown = desk.ask(client, _sought(one, who)) if ask and number < NAMED else ()
            yield Found(desk.names[client], client, one, shown)


def _sought(one: Explained, who: str) -> Sought:
    logons = (one.orbix[2],) if one.orbix else (one.shown.partition("//")[2],)
    names = (*logons, *one.emails, who)
    return Sought(one.key, one.orbix[7] if one.orbix else "", tuple(filter(None, dict.fromkeys(names))))


def _unread(desk: Desk, who: str, problems: list[str]) -> Iterator[Found]:
    """Whom the sources show and no run has read yet, each entry by itself; why a source does not tell."""
    sought = Sought(b"", "", tuple(dict.fromkeys((who, who.rpartition("//")[2]))))
    for client, name in desk.names.items():
        for shown in desk.ask(client, sought):
            problems += [shown.problem] if shown.problem else []
            for entry in shown.entries:
                wanted = entry.wanted
                standing = stands_in_source(wanted[8], wanted[10], inside=entry.inside)
                key = f"{wanted[1]}//{wanted[2]}" if wanted[1] and wanted[2] else str(entry.place)
                one = replace(unread(wanted[0], key, standing), called=wanted[3])
                yield Found(name, client, one, [replace(shown, entries=[entry])])


def _nobody(who: str, near: Sequence[Match], problems: Sequence[str]) -> SettingsError:
    similar = ", ".join(words.safe(one.shown) for one in near[:NAMED])
    hint = f"similar: {similar}" if similar else "give a logon, DOMAIN//logon or an e-mail address"
    beside = "".join([f"\n  not asked: {words.safe(problem)}" for problem in problems])
    return SettingsError(f"nobody is called {words.safe(who)!r}{beside}", hint=hint)


def _search(ledger: SqliteLedger, who: str) -> list[Match]:
    found, _ = ledger.search(words_of(who) or [who], Spot(), MOST, time.monotonic() + 3_600)
    return list({(one.binding, one.key): one for one in found}.values())


def _called(one: Match) -> tuple[str, ...]:
    shown = fold(one.shown)
    return shown, shown.partition("//")[2], *fold(one.emails).split("\n")


def _lines(name: str, client: str, one: Explained, sources: Sequence[entries.Shown]) -> Iterator[str]:
    colours = paint()
    tone = {"good": colours.good, "odd": colours.odd, "bad": colours.bad}.get(one.standing.tone, colours.bold)
    yield f"{name}: {colours.bold(words.safe(one.shown))}  {words.safe(one.name)}"
    yield f"  {tone(one.standing.word)}: {words.safe(one.standing.why)}"
    if one.standing.step:
        yield f"  next: {words.safe(one.standing.step)}"
    if facts := list(_facts(client, one)):
        yield from words.columns(facts)
    yield from entries.lines(sources, colours)
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


def _document(name: str, client: str, one: Explained, sources: Sequence[entries.Shown]) -> dict[str, Any]:
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
        "sources": entries.document(sources),
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
