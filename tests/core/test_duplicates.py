"""Several entries with one key: a source wins, or all of them are set aside and each is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd.core.people import ACTIVE, ASIDE, OUT, Wanted, key_of, row_of, sort_key, wanted_of
from rosterd.duplicates import SHADOWED, unique


def entry(logon: str, source: str = "hq", state: str = ACTIVE, place: int = 2) -> Wanted:
    return (sort_key("NDD", logon), "NDD", logon, "", "", source, "", "", state, place, "", "")


def resolved(
    *entries: Wanted, rank: Mapping[str, int] | None = None
) -> tuple[list[Wanted], list[tuple[Wanted, int]]]:
    """What goes on, and what does not with its number."""
    extra: list[tuple[Wanted, int]] = []
    rows = sorted([row_of(person) for person in entries], key=key_of)
    out = list(unique([rows], rank or {}, {}, lambda person, number: extra.append((person, number))))
    return [wanted_of(row) for chunk in out for row in chunk], extra


def test_different_people_pass() -> None:
    people = [entry("ana"), entry("bob")]
    assert resolved(*people) == (people, [])


def test_fault_75_two_people_with_one_key_are_both_set_aside_and_told_of_each_other() -> None:
    (first,), ((second, number),) = resolved(entry("ana", place=2), entry("Ana", place=7))
    for person in (first, second):
        assert person[8] == ASIDE
        assert person[10] == "2 entries have this domain and logon"
        assert "line 2" in str(person[9]) and "line 7" in str(person[9])
    assert number == 1


def test_fault_76_case_makes_no_difference_between_sources() -> None:
    (first,), extra = resolved(entry("ANA", "hq"), entry("ana", "hr"))
    assert first[8] == ASIDE and len(extra) == 1


@pytest.mark.parametrize("order", [("hq", "hr"), ("hr", "hq")])
def test_precedence_lets_a_source_win(order: tuple[str, str]) -> None:
    rank = {name: i for i, name in enumerate(order)}
    (first,), ((second, number),) = resolved(entry("ana", "hq"), entry("ana", "hr"), rank=rank)
    assert (first[5], first[8], first[10]) == (order[0], ACTIVE, "")
    assert (second[5], second[8], number) == (order[1], OUT, SHADOWED)
    assert second[10] == f"shadowed by the source {order[0]}"


def test_the_winner_keeps_the_mark_of_its_own_address() -> None:
    """Both stand in line 2 of their files."""
    people = [
        (*entry("ana", source)[:4], f"{source}@acme.example", *entry("ana", source)[5:])
        for source in ("hq", "hr")
    ]
    rows = [row_of(person, hash(person[4])) for person in people]
    for rank in ({"hq": 0}, {"hr": 0}):
        ((found,),) = unique([rows], rank, {}, lambda _person, _number: None)
        assert found[4] == hash(wanted_of(found)[4])


def test_precedence_does_not_choose_within_a_source() -> None:
    people = [entry("ana", "hq", place=2), entry("ana", "hq", place=3), entry("ana", "hr")]
    (first,), extra = resolved(*people, rank={"hq": 0})
    assert (first[5], first[8]) == ("hq", ASIDE)
    assert sorted((person[5], person[8]) for person, _ in extra) == [("hq", ASIDE), ("hr", OUT)]


def test_sources_without_a_rank_come_last_and_equal() -> None:
    (first,), _ = resolved(entry("ana", "x"), entry("ana", "hq"), rank={"hq": 0})
    assert (first[5], first[8]) == ("hq", ACTIVE)
    (first,), extra = resolved(entry("ana", "x"), entry("ana", "y"), rank={"hq": 0})
    assert first[8] == ASIDE and len(extra) == 1


def test_who_is_excluded_steps_back_first() -> None:
    (first,), ((other, _),) = resolved(entry("ana", "hq", OUT), entry("ana", "hr"), rank={"hq": 0, "hr": 1})
    assert (first[5], first[8]) == ("hr", ACTIVE)
    assert other[8] == OUT
    (first,), extra = resolved(entry("ana", "hq", OUT, 2), entry("ana", "hq", OUT, 3))
    assert first[8] == OUT and len(extra) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from(["hq", "hr", "x"]), st.sampled_from([ACTIVE, ASIDE, OUT]),
            st.integers(2, 9),
        ),
        unique=True,
    ),
    st.sampled_from([{}, {"hq": 0}, {"hr": 0, "hq": 1}]),
)  # fmt: skip
def test_every_entry_ends_in_one_place(
    entries: list[tuple[str, str, str, int]], rank: dict[str, int]
) -> None:
    people, extra = resolved(*(entry(*each) for each in entries), rank=rank)
    assert len(people) + len(extra) == len(entries)
    assert len({person[0] for person in people}) == len(people)
    assert all(person[8] in (ASIDE, OUT) for person, _ in extra)
    backwards = resolved(*(entry(*each) for each in reversed(entries)), rank=rank)
    assert backwards == (people, extra), "the order of reading does not matter"
