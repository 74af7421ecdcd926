"""Decoding by what entries have in common, by the general decoder and by ldap3: all three give the same."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ldapwriting import WRITERS, Attributes, Writer, answer, entry, message, shortest

from rosterd.core.doors import Cell
from rosterd.sources.ldap.decode import Layout, Warnings, listed, parse
from rosterd.sources.ldap.dn import normalise_dn, normalise_dns
from rosterd.sources.ldap.line import Budget, Line
from rosterd.sources.ldap.rows import Rows
from rosterd.sources.ldap.session import Session

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from ldap3.operation.search import search_result_entry_response_to_dict_fast
    from ldap3.utils.asn1 import decode_message_fast

ASKED = ("uid", "mail", "sn", "displayName", "objectGUID", "uid", "description")
EXTRAS = ("entryUUID", "uid", "memberOf", "objectGUID", "")
NAMES = (
    b"uid", b"mail", b"sn", b"displayName", b"description", b"entryUUID", b"memberOf", b"objectGUID", b"surname",
    b"UID", b"Mail", b"other", b"mail;lang-en", b"description;binary", b"memberOf;range=0-1", b"memberOf;range=2-*",
)  # fmt: skip

Found = tuple[str, list[Cell], list[list[bytes]]]


def layout(asked: Sequence[str] = ASKED) -> Layout:
    return Layout(asked, EXTRAS, Warnings())


def placed(data: Sequence[bytes]) -> list[tuple[bytes, int, int]]:
    """Entries as a page has them: all bytes in one, with where each is."""
    whole, page, at = b"".join(data), [], 0
    for one in data:
        page.append((at, at := at + len(one)))
    return [(whole, start, end) for start, end in page]


def general(page: Sequence[tuple[bytes, int, int]], asked: Sequence[str] = ASKED) -> list[Found]:
    entries = [layout(asked).entry(*place) for place in page]
    return [(one.dn, one.cells, one.extras) for one in entries]


def quick(rows: Rows, page: Sequence[tuple[bytes, int, int]]) -> list[Found]:
    block = rows.block(page, lambda entry: None)
    cells = [list(row) for row in zip(*block.cells, strict=True)] or [[] for _ in block.dns]
    extras = [[listed(value) for value in row] for row in zip(*block.extras, strict=True)]
    return list(zip(block.dns, cells, extras, strict=True))


def by_ldap3(data: bytes) -> tuple[bytes, dict[str, list[bytes]]]:
    """DN and raw values of an entry as ldap3 decodes it."""
    whole = message(7, shortest(0x64, data))
    decoded: dict[str, Any] = decode_message_fast(whole)
    with_names = search_result_entry_response_to_dict_fast(decoded["payload"], None, None, False)
    return with_names["raw_dn"], {
        name: list(some or ()) for name, some in with_names["raw_attributes"].items()
    }


VALUES = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=20).map(str.encode),
    st.binary(max_size=20),
    st.sampled_from(
        [b"", b"a\nb", b"x" * 126, b"x" * 127, b"x" * 128, b"y" * 300, b"z" * 70_000, b"\xff", bytes(16)]
    ),
)
SOME = st.one_of(st.lists(VALUES, min_size=1, max_size=1), st.lists(VALUES, max_size=5))
SHORT = st.lists(st.text("abcé", min_size=1, max_size=9).map(str.encode), min_size=1, max_size=1)
NAME = st.sampled_from(NAMES)
DN = st.one_of(st.text("abc=,é", max_size=60).map(str.encode), st.binary(max_size=140))


@st.composite
def pages(draw: st.DrawFn) -> list[list[tuple[bytes, Attributes]]]:
    """Pages of entries most of which are alike: here an attribute is missing, there one more, or in another order."""
    shape = draw(st.lists(NAME, max_size=7, unique=True))

    def one() -> tuple[bytes, Attributes]:
        attributes = [(name, draw(SHORT)) for name in shape]
        match draw(st.integers(0, 7)):
            case 0:
                attributes = attributes[1:]
            case 1:
                attributes = [*attributes, (draw(NAME), draw(SOME))]
            case 2:
                attributes = draw(st.permutations(attributes))
            case 3:
                attributes = [(name, draw(SOME)) for name, _ in attributes]
        return draw(DN), attributes

    return [[one() for _ in range(draw(st.integers(1, 8)))] for _ in range(draw(st.integers(1, 3)))]


@settings(max_examples=200, deadline=None)
@given(pages(), st.sampled_from(sorted(WRITERS)), st.sampled_from([ASKED, ("surname", *ASKED), ("sn",), ()]))
def test_all_decoders_give_the_same(
    made: list[list[tuple[bytes, Attributes]]], writer: str, asked: Sequence[str]
) -> None:
    """With both names of an attribute among those asked for, too, and with hardly any."""
    rows = Rows(layout(asked))
    for some in made:
        page = placed([entry(dn, attributes, WRITERS[writer]) for dn, attributes in some])
        assert quick(rows, page) == general(page, asked)
        for (dn, attributes), place in zip(some, page, strict=True):
            assert parse(*place) == (
                dn.decode("utf-8", "replace"),
                [(name, list(v)) for name, v in attributes],
            )


@settings(max_examples=100, deadline=None)
@given(pages())
def test_what_is_decoded_is_what_ldap3_decodes(made: list[list[tuple[bytes, Attributes]]]) -> None:
    for dn, attributes in [one for some in made for one in some]:
        if len({name.lower() for name, _ in attributes}) < len(attributes):
            continue  # ldap3 keeps one of two attributes of the same name
        data = entry(dn, attributes)
        try:
            dn.decode()
        except UnicodeDecodeError:
            continue  # ldap3 gives no DN that is no text
        theirs = by_ldap3(data)
        assert theirs == (dn, {name.decode(): list(values) for name, values in attributes})
        mine = parse(data, 0, len(data))
        assert mine == (theirs[0].decode(), [(name.encode(), some) for name, some in theirs[1].items()])


@settings(max_examples=150, deadline=None)
@given(pages(), st.sampled_from(sorted(WRITERS)), st.data())
def test_changed_bytes_never_make_the_decoders_differ(
    made: list[list[tuple[bytes, Attributes]]], writer: str, data: st.DataObject
) -> None:
    """Either both give the same, or both say that the bytes are none."""
    rows = Rows(layout())
    for some in made:
        encoded = [entry(dn, attributes, WRITERS[writer]) for dn, attributes in some]
        at = data.draw(st.integers(0, len(encoded) - 1))
        changed = bytearray(encoded[at])
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        page = placed([*encoded[:at], bytes(changed), *encoded[at + 1 :]])
        try:
            expected = general(page)
        except (ValueError, IndexError):
            with pytest.raises((ValueError, IndexError)):
                quick(rows, page)
        else:
            assert quick(rows, page) == expected


def usual(number: int) -> tuple[bytes, Attributes]:
    uid = b"p%d" % number
    return b"uid=%b,dc=acme" % uid, [
        (b"uid", [uid]),
        (b"mail", [uid + b"@x.example"]),
        (b"sn", ["Müller".encode()]),
    ]


@pytest.mark.parametrize("writer", ["shortest", "microsoft"])
def test_entries_that_are_alike_go_the_straight_way(writer: str) -> None:
    """Else it would be right and slow."""
    write = WRITERS[writer]
    page = placed([entry(*usual(number), write) for number in range(100)])
    rows = Rows(layout())
    quick(rows, page)
    found, strays = rows._straight(page)
    assert (len(found), strays) == (100, [])


def test_entries_that_lack_something_or_have_more_of_it_need_no_general_decoder() -> None:
    rows = Rows(layout())
    quick(rows, placed([entry(*usual(number)) for number in range(10, 100)]))
    dn, (uid, mail, sn) = usual(50)
    odd = [[uid, sn], [sn, uid, mail], [uid, (b"mail", [b"a", b"b"]), sn], [uid, (b"mail", [b"x" * 200]), sn]]
    for attributes in odd:
        quick(rows, placed([entry(dn, attributes)]))  # its size may be new; its attributes are not
        assert rows._walk(*placed([entry(dn, attributes)])[0]) is not None


def test_an_attribute_that_comes_twice_is_put_together() -> None:
    """Also when the path of expectations has led from one to the other."""
    rows = Rows(layout())
    for order in ([b"uid", b"mail"], [b"mail", b"uid"], [b"uid", b"mail", b"uid"]):
        for _ in range(3):
            page = placed([entry(b"dc=a", [(name, [b"%d" % n]) for n, name in enumerate(order)])] * 2)
            assert quick(rows, page) == general(page)


# Names of entries, all at once


@given(st.lists(st.text('abc=,\\+\n #"é ouOU', max_size=12), max_size=8))
def test_names_are_normalised_together_as_one_by_one(names: list[str]) -> None:
    assert normalise_dns(names) == [normalise_dn(name) for name in names]


@given(
    st.lists(
        st.from_regex(r"(uid|CN|x)=[A-Za-z ]{0,5}(,(dc|OU)=[a-z\n]{1,3}){0,2}", fullmatch=True), max_size=8
    )
)
def test_plain_names_are_normalised_together_as_one_by_one(names: list[str]) -> None:
    assert normalise_dns(names) == [normalise_dn(name) for name in names]


# Cutting the stream


class Pieces:
    """A socket from which an answer comes in pieces."""

    def __init__(self, data: bytes, cuts: Sequence[int]) -> None:
        ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
        self.pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False) if end > start]

    def settimeout(self, _seconds: float) -> None: ...

    def recv(self, _size: int) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def collected(data: bytes, cuts: Sequence[int] = ()) -> list[Found]:
    budget = Budget(time.monotonic() + 60, 60, 60, 1 << 30, 1 << 30, threading.Event())
    opened: Any = Pieces(data, cuts)
    page = Session("ldap://x", Line(opened, budget)).collect(1001, 1_000_000).entries
    return quick(Rows(layout()), page)


@settings(max_examples=60, deadline=None)
@given(pages(), st.sampled_from(sorted(WRITERS)), st.lists(st.integers(0, 3_000), max_size=6))
def test_where_the_stream_is_cut_does_not_matter(
    made: list[list[tuple[bytes, Attributes]]], writer: str, cuts: list[int]
) -> None:
    write: Writer = WRITERS[writer]
    entries = [one for some in made for one in some]
    whole = general(placed([entry(dn, attributes, write) for dn, attributes in entries]))
    assert collected(answer(1001, entries, write), cuts) == whole


def test_one_byte_at_a_time() -> None:
    entries = [usual(number) for number in range(5)]
    data = answer(1001, entries)
    assert collected(data, range(len(data))) == general(placed([entry(*one) for one in entries]))
