"""How an entry of a source becomes a person: the `people` table."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from rosterd.fields import Names, Table, Template, Templates, between
from rosterd.sources.values import Disabled, no_repetition, same_for_all


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
    addresses: Names = ()
    """Attributes with further e-mail addresses, by which access at Autodesk is recognised."""
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
