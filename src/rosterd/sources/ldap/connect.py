"""From a list of URLs to a bound session. ldap3 binds and compiles filters.

No byte of a password leaves before the connection is as safe as the settings ask: TLS with a verified
certificate, or StartTLS before the bind, or cleartext on loopback when that was allowed on purpose.
"""

from __future__ import annotations

import ssl
import time
import warnings
from collections.abc import Sequence
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Any, Protocol, assert_never

from rosterd.errors import RosterdError, SourceError
from rosterd.sources.ldap.faults import Unusable, told
from rosterd.sources.ldap.line import Budget, Line
from rosterd.sources.ldap.relayed import Relayed, wrapped
from rosterd.sources.ldap.results import BUSY, INVALID_CREDENTIALS, SUCCESS, UNAVAILABLE, failure
from rosterd.sources.ldap.servers import Url, opened, parse_url, servers
from rosterd.sources.ldap.session import Search, Session
from rosterd.sources.settings import LdapSettings

with warnings.catch_warnings():  # ldap3 2.9.1 calls tables of pyasn1 by their old names
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3
    from ldap3.operation.search import search_operation
    from ldap3.utils.asn1 import encode

_START_TLS = "1.3.6.1.4.1.1466.20037"  # RFC 4511, section 4.14
_SCOPES = {"base": 0, "one": 1, "subtree": 2}


class Log(Protocol):
    """What this package says on the way."""

    def info(self, event: str, **fields: object) -> Any: ...

    def warning(self, event: str, **fields: object) -> Any: ...


def compile_search(
    base: str, scope: str, filter_text: str, attributes: Sequence[str], size_limit: int = 0
) -> Search:
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
        return Search(encode(request), request)
    except Exception as error:
        raise SourceError(
            f"the filter {filter_text!r} cannot be used: {error}", hint="check its parentheses (RFC 4515)"
        ) from error


def connect(name: str, settings: LdapSettings, budget: Budget, log: Log, known: str = "") -> Session:
    """The first server in order that can be reached, secured and bound. Raises SourceError or Stopped.

    known: a server that goes first all the same, for it is asked again about what it has told before.

    A server that cannot be reached, secured, or that gives no verdict on the bind (gone, busy) is passed
    over for the next one. A verdict is final: a wrong password is not tried again elsewhere.
    """
    refused: list[tuple[str, SourceError]] = []
    for text in sorted(settings.urls, key=lambda text: str(parse_url(text)) != known):
        meant = _meant(text, settings, budget, f"source {name}")
        for server in sorted(meant, key=lambda one: str(one) != known):
            found = server if isinstance(server, SourceError) else _tried(server, name, settings, budget)
            if isinstance(found, Session):
                found.passed_over = tuple(f"{where}: {why.what}" for where, why in refused)
                log.info("directory connected", source=name, server=found.url)
                return found
            where = text if isinstance(server, SourceError) else str(server)
            log.warning("directory passed over", source=name, server=where, reason=found.what)
            refused.append((where, found))
    raise _nobody(name, refused)


def _meant(text: str, settings: LdapSettings, budget: Budget, where: str) -> Sequence[Url | SourceError]:
    """The servers of a URL, or why there are none."""
    try:
        return servers(text, settings.name_servers, budget)
    except Unusable as error:
        return [error]
    except SourceError as error:
        error.where = error.where or f"{where}, {text}"
        raise


def _tried(url: Url, name: str, settings: LdapSettings, budget: Budget) -> Session | SourceError:
    """A session with this server, or why there is none and the next one may be tried."""
    where = f"source {name}, {url}"
    _forbid_cleartext(url, settings, where)
    budget.in_by = time.monotonic() + budget.silence  # one that drips must not keep us from the next one
    try:
        return _session(url, settings, budget)
    except Unusable as error:
        return error
    except SourceError as error:
        error.where = error.where or where
        raise
    except RosterdError:
        raise
    except Exception as error:
        return told(error)
    finally:
        budget.in_by = inf


def _nobody(name: str, refused: list[tuple[str, SourceError]]) -> SourceError:
    """The error when no server is left."""
    if len(refused) == 1:
        url, why = refused[0]
        return SourceError(why.what, where=f"source {name}, {url}", hint=why.hint)
    told_all = "; ".join(f"{url}: {why.what}" for url, why in refused)
    hint = next((why.hint for _, why in refused if why.hint), "")
    return SourceError(f"no server can be used: {told_all}", where=f"source {name}", hint=hint)


def _forbid_cleartext(url: Url, settings: LdapSettings, where: str) -> None:
    """The last gate before a password could travel in clear or stand for nobody (RFC 4513, section 5.1.2)."""
    if settings.bind == "simple" and settings.bind_dn is None:
        return
    password = settings.bind_password
    if settings.bind == "simple" and (password is None or not password.get_secret_value()):
        raise SourceError(
            "the password is empty", where=where, hint="set `bind_password`, best in a secret file"
        )
    if url.scheme in ("ldaps", "ldapi") or settings.start_tls:
        return
    if not (settings.allow_cleartext and url.is_local):
        raise SourceError(
            "the password would travel in clear", where=where, hint="use ldaps:// or `start_tls = true`"
        )


def _session(url: Url, settings: LdapSettings, budget: Budget) -> Session:
    """Opens, secures and binds. Unusable and OSError concern this server, a SourceError all servers."""
    secure = url.scheme == "ldaps" or (url.scheme == "ldap" and settings.start_tls)
    context = _context(settings) if secure else None
    line = Line(opened(url, budget), budget)
    try:
        connection = _adopt(url, line, settings)
        if context is not None:
            if url.scheme == "ldap":
                _start_tls(connection)
            line.secure(context, url.host)
        _bind(connection, settings)
    except BaseException:
        line.close()
        raise
    if settings.reader == "ldap3" or wrapped(connection):
        return Relayed(str(url), line, connection)
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
    if settings.client_certificate is not None:
        _show(context, settings.client_certificate, settings.client_key)
    return context


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Has our own certificate shown to the server. An encrypted key is an error: nobody is there to be asked."""
    try:
        context.load_cert_chain(certificate, key, password=str)
    except (OSError, ValueError) as error:
        raise SourceError(
            f"`client_certificate` {certificate} cannot be used: {error}",
            hint="certificate and key must be readable PEM files that fit, the key without a password",
        ) from error


def _adopt(url: Url, line: Line, settings: LdapSettings) -> Any:
    """An ldap3 connection on our open line: its own way to open one verifies nothing and has no deadline."""
    host = "localhost" if url.scheme == "ldapi" else url.host  # a name only: the line is open
    connection = ldap3.Connection(
        ldap3.Server(host, url.port or None, get_info=ldap3.NONE),
        **_who(settings),
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


def _who(settings: LdapSettings) -> dict[str, Any]:
    """What ldap3 is told of the bind."""
    match settings.bind:
        case "external":
            return {"authentication": ldap3.SASL, "sasl_mechanism": "EXTERNAL", "sasl_credentials": ""}
        case "kerberos":
            return {"authentication": ldap3.SASL, "sasl_mechanism": "GSSAPI"}
        case "simple":
            if settings.bind_dn is None or settings.bind_password is None:
                return {"authentication": ldap3.ANONYMOUS}
            password = settings.bind_password.get_secret_value()
            return {"authentication": ldap3.SIMPLE, "user": settings.bind_dn, "password": password}
        case _:
            assert_never(settings.bind)


def _start_tls(connection: Any) -> None:
    """Asks for TLS; a refusal makes the server unusable, never unencrypted."""
    connection.extended(_START_TLS)
    code, message = _result(connection, "extendedResp")
    if code != SUCCESS:
        why = failure("StartTLS was refused", code, message)
        raise Unusable(why.what, hint="give the server a certificate, or use ldaps://")


def _bind(connection: Any, settings: LdapSettings) -> None:
    """Binds once. SourceError when the server refuses, Unusable when it is too busy to say."""
    if settings.bind == "kerberos":
        import_module("rosterd.sources.ldap.kerberos").sign_in(connection, settings)
    else:
        connection.bind(read_server_info=False)
    code, message = _result(connection, "bindResponse")
    if code in (BUSY, UNAVAILABLE):
        why = failure("the bind", code, message)
        raise Unusable(why.what, hint=why.hint)
    if code != SUCCESS:
        refusal = failure(f"the bind {_named(settings)}", code, message)
        refusal.refused = code == INVALID_CREDENTIALS
        raise refusal


def _named(settings: LdapSettings) -> str:
    """The bind as it is told."""
    match settings.bind:
        case "external":
            return "with the certificate or the user of the socket (EXTERNAL)"
        case "kerberos":
            return f"as {settings.principal or 'the first principal of the keytab'} (Kerberos)"
        case "simple":
            return f"as {settings.bind_dn}" if settings.bind_dn else "without a name"
        case _:
            assert_never(settings.bind)


def _result(connection: Any, kind: str) -> tuple[int, str]:
    """Code and message of the last answer, which must be of this kind."""
    result = connection.result
    if not isinstance(result, dict) or result.get("type") != kind:
        raise Unusable("the server's answer is not the one to what was asked")
    return int(result["result"]), str(result["message"] or "")
