"""The join: whose access is it?

1. One pass over the identities that hold anything: which addresses and names occur, and which addresses one
   Autodesk id is seen with.
2. One pass over the people, keeping only those whom an address or a name could mean.
3. Then every holder becomes a grant, page by page, as often as somebody asks: nothing is held twice. Whose an
   identity is, is worked out once, however many places it has access to.

A person is recognised by an Autodesk id seen with one of the person's addresses, and by an address of the entry's
own; somebody foreign likewise, who is a stranger also where a place does not say the address. A name is never more
than a hint. Nothing is concluded from absence when the directory is not known whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

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
    Place,
)
from rosterd.core.people import fold

# Autodesk's service accounts have addresses of this domain; they are no people.
_SERVICES = "adskserviceaccount.autodesk.com"

# subject, name, e-mail, whether it is a group: what an entry is recognised by.
Identity: TypeAlias = tuple[str, str, str, bool]
# subject, its number, name, e-mail, group, level, via, since: an entry of one place; see core.access.Holder.
Held: TypeAlias = tuple[str, int, str, str, bool, str, str, str]


@dataclass
class Index:
    """Whom addresses, ids and names may mean. Values are (key as shown, directory state)."""

    by_email: dict[str, tuple[str, str]] = field(default_factory=dict)
    by_subject: dict[str, tuple[str, str] | None] = field(default_factory=dict)
    by_name: dict[str, str] = field(default_factory=dict)
    outside: dict[str, str] = field(
        default_factory=dict
    )  # ids seen with addresses of nobody known: one of them
    double: set[str] = field(default_factory=set)  # keys, and addresses of nobody known, with several ids
    whole: bool = True  # every source of the directory was read whole at least once


def index(identities: Iterable[Identity], people: Iterable[Account], *, whole: bool) -> Index:
    """Passes 1 and 2. `whole`: whether absence from `people` means anything."""
    subjects: dict[str, set[str]] = {}
    names: set[str] = set()
    for subject, name, email, _ in identities:
        subjects.setdefault(subject, set()).add(email.casefold())
        names.add(_name(name))
    emails = {email for seen in subjects.values() for email in seen if email}
    found = Index(whole=whole)
    for person in people:
        who = (person.shown, person.state)
        for email in person.emails.split("\n"):
            if email in emails and _better(who, found.by_email.get(email)):
                found.by_email[email] = who
        if person.name and (name := _name(person.name)) in names:
            found.by_name.setdefault(name, person.shown)
    subjects.pop("", None)
    for subject, seen in subjects.items():
        meant = {found.by_email[email] for email in seen if email in found.by_email}
        if not meant and any(seen):
            found.outside[subject] = min(filter(None, seen))
        found.by_subject[subject] = meant.pop() if len(meant) == 1 else None
    found.double = _double(subjects, found)
    return found


def _double(subjects: dict[str, set[str]], found: Index) -> set[str]:
    ids: dict[str, set[str]] = {}
    for subject, emails in subjects.items():
        for email in filter(None, emails):
            who = found.by_email.get(email)
            ids.setdefault(who[0] if who else email, set()).add(subject)
    return {who for who, several in ids.items() if len(several) > 1}


def _better(who: tuple[str, str], than: tuple[str, str] | None) -> bool:
    """Of several people with one address the one who is present is meant: somebody who returned, for instance."""
    return than is None or BEST_FIRST[who[1]] < BEST_FIRST[than[1]]


def _name(text: str) -> str:
    """A name for comparison: without regard to case, order of its parts or punctuation."""
    return " ".join(sorted(fold(text).replace(",", " ").split()))


class Owners(dict[Identity, tuple[str, str, str, str]]):
    """Whose each identity is: person, verdict, matched, possibly; worked out when it is first asked for."""

    def __init__(self, found: Index) -> None:
        super().__init__()
        self._found = found

    def __missing__(self, identity: Identity) -> tuple[str, str, str, str]:
        owner = self[identity] = _owner(identity, self._found)
        return owner


def _owner(identity: Identity, found: Index) -> tuple[str, str, str, str]:
    subject, name, email, group = identity
    who = found.by_email.get(email.casefold()) if email else None
    matched = "e-mail" if who else ""
    if who is None and (who := found.by_subject.get(subject)) is not None:
        matched = "id"
    if who is not None:
        person, state = who
        return person, GONE if state == LEFT else DISABLED if state == OFF else KNOWN, matched, ""
    verdict = _unknown(email or found.outside.get(subject, ""), group, found.whole)
    possibly = found.by_name.get(_name(name), "") if name and verdict != SERVICE else ""
    return "", verdict, "", possibly


def _unknown(email: str, group: bool, whole: bool) -> str:
    if group or email.casefold().endswith(_SERVICES):
        return SERVICE
    return STRANGER if email and whole else UNCLEAR


def grants(pages: Iterable[tuple[Place, list[Held]]], owners: Owners) -> Iterator[list[Sequence[str]]]:
    """Pass 3: every holder as a grant, in the order of the holders; each page as the columns of core.access.Grant."""
    for (kind, place_id, place), rows in pages:
        if rows:
            subject, _, name, email, group, level, via, since = zip(*rows, strict=True)
            whose = map(owners.__getitem__, zip(subject, name, email, group, strict=True))
            where = [[text] * len(rows) for text in (kind, place, place_id)]
            yield [*where, subject, name, email, level, via, since, *zip(*whose, strict=True)]
