"""LDAP filters: which are read, where broken ones break, and that a value stays a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd.sources import filters

# Examples of RFC 4515, section 4, and what directories' administrators write.
SOUND = [
    "(cn=Babs Jensen)",
    "(!(cn=Tim Howes))",
    "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
    "(o=univ*of*mich*)",
    "(seeAlso=)",
    "(cn:caseExactMatch:=Fred Flintstone)",
    "(cn:=Betty Rubble)",
    "(sn:dn:2.4.6.8.10:=Barney Rubble)",
    "(o:dn:=Ace Industry)",
    "(:1.2.3:=Wilma Flintstone)",
    "(:DN:2.4.6.8.10:=Dino)",
    r"(o=Parens R Us \28for all your parenthetical needs\29)",
    r"(cn=*\2A*)",
    r"(filename=C:\5cMyFile)",
    r"(bin=\00\00\00\04)",
    r"(sn=Lu\c4\8di\c4\87)",
    "(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)",
    "(&)",
    "(|)",
    "(createTimestamp>=20240101000000Z)",
    "(uidNumber<=2000)",
    "(givenName~=jon)",
    "(userCertificate;binary=*)",
    "(userAccountControl:1.2.840.113556.1.4.803:=2)",
    "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))",
    "(cn=João)",
    "(ms-DS-ConsistencyGuid=*)",
]


@pytest.mark.parametrize("text", SOUND)
def test_sound_filters_are_read_and_written_alike(text: str) -> None:
    assert filters.written(filters.parse(text)) == text


def test_the_tree() -> None:
    assert filters.parse("(&(a=1)(!(b>=2))(c:dn:=3))") == (
        "&",
        ("a", "=", "1"),
        ("!", ("b", ">=", "2")),
        ("c:dn", ":=", "3"),
    )


def test_spaces_between_parts_go_and_those_in_values_stay() -> None:
    assert filters.written(filters.parse(" (& \n (a= b ) ( | (c=d) ) )\t")) == "(&(a= b )(|(c=d)))"


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("", 1, 'a "\\(" is missing'),
        ("cn=x", 1, 'a "\\(" is missing'),
        ("(cn=x", 6, "is not closed"),
        ("(cn=x))", 7, "more after the end"),
        ("(cn=x)(cn=y)", 7, "more after the end"),
        ("(cn)", 4, "is missing"),
        ("(cn>5)", 4, "is missing"),
        ("(=x)", 2, "the name of an attribute is missing"),
        ("()", 2, "the name of an attribute is missing"),
        ("(&(cn=x)", 9, "is not closed"),
        ("(&(cn=x)cn=y)", 9, "is not closed"),
        ("(&cn=x)", 3, "is not closed"),
        ("(!)", 2, "exactly one"),
        ("(!(a=b)(c=d))", 2, "exactly one"),
        ("(cn=a(b)", 6, "is not closed"),
        (r"(cn=a\b)", 6, "two hexadecimal digits"),
        (r"(cn=a\zz)", 6, "two hexadecimal digits"),
        ("(cn=a\0)", 6, "NUL"),
        ("(cn>=a*)", 7, 'stands only after "="'),
        ("(cn:=a*)", 7, 'stands only after "="'),
        ("(c n=a)", 3, "is missing"),
        ("(&" * 60, 101, "nested more than 50 deep"),
        ("(!" * 60, 101, "nested more than 50 deep"),
    ],
)
def test_broken_filters_name_the_place(text: str, position: int, what: str) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        filters.parse(text)
    assert f"is not an LDAP filter: at character {position}, " in str(caught.value)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        tree = filters.parse(text)
    except ValueError as error:
        assert str(error).startswith("is not an LDAP filter: at character ")
    else:
        assert filters.parse(filters.written(tree)) == tree


@given(st.text(alphabet=st.one_of(st.sampled_from("()*\\\0&|!=~<>: "), st.characters())))
def test_an_escaped_value_stays_a_value(value: str) -> None:
    tree = filters.parse(f"(&(cn={filters.escape(value)})(x=y))")
    assert tree == ("&", ("cn", "=", filters.escape(value)), ("x", "=", "y"))


def test_escapes() -> None:
    assert filters.escape("a(b)c*d\\e\0f João") == r"a\28b\29c\2ad\5ce\00f João"
    assert filters.escape("  a b\u2003") == r"\20\20a b\e2\80\83", (
        "many readers of filters strip the ends of a value"
    )
    assert filters.escape(" ") == r"\20"
