"""The verbs, thin: what each takes, and where its work is done. Everything heavy is imported when a verb runs.

No `from __future__ import annotations` in this package: typer reads the annotations.
"""

import gc

from rosterd.cli import access, care, daily, setting_up
from rosterd.cli.command import app
from rosterd.options import standard_streams

__all__ = ["access", "app", "care", "daily", "main", "setting_up"]


def main() -> None:
    """The entry point of the `rosterd` command."""
    gc.set_threshold(500_000, 10, 10)  # millions of short-lived tuples, and hardly a cycle: 7 % of a run
    standard_streams()
    app(prog_name="rosterd")
