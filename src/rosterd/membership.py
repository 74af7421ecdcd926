"""Raw membership edges become seats: who sits in which grouping, with nested groups expanded on our side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from rosterd.core.merge import align
from rosterd.core.people import (
    ACTIVE,
    ASIDE,
    NO_KEY,
    NUL,
    OUT,
    Known,
    Wanted,
    fold,
    located,
    ref_dn,
    ref_key,
    ref_logon,
)
from rosterd.grouping import Edge, Groups, Nesting

# seat key, sources (joined by commas), state, the person as shown, reason, place
Seat: TypeAlias = tuple[bytes, str, str, str, str, str]
SEAT_CUT = 3  # a Seat cut here compares equal to the ledger's row

# ref, person's key, state, as shown
Ref: TypeAlias = tuple[str, bytes, str, str]

REFUSED = "refused"  # the state of a person whom the target refused and who has not changed since
MAYBE = "maybe"  # one of several whom an ambiguous member may mean: only a seat that is there already is kept
_BEST_FIRST = {ACTIVE: 0, REFUSED: 1, ASIDE: 2, OUT: 3, MAYBE: 4}


def refs_of(people: list[Wanted], kinds: set[str], refused: set[bytes]) -> list[Ref]:
    """The refs by which groups may name these people; `kinds` are the first letters of refs that occur at all."""
    out: list[Ref] = []
    for key, domain, logon, _, _, source, _, dn, state, _, _, refs in people:
        shown = f"{domain}//{logon}"
        fate = REFUSED if key in refused else state
        if key.startswith(NO_KEY):
            key = key.rpartition(NUL)[0]
        if refs:
            out += [(ref, key, fate, shown) for ref in refs.split("\0") if ref[:1] != "s" or "s" in kinds]
        elif dn and "d" in kinds:
            out.append((f"d{dn}", key, fate, shown))
        elif "u" in kinds:
            folded_logon = logon.lower() if logon.isascii() else fold(logon)
            out.append((f"u{source}\x01{folded_logon}", key, fate, shown))
        if "k" in kinds:  # DOMAIN//logon may come from another source than the one that knows the person
            out.append((ref_key(domain, logon), key, fate, shown))
    return out


def refs_of_known(people: Iterable[Known]) -> list[Ref]:
    """The same for people of a source that could not be read: groups of other sources may name them."""
    out: list[Ref] = []
    for key, domain, logon, _, _, source, _, dn, _ in people:
        shown = f"{domain}//{logon}"
        out += [(ref_dn(dn), key, ACTIVE, shown)] if dn else []
        out += [(ref_logon(source, logon), key, ACTIVE, shown), (ref_key(domain, logon), key, ACTIVE, shown)]
    return out


def nesting(
    edges: Iterable[list[Edge]], groups: Groups, flat: frozenset[str] = frozenset()
) -> tuple[Nesting, set[str]]:
    """One pass over all edges: which groups contain groups (not in `flat` sources), and which kinds of refs occur."""
    parents: dict[bytes, set[bytes]] = {}
    kinds: set[str] = set()
    for chunk in edges:
        kinds.update([ref[:1] for ref, _, _, _ in chunk])
        if groups.handles:
            for ref, handle, source, _ in chunk:
                child = groups.handles.get(ref)
                if child is not None and source not in flat:
                    parents.setdefault(child, set()).add(handle)
    return Nesting(parents, groups), kinds


def led_to(chunks: Iterable[list[Edge]], nest: Nesting) -> Iterator[list[Edge]]:
    """Of the edges that people tell, those into a grouping that is wanted: in a directory everybody has some group."""
    for chunk in chunks:
        yield [edge for edge in chunk if nest.groupings(edge[1])]


def seats(
    refs: Iterable[list[Ref]],
    edges: Iterable[list[Edge]],
    groups: Groups,
    nest: Nesting,
    flat: frozenset[str],
    labels: Mapping[str, str],
) -> Iterator[list[Seat]]:
    """Joins refs and edges. `flat`: sources that do not expand nested groups; there a group as member is reported."""
    for people, members in align(refs, edges):
        if not members:
            continue
        who = {row[0]: row for row in people}
        several: dict[str, list[Ref]] = {}
        if len(who) != len(people):
            same = {ref: list(rows) for ref, rows in groupby(people, itemgetter(0))}
            who = {ref: _one(rows) for ref, rows in same.items()}
            several = {ref: rows for ref, rows in same.items() if not who[ref][1]}
        out: list[Seat] = []
        add = out.append
        handles, simple, direct = groups.handles, not nest.deep, nest.direct
        for ref, handle, source, place in members:
            found = who.get(ref)
            if simple and found is not None and found[1]:
                if handle in direct:
                    add((direct[handle] + NUL + found[1], source, found[2], found[3], "", ""))
                continue
            if ref in handles and source not in flat:
                continue
            lost = found is None or not found[1]
            at = located(labels, source, place) if lost and place else ""
            rows = [_row(ref, found, ref in handles, at)]
            rows += [(key, MAYBE, shown, rows[0][3], rows[0][4]) for _, key, _, shown in several.get(ref, ())]
            out += [
                (group + NUL + row[0], source, *row[1:]) for group in nest.groupings(handle) for row in rows
            ]
        yield out


def _row(ref: str, found: Ref | None, is_group: bool, at: str) -> tuple[bytes, str, str, str, str]:
    """A member's key, state, shown form, reason and place; a stand-in key when it is nobody."""
    if found is not None and found[1]:
        return found[1], found[2], found[3], "", ""
    return b"\xff" + ref.encode("utf-8", "replace"), ASIDE, shown_ref(ref), _why(ref, found, is_group), at


def _one(same: list[Ref]) -> Ref:
    """The person meant by a ref that several have: the only one who is not excluded, or nobody (an empty key).

    Whoever is set aside or refused may be meant as well as whoever is delivered.
    """
    keys = {row[1] for row in same}
    if len(keys) == 1:
        return same[0]
    able = [row for row in same if row[2] != OUT]
    if len({row[1] for row in able}) == 1:
        return able[0]
    return (same[0][0], b"", ASIDE, " or ".join(sorted({row[3] for row in same})))


def _why(ref: str, found: Ref | None, is_group: bool) -> str:
    if is_group:
        return f"the member {shown_ref(ref)} is a group, and `nested` is off"
    if found is not None:
        return f"the member {shown_ref(ref)} is ambiguous: {found[3]}"
    if ref[0] == "s":
        return f"the member {shown_ref(ref)} belongs to another forest, and no source has read it"
    return f"the member {shown_ref(ref)} is not among the people read"


def shown_ref(ref: str) -> str:
    """A ref as people read it."""
    text = ref[1:]
    return text.replace("\x01", "//") if ref[0] == "k" else text.rpartition("\x01")[2]


def unique_seats(chunks: Iterable[list[Seat]]) -> Iterator[list[Seat]]:
    """One row per seat: several ways into a grouping count once, by the best of them."""
    key: Callable[[Seat], bytes] = itemgetter(0)
    for chunk in chunks:
        if len(set(map(key, chunk))) == len(chunk):
            yield chunk
        else:
            yield [_joined(list(same)) for _, same in groupby(chunk, key)]


def _joined(same: list[Seat]) -> Seat:
    best = min(same, key=lambda seat: _BEST_FIRST[seat[2]])
    sources = ",".join(sorted({source for seat in same for source in seat[1].split(",")}))
    return (best[0], sources, *best[2:])


def folded(who: Iterable[str]) -> tuple[str, ...]:
    """Names given on a command line, ready for comparison."""
    return tuple(fold(name.strip()) for name in who if name.strip())
