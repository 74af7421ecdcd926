"""One kill at every system call that writes, while a set of report files is written or pruned.

`python -m tests.kill.reporting WHAT DIRECTORY` prints one JSON document.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.kill.tracing import FILES, MOST, OPENS, killed_at

from rosterd.core.access import AccessReport, PersonRow
from rosterd.reports import csv, files, text, xlsx
from rosterd.reports import json as document

WRITERS = {"json": document.write, "csv": csv.write, "xlsx": xlsx.write, "text": text.write}
PEOPLE = [PersonRow(f"NDD//p{number:04d}", "x" * 60, (), "active", "delivered") for number in range(1_000)]
OLD, NEW = 25, 26


def report(day: int) -> AccessReport:
    """A report of that day; large enough that its files take several writes."""
    made = f"2026-11-{day:02d}T06:00:00+00:00"
    people = [row._replace(note=f"of day {day}") for row in PEOPLE]
    return AccessReport(
        "acme", "ACME", made, True, people=people, counts={"people": len(people), "grants": 0}
    )


def whole(directory: Path, day: int) -> dict[str, bytes]:
    """The files of a set, as they are when nothing dies: ending -> content."""
    _, problems = files.write(directory, report(day), WRITERS)
    assert not problems, problems
    return {path.suffix: path.read_bytes() for path in directory.glob("acme.*")}


def wrong(directory: Path, sets: dict[int, dict[str, bytes]]) -> list[str]:
    """What is not as it must be after a death: a file under its name that is not one of the whole ones."""
    found = []
    for path in directory.glob("acme.*"):
        if path.read_bytes() not in (sets[OLD][path.suffix], sets[NEW][path.suffix]):
            found.append(f"{path.name} is neither the old nor the new one")
    for path in (directory / "acme").glob("2*"):
        if path.read_bytes() != sets[int(path.name[8:10])][path.suffix]:
            found.append(f"{path.name} is not whole")
    found += [
        f"there is no acme{ending}" for ending in sets[OLD] if not (directory / f"acme{ending}").exists()
    ]
    return found


def writing(directory: Path, calls: str) -> tuple[int, list[str]]:
    """The second set killed at every call; the next write puts all in place and leaves no draft."""
    sets = {day: whole(directory / f"day{day}", day) for day in (OLD, NEW)}
    room = directory / "room"
    for number in range(1, MOST):
        shutil.rmtree(room, ignore_errors=True)
        files.write(room, report(OLD), WRITERS)
        died = killed_at(lambda: len(files.write(room, report(NEW), WRITERS)[1]), calls, number)
        found = wrong(room, sets)
        again = whole(room, NEW)
        if again != sets[NEW]:
            found.append("the next write did not put the set in place")
        found += [f"{path.name} is left" for path in room.rglob("*draft*")]
        if found or not died:
            return number - 1, [f"call {number}: {one}" for one in found]
    return MOST, ["it never survived"]


def pruning(directory: Path, calls: str) -> tuple[int, list[str]]:
    """Pruning killed at every call takes old copies only, and the next one takes the rest."""
    sets = {day: whole(directory / f"day{day}", day) for day in (OLD, NEW)}
    room = directory / "room"
    later = 2e9
    for number in range(1, MOST):
        for day in (OLD, NEW):
            files.write(room, report(day), WRITERS)
        died = killed_at(lambda: len(files.prune(room, 1, later, ["acme"], WRITERS)[1]), calls, number)
        found = wrong(room, sets)
        files.prune(room, 1, later, ["acme"], WRITERS)
        left = sorted(path.name[:10] for path in (room / "acme").iterdir())
        if left != ["2026-11-26"] * len(WRITERS):
            found.append(f"left after pruning: {left}")
        if found or not died:
            return number - 1, [f"call {number}: {one}" for one in found]
    return MOST, ["it never survived"]


def main(what: str, directory: str) -> None:
    works = {
        "writing": lambda: writing(Path(directory), FILES),
        "opens": lambda: writing(Path(directory), OPENS),
        "pruning": lambda: pruning(Path(directory), FILES),
    }
    calls, found = works[what]()
    print(json.dumps({"calls": calls, "wrong": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
