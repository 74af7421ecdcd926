"""Companies as CSV files, written row by row so that nothing large is held here."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from math import gcd
from pathlib import Path

HEADER = ("logon", "name", "email", "department", "status", "id")
FIRST = ("João", "Maria", "José", "Ana", "Zoë", "Łukasz", "Pedro", "Carlos", "Chloé", "Emma", "Noah", "Liam")
LAST = ("Silva", "Souza", "Müller", "García", "Nowak", "Smith", "Jones", "Brown", "Rossi", "Costa", "Dubois")


def shuffled(count: int) -> Iterator[int]:
    """The numbers below `count`, each once, in an order that has nothing to do with theirs."""
    step = max(1, int(count * 0.618))
    while gcd(step, count) != 1:
        step += 1
    return (place * step % count for place in range(count))


def logon(number: int) -> str:
    return f"user{number:07d}"


def unchanged(_number: int) -> bool:
    return False


def write_people(path: Path, count: int, renamed: Callable[[int], bool] = unchanged) -> None:
    """So many people in shuffled order; those for whom `renamed` is true have another name."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in shuffled(count):
            name = f"{FIRST[number % len(FIRST)]} {LAST[number // len(FIRST) % len(LAST)]}"
            name += " Junior" if renamed(number) else ""
            department, status = f"Department {number % 97}", "active"
            email = f"{logon(number)}@example.com"
            writer.writerow((logon(number), name, email, department, status, 100_000 + number))


def write_groups(path: Path, sizes: Sequence[int], people: int, first: Sequence[int] = ()) -> None:
    """One line per membership. Grouping i has the `sizes[i]` people from number `first[i]` on, in a circle."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("group", "description", "logon"))
        start = 0
        for number, size in enumerate(sizes):
            start = first[number] if first else start
            for member in range(start, start + size):
                writer.writerow((f"Print {number:03d}", "who prints there", logon(member % people)))
            start += size
