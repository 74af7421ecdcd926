"""The boundary: whatever the network or a library raises becomes a SourceError with a hint."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rosterd.errors import RosterdError, SourceError
from rosterd.sources.ldap.results import printable


class Unusable(SourceError):
    """This server gives no answer; while connecting, the next one may be tried."""


@contextmanager
def boundary(where: Callable[[], str]) -> Iterator[None]:
    """Lets only Stopped and SourceError out, the latter always with its place."""
    try:
        yield
    except SourceError as error:
        error.where = error.where or where()
        raise
    except RosterdError:
        raise
    except Exception as error:
        fault = told(error)
        fault.where = where()
        raise fault from error


def told(error: Exception) -> SourceError:
    """The error in words, with a hint."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceError(
            f"its certificate is not accepted: {error.verify_message}", hint=_certificate(error)
        )
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").replace("_", " ").lower() or printable(str(error))
        return SourceError(
            f"TLS failed: {reason}", hint="the server must speak TLS 1.2 or newer on this port"
        )
    if isinstance(error, socket.gaierror):
        return SourceError("its name is not known", hint="check the host name in `urls` and the name service")
    if isinstance(error, TimeoutError):
        return SourceError("no connection in time", hint="check host, port and firewall")
    if isinstance(error, ConnectionRefusedError):
        return SourceError("connection refused", hint="does the server run, on this port?")
    if type(error).__name__ == "LDAPSessionTerminatedByServerError":  # ldap3's for a Notice of Disconnection
        return SourceError("the server ended the connection", hint="its log may say why")
    if isinstance(error, OSError):
        return SourceError(
            f"the connection broke: {error.strerror or printable(str(error))}", hint="see its log"
        )
    kind = "" if isinstance(error, ValueError | LookupError) else f"{type(error).__name__}: "
    return SourceError(
        f"the server's answer cannot be understood: {kind}{printable(str(error))}",
        hint="is this a directory, and nothing in between that changes what it says?",
    )


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    """The next step for the usual reasons, by OpenSSL's verify codes."""
    match error.verify_code:
        case 10:
            return "the certificate has expired: have it renewed"
        case 9:
            return "the certificate is not valid yet: check both clocks"
        case 62 | 64:
            return "use the host name that the certificate names in `urls`"
        case _:
            return "set `ca_file` to the certificate of the authority that signed it"
