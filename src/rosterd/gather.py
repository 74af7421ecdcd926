"""Reading one source whole: entries mapped into sorters, and a proof at the end; or nothing at all.

What a source gave before it failed is thrown away: nothing may be concluded from part of a directory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from rosterd.core.doors import Feed, Follower, Proof, Source
from rosterd.core.people import Row, key_of, wanted_of
from rosterd.emails import SharedEmails
from rosterd.errors import SourceError, Stopped
from rosterd.grouping import Edge, GroupMapper, GroupPlan, Groups, declare_column, own_edges
from rosterd.mapping import PeopleMapper
from rosterd.people_rules import PeoplePlan
from rosterd.roster import Sorter
from rosterd.tap import Tap
from rosterd.templates import Template, missing_columns

ATTEMPTS = 3  # reads of a file that is replaced while it is read

Progress: TypeAlias = Callable[[str, int], None]  # (what is read, how many more)


@dataclass
class SourcePlan:
    """A source with its compiled mapping. `strict`: a column that a template names must exist (CSV)."""

    source: Source
    people: PeoplePlan
    groups: GroupPlan | None
    strict: bool
    people_label: str = ""  # how the file is called in messages
    group_label: str = ""
    follow: Follow | None = None  # when its changes are followed


@dataclass(frozen=True)
class Follow:
    """How a source is followed. `settings`: a fingerprint of everything that decides what is read."""

    follower: Follower
    full_every: float  # seconds
    settings: str


@dataclass
class Gathered:
    """What one source wants, and why that may be believed."""

    name: str
    people: Sorter[Row] = field(default_factory=lambda: Sorter(key=key_of))
    groups: Groups = field(default_factory=Groups)
    edges: Sorter[Edge] = field(default_factory=lambda: Sorter(whole=True))
    belonging: Sorter[Edge] = field(
        default_factory=lambda: Sorter(whole=True)
    )  # edges that people themselves tell
    proofs: list[Proof] = field(default_factory=list)
    warned: dict[str, int] = field(default_factory=dict)

    def close(self) -> None:
        self.people.close()
        self.edges.close()
        self.belonging.close()


def gather(
    plan: SourcePlan, emails: SharedEmails, progress: Progress, stop: threading.Event, tap: Tap | None = None
) -> Gathered:
    """Reads groups, then people. Raises SourceError or Stopped, and then keeps nothing.

    `tap` takes note of what a followed source gave, for one that is never read twice (no file).
    """
    for attempt in range(1, ATTEMPTS + 1):
        if stop.is_set():
            raise Stopped
        found = Gathered(plan.source.name)
        try:
            _groups(plan, found, progress, tap)
            _people(plan, found, emails, progress, tap)
            return found
        except SourceError as error:
            found.close()
            if not error.again or attempt == ATTEMPTS:
                raise
        except BaseException:
            found.close()
            raise
        finally:
            plan.source.close()
    raise AssertionError("unreachable")


def _groups(plan: SourcePlan, found: Gathered, progress: Progress, tap: Tap | None) -> None:
    feed = plan.source.groups() if plan.groups else None
    if feed is None or plan.groups is None:
        return
    _columns(plan, plan.groups.templates, feed)
    mapper = GroupMapper(plan.groups, feed.attributes, found.groups)
    for batch in feed:
        if tap is not None:
            tap.groups(plan.groups, feed.attributes, batch)
        found.edges.add(mapper.map(batch))
        progress(f"{found.name}: groups", len(batch.rows))
    found.proofs.append(feed.proof())


def _people(
    plan: SourcePlan, found: Gathered, emails: SharedEmails, progress: Progress, tap: Tap | None
) -> None:
    feed = plan.source.people()
    _columns(plan, plan.people.templates, feed)
    mapper = PeopleMapper(plan.people, feed.attributes, refs=bool(found.groups.by_key or plan.groups))
    for batch in feed:
        rows = mapper.rows(batch)
        if tap is not None:
            tap.people(batch, rows)
        found.people.add(rows)
        emails.feed([row[4] for row in rows if row[4]])
        if plan.people.groups:
            people = [wanted_of(row) for row in rows]
            found.edges.add(declare_column(found.groups, found.name, mapper.memberships(batch, people)))
        if batch.groups:
            found.belonging.add(own_edges(found.name, batch))
        progress(f"{found.name}: people", len(rows))
    found.proofs.append(feed.proof())
    found.warned = mapper.warned


def _columns(plan: SourcePlan, templates: Sequence[Template], feed: Feed) -> None:
    """A template over a column that is not there would make everybody's field empty: refuse it before reading."""
    missing = missing_columns(templates, feed.attributes) if plan.strict else []
    if missing:
        found = ", ".join(f'"{name}"' for name in feed.attributes if name)
        raise SourceError(
            f'the column "{missing[0]}" is missing (found {found})',
            where=f"source {plan.source.name}",
            hint="mend the header, or the template that names the column",
        )
