"""Every verb: its help, its options, where the settings come from, what it says when they are wrong."""

from __future__ import annotations

import json

import pytest
from tests.cli.kit import SECRET, Office

VERBS: dict[str, tuple[str, ...]] = {
    "demo": (),
    "init": ("--template",),
    "sandbox": ("--port",),
    "check": ("--customer", "--json"),
    "plan": ("--customer", "--only", "--json", "--out", "--check"),
    "run": ("--once", "--customer", "--only", "--dry-run", "--yes", "--json"),
    "approve": ("--all", "--now"),
    "status": ("--json",),
    "leavers": ("--format", "--done"),
    "pause": ("--reason",),
    "resume": (),
    "ledger backup": (),
    "ledger verify": (),
    "settings sample": (),
    "settings schema": (),
    "settings show": (),
}
COMMON = ("--config", "--log-format", "-v", "-q")
WIDE = {"COLUMNS": "200"}


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb(office: Office, verb: str) -> None:
    office.config.unlink()
    for flag in ("--help", "-h"):
        result = office.do(*verb.split(), flag, env=WIDE)
        assert result.code == 0 and result.err == "", result.said
        missing = [option for option in (*VERBS[verb], *COMMON) if option not in result.out]
        assert not missing, result.out


def test_help_names_every_verb_and_code(office: Office) -> None:
    result = office.process("--help", env=WIDE)
    assert result.code == 0 and result.err == ""
    assert all(verb.split()[0] in result.out for verb in VERBS)
    text = " ".join(result.out.split())
    for code in ("0 done", "1 unexpected", "2 usage", "3 done, but", "4 held", "5 a source", "6 a target"):
        assert code in text
    for code in ("7 another run", "8 the ledger", "9 sign-in", "10 "):
        assert code in text


def test_help_says_where_settings_are_looked_for(office: Office) -> None:
    text = " ".join(office.do("run", "--help", env=WIDE).out.split())
    assert "ROSTERD_CONFIG" in text and "rosterd.toml" in text


@pytest.mark.parametrize(
    "line",
    [
        ("runn",),
        ("run", "--onse"),
        ("leavers", "extra"),
        ("ledger",),
        ("ledger", "restore"),
        ("run", "--log-format", "xml"),
    ],
)
def test_usage_errors(office: Office, line: tuple[str, ...]) -> None:
    result = office.do(*line, bare=True)
    assert result.code == 2 and result.said.strip()


def test_nothing_given_shows_the_help(office: Office) -> None:
    result = office.process()
    assert "status" in result.said and "Traceback" not in result.said


def test_version(office: Office) -> None:
    assert office.process("--version").out.startswith("rosterd 0.")


# Where the settings come from


def test_common_options_before_and_after_the_verb(office: Office) -> None:
    config = str(office.config)
    for line in (
        ("--config", config, "status"),
        ("status", "--config", config),
        ("-q", "status", "--config", config),
    ):
        assert office.do(*line, bare=True, env={"ROSTERD_CONFIG": "/nowhere"}).code == 10, line
    result = office.do("--log-format", "json", "-v", "run", "--once", "--json")
    assert result.code == 0
    assert all(json.loads(line) for line in result.err.splitlines())


def test_the_environment_names_the_settings(office: Office) -> None:
    elsewhere = office.directory / "elsewhere"
    elsewhere.mkdir()
    assert office.process("run", "--once", "--json", cwd=elsewhere).code == 0
    assert len(office.users()) == 5, "paths are relative to the settings file"
    assert list(elsewhere.iterdir()) == []


def test_settings_in_the_working_directory(office: Office) -> None:
    assert office.process("run", "--once", env={"ROSTERD_CONFIG": ""}).code == 0


def test_no_settings_at_all(office: Office) -> None:
    office.config.unlink()
    result = office.process("run", "--once", env={"ROSTERD_CONFIG": ""})
    assert result.code == 2 and "rosterd.toml" in result.err and "next:" in result.err
    assert "settings sample" in result.err, "the next step is to make one"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[orbix\n", ("rosterd.toml:1",)),
        ("[orbix]\nbase_ulr = 1\n", ("base_ulr", "base_url")),
        ("[orbix]\nclient_secret = 7\n", ("client_secret",)),
        ("", ("orbix",)),
        ('[orbix]\nbase_url = "http://orbix.example.com"\n', ("base_url", "https")),
    ],
)
def test_wrong_settings(office: Office, text: str, words: tuple[str, ...]) -> None:
    office.config.write_text(text, encoding="utf-8")
    for line in (("run", "--once"), ("plan",), ("status",), ("settings", "show")):
        result = office.do(*line)
        assert result.code == 2 and result.out == "", result.said
        assert all(word in result.err for word in words), result.err
        assert str(office.config) in result.err


def test_settings_that_cannot_be_read(office: Office) -> None:
    (office.directory / "a.toml").mkdir()
    for path in ("a.toml", "none.toml"):
        result = office.do("status", "--config", path, bare=True)
        assert result.code == 2 and path in result.err, result.said
    office.config.write_bytes(b"\xff\xfe\x00")
    assert office.do("status").code == 2


def test_a_run_says_nothing_on_stdout_when_settings_are_wrong(office: Office) -> None:
    office.set(orbix={"tenannt": "x"})
    result = office.do("run", "--once", "--json")
    assert result.code == 2 and result.out == "" and "tenant" in result.err


def test_secrets_from_files_and_environment(office: Office) -> None:
    secrets = office.directory / "secrets"
    secrets.mkdir(mode=0o700)
    office.set(orbix={"client_secret": "wrong"})
    assert office.do("run", "--once").code == 9
    (secrets / "orbix__client_secret").write_text(SECRET + "\n", encoding="utf-8")
    for name in ("CREDENTIALS_DIRECTORY", "ROSTERD_SECRETS_DIR"):
        assert office.do("check", env={name: str(secrets)}).code == 0, name
    assert office.do("check", env={"ROSTERD_ORBIX__CLIENT_SECRET": SECRET}).code == 0


def test_settings_sample_schema_show(office: Office) -> None:
    sample = office.do("settings", "sample")
    assert sample.code == 0 and "[orbix]" in sample.out and "[customers." in sample.out
    schema = office.do("settings", "schema")
    assert schema.code == 0 and schema.document["type"] == "object"
    text, document = office.do("settings", "show"), office.do("settings", "show", "--json")
    assert text.code == document.code == 0
    assert "customers.acme.client" in text.out and "***" in text.out and "rosterd.toml" in text.out
    assert document.document["schema"] == "rosterd/settings/1"
    assert document.document["settings"]["orbix.client_secret"]["value"] != SECRET
