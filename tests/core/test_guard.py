"""When a customer is held: the table of limits, and what is never measured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd.core.guard import Guards, Limit, judge
from rosterd.core.plan import Facts

LEAVERS, CREATES, UPDATES = Limit(10, 50, 2), Limit(50, None, 20), Limit(30, None, 20)


@pytest.mark.parametrize(
    ("limit", "n", "active", "held"),
    [
        (LEAVERS, 2, 5, True),  # 40 %: two of five already hold
        (LEAVERS, 1, 5, False),  # fewer than at_least
        (LEAVERS, 1, 1, False),
        (LEAVERS, 2, 2, True),
        (LEAVERS, 2, 20, False),  # 10 % and not more
        (LEAVERS, 3, 20, True),
        (LEAVERS, 50, 1_000, False),
        (LEAVERS, 51, 1_000, True),  # the count limits before the percentage
        (LEAVERS, 50, 499, True),
        (LEAVERS, 49, 499, False),  # 49 of 49.9
        (CREATES, 20, 0, True),
        (CREATES, 19, 0, False),
        (CREATES, 20, 40, False),
        (CREATES, 21, 40, True),
        (CREATES, 1_000_000, 2_000_000, False),  # no count, no other limit
        (UPDATES, 20, 66, True),
        (UPDATES, 20, 67, False),
        (Limit(), 1_000_000, 1, False),  # no limit at all
        (Limit(None, 0, 1), 1, 1_000, True),
        (Limit(None, 20), 20, 0, False),
        (Limit(None, 20), 21, 0, True),
        (Limit(0, None, 0), 0, 10, False),  # nothing is never too much
        (Limit(0), 1, 10, True),
        (Limit(100), 10, 10, False),
        (Limit(33.3, None, 1), 1, 3, True),
    ],
)
def test_the_table(limit: Limit, n: int, active: int, held: bool) -> None:
    assert limit.broken(n, active) is held


@given(
    st.integers(0, 200), st.integers(0, 300),
    st.none() | st.integers(0, 100), st.none() | st.integers(0, 100), st.integers(0, 30),
)  # fmt: skip
def test_the_formula(n: int, active: int, percent: int | None, count: int | None, at_least: int) -> None:
    bounds = [active * percent / 100] if percent is not None else []
    bounds += [count] if count is not None else []
    held = bool(bounds) and n >= at_least and n > min(bounds)
    assert Limit(percent, count, at_least).broken(n, active) is held


def test_the_defaults_are_those_of_the_manual() -> None:
    assert Guards() == Guards(
        "approve", LEAVERS, CREATES, UPDATES, Limit(30, None, 5), Limit(10, None, 5), Limit(None, 20)
    )


def reasons(
    first: bool = False, approved: bool = True, guards: Guards | None = None, **facts: Any
) -> list[str]:
    """The names of the guards that hold."""
    verdict = judge(Facts(**facts), guards or Guards(), first_delivery=first, first_approved=approved)
    assert verdict.held is bool(verdict.reasons)
    return [reason.partition(":")[0] for reason in verdict.reasons]


def test_no_changes_go() -> None:
    assert reasons(active=10) == []


def test_a_first_delivery_needs_a_look_but_only_when_there_is_something_to_deliver() -> None:
    assert reasons(first=True, approved=False, creates=3) == ["first_run"]
    assert reasons(first=True, approved=False) == []
    assert reasons(first=True, approved=True, creates=3) == []
    assert reasons(first=False, approved=False, creates=3) == []
    assert reasons(first=True, approved=False, creates=3, guards=Guards("go")) == []
    assert reasons(first=True, approved=False, others=1) == ["first_run"]


def test_a_first_delivery_is_not_measured_by_percent() -> None:
    assert reasons(first=True, creates=10_000, active=3) == []
    assert reasons(first=False, creates=10_000, active=3) == ["creates"]
    tight = Guards(creates=Limit(50, 100, 20))
    assert reasons(first=True, creates=101, guards=tight) == ["creates"]
    assert reasons(first=True, creates=100, guards=tight) == []


def test_fault_40_an_empty_read_always_holds() -> None:
    assert reasons(empty=["hq"], active=0) == ["empty"]
    assert reasons(empty=["hq", "hr"], first=True, approved=False) == ["empty", "empty"]
    assert reasons(empty=["hq"], guards=Guards("go", *[Limit()] * 6)) == ["empty"]


def test_fault_41_leavers() -> None:
    assert reasons(leavers=2, active=5) == ["leavers"]
    assert reasons(leavers=1, active=5) == []


def test_fault_44_a_field_that_turns_empty() -> None:
    assert reasons(blanked={"email": 5}, active=49) == ["blanked"]
    assert reasons(blanked={"email": 5}, active=50) == []
    assert reasons(blanked={"email": 4}, active=5) == []
    assert reasons(blanked={"email": 9, "name": 9}, active=10) == ["blanked", "blanked"]


def test_fault_86_a_grouping_that_shrinks_or_is_left_empty() -> None:
    assert reasons(member_loss={"Print": (5, 16)}) == ["member_loss"]
    assert reasons(member_loss={"Print": (5, 17)}) == []
    assert reasons(member_loss={"Print": (4, 5)}) == []
    assert reasons(member_loss={"A": (5, 10), "B": (1, 100), "C": (6, 10)}) == ["member_loss", "member_loss"]
    assert reasons(member_loss={"Print": (1, 1)}, emptied=["Print"]) == ["emptied"]


def test_registrations() -> None:
    assert reasons(registrations=20) == []
    assert reasons(registrations=21) == ["registrations"]


def test_every_reason_can_be_acted_on() -> None:
    verdict = judge(
        Facts(active=1_000, leavers=60, updates=400), Guards(), first_delivery=False, first_approved=True
    )
    assert verdict.reasons == (
        "leavers: 60 of 1,000 people would leave (limit 10 % or 50)",
        "updates: 400 of 1,000 people would change (limit 30 %)",
    )
