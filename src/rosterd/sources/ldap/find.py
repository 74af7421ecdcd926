"""One person's entry in a directory, found by its name or by what its attributes hold: how somebody is explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rosterd.core.doors import Batch
from rosterd.sources.filters import escape, is_attribute
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import Warnings
from rosterd.sources.ldap.domains import NETBIOS
from rosterd.sources.ldap.feeds import people_batch, people_layout
from rosterd.sources.ldap.results import SIZE_LIMIT, SUCCESS, failure
from rosterd.sources.ldap.rows import Rows
from rosterd.sources.ldap.session import Session, paged
from rosterd.sources.ldap.some import NO_SUCH_OBJECT, Place, lies_in
from rosterd.sources.settings import LdapSettings

MOST = 10  # entries shown
ANY = "(objectClass=*)"


def find(
    source: str, settings: LdapSettings, attributes: Sequence[str], session: Session, dn: str,
    named: Sequence[tuple[str, str]],
) -> tuple[Batch, bool]:  # fmt: skip
    """The entry called `dn`, or else those with one of these (attribute, value): the first few.

    The flag is false for entries that are there, but that the search for people passes by. Raises SourceError, Stopped.
    """
    warnings = Warnings()
    layout = people_layout(settings, attributes, warnings)
    batch = people_batch(source, settings, session, attributes, {}, warnings)
    rows = Rows(layout)
    for (base, scope, filter_text), inside in _places(settings, dn, named):
        search = compile_search(base, scope, filter_text, layout.asked, MOST)
        answer = session.collect(session.ask(search, paged(MOST, b"")), MOST)
        if answer.done.code not in (SUCCESS, SIZE_LIMIT, NO_SUCH_OBJECT):
            raise failure(f"looking under {base!r}", answer.done.code, answer.done.message)
        if answer.entries:
            return batch(rows.block(answer.entries, lambda _entry: None)), inside
    return Batch([], []), True


def _places(
    settings: LdapSettings, dn: str, named: Sequence[tuple[str, str]]
) -> Iterator[tuple[Place, bool]]:
    """Where to look, one after the other, and whether people are looked for there."""
    people, base = settings.people, settings.people.base or settings.base
    if dn and lies_in(dn, base, people.scope):
        yield (dn, "base", people.filter), True
    if dn:
        yield (dn, "base", ANY), False
    tests = [(name, value) for name, value in named if is_attribute(name) and name.lower() != NETBIOS]
    if tests:
        either = f"(|{''.join([f'({name}={escape(value)})' for name, value in tests])})"
        yield (base, people.scope, f"(&{people.filter}{either})"), True
        yield (settings.base, "subtree", either), False
