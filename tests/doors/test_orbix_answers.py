"""Rows of the fault table about answers: what may come with a 200, 201, 204 or 400, and what follows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.doors.scripted import TOKEN, Play, Scripted, aimed, grouping, http, ok, person

from rosterd.core.outcome import Accepted, AllInvalid, Mismatch
from rosterd.errors import TargetError

PEOPLE = [person("carlos.silva"), person("Joao.Souza"), person("maria")]
ALL_BAD = '{"errors":{"3400":["All users are invalid."]},"title":"BadRequest","status":400}'


def listed(*entries: tuple[str, str]) -> str:
    """The body of a 201 that refuses these."""
    return json.dumps([{"user": user, "errorMessage": message} for user, message in entries])


def doubtful(*plays: Play, **changes: Any) -> tuple[TargetError, Scripted]:
    """Sends PEOPLE to a server that plays this; the error and what the server saw."""
    with Scripted(plays) as server, aimed(server.url, **changes) as aim:
        with pytest.raises(TargetError) as caught:
            aim.orbix.target("ACME").upsert_people(PEOPLE)
        return caught.value, server


def test_fault_09_status_200_is_doubtful() -> None:
    error, server = doubtful(Play(http(200, "[]")))
    assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, True, 5)
    assert len(set(server.bodies())) == 1


@pytest.mark.parametrize(
    "body", ["", "null", "{}", "<html>login</html>", "true", '"[]"', "[[]]", "[null]", "[{}]"]
)
def test_fault_10_a_201_of_another_shape_is_doubtful_and_only_its_hash_is_logged(body: str) -> None:
    with Scripted([ok(body)]) as server, aimed(server.url, attempts=2) as aim:
        with pytest.raises(TargetError, match="odd answer") as caught:
            aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert caught.value.maybe_applied
        odd = [more for event, more in aim.log.lines if event == "orbix_odd_answer"]
        assert len(odd) == len(server.seen) == 2
        assert len(odd[0]["sha256"]) == 64
        assert "html" not in repr(odd)


def test_fault_11_status_204_is_doubtful() -> None:
    error, _ = doubtful(Play(b"HTTP/1.1 204 No Content\r\n\r\n"))
    assert error.maybe_applied


@pytest.mark.parametrize(
    "body",
    [
        b'[{"user":"NDD//maria","errorMessage":NaN}]',
        b"[NaN]",
        b'[{"user":"NDD//maria","user":"NDD//maria","errorMessage":"x"}]',
        b"[" * 100_000 + b"]" * 100_000,
        b'[{"user":' + b"9" * 5000 + b',"errorMessage":"x"}]',
        b'[{"user":"NDD//maria","errorMessage":' + b"9" * 30 + b"}]",
        '[{"user":"NDD//maria","errorMessage":"inválido"}]'.encode("latin-1"),
        b'[{"user":"NDD//maria","errorMessage":null}]',
        b'[{"user":"NDD//maria"}]',
        b'[{"User":"NDD//maria","ErrorMessage":"x"}]',
        b'[{"user":"NDD//maria","errorMessage":"x","accepted":true}]',
        b"[] []",
        b"[]x",
    ],
    ids=lambda body: repr(body[:40]),
)
def test_fault_12_hostile_json_is_doubtful_and_no_crash(body: bytes) -> None:
    error, server = doubtful(Play(http(201, body)), attempts=2)
    assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, True, 2)


def test_fault_13_an_empty_list_accepts_all() -> None:
    with Scripted([ok(" [ ]\r\n")]) as server, aimed(server.url) as aim:
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()
        [seen] = server.seen
        assert seen.path == "/api/v1/users"
        assert (seen.headers["tenant"], seen.headers["authorization"]) == ("provider-one", f"Bearer {TOKEN}")
        assert seen.headers["content-type"] == "application/json"
        assert seen.headers["accept-encoding"] == "identity"


def test_fault_14_named_records_are_refused_with_the_target_s_words_and_the_rest_accepted() -> None:
    body = listed(("NDD//maria", "Logon is not valid."), ("NDD//carlos.silva", ""))
    with Scripted([ok(body)]) as server, aimed(server.url) as aim:
        answer = aim.orbix.target("ACME").upsert_people(PEOPLE)
    assert isinstance(answer, Accepted)
    assert answer.refused == {
        PEOPLE[2].key: "Logon is not valid.",
        PEOPLE[0].key: "named in the answer without a reason",
    }
    assert len(server.seen) == 1


def test_fault_15_an_unknown_name_is_asked_again_and_then_a_mismatch() -> None:
    with Scripted([ok('[{"user":"NDD//nobody","errorMessage":"x"}]')]) as server, aimed(server.url) as aim:
        answer = aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert isinstance(answer, Mismatch)
        assert not answer.partly
        assert "NDD//nobody" in answer.message
        assert len(server.seen) == 5
        assert len(set(server.bodies())) == 1
        assert aim.log.events().count("response_mismatch") == 5


def test_fault_15_a_mismatch_may_be_cured_by_the_next_answer() -> None:
    plays = [ok('[{"user":"NDD//nobody","errorMessage":"x"}]'), ok()]
    with Scripted(plays) as server, aimed(server.url) as aim:
        assert aim.orbix.target("ACME").upsert_people(PEOPLE) == Accepted()


def test_fault_16_a_partly_matching_list_is_a_mismatch_at_once() -> None:
    body = '[{"user":"NDD//nobody","errorMessage":"x"},{"user":"NDD//maria","errorMessage":"x"}]'
    with Scripted([ok(body)]) as server, aimed(server.url) as aim:
        answer = aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert isinstance(answer, Mismatch)
        assert answer.partly
        assert len(server.seen) == 1


def test_fault_17_names_match_exactly_then_by_their_only_likeness() -> None:
    both = [person("ana"), person("bob//x", "A"), person("ÇELIK")]
    body = listed(("ndd//ANA", "a"), ("A//bob//x", "b"), ("NDD//çelik", "c"))
    with Scripted([ok(body)]) as server, aimed(server.url) as aim:
        answer = aim.orbix.target("ACME").upsert_people(both)
    assert answer == Accepted({both[0].key: "a", both[1].key: "b", both[2].key: "c"})


def test_fault_17_a_name_that_fits_two_records_is_unknown() -> None:
    twins = [person("x//c", "A"), person("c", "A//X"), person("maria")]
    with Scripted([ok('[{"user":"a//X//C","errorMessage":"x"}]')]) as server, aimed(server.url) as aim:
        assert isinstance(aim.orbix.target("ACME").upsert_people(twins), Mismatch)


def test_fault_18_all_invalid_is_an_answer() -> None:
    with Scripted([Play(http(400, ALL_BAD))]) as server, aimed(server.url) as aim:
        answer = aim.orbix.target("ACME").upsert_people(PEOPLE)
        assert answer == AllInvalid("All users are invalid.")
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", "<html>", '{"errors":{"3500":["x"]}}', '{"errors":["3400"]}', ALL_BAD[:-9]]
)
def test_fault_19_another_400_is_final(body: str) -> None:
    error, server = doubtful(Play(http(400, body)))
    assert (error.exit_code, error.maybe_applied, len(server.seen)) == (6, False, 1)
    assert "'ACME'" in error.hint


def test_groupings_name_the_grouping_or_the_seat() -> None:
    carlos, joao, maria = PEOPLE
    groups = [grouping("Group 1", carlos, joao), grouping("Group 2", maria), grouping("Group 3", maria)]
    failed = listed(("NDD//joao.souza", "E-mail is not valid."))
    body = (
        f'[{{"groupName":"Group 1","users":{failed},"errorMessage":""}},'
        '{"groupName":"Group 2","users":[],"errorMessage":"Group Name is too long."}]'
    )
    with Scripted([ok(body)]) as server, aimed(server.url) as aim:
        answer = aim.orbix.target("ACME").upsert_groups(groups)
        assert server.seen[0].path == "/api/v1/groups/users"
    assert answer == Accepted(
        {groups[1].key: "Group Name is too long."}, {(groups[0].key, joao.key): "E-mail is not valid."}
    )


@pytest.mark.parametrize(
    ("body", "partly"),
    [
        ('[{"groupName":"Nope","users":[],"errorMessage":"x"}]', False),
        ('[{"groupName":"G","users":[{"user":"NDD//nobody","errorMessage":"x"}],"errorMessage":""}]', False),
        ('[{"groupName":"G","users":[{"user":"NDD//nobody","errorMessage":"x"}],"errorMessage":"x"}]', True),
    ],
)
def test_groupings_that_were_not_sent_are_a_mismatch(body: str, partly: bool) -> None:
    with Scripted([ok(body)]) as server, aimed(server.url) as aim:
        answer = aim.orbix.target("ACME").upsert_groups([grouping("G", PEOPLE[0])])
    assert isinstance(answer, Mismatch)
    assert answer.partly is partly


def test_a_grouping_named_without_any_reason_is_not_taken_as_accepted() -> None:
    groups = [grouping("G", PEOPLE[0]), grouping("H", PEOPLE[1])]
    body = '[{"groupName":"G","users":[],"errorMessage":""}]'
    with Scripted([ok(body)]) as server, aimed(server.url) as aim:
        answer = aim.orbix.target("ACME").upsert_groups(groups)
    assert answer == Accepted({groups[0].key: "named in the answer without a reason"})
