"""What a source is told: where the people and groups are, and how an entry becomes a person."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

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
    Templates,
    Text,
    between,
    is_loopback,
    split_url,
)
from rosterd.sources.values import (
    PRESETS,
    BaseDn,
    DirectoryUrl,
    Disabled,
    Encoding,
    FilterText,
    Flavor,
    Scope,
    Separator,
    no_repetition,
    same_for_all,
)

# How an entry becomes a person


class MaxLengths(Table):
    """The most characters of a field; longer values set the person aside."""

    inline = True
    logon: Annotated[int, between(1, 10_000)] | None = None
    """Most characters of a logon."""
    domain: Annotated[int, between(1, 10_000)] | None = None
    """Most characters of a domain."""
    name: Annotated[int, between(1, 10_000)] | None = None
    """Most characters of a name."""
    email: Annotated[int, between(1, 10_000)] | None = None
    """Most characters of an e-mail address."""


def _or_number(schema: dict[str, Any]) -> None:
    """Lets the schema of max_length say that a number does too."""
    schema["anyOf"] = [{"type": "integer", "minimum": 1, "maximum": 10_000}, {"$ref": schema.pop("$ref")}]


class PeopleSettings(Table):
    """How an entry becomes a person. Values with {{ … }} are templates over the entry's attributes."""

    logon: Template
    """The logon name, half of a person's key."""
    domain: Template
    """The domain, the other half of the key."""
    name: Templates = ()
    """The name shown; of several templates the first that is not empty counts."""
    email: Templates = ()
    """The e-mail address; of several templates the first that is not empty counts."""
    id: Template | None = None
    """An identifier that survives a change of logon. Directories have one of their own."""
    disabled: Disabled = "exclude"
    """What happens to disabled people: "exclude", "include", or an expression "{{ … }}" that says who is."""
    exclude: tuple[Template, ...] = ()
    """People who are not wanted: patterns of logons such as "svc-*", or expressions "{{ … }}"."""
    repair: Annotated[tuple[Literal["ascii", "lower"], ...], AfterValidator(no_repetition)] = ()
    """What may be done to mend a logon: "ascii" makes João Joao, "lower" writes it in small letters."""
    allowed_characters: str = "-_."
    """Characters besides letters and digits that may be sent in logons and domains."""
    shared_email: Literal["warn", "set_aside"] = "warn"
    """People who share an address: "warn" delivers and reports them."""
    bad_email: Literal["omit", "set_aside"] = "omit"
    """A person whose address is not valid: "omit" delivers the person without it and reports it."""
    max_length: Annotated[MaxLengths, BeforeValidator(same_for_all)] = Field(
        default_factory=MaxLengths, json_schema_extra=_or_number
    )
    """The most characters of all fields, or a table of fields such as { logon = 20, name = 60 }."""
    groups: Template | None = None
    """The groups of a person, from one attribute, instead of reading groups apart."""
    groups_separator: Annotated[str, Field(min_length=1)] = ";"
    """What stands between two groups in that attribute."""

    @field_validator("allowed_characters")
    @classmethod
    def _printable(cls, value: str) -> str:
        if any(not character.isprintable() or character in '/\\"' for character in value):
            raise ValueError('must not contain "/", "\\", quotes or control characters')
        return value


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


class LdapPeopleSettings(PeopleSettings):
    """How an entry of the directory becomes a person, and where people are."""

    filter: FilterText = ""
    """Which entries are people; default: what suits the flavor."""
    base: BaseDn = ""
    """Where people are searched; default: the source's base."""
    scope: Scope = "subtree"
    """How deep people are searched; default: the source's scope."""


class LdapGroupsSettings(Table):
    """Where groups are, and what they are called."""

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
    nested: bool = False
    """Whether members of a group's groups count as its members."""


class LdapSettings(Table):
    """People in a directory."""

    kind: Literal["ldap"] = "ldap"
    """The kind of source: "csv" or "ldap"."""
    flavor: Flavor = "custom"
    """The kind of directory: "active-directory", "openldap", "389ds", "freeipa", "custom"."""
    urls: tuple[DirectoryUrl, ...]
    """The servers, tried in this order."""
    bind_dn: Text | None = None
    """Who reads the directory; default: an anonymous read."""
    bind_password: Secret | None = None
    """The password of bind_dn. Better: a secret file."""
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
    """How long the server may stay silent."""
    max_entries: Annotated[int, between(1, 1_000_000_000)] = 5_000_000
    """The most entries of one reading; more ends it."""
    max_bytes: Size = 8 * 1024**3
    """The most bytes of one reading; more ends it."""
    shared: bool = False
    """Another customer may read the same people of the same directory."""
    people: LdapPeopleSettings
    """Which entries are people, and how an entry becomes a person."""
    groups: LdapGroupsSettings | None = None
    """Which entries are groups."""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, raw: Any) -> Any:
        """Fills in what the flavor and the source say for people and groups."""
        if not isinstance(raw, dict):
            return raw
        flavor = raw.get("flavor", "custom")
        preset = PRESETS.get(flavor if isinstance(flavor, str) else "", PRESETS["custom"])
        place = {key: raw[key] for key in ("base", "scope") if key in raw}
        filled = dict(raw)
        if isinstance(raw.get("people"), dict):
            filled["people"] = {"filter": preset.people, **place, **raw["people"]}
        if isinstance(raw.get("groups"), dict):
            filled["groups"] = {"filter": preset.groups, "members": preset.members, **place, **raw["groups"]}
        return filled

    @field_validator("urls")
    @classmethod
    def _some_urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("is an empty list")
        return no_repetition(value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _refuse_two_ways(self.people, self.groups)
        if self.bind_dn and self.bind_password is None:
            # A bind with a name and no password succeeds as an anonymous one (RFC 4513, 5.1.2).
            raise ValueError("has a bind_dn without bind_password; leave both out to read anonymously")
        if self.bind_password is not None and not self.bind_dn:
            raise ValueError("has a bind_password without bind_dn")
        if self.people.disabled.startswith("{{") and self.flavor != "custom":
            raise ValueError('has an expression in people.disabled, which needs flavor = "custom"')
        self._refuse_cleartext()
        return self

    def _refuse_cleartext(self) -> None:
        plain = [split_url(url).hostname for url in self.urls if split_url(url).scheme == "ldap"]
        elsewhere = [host for host in plain if not is_loopback(host)]
        if self.allow_cleartext and elsewhere:
            raise ValueError("has allow_cleartext, which is for loopback only: use ldaps:// or start_tls")
        if plain and self.bind_dn and not self.start_tls and not self.allow_cleartext:
            raise ValueError("would send its password in the clear; use ldaps:// or start_tls = true")


SourceSettings: TypeAlias = Annotated[CsvSettings | LdapSettings, Field(discriminator="kind")]
