"""The exact shapes: bodies against the vendor's samples, answers against everything that is not one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doors.scripted import grouping, people, person

from rosterd.core.outcome import Accepted, AllInvalid, Mismatch
from rosterd.core.people import Person
from rosterd.errors import RosterdError
from rosterd.orbix.binding import Binding, gate
from rosterd.orbix.wire import Ambiguous, body_start, groups_body, parse_groups, parse_users, users_body

SAMPLES = Path(__file__).parent.parent / "samples"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.sampled_from(["user", "errorMessage", "groupName", "users", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def read(user: dict[str, str]) -> Person:
    return person(user["Logon"], user["Domain"], user.get("Name", ""), user.get("Email", ""))


def test_users_body_is_the_vendor_s_sample() -> None:
    document = sample("orbix-post-v1-users.request.json")
    body = users_body(document["Client"], [read(user) for user in document["Users"]])
    assert body.decode() == json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def test_groups_body_is_the_vendor_s_sample() -> None:
    document = sample("orbix-post-v1-groups-users.request.json")
    groups = [
        grouping(g["GroupName"], *map(read, g["Users"]), description=g.get("GroupDescription", ""))
        for g in document["Groups"]
    ]
    body = groups_body(document["Client"], groups)
    assert body.decode() == json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def test_empty_fields_are_left_out_and_an_empty_grouping_keeps_its_list() -> None:
    assert users_body("A", [person("x")]) == b'{"Client":"A","Users":[{"Logon":"x","Domain":"NDD"}]}'
    assert groups_body("A", [grouping("G")]) == b'{"Client":"A","Groups":[{"GroupName":"G","Users":[]}]}'


def test_the_vendor_s_answers_are_understood() -> None:
    partial = (SAMPLES / "orbix-post-v1-users.answer-201-partial.json").read_bytes()
    sent = [person("carlos silva"), person("joao.souza", "N D D"), person("maria")]
    assert parse_users(201, partial, sent) == Accepted(
        {sent[0].key: "Logon is not valid.", sent[1].key: "Domain is not valid."}
    )
    partial = (SAMPLES / "orbix-post-v1-groups-users.answer-201-partial.json").read_bytes()
    joao, joana = person("João Souza"), person("joana.pereira")
    long_name = json.loads(partial)[0]["groupName"]
    first, second = grouping(long_name, joao), grouping("Group 2", joana)
    assert parse_groups(201, partial, [first, second]) == Accepted(
        {first.key: "Group Name is too long."},
        {(first.key, joao.key): "Logon is not valid.", (second.key, joana.key): "E-mail is not valid."},
    )
    for name in ("users", "groups-users"):
        all_bad = (SAMPLES / f"orbix-post-v1-{name}.answer-400.json").read_bytes()
        assert isinstance(parse_users(400, all_bad, sent), AllInvalid)


def test_several_words_about_one_record_are_joined_and_long_ones_cut() -> None:
    entries = [{"user": "NDD//x", "errorMessage": text} for text in ("a", "b", "a" * 9000, "\x1b[2J")]
    answer = parse_users(201, json.dumps(entries).encode(), [person("x")])
    assert isinstance(answer, Accepted)
    [message] = answer.refused.values()
    assert message.startswith("a; b; aaa")
    assert len(message) <= 300
    assert message.isprintable()


@given(st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), max_size=5), TEXT)
def test_any_text_travels_unchanged(rows: list[tuple[str, str, str, str]], client: str) -> None:
    document = json.loads(users_body(client, [person(*row) for row in rows]))
    assert document["Client"] == client
    assert [read(user)[1:] for user in document["Users"]] == [(d, lo, n, e) for lo, d, n, e in rows]
    assert all(
        value != "" for user in document["Users"] for key, value in user.items() if key in ("Name", "Email")
    )


@given(JSON, st.sampled_from([parse_users, parse_groups]))
def test_no_document_makes_more_accepted_than_its_names_allow(document: Any, parse: Any) -> None:
    """Only an empty list accepts everybody; any other document refuses somebody, or is no answer."""
    sent: list[Any] = people(3) if parse is parse_users else [grouping("G", *people(3))]
    answer = parse(201, json.dumps(document).encode(), sent)
    assert isinstance(answer, Accepted | Mismatch | Ambiguous)
    assert not isinstance(answer, Accepted) or document == [] or answer.refused or answer.seats


@given(st.binary(max_size=200), st.integers(100, 599))
def test_no_bytes_crash_or_accept(body: bytes, status: int) -> None:
    for answer in (parse_users(status, body, people(2)), parse_groups(status, body, [grouping("G")])):
        assert not isinstance(answer, Accepted) or (status == 201 and json.loads(body) == [])


NAME = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=4)
BINDING = st.builds(Binding, NAME.map(lambda host: f"https://{host}.example.com"), NAME, NAME)


@given(BINDING, BINDING)
def test_the_gate_lets_a_request_out_only_under_its_own_binding(mine: Binding, other: Binding) -> None:
    def passes(url: str, tenant: str, client: str) -> bool:
        try:
            gate(mine, url, {"Tenant": tenant}, users_body(client, people(1)))
        except RosterdError as error:
            assert error.exit_code == 1
            return False
        return True

    assert passes(mine.base_url, mine.tenant, mine.client)
    assert passes(other.base_url, mine.tenant, mine.client) == (other.base_url == mine.base_url)
    assert passes(mine.base_url, other.tenant, mine.client) == (other.tenant == mine.tenant)
    assert passes(mine.base_url, mine.tenant, other.client) == (other.client == mine.client)


def test_the_gate_is_not_fooled_by_a_longer_name() -> None:
    mine = Binding("https://example.com", "t", "ACME")
    for body in (users_body("ACME2", []), b'{"Users":[],"Client":"ACME"}', b"", body_start("ACM")):
        with pytest.raises(RosterdError):
            gate(mine, mine.base_url, {"Tenant": "t"}, body)
