"""An office for every test: settings, files and a pretend Orbix of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.cli.files import customer, groups_file, people
from tests.cli.kit import SPELLINGS, Office, switches

from rosterd.sandbox import serve

NewOffice: TypeAlias = Callable[..., Office]


@pytest.fixture
def new_office(tmp_path: Path) -> Iterator[NewOffice]:
    """Makes an office whose sandbox has the switches asked for."""
    with ExitStack() as stack:

        def make(**asked: Any) -> Office:
            server = stack.enter_context(serve(switches=switches(**asked)))
            return Office(tmp_path, server)

        yield make
    leaks = [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in OWN and leaked(path)]
    assert not leaks, f"a secret in {leaks}"


OWN = ("rosterd.toml", "orbix__client_secret")  # where the tests themselves put it


def leaked(path: Path) -> bool:
    """Whether a file holds the secret in one of its spellings."""
    data = path.read_bytes()
    return any(text.encode() in data for text in SPELLINGS)


@pytest.fixture
def office(new_office: NewOffice) -> Office:
    """One customer, acme, with five people."""
    office = new_office()
    office.write(acme=customer())
    office.put(people("ana", "bruno", "carlos", "dora", "egon"))
    return office


@pytest.fixture
def grouped(new_office: NewOffice) -> Office:
    """One customer with ten people, and two groups in a second file."""
    office = new_office()
    office.write(acme=customer(sources={"hr": {"groups": groups_file("groups.csv")}}))
    logons = [f"p{number}" for number in range(10)]
    office.put(people(*logons))
    rows = [("Floor 1", "First floor", logon) for logon in logons[:6]]
    office.put_groups([*rows, *(("Floor 2", "Second floor", logon) for logon in logons[5:])])
    return office
