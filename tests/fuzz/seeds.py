"""`python -m tests.fuzz.seeds`: writes the seeds anew, from what a real slapd says, and a few answers by hand.

They begin with message 1001, which is what the first search of a session asks.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests import fakeldap
from tests.fuzz import target
from tests.ldapwriting import Attributes, answer, microsoft, wasteful
from tests.real.ldap import company
from tests.real.slapd import BASE, Slapd, load, running

from rosterd.sources.ldap.decode import Warnings
from rosterd.sources.ldap.feeds import Batches, group_batches, people_batches
from rosterd.sources.ldap.line import Line
from rosterd.sources.ldap.pages import Tally

CORPUS = Path(__file__).parent / "corpus"
ORDINARY = 4
GROUPS = (
    "Spelled",
    "Diamond",
    "left",
    "right",
    "bottom",
    "Cycle",
    "Back",
    "Foreign",
    "Unique",
    "Posix",
    "Empty",
)


class Heard(Line):
    """A line that keeps all it hears."""

    heard = b""

    def recv(self, size: int) -> bytes:
        data = super().recv(size)
        self.heard += data
        return data


def entries() -> Iterator[tuple[str, company.Attributes]]:
    """What of the company is small and odd, and some people who are alike."""
    number = 0
    for dn, attributes in company.everything():
        number += dn.startswith("uid=p")
        group = ",ou=Groups," in dn and not any(f"{name}," in dn for name in GROUPS)
        large = "uid=large" in dn or (number > ORDINARY and "uid=p" in dn)
        if "objectClass" in attributes and not group and not large:
            yield dn, attributes


def record(server: Slapd, batches: Batches, page_size: int) -> bytes:
    """What the server says in one pass."""
    reading = target.session(b"", 1)
    line = Heard(socket.create_connection(("127.0.0.1", server.port)), reading.budget)
    reading.line = line
    for _ in batches(reading, Tally(page_size, 100_000, False), Warnings()):
        pass
    line.close()
    return line.heard


def spoken(server: Slapd) -> Iterator[tuple[str, bytes]]:
    """Seeds from a real server."""
    told = target.FLAVORS[0]
    assert told.groups is not None

    def people(which: str) -> Batches:
        place = told.people.model_copy(update={"filter": which})
        return people_batches("hq", told.model_copy(update={"people": place}), target.PEOPLE, {})

    groups = group_batches("hq", told, told.groups, target.GROUPS, {})
    for name in ("p*", "mails", "photo", "j*"):
        yield f"people-{name.rstrip('*')}", record(server, people(f"(uid={name})"), 3)
    yield "people", record(server, people("(objectClass=inetOrgPerson)"), 1000)
    yield "groups", record(server, groups, 1000)


def written() -> Iterator[tuple[str, bytes]]:
    """Seeds by hand: other servers' ways to write, and answers that must not pass for whole ones."""
    some: list[tuple[bytes, Attributes]] = [
        (
            b"CN=P%d,DC=acme" % number,
            [
                (b"uid", [b"p%d" % number]),
                (b"mail", [b"a@x", b"b@x"][: 1 + number % 2]),
                (b"objectGUID", [bytes(range(16))]),
                (b"objectSid", [bytes.fromhex("01050000000000051500000001000000020000000300000050040000")]),
                (b"userAccountControl", [b"512"]),
                (b"member;range=0-1", [b"cn=a", b"cn=b"]),
            ][: 5 + (number == 3)],
        )
        for number in range(4)
    ]
    yield "active-directory", answer(1001, some[:3], microsoft)
    yield "wasteful", answer(1001, some[:3], wasteful)
    last = fakeldap.entry(1002, "CN=P3,DC=acme", {"member;range=2-*": ["cn=c"]}) + fakeldap.done(1002, None)
    yield "ranges", answer(1001, some, microsoft) + last
    person = fakeldap.entry(1001, f"uid=a,{BASE}", {"uid": ["a"], "mail": ["a@x.example"]})
    partition = "ldap://acme.example/CN=Configuration,DC=acme,DC=example"
    yield "refused-limit", person + fakeldap.done(1001, b"", 4, "size limit")
    yield "refused-referral", fakeldap.referral(1001, partition)
    yield "refused-reference", person + fakeldap.reference(1001, "ldap://other/dc=x") + fakeldap.done(1001)
    yield "refused-disconnection", person + fakeldap.disconnection()
    yield "refused-same-cookie", (person + fakeldap.done(1001, b"x")) * 2
    yield "partition", partition_page(partition)


def partition_page(partition: str) -> bytes:
    """A page with a reference that leaves nothing out, of a length with which the target thinks of Active Directory."""
    for length in range(1, 9):
        person = fakeldap.entry(1001, f"uid=a,{BASE}", {"uid": ["a" * length]})
        page = person + fakeldap.reference(1001, partition) + fakeldap.done(1001)
        if len(page) // 3 % 2:
            break
    return page


def main() -> None:
    """Writes all seeds."""
    CORPUS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="rosterd-seeds-") as room:
        folder = Path(room) / "slapd"
        load(folder, entries())
        with running(folder) as server:
            seeds = {**dict(spoken(server)), **dict(written())}
    for name, data in seeds.items():
        (CORPUS / name).write_bytes(data)
        print(f"{len(data):6,} bytes  {name}")


if __name__ == "__main__":
    main()
