"""What in an access report needs a person's eye: a sentence, how much it weighs, and the next step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import compress

from rosterd.core.access import (
    APPLICATION,
    DISABLED,
    GONE,
    KNOWN,
    PRINTER,
    SERVICE,
    SEVERITIES,
    STRANGER,
    TWIN,
    UNCLEAR,
    Finding,
    Grant,
)

_POWERFUL = ("owner", "manage", "manager", "admin")  # levels that let their holder change who has access
_NOTHING = "none"  # a level of Tandem that grants nothing


@dataclass(frozen=True)
class Context:
    """What the findings are drawn from besides the grants.

    managers: keys of those who may own and manage (None: no such group is named). refused: (key, name, reason) of
    people whom Orbix refused. codes: (printer, its name, e-mail, "waiting" or "doubt"). outside: an address by the
    Autodesk id, of nobody known. seen: when a finding was first seen, by its id (ISO 8601); `now` for the others.
    """

    now: str
    manager_group: str = ""
    managers: frozenset[str] | None = None
    refused: Iterable[tuple[str, str, str]] = ()
    codes: Iterable[tuple[str, str, str, str]] = ()
    outside: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[str, str] = field(default_factory=dict)


class _Loud(dict[str, bool]):
    """Whether a level lets its holder change who has access."""

    def __missing__(self, level: str) -> bool:
        loud = self[level] = level.casefold() in _POWERFUL
        return loud


def telling(
    page: Sequence[Sequence[str]], double: AbstractSet[str], loud: dict[str, bool]
) -> Iterator[Grant]:
    """Of a page of grants those that a finding may come of; most are somebody known who manages nothing.

    The page is the columns of Grant, so that no row is made of the others.
    """
    found = dict(zip(Grant._fields, page, strict=True))
    tells = [
        verdict != KNOWN or loud[level]
        for verdict, level in zip(found["verdict"], found["level"], strict=True)
    ]
    if double:
        who = zip(tells, found["person"], found["email"], strict=True)
        tells = [tell or person in double or email.casefold() in double for tell, person, email in who]
    return map(Grant._make, compress(zip(*page, strict=True), tells))


def find(
    pages: Iterable[Sequence[Sequence[str]]], double: AbstractSet[str], context: Context
) -> list[Finding]:
    """All findings, the heaviest first, then in the order of the grants: pages of them, by columns.

    `double`: see core.join.Index.
    """
    found: list[Finding] = []
    owners: dict[str, list[Grant]] = {}
    ids: dict[str, dict[str, str]] = {}  # a key or an address -> Autodesk id -> a place
    loud = _Loud()
    for grant in (grant for page in pages for grant in telling(page, double, loud)):
        if grant.level.casefold() == _NOTHING:
            continue
        if grant.kind == APPLICATION and grant.level.casefold() == "owner":
            owners.setdefault(grant.place_id, []).append(grant)
        found += _of_grant(grant, loud[grant.level], context)
        who = grant.person or grant.email.casefold()
        if who in double and grant.subject:
            ids.setdefault(who, {}).setdefault(grant.subject, grant.place)
    for own in owners.values():
        found += _ownerless(own, context)
    found += _doubles(ids, context)
    found += _of_people(context)
    found += _of_codes(context)
    unique = {finding.id: finding for finding in found}
    return sorted(unique.values(), key=lambda finding: SEVERITIES.index(finding.severity))


def _finding(
    context: Context, severity: str, kind: str, about: tuple[str, ...], said: tuple[str, str],
    person: str = "", place: str = "",
) -> Finding:  # fmt: skip
    identity = hashlib.blake2b(
        "\0".join((kind, *about)).encode("utf-8", "replace"), digest_size=8
    ).hexdigest()
    return Finding(identity, severity, kind, *said, context.seen.get(identity, context.now), person, place)


def _who(grant: Grant) -> str:
    """Somebody as the service names them: name and address, as far as there are any."""
    if grant.name and grant.email:
        return f"{grant.name} ({grant.email})"
    return grant.name or grant.email or f"user {grant.subject}"


def _where(grant: Grant) -> str:
    words = {APPLICATION: "the application", TWIN: "the twin", PRINTER: "the 3D printer"}
    return f"{words[grant.kind]} {grant.place}"


_REMOVE = {
    APPLICATION: "Remove them under Collaborators of this application in the APS developer portal.",
    TWIN: "Remove them under Users of this twin in Tandem.",
    PRINTER: "Remove them from this printer in its own portal.",
}


def _of_grant(grant: Grant, powerful: bool, context: Context) -> Iterator[Finding]:
    about = (grant.kind, grant.place_id, grant.subject or grant.email.casefold())
    level = f" ({grant.level})" if grant.kind == PRINTER else f" as {grant.level}" if grant.level else ""
    at = {"person": grant.person, "place": grant.place}
    if grant.verdict == GONE:
        said = f"{_who(grant)} has left and still has access to {_where(grant)}{level}.", _REMOVE[grant.kind]
        yield _finding(context, "high", "access-left", about, said, **at)
    elif grant.verdict == DISABLED:
        said = (
            f"{_who(grant)} is disabled in the directory and has access to {_where(grant)}{level}.",
            (f"If the account stays disabled: {_REMOVE[grant.kind][0].lower()}{_REMOVE[grant.kind][1:]}"),
        )
        yield _finding(context, "high" if powerful else "medium", "access-disabled", about, said, **at)
    elif grant.verdict == STRANGER:
        hint = f" Perhaps it is {grant.possibly}, by the name." if grant.possibly else ""
        if not grant.email:
            hint = f" Elsewhere the same user has the address {context.outside[grant.subject]}.{hint}"
        said = (
            f"{_who(grant)} is not in the directory and has access to {_where(grant)}{level}.{hint}",
            "Ask who invited them; if nobody needs it, "
            + _REMOVE[grant.kind][0].lower()
            + _REMOVE[grant.kind][1:],
        )
        yield _finding(context, "high" if powerful else "medium", "stranger", about, said, **at)
    elif grant.verdict == UNCLEAR:
        hint = f" By the name it may be {grant.possibly}." if grant.possibly else ""
        why = (
            "there is no e-mail address to check" if not grant.email else "the directory was never read whole"
        )
        said = (
            f"Who {_who(grant)} with access to {_where(grant)}{level} is cannot be told: {why}.{hint}",
            "Look the user up by hand." if not grant.email else "See the sources of this report.",
        )
        yield _finding(context, "low", "unchecked", about, said, **at)
    outside = context.managers is not None and grant.person not in context.managers
    if powerful and outside and grant.verdict not in (SERVICE, GONE):
        said = (
            f"{_who(grant)} can manage {_where(grant)}{level} and is not in the group {context.manager_group}.",
            f"Lower their level there, or add them to {context.manager_group}.",
        )
        yield _finding(context, "medium", "manager-outside", about, said, **at)


def _ownerless(owners: list[Grant], context: Context) -> Iterator[Finding]:
    """An application whose only owner has left can be given to nobody else by anybody."""
    if len(owners) == 1 and owners[0].verdict in (GONE, DISABLED):
        owner = owners[0]
        state = "has left" if owner.verdict == GONE else "is disabled"
        said = (
            f"The only owner of {_where(owner)}, {_who(owner)}, {state}.",
            "Let them transfer the ownership while they can still sign in, or ask Autodesk's support.",
        )
        at = {"person": owner.person, "place": owner.place}
        yield _finding(context, "high", "owner-left", (owner.kind, owner.place_id), said, **at)


def _doubles(ids: dict[str, dict[str, str]], context: Context) -> Iterator[Finding]:
    for who, places in ids.items():
        if len(places) > 1:
            several = ", ".join(f"{subject} ({place})" for subject, place in sorted(places.items())[:5])
            said = (
                f"{who} has {len(places)} Autodesk accounts: {several}.",
                "Find out which one is in use, and remove the others' access.",
            )
            yield _finding(context, "low", "double", (who,), said, person=who if "//" in who else "")


def _of_people(context: Context) -> Iterator[Finding]:
    for key, name, reason in context.refused:
        said = (
            f"{name or key} is in the directory and cannot print: Orbix refused the record ({reason.rstrip('.')}).",
            "Mend the record in the directory; it is sent again as soon as it changes.",
        )
        yield _finding(context, "medium", "refused", (key,), said, person=key)


def _of_codes(context: Context) -> Iterator[Finding]:
    for printer, name, email, state in context.codes:
        if state == "doubt":
            said = (
                f"Whether {email} was registered with the 3D printer {name} is not known: the answer was lost.",
                "Look in the printer's own portal, then: rosterd codes --again KEY, or --handed-out KEY.",
            )
            yield _finding(context, "medium", "code-in-doubt", (printer, email), said, place=name)
        else:
            said = (
                f"The registration code of {email} for the 3D printer {name} was never handed out.",
                "rosterd codes shows it; --handed-out KEY ticks it off.",
            )
            yield _finding(context, "low", "code-waiting", (printer, email), said, place=name)
