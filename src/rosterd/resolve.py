"""From what a directory says has changed to the part of the records that it affects.

1. Changed entries are read again; each is put beside what was kept of it (see mirror). What is the same is dropped.
2. A changed person affects its old and its new key. A changed group affects the people whose membership differs.
3. Whoever shares a key or a name with somebody affected is affected, too: until nobody is added any more.
4. The people, groupings and memberships of these keys, as the directory has them now, are the part that is planned.

What cannot be settled so raises Doubt, with the reason: everything is then read at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rosterd.core.doors import Changes, Proof
from rosterd.core.people import NUL, Row, ref_dn
from rosterd.core.plan import GROUP, PERSON, is_active
from rosterd.errors import Doubt
from rosterd.fresh import Fresh, Look, read_again
from rosterd.gather import Gathered
from rosterd.grouping import Edge
from rosterd.mirror import Rows, Told, group_dn, mapped, place_of, refs_in, row_of_kept
from rosterd.part import PartView, Scope, beside

AFFECTED = 5_000  # people who may be affected
LOOKED_AT = 2_000_000  # possible seats that may be looked up


@dataclass
class Part:
    """The part that is planned. `rows`: what the ledger's mirror must learn of the entries in `fresh`."""

    gathered: Gathered
    view: PartView
    fresh: Fresh
    rows: Rows

    @property
    def empty(self) -> bool:
        """Whether nothing of it concerns us."""
        return not self.fresh.ids()


def resolve(look: Look, changes: Changes) -> Part:
    """The part that these changes affect. Raises Doubt, SourceError or Stopped."""
    fresh = read_again(look, changes)
    keys, refs, groups = _affected(look, fresh)
    people = _close(look, fresh, keys, refs)
    rows = Rows([], [], [])
    for one in fresh.now.values():
        rows.add(one)
    gathered, view = _part(look, fresh, people, keys, refs, groups)
    return Part(gathered, view, fresh, rows)


# 2. Whom it affects


def _affected(look: Look, fresh: Fresh) -> tuple[set[bytes], set[str], set[bytes]]:
    """Keys of people, refs whose memberships differ, and keys of groupings."""
    keys: set[bytes] = set()
    refs: set[str] = set()
    groups: set[bytes] = set()
    for pair in fresh.both(PERSON):
        for one in filter(None, pair):
            keys.add(one.key)
            refs.update(one.refs)
    for was, now in fresh.both(GROUP):
        groups |= {one.key for one in (was, now) if one is not None}
        refs |= _differing(look, was, now)
    return keys, refs, groups - {b""}


def _differing(look: Look, was: Told | None, now: Told | None) -> set[str]:
    """Refs whose membership of a group is other now."""
    before, after = (one.edges if one else frozenset() for one in (was, now))
    refs = {ref for ref, _ in before ^ after}
    if was is None or now is None or (was.key, was.refs, _wanted(was)) != (now.key, now.refs, _wanted(now)):
        if look.follow.follower.nested:
            raise Doubt("a group is new, gone or renamed, and groups contain groups")
        if any(one is not None and look.follow.follower.answers(one.refs[0]) for one in (was, now)):
            raise Doubt("a group is gone or renamed that may be somebody's primary group")
        refs = {ref for ref, _ in before | after}
    if look.follow.follower.nested and refs:
        named = look.ledger.named(look.binding, look.source, refs)
        if any(kind == GROUP for _, kind, _ in named):
            raise Doubt("a group has come into a group, or left one")
    return refs


def _wanted(one: Told) -> bool:
    return bool(json.loads(one.data)[3])


# 3. Until nobody is added


def _close(look: Look, fresh: Fresh, keys: set[bytes], refs: set[str]) -> dict[str, Row]:
    """Everybody with these keys or refs, by id; adds whatever else they go by to both."""
    new = {one.id: one for one in fresh.now.values() if one.kind == PERSON}
    stale = {id_ for kind, id_ in fresh.ids() if kind == PERSON}
    people: dict[str, Row] = {id_: row_of_kept(one.data) for id_, one in new.items()}
    seen: tuple[int, int] = (-1, -1)
    while seen != (len(keys), len(refs)):
        seen = (len(keys), len(refs))
        if len(keys) + len(refs) > 2 * AFFECTED:
            raise Doubt(f"more than {AFFECTED:,} people are affected")
        found = look.ledger.mirrored_by_key(look.binding, look.source, PERSON, keys)
        named = look.ledger.named(look.binding, look.source, refs)
        ids = {id_ for _, kind, id_ in named if kind == PERSON and id_ not in people}
        found += look.ledger.mirrored(look.binding, look.source, PERSON, ids)
        for _, id_, key, data in found:
            if id_ not in stale and id_ not in people:
                row = people[id_] = row_of_kept(data)
                keys.add(key)
                refs.update(refs_in(row))
    return people


# 4. The part


def _part(
    look: Look, fresh: Fresh, people: Mapping[str, Row], keys: set[bytes], refs: set[str], touched: set[bytes]
) -> tuple[Gathered, PartView]:
    gathered = Gathered(look.source)
    gathered.people.add(list(people.values()))
    gathered.warned = fresh.warned
    gathered.proofs.append(_proof(look, fresh))
    if look.plan.groups is None:
        return gathered, PartView(look.ledger, Scope(frozenset(keys), frozenset(), frozenset(refs)))
    seats = _seats(look, keys)
    groups = _groups(look, fresh, refs, touched | {seat[0].partition(NUL)[0] for seat in seats})
    after = _edges(look, fresh, refs)
    gathered.groups = mapped(look.plan.groups, _attributes(look), groups.items())
    places = dict(map(place_of, groups.values()))
    source = look.source
    for kind, sorter in ((GROUP, gathered.edges), (PERSON, gathered.belonging)):
        some: list[Edge] = [
            (ref, handle, source, places.get(handle, "")) for of, ref, handle in after if of == kind
        ]
        sorter.add(some)
    scope = Scope(frozenset(keys), frozenset(touched | gathered.groups.by_key.keys()), frozenset(refs))
    view = PartView(look.ledger, scope, seats)
    _forbid_set_aside(look, scope)
    return gathered, replace(view, beside=beside(view, look.binding))


def _proof(look: Look, fresh: Fresh) -> Proof:
    lost = len([one for one in fresh.was if one not in fresh.now])
    told = f"{fresh.read:,} entries changed and {lost:,} gone since the last look"
    return Proof(fresh.read, 0, f"{look.follow.follower.server}, {told}")


def _attributes(look: Look) -> tuple[str, ...]:
    feed = look.plan.source.groups()
    return feed.attributes if feed is not None else ()


def _seats(look: Look, keys: set[bytes]) -> list[tuple[bytes, str, str]]:
    """The seats that the ledger knows of these people, in key order."""
    groups = [row[0] for row in look.ledger.groups(look.binding) if is_active(row[5])]
    if len(groups) * len(keys) > LOOKED_AT:
        raise Doubt(f"{len(keys):,} people are affected, who may be in {len(groups):,} groupings")
    found: list[tuple[bytes, str, str]] = look.ledger.seats_at(
        look.binding, (group + NUL + key for group in groups for key in keys)
    )
    return found


def _groups(look: Look, fresh: Fresh, refs: set[str], keys: set[bytes]) -> dict[str, str]:
    """The groups that matter, id -> data: with these keys, that these refs are in or name, and those around them.

    Where groups nest, adds the groups' own refs to `refs`: their memberships matter as well.
    """
    stale = {id_ for kind, id_ in fresh.ids() if kind == GROUP}
    found: dict[str, str] = {one.id: one.data for one in fresh.now.values() if one.kind == GROUP}
    nested = look.follow.follower.nested
    handles: set[bytes] = set()
    seen: set[str] = set()
    while todo := refs - seen:
        seen |= todo
        after = _edges(look, fresh, todo)
        handles |= {handle for _, _, handle in after}
        own = {handle[1:].decode("utf-8", "replace") for handle in handles} | todo
        ids = {id_ for _, kind, id_ in look.ledger.named(look.binding, look.source, own) if kind == GROUP}
        for _, id_, _, data in look.ledger.mirrored(look.binding, look.source, GROUP, ids - found.keys()):
            if id_ not in stale:
                found[id_] = data
        if nested:
            refs |= {ref_dn(group_dn(data)) for data in found.values()}
    assert look.plan.groups is not None
    wanted = keys | mapped(look.plan.groups, _attributes(look), found.items()).by_key.keys()
    for _, id_, _, data in look.ledger.mirrored_by_key(look.binding, look.source, GROUP, wanted):
        if id_ not in stale:
            found.setdefault(id_, data)
    return found


def _edges(look: Look, fresh: Fresh, refs: set[str]) -> list[tuple[str, str, bytes]]:
    """The memberships of these refs as they are now: kind of who tells of it, ref, handle."""
    changed = set(fresh.ids())
    found = [
        (kind, ref, handle)
        for kind, id_, ref, handle in look.ledger.mirrored_edges(look.binding, look.source, refs)
        if (kind, id_) not in changed
    ]
    for one in fresh.now.values():
        found += [(one.kind, ref, handle) for ref, handle in one.edges if ref in refs]
    return found


def _forbid_set_aside(look: Look, scope: Scope) -> None:
    """A grouping that is not sent as a whole is judged by all of its people."""
    for shown in look.ledger.group_problems(look.binding, scope.groups):
        raise Doubt(f"the grouping {shown!r} was set aside or refused, and is looked at as a whole")
