"""From a list of URLs to a bound session. The only importer of ldap3: it binds and compiles filters.

No byte of a password leaves before the connection is as safe as the settings ask: TLS with a verified
certificate, or StartTLS before the bind, or cleartext on loopback when that was allowed on purpose.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from rosterd.errors import RosterdError, SourceError
from rosterd.sources.ldap.faults import Unusable, told
from rosterd.sources.ldap.line import Budget, Line
from rosterd.sources.ldap.results import BUSY, SUCCESS, UNAVAILABLE, failure
from rosterd.sources.ldap.session import Session
from rosterd.sources.settings import LdapSettings

with warnings.catch_warnings():  # ldap3 2.9.1 calls tables of pyasn1 by their old names
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.operation.search import search_operation
    from ldap3.utils.asn1 import encode

CONNECT = 10.0  # seconds to open a TCP connection, at most

_START_TLS = "1.3.6.1.4.1.1466.20037"  # RFC 4511, section 4.14
_SCOPES = {"base": 0, "one": 1, "subtree": 2}


class Log(Protocol):
    """What this package says on the way."""

    def info(self, event: str, **fields: object) -> Any: ...

    def warning(self, event: str, **fields: object) -> Any: ...


class Url(NamedTuple):
    """A server's address."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_url(text: str) -> Url:
    """`ldap://` or `ldaps://` with a host and perhaps a port; SourceError for anything else."""
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in ("ldap", "ldaps") or not host:
        raise SourceError(
            f"{text!r} is no address of a directory", hint="write ldaps://HOST or ldaps://HOST:PORT"
        )
    return Url(scheme, host, port or (636 if scheme == "ldaps" else 389))


def compile_search(
    base: str, scope: str, filter_text: str, attributes: Sequence[str], size_limit: int = 0
) -> bytes:
    """A search request (RFC 4511, section 4.5.1) ready to be sent. Aliases are never followed."""
    try:
        request = search_operation(
            base,
            filter_text,
            _SCOPES[scope],
            0,
            list(attributes) or ["1.1"],
            size_limit,
            0,
            False,
            True,
            True,
        )
        return bytes(encode(request))
    except Exception as error:
        raise SourceError(
            f"the filter {filter_text!r} cannot be used: {error}", hint="check its parentheses (RFC 4515)"
        ) from error


def connect(name: str, settings: LdapSettings, budget: Budget, log: Log) -> Session:
    """The first server in order that can be reached, secured and bound. Raises SourceError or Stopped.

    A server that cannot be reached, secured, or that gives no verdict on the bind (gone, busy) is passed
    over for the next one. A verdict is final: a wrong password is not tried again elsewhere.
    """
    refused: list[tuple[Url, SourceError]] = []
    for text in settings.urls:
        url = parse_url(text)
        where = f"source {name}, {url}"
        _forbid_cleartext(url, settings, where)
        try:
            session = _session(url, settings, budget)
        except Unusable as error:
            why: SourceError = error
        except SourceError as error:
            error.where = error.where or where
            raise
        except RosterdError:
            raise
        except Exception as error:
            why = told(error)
        else:
            log.info("directory connected", source=name, server=str(url))
            return session
        log.warning("directory passed over", source=name, server=str(url), reason=why.what)
        refused.append((url, why))
    raise _nobody(name, refused)


def _nobody(name: str, refused: list[tuple[Url, SourceError]]) -> SourceError:
    """The error when no server is left."""
    if len(refused) == 1:
        url, why = refused[0]
        return SourceError(why.what, where=f"source {name}, {url}", hint=why.hint)
    told_all = "; ".join(f"{url}: {why.what}" for url, why in refused)
    hint = next((why.hint for _, why in refused if why.hint), "")
    return SourceError(f"no server can be used: {told_all}", where=f"source {name}", hint=hint)


def _forbid_cleartext(url: Url, settings: LdapSettings, where: str) -> None:
    """The last gate before a password could travel in clear or stand for nobody (RFC 4513, section 5.1.2)."""
    if settings.bind_dn is None:
        return
    if settings.bind_password is None or not settings.bind_password.get_secret_value():
        raise SourceError(
            "the password is empty", where=where, hint="set `bind_password`, best in a secret file"
        )
    if url.scheme == "ldaps" or settings.start_tls:
        return
    if not (settings.allow_cleartext and _is_loopback(url.host)):
        raise SourceError(
            "the password would travel in clear", where=where, hint="use ldaps:// or `start_tls = true`"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _session(url: Url, settings: LdapSettings, budget: Budget) -> Session:
    """Opens, secures and binds. Unusable and OSError concern this server, a SourceError all servers."""
    context = _context(settings) if url.scheme == "ldaps" or settings.start_tls else None
    # All addresses of the host are tried; the ones that fail are closed.
    opened = socket.create_connection((url.host, url.port), min(CONNECT, budget.left()))
    line = Line(opened, budget)
    try:
        connection = _adopt(url, line, settings)
        if context is not None:
            if url.scheme == "ldap":
                _start_tls(connection)
            line.secure(context, url.host)
        _bind(connection)
    except BaseException:
        line.close()
        raise
    return Session(str(url), line)


def _context(settings: LdapSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name verified, against `ca_file` or the system's trust store."""
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except (OSError, ValueError) as error:
        raise SourceError(
            f"`ca_file` {settings.ca_file} cannot be used: {error}",
            hint="it must be a readable PEM certificate",
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _adopt(url: Url, line: Line, settings: LdapSettings) -> Any:
    """An ldap3 connection on our open line: its own way to open one verifies nothing and has no deadline."""
    password = settings.bind_password.get_secret_value() if settings.bind_password else None
    connection = ldap3.Connection(
        ldap3.Server(url.host, url.port, get_info=ldap3.NONE),
        user=settings.bind_dn,
        password=password if settings.bind_dn is not None else None,
        authentication=ldap3.ANONYMOUS if settings.bind_dn is None else ldap3.SIMPLE,
        auto_bind=ldap3.AUTO_BIND_NONE,
        auto_referrals=False,
        check_names=False,
        read_only=True,
    )
    connection.socket = line
    connection.closed = False
    connection.listening = True
    connection.strategy._outstanding = {}
    return connection


def _start_tls(connection: Any) -> None:
    """Asks for TLS; a refusal makes the server unusable, never unencrypted."""
    connection.extended(_START_TLS)
    code, message = _result(connection, "extendedResp")
    if code != SUCCESS:
        why = failure("StartTLS was refused", code, message)
        raise Unusable(why.what, hint="give the server a certificate, or use ldaps://")


def _bind(connection: Any) -> None:
    """Binds once. SourceError when the server refuses, Unusable when it is too busy to say."""
    connection.bind(read_server_info=False)
    code, message = _result(connection, "bindResponse")
    if code in (BUSY, UNAVAILABLE):
        why = failure("the bind", code, message)
        raise Unusable(why.what, hint=why.hint)
    if code != SUCCESS:
        who = f"as {connection.user}" if connection.user else "without a name"
        raise failure(f"the bind {who}", code, message)


def _result(connection: Any, kind: str) -> tuple[int, str]:
    """Code and message of the last answer, which must be of this kind."""
    result = connection.result
    if not isinstance(result, dict) or result.get("type") != kind:
        raise Unusable("the server's answer is not the one to what was asked")
    return int(result["result"]), str(result["message"] or "")
