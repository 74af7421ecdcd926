"""Verbs about access elsewhere: the report, sign-in, registration codes."""

from pathlib import Path
from typing import Annotated

import typer

from rosterd.cli.command import ACCESS, Customers, Json, app
from rosterd.options import Common, verb


@verb(app, "report", ACCESS)
def report(
    common: Common,
    customer: Customers = None,
    form: Annotated[
        str, typer.Option("--format", help="text, html, csv, json or xlsx.", metavar="FORM")
    ] = "text",
    json: Json = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead.")] = None,
) -> int:
    """Who has access, and who should not: from what the last run saw.

    Nothing is asked for again; `rosterd run --once` reads access anew.

    Examples: rosterd report; rosterd report --customer acme --format html --out acme.html
    """
    from rosterd.verbs.report import report as tell

    return tell(common, customer or [], "json" if json else form, out)


@verb(app, "codes", ACCESS)
def codes(
    common: Common,
    customer: Customers = None,
    form: Annotated[str, typer.Option("--format", help="table, csv or json.", metavar="FORM")] = "table",
    json: Json = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file, for you alone.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Those that were handed out as well.")] = False,
    handed_out: Annotated[
        list[str] | None, typer.Option("--handed-out", help="Tick this one off; repeatable.", metavar="KEY")
    ] = None,
    again: Annotated[
        list[str] | None,
        typer.Option("--again", help="Ask once more for one in doubt; repeatable.", metavar="KEY"),
    ] = None,
) -> int:
    """Registration codes of 3D printers that wait to be handed out.

    Examples: rosterd codes; rosterd codes --handed-out "874 / ana@acme.example"
    """
    from rosterd.verbs.codes import codes as tell

    form = "json" if json else form
    return tell(
        common, customer or [], form, out, everything=all_, handed=handed_out or [], again=again or []
    )
