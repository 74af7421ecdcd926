"""Addresses that people share are all found, and no other."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from rosterd import emails
from rosterd.core.people import ACTIVE, ASIDE, Row, row_of
from rosterd.emails import NAMED, Share, SharedEmails


def person(logon: str, email: str, state: str = ACTIVE) -> Row:
    wanted = (logon.encode(), "NDD", logon, "", email, "hr", "", "", state, 2, "", "")
    return row_of(wanted, hash(email.lower()))


def shared(people: list[Row], at_once: int = 3) -> dict[str, Share]:
    marks = SharedEmails()
    chunks = [people[i : i + at_once] for i in range(0, len(people), at_once)]
    for chunk in chunks:
        marks.feed([row[4] for row in chunk if row[4]])
    found: dict[str, Share] = {}
    for chunk in chunks:
        marks.look(chunk, found)
    return {email: share for email, share in found.items() if share.count > 1}


def test_fault_78_an_address_of_two() -> None:
    people = [
        person("a", "x@y.z"),
        person("b", ""),
        person("c", "X@Y.z"),
        person("d", "d@y.z"),
        person("e", ""),
    ]
    assert shared(people) == {"x@y.z": Share("x@y.z", 2, ["NDD//a", "NDD//c"])}


def test_of_many_only_the_first_are_named() -> None:
    (share,) = shared([person(f"p{n}", "x@y.z") for n in range(9)]).values()
    assert (share.count, share.first) == (9, [f"NDD//p{n}" for n in range(NAMED)])


def test_people_who_are_not_delivered_share_nothing() -> None:
    assert shared([person("a", "x@y.z"), person("b", "x@y.z", ASIDE)]) == {}


@given(st.lists(st.sampled_from(["", "a@b.c", "A@B.C", "d@e.f", "g@h.i"]), max_size=12), st.integers(1, 5))
def test_as_a_dictionary_says(addresses: list[str], at_once: int) -> None:
    people = [person(f"p{number:02}", address) for number, address in enumerate(addresses)]
    counts = Counter(address.lower() for address in addresses if address)
    assert {address: share.count for address, share in shared(people, at_once).items()} == {
        address: count for address, count in counts.items() if count > 1
    }


@settings(max_examples=2, deadline=None)
@given(st.sets(st.integers(0, 51_999), max_size=30), st.sets(st.integers(0, 51_999), max_size=30))
def test_in_a_crowd_with_a_larger_table(first: set[int], second: set[int]) -> None:
    """Over the number of people after which a second table takes over."""
    assert emails._MANY < 52_000
    people = [person(f"p{number}", f"p{number}@acme.example") for number in range(52_000)]
    people += [person(f"q{number}", f"p{number}@acme.example") for number in sorted(first)]
    people += [person(f"r{number}", f"P{number}@acme.example") for number in sorted(second)]
    assert set(shared(people, 4_096)) == {f"p{number}@acme.example" for number in first | second}
