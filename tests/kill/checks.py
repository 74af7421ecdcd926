"""What must hold of a ledger beside what the target really accepted: after every kill, and once all is calm.

The ledger's file is read by the standard library's SQLite, from a copy, so that looking changes nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kill.company import Company
from tests.kill.witness import Held, Journal

from rosterd.core.plan import GROUP, PERSON, SEAT
from rosterd.ledger.sqlite import SqliteLedger


@dataclass
class Books:
    """One client's part of the ledger, keys as the sandbox writes them: `acme//p01`, a grouping's name in small."""

    binding: int = 0
    people: dict[str, tuple[tuple[str, str, str, str], str, str]] = field(
        default_factory=dict
    )  # form, source, state
    groups: dict[str, tuple[tuple[str, str], str, str]] = field(default_factory=dict)
    seats: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)  # source, state
    doubted: set[Any] = field(default_factory=set)  # what requests without an answer carry


def copied(ledger: Path) -> Path:
    """A copy of the ledger with its journal, as a kill left them."""
    folder = ledger.parent / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in (ledger.name, f"{ledger.name}-wal", f"{ledger.name}-journal"):
        if (ledger.parent / name).exists():
            shutil.copyfile(ledger.parent / name, folder / name)
    return folder / ledger.name


def read(ledger: Path) -> dict[str, Books]:
    """Every client's books, from a copy."""
    with closing(sqlite3.connect(ledger)) as database:
        books = {}
        for binding, client in database.execute("SELECT id, client FROM binding").fetchall():
            books[client] = _books(database, binding)
        return books


def _books(database: sqlite3.Connection, binding: int) -> Books:
    books = Books(binding)
    rows = database.execute(
        "SELECT domain, logon, name, email, source, state FROM person WHERE binding = ?", (binding,)
    )
    for *form, source, state in rows:
        books.people[f"{form[0]}//{form[1]}".lower()] = ((form[0], form[1], form[2], form[3]), source, state)
    rows = database.execute(
        "SELECT name, description, source, state FROM grouping WHERE binding = ?", (binding,)
    )
    books.groups = {row[0].lower(): (row[:2], row[2], row[3]) for row in rows}
    for key, source, state in database.execute(
        "SELECT key, source, state FROM seat WHERE binding = ?", (binding,)
    ):
        group, domain, logon = key.decode().split("\0")
        books.seats[group, f"{domain}//{logon}"] = (source, state)
    open_ones = "SELECT kind, records FROM batch WHERE binding = ? AND state = 'sending'"
    for kind, records in database.execute(open_ones, (binding,)):
        books.doubted |= _carried(kind, json.loads(records or "[]"))
    return books


def _carried(kind: str, records: list[Any]) -> set[Any]:
    if kind == PERSON:
        return {f"{domain}//{logon}".lower() for domain, logon in records}
    seats = {
        (name.lower(), f"{domain}//{logon}".lower()) for name, people in records for domain, logon in people
    }
    return seats | {(name.lower(), "") for name, _ in records}


def after_kill(ledger: Path, journal: Journal) -> list[str]:
    """What is wrong with a ledger whose writer was killed; `journal` is settled."""
    if not ledger.exists():
        return [f"the target holds {name}, there is no ledger" for name in journal.clients]
    wrong = [] if lock_is_free(ledger) else ["the lock is still held"]
    copy = copied(ledger)
    books = read(copy)
    for client, held in journal.clients.items():
        found = books.get(client, Books())
        wrong += [f"{client}: {what}" for what in (*_people(found, held), *_groups(found, held))]
    for client, found in books.items():
        if client not in journal.clients and any(row[2] == "active" for row in found.people.values()):
            wrong.append(f"{client}: people are acknowledged, the target has nothing of this client")
    return wrong + verified(copy)


def _people(books: Books, held: Held) -> Iterator[str]:
    for key, (form, source, state) in books.people.items():
        forms = held.users.get(key, [])
        if state == "active" and key not in books.doubted and forms[-1:] != [form]:
            yield f"{key} is acknowledged as {form}, the target has {forms[-1:]}"
        if source and form not in forms:
            yield f"{key} is recorded as {form}, which was never accepted"
    for key in held.users.keys() - books.people.keys() - books.doubted:
        yield f"{key} is at the target, the ledger knows nothing of it"


def _groups(books: Books, held: Held) -> Iterator[str]:
    for key, (form, _, state) in books.groups.items():
        if state == "active" and (key, "") not in books.doubted and held.groups.get(key) != form:
            yield f"{key} is acknowledged as {form}, the target has {held.groups.get(key)}"
    for seat, (_, state) in books.seats.items():
        if state == "active" and seat not in books.doubted and seat not in held.seats:
            yield f"the seat {seat} is acknowledged, the target does not have it"
    for seat in held.seats - books.seats.keys() - books.doubted:
        yield f"the seat {seat} is at the target, the ledger knows nothing of it"
    for key in held.groups.keys() - books.groups.keys():
        if (key, "") not in books.doubted:
            yield f"{key} is at the target, the ledger knows nothing of it"


def lock_is_free(ledger: Path) -> bool:
    """Whether the run lock can be had at once (nobody is about to take it)."""
    descriptor = os.open(
        ledger.with_name(f"{ledger.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def verified(copy: Path) -> list[str]:
    """What `rosterd ledger verify` says of a copy."""
    ledger = opened(copy)
    try:
        return [f"verify: {problem}" for problem in ledger.verify()]
    finally:
        ledger.close()


def opened(copy: Path) -> SqliteLedger:
    """A copy, opened as rosterd opens it."""
    with closing(sqlite3.connect(copy)) as database:
        meta = dict(database.execute("SELECT name, value FROM meta"))
    return SqliteLedger(copy, meta["base_url"], meta["tenant"])


def converged(ledger: Path, journal: Journal, companies: list[Company]) -> list[str]:
    """What is wrong after a whole run: target, ledger and directory must say the same."""
    copy = copied(ledger)
    books = read(copy)
    wrong = []
    desk = opened(copy)
    try:
        for company in companies:
            found, held = books[company.client], journal.clients[company.client]
            listed = {(row.kind, row.shown.lower()) for row in desk.leavers(found.binding)}
            checks = (
                *_wanted(company, found, held),
                *_left(company, found, held, listed),
                *_calm(company, found),
            )
            wrong += [f"{company.client}: {what}" for what in checks]
    finally:
        desk.close()
    return wrong


def _wanted(company: Company, books: Books, held: Held) -> Iterator[str]:
    for key, form in company.wanted().items():
        if held.users.get(key, [])[-1:] != [form]:
            yield f"{key} is wanted as {form}, the target has {held.users.get(key, [])[-1:]}"
        if books.people.get(key, ((), "", ""))[::2] != (form, "active"):
            yield f"{key} is wanted as {form}, the ledger has {books.people.get(key)}"
    for name, (text, _) in company.groups.items():
        if held.groups.get(name.lower()) != (name, text):
            yield f"{name} is wanted with {text!r}, the target has {held.groups.get(name.lower())}"
        if books.groups.get(name.lower(), ((), "", ""))[::2] != ((name, text), "active"):
            yield f"{name} is wanted with {text!r}, the ledger has {books.groups.get(name.lower())}"
    for seat in seats_wanted(company) - held.seats:
        yield f"the seat {seat} is wanted, the target does not have it"
    for seat in seats_wanted(company):
        if books.seats.get(seat, ("", ""))[1] != "active":
            yield f"the seat {seat} is wanted, the ledger has {books.seats.get(seat)}"


def seats_wanted(company: Company) -> set[tuple[str, str]]:
    """Seats of people who are to be delivered."""
    wanted = company.wanted()
    keys = {name: {f"acme//{logon}" for logon in members} for name, (_, members) in company.groups.items()}
    return {(name.lower(), key) for name, members in keys.items() for key in members & wanted.keys()}


def _left(company: Company, books: Books, held: Held, listed: set[tuple[str, str]]) -> Iterator[str]:
    """Whatever the target has beyond what is wanted must be listed as to be removed by hand."""
    staying = company.wanted().keys() | company.kept()
    for key in held.users.keys() - staying:
        if (PERSON, key) not in listed:
            yield f"{key} left, but is not listed: {books.people.get(key)}"
    for group, key in held.seats - seats_wanted(company):
        if key in staying and key not in company.kept() and (SEAT, f"{group} / {key}") not in listed:
            yield f"the seat {group} / {key} was lost, but is not listed: {books.seats.get((group, key))}"
    for kind, shown in listed:
        if kind == PERSON and shown in company.wanted():
            yield f"{shown} is listed as left, but is wanted"
        if kind == GROUP:
            yield f"{shown} is listed as left, but is wanted"


def _calm(company: Company, books: Books) -> Iterator[str]:
    """Nothing is left in doubt but what is set aside."""
    if books.doubted:
        yield f"still under way: {sorted(map(str, books.doubted))}"
    for key, (_, _, state) in books.people.items():
        if state == "doubt" and key not in company.kept():
            yield f"{key} is still in doubt"
    for group, (_, _, state) in books.groups.items():
        if state == "doubt":
            yield f"{group} is still in doubt"
    for seat, (_, state) in books.seats.items():
        if state == "doubt" and seat[1] not in company.kept():
            yield f"the seat {seat} is still in doubt"
