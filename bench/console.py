"""B14: the console's pages at 1,000 customers and 1,000,000 people, each beside a page that says nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.figures import Figure
from bench.ground import Setup
from bench.measure import ROOT, Broken

CUSTOMERS, PEOPLE, TIMES = 1_000, 1_000_000, 60
NOTE = "median wall of a page over one kept connection, in turn with /healthz of the same server; its CPU for both"


def pages(setup: Setup) -> list[Figure]:
    """Every page so often, in turn with the trivial one."""
    figures = []
    with _served(setup) as told:
        connection = HTTPConnection("127.0.0.1", told["port"], timeout=60)
        for name, path in told["paths"].items():
            for _ in range(3):
                _took(connection, path)
            before = _cpu(told["pid"])
            pairs = [(_took(connection, path), _took(connection, "/healthz")) for _ in range(TIMES)]
            cpu = (_cpu(told["pid"]) - before) / TIMES
            times, trivial = [1_000 * one for one, _ in pairs], 1_000 * median(two for _, two in pairs)
            context = {
                "p99_ms": quantiles(times, n=100, method="inclusive")[98], "server_CPU_ms": 1_000 * cpu,
                "healthz_ms": trivial, "times_healthz": median(times) / trivial,
            }  # fmt: skip
            figures.append(
                Figure("B14", f"console, {name}", median(times), "ms", 50, note=NOTE, context=context)
            )
        connection.close()
    return figures


@contextmanager
def _served(setup: Setup) -> Iterator[dict[str, Any]]:
    room = setup.room / "console"
    room.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "bench.serving", str(room), str(setup.size(CUSTOMERS)), str(setup.size(PEOPLE)),
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None and process.stdin is not None
            line = process.stdout.readline()
            if not line:
                raise Broken("the console did not start")
            yield {**json.loads(line), "pid": process.pid}
            process.stdin.close()
        finally:
            process.terminate()


def _cpu(pid: int) -> float:
    """CPU seconds that a process has taken so far (proc(5), /proc/pid/stat: utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _took(connection: HTTPConnection, path: str) -> float:
    """Seconds until a page is there, whole. Raises Broken when it is not the page."""
    begun = time.perf_counter()
    connection.request("GET", path, headers={"accept": "text/html"})
    answer = connection.getresponse()
    answer.read()
    seconds = time.perf_counter() - begun
    if answer.status != 200:
        raise Broken(f"{path} answered {answer.status}")
    return seconds


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B14": pages}
