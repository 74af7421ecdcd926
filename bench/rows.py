"""A large access report, step by step: `python -m bench.rows DIRECTORY make|join|STEP ...`.

`make PEOPLE PLACES` fills a ledger: everybody has access to all places. `join` makes the report of it, as far as
it is made before anything is written. Formats are written after that, as a run does; `digest` is the hash that says
whether a report changed, `changes` what is different from the last one.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from pathlib import Path

from rosterd.assemble.reports import writer
from rosterd.changes import difference
from rosterd.core.access import APPLICATION, TWIN, Account, Holder, Place, Snapshot
from rosterd.ledger.lock import RunLock
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.reporting import About, build
from rosterd.reports import files

NOW = 1_764_000_000.0
CLIENT, SOURCE = "ACME", "hr"


def account(number: int) -> Account:
    """One in a hundred has left."""
    key, state = f"person{number:05d}", "left" if number % 100 == 0 else "active"
    return Account(f"ndd\0{key}".encode(), f"NDD//{key}", f"Persão Número {number}", f"{key}@acme.example", state, "",
                   SOURCE)  # fmt: skip


def holder(number: int, place: int) -> Holder:
    """Most are seen with their address everywhere; in a third of the twins by their id alone."""
    email = "" if place > 4 and number % 3 == 0 else f"Person{number:05d}@acme.example"
    level = "Manage" if number % 900 == 0 else "View"
    return Holder(f"2004{number:08d}", f"Persão Número {number}", email, level, since="2026-01-02T00:00:00Z")


def make(path: Path, people: int, places: int) -> None:
    """The ledger after access was read."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    lock = RunLock(path, "bench")
    ledger = SqliteLedger(path, "https://orbix.example", "bench", lock)
    try:
        ledger.prepare(NOW)
        binding = ledger.bind(CLIENT, "acme").id
        ledger.note_place(binding, Place("directory", SOURCE, SOURCE), NOW, entries=people)
        ledger.note_accounts(binding, map(account, range(people)), (), NOW)
        for number in range(places):
            place = Place(
                APPLICATION if number < 5 else TWIN, f"urn:adsk.dtt:{number:022d}", f"Building {number}"
            )
            holders = [holder(each, number) for each in range(people)]
            ledger.note_holders(binding, place, Snapshot(holders), NOW)
    finally:
        ledger.close()
        lock.close()


def main(directory: Path, steps: list[str]) -> None:
    """The steps, in one process that collects garbage as rarely as `rosterd` does."""
    gc.set_threshold(500_000, 10, 10)  # as in rosterd.cli.main
    path = directory / "ledger.db"
    if steps[0] == "make":
        make(path, *map(int, steps[1:]))
        return
    ledger = SqliteLedger(path, "https://orbix.example", "bench", None)
    binding = ledger.binding(CLIENT).id
    report = build(ledger, About(binding, "acme", CLIENT, (SOURCE,)), NOW)
    if "digest" in steps:
        import_module("rosterd.reports.json").digest(report)
    if "changes" in steps:
        difference(ledger, binding, report).close()
    writers = {name: writer(name) for name in steps if name in files.ENDINGS}
    if writers:
        _, problems = files.write(directory / "reports", report, writers)
        if problems:
            sys.exit(str(problems[0]))
    ledger.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
