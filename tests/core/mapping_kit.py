"""What the tests of the mapping share: entries in, wanted records out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.core.company import people_rules

from rosterd.core.doors import Batch, Cell
from rosterd.core.people import Wanted
from rosterd.mapping import PeopleMapper
from rosterd.people_rules import PeoplePlan

ATTRIBUTES = ("logon", "domain", "name", "mail", "kind", "groups")


class Mapped(NamedTuple):
    """One record, by name."""

    key: bytes
    domain: str
    logon: str
    name: str
    email: str
    source: str
    id: str
    dn: str
    state: str
    place: int | str
    reason: str
    refs: str

    @property
    def shown(self) -> tuple[str, ...]:
        return (self.domain, self.logon, self.name, self.email)


def mapper(attributes: Sequence[str] = ATTRIBUTES, *, refs: bool = False, **rules: Any) -> PeopleMapper:
    plan = PeoplePlan(people_rules(**rules), "hr", "customers.acme.sources.hr.people")
    return PeopleMapper(plan, attributes, refs=refs)


def entry(logon: Cell = "ana", **more: Cell) -> list[Cell]:
    cells: dict[str, Cell] = {
        "logon": logon,
        "domain": "NDD",
        "name": "",
        "mail": "",
        "kind": "",
        "groups": "",
    }
    return list((cells | more).values())


def mapped(*rows: Sequence[Cell], more: dict[str, Any] | None = None, **rules: Any) -> list[Mapped]:
    """What becomes of these entries (lines 2, 3, …); `more` goes to the batch."""
    batch = Batch(rows, range(2, 2 + len(rows)), **(more or {}))
    wanted: list[Wanted] = mapper(**rules).map(batch)
    assert len(wanted) == len(rows), "every entry comes out once"
    return [Mapped(*record) for record in wanted]


def one(logon: Cell = "ana", more: dict[str, Any] | None = None, **rules: Any) -> Mapped:
    """What becomes of one entry; keywords in capitals are cells."""
    cells = {name.lower(): rules.pop(name) for name in list(rules) if name.isupper()}
    return mapped(entry(logon, **cells), more=more, **rules)[0]
