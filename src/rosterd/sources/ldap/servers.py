"""Which servers a URL means: the one it names, or those that DNS names for a service."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from rosterd.errors import SourceError
from rosterd.sources.ldap.line import Budget

CONNECT = 10.0  # seconds to open a connection, at most
_PORTS = {"ldap": 389, "ldaps": 636}


class Url(NamedTuple):
    """A server's address. For ldapi, `host` is the path of the socket. `addresses`: where it is, when DNS has told."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.scheme == "ldapi":
            return f"ldapi://{quote(self.host, safe='')}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether what is sent never leaves this machine."""
        if self.scheme == "ldapi":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def parse_url(text: str) -> Url:
    """`ldap://` or `ldaps://` with a host and perhaps a port, or `ldapi://`; SourceError for anything else."""
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme == "ldapi":
        return Url(scheme, unquote(urlsplit(text).netloc), 0)
    if scheme not in _PORTS or not host:
        raise SourceError(
            f"{text!r} is no address of a directory", hint="write ldaps://HOST or ldaps://HOST:PORT"
        )
    return Url(scheme, host, port or _PORTS[scheme])


def servers(text: str, name_servers: Sequence[str], budget: Budget) -> list[Url]:
    """The servers of a URL, in the order in which to try them. Raises SourceError, or Unusable when DNS has none.

    A port in the URL counts; without one DNS gives that of ldap://, while that of ldaps:// is 636.
    """
    url = parse_url(text)
    if url.scheme == "ldapi" or not url.host.startswith("_"):
        return [url]
    look_up = import_module("rosterd.sources.ldap.lookup").look_up
    given = urlsplit(text).port or (636 if url.scheme == "ldaps" else 0)
    found = look_up(url.host, name_servers, budget.left())
    return [Url(url.scheme, host, given or port, addresses) for host, port, addresses in found]


def opened(url: Url, budget: Budget) -> socket.socket:
    """A connection to a server; all its addresses are tried. Raises OSError, SourceError or Stopped."""
    if url.scheme == "ldapi":
        local = socket.socket(socket.AF_UNIX)
        try:
            local.settimeout(min(CONNECT, budget.left()))
            local.connect(url.host)
        except BaseException:
            local.close()
            raise
        return local
    *others, last = url.addresses or (url.host,)
    for address in others:
        try:
            return socket.create_connection((address, url.port), min(CONNECT, budget.left()))
        except OSError:
            continue  # the last one's error is told
    return socket.create_connection((last, url.port), min(CONNECT, budget.left()))
