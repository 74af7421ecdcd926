"""The two passes over a directory: people, then groups, in batches of one page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

from rosterd.core.doors import Batch, Proof
from rosterd.core.people import ref_dn, ref_logon, ref_sid
from rosterd.sources.ldap import domains
from rosterd.sources.ldap.belonging import Primaries, belongs, note
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import Entry, Layout, Warnings
from rosterd.sources.ldap.dn import normalise_dn, within
from rosterd.sources.ldap.flavors import ALL_GROUPS, BINARY, FLAVORS, Flavor, sid
from rosterd.sources.ldap.groups import by_logon, complete, member_refs
from rosterd.sources.ldap.pages import Page, Tally, read_pages
from rosterd.sources.ldap.results import printable
from rosterd.sources.ldap.rows import Rows
from rosterd.sources.ldap.session import Session
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
    source: str, settings: LdapSettings, attributes: Sequence[str], primaries: Primaries
) -> Batches:
    """How people are read; `primaries` is what the groups left, when there are any."""
    place = settings.people

    def batches(session: Session, tally: Tally, warnings: Warnings) -> Iterator[Batch]:
        layout = people_layout(settings, attributes, warnings)
        rows = Rows(layout)
        batch = people_batch(source, settings, session, attributes, primaries, warnings)
        base = place.base or settings.base
        search = compile_search(base, place.scope, place.filter, layout.asked)
        for page in read_pages(session, search, tally, base):
            yield batch(_entries(session, rows, page))

    return batches


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
) -> Callable[[Sequence[Entry]], Batch]:  # fmt: skip
    """Makes batches of entries that were read with a people_layout."""
    flavor = FLAVORS[settings.flavor]
    labels = domains.places(attributes)
    names = domains.netbios_names(session) if labels else {}
    states = slice(_STATES, _STATES + len(flavor.states))
    grouped = settings.groups is not None and (bool(settings.groups.member_of) or bool(primaries))

    def batch(entries: Sequence[Entry]) -> Batch:
        now = time.time()
        dns = [normalise_dn(entry.dn) for entry in entries]
        if labels:
            domains.fill(entries, dns, labels, names)
        return Batch(
            rows=[entry.cells for entry in entries],
            places=[entry.dn for entry in entries],
            ids=[_stable_id(flavor, entry, warnings) for entry in entries],
            dns=dns,
            refs=[_refs(source, dn, entry.extras) for dn, entry in zip(dns, entries, strict=True)],
            disabled=[flavor.disabled(entry.extras[states], now) for entry in entries]
            if flavor.states
            else (),
            groups=[_belongs(flavor, primaries, entry.extras) for entry in entries] if grouped else (),
        )

    return batch


def _belongs(flavor: Flavor, primaries: Primaries, extras: Sequence[list[bytes]]) -> tuple[str, ...]:
    named = [value for values in extras[_STATES + len(flavor.states) :] for value in values]
    return belongs(flavor, primaries, extras[_SID], extras[_PRIMARY], named)


def group_batches(
    source: str, settings: LdapSettings, groups: LdapGroupsSettings, attributes: Sequence[str],
    primaries: Primaries,
) -> Batches:  # fmt: skip
    """How groups are read: the operator's, then, when they nest, all others that may be inside them.

    Fills `primaries` for the people, who are read next.
    """
    flavor = FLAVORS[settings.flavor]
    base = groups.base or settings.base

    def batches(session: Session, tally: Tally, warnings: Warnings) -> Iterator[Batch]:
        primaries.clear()
        own = flavor.own if groups.primary else ""
        layout = Layout(attributes, (flavor.id, own, _MEMBER_URL, *groups.members), warnings)
        rows = Rows(layout)
        read: set[str] = set()  # normalised DNs, kept only to leave them out of the second search
        search = compile_search(base, groups.scope, groups.filter, layout.asked)
        for page in read_pages(session, search, tally, base):
            batch = _group_batch(source, flavor, groups, _entries(session, rows, page), primaries, warnings)
            if groups.nested:
                read.update(batch.dns)
            yield batch
        for wide in _bases(base, settings.base) if groups.nested else ():
            search = compile_search(wide, "subtree", ALL_GROUPS, layout.asked)
            for page in read_pages(session, search, tally, wide):
                entries = _entries(session, rows, page)
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
        ids=[_stable_id(flavor, entry, warnings) for entry in entries],
        dns=dns,
        members=[member_refs(source, groups.members, entry.extras[_MEMBERS:]) for entry in entries],
    )


def _bases(groups: str, source: str) -> list[str]:
    """Where nested groups may lie: under the groups' base and under the source's, each part once."""
    if within(normalise_dn(groups), normalise_dn(source)):
        return [source]
    if within(normalise_dn(source), normalise_dn(groups)):
        return [groups]
    return [source, groups]


def _entries(session: Session, rows: Rows, page: Page) -> list[Entry]:
    """The decoded entries of a page, each whole."""
    entries = rows.entries(page)
    for entry in entries:
        if entry.ranges:
            complete(session, rows.layout, entry)
    return entries


def _refs(source: str, dn: str, extras: Sequence[list[bytes]]) -> str:
    """How groups may name an entry: by its DN, by its uids where groups have memberUid, by its identifier."""
    uids, sids = extras[_UID], extras[_SID]
    if not uids and not sids:
        return ref_dn(dn)
    logons = [ref_logon(source, uid.decode("utf-8", "replace").replace("\0", "")) for uid in uids]
    return "\0".join([ref_dn(dn), *logons, *_foreign(sids)])


def _foreign(sids: Sequence[bytes]) -> list[str]:
    try:
        return [ref_sid(sid(value)) for value in sids]
    except ValueError:
        return []  # what is no identifier names nobody


def _stable_id(flavor: Flavor, entry: Entry, warnings: Warnings) -> str:
    """The id that survives renames, "" where the entry has none."""
    values = entry.extras[_ID]
    if not values:
        return ""
    binary = BINARY.get(flavor.id.lower())
    try:
        return binary(values[0]) if binary else values[0].decode("utf-8")
    except ValueError:
        warnings.add(f"{flavor.id} of {printable(entry.dn)} is no valid identifier")
        return ""
