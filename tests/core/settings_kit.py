"""Settings to start from in tests: a small whole document, and what makes of it a file that is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rosterd.errors import SettingsError
from rosterd.settings import Loaded, load

ORBIX = """
[orbix]
base_url = "https://orbix.example.com/api"
token_url = "https://auth.example.com/token"
tenant = "provider-one"
client_id = "an-id"
client_secret = "canary-orbix"
"""
ACME = """
[customers.acme]
client = "ACME"
[customers.acme.sources.hr]
kind = "csv"
path = "people.csv"
[customers.acme.sources.hr.people]
logon = "{{ logon }}"
domain = "NDD"
"""
# The body of a customer's file, or what stands under [customers.NAME].
BODY = """
client = "CLIENT"
[sources.hr]
kind = "csv"
path = "people.csv"
[sources.hr.people]
logon = "{{ logon }}"
domain = "NDD"
"""
LDAP = """
[customers.acme.sources.hq]
kind = "ldap"
urls = ["ldaps://dc1.example.com"]
base = "DC=acme,DC=example"
[customers.acme.sources.hq.people]
logon = "{{ uid }}"
domain = "ACME"
"""
SMALL = ORBIX + ACME


def write(directory: Path, text: str) -> Path:
    """The text as rosterd.toml, readable by its owner alone."""
    path = directory / "rosterd.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def loaded(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> Loaded:
    return load(write(directory, text), environ or {})


def refusal(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    """What a person reads about wrong settings. It holds no canary, nor does what the error carries."""
    with pytest.raises(SettingsError) as caught:
        loaded(directory, text, environ)
    error = caught.value
    assert error.exit_code == 2
    assert error.hint
    assert error.__cause__ is None
    assert error.__context__ is None
    message = f"{error}\n{error!r}"
    assert "canary" not in message
    return str(error)


def changed(text: str, old: str, new: str) -> str:
    """The text with one part, which must be there, replaced."""
    assert old in text
    return text.replace(old, new)
