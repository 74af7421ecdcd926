"""Some entries by their names, as far as they lie within a search: how changed ones are read again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from rosterd.errors import SourceError
from rosterd.sources.ldap import ber
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.dn import normalise_dn, parent, within
from rosterd.sources.ldap.pages import Page, Tally
from rosterd.sources.ldap.results import SUCCESS, failure, printable
from rosterd.sources.ldap.session import Session

NO_SUCH_OBJECT = 32
AT_ONCE = 200  # entries of one page

Place: TypeAlias = tuple[str, str, str]  # base, scope and filter of the search they must lie within


def read_some(
    session: Session, dns: Sequence[str], place: Place, asked: Sequence[str], tally: Tally
) -> Iterator[Page]:
    """Those of the entries that the search would find, in pages. Raises SourceError or Stopped."""
    base, scope, filter_text = place
    page: Page = []
    for dn in dns:
        if not lies_in(dn, base, scope):
            continue
        search = compile_search(dn, "base", filter_text, asked)
        answer = session.collect(session.ask(search), 1)
        if answer.done.code == NO_SUCH_OBJECT:
            continue
        if answer.done.code != SUCCESS:
            raise failure(f"reading {printable(dn)} again", answer.done.code, answer.done.message)
        if answer.references:
            raise SourceError(f"{printable(dn)} lies on another server, which is never followed")
        tally.add(answer)
        page += [
            entry for entry in answer.entries if not dn.startswith("<") or lies_in(_name(*entry), base, scope)
        ]
        if len(page) >= AT_ONCE:
            yield page
            page = []
    if page:
        yield page


def _name(message: bytes, start: int, end: int) -> str:
    """The DN of an entry."""
    first, last = ber.expect(message, start, end, ber.OCTETS)
    return message[first:last].decode("utf-8", "replace")


def lies_in(dn: str, base: str, scope: str) -> bool:
    """Whether an entry lies where a search looks; `dn` may be a `<GUID=…>`, which only the server can tell."""
    if dn.startswith("<"):
        return True
    name, root = normalise_dn(dn), normalise_dn(base)
    if scope == "base":
        return name == root
    if not within(name, root):
        return False
    return scope == "subtree" or (name != root and parent(name) == root)
