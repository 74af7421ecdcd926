"""A plan in the making: what planning is told, what it collects, and what it asks the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from rosterd.core.access import Account
from rosterd.core.people import NUL
from rosterd.core.plan import KINDS, Change, Digest, Facts, Tally, created_of
from rosterd.grouping import KnownEdge
from rosterd.membership import Seat
from rosterd.roster import BLOCK, Sorter, Spill, merged

EXAMPLES = 1_000  # records listed in documents; the counts are exact all the same

KnownSeat: TypeAlias = tuple[bytes, str, str]  # key, source, state
KnownGroup: TypeAlias = tuple[bytes, str, str, str, str, str]  # key, name, description, source, id, state


class PlanningLedger(Protocol):
    """What planning reads from a ledger; see ledger.reading."""

    def lines(self, binding: int) -> Iterator[list[str]]: ...
    def groups(self, binding: int) -> list[KnownGroup]: ...
    def seats(self, binding: int) -> Iterator[list[KnownSeat]]: ...
    def edges(self, binding: int) -> Iterator[list[KnownEdge]]: ...
    def refusals(
        self, binding: int, kind: str, low: bytes, high: bytes
    ) -> dict[bytes, tuple[str, str, float]]: ...
    def has_refusals(self, binding: int) -> bool: ...
    def approvals(
        self, binding: int, kind: str, low: bytes, high: bytes, now: float
    ) -> set[tuple[bytes, str]]: ...
    def has_approvals(self, binding: int, now: float) -> bool: ...
    def active_seats(self, binding: int, group: bytes) -> int: ...
    def shown(self, binding: int, keys: Sequence[bytes]) -> dict[bytes, str]: ...
    def accounts(self, binding: int) -> Iterator[list[Account]]: ...
    def registration_states(self, binding: int) -> dict[bytes, str]: ...


@dataclass(frozen=True)
class Terms:
    """What planning is told besides the records. `retry_before`: refusals tried earlier than this are tried again."""

    binding: int
    identity: tuple[str, str, str]  # base URL, tenant, client: an approval is for this target only
    now: float
    retry_before: float
    precedence: tuple[str, ...] = ()
    frozen: frozenset[str] = frozenset()  # sources that could not be read
    read: frozenset[str] = frozenset()  # sources that were read whole
    flat: frozenset[str] = frozenset()  # sources that do not expand nested groups
    aside_shared: frozenset[str] = frozenset()  # sources with shared_email = "set_aside"
    additive: bool = False

    access: bool = False  # access elsewhere is recognised by the accounts of the directory
    printers: tuple[
        tuple[str, str], ...
    ] = ()  # 3D printers, each with the group whose members are registered

    beside: Mapping[bytes, int] = field(
        default_factory=dict
    )  # groupings of which only some seats are looked at -> how many others they have
    only: tuple[str, ...] = ()
    people_labels: Mapping[str, str] = field(
        default_factory=dict
    )  # source -> how its people's file is called
    group_labels: Mapping[str, str] = field(default_factory=dict)
    progress: Callable[[str, int], None] = lambda _what, _count: None

    def stands(self, tried: float) -> bool:
        """Whether a refusal of that time still holds a record back; one from the future was noted by a wrong clock."""
        return self.retry_before <= tried <= self.now

    def holds_back(self, sources: str) -> bool:
        """Whether a known record belongs to a source that could not be read; one of nobody's may do so, too.

        So may one of a source that the settings no longer name: the unread one may have had that name.
        """
        return bool(self.frozen) and not self.read.issuperset(sources.split(","))

    def unread(self, sources: str) -> str:
        """Why a record that is held back stays as it is."""
        if self.frozen.isdisjoint(sources.split(",")):
            unread = ", ".join(sorted(self.frozen))
            return (
                f"came from {sources or 'a run that was cut off'}, perhaps {unread}, which could not be read"
            )
        return f"belongs to the source {sources}, which could not be read"

    def told_by(self, sources: str, known: str) -> str:
        """Who tells of a record now: with those of the known sources that could not be read, and may do so still."""
        unread = self.frozen.intersection(known.split(","))
        return ",".join(sorted(unread.union(sources.split(",")))) if unread else sources


# sort key, kind, key, bucket, as shown, reason, place
Problem: TypeAlias = tuple[bytes, str, bytes, str, str, str, str]


class ChangeLog:
    """Changes in key order in a temporary file, each with whether an approval covers it.

    People whom nobody knew yet stay the lines they are (see core.people) until they are sent: of a first delivery
    there may be a million.
    """

    def __init__(self, *, digested: bool = True) -> None:
        self._digest = Digest() if digested else None
        self._spill: Spill[tuple[Any, ...]] = Spill()
        self._places: list[tuple[tuple[int, int], bool]] = []  # and whether there lie lines
        self.count = 0
        self.approved = 0

    def add(self, rows: list[tuple[Change, bool]]) -> None:
        for start in range(0, len(rows), BLOCK):  # a slice at once would be held four times over
            block = rows[start : start + BLOCK]
            self._places.append(
                (self._spill.write([(approved, *change) for change, approved in block]), False)
            )
            if self._digest is not None:
                self._digest.feed([change for change, _ in block])
        self.count += len(rows)
        self.approved += sum(approved for _, approved in rows)

    def add_created(self, lines: list[str]) -> None:
        """People to create, none of them approved."""
        for start in range(0, len(lines), BLOCK):
            block = lines[start : start + BLOCK]
            self._places.append((self._spill.write([(line,) for line in block]), True))
            if self._digest is not None:
                self._digest.feed_created(block)
        self.count += len(lines)

    def __iter__(self) -> Iterator[list[tuple[Change, bool]]]:
        for place, lines in self._places:
            rows = self._spill.read(place)
            if lines:
                yield [(change, False) for change in created_of([line for (line,) in rows])]
            else:
                yield [(Change(*row[1:]), row[0]) for row in rows]

    def digest(self) -> str:
        """The digest of all changes so far."""
        return self._digest.hexdigest() if self._digest is not None else ""

    def close(self) -> None:
        self._spill.close()


class AccountLog:
    """Accounts that are new or different, and keys of those that have gone, in temporary files."""

    def __init__(self) -> None:
        self._changed: Spill[Account] = Spill()
        self._left: Spill[tuple[bytes]] = Spill()
        self._places: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])

    def add(self, changed: Sequence[Account], left: Sequence[bytes]) -> None:
        if changed:
            self._places[0].append(self._changed.write(list(changed)))
        if left:
            self._places[1].append(self._left.write([(key,) for key in left]))

    def changed(self) -> Iterator[list[Account]]:
        return ([Account(*row) for row in self._changed.read(place)] for place in self._places[0])

    def left(self) -> Iterator[list[bytes]]:
        return ([key for (key,) in self._left.read(place)] for place in self._places[1])

    def close(self) -> None:
        self._changed.close()
        self._left.close()


@dataclass
class Plan:
    """A plan as a value, with everything a run needs to carry it out. Close it to free its temporary files."""

    digest: str = ""
    tallies: dict[str, Tally] = field(default_factory=lambda: {kind: Tally() for kind in KINDS})
    facts: Facts = field(default_factory=Facts)
    people: ChangeLog = field(default_factory=ChangeLog)
    groups: ChangeLog = field(default_factory=ChangeLog)
    seats: ChangeLog = field(default_factory=ChangeLog)
    gone: ChangeLog = field(default_factory=ChangeLog)
    registrations: ChangeLog = field(default_factory=ChangeLog)
    accounts: AccountLog = field(default_factory=AccountLog)
    seats_wanted: Sorter[Seat] = field(default_factory=Sorter)
    touches: Sorter[tuple[bytes, str, bytes, str, str, str]] = field(default_factory=Sorter)
    edges_added: Spill[KnownEdge] = field(default_factory=Spill)
    edges_removed: Spill[KnownEdge] = field(default_factory=Spill)
    edge_places: tuple[list[tuple[int, int]], list[tuple[int, int]]] = field(default_factory=lambda: ([], []))
    problems: Sorter[Problem] = field(default_factory=Sorter)
    reasons: dict[str, Counter[str]] = field(
        default_factory=lambda: {"set_aside": Counter(), "excluded": Counter()}
    )
    warnings: dict[str, int] = field(default_factory=dict)
    dropped: Sorter[tuple[bytes, str, bytes]] = field(default_factory=Sorter)  # refusals that no longer stand
    renamed: int = 0  # leavers whose entry has come back under another key
    successors: dict[str, str] = field(
        default_factory=dict
    )  # old key -> new key, as shown: the first of them
    unsure: set[bytes] = field(
        default_factory=set
    )  # groupings some of whose members only an unread source can name
    beside: Sorter[tuple[bytes]] = field(default_factory=Sorter)  # seats that are there, and not as unchanged
    partial: bool = False  # only some of the seats that are there are counted
    whole: bool = True  # every source was read completely
    found: set[str] = field(default_factory=set)  # names of `--only` that somebody has

    @property
    def logs(self) -> tuple[ChangeLog, ...]:
        return (self.people, self.groups, self.seats, self.gone, self.registrations)

    @property
    def changes(self) -> int:
        return sum(log.count for log in self.logs)

    def close(self) -> None:
        for log in self.logs:
            log.close()
        self.seats_wanted.close()
        self.touches.close()
        self.problems.close()
        self.dropped.close()
        self.beside.close()
        self.edges_added.close()
        self.edges_removed.close()
        self.accounts.close()

    def problem(self, bucket: str, kind: str, key: bytes, shown: str, reason: str, place: str) -> None:
        """A record set aside or standing refused, with its reason."""
        self.problems.add([(kind.encode() + NUL + key, kind, key, bucket, shown, reason, place)])
        if bucket == "set_aside":
            counts = self.reasons[bucket]  # a reason may name its record, so there may be as many of them
            if reason in counts or len(counts) < EXAMPLES:
                counts[reason] += 1

    def drop(self, terms: Terms, kind: str, keys: Iterable[bytes]) -> None:
        """Refusals that no longer stand; those of a source that could not be read are left alone."""
        if not terms.frozen:
            self.dropped.add([(key, kind, key) for key in keys])

    def dropped_rows(self) -> Iterator[tuple[bytes, str, bytes]]:
        for chunk in merged([self.dropped]):
            yield from chunk

    def touch_rows(self) -> Iterator[tuple[str, bytes, str, str, str]]:
        for chunk in merged([self.touches]):
            yield from (row[1:] for row in chunk)

    def standing(self, kind: str) -> set[bytes]:
        """Keys of records that are set aside or stand refused."""
        return {row[2] for chunk in merged([self.problems]) for row in chunk if row[1] == kind}

    def uncounted(self, seats: set[bytes]) -> set[bytes]:
        """Of seats that are there, and of which nothing is to change, those that do not count as unchanged."""
        if self.partial or not seats:
            return seats
        return {key for chunk in merged([self.beside]) for (key,) in chunk if key in seats}

    def set_aside_rows(self) -> Iterator[tuple[str, bytes, str, str]]:
        """kind, key, as shown, reason."""
        for chunk in merged([self.problems]):
            yield from ((row[1], row[2], row[4], row[5]) for row in chunk if row[3] == "set_aside")

    def warn(self, text: str, count: int = 1) -> None:
        if text in self.warnings or len(self.warnings) < EXAMPLES:
            self.warnings[text] = self.warnings.get(text, 0) + count
