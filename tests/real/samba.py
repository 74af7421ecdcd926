"""A real Active Directory domain controller for the tests: Samba, in a folder, on an address of loopback.

Samba's LDAP ports are fixed (389, 636, the global catalogue's 3268), so each server has an address of its own.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.real import acme
from tests.real.acme import (
    DISABLED,
    EXPIRED,
    LOCKED_OUT,
    NEVER_9999,
    NEVER_MAX,
    NEVER_ZERO,
    Acme,
    Human,
    Unit,
)
from tests.real.processes import ended
from tests.real.slapd import PASSWORD, Tls, ldif

REALM, NETBIOS, BASE = "ACME.EXAMPLE", "ACMECORP", "DC=acme,DC=example"
HOST = "dc1.acme.example"
READER = f"CN=reader,CN=Users,{BASE}"
PACKAGES = "samba samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind python3-samba"
ADMIN_PASSWORD = "Admin of Acme: 7-Läse"

_PYTHON = "/usr/bin/python3"  # Debian's, which knows Samba's modules
_START = 60.0  # seconds until the server must answer
_PORTS = (389, 636, 3268)
_HASTY = {**os.environ, "TDB_NO_FSYNC": "1"}  # nobody needs this domain after a power cut

Entry = tuple[str, Mapping[str, list[str | bytes]]]

# Writes into the database of a server that does not run: the entries, the reader's password, primary groups.
_LOAD = """\
import sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
import ldb
folder, password, group, *primary = sys.argv[1:]
settings = LoadParm()
settings.load(folder + "/etc/smb.conf")
base = settings.get("realm").lower()
base = "DC=" + ",DC=".join(base.split("."))
samdb = SamDB(folder + "/private/sam.ldb", session_info=system_session(), lp=settings, options=["batch_mode:1"])
samdb.newuser("reader", password)
samdb.transaction_start()
for _, message in samdb.parse_ldif(open(folder + "/data.ldif").read()):
    samdb.add(message)
samdb.transaction_commit()
found = samdb.search(base, ldb.SCOPE_SUBTREE, f"(cn={group})", ["objectSid"]) if group else []
for logon in primary:
    (person,) = samdb.search(base, ldb.SCOPE_SUBTREE, f"(sAMAccountName={logon})", ["dn"])
    change = ldb.Message(person.dn)
    rid = samdb.schema_format_value("objectSid", found[0]["objectSid"][0]).decode().rpartition("-")[2]
    change["group"] = ldb.MessageElement(rid, ldb.FLAG_MOD_REPLACE, "primaryGroupID")
    samdb.modify(change)
"""


def needed(command: str) -> str:
    """The path of a command of Debian's packages; fails with what to install when it is missing."""
    found = shutil.which(command, path="/usr/sbin:/usr/bin:" + os.environ.get("PATH", ""))
    if not found:
        raise AssertionError(f"{command} is missing: apt-get install -y --no-install-recommends {PACKAGES}")
    return found


@dataclass
class Samba:
    """A running server. `process` is another one after `again`."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]
    command: list[str]

    @property
    def url(self) -> str:
        return f"ldap://{self.address}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://{self.address}"

    @property
    def catalogue_url(self) -> str:
        return f"ldap://{self.address}:3268"

    def again(self, meanwhile: Callable[[], object]) -> None:
        """Stops the server, does something to its folder, and starts it on the same address."""
        ended(self.process)
        meanwhile()
        self.process = _start(self.address, self.folder, self.command)

    def modify(self, text: str) -> None:
        """Changes the data of the running server, with the command an administrator uses."""
        done = subprocess.run(
            ["ldapmodify", "-x", "-H", self.url, "-D", f"{NETBIOS}\\Administrator", "-w", ADMIN_PASSWORD],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def provision(folder: Path) -> None:
    """Makes an empty domain; takes some eight seconds."""
    folder.mkdir(parents=True)
    _run(
        needed("samba-tool"), "domain", "provision", f"--realm={REALM}", f"--domain={NETBIOS}", "--server-role=dc",
        "--dns-backend=NONE", f"--adminpass={ADMIN_PASSWORD}", "--host-name=dc1", "--host-ip=127.0.0.1",
        f"--targetdir={folder}", f"--option=log file = {folder}/log.%m",
    )  # fmt: skip


def load(folder: Path, entries: Iterable[Entry], group: str = "", primary: Iterable[str] = ()) -> None:
    """Fills a domain that does not run. `primary`: logons whose primary group `group` becomes."""
    with (folder / "data.ldif").open("w", encoding="utf-8") as file:
        file.writelines(ldif(entries))
    _run(_PYTHON, "-c", _LOAD, str(folder), PASSWORD, group, *primary)


def export_keytab(folder: Path, keytab: Path, principal: str) -> None:
    """A keytab of one of the domain's accounts."""
    settings = f"--configfile={folder}/etc/smb.conf"
    _run(
        needed("samba-tool"),
        "domain",
        "exportkeytab",
        str(keytab),
        f"--principal={principal}",
        settings,
    )


@contextmanager
def running(folder: Path, tls: Tls) -> Iterator[Samba]:
    """Starts the server on a free address, waits until it answers, and stops it at the end."""
    address = _free_address()
    options = {
        "interfaces": f"{address}/8",
        "bind interfaces only": "yes",
        "server services": "ldap, cldap, kdc",
        # Else a password is refused on a connection without TLS, through which the relay could not look.
        "ldap server require strong auth": "no",
        "tls certfile": tls.certificate,
        "tls keyfile": tls.key,
        "tls cafile": tls.authority,
        "pid directory": folder / "run",
        "ncalrpc dir": folder / "ncalrpc",
        "log file": folder / "log.%m",
    }
    tls.key.chmod(0o600)  # Samba takes no other
    arguments = [f"--option={name} = {value}" for name, value in options.items()]
    command = [needed("samba"), "--interactive", "--model=single", f"-s{folder / 'etc/smb.conf'}", *arguments]
    server = Samba(address, folder, _start(address, folder, command), command)
    try:
        yield server
    finally:
        ended(server.process)


def _start(address: str, folder: Path, command: list[str]) -> subprocess.Popen[bytes]:
    told = folder / "log.start"
    with told.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=_HASTY,
            stdin=subprocess.PIPE,  # a closed one would end the server
        )
    try:
        _wait(address, process, told)
    except BaseException:
        ended(process)
        raise
    return process


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_HASTY)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def _free_address() -> str:
    """An address of loopback on whose LDAP ports nobody listens."""
    for _ in range(100):
        address = f"127.{random.randint(10, 250)}.{random.randint(0, 250)}.{random.randint(2, 250)}"
        with suppress(OSError):
            for port in _PORTS:
                socket.create_server((address, port)).close()
            return address
    raise AssertionError("no address of loopback is free for a domain controller; is this not root?")


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _START
    for port in _PORTS:
        while True:
            try:
                with closing(socket.create_connection((address, port), 1)):
                    break
            except OSError:
                said = log.read_text("utf-8", "replace")[-2000:]
                assert process.poll() is None, f"samba ended with {process.returncode}:\n{said}"
                assert time.monotonic() < ends, f"samba does not answer:\n{said}"
                time.sleep(0.05)


# The company in the words of Active Directory

FOREIGN_SID = "S-1-5-21-111-222-333-1104"  # somebody of another forest
FOREIGN = f"<SID={FOREIGN_SID}>"  # as a member: the server makes a stand-in for it
PEOPLE, GROUPS, CONTACTS = f"OU=People,{BASE}", f"OU=Groups,{BASE}", f"OU=Contacts,{BASE}"

_EXPIRES = {
    EXPIRED: "132223104000000000",  # 2020-01-01
    NEVER_ZERO: "0",
    NEVER_MAX: "9223372036854775807",
    NEVER_9999: "2650467743990000000",  # 9999-12-31
}


# What a controller registers for itself when its other services run: the name under which Kerberos knows it.
SERVICE = f"""\
dn: CN=DC1,OU=Domain Controllers,{BASE}
changetype: modify
add: servicePrincipalName
servicePrincipalName: ldap/{HOST}
"""


def human_dn(human: Human) -> str:
    return f"CN={acme.escaped(human.cn)},{PEOPLE}"


def entries(company: Acme, contacts: int = 0) -> Iterator[Entry]:
    """Everything, in an order in which it can be loaded; groups only name what is there already."""
    for place in (PEOPLE, GROUPS, CONTACTS):
        yield place, {"objectClass": ["organizationalUnit"]}
    for human in company.humans.values():
        yield human_dn(human), _human(human)
    for n in range(contacts):
        yield contact_dn(n), {"objectClass": ["contact"], "displayName": [f"Contact {n}"]}
    for unit in company.units.values():
        yield group_dn(unit.name), _group(company, unit)


def group_dn(name: str) -> str:
    return f"CN={name},{GROUPS}"


def contact_dn(number: int) -> str:
    return f"CN=Contact {number:05},{CONTACTS}"


def links(company: Acme) -> str:
    """The groups inside groups, as changes to the running server: each must be there to be named."""
    return "\n".join(
        f"dn: {group_dn(unit.name)}\nchangetype: modify\nadd: member\nmember: {group_dn(inside)}\n"
        for unit in company.units.values()
        for inside in unit.inside
        if inside != unit.name
    )


def _human(human: Human) -> Mapping[str, list[str | bytes]]:
    found: dict[str, list[str | bytes]] = {
        "objectClass": ["user"],
        "sAMAccountName": [human.logon],
        "userAccountControl": ["514" if human.state == DISABLED else "512"],
    }
    if human.name:
        found["displayName"] = [human.name]
    if human.mail:
        found["mail"] = [human.mail[0]]
    if human.state in _EXPIRES:
        found["accountExpires"] = [_EXPIRES[human.state]]
    if human.state == LOCKED_OUT:
        found["userAccountControl"] = [
            "528"
        ]  # 16, LOCKOUT, which Active Directory itself no longer shows here
    return found


def _group(company: Acme, unit: Unit) -> Mapping[str, list[str | bytes]]:
    members: list[str | bytes] = [human_dn(company.humans[logon]) for logon in unit.people]
    members += unit.strangers
    found: dict[str, list[str | bytes]] = {"objectClass": ["group"], "sAMAccountName": [unit.name]}
    if members:
        found["member"] = members
    if unit.description:
        found["description"] = [unit.description]
    return found


def encoded(text: str) -> str:
    """A value for LDIF that may hold anything."""
    return b64encode(text.encode()).decode()
