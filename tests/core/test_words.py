"""What the commands print: pure functions to lines."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosterd import words
from rosterd.core.plan import Tally

PLAIN = words.Paint(on=False)


def document(**more: Any) -> dict[str, Any]:
    kinds = {kind: Tally().document() for kind in words.KINDS}
    base = {
        "outcome": "done",
        "exit_code": 0,
        "reason": None,
        "requests": 0,
        "plan": "d" * 64,
        "problems": [],
    }
    return {**base, "warnings": {}, **kinds, **more}


@given(st.text())
def test_fault_99_whatever_a_directory_holds_cannot_steer_a_terminal(text: str) -> None:
    shown = words.safe(text)
    assert shown.isprintable()
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in shown)
    if text.isprintable():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"), [("a\x1b[31m", "a\\u001b[31m"), ("a\u202eb", "a\\u202eb"), ("é", "é")]
)
def test_control_characters_are_made_visible(text: str, shown: str) -> None:
    assert words.safe(text) == shown


def test_colours_are_for_terminals_only() -> None:
    assert PLAIN.bad("x") == "x"
    assert words.Paint(on=True).bad("x") == "\x1b[31mx\x1b[0m"


def test_tables_are_aligned() -> None:
    lines = list(words.table([["", "read"], ["people", 1_200], ["seats", 7]]))
    assert lines == ["           read", "  people  1,200", "  seats       7"]


def test_buckets_that_are_empty_are_left_out() -> None:
    counts = Tally(read=3, created=2, refused=1).document()
    lines = list(words.counts(document(people=counts), PLAIN))
    assert lines[0].split() == ["read", "created", "updated", "unchanged", "refused"]
    assert lines[1].split() == ["people", "3", "2", "0", "0", "1"]
    assert len(lines) == 2


def test_a_run_that_did_nothing() -> None:
    lines = list(words.run_lines("acme", document(), PLAIN))
    assert lines[0] == "acme: done, 0 requests"


@pytest.mark.parametrize(
    ("requests", "said"), [(1, "1 request"), (2, "2 requests"), (1_000, "1,000 requests")]
)
def test_numbers_and_words_agree(requests: int, said: str) -> None:
    assert next(words.run_lines("acme", document(requests=requests), PLAIN)).endswith(said)


def test_a_held_run_says_how_to_go_on() -> None:
    held = document(
        outcome="held", exit_code=4, reason="leavers: 2 of 5 people would leave (limit 10 % or 50)"
    )
    text = "\n".join(words.run_lines("acme", held, PLAIN))
    assert "leavers: 2 of 5 people" in text
    assert "rosterd plan --customer acme" in text
    assert "rosterd approve dddddddddddd" in text


def test_problems_are_told_with_reason_and_place_and_the_list_is_cut() -> None:
    problem = {
        "kind": "person", "key": "NDD//a\x1bb", "bucket": "set_aside", "reason": "has no logon", "where": "line 7",
        "new": True,
    }  # fmt: skip
    text = "\n".join(words.run_lines("acme", document(problems=[problem]), PLAIN))
    assert "NDD//a\\u001bb: has no logon (line 7)" in text
    many = [{**problem, "key": f"NDD//p{n}", "new": n >= 5} for n in range(35)]
    text = "\n".join(words.run_lines("acme", document(problems=many), PLAIN))
    assert text.count("NDD//p") == 20 and "10 more" in text
    assert "NDD//p4:" not in text and "as told before: 5 " in text, "what was told is only counted"


def test_changes_as_before_and_after() -> None:
    before = {"domain": "NDD", "logon": "ana", "name": "Ana"}
    changes: list[dict[str, Any]] = [
        {
            "op": "create",
            "kind": "person",
            "key": "NDD//bob",
            "before": None,
            "after": {**before, "name": "B\nob"},
        },
        {
            "op": "update",
            "kind": "person",
            "key": "NDD//ana",
            "before": before,
            "after": {**before, "name": "Eva"},
        },
        {"op": "gone", "kind": "person", "key": "NDD//old", "before": before, "after": None},
    ]
    created, updated, gone = words.change_lines(changes, PLAIN)
    assert created.startswith("  + person") and "\n" not in created
    assert "'Ana' → 'Eva'" in updated
    assert gone.split() == ["-", "person", "NDD//old"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_how_long_ago(seconds: float, said: str) -> None:
    assert words.ago(seconds) == said


def test_a_listing_fits_its_terminal() -> None:
    """As long as no single word is wider."""
    rows = [
        ("setting", "value", "from"),
        ("orbix.base_url", "word " * 30, "rosterd.toml"),
        ("x", "", "default"),
    ]
    assert list(words.listing(rows, None)) == list(words.columns(rows, indent=""))
    for width in (30, 60, 80):
        lines = list(words.listing(rows, width))
        assert max(map(len, lines)) <= width and lines[0] == "orbix.base_url" and "  from: default" in lines
    assert list(words.listing(rows, 200)) == list(words.listing(rows, None))
