"""Servers that DNS names for a service (RFC 2782). Imported only when a URL asks for it: dnspython takes its time.

The answers of DNS are not signed, so a server must lie in the domain that was asked: else whoever answers could
send the password to a host of their own, with a perfectly valid certificate for it (RFC 6125, section 6.2.1).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import SystemRandom
from typing import TypeAlias

import dns.exception
import dns.resolver

from rosterd.errors import SourceError
from rosterd.sources.ldap.faults import Unusable
from rosterd.sources.values import name_server

LOOKUP = 10.0  # seconds for the answer of DNS, at most
MOST = 20  # servers tried of one name

# Host, port, and its addresses where they were asked for.
Found: TypeAlias = tuple[str, int, tuple[str, ...]]

# What stands before the domain in the name of a service: also _ldap._tcp.SITE._sites.dc._msdcs.acme.example, the
# names of a site's and of all domain controllers (MS-ADTS 6.3.2.3).
_DOMAIN = re.compile(r".*(?:^|\.)_[^.]+\.")

_dice = SystemRandom()


def look_up(service: str, name_servers: Sequence[str], seconds: float) -> list[Found]:
    """The servers of a service such as _ldap._tcp.acme.example, in the order in which to try them.

    Raises Unusable when DNS names none, SourceError when it names one outside the domain.
    """
    resolver = _resolver(name_servers, min(LOOKUP, seconds))
    found = _ordered(_records(resolver, service))[:MOST]
    if not found:
        raise Unusable(f"DNS names no server for {service}", hint="name the servers themselves in `urls`")
    _forbid_strangers(service, found)
    return [(host, port, _addresses(resolver, host) if name_servers else ()) for host, port in found]


def _resolver(name_servers: Sequence[str], seconds: float) -> dns.resolver.Resolver:
    try:
        resolver = dns.resolver.Resolver(configure=not name_servers)
    except dns.exception.DNSException as error:
        raise Unusable("this machine knows no DNS server", hint="set `name_servers`") from error
    if name_servers:
        pairs = [name_server(text) for text in name_servers]
        resolver.nameservers = [address for address, _ in pairs]
        resolver.nameserver_ports = dict(pairs)
    resolver.lifetime = seconds
    return resolver


def _records(resolver: dns.resolver.Resolver, service: str) -> list[tuple[int, int, str, int]]:
    """Priority, weight, host and port of each record."""
    try:
        answer = resolver.resolve(service, "SRV", search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise Unusable(
            f"DNS does not say who serves {service}: {error}", hint="check `name_servers`"
        ) from error
    rows = [(one.priority, one.weight, one.target.to_text(omit_final_dot=True), one.port) for one in answer]
    return [row for row in rows if row[2] not in ("", ".")]  # "." says that there is no such service


def _ordered(rows: list[tuple[int, int, str, int]]) -> list[tuple[str, int]]:
    """By priority; among equals by lot, in which the weight counts."""

    def lot(row: tuple[int, int, str, int]) -> tuple[int, float]:
        return row[0], -(_dice.random() ** (1 / max(row[1], 0.01)))

    return [(host, port) for _, _, host, port in sorted(rows, key=lot)]


def _forbid_strangers(service: str, found: Sequence[tuple[str, int]]) -> None:
    domain = _DOMAIN.sub("", service.lower()).rstrip(".")
    for host, _ in found:
        if not f".{host.lower()}".endswith(f".{domain}"):
            raise SourceError(
                f"DNS names {host} for {service}, which is not in that domain, so it is not trusted",
                hint="name the server itself in `urls` if it is the right one",
            )


def _addresses(resolver: dns.resolver.Resolver, host: str) -> tuple[str, ...]:
    """The host's addresses, from the same DNS servers: the machine's own may not know the host. () when nobody does."""
    try:
        return tuple(resolver.resolve_name(host, search=False).addresses())
    except dns.exception.DNSException:
        return ()
