"""The report document: valid against its schema, the same streamed or built, and a digest of what matters in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.reports.kit import HOSTILE, MADE, SMALL, hostile, written

from rosterd.core.access import AccessReport, Finding, Grant, PersonRow, PlaceState
from rosterd.reports.json import digest, document, write, write_all

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "config" / "rosterd-report.schema.json").read_text(encoding="utf-8"))
texts = st.text(st.characters(), max_size=20)


def parsed(report: AccessReport) -> Any:
    return json.loads(written(write, report))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_a_small_report() -> None:
    found = parsed(SMALL)
    Draft202012Validator(SCHEMA).validate(found)
    assert (found["schema"], found["made"], list(found["customers"])) == ("rosterd/report/1", MADE, ["acme"])
    acme = found["customers"]["acme"]
    assert list(acme) == [
        "complete", "client", "sources", "people", "grants", "findings", "leavers", "changes", "trend", "counts",
    ]  # fmt: skip
    assert acme["complete"] is False
    assert acme["people"][0] == {
        "key": "NDD//bea.lima",
        "name": "Bea Lima",
        "emails": ["bea@acme.example", "b.lima@acme.example"],
        "directory": "active",
        "orbix": "delivered",
        "groups": ["Print-HQ", "Print-Lab"],
        "note": "",
    }
    assert acme["grants"][2] == {
        "person": None,
        "place": "Factory",
        "place_id": "urn:adsk.dtt:x1",
        "kind": "twin",
        "level": "View",
        "via": "Guests",
        "verdict": "stranger",
        "subject": "S9",
        "name": "Ana Sá",
        "email": "ana@elsewhere.example",
        "since": "",
        "matched": "",
        "possibly": "NDD//ana.sá",
    }
    assert acme["findings"][0]["person"] is None
    assert acme["findings"][1]["next_step"] == "Remove them."


def test_streamed_and_built_are_the_same_at_any_length() -> None:
    people = [PersonRow(f"A//p{n}", "x", (), "active", "delivered") for n in range(1_001)]
    for count in (0, 1, 499, 500, 501, 1_001):
        report = replace(SMALL, people=people[:count])
        assert parsed(report)["customers"]["acme"] == document(report)


def test_each_row_has_a_line() -> None:
    lines = written(write, SMALL).decode().splitlines()
    assert sum("NDD//bea.lima" in line for line in lines) == 2  # the person, and a grant
    assert len([line for line in lines if '"place_id"' in line]) == 3


def test_several_customers() -> None:
    out = BytesIO()
    write_all([SMALL, replace(SMALL, customer="beta"), replace(SMALL, customer="gamma")], MADE, out)
    found = json.loads(out.getvalue())
    Draft202012Validator(SCHEMA).validate(found)
    assert list(found["customers"]) == ["acme", "beta", "gamma"]
    none = BytesIO()
    write_all([], MADE, none)
    assert json.loads(none.getvalue()) == {"schema": "rosterd/report/1", "made": MADE, "customers": {}}


def test_hostile_texts_come_back_as_they_were_but_for_half_characters() -> None:
    names = [person["name"] for person in parsed(hostile())["customers"]["acme"]["people"]]
    whole = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in HOSTILE]
    assert len(names) >= 200
    assert names == whole


@given(st.lists(st.tuples(texts, texts, st.lists(texts, max_size=2))), texts)
def test_any_text_makes_a_valid_document(rows: list[tuple[str, str, list[str]]], client: str) -> None:
    people = [PersonRow(key, name, tuple(emails), "active", "never") for key, name, emails in rows]
    found = parsed(replace(SMALL, people=people, client=client))
    Draft202012Validator(SCHEMA).validate(found)
    assert len(found["customers"]["acme"]["people"]) == len(rows)


class Once:
    """Rows made anew for each pass, as a ledger's are."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)


def test_the_digest_is_over_what_is_said_not_over_when() -> None:
    first = digest(SMALL)
    later = "2027-01-01T00:00:00+00:00"
    whole, stale = SMALL.sources
    same = [
        replace(SMALL, made=later),
        replace(SMALL, changes=[], trend=[]),
        replace(SMALL, sources=[whole._replace(time=later), stale]),
        replace(SMALL, findings=[one._replace(first_seen=later) for one in SMALL.findings]),
        replace(SMALL, people=Once(list(SMALL.people)), grants=Once(list(SMALL.grants))),
        replace(SMALL, findings=tuple(SMALL.findings)),
    ]
    assert {digest(report) for report in same} == {first}


def changed() -> Iterator[Any]:
    whole, stale = SMALL.sources
    yield "client", replace(SMALL, client="OTHER")
    yield "complete", replace(SMALL, complete=True)
    yield "state", replace(SMALL, sources=[whole, stale._replace(state="never")])
    yield "stale time", replace(SMALL, sources=[whole, stale._replace(time=MADE)])
    yield "reason", replace(SMALL, sources=[whole, stale._replace(reason="gone")])
    for row, name in ((PersonRow, "people"), (Grant, "grants"), (Finding, "findings")):
        rows = list(getattr(SMALL, name))
        for field in row._fields:
            if field != "first_seen":
                value: Any = ("x",) if field in ("emails", "groups") else "other"
                other: dict[str, Any] = {name: [rows[0]._replace(**{field: value}), *rows[1:]]}
                yield f"{name} {field}", replace(SMALL, **other)
        fewer: dict[str, Any] = {name: rows[1:]}
        yield f"{name} fewer", replace(SMALL, **fewer)
    yield "leavers", replace(SMALL, leavers=[])


@pytest.mark.parametrize(
    ("what", "report"), list(changed()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_digest_notices(what: str, report: AccessReport) -> None:
    assert digest(report) != digest(SMALL)


def test_the_digest_tells_neighbouring_texts_and_lists_apart() -> None:
    def of(*emails: str, groups: tuple[str, ...] = ()) -> str:
        return digest(replace(SMALL, people=[PersonRow("k", "n", emails, "active", "never", groups)]))

    assert len({of("a", "b"), of("ab"), of("a,b"), of('a","b'), of("a", groups=("b",)), of(), of("")}) == 7
    assert digest(replace(SMALL, people=[PersonRow("\ud800", "", (), "", "")]))


def test_the_page_about_the_document_names_every_field_of_the_schema() -> None:
    page = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    for part in (SCHEMA, *SCHEMA["$defs"].values()):
        for name, field in part["properties"].items():
            assert f"| `{name}` | {field['description']} |" in page


def test_the_schema_has_the_fields_of_the_rows() -> None:
    parts = SCHEMA["$defs"]
    for name, row in (("source", PlaceState), ("person", PersonRow), ("grant", Grant), ("finding", Finding)):
        expected = set(row._fields)
        assert set(parts[name]["properties"]) == expected
