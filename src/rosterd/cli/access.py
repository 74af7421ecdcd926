"""Verbs about access elsewhere: the report, sign-in, registration codes."""

from pathlib import Path
from typing import Annotated

import typer

from rosterd.cli.command import ACCESS, Customer, Customers, Json, app
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


@verb(app, "sign-in", ACCESS)
def sign_in(
    common: Common,
    customer: Customer,
    paste: Annotated[bool, typer.Option("--paste", help="Paste what a browser elsewhere ended at.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser here.")] = False,
) -> int:
    """Sign in to Autodesk for a customer, in a browser.

    It is kept beside the ledger, and runs refresh it. Examples: rosterd sign-in acme; rosterd sign-in acme --paste
    """
    from rosterd.verbs.sign_in import sign

    return sign(common, customer, paste=paste, browser=not no_browser)
