"""The join: whose access is it?

1. One pass over the holders: which addresses and names occur, and which addresses one Autodesk id is seen with.
2. One pass over the people, keeping only those whom an address or a name could mean.
3. Then every holder becomes a grant, row by row, as often as somebody asks: nothing is held twice.

A person is recognised by an Autodesk id seen with one of the person's addresses, and by an address of the entry's
own. A name is never more than a hint. Nothing is concluded from absence when the directory is not known whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from rosterd.core.access import (
    BEST_FIRST,
    DISABLED,
    GONE,
    KNOWN,
    LEFT,
    OFF,
    SERVICE,
    STRANGER,
    UNCLEAR,
    Account,
    Grant,
)
from rosterd.core.people import fold

# Autodesk's service accounts have addresses of this domain; they are no people.
_SERVICES = "adskserviceaccount.autodesk.com"


class Held(NamedTuple):
    """One holder of one place; see core.access.Holder and Place."""

    kind: str
    place_id: str
    place: str
    subject: str
    name: str
    email: str
    level: str
    via: str
    since: str
    group: bool


@dataclass
class Index:
    """Whom addresses, ids and names may mean. Values are (key as shown, directory state)."""

    by_email: dict[str, tuple[str, str]] = field(default_factory=dict)
    by_subject: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    by_name: dict[str, str] = field(default_factory=dict)
    whole: bool = True  # every source of the directory was read whole at least once


def index(holders: Iterable[Held], people: Iterable[Account], *, whole: bool) -> Index:
    """Passes 1 and 2. `whole`: whether absence from `people` means anything."""
    subjects: dict[str, set[str]] = {}
    names: set[str] = set()
    emails: set[str] = set()
    for held in holders:
        if held.email:
            email = held.email.casefold()
            emails.add(email)
            if held.subject:
                subjects.setdefault(held.subject, set()).add(email)
        if held.name:
            names.add(held.name)
    folded = {_name(name) for name in names}
    found = Index(whole=whole)
    for person in people:
        who = (person.shown, person.state)
        for email in person.emails.split("\n"):
            if email in emails and _better(who, found.by_email.get(email)):
                found.by_email[email] = who
        if person.name and (name := _name(person.name)) in folded:
            found.by_name.setdefault(name, person.shown)
    for subject, seen in subjects.items():
        meant = {found.by_email[email] for email in seen if email in found.by_email}
        found.by_subject[subject] = meant.pop() if len(meant) == 1 else None
    return found


def _better(who: tuple[str, str], than: tuple[str, str] | None) -> bool:
    """Of several people with one address the one who is present is meant: somebody who returned, for instance."""
    return than is None or BEST_FIRST[who[1]] < BEST_FIRST[than[1]]


def _name(text: str) -> str:
    """A name for comparison: without regard to case, order of its parts or punctuation."""
    return " ".join(sorted(fold(text).replace(",", " ").split()))


def grants(holders: Callable[[], Iterable[Held]], found: Index) -> Iterator[Grant]:
    """Pass 3: every holder as a grant, in the order of the holders."""
    by_email, by_subject = found.by_email, found.by_subject
    for held in holders():
        kind, place_id, place, subject, name, email, level, via, since, group = held
        who = by_email.get(email.casefold()) if email else None
        matched = "e-mail" if who else ""
        if who is None and (who := by_subject.get(subject)) is not None:
            matched = "id"
        possibly = ""
        if who is not None:
            person, state = who
            verdict = GONE if state == LEFT else DISABLED if state == OFF else KNOWN
        else:
            person = ""
            verdict = _unknown(email, group, found.whole)
            if verdict is not SERVICE and name:
                possibly = found.by_name.get(_name(name), "")
        yield Grant(
            kind, place, place_id, subject, name, email, level, via, since, person, verdict, matched, possibly
        )


def _unknown(email: str, group: bool, whole: bool) -> str:
    if group or email.casefold().endswith(_SERVICES):
        return SERVICE
    return STRANGER if email and whole else UNCLEAR
