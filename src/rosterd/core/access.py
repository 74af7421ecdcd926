"""Who has access where: the values an access report is made of.

A report's people and grants may be many: they are read once, in order, and never held twice. Whoever writes a
report iterates `people` and `grants` as often as it likes; each pass gives the same rows in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

# What kind of place a grant gives access to.
APPLICATION = "application"  # an Autodesk application, seen through its collaborators
TWIN = "twin"  # a Tandem twin
PRINTER = "printer"  # a shared 3D printer

# Verdicts on a grant.
KNOWN = "known"  # somebody in the directory
GONE = "left"  # was in the directory, has gone
DISABLED = "disabled"  # in the directory, the account is disabled there
STRANGER = "stranger"  # an e-mail address that the directory does not have
SERVICE = "service or group"  # no person: a group entry, or an application
UNCLEAR = "cannot tell"  # no e-mail to check, and the same user is seen nowhere with one
VERDICTS = (KNOWN, GONE, DISABLED, STRANGER, SERVICE, UNCLEAR)

SEVERITIES = ("high", "medium", "low")

# States of somebody in the directory.
PRESENT, OFF, OUTSIDE, FAULTY, LEFT = "active", "disabled", "excluded", "set aside", "left"
BEST_FIRST = {PRESENT: 0, OUTSIDE: 1, FAULTY: 2, OFF: 3, LEFT: 4}


class Place(NamedTuple):
    """A place whose access is read. id: as the service knows it; name: as people call it."""

    kind: str
    id: str
    name: str


def called(name: str, id_: str) -> str:
    """A place as people call it, with its id where that is something else."""
    return f"{name} ({id_})" if name and name != id_ else id_


class Holder(NamedTuple):
    """Somebody who has access to a place, as its service says it; empty where it says nothing.

    subject: the id at Autodesk. group: whether the entry is itself a group. via: the group that grants the access.
    """

    subject: str
    name: str
    email: str
    level: str
    via: str = ""
    since: str = ""
    group: bool = False


class Snapshot(NamedTuple):
    """Everybody with access to one place, read whole. consistent: false when it changed while it was read."""

    holders: Sequence[Holder]
    consistent: bool = True


class Account(NamedTuple):
    """Somebody as the directory shows or showed them. emails: case-folded, one a line. state: see PersonRow."""

    key: bytes
    shown: str
    name: str
    emails: str
    state: str
    note: str
    source: str


class PlaceState(NamedTuple):
    """A place that was read for the report, or could not be: then its last whole state stands, with its time.

    kind: "directory", "orbix", "application", "twin" or "printer". state: "whole", "stale" or "never".
    time: when that state was read (ISO 8601, UTC), "" for never. consistent: false when it changed while read.
    """

    kind: str
    id: str
    name: str
    state: str
    time: str
    reason: str
    entries: int
    consistent: bool = True


class PersonRow(NamedTuple):
    """Somebody in the directory, or who was.

    key: `NDD//carlos.silva`. directory: "active", "disabled", "excluded", "set aside" or "left".
    orbix: "delivered", "waiting", "refused", "set aside", "left" or "never". note: the reason of either, or "".
    """

    key: str
    name: str
    emails: tuple[str, ...]
    directory: str
    orbix: str
    groups: tuple[str, ...] = ()
    note: str = ""


class Grant(NamedTuple):
    """Somebody's access to one place.

    person: the key of the person it belongs to, or "". matched: how it was recognised: "id", "e-mail" or "".
    possibly: the key of somebody of the same name, never more than a hint. subject: the id at Autodesk.
    level: as the service says it ("OWNER", "Manage", "level:3"). via: the group that grants it, or "".
    """

    kind: str
    place: str  # the place's name as people call it
    place_id: str
    subject: str
    name: str
    email: str
    level: str
    via: str
    since: str
    person: str
    verdict: str
    matched: str
    possibly: str


class Finding(NamedTuple):
    """What needs a person's eye. `id` is stable from report to report; first_seen is ISO 8601, UTC."""

    id: str
    severity: str
    kind: str
    sentence: str
    next_step: str
    first_seen: str
    person: str = ""
    place: str = ""


class LeaverRow(NamedTuple):
    """What must be removed in the Orbix portal by hand. kind: "person", "group" or "seat"."""

    kind: str
    key: str
    name: str
    email: str
    group: str
    since: str


class ReportChange(NamedTuple):
    """A difference to the last report. op: "added", "removed" or "changed"; what: "grant" or "finding"."""

    op: str
    what: str
    sentence: str
    person: str = ""
    place: str = ""


class TrendPoint(NamedTuple):
    """The counts of one report; time is ISO 8601, UTC."""

    time: str
    people: int
    grants: int
    strangers: int
    left: int
    findings: int


@dataclass(frozen=True)
class AccessReport:
    """One customer's access report, ready to be written in any format."""

    customer: str
    client: str
    made: str  # ISO 8601, UTC
    complete: bool
    sources: Sequence[PlaceState] = ()
    people: Iterable[PersonRow] = ()
    grants: Iterable[Grant] = ()
    findings: Sequence[Finding] = ()
    leavers: Sequence[LeaverRow] = ()
    changes: Sequence[ReportChange] = ()
    trend: Sequence[TrendPoint] = ()  # the oldest first, the last one is this report's own
    counts: dict[str, int] = field(default_factory=dict)  # people, grants, and grants by verdict
