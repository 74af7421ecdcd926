"""The verbs, thin: what each takes, and where its work is done. Everything heavy is imported when a verb runs.

No `from __future__ import annotations` here: typer reads the annotations.
"""

from pathlib import Path
from typing import Annotated

import typer

from rosterd import __version__
from rosterd.options import EPILOG, Common, Config, LogFormat, Quiet, Verbose, before, standard_streams, verb

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help comes in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keeps NDD Orbix print queues in step with the company directory. Try `rosterd demo` first.",
)
ledger_app = typer.Typer(no_args_is_help=True, help="Copy the ledger, or check it.")
settings_app = typer.Typer(
    no_args_is_help=True, help="A commented sample, a schema for editors, the merged settings."
)
app.add_typer(ledger_app, name="ledger", rich_help_panel="Looking after it")
app.add_typer(settings_app, name="settings", rich_help_panel="Setting up")

FIRST, DAILY, CARE = "Setting up", "Day by day", "Looking after it"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rosterd {__version__}")
        raise typer.Exit


@app.callback()
def _all(
    config: Config = None,
    log_format: LogFormat = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    before.update(config=config, log_format=log_format, verbose=verbose, quiet=quiet)


Customers = Annotated[
    list[str] | None, typer.Option("--customer", help="Only this customer; repeatable.", metavar="NAME")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
Who = Annotated[
    list[str] | None,
    typer.Option(
        "--only", help="Deliver just this person (logon, DOMAIN//logon or e-mail); repeatable.", metavar="WHO"
    ),
]


@verb(app, "demo", FIRST)
def demo(
    common: Common,
    directory: Annotated[
        Path, typer.Option("--directory", help="Where its files go; made anew each time.")
    ] = Path("demo"),
) -> int:
    """Try everything here: a pretend Orbix, a sample company.

    Needs no settings and touches nothing outside its directory. Example: rosterd demo --directory /tmp/demo
    """
    from rosterd.demo import demo as play

    return play(directory, common)


@verb(app, "sandbox", FIRST)
def sandbox(
    common: Common,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8765,
    options: Annotated[
        list[str] | None, typer.Argument(help="After --: switches of the sandbox; `-- --help` lists them.")
    ] = None,
) -> int:
    """Serve the pretend Orbix, with fault switches.

    It keeps what it accepts and shows it in a browser. Example: rosterd sandbox --port 8765 -- --membership replacing
    """
    from rosterd.sandbox.command import main as serve

    return serve(["--host", host, "--port", str(port), *(options or [])])


@verb(app, "check", FIRST)
def check(common: Common, customer: Customers = None, json: Json = False) -> int:
    """Are settings, servers and mapping right? Writes nothing.

    Reaches every server, obtains a token, shows ten mapped people per source.

    Example: rosterd check --customer acme
    """
    from rosterd.verbs.check import check as look

    return look(common, customer or [], json)


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


@verb(app, "pause", CARE)
def pause(
    common: Common,
    customer: Annotated[str, typer.Argument(help="The customer's name in the settings.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; `status` shows it.")] = "",
) -> int:
    """No runs for a customer until resumed. Example: rosterd pause acme --reason "domain migration" """
    from rosterd.verbs.desk import pause as stop

    return stop(common, customer, reason)


@verb(app, "resume", CARE)
def resume(
    common: Common, customer: Annotated[str, typer.Argument(help="The customer's name in the settings.")]
) -> int:
    """End a pause. Example: rosterd resume acme"""
    from rosterd.verbs.desk import resume as go

    return go(common, customer)


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


@verb(settings_app, "sample")
def sample(common: Common) -> int:
    """Print a commented settings file. Example: rosterd settings sample > rosterd.toml"""
    from rosterd.verbs.show import sample as show

    return show()


@verb(settings_app, "schema")
def schema(common: Common) -> int:
    """Print the JSON Schema of the settings, for editors. Example: rosterd settings schema > rosterd.schema.json"""
    from rosterd.verbs.show import schema as show

    return show()


@verb(settings_app, "show")
def show(common: Common, json: Json = False) -> int:
    """Print the merged settings with secrets masked and where each came from. Example: rosterd settings show"""
    from rosterd.verbs.show import show as tell

    return tell(common, json)


def main() -> None:
    """The entry point of the `rosterd` command."""
    import gc

    gc.set_threshold(500_000, 10, 10)  # millions of short-lived tuples, and hardly a cycle: 7 % of a run
    standard_streams()
    app(prog_name="rosterd")
