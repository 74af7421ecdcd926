"""Verbs of every day: look, run, approve, see how things stand."""

from pathlib import Path
from typing import Annotated

import typer

from rosterd.cli.command import DAILY, Customers, Json, Who, app
from rosterd.options import Common, verb


@verb(app, "plan", DAILY)
def plan(
    common: Common,
    customer: Customers = None,
    only: Who = None,
    json: Json = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the plan document to this file.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 10 when something is to be done.")] = False,
    full: Annotated[bool, typer.Option("--full", help="List every change, not just the first.")] = False,
) -> int:
    """Show what a run would do. Sends nothing.

    Counts, changes with before → after, and what the guards say.

    Exit 4 when the run would be held. Example: rosterd plan --customer acme
    """
    from rosterd.verbs.plan import plan as show

    return show(common, customer or [], only or [], json=json, out=out, check=check, full=full)


@verb(app, "run", DAILY)
def run(
    common: Common,
    once: Annotated[bool, typer.Option("--once", help="Every customer once, then exit.")] = False,
    customer: Customers = None,
    only: Who = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as `rosterd plan`.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Let a first delivery go without a separate approval.")
    ] = False,
    json: Json = False,
) -> int:
    """Bring Orbix in step: on each customer's schedule, or once.

    Examples: rosterd run --once; rosterd run --once --only carlos.silva --yes (a pilot); rosterd run (as a service)
    """
    if dry_run:
        from rosterd.verbs.plan import plan as show

        return show(common, customer or [], only or [], json=json, out=None, check=False, full=False)
    from rosterd.verbs.run import run as go

    return go(common, customer or [], only or [], once=once, yes=yes, json=json)


@verb(app, "approve", DAILY)
def approve(
    common: Common,
    digest: Annotated[
        list[str] | None, typer.Argument(help="Digests of held plans, or their beginnings.")
    ] = None,
    customer: Customers = None,
    all_: Annotated[bool, typer.Option("--all", help="Every held plan, after a typed confirmation.")] = False,
    now: Annotated[bool, typer.Option("--now", help="Run the customers concerned at once.")] = False,
    json: Json = False,
) -> int:
    """Let exactly the changes of a held plan go. Without arguments: list what is held.

    Example: rosterd approve 3f9a01c2d4e5 --now
    """
    from rosterd.verbs.desk import approve as let

    return let(common, digest or [], customer or [], everything=all_, now=now, json=json)


@verb(app, "status", DAILY)
def status(common: Common, customer: Customers = None, json: Json = False) -> int:
    """Is everybody in step? Exit 0 if so.

    Last and next run, holds, refused records.

    Example: rosterd status --json
    """
    from rosterd.verbs.status import status as tell

    return tell(common, customer or [], json)


@verb(app, "leavers", DAILY)
def leavers(
    common: Common,
    customer: Customers = None,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.", metavar="FORM")] = "table",
    json: Json = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead.")] = None,
    done: Annotated[
        list[str] | None, typer.Option("--done", help="Tick this one off; repeatable.", metavar="KEY")
    ] = None,
) -> int:
    """Who must be removed in the portal by hand.

    Examples: rosterd leavers --format csv --out leavers.csv; rosterd leavers --done NDD//carlos.silva
    """
    from rosterd.verbs.desk import leavers as tell

    return tell(common, customer or [], "json" if json else form, out, done or [])


Somebody = Annotated[str, typer.Argument(help="A logon, DOMAIN//logon or e-mail address.")]


@verb(app, "explain", DAILY)
def explain(
    common: Common,
    who: Somebody,
    customer: Customers = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no source: from the ledger alone.")] = False,
    json: Json = False,
) -> int:
    """One person end to end: where they stand, why, and what to do.

    What Orbix has, groupings, access, what is held; and, where a source can be asked, the entry and its mapping.

    Example: rosterd explain carlos.silva
    """
    from rosterd.verbs.explain import tell

    return tell(common, who, customer or [], offline=offline, json=json)


@verb(app, "history", DAILY)
def history(common: Common, who: Somebody, customer: Customers = None, json: Json = False) -> int:
    """Every change delivered for a person that is still kept, with run and answer.

    Example: rosterd history carlos.silva --json
    """
    from rosterd.verbs.explain import history as tell

    return tell(common, who, customer or [], json=json)
