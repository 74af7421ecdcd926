"""Signing in with Kerberos (SASL GSSAPI, RFC 4752): tickets from a keytab, or those that the process has.

The handshake is ldap3's. It asks for no layer of its own, so the connection must be safe without it: TLS, whose
certificate is bound to the handshake (RFC 5929, tls-server-end-point), as hardened domain controllers demand.
Imported only when a source binds so.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from rosterd.errors import SourceError
from rosterd.sources.ldap.results import printable
from rosterd.sources.settings import LdapSettings

_HINT = "check `principal`, `keytab`, both clocks, and that the KDC knows ldap/HOST for the host in `urls`"


def sign_in(connection: Any, settings: LdapSettings) -> None:
    """Binds an ldap3 connection. Raises SourceError; a refusal of the directory's is left in its result."""
    # An extra, for gssapi is built against the system's Kerberos.
    missing = [name for name in ("gssapi", "cryptography") if find_spec(name) is None]
    if missing:
        raise SourceError(
            f'bind = "kerberos" needs the package {missing[0]}',
            hint="pip install 'rosterd[kerberos]' (gssapi is built against libkrb5)",
        )
    gssapi: Any = import_module("gssapi")
    try:
        connection.sasl_credentials = (None, None, _credentials(gssapi, settings))
        connection.bind(read_server_info=False)
    except gssapi.exceptions.GSSError as error:
        raise SourceError(f"Kerberos: {printable(str(error))}", hint=_HINT) from error


def _credentials(gssapi: Any, settings: LdapSettings) -> Any:
    """The right to ask for the service's ticket. With a keytab this asks the KDC, once."""
    store = None
    if settings.keytab is not None:
        if not settings.keytab.is_file():
            raise SourceError(f"`keytab` {settings.keytab} is no file", hint="have the keytab put there")
        # A cache of its own: tickets of the process are neither used nor replaced.
        store = {"client_keytab": f"FILE:{settings.keytab}", "ccache": f"MEMORY:rosterd-{id(settings)}"}
    name = gssapi.Name(settings.principal, gssapi.NameType.kerberos_principal) if settings.principal else None
    return gssapi.Credentials(name=name, usage="initiate", store=store)
