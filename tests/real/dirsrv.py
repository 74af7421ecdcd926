"""A real 389 Directory Server for the tests, in a folder, on ports of loopback.

It is started from its own templates instead of by dscreate, which takes half a minute and writes all over the system.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real import acme
from tests.real.acme import DISABLED, EXPIRED, Acme, Human, Unit
from tests.real.processes import ended
from tests.real.slapd import PASSWORD, ldif

BASE = "dc=acme,dc=example"
PEOPLE, GROUPS = f"ou=People,{BASE}", f"ou=Groups,{BASE}"
READER = f"cn=reader,ou=Service,{BASE}"
MANAGER, MANAGER_PASSWORD = "cn=Directory Manager", "manager-of-acme"
PACKAGES = "389-ds-base"
_SHARE, _ETC = Path("/usr/share/dirsrv/data"), Path("/etc/dirsrv")
_START = 60.0  # seconds until the server must answer

Entry = tuple[str, Mapping[str, list[str | bytes]]]


@dataclass
class Dirsrv:
    """A running server. `process` is another one after `again`."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ldapi://{str(self.folder / 'run/ldapi').replace('/', '%2F')}"

    def again(self, meanwhile: Callable[[], object]) -> None:
        """Stops the server, does something to its folder, and starts it on the same port."""
        ended(self.process, 20)
        meanwhile()
        _own(self.folder)
        self.process = _start(self.folder, self.port)

    def modify(self, text: str) -> None:
        """Changes the data of the running server, with the command an administrator uses."""
        done = subprocess.run(
            ["ldapmodify", "-x", "-H", self.url, "-D", MANAGER, "-w", MANAGER_PASSWORD],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def place() -> Iterator[Path]:
    """A folder that the server's own user reaches: pytest's are for one user alone, and stay so."""
    with tempfile.TemporaryDirectory(prefix="rosterd-dirsrv-") as name:
        Path(name).chmod(0o755)
        yield Path(name) / "server"


_TELLING = ("Content Synchronization", "Retro Changelog Plugin")  # the plug-ins that tell what has changed


def load(folder: Path, entries: Iterable[Entry], schemas: Mapping[str, str] | None = None) -> None:
    """Writes the configuration and the data of a server that `running` starts later.

    schemas: files of its schema beside the usual, by name.
    """
    for name in ("conf/schema", "db", "log", "lock", "run", "tmp", "bak", "ldif"):
        (folder / name).mkdir(parents=True)
    for file in [*(_ETC / "config").iterdir()]:
        shutil.copy(file, folder / "conf")
    for file in (_ETC / "schema").iterdir():
        shutil.copy(file, folder / "conf/schema")
    for name, text in (schemas or {}).items():
        (folder / "conf/schema" / name).write_text(text)
    _configure(folder, 0)
    with (folder / "ldif/data.ldif").open("w", encoding="utf-8") as out:
        out.writelines(ldif(entries))
    moved(folder, "ldif2db", "-i", "data.ldif")


def moved(folder: Path, *command: str) -> None:
    """Loads the data of a server that does not run (`ldif2db -i NAME`), or writes it down (`db2ldif -a NAME`)."""
    _own(folder)
    kind, way, name = command
    done = subprocess.run(
        [_needed(), kind, "-D", folder / "conf", "-n", "userRoot", way, folder / "ldif" / name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@contextmanager
def running(folder: Path, *, telling: bool = False) -> Iterator[Dirsrv]:
    """Starts the server of a loaded folder, waits until it answers, and stops it at the end.

    telling: it can tell what has changed (RFC 4533).
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    _configure(folder, port, telling=telling)
    _own(folder)
    server = Dirsrv(port, folder, _start(folder, port))
    try:
        yield server
    finally:
        ended(server.process, 20)


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    told = folder / "started"
    with told.open("wb") as log:
        process = subprocess.Popen(
            [_needed(), "-D", folder / "conf", "-i", folder / "run/pid", "-d", "0"], stdout=log, stderr=log
        )
    try:
        _wait(port, process, told)
    except BaseException:
        ended(process, 20)
        raise
    return process


def _needed() -> str:
    found = shutil.which("ns-slapd", path="/usr/sbin:" + os.environ.get("PATH", ""))
    if not found:
        raise AssertionError(f"ns-slapd is missing: apt-get install -y --no-install-recommends {PACKAGES}")
    return found


def _configure(folder: Path, port: int, *, telling: bool = False) -> None:
    """dse.ldif from Debian's templates."""
    salt = b"salt-of-acme"
    digest = hashlib.sha1(MANAGER_PASSWORD.encode() + salt, usedforsecurity=False).digest()
    values = {
        "schema_dir": folder / "conf/schema",
        "cert_dir": folder / "conf",
        "config_dir": folder / "conf",
        "inst_dir": folder,
        "db_home_dir": folder / "db",
        **{f"{name}_dir": folder / name for name in ("lock", "tmp", "ldif", "bak", "run", "log", "db")},
        "fqdn": "localhost",
        "ds_port": port,
        "ds_user": "dirsrv",
        "rootdn": MANAGER,
        "ds_passwd": "{SSHA}" + base64.b64encode(digest + salt).decode(),
        "ldapi_enabled": "on",
        "ldapi": folder / "run/ldapi",
        "ldapi_autobind": "on",
        "db_lib": "bdb",
        "ds_suffix": BASE,
        "ds_bename": "userRoot",
    }
    text = (
        (_SHARE / "template-dse.ldif").read_text() + "\n" + (_SHARE / "template-suffix-db.ldif").read_text()
    )
    text = re.sub("%([a-z_]+)%", lambda found: str(values[found[1]]), text)
    text = "\n".join(line for line in text.split("\n") if not line.startswith("#"))
    for name in _TELLING if telling else ():
        head, mark, rest = text.partition(f"cn: {name}\n")
        more = "nsslapd-attribute: nsuniqueid:targetUniqueId\n" if name.startswith("Retro") else ""
        text = head + mark + more + rest.replace("nsslapd-pluginenabled: off", "nsslapd-pluginenabled: on", 1)
    (folder / "conf/dse.ldif").write_text(re.sub("\n{3,}", "\n\n", text))


def _own(folder: Path) -> None:
    """The server runs as its own user."""
    subprocess.run(["chown", "-R", "dirsrv:dirsrv", folder], check=True)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            said = log.read_text("utf-8", "replace")[-2000:]
            assert process.poll() is None, f"ns-slapd ended with {process.returncode}:\n{said}"
            assert time.monotonic() < ends, f"ns-slapd does not answer:\n{said}"
            time.sleep(0.05)


def await_roles(server: Dirsrv, who: str) -> None:
    """Waits until somebody's roles are known: the server works them out after it has started."""
    ends = time.monotonic() + _START
    asked = ["ldapsearch", "-LLL", "-x", "-H", server.url, "-D", MANAGER, "-w", MANAGER_PASSWORD, "-b", BASE]
    while True:
        done = subprocess.run([*asked, f"(uid={who})", "nsRole"], capture_output=True, text=True, check=False)
        if "nsRole" in done.stdout:
            return
        assert time.monotonic() < ends, done.stdout + done.stderr
        time.sleep(0.1)


# The company in the words of 389 Directory Server

READER_MAY_READ = (
    '(targetattr="*")(version 3.0; acl "the reader"; allow (read, search, compare)'
    f' userdn="ldap:///{READER}";)'
)


def human_dn(human: Human) -> str:
    return f"cn={acme.escaped(human.cn)},{PEOPLE}"


def group_dn(name: str) -> str:
    return f"cn={name},{GROUPS}"


def entries(company: Acme) -> Iterator[Entry]:
    """Everything, in an order in which it can be loaded."""
    yield BASE, {"objectClass": ["domain"], "dc": ["acme"], "aci": [READER_MAY_READ]}
    for name in ("People", "Groups", "Service"):
        yield f"ou={name},{BASE}", {"objectClass": ["organizationalUnit"], "ou": [name]}
    yield READER, {
        "objectClass": ["person"], "cn": ["reader"], "sn": ["reader"], "userPassword": [PASSWORD],
        "nsSizeLimit": ["-1"], "nsLookThroughLimit": ["-1"],  # else it reads 5,000 at most
    }  # fmt: skip
    for human in company.humans.values():
        yield human_dn(human), _human(human)
    for unit in company.units.values():
        # A role is for the people below the entry that it stands in.
        yield f"cn={unit.name},{BASE if unit.kind == 'role' else GROUPS}", group(company, unit)


def _human(human: Human) -> Mapping[str, list[str | bytes]]:
    found: dict[str, list[str | bytes]] = {
        "objectClass": ["inetOrgPerson"],
        "uid": [human.logon],
        "cn": [human.cn],
        "sn": ["Sample"],
    }
    if human.name:
        found["displayName"] = [human.name]
    if human.mail:
        found["mail"] = [human.mail[0]]
    if human.state in (DISABLED, EXPIRED):  # the server knows no more than that an account is locked
        found["nsAccountLock"] = ["true"]
    return found


def group(company: Acme, unit: Unit) -> Mapping[str, list[str | bytes]]:
    """A group in the words of its kind."""
    names: list[str | bytes] = [human_dn(company.humans[logon]) for logon in unit.people]
    names += [group_dn(name) for name in unit.inside] + unit.strangers
    found: dict[str, list[str | bytes]] = {"cn": [unit.name]}
    if unit.description:
        found["description"] = [unit.description]
    match unit.kind:
        case "unique":
            found |= {"objectClass": ["groupOfUniqueNames"], "uniqueMember": names}
        case "posix":
            logons: list[str | bytes] = [*unit.people]
            found |= {"objectClass": ["posixGroup"], "gidNumber": ["500"], "memberUid": logons}
        case "role":
            found |= {
                "objectClass": [
                    "ldapSubEntry", "nsRoleDefinition", "nsComplexRoleDefinition", "nsFilteredRoleDefinition",
                ],
                "nsRoleFilter": [f"(|{''.join(f'(uid={logon})' for logon in unit.people)})"],
            }  # fmt: skip
        case _:
            found["objectClass"] = ["groupOfNames"]
            if names:
                found["member"] = names
    return found
