"""Access reports to look at: a company of everyday size, a very large one, an empty one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rosterd.core.access import (
    APPLICATION,
    DISABLED,
    GONE,
    KNOWN,
    PRINTER,
    SERVICE,
    STRANGER,
    TWIN,
    UNCLEAR,
    AccessReport,
    Finding,
    Grant,
    LeaverRow,
    PersonRow,
    PlaceState,
    ReportChange,
    TrendPoint,
)

MADE = "2026-03-14T09:30:00Z"
FIRST = ("Ana", "Bruno", "Carla", "Davi", "Eva", "Fábio", "Gisele", "Heitor", "Inês", "João", "Karin", "Luís")
LAST = (
    "Almeida",
    "Barros",
    "Castro",
    "Dias",
    "Esteves",
    "Figueira",
    "Gomes",
    "Horta",
    "Ivo",
    "Jardim",
    "Klein",
)
PLACES = (
    (APPLICATION, "Plant Viewer", "Zq3p0GzXhD8vPqTn1"),
    (APPLICATION, "Drawing Index", "b7Hk2RmWc5LtYxEa9"),
    (TWIN, "Headquarters", "urn:adsk.dtt:wHQ1p3kTQyK6h2Z8aV0c5A"),
    (TWIN, "North Tower", "urn:adsk.dtt:nT7m9qLsRzW4e1X3bU6d2B"),
    (PRINTER, "Workshop printer 874", "874"),
)
LEVELS = ("Read", "ReadWrite", "Manage", "OWNER", "level:3")


def name(number: int) -> str:
    return f"{FIRST[number % len(FIRST)]} {LAST[number * 7 // len(FIRST) % len(LAST)]} {number}"


def key(number: int) -> str:
    return f"NDD//{FIRST[number % len(FIRST)].lower()}.{number}"


def person(number: int) -> PersonRow:
    directory = {7: "disabled", 13: "left", 29: "set aside"}.get(number % 50, "active")
    orbix = {"left": "left", "set aside": "set aside"}.get(directory, "delivered")
    note = "The logon has a space in it." if directory == "set aside" else ""
    emails = (f"user{number}@acme.example",)
    return PersonRow(key(number), name(number), emails, directory, orbix, (f"Print-{number % 12:02d}",), note)


def grant(number: int, people: int) -> Grant:
    kind, place, place_id = PLACES[number % len(PLACES)]
    who = number % people
    verdict = {7: DISABLED, 13: GONE}.get(who % 50, KNOWN)
    level = LEVELS[number // len(PLACES) % len(LEVELS)]
    email, since = f"user{who}@acme.example", "2025-11-03T08:00:00Z"
    if number % 97 == 5:
        subject = f"X{number}"
        return Grant(
            kind,
            place,
            place_id,
            subject,
            f"Guest {number}",
            f"guest{number}@elsewhere.example",
            level,
            "",
            since,
            "",
            STRANGER,
            "",
            key(who) if number % 2 else "",
        )
    if number % 193 == 9:
        return Grant(kind, place, place_id, "", "All engineers", "", level, "", since, "", SERVICE, "", "")
    if number % 211 == 10:
        return Grant(
            kind,
            place,
            place_id,
            f"U{number}",
            f"Unknown {number}",
            "",
            level,
            "",
            since,
            "",
            UNCLEAR,
            "",
            "",
        )
    via = "Engineers" if number % 3 == 0 else ""
    return Grant(
        kind, place, place_id, f"A{who}", name(who), email, level, via, since, key(who), verdict, "e-mail", ""
    )


@dataclass(frozen=True)
class Rows:
    """Rows made anew in each pass, as a ledger would give them."""

    number: int
    people: int

    def __iter__(self) -> Iterator[Grant]:
        return (grant(number, self.people) for number in range(self.number))


def findings() -> list[Finding]:
    def one(number: int, severity: str, sentence: str, step: str, who: str = "", place: str = "") -> Finding:
        return Finding(
            f"f{number}",
            severity,
            "access",
            sentence,
            step,
            f"2026-03-{10 + number % 4:02d}T09:30:00Z",
            who,
            place,
        )

    gone, off = name(13), name(7)
    return [
        one(
            1,
            "high",
            f"{gone} left the company and still has Manage access to the twin Headquarters.",
            "Remove them in Tandem under Facility, Users.",
            key(13),
            "Headquarters",
        ),
        one(
            2,
            "high",
            "Plant Viewer has one owner, who left the company.",
            "Make somebody else an owner before the account is closed.",
            key(63),
            "Plant Viewer",
        ),
        one(
            3,
            "medium",
            "guest102@elsewhere.example has access to Headquarters and is not in the directory.",
            "Ask who invited them; remove them, or add their domain to the partners.",
            "",
            "Headquarters",
        ),
        one(
            4,
            "medium",
            f"The account of {off} is disabled, but has access to 2 places.",
            "Remove the access, or enable the account.",
            key(7),
            "North Tower",
        ),
        one(
            5,
            "medium",
            "3 people manage Drawing Index without being in the group Print-Owners.",
            "Lower their level, or add them to the group.",
            "",
            "Drawing Index",
        ),
        one(
            6,
            "low",
            "The registration code for Workshop printer 874 was never handed out to João Jardim 9.",
            "Show it with rosterd codes and hand it out.",
            key(9),
            "Workshop printer 874",
        ),
        one(
            7,
            "low",
            "Unknown 221 has no e-mail address to check.",
            "Look the name up in the application.",
            "",
            "Drawing Index",
        ),
    ]


def trend(number: int = 14) -> list[TrendPoint]:
    strangers = [9, 9, 11, 12, 12, 10, 8, 8, 7, 9, 9, 6, 5, 5]
    return [
        TrendPoint(
            f"2026-02-{day + 13:02d}T09:30:00Z",
            230 + day,
            480 + 3 * day,
            strangers[day % 14],
            4 + day % 3,
            15 - day // 2,
        )
        for day in range(number)
    ] + [TrendPoint(MADE, 243, 520, 41, 26, 7)]


def changes() -> list[ReportChange]:
    return [
        ReportChange(
            "added",
            "grant",
            "Guest 102 (guest102@elsewhere.example) was given Read access to Headquarters.",
            "",
            "Headquarters",
        ),
        ReportChange(
            "added",
            "finding",
            f"{name(13)} left the company and still has Manage access to Headquarters.",
            key(13),
            "Headquarters",
        ),
        ReportChange(
            "changed",
            "grant",
            f"{name(40)} went from Read to ReadWrite in Plant Viewer.",
            key(40),
            "Plant Viewer",
        ),
        ReportChange(
            "removed", "grant", f"{name(55)} no longer has access to North Tower.", key(55), "North Tower"
        ),
    ]


def sources(*, whole: bool) -> list[PlaceState]:
    twin = PlaceState("twin", PLACES[3][2], "North Tower", "whole", MADE, "", 97)
    if not whole:
        reason = "The service answered 503 four times."
        twin = twin._replace(state="stale", time="2026-03-11T09:30:00Z", reason=reason)
    return [
        PlaceState("directory", "hq", "hq", "whole", MADE, "", 243),
        PlaceState("orbix", "ACME", "Orbix", "whole", MADE, "", 240),
        PlaceState("application", PLACES[0][2], "Plant Viewer", "whole", MADE, "", 102),
        PlaceState("application", PLACES[1][2], "Drawing Index", "whole", MADE, "", 99, consistent=whole),
        PlaceState("twin", PLACES[2][2], "Headquarters", "whole", MADE, "", 98),
        twin,
    ]


def everyday(*, whole: bool = True) -> AccessReport:
    """Some hundred people, all kinds of verdicts and findings."""
    return AccessReport(
        "acme",
        "ACME",
        MADE,
        whole,
        sources(whole=whole),
        [person(number) for number in range(243)],
        Rows(520, 243),
        findings(),
        [LeaverRow("person", key(13), name(13), "user13@acme.example", "", "2026-03-12T09:30:00Z")],
        changes(),
        trend(),
    )


def large(number: int = 50_000) -> AccessReport:
    """As many people as grants."""
    people = [person(n) for n in range(number)]
    return AccessReport(
        "acme",
        "ACME",
        MADE,
        True,
        sources(whole=True),
        people,
        Rows(number, number),
        findings(),
        trend=trend(),
    )


def empty() -> AccessReport:
    """A first report in which all is well."""
    return AccessReport("new-customer", "NEW", MADE, True, [sources(whole=True)[0]])
