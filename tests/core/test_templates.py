"""Mapping values: constants, direct look-ups, and Jinja in its sandbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd.core.doors import Cell
from rosterd.errors import SettingsError
from rosterd.templates import TemplateError, condition, getter, is_expression, missing_columns, parse

ATTRIBUTES = ("uid", "Mail", "Odd Name", "empty")
ROW: list[Cell] = ["Ana", ("b@c.d", "x@y.z"), " odd ", ""]


def rendered(text: str, row: list[Cell] | None = None) -> str:
    return getter(parse(text, "where"), ATTRIBUTES)(row or ROW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NDD", "NDD"),
        ("", ""),
        ("{{ uid }}", "Ana"),
        ("{{uid}}", "Ana"),
        (" {{ uid }} ", "Ana"),
        ("{{ UID | lower }}", "ana"),
        ("{{ uid|upper|trim }}", "ANA"),
        ("{{ mail }}", "b@c.d"),
        ("{{ empty }}", ""),
        ("{{ nothing }}", ""),
        ("{{ nothing | lower }}", ""),
        ("{{ uid }}@{{ uid | lower }}", "Ana@ana"),
        ('{{ entry["Odd Name"] }}', "odd"),
        ("{{ entry['odd name'] | upper }}", "ODD"),
        ("{{ entry.MAIL }}", "b@c.d"),
        ("{{ all.mail | join(',') }}", "b@c.d,x@y.z"),
        ("{{ all.MAIL | last }}", "x@y.z"),
        ("{{ all['Odd Name'] | first }}", "odd"),
        ("{{ all.empty }}", "[]"),
        ("{{ all.nothing | join('-') }}", ""),
        ("{% if mail %}has{% else %}no{% endif %}", "has"),
        ("{% if nothing %}has{% else %}no{% endif %}", "no"),
        ("{{ uid[:2] }}", "An"),
        ("{{ mail.split('@')[0] }}", "b"),
        ("{{ nothing.split('@')[0] }}", ""),
        ("{{ nothing or uid }}", "Ana"),
        ("{{ uid ~ '.' ~ 1 }}", "Ana.1"),
        ("{{ '<b>' }}{{ uid }}", "<b>Ana"),  # identifiers, not HTML: nothing is escaped
    ],
)
def test_values(text: str, expected: str) -> None:
    assert rendered(text) == expected


@given(
    st.sampled_from(["uid", "UID", "mail", "empty", "nothing"]),
    st.lists(st.sampled_from(["lower", "upper", "trim"]), max_size=2),
)
def test_a_direct_look_up_gives_what_jinja_gives(name: str, filters: list[str]) -> None:
    simple = "{{ " + " | ".join([name, *filters]) + " }}"
    assert parse(simple, "").column == name
    slow = simple + "{# not simple #}"
    assert parse(slow, "").column is None
    assert rendered(simple) == rendered(slow)


def test_a_short_row_has_empty_cells() -> None:
    assert rendered("{{ mail }}", ["Ana"]) == ""
    assert rendered("{{ uid }}{{ mail }}", ["Ana"]) == "Ana"


@pytest.mark.parametrize(
    "text", ["{{ uid", "{{ }}", "{% if %}", "{{ uid | nofilter }}", "{% for %}", "{{ 1 + }}"]
)
def test_a_template_that_does_not_parse_is_a_mistake_in_the_settings(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text, "customers.acme.sources.hr.people.name")
    assert caught.value.where == "customers.acme.sources.hr.people.name"


@pytest.mark.parametrize(
    "text",
    [
        "{{ uid.__class__.__mro__ }}",
        "{{ ''.__class__.__subclasses__() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ entry.__class__.__init__.__globals__ }}",
        "{{ all.__class__ }}{{ ().__class__.__bases__[0] }}",
        "{{ range(10**9) | list }}",
        "{{ 'x' * 100000 }}{{ uid }}",
        "{{ uid + 1 }}",
        "{{ 1 / 0 }}",
    ],
)
def test_what_a_template_may_not_do_fails_for_that_entry_alone(text: str) -> None:
    try:
        found = rendered(text)
    except TemplateError as error:
        assert text[:10] in str(error)
    else:
        assert "class" not in found and "function" not in found and len(found) <= 65_536


def test_attributes_are_found_before_anything_is_read() -> None:
    found = parse("{{ uid }}{{ entry['Odd Name'] }}{{ entry.mail }}{{ all.x }}{% set y = z %}{{ y }}", "")
    assert set(found.attributes) == {"uid", "Odd Name", "mail", "x", "z"}


def test_missing_columns() -> None:
    templates = [parse(text, "") for text in ("{{ UID }}", "{{ nope }} {{ entry['odd name'] }}", "NDD")]
    assert missing_columns(templates, ATTRIBUTES) == ["nope"]


@pytest.mark.parametrize(
    ("text", "lone"),
    [
        ("{{ uid }}", True),
        (" {{ uid == 'x' }}\n", True),
        ("{{ a }}{{ b }}", False),
        ("svc-*", False),
        ("x{{ a }}", False),
        ("{{ a }}x", False),
        ("{% if a %}{% endif %}", False),
    ],
)
def test_a_lone_expression(text: str, lone: bool) -> None:
    assert is_expression(text) is lone


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("{{ uid }}", True),
        ("{{ empty }}", False),
        ("{{ nothing }}", False),
        ("{{ uid == 'Ana' }}", True),
        ("{{ UID != 'Ana' }}", False),
        ("{{ 'x@y.z' in all.mail }}", True),
        ("{{ uid == 'Ana' and not nothing }}", True),
        ("{{ 'false' }}", True),
        ("{{ false }}", False),
        ("{{ entry['Odd Name'] | trim == 'odd' }}", True),
    ],
)
def test_conditions(text: str, truth: bool) -> None:
    assert condition(text, ATTRIBUTES)(ROW) is truth


def test_a_condition_that_fails_says_which() -> None:
    with pytest.raises(TemplateError, match="uid / 2"):
        condition("{{ uid / 2 }}", ATTRIBUTES)(ROW)
