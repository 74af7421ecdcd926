"""A real OpenLDAP server for the tests, on loopback, with its configuration and data in a folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.canaries import DIRECTORY
from tests.real.processes import ended

BASE = "dc=acme,dc=example"
READER = f"cn=reader,ou=Service,{BASE}"
PASSWORD = DIRECTORY

_SBIN = "/usr/sbin:/sbin:/usr/local/sbin:"
_START = 20.0  # seconds until the server must answer


def needed(command: str) -> str:
    """The path of a command of Debian's packages; fails with what to install when it is missing."""
    found = shutil.which(command, path=_SBIN + os.environ.get("PATH", ""))
    if not found:
        raise AssertionError(
            f"{command} is missing: apt-get install -y --no-install-recommends slapd ldap-utils openssl"
        )
    return found


@dataclass(frozen=True)
class Tls:
    """Files of a server's certificate, and of the authority that signed it."""

    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True)
class Slapd:
    """A running server."""

    port: int
    tls_port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ldapi://{str(self.folder / 'ldapi').replace('/', '%2F')}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def log(self) -> str:
        return (self.folder / f"log-{self.port}").read_text("utf-8", "replace")


def ldif(entries: Iterable[tuple[str, Mapping[str, list[str | bytes]]]]) -> Iterator[str]:
    """Entries as LDIF (RFC 2849), every value in base64, so that none is special."""

    def coded(value: str | bytes) -> str:
        return b64encode(value.encode() if isinstance(value, str) else value).decode()

    for dn, attributes in entries:
        yield f"dn:: {coded(dn)}\n"
        for name, values in attributes.items():
            for value in values:
                yield f"{name}:: {coded(value)}\n"
        yield "\n"


def load(
    folder: Path,
    entries: Iterable[tuple[str, Mapping[str, list[str | bytes]]]],
    extra: str = "",
    *,
    modules: Iterable[str] = (),
    schemas: Iterable[str] = (),
) -> None:
    """Writes the configuration and the data of a server that `running` starts later.

    modules, schemas: names of what it loads beside the usual.
    """
    (folder / "data").mkdir(parents=True)
    more = [f"include /etc/ldap/schema/{name}.schema\n" for name in schemas]
    more += [f"modulepath /usr/lib/ldap\nmoduleload {name}\n" for name in modules]
    (folder / "slapd.conf").write_text(_configuration(folder, extra, "".join(more)))
    with (folder / "data.ldif").open("w", encoding="utf-8") as file:
        file.writelines(ldif(entries))
    done = subprocess.run(
        [needed("slapadd"), "-q", "-f", folder / "slapd.conf", "-l", folder / "data.ldif"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@contextmanager
def running(folder: Path, tls: Tls | None = None, head: str = "", log: str = "stats") -> Iterator[Slapd]:
    """Starts the server of a loaded folder, waits until it answers, and stops it at the end.

    head: lines that come first in its configuration. It listens on a socket in the folder, too.
    log: what it writes to its log (slapd's `-d`).
    """
    port, tls_port = _free_ports(2)
    configuration = folder / f"slapd-{port}.conf"
    configuration.write_text(_tls_lines(tls) + head + (folder / "slapd.conf").read_text())
    local = str(folder / "ldapi").replace("/", "%2F")
    urls = f"ldap://127.0.0.1:{port}/ ldapi://{local}/" + (f" ldaps://127.0.0.1:{tls_port}/" if tls else "")
    told = folder / f"log-{port}"
    with told.open("wb") as file:
        process = subprocess.Popen(
            [needed("slapd"), "-f", configuration, "-h", urls, "-d", log], stdout=file, stderr=file
        )
    try:
        _wait(port, process, told)
        yield Slapd(port, tls_port, folder, process)
    finally:
        ended(process)


def _tls_lines(tls: Tls | None) -> str:
    if tls is None:
        return ""
    return (
        f"TLSCertificateFile {tls.certificate}\nTLSCertificateKeyFile {tls.key}\n"
        f"TLSCACertificateFile {tls.authority}\n"
    )


def _configuration(folder: Path, extra: str, more: str) -> str:
    return f"""\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
{more}sizelimit 500
database mdb
suffix "{BASE}"
rootdn "cn=admin,{BASE}"
directory {folder / "data"}
maxsize 2147483648
envflags nosync
index objectClass eq
{extra}
overlay ppolicy
"""


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            said = log.read_text("utf-8", "replace")[-2000:]
            assert process.poll() is None, f"slapd ended with {process.returncode}:\n{said}"
            assert time.monotonic() < ends, f"slapd does not answer:\n{said}"
            time.sleep(0.02)
