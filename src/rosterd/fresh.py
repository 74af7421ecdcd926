"""Changed entries of a followed source, read again and put beside what was kept of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rosterd.core.doors import Changes, Delta
from rosterd.core.people import ref_dn
from rosterd.core.plan import GROUP, PERSON
from rosterd.errors import Doubt
from rosterd.gather import Follow, SourcePlan
from rosterd.mapping import PeopleMapper
from rosterd.mirror import Told, group_dn, groups_told, people_told, refs_in, row_of_kept

MOST = 1_000  # entries that may change at once; beyond that a full read is as quick


@dataclass(frozen=True)
class Look:
    """What resolving works with."""

    plan: SourcePlan
    follow: Follow
    ledger: Any  # rosterd.ledger.mirror.Mirror
    binding: int

    @property
    def source(self) -> str:
        return self.plan.source.name


@dataclass
class Fresh:
    """What is other now: entries as they are, and as they were kept, by kind and id."""

    now: dict[tuple[str, str], Told] = field(default_factory=dict)
    was: dict[tuple[str, str], Told] = field(default_factory=dict)
    warned: dict[str, int] = field(default_factory=dict)
    read: int = 0

    def ids(self) -> list[tuple[str, str]]:
        return sorted({*self.now, *self.was})

    def both(self, kind: str) -> Iterable[tuple[Told | None, Told | None]]:
        """What was and what is, of every entry of a kind."""
        for one in self.ids():
            if one[0] == kind:
                yield self.was.get(one), self.now.get(one)


def read_again(look: Look, changes: Changes) -> Fresh:
    fresh = Fresh()
    _forbid_reload(look, PERSON, changes.people)
    _forbid_reload(look, GROUP, changes.groups)
    _settle(look, fresh, PERSON, changes.people)
    if look.plan.groups is not None:
        groups = _with_linked(look, fresh, changes) if look.follow.follower.linked else changes.groups
        _settle(look, fresh, GROUP, groups)
    for one in [one for one in fresh.now if fresh.now[one] == fresh.was.get(one)]:
        del fresh.now[one], fresh.was[one]
    return fresh


def _with_linked(look: Look, fresh: Fresh, changes: Changes) -> Delta:
    """The changed groups, and those whose members are other ones because an entry has come, moved or gone.

    Not only people: whoever is no person of ours is a member as well, and his name may be somebody's tomorrow.
    """
    old = set(changes.lost)
    moved = set(changes.moved)
    for was, now in fresh.both(PERSON):
        if was is None or now is None or was.refs != now.refs:
            old.update(ref for one in (was, now) if one is not None for ref in one.refs)
            moved |= {now.id} if now is not None else set()
    delta = changes.groups
    edges = look.ledger.mirrored_edges(look.binding, look.source, old)
    groups = {id_ for kind, id_, _, _ in edges if kind == GROUP}
    named = look.ledger.named(look.binding, look.source, map(ref_dn, look.follow.follower.groups_of(moved)))
    groups |= {id_ for _, kind, id_ in named if kind == GROUP}
    return delta._replace(touched={id_: f"<GUID={id_}>" for id_ in groups - delta.gone} | dict(delta.touched))


def _settle(look: Look, fresh: Fresh, kind: str, delta: Delta) -> None:
    """Reads the entries of one kind again, and finds out what became of those that are not there."""
    if not delta:
        return
    gone = set(delta.gone)
    if delta.present is not None:
        gone |= look.ledger.mirrored_ids(look.binding, look.source, kind) - delta.present
    if len(delta.touched) + len(gone) > MOST:
        raise Doubt(f"more than {MOST:,} entries have changed at once")
    now = {one.id: one for one in _again(look, fresh, kind, list(delta.touched.values()))}
    fresh.read += len(now)
    for one in kept(look, kind, {*delta.touched, *gone, *now}):
        fresh.was[kind, one.id] = one
    missing = [
        (id_, dn)
        for id_, dn in delta.touched.items()
        if id_ not in now and id_ not in gone and (kind, id_) in fresh.was
    ]
    if missing:
        look.follow.follower.there(missing)  # then they are no longer what they were
    for id_, one in now.items():
        fresh.now[kind, id_] = one


def _forbid_reload(look: Look, kind: str, delta: Delta) -> None:
    """A server that no longer knows the cookie may tell everything as if it were new, and then says of nobody that
    it is gone. So one entry of which it has said nothing must still be there. Is there none, nobody can be missing."""
    if not delta.touched or delta.present is not None:
        return
    told = {*delta.touched, *delta.gone}
    other = look.ledger.mirrored_beside(look.binding, look.source, kind, told)
    if other is not None:
        look.follow.follower.there([(other.id, str(json.loads(other.data)[1]))])


def _again(look: Look, fresh: Fresh, kind: str, dns: Sequence[str]) -> Iterable[Told]:
    if not dns:
        return []
    found: list[Told] = []
    if kind == PERSON:
        feed = look.follow.follower.people(dns)
        mapper = PeopleMapper(look.plan.people, feed.attributes, refs=True)
        for batch in feed:
            found += people_told(batch, mapper.rows(batch))
        fresh.warned = mapper.warned
    else:
        assert look.plan.groups is not None
        feed = look.follow.follower.groups(dns)
        for batch in feed:
            found += groups_told(look.plan.groups, feed.attributes, batch)
    if len({one.id for one in found if one.id}) != len(found):
        raise Doubt("the server shows no stable id of some entries, or one of them twice")
    return found


def kept(look: Look, kind: str, ids: Iterable[str]) -> list[Told]:
    """What is kept of these entries."""
    wanted = list(ids)
    edges: dict[str, set[tuple[str, bytes]]] = {}
    for _, id_, ref, handle in look.ledger.edges_told_by(look.binding, look.source, kind, wanted):
        edges.setdefault(id_, set()).add((ref, handle))
    return [
        Told(kind, id_, key, data, _refs(kind, data), frozenset(edges.get(id_, ())))
        for _, id_, key, data in look.ledger.mirrored(look.binding, look.source, kind, wanted)
    ]


def _refs(kind: str, data: str) -> tuple[str, ...]:
    return refs_in(row_of_kept(data)) if kind == PERSON else (ref_dn(group_dn(data)),)
