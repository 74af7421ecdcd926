"""Entries and lines become groupings: one for each name, set aside when its sources contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.company import GroupRules

from rosterd.core.doors import Batch
from rosterd.core.people import ACTIVE, ASIDE, ref_dn, ref_key, ref_logon
from rosterd.grouping import (
    ENTRY,
    GroupMapper,
    GroupPlan,
    Groups,
    Nesting,
    declare_column,
    joined,
    ref_member,
    refs_of_members,
)  # fmt: skip

ATTRIBUTES = ("group", "description", "member")


def lines(*rows: Sequence[str], source: str = "hr") -> tuple[Groups, list[tuple[str, bytes]]]:
    """What becomes of a groups file; edges as (ref, handle)."""
    groups = Groups()
    plan = GroupPlan(GroupRules(), source, "where", "{{ member }}")
    edges = GroupMapper(plan, ATTRIBUTES, groups).map(Batch(rows, range(2, 2 + len(rows))))
    assert all(edge[2] == source for edge in edges)
    return groups, [edge[:2] for edge in edges]


def entries(
    *names: tuple[str, str], wanted: Sequence[bool] = (), members: Sequence[Sequence[str]] = ()
) -> tuple[Groups, list[tuple[str, bytes]]]:
    groups = Groups()
    dns = [f"cn={i}" for i in range(len(names))]
    batch = Batch(
        [[name, about, ""] for name, about in names], dns, ids=[f"id{i}" for i in range(len(names))], dns=dns,
        wanted=wanted, members=members,
    )  # fmt: skip
    edges = GroupMapper(GroupPlan(GroupRules(), "hq", "where"), ATTRIBUTES, groups).map(batch)
    return groups, [edge[:2] for edge in edges]


def said(groups: Groups) -> dict[bytes, tuple[str, str, str]]:
    return {key: (group.name, group.description, group.state) for key, group in groups.by_key.items()}


def test_a_line_is_a_membership() -> None:
    groups, edges = lines(("Print", "About", "ana"), ("Print", "About", "NDD//Bob"), ("Sales", "", "ana"))
    assert said(groups) == {b"print": ("Print", "About", ACTIVE), b"sales": ("Sales", "", ACTIVE)}
    assert edges == [
        (ref_logon("hr", "ana"), b"print"),
        (ref_key("ndd", "bob"), b"print"),
        (ref_logon("hr", "ANA"), b"sales"),
    ]


def test_a_line_without_a_member_declares_its_group() -> None:
    groups, edges = lines(("Print", "", ""))
    assert list(groups.by_key) == [b"print"] and edges == []


def test_fault_89_names_that_differ_in_case_or_composition_are_one_grouping() -> None:
    groups, edges = lines(("Café", "", "a"), ("CAFE\u0301", "x", "b"), ("café", "", "c"))
    assert said(groups) == {"café".encode(): ("CAFÉ", "x", ACTIVE)}
    assert len({handle for _, handle in edges}) == 1


def test_fault_89_two_descriptions_set_a_grouping_aside() -> None:
    groups, edges = lines(("Print", "one", "a"), ("print", "two", "b"), ("Print", "", "c"))
    (group,) = groups.by_key.values()
    assert group.state == ASIDE
    assert "'one'" in group.reason and "'two'" in group.reason
    assert "line 2" in str(group.place) and "line 3" in str(group.place)
    assert len(edges) == 3


@given(
    st.permutations([("Print", "one", "a"), ("PRINT", "", "b"), ("print", "two", "c"), ("Sales", "", "d")])
)
def test_the_order_of_lines_does_not_matter(rows: list[tuple[str, str, str]]) -> None:
    groups, _ = lines(*rows)
    assert said(groups)[b"print"][0::2] == ("PRINT", ASIDE)
    reasons = {group.reason for group in groups.by_key.values()}
    assert reasons == {"", "is described in two ways: 'one' and 'two'"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 150, ""),
        ("x" * 151, "the group name has 151 characters, more than 150"),
        ("é" * 150, ""),
        ("e\u0301" * 150, ""),
        ("", "has no group name"),
        ("  ", "has no group name"),
        ("a\tb", "the group name has characters that cannot be printed"),
        ("a\u200bb", "the group name has characters that cannot be printed"),
        ("Print, all // of: it", ""),
    ],
)
def test_fault_82_names(name: str, reason: str) -> None:
    (group,) = lines((name, "", "ana"))[0].by_key.values()
    assert group.reason == reason
    assert group.state == (ASIDE if reason else ACTIVE)


def test_groups_without_a_name_are_set_aside_where_they_stand() -> None:
    groups, _ = lines(("", "", "a"), ("Print", "", "b"))
    (nameless,) = [group for group in groups.by_key.values() if group.state == ASIDE]
    assert (nameless.reason, nameless.place) == ("has no group name", 2)
    assert len(list(entries(("", ""), ("", ""))[0].by_key.values())) == 2, "each has its DN"


def test_descriptions_are_one_line() -> None:
    (group,) = lines(("Print", " a\n\tb\x07 ", "ana"))[0].by_key.values()
    assert group.description == "a b"


def test_a_template_that_fails_sets_a_group_aside() -> None:
    groups = Groups()
    plan = GroupPlan(GroupRules(name="{{ group | int('x') + 1 }}"), "hr", "where", "{{ member }}")
    GroupMapper(plan, ATTRIBUTES, groups).map(Batch([("1", "", "ana"), ("x", "", "bob")], [2, 3]))
    assert sorted(group.state for group in groups.by_key.values()) == [ACTIVE, ASIDE]


def test_entries_bring_their_members_and_ids() -> None:
    groups, edges = entries(("Print", "x"), ("Sales", ""), members=[["da", "db"], []])
    assert said(groups) == {b"print": ("Print", "x", ACTIVE), b"sales": ("Sales", "", ACTIVE)}
    assert [group.id for group in groups.by_key.values()] == ["id0", "id1"]
    first, second = ENTRY + b"dcn=0", ENTRY + b"dcn=1"
    assert edges == [("da", first), ("db", first)]
    assert groups.handles == {ref_dn("cn=0"): first, ref_dn("cn=1"): second}
    assert groups.under == {first: b"print", second: b"sales"}


def test_entries_that_are_only_there_to_be_expanded_are_no_groupings() -> None:
    groups, edges = entries(
        ("Inner", ""), ("Print", ""), wanted=[False, True], members=[["da"], [ref_dn("cn=0")]]
    )
    assert list(groups.by_key) == [b"print"]
    assert edges == [("da", ENTRY + b"dcn=0"), (ref_dn("cn=0"), ENTRY + b"dcn=1")]
    assert groups.under == {ENTRY + b"dcn=1": b"print"}


def test_members_by_key_or_by_logon() -> None:
    assert ref_member("hr", "ana") == ref_logon("hr", "ANA")
    assert ref_member("hr", " NDD // Ana ") == ref_key("ndd", "ana")
    assert ref_member("hr", "João") == ref_logon("hr", "JOÃO")


@given(st.lists(st.text(st.sampled_from("aAéÉ/ "), max_size=6), max_size=6))
def test_many_members_at_once_are_named_as_one(members: list[str]) -> None:
    assert refs_of_members("hr", members) == [ref_member("hr", member) for member in members]


def test_a_column_of_groups() -> None:
    groups = Groups()
    edges = declare_column(groups, "hr", [("Print", "ra"), ("PRINT", "rb"), ("x" * 151, "rc")])
    assert [edge[:3] for edge in edges] == [
        ("ra", b"print", "hr"),
        ("rb", b"print", "hr"),
        ("rc", b"x" * 151, "hr"),
    ]
    assert said(groups)[b"print"] == ("PRINT", "", ACTIVE), "as of a file: whichever comes first"
    assert said(groups)[b"x" * 151][2] == ASIDE


# Several sources


def parts(first: str, second: str) -> list[Groups]:
    return [lines(("Print", first, "a"), source="hq")[0], lines(("PRINT", second, "b"), source="hr")[0]]


@pytest.mark.parametrize(
    ("first", "second", "precedence", "expected"),
    [
        ("one", "one", (), ("PRINT", "one", ACTIVE)),
        ("one", "", (), ("PRINT", "one", ACTIVE)),
        ("", "two", (), ("PRINT", "two", ACTIVE)),
        ("one", "two", (), ("PRINT", "one", ASIDE)),
        ("one", "two", ("hq", "hr"), ("Print", "one", ACTIVE)),
        ("one", "two", ("hr", "hq"), ("PRINT", "two", ACTIVE)),
        ("one", "two", ("hr",), ("PRINT", "two", ACTIVE)),
    ],
)
def test_fault_89_one_grouping_of_two_sources(
    first: str, second: str, precedence: tuple[str, ...], expected: tuple[str, str, str]
) -> None:
    for order in (parts(first, second), parts(first, second)[::-1]):
        whole = joined(order, precedence)
        (found,) = said(whole).values()
        assert (found[0], found[2]) == (expected[0], expected[2])
        if found[2] == ACTIVE:
            assert found[1] == expected[1]
        assert whole.by_key[b"print"].sources == {"hq", "hr"}


# Groups in groups


def nesting(parents: dict[str, list[str]], wanted: str) -> Nesting:
    groups = Groups()
    for name in wanted:
        declare_column(groups, "hq", [(name, "r")])
    return Nesting({child.encode(): {p.encode() for p in above} for child, above in parents.items()}, groups)


@pytest.mark.parametrize(
    ("parents", "wanted", "start", "found"),
    [
        ({}, "a", "a", "a"),
        ({"b": ["a"]}, "ab", "b", "ab"),
        ({"b": ["a"]}, "a", "b", "a"),
        ({"c": ["b"], "b": ["a"]}, "ac", "c", "ac"),
        ({"d": ["b", "c"], "b": ["a"], "c": ["a"]}, "abcd", "d", "abcd"),  # a diamond
        ({"a": ["b"], "b": ["a"]}, "ab", "a", "ab"),  # a cycle
        ({"a": ["a"]}, "a", "a", "a"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "abc", "a", "abc"),
    ],
)
def test_groups_in_groups(parents: dict[str, list[str]], wanted: str, start: str, found: str) -> None:
    assert nesting(parents, wanted).groupings(start.encode()) == tuple(name.encode() for name in found)


def test_fault_88_a_cycle_ends_and_is_known() -> None:
    nest = nesting({"a": ["b"], "b": ["c"], "c": ["a"]}, "abc")
    assert nest.groupings(b"b") == (b"a", b"b", b"c")
    assert nest.cycles == {b"b"}
    assert nest.groupings(b"a") == nest.groupings(b"c")


def test_a_long_chain_is_no_matter_of_recursion() -> None:
    chain = {f"{i}": [f"{i + 1}"] for i in range(5_000)}
    groups = Groups()
    declare_column(groups, "hq", [("5000", "r")])
    nest = Nesting({child.encode(): {p.encode() for p in above} for child, above in chain.items()}, groups)
    assert nest.groupings(b"0") == (b"5000",)
