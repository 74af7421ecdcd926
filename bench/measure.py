"""Whole processes, measured by what the kernel says of each of them alone when it ends."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).parents[1]
LIMITS = str(ROOT / "bench" / "limits.py")


class Broken(Exception):
    """A process did not do what was to be measured."""


class Usage(NamedTuple):
    """What one process took, and what it said. `cpu` and `wall` are seconds, `rss` is bytes at the peak."""

    cpu: float
    wall: float
    rss: int
    out: str
    error: str


def python(*arguments: str, codes: Sequence[int] = (0,)) -> Usage:
    """Runs this interpreter to its end, as `process` does."""
    return process(sys.executable, *arguments, codes=codes)


def process(program: str, *arguments: str, codes: Sequence[int] = (0,), keep: bool = True) -> Usage:
    """Runs a program to its end; without `keep` nobody hears what it says on its standard output.

    Raises Broken when it ends with another code than `codes`.

    The kernel counts the pages of the starting process into the new one's peak until it has replaced itself,
    so whoever calls this must be smaller than what is measured: nothing large is ever built in this process.
    """
    with (
        tempfile.TemporaryFile() if keep else Path(os.devnull).open("w+b") as out,
        tempfile.TemporaryFile() as error,
    ):
        streams = [(os.POSIX_SPAWN_DUP2, file.fileno(), number) for file, number in ((out, 1), (error, 2))]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled once, not each time
        began = time.perf_counter()
        child = os.posix_spawn(program, [program, *arguments], environment, file_actions=streams)
        _, status, used = os.wait4(child, 0)
        wall = time.perf_counter() - began
        said, complained = _text(out), _text(error)
    code = os.waitstatus_to_exitcode(status)
    if code not in codes:
        raise Broken(f"{' '.join(arguments[:4])} ended {code}: {complained[-500:] or said[-500:]}")
    return Usage(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024, said, complained)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def rows_limit(people: Path) -> float:
    """R, net of what its own start and imports cost: CPU seconds."""
    return python(LIMITS, "R", str(people)).cpu - python(LIMITS, "R", os.devnull).cpu


def usual_limit(people: Path) -> float:
    """U with R over this file: CPU seconds."""
    return python(LIMITS, "U", str(people)).cpu


def modules_of(*arguments: str) -> list[str]:
    """The modules that a process imports, in the order in which they are ready."""
    lines = python("-X", "importtime", *arguments).error.splitlines()
    names = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
    return [name for name in names if name != "imported package"]


def importing(modules: Sequence[str]) -> float:
    """The CPU seconds of a process that imports these modules and does nothing else."""
    return python(LIMITS, "imports", *modules).cpu
