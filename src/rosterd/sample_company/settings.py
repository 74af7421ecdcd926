"""The settings that go with the sample company."""

from __future__ import annotations

from json import dumps
from pathlib import Path

from rosterd.sample_company.access import APPLICATION, CLIENT, NAMES, PRINTER, REFRESH, SECRET, TWINS
from rosterd.sample_company.people import PRINTER_GROUP


def settings(directory: Path, base_url: str, token_url: str, *, autodesk_url: str | None = None) -> str:
    """The text of a rosterd.toml for the sample company.

    directory: where the CSV files lie, seen from the settings file (`Path(".")` when beside it). autodesk_url: where
    Autodesk and the printer service are; without it nothing is said of them.
    """
    return _directory_and_queue(directory, base_url, token_url) + (
        _autodesk(autodesk_url) if autodesk_url else ""
    )


def _directory_and_queue(directory: Path, base_url: str, token_url: str) -> str:
    people, groups = (dumps(str(directory / name)) for name in ("people.csv", "groups.csv"))
    return f"""\
# Settings of the sample company. A secret belongs into a secret file; this one is no secret.
[ledger]
url = "sqlite:///ledger.db"

[orbix]
base_url = {dumps(base_url)}
token_url = {dumps(token_url)}
tenant = "sandbox"
client_id = "sandbox"
client_secret = "sandbox"

[customers.acme]
client = "ACME"

[customers.acme.guards]
first_run = "go"                            # a real customer's first delivery waits for an approval

[customers.acme.sources.hr]
kind = "csv"
path = {people}
settle = "0s"                               # the file is complete: no waiting for a writer

[customers.acme.sources.hr.people]
id = "{{{{ id }}}}"
logon = "{{{{ logon }}}}"
domain = "ACME"
name = "{{{{ name }}}}"
email = "{{{{ email }}}}"
disabled = "{{{{ status == 'disabled' }}}}"
exclude = ["svc-*"]

[customers.acme.sources.hr.groups]
path = {groups}
name = "{{{{ group }}}}"
description = "{{{{ description }}}}"
member = "{{{{ logon }}}}"
"""


def _autodesk(url: str) -> str:
    return f"""
[customers.acme.autodesk]
client_id = {dumps(CLIENT)}
client_secret = {dumps(SECRET)}
refresh_token = {dumps(REFRESH)}   # for the first start; `rosterd sign-in` is the usual way
base_url = {dumps(url)}
applications = [{_named(APPLICATION)}]
twins = [
    {_named(TWINS[0])},
    {_named(TWINS[1])},
]

[customers.acme.printers]
base_url = {dumps(url)}                     # the public service is closed: only a service of one's own is called

[customers.acme.printers.registrations.{PRINTER}]
group = {dumps(PRINTER_GROUP)}
name = {dumps(NAMES[PRINTER])}
"""


def _named(place: str) -> str:
    """A place by its id, and by the name that the report shows."""
    return f"{{ id = {dumps(place)}, name = {dumps(NAMES[place])} }}"
