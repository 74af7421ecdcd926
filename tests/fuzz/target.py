"""What is fuzzed: everything that reads bytes of a directory, from the socket to the batches of people.

The bytes are all that a server says after the bind, whatever it is asked. Nothing but SourceError may come of
them, in time; and decoding by columns must give what the general decoder gives, or fail as it does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rosterd.errors import SourceError
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import Entry, Layout, Warnings, listed
from rosterd.sources.ldap.feeds import people_batch, people_layout
from rosterd.sources.ldap.groups import complete, member_refs
from rosterd.sources.ldap.line import Budget, Line
from rosterd.sources.ldap.pages import Page, Tally, read_pages
from rosterd.sources.ldap.rows import Rows
from rosterd.sources.ldap.session import Session
from rosterd.sources.settings import LdapSettings

SECONDS = 5.0  # no answer of a few kilobytes may take longer
PEOPLE = ("uid", "displayName", "mail", "description", "objectGUID", "objectSid")
GROUPS = ("cn", "description")

# What the boundary of the source turns into a SourceError. Anything else that comes is a defect.
FORESEEN = (ValueError, LookupError, SourceError)


def settings(flavor: str) -> LdapSettings:
    return LdapSettings.model_validate(
        {
            "flavor": flavor,
            "urls": ["ldap://127.0.0.1"],
            "base": "dc=acme,dc=example",
            "page_size": 1000,
            "max_entries": 10_000,
            "people": {"logon": "{{ uid }}", "domain": "ACME"},
            "groups": {"name": "{{ cn }}", "nested": True},
        }
    )


FLAVORS = [settings(flavor) for flavor in ("openldap", "active-directory")]
SEARCH = compile_search(
    "dc=acme,dc=example", "subtree", "(uid=*)", PEOPLE
)  # compiling is slow, and not what is tried


class Spoken:
    """A socket on which a server has said everything already, in pieces of one size."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.data = data
        self.piece = piece
        self.at = 0

    def settimeout(self, _seconds: float) -> None: ...

    def sendall(self, _data: bytes) -> None: ...

    def close(self) -> None: ...

    def recv(self, _size: int) -> bytes:
        part = self.data[self.at : self.at + self.piece]
        self.at += len(part)
        return part


def session(data: bytes, piece: int) -> Session:
    budget = Budget(time.monotonic() + 60, 60, 60, 1 << 26, 1 << 26, threading.Event())
    opened: Any = Spoken(data, piece)
    return Session("ldap://127.0.0.1", Line(opened, budget))


def one(data: bytes, what: int | None = None) -> bool:
    """One run over what a server says; true when it was a whole answer.

    what: 0 reads people, 1 reads groups, 2 compares the decoders; else the number of bytes decides, as it does
    about the flavor and the pieces in which they come.
    """
    began = time.monotonic()
    kind, rest = len(data) % 3, len(data) // 3
    told, piece = FLAVORS[rest % 2], (1 + len(data) // 40, 1 << 16)[rest // 2 % 2]
    match kind if what is None else what:
        case 0:
            whole = _read(data, piece, told, people=True)
        case 1:
            whole = _read(data, piece, told, people=False)
        case _:
            whole = _compare(data, told)
    assert time.monotonic() - began < SECONDS, "an answer took too long"
    return whole


def _read(data: bytes, piece: int, told: LdapSettings, *, people: bool) -> bool:
    """One pass to its end; false when it failed as it may."""
    tally, warnings = Tally(1000, 10_000, told.flavor == "active-directory"), Warnings()
    opened = session(data, piece)
    batch = (_people if people else _groups)(opened, told, warnings)
    count = 0
    try:
        for page in read_pages(opened, SEARCH, tally, "dc=acme,dc=example"):
            sizes = {len(column) for column in batch(page) if column}
            assert sizes == {len(page)}, "columns of different lengths"
            count += len(page)
    except FORESEEN:
        return False
    assert tally.entries == count, "entries were lost"
    return True


def _people(
    opened: Session, told: LdapSettings, warnings: Warnings
) -> Callable[[Page], Sequence[Sequence[object]]]:
    layout = people_layout(told, PEOPLE, warnings)
    rows, whole = Rows(layout), partial(complete, opened, layout)
    batch = people_batch("hq", told, opened, PEOPLE, {}, warnings)
    return lambda page: batch(rows.block(page, whole))


def _groups(
    opened: Session, told: LdapSettings, warnings: Warnings
) -> Callable[[Page], Sequence[Sequence[object]]]:
    assert told.groups is not None
    members = told.groups.members
    layout = Layout(GROUPS, ("entryUUID", *members), warnings)

    def batch(page: Page) -> Sequence[Sequence[object]]:
        entries = [layout.entry(*place) for place in page]
        for entry in entries:
            complete(opened, layout, entry)
        return [[member_refs("hq", members, entry.extras[1:]) for entry in entries]]

    return batch


def _compare(data: bytes, told: LdapSettings) -> bool:
    """Both decoders on the first page of it."""
    try:
        page = session(data, 1 << 16).collect(1001, 1000).entries
    except FORESEEN:
        return False
    layout = people_layout(told, PEOPLE, Warnings())
    rows = Rows(layout)
    for _ in range(2):  # the second time by what was learned the first time
        assert _quick(rows, page) == _general(layout, page), "the decoders differ"
    return True


def _quick(rows: Rows, page: Sequence[tuple[bytes, int, int]]) -> object:
    try:
        block = rows.block(page, _as_it_is)
    except FORESEEN:
        return None
    cells = [list(row) for row in zip(*block.cells, strict=True)]
    extras = [[listed(value) for value in row] for row in zip(*block.extras, strict=True)]
    return list(zip(block.dns, cells, extras, strict=True))


def _general(layout: Layout, page: Sequence[tuple[bytes, int, int]]) -> object:
    try:
        entries = [layout.entry(*place) for place in page]
    except FORESEEN:
        return None
    return [(entry.dn, entry.cells, entry.extras) for entry in entries]


def _as_it_is(_entry: Entry) -> None: ...
