"""Settings given one by one, as secret files and in the environment: names, order, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.core.settings_kit import BODY, LDAP, ORBIX, SMALL, changed, loaded, refusal

from rosterd.settings import shown
from rosterd.sources.settings import CsvSettings, LdapSettings

BOUND = SMALL + LDAP.replace("base =", 'bind_dn = "CN=reader"\nbase =')
SECRET = 'client_secret = "canary-orbix"\n'


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    directory = tmp_path / "secrets"
    directory.mkdir()
    return directory


# Secret files


@pytest.mark.parametrize("variable", ["CREDENTIALS_DIRECTORY", "ROSTERD_SECRETS_DIR"])
@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_file(tmp_path: Path, secrets: Path, variable: str, ending: str) -> None:
    file = secrets / "orbix__client_secret"
    file.write_bytes(b" from a file " + ending.encode())
    result = loaded(tmp_path, changed(SMALL, SECRET, ""), {variable: str(secrets)})
    assert result.settings.orbix.client_secret.get_secret_value() == " from a file "
    assert result.origin(("orbix", "client_secret")) == f"secret file {file}"


def test_what_is_missing_is_missing_in_a_settings_file(tmp_path: Path, secrets: Path) -> None:
    """Not in the secret file, although that is all there is of its table."""
    (secrets / "orbix__client_secret").write_text("canary")
    given = {"ROSTERD_SECRETS_DIR": str(secrets), "ROSTERD_ORBIX__CLIENT_ID": "id"}
    said = refusal(tmp_path, changed(SMALL, "[orbix]", "[orbx]"), given)
    assert "rosterd.toml: orbix.tenant: is missing" in said


def test_only_one_line_break_is_taken_off(tmp_path: Path, secrets: Path) -> None:
    (secrets / "orbix__client_secret").write_text("canary\n\n")
    said = refusal(tmp_path, SMALL, {"ROSTERD_SECRETS_DIR": str(secrets)})
    assert "orbix.client_secret: contains a control character or line break" in said
    assert str(secrets / "orbix__client_secret") in said


def test_a_secret_deep_in_the_tree(tmp_path: Path, secrets: Path) -> None:
    (secrets / "customers__acme__sources__hq__bind_password").write_text("from a file\n")
    hq = (
        loaded(tmp_path, BOUND, {"CREDENTIALS_DIRECTORY": str(secrets)})
        .settings.customers["acme"]
        .sources["hq"]
    )
    assert isinstance(hq, LdapSettings)
    assert hq.bind_password is not None
    assert hq.bind_password.get_secret_value() == "from a file"


def test_secret_files_may_be_links(tmp_path: Path, secrets: Path) -> None:
    """As Kubernetes mounts them: a link to a link, to a file elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "orbix__client_secret").write_text("linked")
    (secrets / "..data").symlink_to(elsewhere)
    (secrets / "orbix__client_secret").symlink_to("..data/orbix__client_secret")
    settings = loaded(tmp_path, SMALL, {"ROSTERD_SECRETS_DIR": str(secrets)}).settings
    assert settings.orbix.client_secret.get_secret_value() == "linked"


def test_the_order_is_file_then_secret_files_then_environment(tmp_path: Path, secrets: Path) -> None:
    systemd = tmp_path / "systemd"
    systemd.mkdir()
    environ: dict[str, str] = {}

    def secret() -> str:
        return loaded(tmp_path, SMALL, environ).settings.orbix.client_secret.get_secret_value()

    assert secret() == "canary-orbix"
    (systemd / "orbix__client_secret").write_text("from systemd")
    environ["CREDENTIALS_DIRECTORY"] = str(systemd)
    assert secret() == "from systemd"
    (secrets / "orbix__client_secret").write_text("from docker")
    environ["ROSTERD_SECRETS_DIR"] = str(secrets)
    assert secret() == "from docker"
    environ["ROSTERD_ORBIX__CLIENT_SECRET"] = "from the environment"
    assert secret() == "from the environment"


def test_files_that_are_no_settings_are_left_alone(tmp_path: Path, secrets: Path) -> None:
    for name in ("db_password", "orbix", ".orbix__x", "smtp__password", "..data"):
        (secrets / name).write_text("x")
    loaded(tmp_path, SMALL, {"ROSTERD_SECRETS_DIR": str(secrets)})


def test_files_that_look_like_settings_but_are_none(tmp_path: Path, secrets: Path) -> None:
    (secrets / "orbix__client_secrt").write_text("canary")
    (secrets / "customers__acne__sources__hq__bind_password").write_text("canary")
    said = refusal(tmp_path, SMALL, {"ROSTERD_SECRETS_DIR": str(secrets)})
    assert 'orbix__client_secrt: is not a setting; did you mean "orbix__client_secret"?' in said
    assert "customers__acne__sources__hq__bind_password: is not a setting" in said


def test_secret_files_that_cannot_be_read(tmp_path: Path, secrets: Path) -> None:
    (secrets / "orbix__client_secret").mkdir()
    os.mkfifo(secrets / "orbix__client_id")
    (secrets / "orbix__tenant").write_bytes(b"canary \xff")
    (secrets / "orbix__scope").write_text("canary" * 20_000)
    (secrets / "orbix__base_url").symlink_to(tmp_path / "nowhere")
    said = refusal(
        tmp_path, SMALL, {"ROSTERD_SECRETS_DIR": str(secrets), "CREDENTIALS_DIRECTORY": "/nowhere"}
    )
    assert "orbix__client_secret: is not a file" in said
    assert "orbix__client_id: is not a file" in said
    assert "orbix__tenant: is not UTF-8" in said
    assert "orbix__scope: is longer than 64 KiB" in said
    assert "orbix__base_url: cannot be read: No such file" in said
    assert "CREDENTIALS_DIRECTORY: /nowhere: cannot be read" in said


# The environment


def test_values_of_every_kind(tmp_path: Path) -> None:
    environ = {
        "ROSTERD_ORBIX__CONCURRENCY": "4",
        "ROSTERD_ORBIX__TIMEOUT": "90s",
        "ROSTERD_ORBIX__REQUESTS_PER_SECOND": "2.5",
        "ROSTERD_REPORTS__FORMATS": '["json", "text"]',
        "ROSTERD_LEDGER__URL": "sqlite:///state/ledger.db",
        "ROSTERD_CUSTOMERS__ACME__SOURCES__HR__PATH": "other.csv",
        "ROSTERD_CUSTOMERS__ACME__SOURCES__HR__SHARED": "true",
        "ROSTERD_CUSTOMERS__ACME__SOURCES__HR__PEOPLE__NAME": "{{ cn }}",
        "ROSTERD_CUSTOMERS__ACME__SOURCES__HR__PEOPLE__EMAIL": '["{{ mail }}", "{{ other }}"]',
        "ROSTERD_CUSTOMERS__ACME__SOURCES__HR__PEOPLE__MAX_LENGTH": "20",
        "ROSTERD_CUSTOMERS__ACME__GUARDS__LEAVERS": '{"count": 3}',
        "ROSTERD_CUSTOMERS__ACME__GUARDS__CREATES__PERCENT": "5",
    }
    settings = loaded(tmp_path, SMALL, environ).settings
    acme = settings.customers["acme"]
    hr = acme.sources["hr"]
    assert isinstance(hr, CsvSettings)
    assert (settings.orbix.concurrency, settings.orbix.timeout) == (4, 90)
    assert settings.orbix.requests_per_second == 2.5
    assert settings.reports.formats == ("json", "text")
    assert settings.ledger.path == tmp_path / "state" / "ledger.db"
    assert (hr.path, hr.shared) == (tmp_path / "other.csv", True)
    assert (hr.people.name, hr.people.email) == (("{{ cn }}",), ("{{ mail }}", "{{ other }}"))
    assert hr.people.max_length.email == 20
    assert (acme.guards.leavers.count, acme.guards.leavers.percent) == (3, None)
    assert (acme.guards.creates.percent, acme.guards.creates.at_least) == (5, 1)


def test_one_value_of_a_table_leaves_the_others(tmp_path: Path) -> None:
    text = SMALL + "[customers.acme.guards]\nleavers = { percent = 10, count = 50 }\n"
    name = "ROSTERD_CUSTOMERS__ACME__GUARDS__LEAVERS__COUNT"
    result = loaded(tmp_path, text, {name: "3"})
    leavers = result.settings.customers["acme"].guards.leavers
    assert (leavers.percent, leavers.count) == (10, 3)
    path = ("customers", "acme", "guards", "leavers")
    assert result.origin((*path, "count")) == f"environment {name}"
    assert result.origin((*path, "percent")) == "rosterd.toml"
    assert result.origin((*path, "at_least")) == "default"


@pytest.mark.parametrize("name", ["ROSTERD_ORBIX__TENANT", "ROSTERD_orbix__tenant", "ROSTERD_Orbix__Tenant"])
def test_the_case_of_a_name_does_not_count(tmp_path: Path, name: str) -> None:
    assert loaded(tmp_path, SMALL, {name: "other"}).settings.orbix.tenant == "other"


def north(name: str) -> str:
    return (
        BODY.replace("CLIENT", name.replace("-", ""))
        .replace("[", f"[customers.{name}.")
        .replace("\nclient", f"\n[customers.{name}]\nclient", 1)
        .replace("people", f"people-{name}", 1)
    )


@pytest.mark.parametrize("name", ["ACME_NORTH", "ACME-NORTH", "acme_north"])
def test_a_customers_hyphen_may_be_an_underscore(tmp_path: Path, name: str) -> None:
    result = loaded(tmp_path, SMALL + north("acme-north"), {f"ROSTERD_CUSTOMERS__{name}__CLIENT": "North"})
    assert result.settings.customers["acme-north"].client == "North"
    assert result.settings.customers["acme"].client == "ACME"


def test_names_that_are_refused(tmp_path: Path) -> None:
    environ = {
        "ROSTERD_ORBIX__CLIENT_SECRT": "canary",
        "ROSTERD_ORBIX_TENANT": "canary",
        "ROSTERD_CUSTOMERS__ACNE__CLIENT": "canary",
        "ROSTERD_CUSTOMERS__ACME__SOURCES__HQ__BIND_PASSWORD": "canary",
        "ROSTERD_ORBIX__TENANT__DEEPER": "canary",
        "ROSTERD_": "canary",
        "ROSTERD_ZZZZZZ": "canary",
    }
    said = refusal(tmp_path, SMALL, environ)
    assert (
        'ROSTERD_ORBIX__CLIENT_SECRT: is not a setting; did you mean "ROSTERD_ORBIX__CLIENT_SECRET"?' in said
    )
    assert 'ROSTERD_ORBIX_TENANT: is not a setting; did you mean "ROSTERD_ORBIX__TENANT"?' in said
    assert (
        'ROSTERD_CUSTOMERS__ACNE__CLIENT: is not a setting; did you mean "ROSTERD_CUSTOMERS__ACME__CLIENT"'
        in said
    )
    assert "ROSTERD_CUSTOMERS__ACME__SOURCES__HQ__BIND_PASSWORD: is not a setting" in said
    assert "ROSTERD_ZZZZZZ: is not a setting; only settings files name customers and sources" in said
    assert said.count("is not a setting") == len(environ)


def test_names_that_are_not_ours_or_have_their_own_meaning(tmp_path: Path, secrets: Path) -> None:
    environ = {
        "PATH": "/bin",
        "ROSTERDX": "1",
        "ROSTERD_CONFIG": "elsewhere",
        "ROSTERD_SECRETS_DIR": str(secrets),
    }
    loaded(tmp_path, SMALL, environ)


def test_two_names_for_one_setting(tmp_path: Path) -> None:
    environ = {"ROSTERD_ORBIX__TENANT": "a", "ROSTERD_orbix__tenant": "b"}
    said = refusal(tmp_path, SMALL, environ)
    assert "environment ROSTERD_orbix__tenant: sets what ROSTERD_ORBIX__TENANT sets too" in said


def test_a_name_with_two_meanings(tmp_path: Path) -> None:
    text = (
        SMALL
        + """
[customers.acme.autodesk]
client_id = "x"
[customers.acme.printers]
base_url = "https://printers.example.com"
registrations = { x1 = { group = "a" }, X1 = { group = "b" } }
"""
    )
    said = refusal(tmp_path, text, {"ROSTERD_CUSTOMERS__ACME__PRINTERS__REGISTRATIONS__X1__GROUP": "c"})
    path = "customers.acme.printers.registrations"
    assert f"may mean {path}.x1.group or {path}.X1.group" in said


def test_lists_and_tables_are_json(tmp_path: Path) -> None:
    environ = {
        "ROSTERD_REPORTS__FORMATS": "[json]",
        "ROSTERD_ORBIX": "canary",
        "ROSTERD_CUSTOMERS__ACME__SOURCES__HR__PEOPLE__EXCLUDE": "svc-*",
    }
    said = refusal(tmp_path, SMALL, environ)
    assert "environment ROSTERD_REPORTS__FORMATS: is not JSON" in said
    assert "environment ROSTERD_ORBIX: is not JSON" in said
    assert "people.exclude: must be a list" in said


def test_what_is_wrong_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    said = refusal(tmp_path, SMALL, {"ROSTERD_ORBIX__CONCURRENCY": "canary"})
    assert "environment ROSTERD_ORBIX__CONCURRENCY: orbix.concurrency: must be a whole number" in said


def test_an_empty_variable_is_a_value(tmp_path: Path) -> None:
    said = refusal(tmp_path, SMALL, {"ROSTERD_ORBIX__CLIENT_SECRET": ""})
    assert "orbix.client_secret: is empty" in said


def test_secrets_of_every_kind_stay_hidden(tmp_path: Path, secrets: Path) -> None:
    """Wherever a secret comes from, nothing that shows settings shows it."""
    text = (
        BOUND
        + '[console]\ntoken = "canary-console-token"\n'
        + """
[customers.acme.autodesk]
client_id = "x"
client_secret = "canary-autodesk"
refresh_token = "canary-refresh"
proxy = "http://user:canary@proxy.example.com:3128"
"""
    )
    (secrets / "customers__acme__sources__hq__bind_password").write_text("canary-ldap\n")
    environ = {"ROSTERD_SECRETS_DIR": str(secrets), "ROSTERD_ORBIX__CLIENT_SECRET": "canary-environment"}
    result = loaded(tmp_path, text, environ)
    rows = shown(result)
    hidden = [path for path, value, _ in rows if value == "********"]
    assert hidden == [
        "console.token",
        "orbix.client_secret",
        "customers.acme.sources.hq.bind_password",
        "customers.acme.autodesk.proxy",
        "customers.acme.autodesk.client_secret",
        "customers.acme.autodesk.refresh_token",
    ]
    assert "canary" not in f"{rows}{result}{result.settings!s}{result.settings!r}{result.origins}"


def test_only_names_of_the_file_are_reached(tmp_path: Path) -> None:
    """The environment cannot make a customer up: who is delivered where stands in files."""
    assert "customers: is missing" in refusal(tmp_path, ORBIX, {"ROSTERD_CUSTOMERS__ACME__CLIENT": "ACME"})
