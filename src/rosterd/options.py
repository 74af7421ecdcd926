"""What all verbs share: their common options, and how an error becomes a sentence and an exit code.

No `from __future__ import annotations` here: typer reads the annotations.
"""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from rosterd.errors import RosterdError

EPILOG = """\b
Exit codes:
  0   done
  1   unexpected error (a defect)
  2   usage or settings
  3   done, but records were newly refused or set aside
  4   held by a guard
  5   a source could not be read whole
  6   a target failed or stayed ambiguous
  7   another run holds the lock
  8   the ledger is unusable
  9   sign-in or credentials refused by a target
  10  status, plan --check: something is to be done"""


@dataclass(frozen=True)
class Common:
    """The options that every verb takes."""

    config: Path | None
    log_format: str
    verbosity: int
    quiet: bool


Config = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Settings file [$ROSTERD_CONFIG, ./rosterd.toml, /etc/rosterd/rosterd.toml]."
    ),
]
LogFormat = Annotated[str | None, typer.Option("--log-format", help="console or json.", metavar="FORM")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Log more; twice: everything.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Log errors only, and no progress.")]

_COMMON: dict[str, tuple[Any, Any]] = {
    "config": (Config, None),
    "log_format": (LogFormat, None),
    "verbose": (Verbose, 0),
    "quiet": (Quiet, False),
}


def _common_parameters() -> list[inspect.Parameter]:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(n, keyword, default=value, annotation=kind) for n, (kind, value) in _COMMON.items()
    ]


def verb(
    group: typer.Typer, name: str, panel: str | None = None
) -> Callable[[Callable[..., int]], Callable[..., None]]:
    """Registers a verb: adds the common options, turns errors into sentences and results into exit codes."""

    def register(function: Callable[..., int]) -> Callable[..., None]:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.name != "common"]

        @functools.wraps(function)
        def run(**given: Any) -> None:
            values = {key: given.pop(key) for key in _COMMON}
            raise typer.Exit(_guarded(lambda: function(common=_merged(values), **given)))

        run.__dict__["__signature__"] = inspect.Signature([*own, *_common_parameters()])  # typer reads it
        run.__annotations__ = {p.name: p.annotation for p in [*own, *_common_parameters()]}
        group.command(name, rich_help_panel=panel)(run)
        return run

    return register


before: dict[str, Any] = {}  # common options given before the verb


def _merged(values: dict[str, Any]) -> Common:
    both = {key: values[key] or before.get(key) for key in values}
    form = both["log_format"] or "console"
    if form not in ("console", "json"):
        raise typer.BadParameter("console or json", param_hint="--log-format")
    return Common(both["config"], form, both["verbose"] or 0, bool(both["quiet"]))


def _guarded(work: Callable[[], int]) -> int:
    try:
        return work()
    except RosterdError as error:
        return complain(error)


def complain(error: RosterdError) -> int:
    """What happened, where, and what to do next, on stderr; gives the exit code."""
    where = f"{error.where}: " if error.where else ""
    lines = [f"rosterd: {where}{error.what}"] + ([f"  next: {error.hint}"] if error.hint else [])
    with suppress(OSError):  # stderr may be full: the code says it as well
        typer.echo("\n".join(lines), err=True)
    return error.exit_code


def standard_streams() -> None:
    """Opens what the caller closed: a file must never get the number of stdout or stderr."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
