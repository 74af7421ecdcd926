"""Following a directory: what has changed since the last look (RFC 4533), and changed entries read again.

The server is asked for the names and ids of what changed only; the entries themselves are then read as in a full
read, so that both always mean the same. What the server cannot prove raises Doubt: everything is read instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from rosterd.core.doors import Batch, Changes, Delta
from rosterd.errors import Doubt, SourceError
from rosterd.sources.ldap import sync
from rosterd.sources.ldap.belonging import Primaries
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import Warnings, parse
from rosterd.sources.ldap.dn import normalise_dn
from rosterd.sources.ldap.feeds import LdapFeed, group_batches, people_batches
from rosterd.sources.ldap.flavors import BINARY, FLAVORS
from rosterd.sources.ldap.pages import Tally
from rosterd.sources.ldap.results import BUSY, SUCCESS, UNAVAILABLE, failure, name_of, printable
from rosterd.sources.ldap.root import loaded_at
from rosterd.sources.ldap.session import Session
from rosterd.sources.ldap.some import NO_SUCH_OBJECT
from rosterd.sources.ldap.watches import (
    CONTAINERS,
    GROUPS,
    NOBODY,
    PEOPLE,
    Cookie,
    Watch,
    Witness,
    cookie_of,
    id_text,
    watches,
)
from rosterd.sources.ldap.witness import CSN, heard, newest, remembered
from rosterd.sources.settings import LdapSettings

# 389 DS names whoever is gone, one by one, and yet its Sync Done control does not say so (refreshDeletes is false).
NAMES_ALL = ("389ds",)


@dataclass
class Told:
    """What one watch has been told. `present`: whoever is still there, when that was listed; None when it was not."""

    cookie: bytes
    touched: dict[str, str] = field(default_factory=dict)  # id -> DN
    gone: set[str] = field(default_factory=set)
    present: set[str] | None = None


class LdapFollower:
    """Follows the changes of one source; see core.doors.Follower."""

    linked = False

    def __init__(
        self, name: str, settings: LdapSettings, attributes: tuple[Sequence[str], Sequence[str]],
        reading: Callable[..., AbstractContextManager[Session]], primaries: Primaries,
    ) -> None:  # fmt: skip
        self._name, self._settings = name, settings
        self._people_attributes, self._group_attributes = attributes
        self._reading = reading
        self._read_primaries = primaries  # what the last full read left
        self._cookie: Cookie | None = None

    @property
    def primary(self) -> bool:
        """Whether people may be in a group by their own entry."""
        groups = self._settings.groups
        return groups is not None and groups.primary

    @property
    def server(self) -> str:
        """The server that told the changes."""
        return self._cookie.server if self._cookie is not None else ""

    @property
    def nested(self) -> bool:
        """Whether members of a group's groups count as its members."""
        return self._settings.groups is not None and self._settings.groups.nested

    def try_out(self) -> None:
        """Returns when the server would tell what has changed; else Doubt says why it would not."""
        with self._reading() as session:
            for watch in watches(self._settings):
                self._ask(session, watch._replace(filter=NOBODY), None)

    def start(self) -> None:
        """Before a full read: asks where the directory stands."""
        self._cookie = None
        with self._reading() as session:
            cookie = Cookie(session.url, [], loaded=self._loaded(session))
            for watch in watches(self._settings):
                told = self._ask(session, watch, None)
                cookie.watches.append(watch._replace(cookie=told.cookie))
                if watch.kind == CONTAINERS:
                    cookie.containers |= {id_: normalise_dn(dn) for id_, dn in told.touched.items()}
            cookie.witnesses = tuple(newest(session, cookie.watches))
            self._cookie = cookie

    def cookie(self) -> str:
        """After that read: what to go on from, as text."""
        assert self._cookie is not None
        self._cookie.primaries = dict(self._read_primaries)
        return self._cookie.text()

    def since(self, text: str, most: int) -> Changes:
        """What has changed since; nothing is read again yet."""
        kept = cookie_of(text)
        self._cookie = kept
        with self._reading(kept.server) as session:
            if session.url != kept.server:
                raise Doubt(f"{session.url} answers instead of {kept.server}")
            if self._loaded(session) != kept.loaded:
                raise Doubt("the server was started anew, perhaps with other data")
            told = [(watch, self._ask(session, watch, most)) for watch in kept.watches]
            for watch, one in told:
                if watch.kind == CONTAINERS:
                    _forbid_moves(kept, one)
            watched = [watch._replace(cookie=one.cookie) for watch, one in told]
            changed = replace(kept, watches=watched)
            people, groups = (
                _joined([one for watch, one in told if watch.kind == kind]) for kind in (PEOPLE, GROUPS)
            )
            if people or groups:
                changed.witnesses = self._heard(session, changed, people, groups)
        return Changes(changed.text() if changed != kept else text, people, groups)

    def people(self, dns: Sequence[str]) -> LdapFeed:
        """Those of the entries that are people, read again."""
        assert self._cookie is not None
        names = self._people_attributes
        batches = people_batches(self._name, self._settings, names, self._cookie.primaries, dns)
        return LdapFeed(self._settings, names, self._reading, batches)

    def groups(self, dns: Sequence[str]) -> LdapFeed:
        """Those of the entries that are groups, read again."""
        groups = self._settings.groups
        assert groups is not None and self._cookie is not None
        found: Primaries = {}
        batches = group_batches(self._name, self._settings, groups, self._group_attributes, found, dns)
        known = self._cookie.primaries

        def checked(session: Session, tally: Tally, warnings: Warnings) -> Iterator[Batch]:
            yield from batches(session, tally, warnings)
            for own, refs in found.items():
                if self.primary and any(ref not in known.get(own, ()) for ref in refs):
                    raise Doubt("a group is new or renamed that may be somebody's primary group")

        return LdapFeed(self._settings, self._group_attributes, self._reading, checked)

    def answers(self, ref: str) -> bool:
        """Whether the group with this ref may be somebody's primary group."""
        assert self._cookie is not None
        return self.primary and any(ref in refs for refs in self._cookie.primaries.values())

    def groups_of(self, _ids: Iterable[str]) -> list[str]:
        """Nothing: where members are no links, groups tell all changes themselves."""
        return []

    def there(self, ids: Iterable[tuple[str, str]]) -> None:
        """Returns when each of these entries (id, DN) is in the directory; Doubt when one is not."""
        flavor = FLAVORS[self._settings.flavor]
        with self._reading() as session:
            for id_, dn in ids:
                search = compile_search(dn, "base", "(objectClass=*)", [flavor.id])
                answer = session.collect(session.ask(search), 1)
                if answer.done.code not in (SUCCESS, NO_SUCH_OBJECT):
                    raise failure(f"reading {printable(dn)} again", answer.done.code, answer.done.message)
                binary = BINARY.get(flavor.id.lower(), bytes.decode)
                values = parse(*answer.entries[0])[1] if answer.entries else []
                if [binary(value) for _, some in values for value in some] != [id_]:
                    raise Doubt(f"{printable(dn)} cannot be found, and nothing was told of its end")

    def _loaded(self, session: Session) -> str:
        """Since when the server has had its data. Only 389 DS is asked: it counts changes in a log beside its data,
        which says nothing when older data is put back."""
        return loaded_at(session) if self._settings.flavor == "389ds" else ""

    def _heard(self, session: Session, changed: Cookie, people: Delta, groups: Delta) -> tuple[Witness, ...]:
        """Doubt when the directory has lost what it had; else the witnesses from now on."""
        kept = changed.witnesses
        gone = [one.id for one in kept if _gone(one, people if one.kind == PEOPLE else groups)]
        told = [*people.touched, *groups.touched, *gone]
        heard(session, self._settings.base, kept, told, CSN)
        return remembered(newest(session, changed.watches), kept, gone)

    def _ask(self, session: Session, watch: Watch, most: int | None) -> Told:
        """What one watch is told; `most`: None for a first look, of which only containers are kept."""
        search = compile_search(watch.base, watch.scope, watch.filter, ["1.1"])
        asked = session.ask(search, sync.asked(watch.cookie))
        told = Told(watch.cookie)
        while True:
            match sync.understood(session.message(), asked):
                case sync.Entry() as entry:
                    if most is None and watch.kind != CONTAINERS:
                        continue
                    self._note(told, entry)
                    if most is not None and len(told.touched) + len(told.gone) > most:
                        raise Doubt(f"more than {most:,} entries of {watch.base} have changed at once")
                case sync.Info() as info:
                    self._listed(told, info)
                case sync.Elsewhere() as elsewhere:
                    raise Doubt(f"a part of {watch.base} lies elsewhere, at {printable(elsewhere.urls[0])}")
                case sync.Notice(code, said):
                    raise failure("the server ended the connection", code, said)
                case sync.End() as end:
                    if self._settings.flavor in NAMES_ALL:
                        end = end._replace(deletes=True)
                    return _settled(told, end, watch, first=most is None)

    def _note(self, told: Told, entry: sync.Entry) -> None:
        id_ = id_text(self._settings.flavor, entry.id)
        if entry.state == sync.DELETE:
            told.gone.add(id_)
            told.touched.pop(id_, None)
            return
        if entry.state != sync.PRESENT:
            told.touched[id_] = entry.dn
            told.gone.discard(id_)
        if entry.state != sync.MODIFY:
            self._present(told).add(id_)

    def _listed(self, told: Told, info: sync.Info) -> None:
        ids = {id_text(self._settings.flavor, id_) for id_ in info.ids}
        if info.deletes:
            told.gone |= ids
            for id_ in ids:
                told.touched.pop(id_, None)
        elif ids:
            self._present(told).update(ids)
        most = self._settings.max_entries
        if len(told.gone) + len(told.present or ()) > most:
            raise SourceError(
                f"the server lists more than the {most:,} entries allowed for one read",
                hint="raise `max_entries` of this source if the directory is really that large",
            )

    @staticmethod
    def _present(told: Told) -> set[str]:
        if told.present is None:
            told.present = set()
        return told.present


def _settled(told: Told, end: sync.End, watch: Watch, *, first: bool) -> Told:
    """An answer that has come to its end, with what may be believed of it; Doubt when it proves nothing."""
    if end.code in (BUSY, UNAVAILABLE):
        raise failure(f"asking what has changed under {watch.base}", end.code, end.message)
    if end.code != SUCCESS:
        said = f" ({printable(end.message)})" if end.message else ""
        raise Doubt(f"the server does not tell what has changed: {name_of(end.code)}{said}")
    changed = bool(told.touched or told.gone or told.present)
    if not end.whole:
        if changed or first:
            raise Doubt("the server's answer has no proof that it was all (no Sync Done control)")
        told.present = None
        return told  # nothing has changed, and the cookie stays
    told.cookie = end.cookie or told.cookie
    if not told.cookie:
        raise Doubt("the server gives no cookie")
    if first:
        return told
    if end.deletes:
        told.present = None  # who is gone was named
    elif changed or end.cookie not in (None, watch.cookie):
        told.present = {*(told.present or ()), *told.touched}  # nobody else is there any more
    return told


def _gone(one: Witness, delta: Delta) -> bool:
    """Whether the server says that an entry is gone, or lists all others of its kind."""
    return one.id in delta.gone or (delta.present is not None and one.id not in delta.present)


def _joined(some: Sequence[Told]) -> Delta:
    """Of several watches over the same kind: where one shows an entry, it is there."""
    touched = {id_: dn for one in some for id_, dn in one.touched.items()}
    lists = [one.present for one in some if one.present is not None]
    if lists and len(lists) != len(some):
        raise Doubt("the server lists who is still there in one part of the directory only")
    gone = {id_ for one in some for id_ in one.gone} - touched.keys()
    return Delta(touched, frozenset(gone), frozenset().union(*lists) if lists else None)


def _forbid_moves(kept: Cookie, told: Told) -> None:
    """Doubt when a container is new, gone, renamed or moved: the entries in it change without a word."""
    for id_, dn in told.touched.items():
        if kept.containers.get(id_) != normalise_dn(dn):
            raise Doubt(f"the container {printable(dn)} is new, renamed or moved")
    there = kept.containers.keys()
    lost = (told.gone & there) if told.present is None else (there - told.present)
    for id_ in lost:
        raise Doubt(f"the container {printable(kept.containers[id_])} is gone")
