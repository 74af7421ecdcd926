"""What is needed to read who has access at Autodesk, and to register people with shared 3D printers."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

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
    return values


class Named(NamedTuple):
    """A place by its id, with the name that people know it by: without one, its id."""

    id: Text
    name: Text


def _spelled_out(value: object) -> object:
    """A list of ids, and of tables { id = "…", name = "…" }: each as such a table."""
    return [_table_of(one) for one in value] if isinstance(value, list | tuple) else value


def _table_of(one: object) -> object:
    if isinstance(one, str):
        return {"id": one, "name": one}
    if isinstance(one, Mapping) and "id" in one and set(one) <= {"id", "name"}:
        return {"name": one["id"], **one}
    if isinstance(one, Named):
        return one
    raise ValueError('has something that is neither an id nor { id = "…", name = "…" }')


def _apart(places: tuple[Named, ...]) -> tuple[Named, ...]:
    """Each place is there once, and known by its name."""
    _distinct(tuple([place.id for place in places]))
    if any(".." in place.id for place in places):  # they become part of an address
        raise ValueError('names something with ".." in it, which is no id')
    _told_apart([place.name for place in places])
    return places


def _told_apart(names: list[str]) -> None:
    if len({name.casefold() for name in names}) != len(names):
        raise ValueError("gives two places the same name")


def _written(places: tuple[Named, ...]) -> list[str | dict[str, str]]:
    """As the settings file writes them."""
    return [place.id if place.name == place.id else place._asdict() for place in places]


_TEXT = {"type": "string", "minLength": 1}
_NAMED_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"id": _TEXT, "name": _TEXT},
    "required": ["id"],
    "additionalProperties": False,
}
_PLACES_SCHEMA: dict[str, Any] = {"type": "array", "items": {"anyOf": [_TEXT, _NAMED_SCHEMA]}}


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
Places: TypeAlias = Annotated[
    tuple[Named, ...],
    BeforeValidator(_spelled_out),
    AfterValidator(_apart),
    PlainSerializer(_written),
    WithJsonSchema(_PLACES_SCHEMA),
]
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
    applications: Places = ()
    """Client ids of the applications whose collaborators are listed. With a name for the reports, as Autodesk's answers
    have none: { id = "…", name = "…" }.
    """
    twins: Places = ()
    """Tandem twins whose users are listed, such as "urn:adsk.dtt:…", or { id = "…", name = "…" }."""
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
    name: Text | None = None
    """What people call the printer; without it, its id."""


class PrintersSettings(WebTable):
    """Shared 3D printers. The public service closed on 2017-01-15: only the address given here is called."""

    base_url: ServiceUrl
    """The address of your own service or gateway."""
    registrations: dict[PrinterId, RegistrationSettings] = Field(default_factory=dict)
    """One table per printer id."""

    @model_validator(mode="after")
    def _distinct_names(self) -> Self:
        _told_apart([wanted.name or printer for printer, wanted in self.registrations.items()])
        return self
