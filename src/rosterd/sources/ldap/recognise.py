"""Which product a server is, by what it says of itself, and what the flavor for it would choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rosterd.sources.ldap.dn import normalise_dn, within
from rosterd.sources.ldap.flavors import FLAVORS, Name
from rosterd.sources.presets import PRESETS

_ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"  # LDAP_CAP_ACTIVE_DIRECTORY_OID, MS-ADTS 3.1.1.3.4.3.1

About = Mapping[str, Sequence[str]]  # a rootDSE, see root.root_dse


def recognised(about: About) -> Name | None:
    """The flavor that fits, None when the server does not say."""
    if _ACTIVE_DIRECTORY in about.get("supportedcapabilities", ()):
        return "active-directory"
    if "openldaprootdse" in [name.lower() for name in about.get("objectclass", ())]:
        return "openldap"
    vendor = " ".join([*about.get("vendorname", ()), *about.get("vendorversion", ())]).lower()
    if "389" in vendor:
        # FreeIPA is a 389 Directory Server with plug-ins, which show in the rootDSE.
        return "freeipa" if {"ipadomainlevel", "ipatopologypluginversion"} & about.keys() else "389ds"
    return None


def advice(about: About, flavor: Name, base: str) -> str:
    """What to know of the server, for `rosterd check`: a sentence or two, "" when there is nothing to say."""
    found = recognised(about)
    parts = []
    if found == flavor:
        parts.append(f"recognised as {found}")
    elif found is not None:
        parts.append(f'looks like {found}, not {flavor}: `flavor = "{found}"` would choose {_choice(found)}')
    contexts = [one for one in about.get("namingcontexts", ()) if one]
    if contexts and not any(within(normalise_dn(base), normalise_dn(one)) for one in contexts):
        best = next(iter(about.get("defaultnamingcontext", ())), contexts[0])
        parts.append(f'base {base!r} is not on this server, which has `base = "{best}"`')
    return "; ".join(parts)


def _choice(name: Name) -> str:
    flavor, preset = FLAVORS[name], PRESETS[name]
    told = [f"people {preset.people['filter']}", f"groups {preset.groups['filter']}", f"id {flavor.id}"]
    if "logon" in preset.people:
        told.append(f"logon {preset.people['logon']}")
    if flavor.states:
        told.append(f"disabled by {' and '.join(flavor.states)}")
    return ", ".join(told)
