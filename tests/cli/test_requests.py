"""Requests are as full as the limits allow: users ceil(n / 4,500), groupings max(ceil(slices / 5), the largest)."""

from __future__ import annotations

import time
from math import ceil

import pytest
from tests.cli.files import Row, numbered, people
from tests.cli.kit import Office


def sent(office: Office) -> tuple[int, int]:
    """How many requests of users and of groupings were answered."""
    return len(office.requests("/v1/users")), len(office.requests("/v1/groups/users"))


@pytest.mark.parametrize(
    ("count", "requests"), [(0, 0), (1, 1), (4499, 1), (4500, 1), (4501, 2), (9000, 2), (9001, 3)]
)
def test_fault_85_requests_of_users(office: Office, count: int, requests: int) -> None:
    office.put([*people("ana"), *numbered(count)])
    office.one("--only", "ana", code=0)
    office.forget_requests()
    assert office.one(code=0)["people"]["created"] == count
    assert sent(office) == (requests, 0)
    sizes = [entry["records"] for entry in office.requests()]
    assert sum(sizes) == count and max(sizes, default=0) <= 4500
    assert len(sizes) < 2 or sorted(sizes)[1:] == [4500] * (len(sizes) - 1)


SHAPES: list[tuple[list[int], str]] = [
    ([3], "unknown"),
    ([3] * 5, "unknown"),
    ([3] * 6, "unknown"),
    ([3] * 11, "unknown"),
    ([1000, 1000, 3, 3, 3, 3], "unknown"),
    ([1001], "additive"),
    ([2500], "additive"),
    ([2500, 10, 10], "additive"),
    ([2500] * 5, "additive"),
    ([3000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "additive"),
    ([1500, 1500, 1500, 1, 1, 1], "additive"),
]


@pytest.mark.parametrize(("sizes", "membership"), SHAPES)
def test_fault_84_requests_of_groupings(grouped: Office, sizes: list[int], membership: str) -> None:
    grouped.set(orbix={"membership": membership})
    logons = [row[0] for row in numbered(max(sizes))]
    grouped.put(numbered(max(sizes)))
    rows: list[Row] = [
        (f"Group {at:02}", "", logon) for at, size in enumerate(sizes) for logon in logons[:size]
    ]
    grouped.put_groups(rows)
    assert grouped.one(code=0)["seats"]["created"] == sum(sizes)
    slices = [ceil(size / 1000) for size in sizes]
    assert sent(grouped)[1] == max(ceil(sum(slices) / 5), max(slices))
    assert all(entry["groupings"] <= 5 and entry["status"] == 201 for entry in grouped.requests("groups"))
    assert sorted(map(len, grouped.members().values())) == sorted(sizes)


def test_a_run_without_changes_sends_none(grouped: Office) -> None:
    grouped.run(code=0)
    grouped.forget_requests()
    for _ in range(3):
        part = grouped.one(code=0)
        assert part["requests"] == 0 and part["people"]["unchanged"] == 10
    assert grouped.requests("") == [], "not even a token is asked for"


def test_one_change_is_one_small_request(grouped: Office) -> None:
    grouped.run(code=0)
    grouped.forget_requests()
    grouped.put([("p1", "New Name", "p1@example.com"), *people("p0", *(f"p{n}" for n in range(2, 10)))])
    assert grouped.one(code=0)["requests"] == 1
    (request,) = grouped.requests("/v1/")
    assert request["records"] == 1 and request["bytes"] < 1000


def test_users_go_before_groupings(grouped: Office) -> None:
    grouped.set(orbix={"concurrency": 4})
    grouped.put(numbered(9000))
    grouped.put_groups([(f"Group {at:02}", "", f"p{at:05}") for at in range(12)])
    grouped.run(code=0)
    kinds = ["groups" in entry["path"] for entry in grouped.requests()]
    assert kinds == sorted(kinds) and sent(grouped) == (2, 3)


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_no_more_requests_at_a_time_than_lanes(office: Office, lanes: int) -> None:
    office.set(orbix={"concurrency": lanes})
    office.fault("delay", seconds=0.3, path="users")
    office.put(numbered(4500 * 3))
    office.run(code=0)
    most = max(entry["in_flight"] for entry in office.requests())
    assert most == 1 if lanes == 1 else 2 <= most <= lanes


def test_the_pace(office: Office) -> None:
    """Seven requests, three of them halved, at ten a second take at least 0.6 s."""
    office.set(orbix={"requests_per_second": 10})
    office.fault("too_large", bytes=2000, path="users", times=3)
    office.put(numbered(60))
    begun = time.monotonic()
    office.run(code=0)
    assert time.monotonic() - begun >= 0.6 and sent(office)[0] >= 7


def test_what_the_requests_number_says(grouped: Office) -> None:
    part = grouped.one(code=0)
    assert part["requests"] == len(grouped.requests("/v1/")) == 2, (
        "API requests; those for tokens are not counted"
    )
