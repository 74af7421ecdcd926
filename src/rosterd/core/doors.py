"""The doors: what rosterd asks of a source and of a target. Each has one contract suite in tests/doors.

The comments here are the law: an implementation keeps them, and callers rely on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from rosterd.core.access import Place as AccessPlace
from rosterd.core.access import Snapshot
from rosterd.core.outcome import Answer, Issued, Unregistered
from rosterd.core.people import Grouping, Person, Place

# A cell of an entry: "" when the attribute is missing; a tuple only for two or more values, in folded order.
Cell: TypeAlias = "str | tuple[str, ...]"


class Proof(NamedTuple):
    """That a read was complete, in numbers and words."""

    entries: int
    pages: int
    detail: (
        str  # "people.csv, 1,204 lines, unchanged while read" / "ldaps://dc1, 21 pages, last cookie empty"
    )
    warnings: tuple[str, ...] = ()


class Batch(NamedTuple):
    """Some entries of one feed. All sequences have the same length.

    rows: cells in the order of the feed's `attributes`. places: line number or DN as the server spells it.
    ids: the server's stable id, or () when the source has none. dns: normalised DNs, or ().
    refs: the refs of core.people by which groups of this source name the entry, NUL-joined, or ().
    disabled: true where the directory says the account is disabled, or ().
    groups: for people, the `ref_dn` of each group that the entry itself says it is in, or ().
    members: for groups, each entry's member refs; () for people and for CSV (one row per membership).
    wanted: for groups, false where the entry was only read to expand nesting; () means all are wanted.
    """

    rows: Sequence[Sequence[Cell]]
    places: Sequence[Place]
    ids: Sequence[str] = ()
    dns: Sequence[str] = ()
    refs: Sequence[str] = ()
    disabled: Sequence[bool] = ()
    groups: Sequence[Sequence[str]] = ()
    members: Sequence[Sequence[str]] = ()
    wanted: Sequence[bool] = ()


class Feed(Protocol):
    """One pass over the entries of a source."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of the cells, as the source spells them; known before the first batch."""

    def __iter__(self) -> Iterator[Batch]:
        """Yields batches and ends only when the read is proven complete; else raises SourceError.

        Whatever the network or the file holds, no other exception leaves here but Stopped.
        """

    def proof(self) -> Proof:
        """The proof; only after the iteration has ended."""


class Source(Protocol):
    """Where people come from. Opening, reading and closing happen in one thread."""

    @property
    def name(self) -> str:
        """The source's name in the settings."""

    def people(self) -> Feed: ...

    def groups(self) -> Feed | None:
        """None when no groups are configured (or they come from a column of the people)."""

    def close(self) -> None:
        """May be called at any time, also twice."""


class Delta(NamedTuple):
    """What a directory says has changed among people, or among groups.

    touched: id -> DN of entries that are new or changed. gone: ids of entries that are no more. present: ids of
    everybody who is still there, when the server lists them: whoever is not among them is gone; else None.
    """

    touched: Mapping[str, str]
    gone: frozenset[str]
    present: frozenset[str] | None = None

    def __bool__(self) -> bool:
        return bool(self.touched or self.gone or self.present is not None)


class Changes(NamedTuple):
    """What has changed since a cookie, and the cookie to go on from.

    Where members are linked, also of entries that are neither people nor groups: moved, the ids of those that are
    new or have another name; lost, the refs by which groups named those that are no more.
    """

    cookie: str
    people: Delta
    groups: Delta
    moved: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.people or self.groups)


class Follower(Protocol):
    """A source whose changes can be followed. Used in one thread, like its source.

    Everything raises SourceError or Stopped as a feed does, and Doubt when everything must be read instead. Ids are
    those of the feeds' batches. A cookie is a text that only the follower understands.
    """

    @property
    def primary(self) -> bool:
        """Whether people may be in a group by what their own entry says."""

    @property
    def nested(self) -> bool:
        """Whether members of a group's groups count as its members."""

    @property
    def server(self) -> str:
        """Who told the changes, for people to read. Only after `since`."""

    @property
    def linked(self) -> bool:
        """Whether a move or the end of somebody changes groups without the groups being told of as changed."""

    def try_out(self) -> None:
        """Returns when the directory would tell what has changed; else Doubt says why it would not."""

    def start(self) -> None:
        """Before a full read: notes where the directory stands."""

    def cookie(self) -> str:
        """After that read: the cookie. Whatever changed during the read counts as changed since."""

    def since(self, text: str, most: int) -> Changes:
        """What has changed since a cookie; Doubt when it is more than `most` entries, or cannot be proven."""

    def people(self, dns: Sequence[str]) -> Feed:
        """Those of the entries that the people's feed would give, read again. Only after `since`."""

    def groups(self, dns: Sequence[str]) -> Feed:
        """Those of the entries that the groups' feed would give, read again. Only after `since`."""

    def answers(self, ref: str) -> bool:
        """Whether the group with this ref may be somebody's primary group. Only after `since`."""

    def groups_of(self, _ids: Iterable[str]) -> list[str]:
        """Where members are linked: the normalised DNs of the groups that these entries are in."""

    def there(self, ids: Iterable[tuple[str, str]]) -> None:
        """Returns when each of these entries (id, DN) is in the directory, whether in a feed or not; else Doubt."""


class Target(Protocol):
    """Where people are delivered. May be called from several threads at once.

    A call retries within its own budget and returns a valid answer, or raises TargetError
    (`maybe_applied` when the request may have been carried out), CredentialsError or Stopped.
    The upserts are idempotent: the same records may be sent again at any time.
    """

    def upsert_people(self, people: Sequence[Person]) -> Answer: ...

    def upsert_groups(self, groups: Sequence[Grouping]) -> Answer: ...

    def synchronize_people(self, people: Sequence[Person]) -> Answer:
        """Replaces the whole set of people. Never split, never retried after a doubtful answer."""

    def synchronize_groups(self, groups: Sequence[Grouping]) -> Answer: ...


class AccessSource(Protocol):
    """Where access to a customer's applications and twins is read."""

    def places(self) -> Sequence[AccessPlace]:
        """Every place the settings name; nothing is asked for."""

    def read(self, place: AccessPlace) -> Snapshot:
        """Everybody with access to one place, whole. Raises TargetError, CredentialsError or Stopped."""


class Registrar(Protocol):
    """Where people are registered with 3D printers. A registration is not idempotent."""

    def register(self, printer: str, email: str) -> Issued | Unregistered:
        """Asks once. Raises TargetError (`maybe_applied`: there may be a registration), CredentialsError or Stopped."""
