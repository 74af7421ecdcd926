"""What a server says of itself: its rootDSE (RFC 4512, section 5.1)."""

from __future__ import annotations

from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import parse
from rosterd.sources.ldap.results import SUCCESS, printable
from rosterd.sources.ldap.session import Search, Session

_ASKED = (
    "objectClass",
    "vendorName",
    "vendorVersion",
    "supportedControl",
    "supportedCapabilities",
    "supportedSASLMechanisms",
    "namingContexts",
    "defaultNamingContext",
    "configurationNamingContext",
    "dnsHostName",
    "ipaDomainLevel",
    "ipaTopologyPluginVersion",
)
_CONTEXT = compile_search("", "base", "(objectClass=*)", ["defaultNamingContext"])
_LOADED = compile_search("", "base", "(objectClass=*)", ["dataversion"])
_HIGHEST = compile_search("", "base", "(objectClass=*)", ["highestCommittedUSN"])
_SEARCH = compile_search("", "base", "(objectClass=*)", _ASKED)


def root_dse(session: Session) -> dict[str, list[str]]:
    """Its attributes by lower-case name; {} when the server says nothing."""
    answer = session.collect(session.ask(_SEARCH), 1)
    if answer.done.code != SUCCESS or not answer.entries:
        return {}
    _, raw = parse(*answer.entries[0])
    return {
        name.decode("utf-8", "replace").lower(): [
            printable(value.decode("utf-8", "replace")) for value in values
        ]
        for name, values in raw
    }


def naming_context(session: Session) -> str:
    """The root of the domain that an Active Directory server is for, "" when it does not say."""
    return _said(session, _CONTEXT)


def highest_change(session: Session) -> int:
    """How many changes an Active Directory server has counted (MS-ADTS 3.1.1.3.2.11); 0 when it does not say."""
    said = _said(session, _HIGHEST)
    return int(said) if said.isascii() and said.isdigit() else 0


def loaded_at(session: Session) -> str:
    """Since when a 389 Directory Server has had its data: since it was started; "" when it does not say."""
    return _said(session, _LOADED)


def _said(session: Session, search: Search) -> str:
    """The first value of what a rootDSE is asked for."""
    answer = session.collect(session.ask(search), 1)
    if answer.done.code != SUCCESS or not answer.entries:
        return ""
    _, raw = parse(*answer.entries[0])
    return next((value.decode("utf-8", "replace") for _, values in raw for value in values), "")
