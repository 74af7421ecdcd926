"""`rosterd run`: once, or as a service."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from rosterd import words
from rosterd.core.guard import Verdict
from rosterd.core.plan import GROUP, PERSON, SEAT
from rosterd.draft import Plan
from rosterd.errors import SettingsError, worst
from rosterd.once import Wish, beside, chosen, run_once
from rosterd.options import complain
from rosterd.settings import Loaded, load
from rosterd.verbs.common import Common, Unsaid, begin, paint, say, say_json
from rosterd.verbs.progress import Progress, progress


def run(
    common: Common, customers: Sequence[str], only: Sequence[str], *, once: bool, yes: bool, json: bool
) -> int:
    if not once:
        return _serve(common, customers, only, yes=yes, json=json)
    loaded, logger = begin(common, apart=True)
    names, apart = _left(loaded, customers)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with progress(wanted=not common.quiet) as tell:
        wish = Wish(names, only=only, stop=stop, progress=tell, confirm=_confirm(tell, yes=yes, json=json))
        document = run_once(loaded.settings, wish, logger)
    return report(beside(document, apart), json=json)


def _left(loaded: Loaded, customers: Sequence[str]) -> tuple[list[str], dict[str, SettingsError]]:
    """The customers that were asked for and can run, and those that are left out, as their own settings are wrong.

    Raises SettingsError when none is left.
    """
    apart = {name: error for name, error in loaded.apart.items() if not customers or name in customers}
    names = [name for name in customers if name not in apart]
    if apart and customers and not names:
        raise next(iter(apart.values()))
    return names, apart


def report(document: dict[str, Any], *, json: bool) -> int:
    """Prints the run document, as JSON or for people, and gives the exit code: the run's, or 3 beside a good one."""
    try:
        _report(document, json=json)
    except Unsaid as error:
        return worst([complain(error), int(document["exit_code"])])
    return int(document["exit_code"])


def _report(document: dict[str, Any], *, json: bool) -> None:
    if json:
        say_json(document)
        return
    colours = paint()
    for notice in document.get("notices", ()):
        say([colours.odd(f"notice: {notice}")])
    for name, customer in document["customers"].items():
        say(words.run_lines(name, customer, colours))
    if len(document["customers"]) > 1:
        say([f"exit code {document['exit_code']}"])


def _confirm(progress: Progress, *, yes: bool, json: bool) -> Any:
    """Decides about a first delivery: `--yes`, or the answer at the terminal."""

    def decide(name: str, plan: Plan, verdict: Verdict) -> bool:
        if not verdict.reasons[0].startswith("first_run"):
            return False
        if yes:
            return True
        if json or not (sys.stdin.isatty() and sys.stderr.isatty()) or len(verdict.reasons) > 1:
            return False
        with progress.away():
            return _asked(name, plan)

    return decide


def _asked(name: str, plan: Plan) -> bool:
    """Whether somebody at the terminal lets a first delivery go."""
    people, groups, seats = (plan.tallies[kind].unsent for kind in (PERSON, GROUP, SEAT))
    sys.stderr.write(
        f"{name}: nothing was ever delivered for this customer, and a delivery cannot be taken back.\n"
        f"  It would create {people:,} {'person' if people == 1 else 'people'},"
        f" {words.plural(groups, 'grouping')} and {words.plural(seats, 'seat')}.\n"
        f"  Look closer with: rosterd plan --customer {name}\n  Deliver now? Type yes: "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() == "yes"


def _serve(common: Common, customers: Sequence[str], only: Sequence[str], *, yes: bool, json: bool) -> int:
    if only or yes or json:
        raise SettingsError("--only, --yes and --json go with --once", hint="add --once, or leave them out")
    loaded, logger = begin(common, usual=1, apart=True)
    names, apart = _left(loaded, customers)
    chosen(loaded.settings, names)
    service = import_module("rosterd.daemon.service")
    return int(
        service.serve(replace(loaded, apart=apart), names, logger, lambda: load(common.config, os.environ))
    )
