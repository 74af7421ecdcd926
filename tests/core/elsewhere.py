"""Autodesk and printers in memory, and a desk that reports are laid on, for tests of whole runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.core.company import Directory, Entry, Office, Unit

from rosterd.access import Reports
from rosterd.core.access import (
    APPLICATION,
    TWIN,
    AccessReport,
    Finding,
    Grant,
    Holder,
    PersonRow,
    Place,
    Snapshot,
)
from rosterd.core.outcome import Issued, Unregistered
from rosterd.errors import RosterdError
from rosterd.job import Elsewhere

APP, SITE = Place(APPLICATION, "app-1", "Viewer"), Place(TWIN, "urn:adsk.dtt:1", "Headquarters")


@dataclass
class Autodesk:
    """core.doors.AccessSource: who has access where; `broken` says which places cannot be read, and why."""

    held: dict[Place, list[Holder]] = field(default_factory=dict)
    broken: dict[Place, RosterdError] = field(default_factory=dict)

    def places(self) -> Sequence[Place]:
        return list(self.held)

    def read(self, place: Place) -> Snapshot:
        if place in self.broken:
            raise self.broken[place]
        return Snapshot(list(self.held[place]))


@dataclass
class Printers:
    """core.doors.Registrar: answers in order, then a new code each time."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    answers: list[Issued | Unregistered | BaseException] = field(default_factory=list)

    def register(self, printer: str, email: str) -> Issued | Unregistered:
        self.asked.append((printer, email))
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return Issued(f"CODE{len(self.asked):02}", "May 17, 2016 11:42:16")


@dataclass
class Desk:
    """Where reports are laid. `problems` is what writing the next one says."""

    reports: list[AccessReport] = field(default_factory=list)
    problems: list[RosterdError] = field(default_factory=list)

    def write(self, report: AccessReport) -> tuple[list[str], list[RosterdError]]:
        self.reports.append(report)
        return [f"{report.customer}.json"], self.problems

    def doors(self) -> Reports:
        return Reports(_digest, self.write, lambda _name: bool(self.reports))

    @property
    def last(self) -> AccessReport:
        return self.reports[-1]

    def grants(self) -> dict[tuple[str, str], Grant]:
        """The last report's grants by place and e-mail, name or subject."""
        return {(one.place, one.email or one.name or one.subject): one for one in self.last.grants}

    def people(self) -> dict[str, PersonRow]:
        return {person.key: person for person in self.last.people}

    def findings(self, kind: str) -> list[Finding]:
        return [one for one in self.last.findings if one.kind == kind]

    def changes(self) -> list[tuple[str, str, str]]:
        return [(one.op, one.what, one.sentence) for one in self.last.changes]


def _digest(report: AccessReport) -> str:
    sources = [(one.kind, one.id, one.state, one.reason) for one in report.sources]
    return repr(
        (list(report.people), list(report.grants), report.findings, report.leavers, report.complete, sources)
    )


class Site:
    """An office whose people have access elsewhere."""

    def __init__(self, path: Path, **job: Any) -> None:
        self.directory = Directory("hq")
        self.directory.people = {
            "ana": Entry("ana", "Ana Lua", "ana@acme.example", others="smtp:a.lua@acme.example X500:/o=acme"),
            "rui": Entry("rui", "Rui Costa", "rui@acme.example"),
            "eva": Entry("eva", "Eva Reis", "eva@acme.example", disabled=True),
            "joe": Entry("joe", "Joe No Mail"),
        }
        self.directory.groups = {"g1": Unit("Makers", members=["ana", "rui", "joe"])}
        self.autodesk, self.printers, self.desk = Autodesk(), Printers(), Desk()
        self.autodesk.held = {
            APP: [
                Holder("u-ana", "Ana Lua", "A.Lua@acme.example", "OWNER"),
                Holder("u-bob", "Bob Stranger", "bob@other.example", "EDITOR"),
            ],
            SITE: [
                Holder("u-ana", "Ana Lua", "", "Manage"),
                Holder("u-rui", "Rui Costa", "RUI@acme.example", "Read"),
                Holder("u-eva", "Eva Reis", "eva@acme.example", "Manage"),
                Holder("u-who", "Costa, Rui", "", "level:3"),
                Holder("urn:adsk.dtg:1", "Everybody", "", "Read", group=True),
            ],
        }
        self.office = Office(path, self.directory, **{"access": True, **job})
        self.office.elsewhere = Elsewhere(self.autodesk, self.printers)
        self.office.reports = self.desk.doors()

    @property
    def run(self) -> Any:
        return self.office.run
