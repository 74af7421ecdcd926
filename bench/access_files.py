"""B13: the files of an access report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

from bench.figures import Figure, peak, ratio
from bench.ground import Setup
from bench.measure import Usage, python

FORMATS = ("json", "csv", "xlsx", "text")
GRANTS = (50_000, 200_000)


def access_files(setup: Setup) -> list[Figure]:
    """B13: all formats of 50,000 people and their grants, and each format alone, in processes of their own."""
    room = str(setup.room / "reports")

    def written(grants: int, *formats: str) -> Usage:
        return python("-m", "bench.rows", room, str(grants), *formats)

    figures = []
    for grants in GRANTS:
        runs = [written(grants, *FORMATS) for _ in range(setup.runs)]
        alone = {
            name: median(written(grants, name).cpu for _ in range(setup.runs))
            for name in (*FORMATS, "digest")
        }
        alone["rows_once"] = median(written(grants).cpu for _ in range(setup.runs))
        work = f"access files, 50,000 people, {grants:,} grants"
        figures += [
            ratio("B13", f"{work}: CPU", [run.cpu for run in runs], "s", 10, alone),
            peak("B13", work, [run.rss for run in runs], 150),
        ]
    return figures


GOALS: Mapping[str, Callable[[Setup], list[Figure]]] = {"B13": access_files}
