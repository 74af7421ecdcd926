"""A provider with some customers in different states, as a console shows them."""

from __future__ import annotations

from typing import Any

from tests.cli.files import customer, groups_file, numbered, people
from tests.cli.kit import Office

STRICT = {"first_run": "approve"}


def provider(office: Office, *more: str) -> None:
    """acme: some runs, refusals and leavers; beta: held; others: in step, paused, never run, failing."""
    names = ("beta", "castelo", "delta", "ferro", "norte", "orion", "pampa", *more)
    others = {name: customer(name) for name in names}
    others["beta"] = customer("beta", guards=STRICT)
    acme = customer(sources={"hr": {"groups": groups_file("groups.csv")}}, guards={"leavers": None})
    office.write(acme=acme, **others)
    for number, name in enumerate(names):
        office.put(numbered(7 * number + 3), f"{name}.csv")
    _runs_of_acme(office)
    office.run(*(part for name in names if name not in ("delta", "norte") for part in ("--customer", name)))
    office.put_text("not a table", "ferro.csv")
    office.run("--customer", "ferro")
    office.do("pause", "orion", "--reason", "the print server moves to another building")


def _runs_of_acme(office: Office) -> None:
    staff = numbered(60)
    office.put_groups([("Floor 1", "First floor", row[0]) for row in staff[:40]])
    for number in (40, 44, 52, 52, 58):
        rows: list[Any] = list(staff[:number])
        rows += people("ana.silva", "bruno", "carlos d'avila", "not ok")
        if number != 44:
            rows += people("renamed", mail=f"example{number}.com")
        if number > 50:
            rows = rows[3:]
        office.put(rows)
        office.run("--customer", "acme")
