"""A company as directories really are: thousands of people, large and nested groups, odd names, accounts that are off.

The same company is loaded into every server, each in its own words. What must reach Orbix is worked out here, from
the data alone: without any server, and without any code of the product.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PEOPLE = int(os.environ.get("ROSTERD_TEST_PEOPLE", "2000"))  # `make test-large`: 20,000
LARGE, HUGE = 1_700, 5_200  # members of groups: more than one range of Active Directory, more than three

_FIT = re.compile("[A-Za-z0-9._-]+")

# What keeps an account from being used, or only looks like it.
DISABLED, EXPIRED = "disabled", "expired"
NEVER_ZERO, NEVER_MAX, NEVER_9999, LOCKED_OUT = "never 0", "never max", "year 9999", "locked out"
OFF = (DISABLED, EXPIRED)


@dataclass(frozen=True)
class Human:
    """A person. `cn` is the plain text of the entry's name, `state` one of the words above."""

    logon: str
    cn: str
    name: str = ""
    mail: tuple[str, ...] = ()
    state: str = ""


@dataclass
class Unit:
    """A group: logons of people, names of groups inside, and members that are nobody, in the server's own words."""

    name: str
    people: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    description: str = ""
    kind: str = ""  # how its members are listed, where that is out of the ordinary


@dataclass
class Acme:
    """The company."""

    humans: dict[str, Human]
    units: dict[str, Unit]

    def add(self, *units: Unit) -> None:
        self.units |= {unit.name: unit for unit in units}


def plain(number: int) -> str:
    """The logon of an ordinary person."""
    return f"p{number:05}"


def company() -> Acme:
    """What all servers hold."""
    odd = [
        Human("jsmith", "Smith, John", "Smith, John", ("John.Smith@acme.example",)),
        Human("plus", "plus+sign", "Plus + Sign"),
        Human("hash", "#hash", "#Hash"),
        Human("bob", '"Bob" quoted', '"Bob"'),
        Human("back", "back\\slash", "Back\\Slash"),
        Human("semi", "semi;colon", "Semi;Colon"),
        Human("angle", "a<b>c", "A<B>C"),
        Human("equal", "a=b", "A=B"),
        Human("slash", "a/b", "A/B"),
        Human("accent", "João Ação", "João Ação", ("joao@acme.example",)),
        Human("nfd", "nfd", unicodedata.normalize("NFD", "Zoë Müller")),
        Human("joão", "Joao Logon", "João"),  # Orbix takes no accent in a logon: set aside
        Human("mary.ann_o-neil", "Mary", "Mary Ann O'Neil"),
        Human("nomail", "nomail", "No Mail"),
        Human("noname", "Only a cn"),
        Human("shared1", "shared1", "Shared One", ("team@acme.example",)),
        Human("shared2", "shared2", "Shared Two", ("team@acme.example",)),
        Human("script", "script", "<script>alert(1)</script>"),
        Human("disabled1", "disabled1", "Off One", state=DISABLED),
        Human("disabled2", "disabled2", "Off Two", state=DISABLED),
        Human("expired1", "expired1", "Over", state=EXPIRED),
        Human("never0", "never0", "Never Zero", state=NEVER_ZERO),
        Human("nevermax", "nevermax", "Never Max", state=NEVER_MAX),
        Human("never9999", "never9999", "Never 9999", state=NEVER_9999),
        Human("lockedout", "lockedout", "Wrong Passwords", state=LOCKED_OUT),
    ]
    many = [
        Human(plain(n), f"Person {n:05}", f"Person Number {n}", (f"{plain(n)}@acme.example",))
        for n in range(PEOPLE - len(odd))
    ]
    acme = Acme({human.logon: human for human in [*odd, *many]}, {})
    ordinary = [human.logon for human in many]
    acme.add(
        Unit("Print-Large", ordinary[:LARGE], description="More than a range"),
        Unit("Print-Odd", [human.logon for human in odd], description="Ação, com vírgula"),
        Unit("Print-Diamond", inside=["left", "right"]),
        Unit("left", inside=["bottom"]),
        Unit("right", ordinary[1:2], inside=["bottom"]),
        Unit("bottom", ordinary[7:8]),
        Unit("Print-CycleA", ordinary[8:9], inside=["Print-CycleB"]),
        Unit("Print-CycleB", ordinary[9:10], inside=["Print-CycleA"]),
        Unit("Print-Self", ordinary[10:11], inside=["Print-Self"]),
        Unit("Print-Empty"),
        Unit("Print-Off", ["disabled1", "expired1"]),  # nobody who can be delivered: set aside
        *(Unit(f"Print-{n:03}", ordinary[n * 10 : n * 10 + 10]) for n in range(50)),
    )
    return acme


def fits(human: Human) -> bool:
    """Is this a person whom Orbix gets?"""
    return human.state not in OFF and _FIT.fullmatch(human.logon) is not None


def expected_users(humans: Iterable[Human], domain: str) -> dict[str, dict[str, str]]:
    """What Orbix must hold, as the sandbox shows it, with the mapping that the flavors choose."""
    found = {}
    for human in filter(fits, humans):
        name = unicodedata.normalize("NFC", human.name or human.cn)
        record = {"Logon": human.logon, "Domain": domain, "Name": name}
        if human.mail:
            record["Email"] = human.mail[0].lower()
        found[f"{domain}//{human.logon}".lower()] = record
    return found


def expected_members(acme: Acme, domain: str) -> dict[str, list[str]]:
    """The groupings of Orbix with their people: those of the groups named Print-… that have anybody."""

    def inside(name: str, seen: set[str]) -> set[str]:
        if name in seen:
            return set()
        seen.add(name)
        unit = acme.units[name]
        return {*unit.people, *(logon for below in unit.inside for logon in inside(below, seen))}

    found: dict[str, list[str]] = {}
    for name in acme.units:
        if name.startswith("Print-"):
            people = [logon for logon in inside(name, set()) if fits(acme.humans[logon])]
            if people:
                found[name] = sorted(f"{domain}//{logon}".lower() for logon in people)
    return found


def buckets(acme: Acme) -> Mapping[str, int]:
    """How many people are delivered, set aside and excluded."""
    return Counter(
        "excluded" if human.state in OFF else "delivered" if fits(human) else "set_aside"
        for human in acme.humans.values()
    )


def escaped(text: str) -> str:
    """A value as it stands in a distinguished name (RFC 4514, 2.4)."""
    out = re.sub(r'([\\",+;<>=])', r"\\\1", text)
    return "\\" + out if out.startswith(("#", " ")) else out
