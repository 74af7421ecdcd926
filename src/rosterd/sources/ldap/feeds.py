"""The two passes over a directory: people, then groups, in batches of one page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeAlias

from rosterd.core.doors import Batch, Proof
from rosterd.core.people import ref_dn, ref_logon, ref_sid
from rosterd.sources.ldap import domains
from rosterd.sources.ldap.belonging import Primaries, belongs, note
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import Entry, Layout, Value, Warnings, listed, texts
from rosterd.sources.ldap.dn import normalise_dn, normalise_dns, within
from rosterd.sources.ldap.flavors import ALL_GROUPS, BINARY, FLAVORS, Flavor, sid
from rosterd.sources.ldap.groups import by_logon, complete, member_refs
from rosterd.sources.ldap.pages import Page, Tally, read_pages
from rosterd.sources.ldap.results import printable
from rosterd.sources.ldap.rows import Block, Rows
from rosterd.sources.ldap.session import Session
from rosterd.sources.ldap.some import read_some
from rosterd.sources.settings import LdapGroupsSettings, LdapSettings

# Gives the connection for one pass, drops it when the pass is not read to its end, and words every fault.
Reading: TypeAlias = Callable[[], AbstractContextManager[Session]]
Batches: TypeAlias = Callable[[Session, Tally, Warnings], Iterator[Batch]]

_ID, _UID, _SID, _PRIMARY, _STATES = range(5)  # the extras of people: the states, then what names groups
_OWN, _DYNAMIC, _MEMBERS = 1, 2, 3  # the extras of groups: the id, then these
_MEMBER_URL = "memberURL"  # what a dynamic group is made of, in OpenLDAP and 389 DS


class LdapFeed:
    """One pass. `batches` does the reading; what was counted meanwhile is the proof."""

    def __init__(
        self, settings: LdapSettings, attributes: Sequence[str], reading: Reading, batches: Batches
    ) -> None:
        self._settings = settings
        self._attributes = tuple(attributes)
        self._reading = reading
        self._batches = batches
        self._proof: Proof | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names as they were asked for."""
        return self._attributes

    def __iter__(self) -> Iterator[Batch]:
        """Reads the directory anew each time. Raises SourceError or Stopped."""
        self._proof = None
        settings = self._settings
        tally = Tally(settings.page_size, settings.max_entries, settings.flavor == "active-directory")
        warnings = Warnings()
        with self._reading() as session:
            yield from self._batches(session, tally, warnings)
            self._proof = _proof(session, tally, warnings)

    def proof(self) -> Proof:
        """The proof; RuntimeError before the read has ended well."""
        if self._proof is None:
            raise RuntimeError("the read has not ended, or not well")
        return self._proof


def _proof(session: Session, tally: Tally, warnings: Warnings) -> Proof:
    words = [session.url, f"{tally.pages:,} page{'s' if tally.pages != 1 else ''}", *tally.notes]
    if "the server cannot page" not in tally.notes:
        words.append("last cookie empty")
    if tally.passed_over:
        words.append(f"{tally.passed_over} references to partitions without people")
    words += [f"after {one}" for one in session.passed_over]
    return Proof(tally.entries, tally.pages, ", ".join(words), warnings.all())


def people_batches(
    source: str, settings: LdapSettings, attributes: Sequence[str], primaries: Primaries,
    only: Sequence[str] | None = None,
) -> Batches:  # fmt: skip
    """How people are read; `primaries` is what the groups left, when there are any. `only`: DNs, instead of all."""
    place = settings.people

    def batches(session: Session, tally: Tally, warnings: Warnings) -> Iterator[Batch]:
        layout = people_layout(settings, attributes, warnings)
        rows = Rows(layout)
        batch = people_batch(source, settings, session, attributes, primaries, warnings)
        whole = partial(complete, session, layout)
        for page in _pages(
            session, tally, place.base or settings.base, place.scope, place.filter, layout, only
        ):
            yield batch(rows.block(page, whole))

    return batches


def _pages(
    session: Session, tally: Tally, base: str, scope: str, filter_text: str, layout: Layout,
    only: Sequence[str] | None,
) -> Iterator[Page]:  # fmt: skip
    """The pages of a search, or what it finds of some entries alone."""
    if only is not None:
        yield from read_some(session, only, (base, scope, filter_text), layout.asked, tally)
        return
    yield from read_pages(session, compile_search(base, scope, filter_text, layout.asked), tally, base)


def people_layout(settings: LdapSettings, attributes: Sequence[str], warnings: Warnings) -> Layout:
    """What is asked for: the mapping's attributes, and what the flavor and the groups need besides."""
    flavor, groups = FLAVORS[settings.flavor], settings.groups
    ours = ["" if name.lower() == domains.NETBIOS else name for name in attributes]
    uid = "uid" if groups is not None and by_logon(groups.members) else ""
    sid = flavor.sid if groups is not None else ""
    primary = flavor.primary if groups is not None and groups.primary else ""
    named = groups.member_of if groups is not None else ()
    return Layout(ours, (flavor.id, uid, sid, primary, *flavor.states, *named), warnings)


def people_batch(
    source: str, settings: LdapSettings, session: Session, attributes: Sequence[str], primaries: Primaries,
    warnings: Warnings,
) -> Callable[[Block], Batch]:  # fmt: skip
    """Makes batches of entries that were read with a people_layout."""
    flavor = FLAVORS[settings.flavor]
    labels = domains.places(attributes)
    names = domains.netbios_names(session) if labels else {}
    states = slice(_STATES, _STATES + len(flavor.states))
    grouped = settings.groups is not None and (bool(settings.groups.member_of) or bool(primaries))

    def batch(block: Block) -> Batch:
        dns = normalise_dns(block.dns)
        domains.fill(block.cells, dns, labels, names)
        return Batch(
            rows=[list(row) for row in zip(*block.cells, strict=True)] or [[] for _ in dns],
            places=block.dns,
            ids=_stable_ids(flavor, block.extras[_ID], block.dns, warnings),
            dns=dns,
            refs=_refs(source, dns, block.extras[_UID], block.extras[_SID]),
            disabled=_disabled(flavor, block.extras[states], len(dns)),
            groups=_belongings(flavor, primaries, block.extras) if grouped else (),
        )

    return batch


def _belongings(
    flavor: Flavor, primaries: Primaries, extras: Sequence[Sequence[Value]]
) -> list[tuple[str, ...]]:
    """The refs of the groups that each entry speaks of."""
    first = _STATES + len(flavor.states)
    found = []
    for row in zip(*extras, strict=True):
        named = [value for values in row[first:] for value in listed(values)]
        found.append(belongs(flavor, primaries, listed(row[_SID]), listed(row[_PRIMARY]), named))
    return found


def _disabled(flavor: Flavor, states: Sequence[Sequence[Value]], count: int) -> Sequence[bool]:
    """Who is off, by the columns of the flavor's states; () when it has none."""
    if not states:
        return ()
    if not any(map(any, states)):
        return [flavor.disabled([[] for _ in states], 0)] * count
    now = time.time()
    return [flavor.disabled([listed(value) for value in row], now) for row in zip(*states, strict=True)]


def group_batches(
    source: str, settings: LdapSettings, groups: LdapGroupsSettings, attributes: Sequence[str],
    primaries: Primaries, only: Sequence[str] | None = None,
) -> Batches:  # fmt: skip
    """How groups are read: the operator's, then, when they nest, all others that may be inside them.

    Fills `primaries` for the people, who are read next. `only`: DNs of groups, instead of all.
    """
    flavor = FLAVORS[settings.flavor]
    base = groups.base or settings.base

    def batches(session: Session, tally: Tally, warnings: Warnings) -> Iterator[Batch]:
        primaries.clear()
        own = flavor.own if groups.primary else ""
        layout = Layout(attributes, (flavor.id, own, _MEMBER_URL, *groups.members), warnings)
        read: set[str] = set()  # normalised DNs, kept only to leave them out of the second search
        for page in _pages(session, tally, base, groups.scope, groups.filter, layout, only):
            batch = _group_batch(source, flavor, groups, _entries(session, layout, page), primaries, warnings)
            if groups.nested:
                read.update(batch.dns)
            yield batch
        for wide in group_bases(base, settings.base) if groups.nested else ():
            for page in _pages(session, tally, wide, "subtree", ALL_GROUPS, layout, only):
                entries = _entries(session, layout, page)
                fresh = [entry for entry in entries if normalise_dn(entry.dn) not in read]
                tally.entries -= len(entries) - len(fresh)
                if fresh:
                    batch = _group_batch(source, flavor, groups, fresh, primaries, warnings)
                    yield batch._replace(wanted=[False] * len(fresh))

    return batches


def _group_batch(
    source: str, flavor: Flavor, groups: LdapGroupsSettings, entries: Sequence[Entry], primaries: Primaries,
    warnings: Warnings,
) -> Batch:  # fmt: skip
    dns = [normalise_dn(entry.dn) for entry in entries]
    for dn, entry in zip(dns, entries, strict=True):
        note(primaries, entry.extras[_OWN], dn)
        if entry.extras[_DYNAMIC] and not any(entry.extras[_MEMBERS:]):
            warnings.add(f"{printable(entry.dn)} is a dynamic group, and the server lists no members of it")
    return Batch(
        rows=[entry.cells for entry in entries],
        places=[entry.dn for entry in entries],
        ids=[_stable_id(flavor, entry.extras[_ID], entry.dn, warnings) for entry in entries],
        dns=dns,
        members=[member_refs(source, groups.members, entry.extras[_MEMBERS:]) for entry in entries],
    )


def group_bases(groups: str, source: str) -> list[str]:
    """Where nested groups may lie: under the groups' base and under the source's, each part once."""
    if within(normalise_dn(groups), normalise_dn(source)):
        return [source]
    if within(normalise_dn(source), normalise_dn(groups)):
        return [groups]
    return [source, groups]


def _entries(session: Session, layout: Layout, page: Page) -> list[Entry]:
    """The decoded entries of a page, each whole."""
    entries = [layout.entry(*place) for place in page]
    for entry in entries:
        if entry.ranges:
            complete(session, layout, entry)
    return entries


def _refs(source: str, dns: Sequence[str], uids: Sequence[Value], sids: Sequence[Value]) -> list[str]:
    """How groups may name each entry: by its DN, by its uids where groups have memberUid, by its identifier."""
    found = [ref_dn(dn) for dn in dns]
    if any(uids) or any(sids):
        for at, (mine, its) in enumerate(zip(uids, sids, strict=True)):
            texts = [uid.decode("utf-8", "replace").replace("\0", "") for uid in listed(mine)]
            logons = [ref_logon(source, text) for text in texts]
            found[at] = "\0".join([found[at], *logons, *_foreign(listed(its))])
    return found


def _foreign(sids: Sequence[bytes]) -> list[str]:
    try:
        return [ref_sid(sid(value)) for value in sids]
    except ValueError:
        return []  # what is no identifier names nobody


def _stable_ids(flavor: Flavor, column: Sequence[Value], dns: Sequence[str], warnings: Warnings) -> list[str]:
    """The ids that survive renames, "" where an entry has none."""
    if flavor.id.lower() not in BINARY and (found := texts(column)):
        return found
    return [_stable_id(flavor, listed(value), dn, warnings) for value, dn in zip(column, dns, strict=True)]


def _stable_id(flavor: Flavor, values: Sequence[bytes], dn: str, warnings: Warnings) -> str:
    if not values:
        return ""
    binary = BINARY.get(flavor.id.lower())
    try:
        return binary(values[0]) if binary else values[0].decode("utf-8")
    except ValueError:
        warnings.add(f"{flavor.id} of {printable(dn)} is no valid identifier")
        return ""
