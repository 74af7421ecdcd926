"""What is needed to read who has access at Autodesk, and to register people with shared 3D printers."""

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, WithJsonSchema

from rosterd.fields import Cron, Secret, ServiceUrl, Table, Text, WebTable


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("names something twice")
    return values


def _printer(value: str) -> str:
    """A printer's id becomes part of an address."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise ValueError('is not a printer id: use letters, digits and "-"')
    return value


PrinterId: TypeAlias = Annotated[
    str, AfterValidator(_printer), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9-]+$"})
]
DistinctTexts: TypeAlias = Annotated[tuple[Text, ...], AfterValidator(_distinct)]


class AutodeskSettings(WebTable):
    """A customer's Autodesk applications and Tandem twins, for the access report."""

    client_id: Text
    """The application that rosterd signs in as."""
    client_secret: Secret | None = None
    """Its secret; a public application has none. Better: a secret file."""
    refresh_token: Secret | None = None
    """For the first start only; `rosterd sign-in` is the usual way."""
    base_url: ServiceUrl = "https://developer.api.autodesk.com"
    """The address of Autodesk Platform Services."""
    applications: DistinctTexts = ()
    """Client ids of the applications whose collaborators are listed."""
    twins: DistinctTexts = ()
    """Tandem twins whose users are listed, such as "urn:adsk.dtt:…"."""
    managers: Text | None = None
    """The grouping whose members may own and manage applications and twins; anybody else is a finding."""
    schedule: Cron = "0 6 * * *"
    """When access is read, as five cron fields."""


class RegistrationSettings(Table):
    """Who may use one 3D printer."""

    group: Text
    """The group whose members get a registration code."""


class PrintersSettings(Table):
    """Shared 3D printers. The public service closed on 2017-01-15: only the address given here is called."""

    base_url: ServiceUrl
    """The address of your own service or gateway."""
    registrations: dict[PrinterId, RegistrationSettings] = Field(default_factory=dict)
    """One table per printer id."""
