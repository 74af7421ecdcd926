"""What people's own entries say of their groups: the primary group, and attributes such as nsRole or memberOf.

A primary group does not list its members: in Active Directory primaryGroupID completes the domain's identifier to
that of the group (MS-ADTS 3.1.1.4.5.25 says how), in RFC 2307 gidNumber is the same in both entries.
Groups are read before people, so a group is found here without asking the server again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rosterd.core.people import ref_dn
from rosterd.sources.ldap.dn import normalise_dn
from rosterd.sources.ldap.flavors import Flavor

# What a group answers to as a primary group -> its refs. Several POSIX groups may share a number.
Primaries = dict[bytes, list[str]]


def note(primaries: Primaries, own: Sequence[bytes], dn: str) -> None:
    """Remembers what a group (by its normalised DN) answers to."""
    for value in own:
        primaries.setdefault(value, []).append(ref_dn(dn))


def belongs(
    flavor: Flavor, primaries: Primaries, sid: Sequence[bytes], primary: Sequence[bytes], named: Sequence[bytes]
) -> tuple[str, ...]:  # fmt: skip
    """The refs of the groups that a person's entry speaks of, each once.

    sid, primary: the values of the flavor's attributes; named: those of the `member_of` attributes.
    """
    found: dict[str, None] = {}
    if primary and primaries:
        for key in _keys(flavor, sid, primary):
            found.update(dict.fromkeys(primaries.get(key, ())))
    for value in named:
        found[ref_dn(normalise_dn(value.decode("utf-8", "replace")))] = None
    return tuple(found)


def _keys(flavor: Flavor, sid: Sequence[bytes], primary: Sequence[bytes]) -> Iterator[bytes]:
    """What the primary group answers to."""
    if not flavor.sid:
        yield primary[0]
    elif sid and primary[0].isdigit() and int(primary[0]) < 1 << 32:
        yield sid[0][:-4] + int(primary[0]).to_bytes(4, "little")
