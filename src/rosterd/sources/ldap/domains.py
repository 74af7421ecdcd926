"""The NetBIOS names of Active Directory's domains, which people know as DOMAIN\\logon.

They stand beside the people, in CN=Partitions of the forest's configuration (MS-ADTS 6.1.1.2.1.1), so a template
finds them as an attribute that no person has: {{ nETBIOSName }} is the name of the domain that the entry lies in.
A global catalogue gives the people of a whole forest, each with the name of their own domain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rosterd.core.doors import Cell
from rosterd.errors import SourceError
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import parse
from rosterd.sources.ldap.dn import normalise_dn, parent
from rosterd.sources.ldap.root import root_dse
from rosterd.sources.ldap.session import Session

NETBIOS = "netbiosname"
_MOST = 10_000  # domains of a forest; Microsoft's own limit is 1,200


def places(attributes: Sequence[str]) -> list[int]:
    """Where the cells of the NetBIOS name are."""
    return [at for at, name in enumerate(attributes) if name.lower() == NETBIOS]


def netbios_names(session: Session) -> dict[str, str]:
    """The NetBIOS name of each domain of the forest, by the domain's normalised name. Raises SourceError."""
    found: dict[str, str] = {}
    for configuration in root_dse(session).get("configurationnamingcontext", []):
        search = compile_search(
            f"CN=Partitions,{configuration}", "one", "(nETBIOSName=*)", ["nCName", "nETBIOSName"]
        )
        for entry in session.small(search, _MOST, "reading the NetBIOS names of the domains"):
            values = {name.lower(): some for name, some in parse(*entry)[1]}
            for domain in values.get(b"ncname", []):
                name = values[NETBIOS.encode()][0].decode("utf-8", "replace")
                found[normalise_dn(domain.decode("utf-8", "replace"))] = name
    if not found:
        raise SourceError(
            "the server tells no NetBIOS name, which the template {{ nETBIOSName }} wants",
            hint='write the name itself, such as `domain = "ACME"`, or let the account read CN=Partitions',
        )
    return found


def fill(cells: list[list[Cell]], dns: Sequence[str], at: Sequence[int], names: Mapping[str, str]) -> None:
    """Puts the name of each entry's domain into its cells, which are given by columns."""
    for cell in at:
        cells[cell] = [_name(dn, names) for dn in dns]


def _name(dn: str, names: Mapping[str, str]) -> str:
    """The name of the innermost domain around an entry, "" when it lies in none."""
    while dn and dn not in names:
        dn = parent(dn)
    return names.get(dn, "")
