"""Whether a directory still has its newest data.

A server to which an older copy was put back answers as if nothing had happened, once it has changed again: what was
undone by that is told by nobody. So the entries that were changed last are remembered, each with the mark that the
server has put on that change. As long as nothing is told of one, its mark cannot be an older one.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Final

from rosterd.errors import Doubt
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import parse
from rosterd.sources.ldap.flavors import guid
from rosterd.sources.ldap.results import SUCCESS
from rosterd.sources.ldap.session import Search, Session
from rosterd.sources.ldap.watches import DOMAIN, GROUPS, PEOPLE, Watch, Witness

KEPT = 3  # witnesses; one may change again just after an older copy was put back
NEAR = 50  # changes before the last one, among which the newest entry is looked for

CSN: Final = "entryCSN"  # OpenLDAP's mark: the time and number of a change, compared as text
USN: Final = "uSNChanged"  # Active Directory's: the server's own count of changes (MS-ADTS 3.1.1.1.9)

_LAST = re.compile(rb"csn=([0-9]{14}\.[0-9]{6}Z#[0-9a-f]{6}#[0-9a-f]{3}#[0-9a-f]{6})")


def newest(session: Session, watched: Iterable[Watch]) -> list[Witness]:
    """The entry whose change an OpenLDAP server's cookies speak of, when it is still there and may be read.

    Cookies of other servers speak of none.
    """
    for watch in watched:
        marks = sorted(_LAST.findall(watch.cookie))
        if not marks or watch.kind not in (PEOPLE, GROUPS):
            continue
        mark = marks[-1].decode()
        wanted = f"(&{watch.filter}({CSN}={mark}))"
        for values in _found(session, compile_search(watch.base, watch.scope, wanted, ["entryUUID"])):
            if id_ := values.get("entryuuid", b""):
                return [Witness(watch.kind, str(uuid.UUID(id_.decode("ascii"))), mark)]
    return []


def newest_in_domain(session: Session, root: str, reached: int) -> list[Witness]:
    """The object of a domain that was changed last."""
    wanted = f"({USN}>={max(reached - NEAR, 1)})"
    search = compile_search(root, "subtree", wanted, ["objectGUID", USN])
    found = [
        (int(values[USN.lower()]), guid(values["objectguid"]))
        for values in _found(session, search)
        if values.keys() >= {USN.lower(), "objectguid"}
    ]
    return [Witness(DOMAIN, id_, str(mark)) for mark, id_ in sorted(found)[-1:]]


def heard(session: Session, base: str, kept: Sequence[Witness], told: Iterable[str], mark: str) -> None:
    """Asks every witness of whom nothing was told; Doubt when one is as it was before its change, or is not there."""
    silent = {one.id: one for one in kept}
    for id_ in told:
        silent.pop(id_, None)
    for one in silent.values():
        if mark == USN:
            search = compile_search(f"<GUID={one.id}>", "base", "(objectClass=*)", [mark])
        else:
            search = compile_search(base, "subtree", f"(entryUUID={one.id})", [mark])
        found = [values.get(mark.lower(), b"").decode("ascii") for values in _found(session, search)]
        if not any(_weight(now) >= _weight(one.mark) for now in found):
            raise Doubt("an entry is older than it was, or is not there any more: an older copy was put back")


def remembered(new: Sequence[Witness], kept: Sequence[Witness], gone: Iterable[str]) -> tuple[Witness, ...]:
    """Whom to ask the next time: the newest first, nobody twice, and nobody who is gone."""
    lost = {*gone, *(one.id for one in new)}
    return tuple([*new, *(one for one in kept if one.id not in lost)][:KEPT])


def _weight(mark: str) -> tuple[int, str]:
    """Numbers by their size; the others, which have all one length, as text."""
    return (len(mark) if mark.isdigit() else 0, mark)


def _found(session: Session, search: Search) -> list[dict[str, bytes]]:
    """The first value of each attribute, by lower-case name, of what is found; [] when the server says no."""
    answer = session.collect(session.ask(search), 1 << 16)
    if answer.done.code != SUCCESS:
        return []
    return [
        {name.decode("ascii", "replace").lower(): values[0] for name, values in parse(*entry)[1] if values}
        for entry in answer.entries
    ]
