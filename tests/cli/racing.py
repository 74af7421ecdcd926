"""Contenders for one ledger, forked once everything is imported: `python -m tests.cli.racing CONFIG ROUNDS CONTENDERS`.

In every round all of them want to begin a run at the same moment, and whoever may holds it until all were told.
Prints what each contender saw: how often it ran, was refused, or found another one running beside it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from rosterd.assemble import open_ledger
from rosterd.errors import LockedError
from rosterd.settings import Settings, load

PATIENCE = 60.0  # seconds until a contender that waits for the others gives up


def contend(settings: Settings, rounds: int, line: Barrier, told: SimpleQueue[dict[str, float]]) -> None:
    """One contender's rounds."""
    ran, refused, beside, slowest = 0, 0, 0, 0.0
    running = settings.ledger.path.with_name("running")
    for _ in range(rounds):
        line.wait(PATIENCE)
        begun = time.monotonic()
        try:
            ledger, lock = open_ledger(settings, locked=True)
        except LockedError:
            slowest = max(slowest, time.monotonic() - begun)
            refused += 1
            line.wait(PATIENCE)
            continue
        try:
            os.close(os.open(running, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            beside += 1
        ledger.start_run(ledger.bind("ACME", "acme").id, time.time())
        ran += 1
        line.wait(PATIENCE)
        running.unlink()
        ledger.close()
        assert lock is not None
        lock.close()
    told.put({"ran": ran, "refused": refused, "beside": beside, "slowest": slowest})


def main(config: str, rounds: str, contenders: str) -> None:
    settings = load(Path(config), {}).settings
    context = multiprocessing.get_context("fork")
    line, told = context.Barrier(int(contenders)), context.SimpleQueue()
    open_ledger(settings, locked=False)[0].close()
    processes = [
        context.Process(target=contend, args=(settings, int(rounds), line, told), daemon=True)
        for _ in range(int(contenders))
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    json.dump([told.get() for process in processes if process.exitcode == 0], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
