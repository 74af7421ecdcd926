"""Verbs for looking after it: pauses, the ledger."""

from pathlib import Path
from typing import Annotated

import typer

from rosterd.cli.command import CARE, Customer, Json, app, ledger_app
from rosterd.options import Common, verb


@verb(app, "pause", CARE)
def pause(
    common: Common,
    customer: Customer,
    reason: Annotated[str, typer.Option("--reason", help="Why; `status` shows it.")] = "",
) -> int:
    """No runs for a customer until resumed. Example: rosterd pause acme --reason "domain migration" """
    from rosterd.verbs.desk import pause as stop

    return stop(common, customer, reason)


@verb(app, "resume", CARE)
def resume(common: Common, customer: Customer) -> int:
    """End a pause. Example: rosterd resume acme"""
    from rosterd.verbs.desk import resume as go

    return go(common, customer)


@verb(ledger_app, "backup")
def backup(common: Common, file: Annotated[Path, typer.Argument(help="Where the copy goes.")]) -> int:
    """Make a consistent copy while runs go on. Example: rosterd ledger backup /backup/ledger.db"""
    from rosterd.verbs.desk import backup as copy

    return copy(common, file)


@verb(ledger_app, "verify")
def verify(common: Common, json: Json = False) -> int:
    """Check the ledger thoroughly. Exit 8 when something is wrong. Example: rosterd ledger verify"""
    from rosterd.verbs.desk import verify as look

    return look(common, json)


@verb(app, "forget", CARE)
def forget(
    common: Common,
    who: Annotated[str, typer.Argument(help="A logon, DOMAIN//logon or e-mail address.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> int:
    """Erase a person from ledger, history and kept reports. Example: rosterd forget NDD//carlos.silva"""
    from rosterd.verbs.forget import forget as erase

    return erase(common, who, yes=yes, json=json)
