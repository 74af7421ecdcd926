"""What the ledger says of many keys at once: in key order, however many queries that takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rosterd.core.people import sort_key
from rosterd.core.plan import CREATE, PERSON, SEAT, Change
from rosterd.ledger.lock import RunLock
from rosterd.ledger.mirror import SOME
from rosterd.ledger.sqlite import SqliteLedger

COUNT = 2 * SOME + 7  # three queries


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """A ledger in which everybody sits in one grouping."""
    path = tmp_path / "ledger.db"
    found = SqliteLedger(path, "https://orbix.example.com", "tenant", RunLock(path, "test"))
    found.bind("ACME", "acme")
    found.acknowledge(1, 1, 1, [change for n in range(COUNT) for change in _somebody(n)], [], 0.0)
    return found


def _key(number: int) -> bytes:
    return sort_key("NDD", f"user{number:05}")


def _somebody(number: int) -> list[Change]:
    fields = ("NDD", f"user{number:05}", "", "")
    seat = b"plotters\0" + _key(number)
    return [
        Change(CREATE, PERSON, _key(number), fields[1], None, fields, ("hr", str(number), "")),
        Change(CREATE, SEAT, seat, fields[1], None, (), ("hr", "", "")),
    ]


def test_many_keys_give_their_rows_in_key_order_and_once(ledger: SqliteLedger) -> None:
    numbers = [n for n in range(COUNT) if n % 7]
    keys = [_key(n) for n in reversed(numbers)]
    lines = ledger.lines_of(1, [*keys, _key(numbers[SOME - 1]), b"nobody"])  # one twice, where a query ends
    everybody = [line for page in ledger.lines(1) for line in page]
    assert lines == [everybody[n] for n in numbers]
    seats = ledger.seats_at(1, [b"plotters\0" + key for key in keys])
    assert seats == [(b"plotters\0" + _key(n), "hr", "active") for n in numbers]
    ledger.close()
