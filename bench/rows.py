"""A program that writes one large access report: `python -m bench.rows DIRECTORY GRANTS FORMAT ...`.

Its 50,000 people and so many grants are made anew for each pass, as a ledger's are. Without a format the rows are
only made, once: what that costs is no part of writing them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from rosterd.core.access import AccessReport, Grant, PersonRow
from rosterd.reports import files

PEOPLE, PLACES = 50_000, 20
MADE = "2026-11-26T06:00:00+00:00"


class People:
    """Nine in ten are as they should be."""

    def __iter__(self) -> Iterator[PersonRow]:
        for number in range(PEOPLE):
            odd = number % 10 == 0
            yield PersonRow(
                f"NDD//person{number:05d}", f"Persão Número {number}", (f"person{number}@acme.example",),
                "left" if odd else "active", "left" if odd else "delivered", ("Print-HQ", f"Print-{number % 50}"),
            )  # fmt: skip


class Grants:
    """Spread evenly over people and places."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[Grant]:
        for number in range(self.count):
            place, who = number * PLACES // self.count, number % PEOPLE
            yield Grant(
                "twin", f"Building {place}", f"urn:adsk.dtt:{place:022d}", f"2004{number:08d}",
                f"Persão Número {who}", f"person{who}@acme.example", "Manage" if who % 9 == 0 else "View", "",
                MADE, f"NDD//person{who:05d}", "left" if who % 10 == 0 else "known", "e-mail", "",
            )  # fmt: skip


def main(directory: str, grants: int, formats: list[str]) -> None:
    """Writes the formats as a run does; "digest" is the hash that says whether a report changed."""
    counts = {"people": PEOPLE, "grants": grants, "findings": 0}
    report = AccessReport("acme", "ACME", MADE, True, (), People(), Grants(grants), counts=counts)
    if not formats:
        sum(1 for _ in report.people)
        sum(1 for _ in report.grants)
    if "digest" in formats:
        formats.remove("digest")
        import_module("rosterd.reports.json").digest(report)
    writers = {name: import_module(f"rosterd.reports.{name}").write for name in formats}
    _, problems = files.write(Path(directory), report, writers)
    if problems:
        sys.exit(str(problems[0]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
