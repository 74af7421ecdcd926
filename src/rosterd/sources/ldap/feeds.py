"""The two passes over a directory: people, then groups, in batches of one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

from rosterd.core.doors import Batch, Proof
from rosterd.core.people import ref_dn, ref_logon
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import Entry, Layout, Warnings
from rosterd.sources.ldap.dn import normalise_dn, within
from rosterd.sources.ldap.flavors import ALL_GROUPS, BINARY, FLAVORS, Flavor
from rosterd.sources.ldap.groups import by_logon, complete, member_refs
from rosterd.sources.ldap.pages import Page, Tally, read_pages
from rosterd.sources.ldap.results import printable
from rosterd.sources.ldap.session import Session
from rosterd.sources.settings import LdapGroupsSettings, LdapSettings

# Gives the connection for one pass, drops it when the pass is not read to its end, and words every fault.
Reading: TypeAlias = Callable[[], AbstractContextManager[Session]]
Batches: TypeAlias = Callable[[Session, Tally, Warnings], Iterator[Batch]]

_ID, _STATE, _UID = 0, 1, 2  # the extras of people
_MEMBERS = 1  # the first of a group's member attributes among its extras; before it is the id


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
            self._proof = _proof(session.url, tally, warnings)

    def proof(self) -> Proof:
        """The proof; RuntimeError before the read has ended well."""
        if self._proof is None:
            raise RuntimeError("the read has not ended, or not well")
        return self._proof


def _proof(url: str, tally: Tally, warnings: Warnings) -> Proof:
    words = [url, f"{tally.pages:,} page{'s' if tally.pages != 1 else ''}", *tally.notes]
    if "the server cannot page" not in tally.notes:
        words.append("last cookie empty")
    if tally.passed_over:
        words.append(f"{tally.passed_over} references to partitions without people")
    return Proof(tally.entries, tally.pages, ", ".join(words), warnings.all())


def people_batches(source: str, settings: LdapSettings, attributes: Sequence[str]) -> Batches:
    """How people are read."""
    flavor = FLAVORS[settings.flavor]
    place = settings.people

    def batches(session: Session, tally: Tally, warnings: Warnings) -> Iterator[Batch]:
        layout = Layout(attributes, people_extras(settings), warnings)
        base = place.base or settings.base
        search = compile_search(base, place.scope, place.filter, layout.asked)
        for page in read_pages(session, search, tally, base):
            yield people_batch(source, flavor, _entries(session, layout, page), warnings)

    return batches


def people_extras(settings: LdapSettings) -> tuple[str, str, str]:
    """What is asked for besides the mapping's attributes; "" where it is not needed."""
    flavor = FLAVORS[settings.flavor]
    logons = settings.groups is not None and by_logon(settings.groups.members)
    return flavor.id, flavor.state, "uid" if logons else ""


def people_batch(source: str, flavor: Flavor, entries: Sequence[Entry], warnings: Warnings) -> Batch:
    """A batch of entries read with the extras of people."""
    dns = [normalise_dn(entry.dn) for entry in entries]
    return Batch(
        rows=[entry.cells for entry in entries],
        places=[entry.dn for entry in entries],
        ids=[_stable_id(flavor, entry, warnings) for entry in entries],
        dns=dns,
        refs=[_refs(source, dn, entry.extras[_UID]) for dn, entry in zip(dns, entries, strict=True)],
        disabled=[flavor.disabled(entry.extras[_STATE]) for entry in entries] if flavor.state else (),
    )


def group_batches(
    source: str, settings: LdapSettings, groups: LdapGroupsSettings, attributes: Sequence[str]
) -> Batches:
    """How groups are read: the operator's, then, when they nest, all others that may be inside them."""
    flavor = FLAVORS[settings.flavor]
    base = groups.base or settings.base

    def batches(session: Session, tally: Tally, warnings: Warnings) -> Iterator[Batch]:
        layout = Layout(attributes, (flavor.id, *groups.members), warnings)
        read: set[str] = set()  # normalised DNs, kept only to leave them out of the second search
        search = compile_search(base, groups.scope, groups.filter, layout.asked)
        for page in read_pages(session, search, tally, base):
            batch = _group_batch(source, flavor, groups, _entries(session, layout, page), warnings)
            if groups.nested:
                read.update(batch.dns)
            yield batch
        for wide in _bases(base, settings.base) if groups.nested else ():
            search = compile_search(wide, "subtree", ALL_GROUPS, layout.asked)
            for page in read_pages(session, search, tally, wide):
                entries = _entries(session, layout, page)
                fresh = [entry for entry in entries if normalise_dn(entry.dn) not in read]
                tally.entries -= len(entries) - len(fresh)
                if fresh:
                    batch = _group_batch(source, flavor, groups, fresh, warnings)
                    yield batch._replace(wanted=[False] * len(fresh))

    return batches


def _group_batch(
    source: str, flavor: Flavor, groups: LdapGroupsSettings, entries: Sequence[Entry], warnings: Warnings
) -> Batch:
    return Batch(
        rows=[entry.cells for entry in entries],
        places=[entry.dn for entry in entries],
        ids=[_stable_id(flavor, entry, warnings) for entry in entries],
        dns=[normalise_dn(entry.dn) for entry in entries],
        members=[member_refs(source, groups.members, entry.extras[_MEMBERS:]) for entry in entries],
    )


def _bases(groups: str, source: str) -> list[str]:
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


def _refs(source: str, dn: str, uids: Sequence[bytes]) -> str:
    """How groups may name an entry: by its DN, and by its uids where groups have memberUid."""
    if not uids:
        return ref_dn(dn)
    logons = [ref_logon(source, uid.decode("utf-8", "replace").replace("\0", "")) for uid in uids]
    return "\0".join([ref_dn(dn), *logons])


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
