"""Verbs for a start: try, check, write settings."""

from pathlib import Path
from typing import Annotated

import typer

from rosterd.cli.command import FIRST, Customers, Json, app, settings_app
from rosterd.options import Common, verb


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


@verb(app, "init", FIRST)
def init(
    common: Common,
    template: Annotated[
        str | None, typer.Option("--template", help="csv, ldap or ad: without questions.", metavar="KIND")
    ] = None,
) -> int:
    """Write a first settings file: a few questions, and the answers are tried.

    Never replaces a file. Examples: rosterd init; rosterd init --template ad --config /etc/rosterd/rosterd.toml
    """
    from rosterd.verbs.init import init as begin

    return begin(common, template)


@verb(app, "sandbox", FIRST)
def sandbox(
    common: Common,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8765,
    options: Annotated[
        list[str] | None, typer.Argument(help="After --: switches of the sandbox; `-- --help` lists them.")
    ] = None,
) -> int:
    """Serve the pretend Orbix and Autodesk, with fault switches.

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
