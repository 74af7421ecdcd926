"""Following Active Directory by its DirSync control (MS-ADTS 3.1.1.3.4.1.3).

The control tells of every object of the domain that has changed, whatever it is, also of deleted ones. It needs the
right "Replicating Directory Changes". A move, a rename or a deletion of somebody changes the members of groups
without a word about the groups (they are links), so these are read again as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from rosterd.core.doors import Changes, Delta
from rosterd.errors import Doubt
from rosterd.sources.ldap import ber, sync
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import Raw, parse
from rosterd.sources.ldap.dn import normalise_dn, within
from rosterd.sources.ldap.flavors import guid
from rosterd.sources.ldap.follow import LdapFollower
from rosterd.sources.ldap.groups import ref_of
from rosterd.sources.ldap.pages import Tally, read_pages
from rosterd.sources.ldap.results import BUSY, SUCCESS, UNAVAILABLE, failure, name_of, printable
from rosterd.sources.ldap.root import highest_change, naming_context
from rosterd.sources.ldap.session import Session
from rosterd.sources.ldap.some import read_some
from rosterd.sources.ldap.watches import (
    ALL_CONTAINERS,
    CONTAINERS,
    DOMAIN,
    NOBODY,
    Cookie,
    Watch,
    cookie_of,
    watches,
)
from rosterd.sources.ldap.witness import USN, heard, newest_in_domain, remembered

DIRSYNC = "1.2.840.113556.1.4.841"
NO_RIGHT = 50  # insufficientAccessRights
RIGHT = 'the account needs the right "Replicating Directory Changes" on the domain'
SIZE = 1 << 20  # bytes the server is asked to keep an answer below

_ENTRY, _DONE, _REFERENCE = 0x64, 0x65, 0x73
_ALL = "(objectClass=*)"


class Told(NamedTuple):
    """An object that has changed. `named`: it is new or has another name; `made`: it is new.

    `last`: how groups named one that is deleted; "" when that is not told.
    """

    id: str
    deleted: bool
    named: bool
    made: bool
    last: str


class End(NamedTuple):
    """The end of one answer. `more`: there is more to be asked for with this cookie. None: no control came."""

    code: int
    message: str
    more: bool
    cookie: bytes | None


def asked(cookie: bytes) -> bytes:
    """The controls of a request: what has changed since the cookie, or everything when it is empty."""
    value = ber.tlv(ber.SEQUENCE, ber.integer(0) + ber.integer(SIZE) + ber.tlv(ber.OCTETS, cookie))
    control = ber.tlv(ber.OCTETS, DIRSYNC.encode()) + ber.tlv(0x01, b"\xff") + ber.tlv(ber.OCTETS, value)
    return ber.tlv(0xA0, ber.tlv(ber.SEQUENCE, control))


def understood(message: bytes, message_id: int) -> tuple[int, int, int] | End | None:
    """Where an entry lies in a message, or the end of the answer; None for a reference, ValueError for all else."""
    at, end = ber.expect(message, 0, len(message), ber.SEQUENCE)
    first, at = ber.expect(message, at, end, ber.INTEGER)
    found = ber.number(message, first, at)
    tag, start, at = ber.header(message, at, end)
    if found == 0 and tag == 0x78:
        code, said = sync.result(message, start, at)
        raise failure("the server ended the connection", code, said)
    if found != message_id or tag not in (_ENTRY, _DONE, _REFERENCE):
        raise ValueError(
            f"a message of kind {tag:#04x} to request {found} stands in the answer to {message_id}"
        )
    if tag == _ENTRY:
        return tag, start, at
    if tag == _REFERENCE:
        return None
    code, said = sync.result(message, start, at)
    value = sync.controls(message, at, end).get(DIRSYNC)
    if value is None:
        return End(code, said, False, None)
    inner, stop = ber.expect(value, 0, len(value), ber.SEQUENCE)
    first, last = ber.expect(value, inner, stop, ber.INTEGER)
    more = ber.number(value, first, last) != 0
    _, last = ber.expect(value, last, stop, ber.INTEGER)
    first, last = ber.expect(value, last, stop, ber.OCTETS)
    return End(code, said, more, value[first:last])


class DirSyncFollower(LdapFollower):
    """Follows the changes of a domain; see core.doors.Follower."""

    linked = True

    def try_out(self) -> None:
        """Returns when the server would tell what has changed; else Doubt says why it would not."""
        with self._reading() as session:
            watch = Watch(DOMAIN, self._root(session), "subtree", NOBODY)
            next(self._told(session, watch, ["objectGUID"], None))  # one answer of perhaps several

    def start(self) -> None:
        """Before a full read: asks where the domain stands."""
        self._cookie = None
        with self._reading() as session:
            root = self._root(session)
            reached = highest_change(session)
            ends = list(self._told(session, Watch(DOMAIN, root, "subtree", _ALL), ["objectGUID"], None))
            cookie = Cookie(
                session.url,
                [Watch(DOMAIN, root, "subtree", _ALL, _cookie_in(ends))],
                reached=reached,
                witnesses=tuple(newest_in_domain(session, root, reached)),
            )
            for watch in watches(self._settings):
                if watch.kind == CONTAINERS:
                    cookie.containers |= self._containers(session, watch)
            self._cookie = cookie

    def since(self, text: str, most: int) -> Changes:
        """What has changed in the domain since; of each object only that it has."""
        kept = cookie_of(text)
        self._cookie = kept
        seen: dict[str, Told] = {}
        with self._reading(kept.server) as session:
            if session.url != kept.server:
                raise Doubt(f"{session.url} answers instead of {kept.server}")
            reached = self._reached(session, kept)
            (watch,) = kept.watches
            cookie = watch.cookie
            for one in self._told(session, watch, [], most):
                if isinstance(one, End):
                    cookie = one.cookie or cookie
                    continue
                before = seen.get(one.id)
                seen[one.id] = one if before is None else one._replace(
                    named=one.named or before.named, made=one.made or before.made
                )  # fmt: skip
                if len(seen) > most:
                    raise Doubt(f"more than {most:,} objects of {watch.base} have changed at once")
            touched = {one.id: f"<GUID={one.id}>" for one in seen.values() if not one.deleted}
            gone = frozenset(seen) - touched.keys()
            changed = replace(kept, watches=[watch._replace(cookie=cookie)], reached=reached)
            if seen:
                self._forbid_moves(session, kept, seen, touched)
                heard(session, watch.base, kept.witnesses, seen, USN)
                new = newest_in_domain(session, watch.base, reached)
                changed.witnesses = remembered(new, kept.witnesses, gone)
        delta = Delta(touched, gone)
        moved = frozenset(id_ for id_ in touched if seen[id_].named)
        lost = frozenset(seen[id_].last for id_ in gone if seen[id_].last)
        return Changes(changed.text() if changed != kept else text, delta, delta, moved, lost)

    @staticmethod
    def _reached(session: Session, kept: Cookie) -> int:
        """What the server's count of its changes has reached; Doubt when it had been further."""
        reached = highest_change(session)
        if reached < kept.reached:
            raise Doubt(
                f"the server counts {reached:,} changes and had counted {kept.reached:,}: an older copy was put back"
            )
        return reached

    def groups_of(self, _ids: Iterable[str]) -> list[str]:
        """The normalised DNs of the groups that these people are in, as their own entries say."""
        found: list[str] = []
        with self._reading() as session:
            for id_ in _ids:
                search = compile_search(f"<GUID={id_}>", "base", _ALL, ["memberOf"])
                for entry in session.small(search, 1, "reading the groups of somebody who has moved"):
                    for _, values in parse(*entry)[1]:
                        found += [normalise_dn(value.decode("utf-8", "replace")) for value in values]
        return found

    def _root(self, session: Session) -> str:
        """The domain's root, under which all that is read must lie."""
        root = naming_context(session)
        bases = [watch.base for watch in watches(self._settings)]
        if not root or not all(within(normalise_dn(base), normalise_dn(root)) for base in bases):
            raise Doubt(f"not all that is read lies in the domain of the server ({printable(root)})")
        return root

    def _containers(self, session: Session, watch: Watch) -> dict[str, str]:
        search = compile_search(watch.base, watch.scope, watch.filter, ["objectGUID"])
        tally = Tally(self._settings.page_size, self._settings.max_entries, True)
        found: dict[str, str] = {}
        for page in read_pages(session, search, tally, watch.base):
            for entry in page:
                dn, raw = parse(*entry)
                found[_guid_in(raw)] = normalise_dn(dn)
        return found

    def _told(
        self, session: Session, watch: Watch, attributes: Sequence[str], most: int | None
    ) -> Iterator[Told | End]:
        """Every object that has changed, and the end of each answer."""
        cookie = watch.cookie
        while True:
            # No attributes named: all of them. With some named only their changes would be told.
            search = compile_search(watch.base, watch.scope, watch.filter, list(attributes) or ["*"])
            message_id = session.ask(search, asked(cookie))
            while not isinstance(one := understood(message := session.message(), message_id), End):
                if one is not None and most is not None:
                    yield _object(*parse(message, *one[1:]))
            _settled(one)
            yield one
            if not one.more:
                return
            if one.cookie == cookie:
                raise Doubt("the server gives the same cookie again and again")
            cookie = one.cookie or b""

    def _forbid_moves(
        self, session: Session, kept: Cookie, seen: Mapping[str, Told], touched: Mapping[str, str]
    ) -> None:
        """Doubt when a container is new, gone, renamed or moved: what lies in it changes without a word."""
        for id_ in (seen.keys() - touched.keys()) & kept.containers.keys():
            raise Doubt(f"the container {printable(kept.containers[id_])} is gone")
        names: dict[str, str] = {}
        for watch in watches(self._settings):
            if watch.kind == CONTAINERS:
                names |= self._containers_among(session, touched.values(), watch.base)
        for id_ in touched.keys() & (names.keys() | kept.containers.keys()):
            if names.get(id_) != kept.containers.get(id_):
                dn = names.get(id_) or kept.containers[id_]
                raise Doubt(f"the container {printable(dn)} is new, renamed or moved")
        if self._settings.groups is not None:  # whose members may lie anywhere
            others = [
                touched[id_] for id_, one in seen.items() if one.named and not one.made and not one.deleted
            ]
            for id_, dn in self._containers_among(session, others, kept.watches[0].base).items():
                if id_ not in names:
                    raise Doubt(f"the container {printable(dn)} is renamed or moved")

    def _containers_among(self, session: Session, dns: Iterable[str], base: str) -> dict[str, str]:
        """The containers among these entries, as far as they lie under a base: id -> normalised DN."""
        tally = Tally(self._settings.page_size, self._settings.max_entries, True)
        pages = read_some(session, list(dns), (base, "subtree", ALL_CONTAINERS), ["objectGUID"], tally)
        found = [parse(*one) for page in pages for one in page]
        return {_guid_in(raw): normalise_dn(dn) for dn, raw in found}


def _object(dn: str, raw: Raw) -> Told:
    """What the control tells of one object: the attributes that have changed, with their values."""
    told = {name.lower(): values for name, values in raw}
    deleted = b"TRUE" in told.get(b"isdeleted", ())
    named = b"name" in told or b"parentguid" in told
    return Told(_guid_in(raw), deleted, named, b"objectclass" in told, _last(dn, told) if deleted else "")


def _last(dn: str, told: Mapping[bytes, list[bytes]]) -> str:
    """How groups named an object that is deleted now (MS-ADTS 3.1.1.5.5.1.1: what becomes of its name)."""
    parent = next(iter(told.get(b"lastknownparent", ())), b"").decode("utf-8", "replace")
    first, mangled, _ = dn.partition("\\0ADEL:")
    if not parent or not mangled:
        return ""
    return ref_of(normalise_dn(f"{first},{parent.rpartition('>;')[2]}"))


def _settled(end: End) -> None:
    """Doubt when an answer has not ended well."""
    if end.code in (BUSY, UNAVAILABLE):
        raise failure("asking what has changed", end.code, end.message)
    if end.code == NO_RIGHT:
        raise Doubt(f"the server does not tell what has changed: {RIGHT}")
    if end.code != SUCCESS:
        said = f" ({printable(end.message)})" if end.message.strip("\0 ") else ""
        raise Doubt(f"the server does not tell what has changed: {name_of(end.code)}{said}")
    if end.cookie is None:
        raise Doubt("the server's answer has no proof that it was all (no DirSync control)")


def _cookie_in(some: Sequence[object]) -> bytes:
    last = some[-1]
    assert isinstance(last, End)
    return last.cookie or b""


def _guid_in(raw: Sequence[tuple[bytes, list[bytes]]]) -> str:
    """An object's objectGUID; ValueError when it has none."""
    for name, values in raw:
        if name.lower() == b"objectguid" and values:
            return guid(values[0])
    raise ValueError("an object came without its objectGUID")
