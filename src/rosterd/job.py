"""What one customer's run is given, and what it leaves behind: values that others fill in and read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rosterd.access import Found, Reports, exit_codes
from rosterd.core.doors import AccessSource, Registrar
from rosterd.core.guard import Guards, Verdict
from rosterd.draft import Plan
from rosterd.errors import RosterdError, Stopped, worst
from rosterd.gather import SourcePlan


@dataclass(frozen=True)
class Job:
    """One customer as the settings describe it, opened and compiled."""

    name: str
    client: str
    identity: tuple[str, str, str]  # base URL, tenant, client
    sources: Sequence[SourcePlan]
    guards: Guards
    precedence: tuple[str, ...] = ()
    flat: frozenset[str] = frozenset()
    aside_shared: frozenset[str] = frozenset()
    additive: bool = False
    synchronize: bool = False
    retry_refused_after: float = 7 * 86_400.0  # seconds
    lanes: int = 2
    changed: float = 0.0  # when the settings, or a secret file, were changed last
    access: bool = False  # who has access elsewhere is read, and reported
    printers: tuple[
        tuple[str, str], ...
    ] = ()  # 3D printers, each with the group whose members are registered
    everybody: str = ""  # why changes alone never do, though a source is followed
    printer_names: Mapping[str, str] = field(default_factory=dict)  # what people call them
    managers: str = ""  # the grouping whose members may own and manage applications and twins


@dataclass(frozen=True)
class Elsewhere:
    """The doors of one customer besides Orbix; None where the settings name nothing."""

    source: AccessSource | None = None
    registrar: Registrar | None = None
    close: Callable[[], None] = lambda: None


@dataclass
class Tools:
    """What a run works with, and how it was asked for.

    `confirm` decides about a first delivery (at the terminal, or by `--yes`); `show` is handed the plan as soon
    as it is judged.
    """

    ledger: Any  # rosterd.ledger.sqlite.SqliteLedger, or another of its kind
    target: Callable[[str], Any]  # client -> core.doors.Target with a count of its requests
    stop: threading.Event
    clock: Callable[[], float]
    progress: Callable[[str, int], None]
    dry: bool = False
    only: tuple[str, ...] = ()
    confirm: Callable[[str, Plan, Verdict], bool] = lambda _name, _plan, _verdict: False
    show: Callable[[str, Plan, Verdict, bool], None] = lambda _name, _plan, _verdict, _held: None
    autodesk: Callable[[str], Elsewhere] = lambda _name: Elsewhere()  # a customer's name -> its doors
    reports: Reports | None = None
    access: bool = True  # access is read in this run, and reported
    quiet: bool = False  # a run in which nothing has changed is none: nothing is noted of it


@dataclass
class Outcome:
    """How one customer's run ended. `problems` stopped it or a part of it."""

    name: str
    plan: Plan = field(default_factory=Plan)
    verdict: Verdict = field(default_factory=lambda: Verdict(()))
    held: bool = False
    problems: list[RosterdError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)  # name -> its proof, or why it could not be read
    read: dict[str, int | str] = field(default_factory=dict)  # name -> how many people, or why not
    elsewhere: Found = field(default_factory=Found)  # what came of access and registrations
    news: int = 0
    requests: int = 0
    paused: str | None = None
    quiet: bool = False  # nothing had changed, and nothing was noted
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def delivered(self) -> int:
        """The exit code of the delivery alone: an access read that fails never keeps a first delivery open."""
        codes = [problem.exit_code for problem in (*self.problems, *self.elsewhere.failed)]
        return worst([*codes, *[4] * self.held, *[3] * bool(self.news)])

    @property
    def access_code(self) -> int | None:
        """The exit code of the access read alone; None when nothing was asked."""
        return worst(exit_codes(self.elsewhere)) if self.elsewhere.asked else None

    @property
    def exit_code(self) -> int:
        return worst([self.delivered, *exit_codes(self.elsewhere)])

    @property
    def stopped(self) -> bool:
        return any(isinstance(problem, Stopped) for problem in self.problems)

    @property
    def reason(self) -> str | None:
        """Why it did not end well, or what to know when it did; None when there is nothing to say."""
        if self.paused is not None:
            return f"paused: {self.paused}"
        sentences = [
            f"{problem}" + (f" ({problem.hint})" if problem.hint else "")
            for problem in (*self.problems, *self.elsewhere.failed, *self.elsewhere.problems)
        ]
        sentences += list(self.verdict.reasons) if self.held else []
        return (
            "; ".join(dict.fromkeys(sentences + self.notes)) or None
        )  # several places may fail for one cause
