"""What the whole runs from a real directory share: an office that reads one, a small company, changes to it.

What must be delivered is worked out from the loaded data itself, without any server and any code of the product.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import category, normalize

from tests.cli.kit import PROGRAM, Office, Result, checked_run, clean, environment, switches
from tests.real.ldap import company
from tests.real.slapd import BASE, PASSWORD, READER, Slapd, ldif, needed

from rosterd.sandbox import serve

DOMAIN = "ACME"
PEOPLE = f"ou=People,{BASE}"
BRANCH = f"ou=Branch,{PEOPLE}"
GROUPS = f"ou=Groups,{BASE}"
BLIND, MAILLESS = (READER.replace("reader", name) for name in ("blind", "mailless"))

_ADMIN = f"cn=admin,{BASE}"
_ADMIN_PASSWORD = "admin-of-acme"
WRITABLE = f"rootpw {_ADMIN_PASSWORD}\n"  # for slapd.conf: lets `change` in


# The office


@dataclass
class Site(Office):
    """An office with a directory; none of its outputs may show the directory's password."""

    slapd: Slapd | None = None

    def do(self, *arguments: str, **more: Any) -> Result:
        return discreet(super().do(*arguments, **more))

    def process(self, *arguments: str, **options: Any) -> Result:
        return discreet(super().process(*arguments, **options))

    def checked(self) -> dict[str, dict[str, Any]]:
        """What `check` finds, each by what it is about."""
        return {one["what"]: one for one in self.do("check", "--json").document["findings"]}

    @contextmanager
    def reading(self, **more: Any) -> Iterator[None]:
        """The source hq with other settings for a while; None takes one away."""
        kept = self.settings
        self.set(customers={"acme": {"sources": {"hq": more}}})
        try:
            yield
        finally:
            self.settings = kept
            self.save()


def discreet(result: Result) -> Result:
    """The result, when it does not show the directory's password."""
    for secret in (PASSWORD, PASSWORD[:8], _ADMIN_PASSWORD):
        assert secret not in result.said, result.said
    return result


@contextmanager
def opened(folder: Path, slapd: Slapd | None, **acme: Any) -> Iterator[Site]:
    """An office with one customer, acme, and a pretend Orbix of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with serve(switches=switches()) as server:
        site = Site(folder, server, slapd=slapd)
        site.write(acme={"client": "ACME", "guards": {"first_run": "go"}} | acme)
        yield site


def hq(url: str, account: str | None = "reader", **more: Any) -> dict[str, Any]:
    """The settings of a source that reads a directory, bound as one of its accounts or as nobody."""
    source: dict[str, Any] = {
        "kind": "ldap",
        "flavor": "openldap",
        "urls": [url],
        "base": BASE,
        "timeout": "20s",
        "people": {
            "logon": "{{ uid }}",
            "domain": DOMAIN,
            "name": ["{{ displayName }}", "{{ cn }}"],
            "email": "{{ mail }}",
        },
        "groups": {"filter": "(cn=Print-*)", "name": "{{ cn }}", "nested": True},
    }
    if account is not None:
        source |= {
            "bind_dn": READER.replace("reader", account),
            "bind_password": PASSWORD,
            "allow_cleartext": url.startswith("ldap://"),
        }
    return source | more


# Measuring

# A process between the tests and the program: the peak of a child counts what its parent was when it began.
_LAUNCHER = """\
import os, sys
_, status, used = os.wait4(os.posix_spawn(sys.executable, sys.argv[1:], os.environ), 0)
print(used.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Measured(NamedTuple):
    """A whole run as a process: its document for the customer, and its peak memory in MiB."""

    part: dict[str, Any]
    peak: float


def measured_run(site: Site, code: int) -> Measured:
    """`run --once --json` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, *PROGRAM, "run", "--once", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=site.directory,
        env={**environment(), "ROSTERD_CONFIG": str(site.config)},
    )
    said, _, kibibytes = done.stderr.rstrip("\n").rpartition("\n")
    result = discreet(clean(Result(done.returncode, done.stdout, said), site.tokens()))
    return Measured(checked_run(result, code)["customers"]["acme"], int(kibibytes) / 1024)


# What must be delivered of the large company

_FIT = re.compile("[A-Za-z0-9._-]+")
SENT, ASIDE, OUT = "sent", "aside", "out"


@dataclass(frozen=True)
class Expected:
    """The state of Orbix, and every record's bucket, when contractors and locked people are not wanted."""

    users: dict[str, dict[str, str]]
    members: dict[str, list[str]]
    people: Counter[str]
    groups: Counter[str]
    seats: Counter[str]

    @property
    def requests(self) -> int:
        """As few as the limits allow: 4,500 people, five groupings of a thousand people, each only once."""
        slices = [ceil(len(people) / 1000) for people in self.members.values()]
        return ceil(len(self.users) / 4500) + max(ceil(sum(slices) / 5), *slices)


def expected() -> Expected:
    """Worked out from the loaded data."""
    canonical = {f"{one.rdn},{PEOPLE}": f"{one.canonical},ou=people,{BASE}" for one in company.AWKWARD}
    entries = {canonical.get(dn, dn.lower()): attributes for dn, attributes in company.people()}
    unwanted = {dn for dn, attributes in entries.items() if _unwanted(attributes)}
    uids = Counter(_uid(attributes).lower() for dn, attributes in entries.items() if dn not in unwanted)
    fates: dict[str, tuple[str, str]] = {}
    users: dict[str, dict[str, str]] = {}
    for dn, attributes in entries.items():
        uid = _uid(attributes)
        key = f"{DOMAIN}//{uid}".lower()
        fit = _FIT.fullmatch(uid) and uids[uid.lower()] == 1
        fates[dn] = (OUT if dn in unwanted else SENT if fit else ASIDE, key)
        if fates[dn][0] == SENT:
            users[key] = _record(attributes)
    return _with_groups(fates, users)


def _with_groups(fates: Mapping[str, tuple[str, str]], users: dict[str, dict[str, str]]) -> Expected:
    members: dict[str, list[str]] = {}
    groups: Counter[str] = Counter()
    seats: Counter[str] = Counter()
    for name, names in _memberships().items():
        found = [fates.get(who, (ASIDE, "")) for who in names]
        sent = sorted(key for fate, key in found if fate == SENT)
        seats.update(fate for fate, _ in found if fate != SENT)
        fate = SENT if sent and len(name) <= 150 else ASIDE
        groups[fate] += 1
        seats[fate] += len(sent)
        if fate == SENT:
            members[name] = sent
    return Expected(users, members, Counter(fate for fate, _ in fates.values()), groups, seats)


def _memberships() -> dict[str, set[str]]:
    """The wanted groups with the names of all their people, through any depth.

    A memberUid stands as it is: nobody who is named so can be delivered.
    """
    groups = {dn.lower(): attributes for dn, attributes in company.groups()}

    def named(dn: str) -> set[str]:
        values = [
            value for kind in ("member", "uniqueMember", "memberUid") for value in groups[dn].get(kind, [])
        ]
        if values == company.SPELLED:
            return company.SPELLED_READ
        return {str(value).lower().partition("#")[0] for value in values}

    def inside(dn: str, seen: set[str]) -> set[str]:
        if dn in seen:
            return set()
        seen.add(dn)
        return {who for name in named(dn) for who in (inside(name, seen) if name in groups else {name})}

    wanted = {dn: str(attributes["cn"][0]) for dn, attributes in groups.items() if dn.startswith("cn=print-")}
    return {name: inside(dn, set()) for dn, name in wanted.items()}


def _uid(attributes: company.Attributes) -> str:
    return str(attributes["uid"][0])


def _unwanted(attributes: company.Attributes) -> bool:
    return attributes.get("employeeType") == ["contractor"] or "pwdAccountLockedTime" in attributes


def _record(attributes: company.Attributes) -> dict[str, str]:
    name = str((attributes.get("displayName") or attributes["cn"])[0]).strip()
    name = "".join(char for char in normalize("NFC", name) if category(char) != "Cc")
    record = {"Logon": _uid(attributes), "Domain": DOMAIN, "Name": name}
    mails = sorted(map(str, attributes.get("mail", [])), key=str.casefold)
    return record | ({"Email": mails[0]} if mails else {})


# A small company, to be changed

STAFF, BRANCHED = 40, 12
ANNA = f"cn=Anna Lang,{PEOPLE}"


def p(number: int) -> str:
    """The name of a person of the staff."""
    return f"uid=p{number:02},{PEOPLE}"


def b(number: int) -> str:
    """The name of a person of the branch."""
    return f"uid=b{number:02},{BRANCH}"


def person(uid: str, **more: list[str | bytes]) -> company.Attributes:
    """A person with a name and an address."""
    usual: dict[str, list[str | bytes]] = {
        "objectClass": ["inetOrgPerson"],
        "uid": [uid],
        "cn": [f"Person {uid}"],
        "sn": ["Person"],
        "mail": [f"{uid}@acme.example"],
    }
    return usual | more


def group(name: str, *members: str) -> tuple[str, company.Attributes]:
    """A group with its members' names."""
    return f"cn={name},{GROUPS}", {
        "cn": [name],
        "objectClass": ["groupOfNames"],
        "member": list(members),
    }


def small() -> Iterator[tuple[str, company.Attributes]]:
    """40 people of the staff, 12 of a branch, and Anna, whose entry is not named by her uid."""
    yield BASE, {"objectClass": ["domain"], "dc": ["acme"]}
    for path in (f"ou=Service,{BASE}", PEOPLE, BRANCH, GROUPS):
        yield path, {"objectClass": ["organizationalUnit"], "ou": [path.partition(",")[0][3:]]}
    for account in (READER, BLIND, MAILLESS):
        name = account.partition(",")[0][3:]
        yield account, {"objectClass": ["person"], "cn": [name], "sn": [name], "userPassword": [PASSWORD]}
    for dn in [*map(p, range(STAFF)), *map(b, range(BRANCHED))]:
        yield dn, person(dn[4:7])
    yield ANNA, person("anna", cn=["Anna Lang"])
    yield group("Print-Floor1", *map(p, range(10)), ANNA)
    yield group("Print-Floor2", *map(p, range(10, 15)), f"cn=inner,{GROUPS}")
    yield group("inner", p(15), p(16))
    yield group("spare", p(20), p(21), ANNA)
    yield group("Print-Branch", *map(b, range(BRANCHED)))


SMALL_RULES = f"""{WRITABLE}\
access to attrs=userPassword by anonymous auth by * none
access to attrs=mail by dn.exact="{MAILLESS}" none by * read
access to dn.subtree="{BRANCH}" by dn.exact="{BLIND}" none by * read
access to * by * read
"""


def small_members() -> dict[str, list[str]]:
    """The groupings of the small company as Orbix must have them."""
    return {
        "Print-Floor1": [*keys("anna"), *(f"acme//p{n:02}" for n in range(10))],
        "Print-Floor2": [f"acme//p{n:02}" for n in range(10, 17)],
        "Print-Branch": [f"acme//b{n:02}" for n in range(BRANCHED)],
    }


def keys(*uids: str) -> list[str]:
    """People as the sandbox names them."""
    return [f"acme//{uid}" for uid in uids]


# Changes


def change(slapd: Slapd | None, *changes: str) -> None:
    """Changes the directory's data, with the command an administrator uses."""
    assert slapd is not None
    done = subprocess.run(
        [needed("ldapmodify"), "-x", "-H", slapd.url, "-D", _ADMIN, "-w", _ADMIN_PASSWORD],
        input="\n".join(changes),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def joins(dn: str, attributes: company.Attributes) -> str:
    head, _, rest = "".join(ldif([(dn, attributes)])).partition("\n")
    return f"{head}\nchangetype: add\n{rest}"


def leaves(dn: str) -> str:
    return f"dn: {dn}\nchangetype: delete\n"


def renamed(dn: str, rdn: str) -> str:
    return f"dn: {dn}\nchangetype: modrdn\nnewrdn: {rdn}\ndeleteoldrdn: 1\n"


def replaced(dn: str, name: str, *values: str) -> str:
    return _modified("replace", dn, name, values)


def added(dn: str, name: str, *values: str) -> str:
    return _modified("add", dn, name, values)


def removed(dn: str, name: str, *values: str) -> str:
    return _modified("delete", dn, name, values)


def _modified(how: str, dn: str, name: str, values: tuple[str, ...]) -> str:
    lines = "".join(f"{name}: {value}\n" for value in values)
    return f"dn: {dn}\nchangetype: modify\n{how}: {name}\n{lines}"


# A line that breaks


@contextmanager
def cut_off(slapd: Slapd, after: int) -> Iterator[str]:
    """A way to the server that is lost once so many bytes have come back through it; gives its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()
        relay = threading.Thread(target=_relay, args=(listener, slapd.port, after, ended))
        relay.start()
        try:
            yield f"ldap://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            relay.join()


def _relay(listener: socket.socket, port: int, left: int, ended: threading.Event) -> None:
    while not ended.is_set():
        with suppress(OSError):
            near, _ = listener.accept()
            with closing(near), socket.create_connection(("127.0.0.1", port)) as far:
                forth = threading.Thread(target=_pump, args=(near, far, sys.maxsize))
                forth.start()
                _pump(far, near, left)
                for end in (near, far):
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
                forth.join()


def _pump(source: socket.socket, target: socket.socket, left: int) -> None:
    with suppress(OSError):
        while left > 0 and (data := source.recv(min(left, 65_536))):
            target.sendall(data)
            left -= len(data)


_LISTING = """\
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from rosterd.cli import main
main()
"""


def imported(config: Path) -> set[str]:
    """The modules that a run has imported by its end."""
    done = subprocess.run(
        [sys.executable, "-c", _LISTING, "run", "--once", "--json", "--config", config],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment(),
    )
    assert done.returncode == 0, done.stdout
    return set(done.stderr.splitlines()[-1].split())
