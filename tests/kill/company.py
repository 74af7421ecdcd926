"""A small company that changes all the time, written as the CSV files and settings of two customers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

Form: TypeAlias = tuple[str, str]  # name and e-mail, "" where there is none

DOMAIN = "ACME"
ANCHOR = "anchor"  # sits in every grouping and never leaves, so that no grouping turns empty
STEADY = [f"p{number:02}" for number in range(30)]
FLAKY = [f"flaky{number}" for number in range(3)]  # refused while the sandbox has that switch on
NEVER = ["never0"]  # refused always
GROUPS = [f"Print {number}" for number in range(6)]

SETTINGS = """
[ledger]
url = "sqlite:///ledger.db"
[orbix]
base_url = "{base_url}"
token_url = "{token_url}"
tenant = "sandbox"
client_id = "sandbox"
client_secret = "sandbox"
requests_per_second = 0
attempts = 2
concurrency = {lanes}
membership = "{membership}"
"""

CUSTOMER = """
[customers.{name}]
client = "{client}"
[customers.{name}.guards]
first_run = "go"
leavers = {{}}
creates = {{}}
updates = {{}}
member_loss = {{}}
blanked = {{}}
[customers.{name}.sources.hr]
kind = "csv"
path = "{name}/people.csv"
settle = "0s"
[customers.{name}.sources.hr.people]
logon = "{{{{ logon }}}}"
domain = "ACME"
name = "{{{{ name }}}}"
email = "{{{{ email }}}}"
[customers.{name}.sources.hr.groups]
path = "{name}/groups.csv"
name = "{{{{ group }}}}"
description = "{{{{ description }}}}"
member = "{{{{ logon }}}}"
"""


def settings(base_url: str, token_url: str, membership: str, customers: list[str], lanes: int = 2) -> str:
    """rosterd.toml for these customers; the clients are their names in capitals."""
    head = SETTINGS.format(base_url=base_url, token_url=token_url, membership=membership, lanes=lanes)
    return head + "".join(CUSTOMER.format(name=name, client=name.upper()) for name in customers)


@dataclass
class Company:
    """What one customer's directory says now."""

    name: str
    people: dict[str, Form] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)  # listed twice, so set aside
    groups: dict[str, tuple[str, set[str]]] = field(default_factory=dict)  # name -> description, logons

    @property
    def client(self) -> str:
        return self.name.upper()

    def copy(self) -> Company:
        groups = {name: (text, set(members)) for name, (text, members) in self.groups.items()}
        return Company(self.name, dict(self.people), set(self.twice), groups)

    def write(self, directory: Path) -> None:
        """Writes people.csv and groups.csv under `directory`/NAME."""
        lines = ["logon,name,email"]
        for logon, (name, email) in self.people.items():
            lines += [f"{logon},{name},{email}"] * (2 if logon in self.twice else 1)
        lines += ["not a logon,Nobody,"]
        seats = ["group,description,logon"]
        for group, (text, members) in self.groups.items():
            seats += [f"{group},{text},{logon}" for logon in sorted(members)]
        folder = directory / self.name
        folder.mkdir(exist_ok=True)
        (folder / "people.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
        (folder / "groups.csv").write_text("\n".join([*seats, ""]), encoding="utf-8")

    def wanted(self) -> dict[str, tuple[str, str, str, str]]:
        """Who must be there in the end, by key: (domain, logon, name, e-mail)."""
        return {
            key_of(logon): (DOMAIN, logon, *form)
            for logon, form in self.people.items()
            if logon not in self.twice and not logon.startswith("never")
        }

    def kept(self) -> set[str]:
        """Keys of those who are set aside: they stay as they are."""
        return {key_of(logon) for logon in self.twice}


def key_of(logon: str) -> str:
    return f"{DOMAIN}//{logon}".lower()


def founded(name: str) -> Company:
    """The company on its first day."""
    company = Company(name, {logon: form_of(logon, 0) for logon in [ANCHOR, *STEADY[:20], *NEVER[:1]]})
    for number, group in enumerate(GROUPS):
        company.groups[group] = ("first", {ANCHOR, *STEADY[number * 3 : number * 3 + 4]})
    return company


def form_of(logon: str, version: int) -> Form:
    return (f"{logon.title()} v{version}", f"{logon}.{version}@acme.example" if version % 5 else "")


def changed(company: Company, dice: random.Random, version: int, before: Company) -> Company:
    """The company a while later. Sometimes everything is again as it was in `before`."""
    if dice.random() < 0.25:
        return before.copy()
    after = company.copy()
    for _ in range(dice.randint(1, 9)):
        _one_change(after, dice, version)
    return after


def _one_change(company: Company, dice: random.Random, version: int) -> None:
    logon = dice.choice([ANCHOR, *STEADY, *STEADY, *FLAKY, *NEVER])
    group = dice.choice(GROUPS)
    _, members = company.groups[group]
    match dice.randrange(9):
        case 0 if logon != ANCHOR:
            company.people.pop(logon, None)
            company.twice.discard(logon)
        case 1 if logon != ANCHOR and logon in company.people:
            company.twice ^= {logon}
        case 2:
            company.groups[group] = (f"version {version}", members)
        case 3 if len(members) < 9:
            members.add(logon)
        case 4 if logon != ANCHOR:
            members.discard(logon)
        case _:  # a joiner, or a change to a new form or to an old one
            company.people[logon] = form_of(logon, dice.choice([version, version, 1, 2]))
