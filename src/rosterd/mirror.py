"""Entries of a followed directory as the ledger keeps them, and the writing down of a full read.

A person is kept as mapped: [line, place, reason, refs, further addresses]. A group is kept as read: [cells, place,
DN, wanted]; its members are edges. What both mean is worked out by the same code as in a full read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rosterd.core.doors import Batch, Cell
from rosterd.core.people import Row, key_of, ref_dn, wanted_of
from rosterd.core.plan import GROUP, PERSON
from rosterd.grouping import ENTRY, GroupMapper, GroupPlan, Groups

ROWS = 10_000  # written in one transaction

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Told(NamedTuple):
    """What one entry says: its key, how others may name it, and the memberships it tells of, as (ref, handle)."""

    kind: str
    id: str
    key: bytes
    data: str
    refs: tuple[str, ...]
    edges: frozenset[tuple[str, bytes]]


def people_told(batch: Batch, rows: Sequence[Row]) -> Iterator[Told]:
    """People of a batch, with the rows they were mapped to."""
    for at, (id_, row) in enumerate(zip(batch.ids, rows, strict=True)):
        own = ref_dn(batch.dns[at])
        some = batch.groups[at] if batch.groups else ()
        edges = frozenset((own, ENTRY + group.encode("utf-8", "replace")) for group in some)
        yield Told(PERSON, id_, _key(row), _encode((*row[:4], row[5])), refs_in(row), edges)


def groups_told(plan: GroupPlan, attributes: Sequence[str], batch: Batch) -> Iterator[Told]:
    """Groups of a batch."""
    for at, id_ in enumerate(batch.ids):
        dn = batch.dns[at]
        wanted = not batch.wanted or bool(batch.wanted[at])
        data = _encode((batch.rows[at], batch.places[at], dn, wanted))
        groups = mapped(plan, attributes, [(id_, data)])
        handle = handle_of(dn)
        edges = frozenset((ref, handle) for ref in batch.members[at])
        yield Told(GROUP, id_, next(iter(groups.by_key), b""), data, (ref_dn(dn),), edges)


def mapped(plan: GroupPlan, attributes: Sequence[str], kept: Iterable[tuple[str, str]]) -> Groups:
    """The groupings of kept groups (id, data), without their members."""
    found = Groups()
    mapper = GroupMapper(plan, attributes, found)
    for id_, data in kept:
        cells, place, dn, wanted = json.loads(data)
        row: list[Cell] = [tuple(cell) if isinstance(cell, list) else cell for cell in cells]
        mapper.map(Batch([row], [place], [id_], [dn], members=[()], wanted=[wanted]))
    return found


def handle_of(dn: str) -> bytes:
    """The handle of a group by its normalised DN."""
    return ENTRY + ref_dn(dn).encode("utf-8", "replace")


def place_of(data: str) -> tuple[bytes, str]:
    """A kept group's handle, and where it stands."""
    _, place, dn, _ = json.loads(data)
    return handle_of(dn), place


def group_dn(data: str) -> str:
    """A kept group's normalised DN."""
    dn: str = json.loads(data)[2]
    return dn


def row_of_kept(data: str) -> Row:
    """A kept person as a row."""
    line, place, reason, refs, addresses = json.loads(data)
    row = (line, place, reason, refs, 0, addresses)
    return (*row[:4], hash(wanted_of(row)[4].lower()), addresses)  # the mark is of this process alone


def refs_in(row: Row) -> tuple[str, ...]:
    """How groups may name a person."""
    return tuple(row[3].split("\0")) if row[3] else ()


def _key(row: Row) -> bytes:
    return key_of(row).encode("utf-8", "surrogatepass")


class Rows(NamedTuple):
    """Rows for the ledger's tables; see ledger.mirror.MirrorChange."""

    entries: list[tuple[str, str, bytes, str]]
    refs: list[tuple[str, str, str]]
    edges: list[tuple[str, str, str, bytes]]

    def add(self, one: Told) -> None:
        self.entries.append(one[:4])
        self.refs.extend((ref, one.kind, one.id) for ref in one.refs)
        self.edges.extend((one.kind, one.id, ref, handle) for ref, handle in one.edges)
