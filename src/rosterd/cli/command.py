"""The command itself: its help, its groups, and the options that several verbs take."""

from typing import Annotated

import typer

from rosterd import __version__
from rosterd.options import EPILOG, Config, LogFormat, Quiet, Verbose, before

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

FIRST, DAILY, ACCESS, CARE = "Setting up", "Day by day", "Access elsewhere", "Looking after it"


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
Customer = Annotated[str, typer.Argument(help="The customer's name in the settings.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
Who = Annotated[
    list[str] | None,
    typer.Option(
        "--only", help="Deliver just this person (logon, DOMAIN//logon or e-mail); repeatable.", metavar="WHO"
    ),
]
