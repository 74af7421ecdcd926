"""A logon that changed in the directory: Orbix cannot rename, so the new key is a person and the old one a leaver.

Both are told as one thing: the stable id (objectGUID, entryUUID …) stays with the entry, so somebody who goes and
somebody who comes with the same id of the same source are one person. Orbix hears the same as without this.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from rosterd.core.merge import align
from rosterd.core.plan import PERSON, Change
from rosterd.draft import EXAMPLES, ChangeLog, Plan
from rosterd.roster import Sorter, merged

_Identified: TypeAlias = tuple[str, str]  # source and id joined by NUL, the key as shown


def find_renames(plan: Plan) -> None:
    """Notes in the plan which leavers have a successor. Both streams are sorted by id, so nothing is held."""
    if not plan.gone.count or not plan.people.count:
        return
    left, come = _identified(plan.gone), _identified(plan.people)
    for old, new in align(merged([left]), merged([come])):
        for was, becomes in _pairs(old, new):
            plan.renamed += 1
            if len(plan.successors) < EXAMPLES:
                plan.successors[was] = becomes
    left.close()
    come.close()


def _identified(log: ChangeLog) -> Sorter[_Identified]:
    found: Sorter[_Identified] = Sorter()
    for chunk in log:
        found.add([(_identity(change), change.shown) for change, _ in chunk if _is_identified(change)])
    return found


def _is_identified(change: Change) -> bool:
    return change.kind == PERSON and bool(change.provenance[1])


def _identity(change: Change) -> str:
    source, identity, _ = change.provenance
    return f"{source}\0{identity}"


def _pairs(old: list[_Identified], new: list[_Identified]) -> Iterator[tuple[str, str]]:
    """Old and new key of each id that one leaver and one other person have; an id that several have tells nothing."""
    if not old or not new:
        return
    came = _single(new)
    for identity, shown in _single(old).items():
        if identity in came:
            yield shown, came[identity]


def _single(rows: list[_Identified]) -> dict[str, str]:
    grouped = ((identity, [shown for _, shown in same]) for identity, same in groupby(rows, itemgetter(0)))
    return {identity: shown[0] for identity, shown in grouped if len(shown) == 1}
