"""An entry becomes one record: to deliver, set aside or excluded, with a reason a person understands."""

from __future__ import annotations

import re
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.mapping_kit import ATTRIBUTES, entry, mapped, mapper, one

from rosterd.core.doors import Batch
from rosterd.core.people import ACTIVE, ASIDE, NO_KEY, OUT, sort_key
from rosterd.errors import SettingsError

texts = st.text(max_size=10)


def test_a_plain_entry() -> None:
    found = one("Ana.Silva", NAME="Ana Silva", MAIL="ana@acme.example", id="{{ kind }}", KIND="4711")
    assert found.shown == ("NDD", "Ana.Silva", "Ana Silva", "ana@acme.example")
    assert (found.key, found.source, found.id, found.place) == (b"ndd\0ana.silva", "hr", "4711", 2)
    assert (found.state, found.reason, found.refs) == (ACTIVE, "", "")


def test_only_logon_and_domain_are_mandatory() -> None:
    assert one("ana").state == ACTIVE
    assert one("ana").shown == ("NDD", "ana", "", "")
    for logon, domain, said in (
        ("", "NDD", "has no logon"),
        ("ana", "", "has no domain"),
        (" ", "NDD", "has no logon"),
    ):
        found = one(logon, DOMAIN=domain)
        assert (found.state, found.reason) == (ASIDE, said)
        assert found.key.startswith(NO_KEY)


def test_entries_without_a_logon_stay_apart() -> None:
    first, second = mapped(entry("", name="A"), entry("", name="A"))
    assert first.key != second.key


def test_the_domain_may_be_a_constant() -> None:
    assert [found.domain for found in mapped(entry("a"), entry("b"), domain=" ACME ")] == ["ACME", "ACME"]


def test_a_logon_that_is_the_same_for_everybody_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(SettingsError) as caught:
        mapper(logon="ana")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("logon", ["ana", "ANA", "ana.silva", "0", "a-b", "a_b", "a.b-c_d"])
def test_characters_that_are_sent(logon: str) -> None:
    assert one(logon).state == ACTIVE


@pytest.mark.parametrize(
    ("logon", "said"),
    [
        (
            "João",
            "the logon 'João' has 'ã', which Orbix does not accept; `repair = [\"ascii\"]` would mend it",
        ),
        ("a b", "the logon 'a b' has ' '"),
        ("a\\b", "has '\\\\'"),
        ("a//b", "has '/'"),
        ("a@b", "has '@'"),
        ("а", "has 'а'"),  # Cyrillic
        ("a\u200bb", "has U+200B"),
        ("a\u202eb", "has U+202E"),
        ("a\nb", "has U+000A"),
        ("a\tb", "has U+0009"),
        ("a\x00b", "has U+0000"),
        ("a\x7fb", "has U+007F"),
        ("１２", "has '１'"),
        ("👾", "has '👾'"),
    ],
)
def test_fault_79_80_characters_that_set_a_person_aside(logon: str, said: str) -> None:
    found = one(logon)
    assert found.state == ASIDE
    assert said in found.reason
    assert one("ana", DOMAIN=logon).state == ASIDE


@given(st.lists(st.text(st.sampled_from("aA0.-_ \n\r\tãé/\u200b"), max_size=3), min_size=1, max_size=6))
def test_one_bad_logon_never_hides_behind_others(logons: list[str]) -> None:
    for logon, found in zip(logons, mapped(*map(entry, logons)), strict=True):
        fits = re.fullmatch(r"[A-Za-z0-9._-]+", logon.strip()) is not None
        assert (found.state == ACTIVE) == fits, logon


def test_dashes_are_sent_with_one_warning_for_all() -> None:
    made = mapper()
    made.map(Batch([entry("a-b"), entry("a_b"), entry("ab")], [2, 3, 4]))
    made.map(Batch([entry("c-d")], [5]))
    assert made.warned == {"a logon with - or _, which Orbix's pages do not mention": 3}


def test_allowed_characters_override() -> None:
    assert one("a-b", allowed_characters=".").state == ASIDE
    assert one("a@b", allowed_characters="@").state == ACTIVE
    assert one("a.b", allowed_characters="@").state == ASIDE
    assert one("a]b", allowed_characters="]^").state == ACTIVE
    assert one("a-b", allowed_characters="").state == ASIDE


@pytest.mark.parametrize(
    ("logon", "repair", "expected"),
    [
        ("João", ["ascii"], "Joao"),
        ("João", ["ascii", "lower"], "joao"),
        ("JOÃO", ["lower", "ascii"], "joao"),
        ("ANA", ["lower"], "ana"),
        ("Jo\u0061\u0303o", ["ascii"], "Joao"),
        ("müller", ["ascii"], "muller"),
        ("ß", ["ascii"], "ss"),
        ("Łódź", ["ascii"], "Lodz"),
    ],
)
def test_repair(logon: str, repair: list[str], expected: str) -> None:
    found = one(logon, repair=repair)
    assert (found.state, found.logon) == (ACTIVE, expected)
    assert found.key == sort_key("NDD", expected)


@pytest.mark.parametrize("logon", ["a b", "", "\u200b", "a\u200bb", "jo\u202e\u00e3o", "a/b"])
def test_what_repair_cannot_mend_is_set_aside(logon: str) -> None:
    assert one(logon, repair=["ascii", "lower"]).state == ASIDE


def test_repair_writes_logons_small_and_leaves_the_domain() -> None:
    assert one("ANA", DOMAIN="ACME", repair=["lower"]).shown[:2] == ("ACME", "ana")


def test_two_who_are_mended_to_the_same_key_have_the_same_key() -> None:
    first, second = mapped(entry("João"), entry("joao"), repair=["ascii", "lower"])
    assert first.key == second.key


# Exclusions


@pytest.mark.parametrize(
    ("logon", "out"),
    [("svc-backup", True), ("SVC-1", True), ("svc", False), ("my-svc-1", False), ("svc-", True)],
)
def test_globs_look_at_the_logon_in_any_case(logon: str, out: bool) -> None:
    found = one(logon, exclude=["svc-*"])
    assert found.state == (OUT if out else ACTIVE)
    assert found.reason == ('excluded by the rule "svc-*"' if out else "")


def test_globs_look_at_the_logon_as_the_source_has_it() -> None:
    assert one("joão", exclude=["joã*"], repair=["ascii"]).state == OUT


@pytest.mark.parametrize(
    ("rule", "out"),
    [
        ("{{ kind == 'contractor' }}", True),
        ("{{ Kind == 'contractor' }}", True),
        ("{{ kind == 'staff' }}", False),
        ("{{ kind }}", True),
        ("{{ missing }}", False),
        ("{{ entry['kind'] in ('a', 'contractor') and not missing }}", True),
        ("{{ logon.startswith('an') }}", True),
        ("{{ 'contractor' in all.kind }}", True),
        ("contractor", False),  # a glob on the logon
        ("an?", True),
        ("[a-b]na", True),
    ],
)
def test_expressions_are_truth_and_the_rest_are_globs(rule: str, out: bool) -> None:
    assert one("ana", KIND="contractor", exclude=[rule]).state == (OUT if out else ACTIVE)


def test_the_first_rule_that_fits_is_the_reason() -> None:
    assert one("ana", exclude=["x*", "a*", "*"]).reason == 'excluded by the rule "a*"'


def test_an_exclusion_comes_before_every_problem() -> None:
    assert one("svc a", exclude=["svc*"]).state == OUT
    assert one("", KIND="x", exclude=["{{ kind == 'x' }}"]).state == OUT


def test_a_rule_that_fails_on_an_entry_sets_it_aside() -> None:
    good, bad = mapped(entry("a", kind="1"), entry("b", kind="x"), exclude=["{{ kind | int('no') / 1 > 5 }}"])
    assert (good.state, bad.state) == (ACTIVE, ASIDE)
    assert "failed" in bad.reason


def test_fault_91_disabled() -> None:
    flags = {"disabled": [True]}
    assert (one("ana", flags).state, one("ana", flags).reason) == (OUT, "disabled in the directory")
    assert one("ana", flags, disabled="include").state == ACTIVE
    assert one("ana", {"disabled": [False]}).state == ACTIVE
    assert one("ana", KIND="off", disabled="{{ kind == 'off' }}").state == OUT
    assert one("ana", flags, KIND="on", disabled="{{ kind == 'off' }}").state == ACTIVE


# Names


def test_of_several_templates_the_first_that_is_not_empty_counts() -> None:
    rules: dict[str, Any] = {"name": ["{{ name }}", "{{ kind }} {{ logon }}", "{{ logon }}"]}
    found = mapped(entry("a", name="N"), entry("b", kind="K"), entry("c", name=" "), **rules)
    assert [record.name for record in found] == ["N", "K b", "c"]


def test_fault_80_names_are_composed_and_keep_their_accents() -> None:
    found = one(NAME="Jose\u0301 \u200bÇ")
    assert found.name.startswith("Jos\u00e9 ")
    assert found.state == ACTIVE


@pytest.mark.parametrize(
    ("name", "mended"),
    [
        ("A\nB", "A B"),
        ("A\tB", "A B"),
        ("A\x1b[31mB", "A[31mB"),
        ("A\x00B", "AB"),
        ("A\u202eB", "AB"),
        ("A\u2066B\u2069", "AB"),
        ("A\u00a0B", "A B"),
        ("\ufeffA", "A"),
        ("A\x85B", "A B"),
        ("\x07", ""),
    ],
)
def test_fault_L7_control_characters_in_names(name: str, mended: str) -> None:
    found = one(NAME=name)
    assert (found.name, found.state) == (mended, ACTIVE)


def test_fault_99_a_hostile_name_is_kept_as_text() -> None:
    for name in ("=1+1", "<script>alert(1)</script>", "@SUM(A1)", "'; DROP TABLE person"):
        assert one(NAME=name).name == name


def test_fault_99_a_name_of_a_mebibyte_is_cut_and_told() -> None:
    found = one(NAME="ä" * 2**20)
    assert (len(found.name), found.state) == (1_024, ACTIVE)
    assert "1,048,576 characters and was cut to 1024" in found.reason


@given(st.lists(texts, min_size=1, max_size=5))
def test_names_that_are_delivered_can_be_shown(names: list[str]) -> None:
    for name, found in zip(names, mapped(*(entry("a", name=name) for name in names)), strict=True):
        assert normalize("NFC", found.name) == found.name == found.name.strip()
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", found.name)
        if name.isascii() and name.isprintable():
            assert found.name == name.strip()


# E-mail


@pytest.mark.parametrize(
    "mail", ["a@b.c", "a.b+c@acme.example", "A_1-x@sub.acme.example", "o'brien@acme.example", "x@1.example"]
)
def test_addresses_that_are_sent(mail: str) -> None:
    assert (one(MAIL=mail).email, one(MAIL=mail).reason) == (mail, "")


@pytest.mark.parametrize(
    "mail",
    [
     "nobody", "a@b", "a@@b.c", "a b@c.d", "a@b..c", ".a@b.c", "a.@b.c", "joão@acme.example", "a@b.c, d@e.f",
     "a@b.c\nd@e.f", "<a@b.c>", "a@b.c.", "a@-", "@b.c", "a@b.c\x00"],
)  # fmt: skip
def test_fault_81_a_bad_address_is_left_out_and_told_or_sets_aside(mail: str) -> None:
    found = one(MAIL=mail)
    assert (found.state, found.email) == (ACTIVE, "")
    assert found.reason.endswith("is not a plain a@b.c address: delivered without it")
    aside = one(MAIL=mail, bad_email="set_aside")
    assert aside.state == ASIDE
    assert "is not a plain a@b.c address" in aside.reason


def test_one_bad_address_among_good_ones() -> None:
    found = mapped(entry("a", mail="a@b.c"), entry("b", mail="bad"), entry("c"), entry("d", mail="d@e.f"))
    assert [record.email for record in found] == ["a@b.c", "", "", "d@e.f"]
    assert [bool(record.reason) for record in found] == [False, True, False, False]


def test_an_address_with_a_filter() -> None:
    assert one(MAIL="ANA@Acme.Example", email="{{ mail | lower }}").email == "ana@acme.example"


def test_a_hopeless_address_takes_no_time() -> None:
    assert one(MAIL="a." * 50_000 + "@" + "b." * 50_000).email == ""


def test_fault_81_lengths() -> None:
    rules = {"max_length": {"logon": 3, "domain": 4, "name": 5, "email": 7}}
    assert one("ana", NAME="12345", MAIL="a@b.com", **rules).reason == ""
    assert one("anna", **rules).reason == "the logon has 4 characters, more than 3"
    assert one("ana", DOMAIN="ABCDE", **rules).state == ASIDE
    cut = one("ana", NAME="1234 6", **rules)
    assert (cut.state, cut.name) == (ACTIVE, "1234")
    assert "was cut" in cut.reason
    without = one("ana", MAIL="aa@b.com", **rules)
    assert (without.state, without.email) == (ACTIVE, "")
    assert one("ana", MAIL="aa@b.com", bad_email="set_aside", **rules).state == ASIDE
    assert one("x" * 5_000).state == ACTIVE, "no other limit unless one is set"


def test_warnings_of_one_person_are_told_together() -> None:
    found = one(NAME="A\x07B", MAIL="bad")
    assert found.state == ACTIVE
    assert "control characters" in found.reason and "a@b.c" in found.reason


# Rows, values, names


def test_ragged_rows_are_set_aside_and_the_others_are_not_harmed() -> None:
    short, long, good = mapped(["ana", "NDD"], [*entry("bob"), "more"], entry("carl"))
    assert (short.state, long.state, good.state) == (ASIDE, ASIDE, ACTIVE)
    assert short.reason.startswith("has 2 fields where the header has 6")
    assert (short.logon, long.logon) == ("ana", "bob")


def test_of_several_values_the_first_counts_and_all_has_the_rest() -> None:
    row = entry("ana", mail=("a@b.c", "d@e.f"), kind=("x", "y"))
    (found,) = mapped(row, name="{{ all.kind | join('+') }}/{{ all.mail | length }}/{{ all.name | length }}")
    assert (found.email, found.name) == ("a@b.c", "x+y/2/0")


def test_names_of_attributes_ignore_case_and_may_be_odd() -> None:
    made = mapper(
        ("Logon Name", "DOMAIN", "mail-Address", "name", "x"),
        logon='{{ entry["logon name"] }}', domain="{{ Domain }}", email="{{ entry['Mail-Address'] | lower }}",
        name="{{ entry.NAME }}-{{ entry.nothing }}-{{ entry['nothing'] }}",
    )  # fmt: skip
    (found,) = made.map(Batch([["ana", "NDD", "A@B.C", "Ana", ""]], [2]))
    assert found[1:5] == ("NDD", "ana", "Ana--", "a@b.c")


def test_cells_are_stripped() -> None:
    assert one("  ana\t", NAME=" Ana ", MAIL=" a@b.c ").shown == ("NDD", "ana", "Ana", "a@b.c")


def test_what_the_directory_gives_beside_the_cells() -> None:
    more = {"ids": ["guid"], "dns": ["cn=ana"], "refs": ["dcn=ana"]}
    assert one("ana", more, refs=True)[6:12] == ("guid", "cn=ana", ACTIVE, 2, "", "dcn=ana")
    assert one("ana", more, id="{{ kind }}", KIND="mine").id == "mine"


def test_groups_of_a_column() -> None:
    made = mapper(groups="{{ groups }}", groups_separator=";", refs=True)
    batch = Batch(
        [entry("ana", groups=" A ; ;B;"), entry("bob"), entry("", groups="C"), entry("João", groups="D")],
        [2, 3, 4, 5],
    )
    found = made.memberships(batch, made.map(batch))
    assert found == [("A", "kndd\x01ana"), ("B", "kndd\x01ana"), ("D", "kndd\x01joão")]


def test_attributes_that_are_read_are_known_before() -> None:
    made = mapper(
        name=["{{ displayName }}", "{{ givenName }} {{ sn }}"], exclude=["svc-*", "{{ employeeType == 'x' }}"],
        disabled="{{ entry['Off Now'] }}", id="{{ guid }}",
    )  # fmt: skip
    assert set(made._plan.attributes) == {
        "logon", "domain", "displayName", "givenName", "sn", "mail", "employeeType", "Off Now", "guid"
    }  # fmt: skip


@given(st.lists(st.lists(texts, min_size=len(ATTRIBUTES), max_size=len(ATTRIBUTES)), max_size=6))
def test_whatever_the_cells_hold_every_entry_comes_out_sane(rows: list[list[str]]) -> None:
    rules: dict[str, Any] = {
        "repair": ["ascii"],
        "exclude": ["x*", "{{ kind == 'y' }}"],
        "name": ["{{ name }}", "{{ kind }}!"],
    }
    for found in mapped(*rows, **rules):
        assert found.state in (ACTIVE, ASIDE, OUT)
        assert bool(found.reason) or found.state == ACTIVE
        if found.state == ACTIVE:
            assert re.fullmatch(r"[A-Za-z0-9._-]+", found.logon) and re.fullmatch(
                r"[A-Za-z0-9._-]+", found.domain
            )
            assert found.key == sort_key(found.domain, found.logon)
