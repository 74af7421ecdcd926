"""What a source is told: where the people and groups are, and how an entry becomes a person."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, field_validator, model_validator

from rosterd.fields import (
    Duration,
    FilePath,
    Names,
    OptionalPath,
    PositiveDuration,
    Secret,
    Size,
    Table,
    Template,
    Text,
    between,
    is_loopback,
    split_url,
)
from rosterd.sources.people import PeopleSettings
from rosterd.sources.presets import filled
from rosterd.sources.values import (
    BaseDn,
    Bind,
    DirectoryUrl,
    Encoding,
    FilterText,
    Flavor,
    NameServer,
    Scope,
    Separator,
    no_repetition,
)

FOLLOWED = ("openldap", "389ds", "active-directory")  # flavors whose changes can be followed

__all__ = [
    "FOLLOWED",
    "CsvGroupsSettings",
    "CsvSettings",
    "LdapGroupsSettings",
    "LdapPeopleSettings",
    "LdapSettings",
    "PeopleSettings",
    "SourceSettings",
]

# CSV


class CsvGroupsSettings(Table):
    """A file with one line per membership."""

    path: FilePath
    """The file, relative to this one."""
    encoding: Encoding = "utf-8"
    """How the file is encoded; default: as the people's file."""
    separator: Separator | None = None
    """What stands between two columns; default: as declared for the people's file, else recognised."""
    name: Template
    """The name of the group."""
    description: Template | None = None
    """What the group is for."""
    member: Template
    """The member: a logon of this source, or DOMAIN//logon."""


class CsvSettings(Table):
    """People in a CSV file."""

    kind: Literal["csv"] = "csv"
    """The kind of source: "csv" or "ldap"."""
    path: FilePath
    """The file, relative to this one. It must be a file, not a link."""
    encoding: Encoding = "utf-8"
    """How the file is encoded."""
    separator: Separator | None = None
    """What stands between two columns; default: recognised from the header among , ; tab and |."""
    settle: Duration = 2.0
    """How long the file must have been left alone before it is read; "0s" switches this off."""
    shared: bool = False
    """Another customer may read the same file."""
    people: PeopleSettings
    """How a line becomes a person."""
    groups: CsvGroupsSettings | None = None
    """A second file, with one line per membership."""

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, raw: Any) -> Any:
        """The groups' file is written like the people's file unless it says otherwise."""
        if not isinstance(raw, dict) or not isinstance(raw.get("groups"), dict):
            return raw
        inherited = {key: raw[key] for key in ("encoding", "separator") if key in raw}
        return raw | {"groups": inherited | raw["groups"]}

    @model_validator(mode="after")
    def _one_way_to_groups(self) -> Self:
        _refuse_two_ways(self.people, self.groups)
        return self


def _refuse_two_ways(people: PeopleSettings, groups: object) -> None:
    if people.groups is not None and groups is not None:
        raise ValueError("takes groups from people.groups and from [groups]: keep one")


# LDAP


def _preset(*names: str) -> Any:
    """Lets the schema of a table say that a flavor may fill in these settings."""

    def without(schema: dict[str, Any]) -> None:
        schema["required"] = [name for name in schema["required"] if name not in names]

    return without


class LdapPeopleSettings(PeopleSettings):
    """How an entry of the directory becomes a person, and where people are.

    What is left out is what suits the flavor; of the flavors only active-directory knows the domain.
    """

    model_config = ConfigDict(json_schema_extra=_preset("logon", "domain"))

    filter: FilterText = ""
    """Which entries are people; default: what suits the flavor."""
    base: BaseDn = ""
    """Where people are searched; default: the source's base."""
    scope: Scope = "subtree"
    """How deep people are searched; default: the source's scope."""


class LdapGroupsSettings(Table):
    """Where groups are, and what they are called."""

    model_config = ConfigDict(json_schema_extra=_preset("name"))

    filter: FilterText = ""
    """Which entries are groups; default: what suits the flavor."""
    base: BaseDn = ""
    """Where groups are searched; default: the source's base."""
    scope: Scope = "subtree"
    """How deep groups are searched; default: the source's scope."""
    name: Template
    """The name of the group."""
    description: Template | None = None
    """What the group is for."""
    members: Names = ("member",)
    """The attribute, or attributes, that list the members; default: what suits the flavor."""
    member_of: Names = ()
    """Attributes of people that name their groups, such as "nsRole", besides what groups say."""
    primary: bool = True
    """Whether people count as members of their primary group (primaryGroupID, gidNumber)."""
    nested: bool = False
    """Whether members of a group's groups count as its members."""


class LdapSettings(Table):
    """People in a directory."""

    model_config = ConfigDict(json_schema_extra=_preset("people"))

    kind: Literal["ldap"] = "ldap"
    """The kind of source: "csv" or "ldap"."""
    flavor: Flavor = "custom"
    """The kind of directory: "active-directory", "openldap", "389ds", "freeipa", "custom"."""
    urls: tuple[DirectoryUrl, ...]
    """The servers, tried in this order. ldaps://_ldap._tcp.acme.example asks DNS for them."""
    name_servers: tuple[NameServer, ...] = ()
    """DNS servers to ask for such a name, as "10.0.0.1" or "10.0.0.1:53"; default: the system's."""
    bind: Bind = "simple"
    """How to sign in: "simple" with bind_dn, "external" with a certificate or over ldapi://, "kerberos"."""
    bind_dn: Text | None = None
    """Who reads the directory; default: an anonymous read."""
    bind_password: Secret | None = None
    """The password of bind_dn. Better: a secret file."""
    client_certificate: OptionalPath = None
    """A certificate to show the server, in PEM, perhaps with its key."""
    client_key: OptionalPath = None
    """The key of client_certificate, when it is in a file of its own."""
    principal: Text | None = None
    """Who reads the directory, for Kerberos; default: the first of the keytab."""
    keytab: OptionalPath = None
    """The key of the principal; default: the tickets that the process has already."""
    start_tls: bool = False
    """Secure ldap:// connections before anything is sent."""
    allow_cleartext: bool = False
    """Send the password without TLS, on loopback only."""
    ca_file: OptionalPath = None
    """Certificates to trust, in PEM; default: the system's trust store."""
    base: BaseDn
    """Where people and groups are searched."""
    scope: Scope = "subtree"
    """How deep: "subtree", "one" or "base"."""
    page_size: Annotated[int, between(1, 100_000)] = 1000
    """Entries asked for at a time."""
    deadline: PositiveDuration = 600.0
    """How long one reading of the people, or of the groups, may take."""
    timeout: PositiveDuration = 30.0
    """How long the server may stay silent, and how long it may take to let rosterd in."""
    max_entries: Annotated[int, between(1, 1_000_000_000)] = 5_000_000
    """The most entries of one reading; more ends it."""
    max_bytes: Size = 8 * 1024**3
    """The most bytes of one reading; more ends it."""
    follow: bool = False
    """Follow the changes instead of reading everything each time. Needs rights: see docs/directories.md."""
    follow_every: Annotated[PositiveDuration, Field(ge=0.1)] = 1.0
    """How often the service asks what has changed."""
    full_every: PositiveDuration = 86_400.0
    """How often everything is read all the same."""
    reader: Literal["own", "ldap3"] = "own"
    """What reads pages: "own", or the library "ldap3", many times slower, should a server ever need it."""
    shared: bool = False
    """Another customer may read the same people of the same directory."""
    people: LdapPeopleSettings
    """Which entries are people, and how an entry becomes a person."""
    groups: LdapGroupsSettings | None = None
    """Which entries are groups."""

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, raw: Any) -> Any:
        """Fills in what the flavor and the source say for people and groups."""
        return filled(raw) if isinstance(raw, dict) else raw

    @field_validator("urls")
    @classmethod
    def _some_urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("is an empty list")
        return no_repetition(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_two_ways(self.people, self.groups)
        self._one_way_to_bind()
        if self.people.disabled.startswith("{{") and self.flavor != "custom":
            raise ValueError('has an expression in people.disabled, which needs flavor = "custom"')
        self._refuse_cleartext()
        if self.follow:
            self._can_be_followed()
        return self

    def _can_be_followed(self) -> None:
        if self.flavor not in FOLLOWED:
            known = ", ".join(f'"{name}"' for name in FOLLOWED)
            raise ValueError(f"has follow, which needs one of the flavors {known}")
        if self.groups is not None and self.groups.member_of:
            # nsRole and memberOf are worked out by the server: they change without a change of the entry
            raise ValueError("has follow beside groups.member_of, of which no server tells changes: keep one")
        if self.reader != "own":
            raise ValueError('has follow beside reader = "ldap3", which cannot: keep one')

    def _one_way_to_bind(self) -> None:
        if self.bind != "simple" and (self.bind_dn or self.bind_password is not None):
            raise ValueError(f'has bind = "{self.bind}" beside bind_dn or bind_password: keep one')
        if self.bind_dn and self.bind_password is None:
            # A bind with a name and no password succeeds as an anonymous one (RFC 4513, 5.1.2).
            raise ValueError("has a bind_dn without bind_password; leave both out to read anonymously")
        if self.bind_password is not None and not self.bind_dn:
            raise ValueError("has a bind_password without bind_dn")
        if self.client_key is not None and self.client_certificate is None:
            raise ValueError("has a client_key without client_certificate")
        local = all(split_url(url).scheme == "ldapi" for url in self.urls)
        if self.bind == "external" and not local and self.client_certificate is None:
            raise ValueError('has bind = "external" without client_certificate (only ldapi:// needs none)')

    def _refuse_cleartext(self) -> None:
        plain = [split_url(url).hostname for url in self.urls if split_url(url).scheme == "ldap"]
        elsewhere = [host for host in plain if not is_loopback(host)]
        if self.allow_cleartext and elsewhere:
            raise ValueError("has allow_cleartext, which is for loopback only: use ldaps:// or start_tls")
        if plain and not self.start_tls and self.bind == "external":
            raise ValueError("shows no certificate without TLS; use ldaps:// or start_tls = true")
        if plain and not self.start_tls and not self.allow_cleartext:
            if self.bind_dn:
                raise ValueError("would send its password in the clear; use ldaps:// or start_tls = true")
            if self.bind == "kerberos":
                raise ValueError("would read people in the clear; use ldaps:// or start_tls = true")


SourceSettings: TypeAlias = Annotated[CsvSettings | LdapSettings, Field(discriminator="kind")]
