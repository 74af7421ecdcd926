"""The `people` table of a source, compiled: which attributes it reads is known before anything is read."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from typing import Protocol

from rosterd.core.people import fold
from rosterd.errors import SettingsError
from rosterd.templates import Template, is_expression, parse, parse_condition


class PeopleRules(Protocol):
    """The `people` table of a source, as the mapping needs it; see sources.settings.PeopleSettings."""

    @property
    def logon(self) -> str: ...
    @property
    def domain(self) -> str: ...
    @property
    def name(self) -> str | Sequence[str]: ...
    @property
    def email(self) -> str | Sequence[str]: ...
    @property
    def id(self) -> str | None: ...
    @property
    def disabled(self) -> str: ...
    @property
    def exclude(self) -> Sequence[str]: ...
    @property
    def repair(self) -> Sequence[str]: ...
    @property
    def allowed_characters(self) -> str: ...
    @property
    def shared_email(self) -> str: ...
    @property
    def bad_email(self) -> str: ...
    @property
    def max_length(self) -> object: ...  # an attribute per field: int or None
    @property
    def groups(self) -> str | None: ...
    @property
    def groups_separator(self) -> str: ...


def listed(value: str | Sequence[str] | None) -> list[str]:
    """A setting that may be one template, several or none."""
    return [value] if isinstance(value, str) else list(value or ())


class PeoplePlan:
    """The compiled templates of one source's people; knows which attributes they read before anything is read.

    `addresses`: attributes that hold further e-mail addresses; none unless access is to be recognised by them.
    """

    def __init__(self, rules: PeopleRules, source: str, where: str, addresses: Sequence[str] = ()) -> None:
        self.rules = rules
        self.source = source
        self.addresses = tuple(addresses)
        self.logon = parse(rules.logon, f"{where}.logon")
        self.domain = parse(rules.domain, f"{where}.domain")
        self.name = [parse(text, f"{where}.name") for text in listed(rules.name)]
        self.email = [parse(text, f"{where}.email") for text in listed(rules.email)]
        self.id = parse(rules.id, f"{where}.id") if rules.id else None
        self.groups = parse(rules.groups, f"{where}.groups") if rules.groups else None
        self.expressions = [text for text in rules.exclude if is_expression(text)]
        self.globs = [text for text in rules.exclude if not is_expression(text)]
        self.disabled = rules.disabled if is_expression(rules.disabled) else None
        conditions = [parse_condition(text, f"{where}.exclude") for text in self.expressions]
        if self.disabled:
            conditions.append(parse_condition(self.disabled, f"{where}.disabled"))
        self.templates: list[Template] = [
            *(t for t in (self.logon, self.domain, self.id, self.groups) if t),
            *self.name,
            *self.email,
            *conditions,
            *(Template(name, (name,)) for name in self.addresses),
        ]
        if self.logon.constant:
            raise SettingsError(
                "the logon is the same for everybody",
                where=where,
                hint="a template like {{ logon }} is meant",
            )

    @property
    def attributes(self) -> tuple[str, ...]:
        """Names of all attributes that are read, once each."""
        names = [name for template in self.templates for name in template.attributes]
        return tuple({name.casefold(): name for name in reversed(names)}.values())[::-1]


def glob(text: str) -> Callable[[str], object]:
    """What says whether a folded logon is one that an exclude of this form means: something that is true, or None."""
    return re.compile(fnmatch.translate(fold(text))).match
