"""What is needed to read who has access at Autodesk, and to register people with shared 3D printers."""

import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema, model_validator

from rosterd.fields import (
    Cron,
    OptionalPath,
    PositiveDuration,
    Secret,
    ServiceUrl,
    Size,
    Table,
    Text,
    WebTable,
    between,
    is_loopback,
    split_url,
)


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("names something twice")
    if any(".." in value for value in values):  # they become part of an address
        raise ValueError('names something with ".." in it, which is no id')
    return values


def _client_id(value: str) -> str:
    """The id travels before a colon in a Basic header (RFC 7617, 2)."""
    if ":" in value:
        raise ValueError('is not a client id: it has a ":"')
    return value


def _redirect(value: str) -> str:
    """Where the browser is sent back to; plain http only to this machine (RFC 8252, 7.3)."""
    parts = split_url(value)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("must begin with https:// (http:// only on loopback)")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError('must not contain "?", "#" or "@"')
    return value


def _pem(value: SecretStr) -> SecretStr:
    """A key in PEM has line breaks, which other secrets must not have."""
    if not value.get_secret_value().strip():
        raise ValueError("is empty")
    return value


def _printer(value: str) -> str:
    """A printer's id becomes part of an address."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise ValueError('is not a printer id: use letters, digits and "-"')
    return value


PrinterId: TypeAlias = Annotated[
    str, AfterValidator(_printer), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9-]+$"})
]
DistinctTexts: TypeAlias = Annotated[tuple[Text, ...], AfterValidator(_distinct)]
ClientId: TypeAlias = Annotated[Text, AfterValidator(_client_id)]
RedirectUrl: TypeAlias = Annotated[str, AfterValidator(_redirect)]
Pem: TypeAlias = Annotated[SecretStr, AfterValidator(_pem)]


class ServiceAccountSettings(Table):
    """A service account, which needs nobody to sign in. Twins can be read with it; Autodesk does not promise that
    collaborators can. Needs the extra "service-account".
    """

    id: Text
    """The id of the service account."""
    key_id: Text
    """The id of its key."""
    key_file: OptionalPath = None
    """The private key of that id, in PEM."""
    private_key: Pem | None = None
    """The key itself instead of its file, best from a secret file."""
    scopes: DistinctTexts = ("data:read",)
    """What the tokens are for."""

    @model_validator(mode="after")
    def _has_key(self) -> Self:
        if self.key_file is None and self.private_key is None:
            raise ValueError("has no key: set key_file or private_key")
        return self


class AutodeskSettings(WebTable):
    """A customer's Autodesk applications and Tandem twins, for the access report."""

    client_id: ClientId
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
    region: Literal["US", "EMEA", "AUS"] | None = None
    """Where the twins are kept, if they are not found without this."""
    schedule: Cron = "0 6 * * *"
    """When access is read, as five cron fields."""
    redirect_url: RedirectUrl = "http://localhost:8910/callback"
    """Where the browser returns to after `rosterd sign-in`: must be registered with the application, as it stands."""
    requests_per_second: Annotated[float, between(0, 1000)] = 5.0
    """The pace of requests; 0 means none is kept."""
    attempts: Annotated[int, between(1, 20)] = 5
    """How often one request is tried."""
    retry_after_cap: PositiveDuration = 120.0
    """The longest wait that the server may ask for; beyond it the place counts as not read."""
    max_answer: Size = 16 * 1024**2
    """The longest answer that is read."""
    service_account: ServiceAccountSettings | None = None
    """Reads without a sign-in."""


class RegistrationSettings(Table):
    """Who may use one 3D printer."""

    group: Text
    """The group whose members get a registration code."""


class PrintersSettings(WebTable):
    """Shared 3D printers. The public service closed on 2017-01-15: only the address given here is called."""

    base_url: ServiceUrl
    """The address of your own service or gateway."""
    registrations: dict[PrinterId, RegistrationSettings] = Field(default_factory=dict)
    """One table per printer id."""
