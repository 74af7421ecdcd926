"""The plan as a value: fates, sums, and a digest over changes alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd.core.people import ACTIVE, ASIDE, DOUBT, LEFT, OUT, TRIED
from rosterd.core.plan import (
    CREATE,
    GONE,
    GROUP,
    KEPT,
    PERSON,
    REMOVED,
    SEAT,
    STAY,
    TOUCH,
    UPDATE,
    Change,
    Digest,
    Tally,
    created_of,
    decide,
    is_active,
    mentions,
)  # fmt: skip
from rosterd.draft import ChangeLog

FATES = {
    (ACTIVE, None): CREATE, (ACTIVE, TRIED): CREATE, (ACTIVE, DOUBT): UPDATE, (ACTIVE, LEFT): UPDATE,
    (ACTIVE, REMOVED): UPDATE,
    (ASIDE, None): KEPT, (ASIDE, ACTIVE): KEPT, (ASIDE, DOUBT): KEPT, (ASIDE, LEFT): KEPT, (ASIDE, TRIED): KEPT,
    (OUT, None): STAY, (OUT, ACTIVE): GONE, (OUT, DOUBT): GONE, (OUT, LEFT): STAY, (OUT, TRIED): GONE,
    (None, ACTIVE): GONE, (None, DOUBT): GONE, (None, LEFT): STAY, (None, TRIED): GONE, (None, REMOVED): STAY,
}  # fmt: skip


@pytest.mark.parametrize(("states", "fate"), FATES.items())
def test_the_truth_table(states: tuple[str | None, str | None], fate: str) -> None:
    assert decide(*states) == fate
    assert decide(*states, same_content=False) == fate


def test_only_a_record_the_target_surely_has_is_compared() -> None:
    assert decide(ACTIVE, ACTIVE, same_content=True) == TOUCH
    assert decide(ACTIVE, ACTIVE, same_content=False) == UPDATE


@pytest.mark.parametrize(
    ("state", "active"), [(ACTIVE, True), (DOUBT, True), (TRIED, True), (LEFT, False), (REMOVED, False)]
)
def test_what_counts_as_present(state: str, active: bool) -> None:
    assert is_active(state) is active


def change(op: str = CREATE, logon: str = "ana", name: str = "Ana", source: str = "hr") -> Change:
    after = ("NDD", logon, name, "")
    return Change(op, PERSON, f"ndd\0{logon}".encode(), f"NDD//{logon}", None, after, (source, "", ""))


def digest(*chunks: list[Change], first: tuple[str, ...] = ("url", "tenant", "client")) -> str:
    made = Digest(*first)
    for chunk in chunks:
        made.feed(chunk)
    return made.hexdigest()


def test_the_digest_is_of_changes_and_target_alone() -> None:
    one, other = change(), change(logon="bob")
    assert digest([one, other]) == digest([one], [other]) == digest([], [one], [], [other])
    assert digest([one]) == digest([change(source="hq")]), "where a record comes from is no change"
    assert digest([one]) != digest([one], first=("url", "tenant", "other"))


def test_every_part_of_a_change_is_in_the_digest() -> None:
    base = change()
    others = [
        base._replace(op=UPDATE),
        base._replace(kind=GROUP),
        base._replace(shown="NDD//Ana"),
        base._replace(before=("NDD", "ana", "", "")),
        base._replace(after=None),
        change(name="Bob"),
    ]
    assert len({digest([each]) for each in [base, *others]}) == 7
    assert len({each.text for each in [base, *others]}) == 7
    assert digest([base, others[0]]) != digest([others[0], base])


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=4), st.integers(0, 4))
def test_neighbours_cannot_be_mistaken_for_each_other(texts: list[tuple[str, str]], cut: int) -> None:
    changes = [change(logon=logon, name=name) for logon, name in texts]
    assert digest(changes[:cut], changes[cut:]) == digest(changes)
    if len(changes) > 1 and changes[0] != changes[1]:
        assert digest([changes[0]]) != digest(changes)


def test_texts_that_no_encoding_carries_have_a_digest() -> None:
    assert len(digest([change(name="\udc80")])) == 64


def test_a_change_as_a_document() -> None:
    before = ("NDD", "ana", "Ana", "")
    updated = Change(UPDATE, PERSON, b"k", "NDD//ana", before, ("NDD", "ana", "", "a@b.c"), ("hr", "", ""))
    assert updated.document() == {
        "op": "update",
        "kind": "person",
        "key": "NDD//ana",
        "before": {"domain": "NDD", "logon": "ana", "name": "Ana"},
        "after": {"domain": "NDD", "logon": "ana", "email": "a@b.c"},
    }
    seat = Change(GONE, SEAT, b"k", "Print / NDD//ana", (), None, ("hr", "", ""))
    assert (seat.document()["before"], seat.document()["after"]) == ({}, None)


def test_sums() -> None:
    tally = Tally(read=3, unsent=3)
    tally.acknowledged(CREATE)
    tally.acknowledged(UPDATE)
    tally.refuse()
    assert tally.balanced
    assert tally.document() == {
        "read": 3, "created": 1, "updated": 1, "unchanged": 0, "refused": 1, "set_aside": 0, "excluded": 0,
        "unsent": 0, "gone": 0,
    }  # fmt: skip
    assert not Tally(read=1).balanced
    assert Tally(gone=5).balanced, "who is gone was not read"


@pytest.mark.parametrize(
    ("who", "meant"),
    [("ana", True), ("ndd//ana", True), ("a@b.c", True), ("an", False), ("other//ana", False), ("", False)],
)
def test_whom_a_pilot_means(who: str, meant: bool) -> None:
    assert mentions((who,), b"ndd\0ana", "A@b.c") is meant
    assert not mentions((who,), b"ndd\0bob", "")


def test_people_logged_as_lines_are_the_changes_they_stand_for() -> None:
    people = [("ndd\0zoë\ud800", "NDD", "Zoë\ud800", "", "z@example.com", "hr", "7", "CN=Zoë", "active")]
    people += [
        (f"ndd\0u{i:04}", "NDD", f"u{i:04}", f'"{i}\\', "", "hr", "", "", "active") for i in range(600)
    ]
    lines = ["\x1f".join(person) for person in people]
    short, long = ChangeLog(), ChangeLog()
    short.add_created(lines)
    long.add([(change, False) for change in created_of(lines)])
    assert [row for rows in short for row in rows] == [row for rows in long for row in rows]
    assert (short.count, short.approved, short.digest()) == (long.count, long.approved, long.digest())
    first = next(iter(short))[0][0]
    assert first == Change("create", "person", "ndd\0zoë\ud800".encode("utf-8", "surrogatepass"), "NDD//Zoë\ud800",
                           None, ("NDD", "Zoë\ud800", "", "z@example.com"), ("hr", "7", "CN=Zoë"))  # fmt: skip
    short.close()
    long.close()
