"""A plan as a value: what would change, counted, with a digest that binds an approval to just these changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring as _quoted
from typing import NamedTuple

from rosterd.core.people import ACTIVE, ASIDE, DOUBT, LEFT, OUT, TRIED, US

CREATE, UPDATE, GONE = "create", "update", "gone"
PERSON, GROUP, SEAT, REGISTRATION = "person", "group", "seat", "registration"
KINDS = (PERSON, GROUP, SEAT, REGISTRATION)

FIELDS: dict[str, tuple[str, ...]] = {
    PERSON: ("domain", "logon", "name", "email"),
    GROUP: ("name", "description"),
    SEAT: (),
    REGISTRATION: ("printer", "email", "person"),
}

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_new = tuple.__new__  # a million changes are made by it: the name of a NamedTuple costs a call more


class Change(NamedTuple):
    """One change of one record. `before` and `after` hold the FIELDS of its kind; None where there is no record.

    `provenance` is (source, id, dn) and no part of the digest; `shown` is the key as people read it.
    """

    op: str
    kind: str
    key: bytes
    shown: str
    before: tuple[str, ...] | None
    after: tuple[str, ...] | None
    provenance: tuple[str, str, str]

    @property
    def text(self) -> str:
        """The canonical form that is digested and that an approval covers."""
        return _encode([self.op, self.kind, self.shown, self.before, self.after])

    @property
    def content(self) -> str:
        """What a refusal is remembered by: equal text means the same record again."""
        return _encode(self.after)

    def document(self) -> dict[str, object]:
        """As a row of rosterd/plan/1."""
        return {
            "op": self.op,
            "kind": self.kind,
            "key": self.shown,
            "before": _fields(self.kind, self.before),
            "after": _fields(self.kind, self.after),
        }


def created_of(lines: Sequence[str]) -> list[Change]:
    """The creations of people whom nobody knew yet, from the lines that describe them (see core.people).

    What many have in common, domain and source, is held once: some thousands of people are in flight at a time.
    """
    found: list[Change] = []
    known: dict[str, str] = {}
    same = known.setdefault
    for line in lines:
        key, domain, logon, name, email, source, identity, dn, _state = line.split(US)
        after, provenance = (same(domain, domain), logon, name, email), (same(source, source), identity, dn)
        spelt = key.encode("utf-8", "surrogatepass")
        found.append(_new(Change, (CREATE, PERSON, spelt, f"{domain}//{logon}", None, after, provenance)))
    return found


def _fields(kind: str, values: tuple[str, ...] | None) -> dict[str, str] | None:
    if values is None:
        return None
    return {name: value for name, value in zip(FIELDS[kind], values, strict=True) if value}


def _created(line: str) -> str:
    """The canonical text of the change that a line is, as `Change.text` has it."""
    _key, domain, logon, name, email, _rest = line.split(US, 5)
    shown, known = _quoted(f"{domain}//{logon}"), f"{_quoted(domain)},{_quoted(logon)}"
    return f'["create","person",{shown},null,[{known},{_quoted(name)},{_quoted(email)}]]'


class Digest:
    """SHA-256 over the canonical texts of changes, in the order they are fed."""

    def __init__(self, *first: str) -> None:
        self._hash = hashlib.sha256(_encode(first).encode())

    def feed(self, changes: Sequence[Change]) -> None:
        if changes:
            rows = _encode([(c.op, c.kind, c.shown, c.before, c.after) for c in changes])
            self._hash.update(rows[1:-1].encode("utf-8", "surrogatepass") + b",")

    def feed_created(self, lines: Sequence[str]) -> None:
        """As `feed` with the changes that these lines are, in half its time."""
        if lines:
            self._hash.update((",".join(map(_created, lines)) + ",").encode("utf-8", "surrogatepass"))

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


@dataclass
class Tally:
    """Where the records of one kind went. `read` is what is wanted; all but `gone` add up to it."""

    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    set_aside: int = 0
    excluded: int = 0
    unsent: int = 0
    gone: int = 0

    @property
    def balanced(self) -> bool:
        """Promise P7: every record is in exactly one bucket."""
        return self.read == (
            self.created
            + self.updated
            + self.unchanged
            + self.refused
            + self.set_aside
            + self.excluded
            + self.unsent
        )

    def acknowledged(self, op: str, count: int = 1) -> None:
        """Moves records from unsent to created or updated."""
        self.unsent -= count
        if op == CREATE:
            self.created += count
        else:
            self.updated += count

    def refuse(self, count: int = 1) -> None:
        """Moves records from unsent to refused."""
        self.unsent -= count
        self.refused += count

    def document(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass
class Facts:
    """What the guards look at: the changes that no approval covers, and what was active before."""

    empty: list[str] = field(default_factory=list)  # sources that gave no people at all
    active: int = 0  # people acknowledged and not gone
    tried: int = 0  # people sent whom no answer ever confirmed: they may be there, and may leave
    creates: int = 0
    updates: int = 0
    leavers: int = 0
    blanked: dict[str, int] = field(default_factory=dict)  # field -> how often it turned empty
    member_loss: dict[str, tuple[int, int]] = field(default_factory=dict)  # grouping -> (lost, active before)
    emptied: list[str] = field(default_factory=list)  # groupings that would have nobody left
    registrations: int = 0
    restored: bool = False  # an older copy of the ledger was put back, and no run has ended well since
    others: int = 0  # unapproved changes of other kinds (groups, seats)

    @property
    def changes(self) -> int:
        return self.creates + self.updates + self.leavers + self.registrations + self.others


# What happens to one record: the truth table of the merge.
SAME = "same"  # nothing to do
TOUCH = "touch"  # only its provenance changed: the ledger takes note, nothing is sent
KEPT = "kept"  # set aside, but known: neither changed nor gone
STAY = "stay"  # not wanted and already marked as left, or never delivered


def decide(wanted: str | None, known: str | None, *, same_content: bool = True) -> str:
    """The fate of a record from its wanted state (None: absent) and its known state (None: unknown).

    A record in doubt, or one that had left, is always sent again; one that was only tried is still a creation.
    """
    if wanted == ACTIVE:
        if known in (None, TRIED):
            return CREATE
        if known == ACTIVE and same_content:
            return TOUCH
        return UPDATE
    if wanted == ASIDE:
        return KEPT
    assert wanted in (None, OUT)
    return GONE if known in (ACTIVE, DOUBT, TRIED) else STAY


def is_active(known: str) -> bool:
    """Whether a known state counts as present at the target."""
    return known not in (LEFT, REMOVED)


REMOVED = "removed"  # left, and ticked off as removed in the portal


def mentions(who: Iterable[str], key: bytes, email: str) -> bool:
    """Whether a person is one of `who`: a logon, DOMAIN//logon or an e-mail, all folded as core.people.fold does."""
    domain, _, logon = key.decode("utf-8", "replace").partition("\0")
    names = {logon, f"{domain}//{logon}", email.casefold()}
    return any(name in names for name in who if name)
