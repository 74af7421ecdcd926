"""Figures: what was measured beside what was to be reached, as a table and as a file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One line of the table. `goal` is the most it may be; with `exact`, just what it must be.

    samples: what each pair gave, the figure being their median. note: how it was measured, or what went wrong.
    """

    id: str
    work: str
    value: float | None
    unit: str
    goal: float
    exact: bool = False
    samples: Sequence[float] = ()
    note: str = ""
    context: Mapping[str, float] = field(default_factory=dict)  # medians in absolute terms

    @property
    def met(self) -> bool:
        if self.value is None:
            return False
        return self.value == self.goal if self.exact else self.value <= self.goal


def ratio(
    id_: str, work: str, samples: Sequence[float], unit: str, goal: float, context: Mapping[str, float],
    note: str = "",
) -> Figure:  # fmt: skip
    """The median of several samples against the most it may be."""
    return Figure(id_, work, median(samples), unit, goal, samples=samples, note=note, context=context)


def peak(id_: str, work: str, samples: Sequence[int], goal: float) -> Figure:
    """The largest of several peaks (bytes) against the most it may be (MiB)."""
    sizes = [size / 2**20 for size in samples]
    return Figure(id_, f"{work}: peak memory", max(sizes), "MiB", goal, samples=sizes)


def line(figure: Figure) -> str:
    """One line of the table, with its note beneath."""
    value = "not measured" if figure.value is None else _number(figure.value)
    sign = "=" if figure.exact else "≤"
    verdict = "met" if figure.met else "NOT MET"
    context = ", ".join(
        f"{name.replace('_', ' ')} {_number(value)}" for name, value in figure.context.items()
    )
    text = (
        f"{figure.id:<4} {figure.work:<58} {value:>12} {figure.unit:<8}"
        f" {sign} {_number(figure.goal):<7} {verdict:<8} {context}"
    ).rstrip()
    return text + (f"\n     {figure.note}" if figure.note else "")


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"


def write(path: Path, figures: Sequence[Figure], *, runs: int, small: bool) -> None:
    """The figures as a JSON document."""
    document = {
        "schema": "rosterd/bench/1",
        "runs": runs,
        "small": small,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
    }
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
