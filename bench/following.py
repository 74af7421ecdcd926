"""B11: how long a change in a large directory takes to reach Orbix, and what it costs to look for changes."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.real.slapd import BASE, READER, Slapd, load, needed, running

from bench.directory import PEOPLE, people, source_settings
from bench.figures import Figure
from bench.ground import Setup, Site
from bench.measure import ROOT, Broken
from bench.people import logon

CHANGES = 100  # of one person each, at any moment between two looks
QUIET = 20.0  # seconds over which the cost of looking is measured
PATIENCE = 120.0  # seconds

_ADMIN, _PASSWORD = f"cn=admin,{BASE}", "admin-of-acme"
_RULES = f"""\
rootpw {_PASSWORD}
limits dn.exact="{READER}" size=unlimited
index entryUUID,entryCSN eq
overlay syncprov
syncprov-sessionlog 10000
"""
_FOLLOW = """\
follow = true
[customers.acme.sources.hq.people]
"""


def follow(setup: Setup) -> list[Figure]:
    """Changes one after the other, each waited for; then nothing but looks, also at a directory a tenth as large."""
    count = setup.size(PEOPLE)
    with _followed(setup, count) as (server, _, process):
        times = [_change(setup, server, number, count) for number in range(CHANGES // setup.divisor + 1)]
        large = _cost(process)
    with _followed(setup, max(1, count // 10)) as (_, _, process):
        small = _cost(process)
    times.sort()
    worst = times[min(len(times) - 1, int(len(times) * 0.99))]
    work = f"LDAP, {count:,} people followed"
    seen = {"median": median(times), "slowest": times[-1]}
    looks = {"CPU_of_a_look": large, "at_a_tenth": small}
    return [
        Figure("B11", f"{work}: change to Orbix, p99", worst, "s", 2.0, samples=times, context=seen),
        Figure("B11", f"{work}: CPU of a look, to a tenth", large / small, "×", 1.5, context=looks),
    ]


@contextmanager
def _followed(setup: Setup, count: int) -> Iterator[tuple[Slapd, Site, subprocess.Popen[bytes]]]:
    """A service that follows a directory of so many people, all of whom are delivered."""
    folder = setup.room / f"followed-{count}"
    load(folder, people(count), _RULES, modules=["syncprov"])
    with running(folder, log="none") as server:
        source = source_settings(server).replace("[customers.acme.sources.hq.people]\n", _FOLLOW)
        site = Site(setup.room / f"following-{count}", setup.sandbox, source=source)
        site.anew()
        site.run(created=count)
        config = str(site.directory / "rosterd.toml")
        command = [sys.executable, "-m", "rosterd", "run", "--quiet", "--config", config]
        with socket.create_server(("127.0.0.1", 0)) as free:
            environment = {**os.environ, "ROSTERD_CONSOLE__LISTEN": f"127.0.0.1:{free.getsockname()[1]}"}
        with subprocess.Popen(command, cwd=ROOT / "src", env=environment) as process:
            try:
                time.sleep(5.0)
                yield server, site, process
            finally:
                process.terminate()


def _change(setup: Setup, server: Slapd, number: int, count: int) -> float:
    """Seconds from a change to its arrival."""
    time.sleep(random.random())
    before = len(setup.sandbox.requests())
    dn = f"uid={logon(number * 7 % count)},ou=People,{BASE}"
    text = f"dn: {dn}\nchangetype: modify\nreplace: mail\nmail: changed{number}@example.com\n"
    command = [needed("ldapmodify"), "-x", "-H", server.url, "-D", _ADMIN, "-w", _PASSWORD]
    subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.DEVNULL)
    begun = time.monotonic()
    while len(setup.sandbox.requests()) == before:
        if time.monotonic() - begun > PATIENCE:
            raise Broken(f"change {number} did not arrive within {PATIENCE:.0f} s")
        time.sleep(0.01)
    return time.monotonic() - begun


def _cost(process: subprocess.Popen[bytes]) -> float:
    """CPU seconds of the service for each look, while nothing changes and everything after the last run is done."""
    time.sleep(10.0)
    before = _used(process.pid)
    time.sleep(QUIET)
    return (_used(process.pid) - before) / QUIET


def _used(pid: int) -> float:
    """CPU seconds of a process so far (proc(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B11": follow}
