"""B1 and B2: a directory read whole, beside the C tool that does the same and throws it away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from uuid import NAMESPACE_DNS, uuid5

from tests.real.slapd import BASE, PASSWORD, READER, Slapd, load, needed, running

from bench.figures import Figure, peak, ratio
from bench.ground import Setup, Site
from bench.measure import ROOT, Broken, Usage, process, python
from bench.people import FIRST, LAST, logon, shuffled

PEOPLE = 200_000
PAGE = 1_000
READ = str(ROOT / "bench" / "read.py")
FILTER = "(objectClass=inetOrgPerson)"
ATTRIBUTES = ("uid", "displayName", "mail", "departmentNumber", "employeeNumber", "entryUUID")

_SOURCE = """\
[customers.acme.sources.hq]
kind = "ldap"
flavor = "openldap"
urls = [{url}]
base = {base}
bind_dn = {bind_dn}
bind_password = {bind_password}
allow_cleartext = true
page_size = {page}
[customers.acme.sources.hq.people]
filter = {filter}
logon = "{{{{ uid }}}}"
domain = "NDD"
name = "{{{{ displayName }}}}"
email = "{{{{ mail }}}}"
"""


def read(setup: Setup) -> list[Figure]:
    """B1: the pages of a directory, read and decoded."""
    with _served(setup) as (server, count):
        return _read(setup, server, count)


def run(setup: Setup) -> list[Figure]:
    """B2: a run over a directory in which nothing changed."""
    with _served(setup) as (server, count):
        return _run(setup, server, count)


@contextmanager
def _served(setup: Setup) -> Iterator[tuple[Slapd, int]]:
    """A server with so many people, who are loaded once for both."""
    count, folder = setup.size(PEOPLE), setup.room / "directory"
    if not folder.exists():
        load(folder, people(count), f'limits dn.exact="{READER}" size=unlimited')
    with running(folder, log="none") as server:
        yield server, count


def people(count: int) -> Iterator[tuple[str, Mapping[str, list[str | bytes]]]]:
    """The entries, one after the other: nothing large is held here."""
    yield BASE, {"objectClass": ["dcObject", "organization"], "dc": ["acme"], "o": ["Acme"]}
    for unit in ("Service", "People"):
        yield f"ou={unit},{BASE}", {"objectClass": ["organizationalUnit"], "ou": [unit]}
    role: list[str | bytes] = ["organizationalRole", "simpleSecurityObject"]
    yield READER, {"objectClass": role, "cn": ["reader"], "userPassword": [PASSWORD]}
    for number in shuffled(count):
        dn = f"uid={logon(number)},ou=People,{BASE}"
        first, last = FIRST[number % len(FIRST)], LAST[number // len(FIRST) % len(LAST)]
        yield (
            dn,
            {
                "objectClass": ["inetOrgPerson"],
                "uid": [logon(number)],
                "cn": [logon(number)],
                "sn": [last],
                "displayName": [f"{first} {last}"],
                "mail": [f"{logon(number)}@example.com"],
                "departmentNumber": [f"Department {number % 97}"],
                "employeeNumber": [str(100_000 + number)],
                "entryUUID": [str(uuid5(NAMESPACE_DNS, dn))],
            },
        )


def _search(server: Slapd) -> Usage:
    """The limit: OpenLDAP's own client reads the same pages and writes them to a place that keeps nothing."""
    bind = ("-x", "-H", server.url, "-D", READER, "-w", PASSWORD)
    what = ("-b", BASE, "-E", f"pr={PAGE}/noprompt", FILTER, *ATTRIBUTES)
    return process(needed("ldapsearch"), "-LLL", *bind, *what, keep=False)


def _read(setup: Setup, server: Slapd, count: int) -> list[Figure]:
    """Every page read and decoded into cells, in a process of its own, imports included."""
    samples = _Samples()
    for _ in range(setup.runs):
        limit = _search(server)
        usage = python(READ, server.url, BASE, READER, PASSWORD, str(PAGE), FILTER, *ATTRIBUTES[:-1])
        if usage.out.strip() != str(count):
            raise Broken(f"{usage.out.strip()} people read where {count:,} were expected")
        samples.note(usage, limit)
    work = f"LDAP, {count:,} people × {len(ATTRIBUTES)} read"
    return [
        samples.wall("B1", work, 1.25),
        samples.cpu("B1", work, 2.0),
        peak("B1", work, samples.rss, 64),
    ]


def _run(setup: Setup, server: Slapd, count: int) -> list[Figure]:
    """A whole run that finds nothing to do."""
    site = Site(setup.room / "directory-run", setup.sandbox, source=source_settings(server))
    site.anew()
    site.run(created=count)
    samples = _Samples()
    for _ in range(setup.runs):
        limit = _search(server)
        samples.note(site.run(unchanged=count), limit)
    work = f"LDAP, {count:,} people, run without changes"
    return [samples.wall("B2", work, 2.2), peak("B2", work, samples.rss, 80)]


def source_settings(server: Slapd) -> str:
    told = {"url": server.url, "base": BASE, "bind_dn": READER, "bind_password": PASSWORD, "filter": FILTER}
    return _SOURCE.format(page=PAGE, **{name: json.dumps(text) for name, text in told.items()})


class _Samples:
    """What several pairs gave."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Usage, Usage]] = []

    def note(self, usage: Usage, limit: Usage) -> None:
        self.pairs.append((usage, limit))

    @property
    def rss(self) -> list[int]:
        return [usage.rss for usage, _ in self.pairs]

    def wall(self, id_: str, work: str, goal: float) -> Figure:
        pairs = [(usage.wall, limit.wall) for usage, limit in self.pairs]
        return _figure(id_, f"{work}: wall", pairs, goal)

    def cpu(self, id_: str, work: str, goal: float) -> Figure:
        pairs = [(usage.cpu, limit.cpu) for usage, limit in self.pairs]
        return _figure(id_, f"{work}: CPU", pairs, goal)


def _figure(id_: str, work: str, pairs: list[tuple[float, float]], goal: float) -> Figure:
    """Ours against the tool's, each pair measured one right after the other."""
    context = {"rosterd": median(ours for ours, _ in pairs), "ldapsearch": median(its for _, its in pairs)}
    return ratio(id_, work, [ours / its for ours, its in pairs], "×", goal, context)


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B1": read, "B2": run}
