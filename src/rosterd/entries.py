"""Somebody's entries in a source as it is now, and how the mapping makes a person of each, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rosterd.cleaning import DISABLED
from rosterd.core.doors import Batch, Cell
from rosterd.core.people import Place, Wanted, fold
from rosterd.errors import SourceError
from rosterd.gather import SourcePlan
from rosterd.mapping import PeopleMapper
from rosterd.people_rules import PeoplePlan, glob
from rosterd.templates import Template, TemplateError, condition, getter, missing_columns, positions

MOST = 10  # entries shown of one source


class Sought(NamedTuple):
    """Whom to look for. key: b"" when no run has seen them; dn: "" when it is not known; names: logons, addresses."""

    key: bytes
    dn: str
    names: tuple[str, ...]


class Step(NamedTuple):
    """One template of a field, what it gives, and what that becomes when it is mended; `problem` when it fails."""

    field: str
    template: str
    gives: str
    becomes: str
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """One entry. place: a line number or a DN. values: what the mapping reads of it. rules: each with whether it holds.

    inside: false when the source's search for people passes it by.
    """

    place: Place
    values: Sequence[tuple[str, Cell]]
    steps: Sequence[Step]
    rules: Sequence[tuple[str, bool]]
    wanted: Wanted
    inside: bool = True


def look(plan: SourcePlan, sought: Sought) -> list[Entry]:
    """What the source shows of somebody, the first few. Raises SourceError."""
    source: Any = plan.source
    found: list[Entry]
    try:
        if hasattr(source, "find"):
            batch, inside = source.find(sought.dn, _named(plan.people, sought.names))
            found = list(
                _explained(plan.people, plan.people.attributes, batch, lambda *_: True, inside=inside)
            )
            return [entry for entry in found if entry.wanted[0] == sought.key] or found
        feed = source.people()
        missing = missing_columns(plan.people.templates, feed.attributes)
        if missing:
            raise SourceError(f'the column "{missing[0]}" is missing', where=f"source {source.name}")
        fits, found = _fitting(sought), []
        for batch in feed:  # read to its end: who stops early leaves the file open
            if len(found) < MOST:
                found += _explained(plan.people, feed.attributes, batch, fits)
        return found[:MOST]
    finally:
        source.close()


def _named(plan: PeoplePlan, names: Sequence[str]) -> list[tuple[str, str]]:
    """The attributes that logon and e-mail are made of, each with each name."""
    attributes = [name for template in (plan.logon, *plan.email) for name in template.attributes]
    return [(attribute, name) for attribute in dict.fromkeys(attributes) for name in dict.fromkeys(names)]


def _fitting(sought: Sought) -> Callable[[Wanted, str], bool]:
    """Whether an entry, mapped and with its logon as it stands there, is the one."""
    names = set(map(fold, sought.names))

    def fits(wanted: Wanted, logon: str) -> bool:
        if sought.key:
            return wanted[0] == sought.key
        known = (fold(wanted[2]), fold(f"{wanted[1]}//{wanted[2]}"), fold(wanted[4]), fold(logon))
        return not names.isdisjoint(filter(None, known))

    return fits


def _explained(
    plan: PeoplePlan, attributes: Sequence[str], batch: Batch, fits: Callable[[Wanted, str], bool], *,
    inside: bool = True,
) -> Iterator[Entry]:  # fmt: skip
    if not batch.rows:
        return
    logon = getter(plan.logon, attributes)
    people = PeopleMapper(plan, attributes, refs=False).map(batch)
    for i, (row, wanted) in enumerate(zip(batch.rows, people, strict=True)):
        if fits(wanted, _given(logon, row)[0]):
            values = [(name, _cell(attributes, row, name)) for name in plan.attributes]
            off = batch.disabled[i] if batch.disabled else None
            rules = list(_rules(plan, attributes, row, _given(logon, row)[0], off))
            yield Entry(
                batch.places[i], values, list(_steps(plan, attributes, row, wanted)), rules, wanted, inside
            )


def _cell(attributes: Sequence[str], row: Sequence[Cell], name: str) -> Cell:
    at = positions(attributes).get(name.casefold(), len(row))
    return row[at] if at < len(row) else ""


def _given(get: Callable[[Sequence[Cell]], str], row: Sequence[Cell]) -> tuple[str, str]:
    """What a template gives, and what is wrong with it."""
    try:
        return get(row), ""
    except TemplateError as error:
        return "", str(error)


def _steps(
    plan: PeoplePlan, attributes: Sequence[str], row: Sequence[Cell], wanted: Wanted
) -> Iterator[Step]:
    """Every template that was tried: of several for a field those up to the first that gives something."""
    _, domain, logon, name, email, *_ = wanted
    fields: list[tuple[str, Sequence[Template | None], str | None]] = [
        ("logon", [plan.logon], logon),
        ("domain", [plan.domain], domain),
        ("name", plan.name, name),
        ("email", plan.email, email),
        ("id", [plan.id], None),
        ("groups", [plan.groups], None),
    ]
    for field, templates, final in fields:
        for template in filter(None, templates):
            gives, problem = _given(getter(template, attributes), row)
            yield Step(field, template.text, gives, gives if final is None else final, problem)
            if gives:
                break


def _rules(
    plan: PeoplePlan, attributes: Sequence[str], row: Sequence[Cell], logon: str, off: bool | None
) -> Iterator[tuple[str, bool]]:
    """Every rule that excludes somebody, with whether it does so here; one that fails excludes nobody."""
    for text in plan.globs:
        yield text, glob(text)(fold(logon)) is not None
    for text in plan.expressions:
        yield text, _holds(text, attributes, row)
    if plan.disabled:
        yield f"disabled: {plan.disabled}", _holds(plan.disabled, attributes, row)
    elif plan.rules.disabled == "exclude" and off is not None:
        yield DISABLED, off


def _holds(text: str, attributes: Sequence[str], row: Sequence[Cell]) -> bool:
    try:
        return condition(text, attributes)(row)
    except TemplateError:
        return False
