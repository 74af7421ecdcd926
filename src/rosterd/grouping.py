"""Entries become groupings and raw membership edges; afterwards edges become seats.

An edge is (ref of the member, handle of the group, source, where it stands). A handle is the key of the
grouping, or, for an entry with a DN, 0xFF and the DN: two entries of one name are one grouping, but two nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias
from unicodedata import normalize

from rosterd.core.doors import Batch
from rosterd.core.people import ACTIVE, ASIDE, Place, fold, ref_dn, ref_key, ref_logon
from rosterd.templates import Template, TemplateError, getter, parse, quick_column

Edge: TypeAlias = "tuple[str, bytes, str, int | str]"  # the last: where it stands, for messages
KnownEdge: TypeAlias = tuple[str, bytes, str]  # as the ledger keeps it

MAX_NAME = 150  # characters of a group name: 159 are too long by Orbix's own example
ENTRY = b"\xff"


class GroupRules(Protocol):
    """The `groups` table of a source, as the mapping needs it."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str | None: ...


class GroupPlan:
    """The compiled templates of one source's groups. `member` is for CSV, where a row is one membership."""

    def __init__(self, rules: GroupRules, source: str, where: str, member: str | None = None) -> None:
        self.source = source
        self.name = parse(rules.name, f"{where}.name")
        self.description = parse(rules.description or "", f"{where}.description")
        self.member = parse(member, f"{where}.member") if member else None

    @property
    def templates(self) -> list[Template]:
        return [template for template in (self.name, self.description, self.member) if template]

    @property
    def attributes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for template in self.templates for name in template.attributes))


@dataclass
class WantedGroup:
    """One grouping, however many entries or lines speak of it. `sources` name who does."""

    key: bytes
    name: str
    description: str
    sources: frozenset[str]
    id: str
    place: Place
    state: str = ACTIVE
    reason: str = ""


@dataclass
class Groups:
    """All groupings of one source, or of several joined ones."""

    by_key: dict[bytes, WantedGroup] = field(default_factory=dict)
    handles: dict[str, bytes] = field(default_factory=dict)  # a group's own ref -> its handle
    under: dict[bytes, bytes] = field(default_factory=dict)  # handle of a wanted entry -> key of its grouping
    read: int = 0  # entries or, for CSV, distinct names

    def add(self, group: WantedGroup) -> None:
        """One grouping per folded name; two descriptions set it aside, an empty one gives way."""
        old = self.by_key.setdefault(group.key, group)
        if old is group:
            return
        old.sources |= group.sources
        old.name = min(old.name, group.name)
        if group.state is ASIDE:
            old.state, old.reason = ASIDE, group.reason
        elif group.description and old.description and group.description != old.description:
            old.state = ASIDE
            one, other = sorted((old.description, group.description))
            old.reason = f"is described in two ways: {one!r} and {other!r}"
            old.place = f"{_at(old)} and {_at(group)}"
        else:
            old.description = old.description or group.description


def _at(group: WantedGroup) -> str:
    return f"line {group.place}" if isinstance(group.place, int) else str(group.place)


class GroupMapper:
    """Maps the batches of one groups feed to groupings and edges."""

    def __init__(self, plan: GroupPlan, attributes: Sequence[str], groups: Groups) -> None:
        self._plan = plan
        self._groups = groups
        self._attributes = attributes
        self._name = getter(plan.name, attributes)
        self._description = getter(plan.description, attributes)
        self._member = getter(plan.member, attributes) if plan.member else None
        self._known: dict[tuple[str, str], bytes] = {}

    def map(self, batch: Batch) -> list[Edge]:
        return list(self._memberships(batch) if self._member else self._entries(batch))

    def _memberships(self, batch: Batch) -> Iterator[Edge]:
        """CSV: a row is one membership; a row without a member only declares its group."""
        source, known = self._plan.source, self._known
        names, descriptions, members = self._columns(batch)
        refs = refs_of_members(source, members)
        pairs = zip(names, descriptions, strict=True)
        for pair, place, who, ref in zip(pairs, batch.places, members, refs, strict=True):
            key = known.get(pair)
            if key is None:
                key = known[pair] = self._declare(*pair, place, "")
            if who:
                yield ref, key, source, place

    def _columns(self, batch: Batch) -> tuple[list[str], list[str], list[str]]:
        """Names, descriptions and members of the rows; a row whose template fails is a group that is set aside."""
        plan = self._plan
        assert plan.member is not None and self._member is not None
        columns = list(
            zip(*batch.rows, strict=False)
        )  # a row that is too short ends them early: then one by one
        quick = [
            quick_column(t, columns, len(batch.rows), self._attributes)
            for t in (plan.name, plan.description, plan.member)
        ]
        if quick[0] is not None and quick[1] is not None and quick[2] is not None:
            return quick[0], quick[1], quick[2]
        slow: tuple[list[str], list[str], list[str]] = ([], [], [])
        for row, place in zip(batch.rows, batch.places, strict=True):
            try:
                texts = (self._name(row), self._description(row), self._member(row))
            except TemplateError as error:
                texts = ("", "", "")
                self._declare("", "", place, "", str(error))
            for column, text in zip(slow, texts, strict=True):
                column.append(text)
        return slow

    def _entries(self, batch: Batch) -> Iterator[Edge]:
        """LDAP: an entry is a group with its member refs."""
        source = self._plan.source
        for i, row in enumerate(batch.rows):
            own = ref_dn(batch.dns[i]) if batch.dns else ""
            handle = ENTRY + own.encode("utf-8", "replace")
            if not batch.wanted or batch.wanted[i]:
                try:
                    texts = (self._name(row), self._description(row))
                    key = self._declare(*texts, batch.places[i], batch.ids[i] if batch.ids else "")
                except TemplateError as error:
                    key = self._declare("", "", batch.places[i], "", str(error))
                handle = handle if own else key
                self._groups.under[handle] = key
            if own:
                self._groups.handles[own] = handle
            if batch.members:
                for ref in batch.members[i]:
                    yield ref, handle, source, batch.places[i]

    def _declare(self, name: str, description: str, place: Place, identity: str, failed: str = "") -> bytes:
        name, description = normalize("NFC", name.strip()), normalize("NFC", description.strip())
        reason = failed or unfit(name)
        key = fold(name).encode("utf-8", "replace").replace(b"\0", b"?")
        if not name:
            # Without its line number, which moves; a directory's DN stays.
            key = b"\xfe" + f"{self._plan.source} {'' if isinstance(place, int) else place}".encode(
                "utf-8", "replace"
            )
        if not description.isprintable():
            description = " ".join(
                "".join(char if char.isprintable() else " " for char in description).split()
            )
        state = ASIDE if reason else ACTIVE
        self._groups.add(
            WantedGroup(
                key, name, description, frozenset({self._plan.source}), identity, place, state, reason
            )
        )
        return key


def declare_column(groups: Groups, source: str, memberships: Sequence[tuple[str, str]]) -> list[Edge]:
    """Edges from a people file's `groups` column: (group name, ref of the member)."""
    edges: list[Edge] = []
    keys: dict[str, bytes] = {}  # every spelling is told, lest the order of the lines decide which one counts
    for name, ref in memberships:
        key = keys.get(name)
        if key is None:
            key = keys[name] = _declare_spelling(groups, source, normalize("NFC", name))
        edges.append((ref, key, source, ""))
    return edges


def _declare_spelling(groups: Groups, source: str, name: str) -> bytes:
    key = fold(name).encode("utf-8", "replace")
    reason = unfit(name)
    state = ASIDE if reason else ACTIVE
    groups.add(WantedGroup(key, name, "", frozenset({source}), "", "the groups column", state, reason))
    return key


def unfit(name: str) -> str:
    """Why a name cannot be a grouping's ("" when it can): empty, over-long, or with control characters."""
    if not name:
        return "has no group name"
    if len(name) > MAX_NAME:
        return f"the group name has {len(name)} characters, more than {MAX_NAME}"
    if not name.isprintable():
        return "the group name has characters that cannot be printed"
    return ""


def own_edges(source: str, batch: Batch) -> list[Edge]:
    """The memberships that people's own entries tell (a primary group, nsRole), as if their groups had told them."""
    rows = zip(batch.dns, batch.groups, batch.places, strict=True)
    return [
        (ref_dn(dn), ENTRY + group.encode("utf-8", "replace"), source, place)
        for dn, groups, place in rows
        for group in groups
    ]


def ref_member(source: str, text: str) -> str:
    """How a CSV names a member: a bare logon of the same source, or DOMAIN//logon."""
    domain, slashes, logon = text.partition("//")
    return ref_key(domain.strip(), logon.strip()) if slashes else ref_logon(source, text)


def refs_of_members(source: str, members: list[str]) -> list[str]:
    """ref_member for many at once."""
    joined_up = "".join(members)
    if joined_up.isascii() and "//" not in joined_up:
        prefix = ref_logon(source, "")
        return [prefix + member for member in map(str.lower, members)]
    return [ref_member(source, member) for member in members]


def joined(parts: Iterable[Groups], precedence: Sequence[str]) -> Groups:
    """Groupings of several sources as one: the same name joins memberships; the first of `precedence` describes it."""
    rank = {source: i for i, source in enumerate(precedence)}
    whole = Groups()
    for part in sorted(
        parts, key=lambda part: min((_rank(group, rank) for group in part.by_key.values()), default=0)
    ):
        whole.read += part.read
        whole.handles.update(part.handles)
        whole.under.update(part.under)
        for group in part.by_key.values():
            old = whole.by_key.get(group.key)
            if old is not None and precedence and _rank(old, rank) != _rank(group, rank):
                first, second = (old, group) if _rank(old, rank) < _rank(group, rank) else (group, old)
                first.sources |= second.sources
                whole.by_key[group.key] = first
            else:
                whole.add(group)
    return whole


def _rank(group: WantedGroup, rank: Mapping[str, int]) -> int:
    return min(rank.get(source, len(rank)) for source in group.sources)


class Nesting:
    """Which wanted groupings each handle's members belong to, through any depth; cycles end and are told."""

    def __init__(self, parents: Mapping[bytes, set[bytes]], groups: Groups) -> None:
        self._parents = parents
        self._cache: dict[bytes, tuple[bytes, ...]] = {}
        self.direct = {key: key for key in groups.by_key} | groups.under  # without regard to nesting
        self.cycles: set[bytes] = set()
        self.deep = bool(parents)

    def groupings(self, handle: bytes) -> tuple[bytes, ...]:
        """The grouping of the handle itself and of every group that contains it, as far as they are wanted."""
        if (found := self._cache.get(handle)) is None:
            seen = {handle}
            waiting = [handle]
            while waiting:
                for parent in self._parents.get(waiting.pop(), ()):
                    if parent == handle and handle in self.direct:
                        self.cycles.add(self.direct[handle])
                    if parent not in seen:
                        seen.add(parent)
                        waiting.append(parent)
            found = self._cache[handle] = tuple(
                sorted({self.direct[one] for one in seen if one in self.direct})
            )
        return found
