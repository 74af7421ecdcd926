"""`python -m bench [GOAL ...] [--runs N] [--small]`: measures, prints the table, writes bench/results.json."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import access_files, company, console, counting, directory, following, many, million, starting
from bench.figures import Figure, line, write
from bench.ground import Setup, sandbox
from bench.measure import ROOT, Broken

GOALS = {
    **directory.GOALS, **million.GOALS, **company.GOALS, **counting.GOALS, **many.GOALS,
    **starting.GOALS, **access_files.GOALS, **console.GOALS, **following.GOALS,
}  # fmt: skip
SMALL = 20  # what sizes are divided by for a quick try


def main() -> None:
    """Measures the goals asked for, one after the other. A goal that is missed is reported and fails nothing."""
    arguments = _arguments()
    print(
        "R: csv.reader, strip, NFC, lower-case and BLAKE2b for each row in plain Python.\n"
        "U: importing httpx, pydantic_settings, structlog, typer and jinja2, and R for as many people.\n"
        f"Ratios: the median of {arguments.runs} pairs measured in turn; memory: the largest peak. Times in seconds.\n"
    )
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="rosterd-bench-") as room, sandbox() as target:
        setup = Setup(target, Path(room), arguments.runs, SMALL if arguments.small else 1)
        for goal in arguments.goals or GOALS:
            for figure in _measured(goal, setup):
                print(line(figure), flush=True)
                figures.append(figure)
    results = ROOT / "bench" / "results.json"
    write(results, figures, runs=arguments.runs, small=arguments.small)
    print(f"\n{sum(figure.met for figure in figures)} of {len(figures)} figures met; {results}")
    if arguments.small:
        print("Measured with a twentieth of the sizes: the goals are meant for the whole ones.")


def _measured(goal: str, setup: Setup) -> list[Figure]:
    try:
        return GOALS[goal](setup)
    except Broken as broken:
        return [Figure(goal, "could not be measured", None, "", 0, note=str(broken))]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("goals", nargs="*", metavar="GOAL", help=f"some of {' '.join(GOALS)}; default: all")
    parser.add_argument("--runs", type=int, help="pairs per figure (5; with --small 2)")
    parser.add_argument("--small", action="store_true", help="a twentieth of the sizes, for a quick try")
    arguments = parser.parse_args()
    if unknown := [goal for goal in arguments.goals if goal not in GOALS]:
        parser.error(f"there is no goal {unknown[0]}; the goals are {' '.join(GOALS)}")
    if arguments.runs is None:
        arguments.runs = 2 if arguments.small else 5
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    return arguments


if __name__ == "__main__":
    main()
