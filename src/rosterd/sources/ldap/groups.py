"""Members of groups, as the refs by which people and other groups are found."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rosterd.core.people import ref_dn, ref_logon, ref_sid
from rosterd.errors import SourceError
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import Entry, Layout, parse
from rosterd.sources.ldap.dn import normalise_dn
from rosterd.sources.ldap.results import printable
from rosterd.sources.ldap.session import Session

MEMBER_UID = "memberuid"  # RFC 2307: values are logons, not names of entries

_FOREIGN = re.compile(r"cn=(s-1(?:-[0-9]+)+),cn=foreignsecurityprincipals,")
# The optional unique identifier after a uniqueMember's DN (RFC 4517, section 3.3.21), for instance #'0101'B.
_UNIQUE_ID = re.compile(r"#'[01]*'B\Z", re.IGNORECASE)


def by_logon(members: Sequence[str]) -> bool:
    """Does one of these attributes name people by their uid?"""
    return any(name.lower() == MEMBER_UID for name in members)


def member_refs(source: str, members: Sequence[str], values: Sequence[list[bytes]]) -> tuple[str, ...]:
    """The refs in the values of the member attributes, each once, in the server's order.

    Takes the values out of their lists, so that a group of 50,000 is not held twice. An empty value is nobody: it
    stands in groups that their class (RFC 4519, 3.5) does not allow to have no member at all.
    """
    refs: dict[str, None] = {}
    for name, some in zip(members, values, strict=True):
        some.reverse()
        texts = (some.pop().decode("utf-8", "replace") for _ in range(len(some)))
        if name.lower() == MEMBER_UID:
            refs.update((ref_logon(source, text.replace("\0", "")), None) for text in texts if text)
        else:
            refs.update((ref_of(normalise_dn(_bare(text))), None) for text in texts if text)
    return tuple(refs)


def complete(session: Session, layout: Layout, entry: Entry) -> None:
    """Fetches the rest of attributes that came in part (`member;range=0-1499`), or raises SourceError."""
    while entry.ranges:
        name, start = entry.ranges.pop()
        wanted = f"{name};range={start}-*"
        search = compile_search(entry.dn, "base", "(objectClass=*)", [wanted])
        doing = f"reading {name} of {printable(entry.dn)} from value {start:,} on"
        found = session.small(search, 1, doing)
        raw = parse(*found[0])[1] if found else []
        prefix = f"{name.lower()};range={start}-".encode()
        if not any(spelling.lower().startswith(prefix) for spelling, _ in raw):
            raise SourceError(f"{doing}: the server sent something else", hint="the next run reads it again")
        layout.add(entry, raw)
        if any(following <= start for _, following in entry.ranges):
            raise SourceError(
                f"{doing}: the server gives the same values again", hint="ask who runs the server"
            )


def ref_of(dn: str) -> str:
    """How a group names the member with this normalised DN; a stand-in for somebody of another forest
    (MS-ADTS 6.1.1.4.10) by the identifier in it."""
    if dn.startswith("cn=s-1-") and (found := _FOREIGN.match(dn)):
        return ref_sid(found[1].upper())
    return ref_dn(dn)


def _bare(text: str) -> str:
    return _UNIQUE_ID.sub("", text) if text[-1:] in "Bb" and "#'" in text else text
