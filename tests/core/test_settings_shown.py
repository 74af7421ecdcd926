"""What is shown of settings: the sample, the schema for editors, and the merged settings."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.core.settings_kit import LDAP, SMALL, loaded, write

from rosterd.fields import seconds, shown_duration, shown_size, size
from rosterd.settings import load, sample, schema, shown

CONFIG = Path(__file__).parents[2] / "config"


def test_the_sample_on_disk_is_in_step() -> None:
    assert (CONFIG / "rosterd.sample.toml").read_text(encoding="utf-8") == sample(), (
        "rosterd settings sample > config/rosterd.sample.toml"
    )


def test_the_schema_on_disk_is_in_step() -> None:
    assert json.loads((CONFIG / "rosterd.schema.json").read_text(encoding="utf-8")) == schema(), (
        "rosterd settings schema > config/rosterd.schema.json"
    )


def test_the_sample_is_accepted_as_it_stands(tmp_path: Path) -> None:
    result = load(write(tmp_path, sample()), {})
    assert list(result.settings.customers["acme"].sources) == ["hr"]
    assert result.warnings == ()


def switched_on(text: str, *without: str) -> str:
    """The sample with every commented setting on, but for those named."""
    lines = [re.sub(r"^#(?=[\[a-z])", "", line) for line in text.splitlines()]
    return "\n".join([line for line in lines if not line.startswith(without)])


def test_the_sample_is_accepted_with_every_setting_on(tmp_path: Path) -> None:
    (tmp_path / "customers.d").mkdir()
    # Groups come from a table of their own in the sample; a customer's attribute is the other way.
    acme = load(write(tmp_path, switched_on(sample(), "groups =")), {}).settings.customers["acme"]
    assert list(acme.sources) == ["hr", "hq"]
    assert acme.autodesk is not None
    assert acme.printers is not None


def test_the_sample_shows_every_setting() -> None:
    """Each key of every table that the schema knows stands in the sample."""
    tree = tomllib.loads(switched_on(sample()))
    known = schema()
    missing = list(unshown(tree, known, known["$defs"]))
    # Only a part of each guard is shown, as people will write them.
    assert [path for path in missing if not re.search(r"\.guards\.|max_length", path)] == []


def unshown(tree: Any, place: dict[str, Any], defs: dict[str, Any], path: str = "") -> Iterator[str]:
    if "oneOf" in place:
        place = next(
            defs[name(option)] for option in place["oneOf"] if kind(defs[name(option)]) == tree["kind"]
        )
    if "$ref" in place:
        place = defs[name(place)]
    for below in place.get("patternProperties", {}).values():
        for key, value in tree.items():
            yield from unshown(value, below, defs, f"{path}.{key}")
    for key, below in place.get("properties", {}).items():
        if key not in tree:
            yield f"{path}.{key}"
        else:
            yield from unshown(tree[key], below, defs, f"{path}.{key}")


def name(place: dict[str, Any]) -> str:
    return str(place["$ref"]).rsplit("/", 1)[1]


def kind(model: dict[str, Any]) -> object:
    return model["properties"]["kind"]["const"]


def test_the_defaults_of_the_sample_are_the_defaults(tmp_path: Path) -> None:
    """Switched on, a setting that shows its default changes nothing."""
    off = load(write(tmp_path, sample()), {}).settings
    on = load(
        write(tmp_path, switched_on(sample(), "groups =", "customers_dir", "proxy", "ca_file")), {}
    ).settings
    assert on.orbix == off.orbix
    assert (on.ledger, on.reports) == (off.ledger, off.reports)
    assert on.customers["acme"].guards == off.customers["acme"].guards


def test_everything_in_the_schema_is_explained() -> None:
    made = schema()
    for model in (made, *made["$defs"].values()):
        for key, setting in model["properties"].items():
            assert setting["description"], key
            assert setting["description"].endswith((".", '".')), key


def test_the_schema_leaves_out_what_may_come_from_elsewhere() -> None:
    made = schema()
    assert made["required"] == ["orbix"]
    assert "client_secret" not in made["$defs"]["OrbixSettings"]["required"]
    assert "tenant" in made["$defs"]["OrbixSettings"]["required"]
    assert made["$defs"]["CsvSettings"]["required"][0] == "kind"
    assert made["$defs"]["LdapSettings"]["properties"]["deadline"]["default"] == "10m"
    assert (
        made["$defs"]["LedgerSettings"]["properties"]["url"]["pattern"] == "^(sqlite:///.+|postgresql://.+)$"
    )
    assert '"null"' not in json.dumps(made)


def test_the_merged_settings(tmp_path: Path) -> None:
    text = SMALL + LDAP + "max_length = 20\n[console]\n"
    rows = {
        path: (value, origin)
        for path, value, origin in shown(loaded(tmp_path, text, {"ROSTERD_ORBIX__TIMEOUT": "90s"}))
    }
    assert rows["orbix.timeout"] == ("90s", "environment ROSTERD_ORBIX__TIMEOUT")
    assert rows["orbix.tenant"] == ("provider-one", "rosterd.toml")
    assert rows["orbix.client_secret"] == ("********", "rosterd.toml")
    assert rows["orbix.max_answer"] == ("16 MiB", "default")
    assert rows["orbix.ca_file"] == ("not set", "default")
    assert rows["console.listen"] == ("127.0.0.1:8321", "default")
    assert rows["ledger.url"] == (f"sqlite:///{tmp_path}/ledger.db", "default")
    assert rows["customers.acme.sources.hr.path"] == (f"{tmp_path}/people.csv", "rosterd.toml")
    assert rows["customers.acme.sources.hq.start_tls"] == ("false", "default")
    assert rows["customers.acme.sources.hq.people.max_length.name"] == ("20", "rosterd.toml")
    assert rows["customers.acme.sources.hq.urls"] == ('["ldaps://dc1.example.com"]', "rosterd.toml")
    assert rows["customers.acme.retry_refused_after"] == ("7d", "default")
    assert rows["customers.acme.guards.leavers.percent"] == ("10", "default")


def test_what_would_disturb_a_terminal_is_escaped(tmp_path: Path) -> None:
    rows = shown(loaded(tmp_path, SMALL.replace('"NDD"', '"N\\u001b[31mD"')))
    assert ("customers.acme.sources.hr.people.domain", '"N\\u001b[31mD"', "rosterd.toml") in rows


@pytest.mark.parametrize("text", ["500ms", "2s", "90s", "10m", "1h", "7d", "0s", "1ms", "1500ms"])
def test_durations_are_shown_as_they_are_written(text: str) -> None:
    assert shown_duration(seconds(text)) == text


@pytest.mark.parametrize("text", ["1 B", "1000 B", "64 KiB", "16 MiB", "2 GiB"])
def test_sizes_are_shown_as_they_are_written(text: str) -> None:
    assert shown_size(size(text)) == text
