"""Settings of Autodesk and of shared 3D printers: what is refused, what stays hidden, what they say when left out."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.core.settings_kit import SMALL, loaded, refusal

from rosterd import assemble
from rosterd.settings import shown

TABLE = SMALL + '[customers.acme.autodesk]\nclient_id = "x"\n'
ACCOUNT = TABLE + '[customers.acme.autodesk.service_account]\nid = "a"\nkey_id = "k"\n'


def test_the_defaults_ask_for_nothing_unusual(tmp_path: Path) -> None:
    found = loaded(tmp_path, TABLE).settings.customers["acme"].autodesk
    assert found is not None
    assert found.base_url == "https://developer.api.autodesk.com"
    assert found.redirect_url == "http://localhost:8910/callback"
    assert (found.region, found.service_account, found.client_secret) == (None, None, None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('client_id = "a:b"', "autodesk.client_id: is not a client id"),
        (
            'client_id = "x"\nredirect_url = "http://acme.example/cb"',
            "redirect_url: must begin with https://",
        ),
        ('client_id = "x"\nredirect_url = "https://acme.example/cb?x"', "redirect_url: must not contain"),
        ('client_id = "x"\nregion = "MARS"', 'region: must be "US", "EMEA" or "AUS"'),
        ('client_id = "x"\nbase_url = "http://acme.example"', "base_url: must begin with https://"),
        ('client_id = "x"\ntwins = ["../x"]', "twins: names something with"),
        ('client_id = "x"\napplications = ["a", "a"]', "applications: names something twice"),
        ('client_id = "x"\nattempts = 0', "attempts: must be at least 1"),
        ('client_id = "x"\ntwins = "a"', "twins: must be a list"),
        ('client_id = "x"\ntwins = [1]', "twins: has something that is neither an id nor {"),
        ('client_id = "x"\ntwins = [{ name = "A" }]', "twins: has something that is neither an id nor {"),
        ('client_id = "x"\ntwins = [{ id = "a", nam = "A" }]', "twins: has something that is neither"),
        ('client_id = "x"\ntwins = [{ id = "a", name = " " }]', "twins.0.name: is empty"),
        ('client_id = "x"\ntwins = [{ id = "a", name = 7 }]', "twins.0.name: must be a text"),
        ('client_id = "x"\ntwins = ["a", { id = "a", name = "A" }]', "twins: names something twice"),
        ('client_id = "x"\ntwins = ["a", { id = "b", name = "A" }]', "twins: gives two places the same name"),
    ],
)
def test_what_is_refused(tmp_path: Path, line: str, said: str) -> None:
    assert said in refusal(tmp_path, SMALL + f"[customers.acme.autodesk]\n{line}\n")


def test_fault_100_printers_without_an_address_of_their_own_end_2(tmp_path: Path) -> None:
    """refusal() sees to the exit code. The public service closed on 2017-01-15."""
    said = refusal(tmp_path, TABLE + "[customers.acme.printers.registrations.874]\ngroup = '3D'\n")
    assert "printers.base_url: is missing: the public 3D-print service closed on 2017-01-15" in said


def test_a_service_account_needs_a_key_and_hides_it(tmp_path: Path) -> None:
    assert "has no key: set key_file or private_key" in refusal(tmp_path, ACCOUNT)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "customers__acme__autodesk__service_account__private_key").write_text(
        "-----BEGIN-----\ncanary\n-----END-----\n"
    )
    result = loaded(tmp_path, ACCOUNT, {"ROSTERD_SECRETS_DIR": str(secrets)})
    assert "canary" not in f"{shown(result)}{result.settings!r}"
    autodesk = result.settings.customers["acme"].autodesk
    assert autodesk is not None
    assert autodesk.service_account is not None
    assert autodesk.service_account.private_key is not None
    assert autodesk.service_account.private_key.get_secret_value().count("\n") == 2
    assert autodesk.service_account.scopes == ("data:read",)


def test_the_key_s_file_is_relative_to_the_settings(tmp_path: Path) -> None:
    autodesk = loaded(tmp_path, ACCOUNT + 'key_file = "sa.pem"\n').settings.customers["acme"].autodesk
    assert autodesk is not None
    assert autodesk.service_account is not None
    assert autodesk.service_account.key_file == tmp_path / "sa.pem"


NAMED = TABLE + 'applications = ["a", { id = "b", name = "Portal" }]\ntwins = [{ id = "urn:x" }]\n'
PRINTERS = """
[customers.acme.printers]
base_url = "https://p.example"
[customers.acme.printers.registrations.874]
group = "3D"
name = "Workshop"
[customers.acme.printers.registrations.875]
group = "3D"
"""


def test_places_may_have_names(tmp_path: Path) -> None:
    """Ids alone are accepted as ever, beside them."""
    result = loaded(tmp_path, NAMED + PRINTERS)
    customer = result.settings.customers["acme"]
    assert customer.autodesk is not None
    assert customer.autodesk.applications == (("a", "a"), ("b", "Portal"))
    assert customer.autodesk.twins == (("urn:x", "urn:x"),)
    told = {setting: value for setting, value, _ in shown(result)}
    assert told["customers.acme.autodesk.applications"] == '["a", {"id": "b", "name": "Portal"}]'
    assert told["customers.acme.autodesk.twins"] == '["urn:x"]'
    job = assemble.job("acme", customer, result.settings, threading.Event(), None)
    assert (job.printers, job.printer_names) == ((("874", "3D"), ("875", "3D")), {"874": "Workshop"})
    again = PRINTERS.replace('"Workshop"', '"875"')
    assert "printers: gives two places the same name" in refusal(tmp_path, NAMED + again)


def test_the_environment_may_name_places(tmp_path: Path) -> None:
    given = {"ROSTERD_CUSTOMERS__ACME__AUTODESK__TWINS": '["a", {"id": "b", "name": "B"}]'}
    found = loaded(tmp_path, NAMED, given).settings.customers["acme"].autodesk
    assert found is not None
    assert found.twins == (("a", "a"), ("b", "B"))
