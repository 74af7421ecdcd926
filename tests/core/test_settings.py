"""Settings as a whole: the documented documents, where values come from, and what the refusals say."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from tests.core.settings_kit import ACME, BODY, LDAP, ORBIX, SMALL, changed, loaded, refusal, write

from rosterd.errors import SettingsError
from rosterd.settings import CustomerSettings, Limit, load
from rosterd.sources.settings import CsvSettings, LdapSettings

FIRST = """
[ledger]
url = "sqlite:///ledger.db"                # relative to this file; postgresql://… for several machines
[reports]
directory = "reports"
formats = ["html", "json", "csv", "xlsx"]
keep_days = 30
[console]
listen = "127.0.0.1:8321"                  # elsewhere than loopback only with a token
[orbix]
base_url = "https://developer.nddorbix.com/printqueue-external-integration-api"
token_url = "https://auth.nddorbix.com/connect/token"
scope = "nddsmart-printqueue-external-integration-api"
tenant = "provider-one"
client_id = "…"
client_secret = "…"                        # better: a secret file
concurrency = 2
requests_per_second = 5
membership = "unknown"                     # "additive" once the vendor confirmed it
[customers.acme]
client = "ACME"
schedule = "*/15 * * * *"
time_zone = "America/Sao_Paulo"
leavers = "report"                         # "synchronize": see FAULTS.md and reference/remote-apis.md
[customers.acme.sources.hr]
kind = "csv"
path = "people.csv"
[customers.acme.sources.hr.people]
logon = "{{ logon }}"
domain = "NDD"
name = "{{ name }}"
email = "{{ email }}"
[customers.acme.sources.hr.groups]         # a second file: one line per membership
path = "groups.csv"
name = "{{ group }}"
description = "{{ description }}"
member = "{{ logon }}"
"""
SECOND = """
[customers.acme.sources.hq]
kind = "ldap"
flavor = "active-directory"                # or openldap, 389ds, freeipa, custom: presets for what follows
urls = ["ldaps://dc1.acme.example", "ldaps://dc2.acme.example"]   # tried in order
bind_dn = "CN=rosterd,OU=Service,DC=acme,DC=example"
bind_password = "…"
ca_file = "acme-ca.pem"                    # default: the system's trust store
base = "DC=acme,DC=example"
[customers.acme.sources.hq.people]
filter = "(&(objectCategory=person)(objectClass=user))"
logon = "{{ sAMAccountName }}"
domain = "ACME"
name = ["{{ displayName }}", "{{ givenName }} {{ sn }}"]          # first that is not empty
email = "{{ mail | lower }}"
disabled = "exclude"
exclude = ["svc-*", "{{ employeeType == 'contractor' }}"]
repair = ["ascii", "lower"]                # João → joao in logons; default: none, such records are set aside
[customers.acme.sources.hq.groups]
filter = "(&(objectClass=group)(cn=Print-*))"
name = "{{ cn }}"
description = "{{ description }}"
members = "member"
nested = true
[customers.acme.guards]
first_run = "approve"                      # or "go": a customer's first delivery is irreversible, so someone looks at it first
leavers = { percent = 10, count = 50, at_least = 2 }
creates = { percent = 50, at_least = 20 }
updates = { percent = 30, at_least = 20 }
member_loss = { percent = 30, at_least = 5 }   # per grouping
blanked = { percent = 10, at_least = 5 }       # a field turning empty
registrations = { count = 20 }
[customers.acme.autodesk]
client_id = "…"
client_secret = "…"
refresh_token = "…"                        # bootstrap only; `rosterd sign-in` is the usual way
base_url = "https://developer.api.autodesk.com"
applications = ["<client id of an application whose collaborators are listed>"]
twins = ["urn:adsk.dtt:…"]
schedule = "0 6 * * *"
[customers.acme.printers]
base_url = "https://printers.acme.example"  # required: the public service is closed
[customers.acme.printers.registrations.874] # printer id
group = "3D-Printer-Users"
"""  # noqa: E501 -- the document as it stands


def test_the_first_document_is_accepted_as_it_stands(tmp_path: Path) -> None:
    settings = loaded(tmp_path, FIRST).settings
    assert settings.ledger.path == tmp_path / "ledger.db"
    assert settings.reports.directory == tmp_path / "reports"
    assert settings.orbix.client_secret.get_secret_value() == "…"
    assert settings.orbix.requests_per_second == 5
    hr = settings.customers["acme"].sources["hr"]
    assert isinstance(hr, CsvSettings)
    assert hr.path == tmp_path / "people.csv"
    assert hr.groups is not None
    assert hr.groups.path == tmp_path / "groups.csv"
    assert hr.people.name == ("{{ name }}",)


def check_second(acme: CustomerSettings, base: Path) -> None:
    hq = acme.sources["hq"]
    assert isinstance(hq, LdapSettings)
    assert hq.ca_file == base / "acme-ca.pem"
    assert hq.people.name == ("{{ displayName }}", "{{ givenName }} {{ sn }}")
    assert hq.groups is not None
    assert hq.groups.members == ("member",)
    assert hq.groups.nested
    assert acme.printers is not None
    assert acme.printers.registrations["874"].group == "3D-Printer-Users"


def test_the_second_document_continues_the_first(tmp_path: Path) -> None:
    check_second(loaded(tmp_path, FIRST + SECOND).settings.customers["acme"], tmp_path)


def test_both_documents_as_a_file_of_customers_dir(tmp_path: Path) -> None:
    main, customer = FIRST.split("[customers.acme]\n")
    body = (customer + SECOND).replace("[customers.acme.", "[")
    directory = tmp_path / "customers.d"
    directory.mkdir()
    (directory / "acme.toml").write_text(body, encoding="utf-8")
    result = loaded(tmp_path, 'customers_dir = "customers.d"\n' + main)
    acme = result.settings.customers["acme"]
    check_second(acme, directory)
    hr = acme.sources["hr"]
    assert isinstance(hr, CsvSettings)
    assert hr.path == directory / "people.csv"
    assert result.settings.ledger.path == tmp_path / "ledger.db"
    assert result.origin(("customers", "acme", "client")) == "customers.d/acme.toml"
    assert result.origin(("orbix", "tenant")) == "rosterd.toml"


def test_the_guards_of_the_second_document_are_the_defaults(tmp_path: Path) -> None:
    written = loaded(tmp_path, FIRST + SECOND).settings.customers["acme"].guards
    assert written == loaded(tmp_path, FIRST).settings.customers["acme"].guards
    assert written.leavers == Limit(percent=10, count=50, at_least=2)
    assert written.creates == Limit(percent=50, at_least=20)
    assert written.updates == Limit(percent=30, at_least=20)
    assert written.member_loss == Limit(percent=30, at_least=5)
    assert written.blanked == Limit(percent=10, at_least=5)
    assert written.registrations == Limit(count=20)


def test_a_guard_replaces_its_default_as_a_whole(tmp_path: Path) -> None:
    text = SMALL + "[customers.acme.guards]\nleavers = { count = 7 }\n"
    guards = loaded(tmp_path, text).settings.customers["acme"].guards
    assert guards.leavers == Limit(percent=None, count=7, at_least=1)
    assert guards.creates == Limit(percent=50, at_least=20)


def test_defaults(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SMALL).settings
    acme = settings.customers["acme"]
    assert settings.ledger.path == tmp_path / "ledger.db"
    assert settings.reports.directory == tmp_path / "reports"
    assert settings.console.listen == "127.0.0.1:8321"
    assert (settings.orbix.concurrency, settings.orbix.requests_per_second) == (2, 5)
    assert (settings.orbix.timeout, settings.orbix.attempts, settings.orbix.retry_after_cap) == (60, 5, 120)
    assert settings.orbix.max_answer == 16 * 1024 * 1024
    assert settings.orbix.membership == "unknown"
    assert (acme.schedule, acme.time_zone, acme.leavers) == ("*/15 * * * *", "UTC", "report")
    assert (acme.retry_refused_after, acme.approval_days, acme.precedence) == (7 * 86400, 7, ())
    people = acme.sources["hr"].people
    assert (people.disabled, people.shared_email, people.bad_email) == ("exclude", "warn", "omit")
    assert (people.repair, people.exclude, people.allowed_characters) == ((), (), "-_.")


# Where the file is looked for


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    assert load(None, {"ROSTERD_CONFIG": str(path)}).path == path


def test_the_working_directory_is_searched(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    with contextlib.chdir(tmp_path):
        result = load(None, {})
    assert result.settings.ledger.path == tmp_path / "ledger.db"


def test_a_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path), pytest.raises(SettingsError) as caught:
        load(None, {})
    assert "rosterd.toml and /etc/rosterd/rosterd.toml" in str(caught.value)
    assert "rosterd settings sample > rosterd.toml" in caught.value.hint
    with pytest.raises(SettingsError, match=r"other\.toml"):
        load(tmp_path / "other.toml", {})


def test_the_settings_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    path = write(tmp_path / "real", SMALL)
    (tmp_path / "rosterd.toml").symlink_to(path)
    assert load(tmp_path / "rosterd.toml", {}).settings.ledger.path == tmp_path / "ledger.db"


# Files that cannot be read


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[orbix\n", "rosterd.toml:1: is not TOML"),
        (b'\n\nbase = "x\n', "rosterd.toml:3: is not TOML"),
        (b"a = 1\na = 2\n", "rosterd.toml:2: is not TOML"),
        (b"a = [\n1,\n", "rosterd.toml:3: is not TOML"),
        (b'a = 1\nb = "caf\xe9"\n', "rosterd.toml:2: is not UTF-8 (offset 14)"),
        (b"a = " + b"9" * 5000, "beyond all measure"),
        (b"a = " + b"[" * 100_000, "beyond all measure"),
        (b"#" * (4 * 1024 * 1024 + 1), "longer than 4 MiB"),
    ],
)
def test_a_file_that_is_not_toml(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "rosterd.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        load(path, {})
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    cause = caught.value.__context__
    assert isinstance(cause, ValueError)
    assert cause.__context__ is None, "an error of the parser holds the file's text"


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    assert loaded(tmp_path, "\ufeff" + SMALL).settings.orbix.tenant == "provider-one"


def test_a_directory_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path, {})


# What a refusal says

SECRET = 'client_secret = "canary-orbix"'


def test_all_problems_are_listed(tmp_path: Path) -> None:
    text = changed(SMALL, 'tenant = "provider-one"\n', "concurency = 2\n")
    text = changed(text, 'client = "ACME"', 'client = "ACME"\nschedule = "hourly"\ntime_zone = "Mars/Base"')
    said = refusal(tmp_path, text)
    assert f"{tmp_path}/rosterd.toml: the settings have 4 problems:" in said
    assert "rosterd.toml: orbix.tenant: is missing" in said
    assert 'rosterd.toml: orbix.concurency: is not a setting; did you mean "concurrency"?' in said
    assert "rosterd.toml: customers.acme.schedule: is not a schedule" in said
    assert "rosterd.toml: customers.acme.time_zone: is not a time zone" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[orbix]", "[orbx]", 'orbx: is not a setting; did you mean "orbix"?'),
        ("[orbix]", "[orbx]", "orbix: is missing: add a table [orbix]"),
        ("path =", "paht =", 'customers.acme.sources.hr.paht: is not a setting; did you mean "path"?'),
        ("path =", "paht =", "customers.acme.sources.hr.path: is missing"),
        ("path =", "logon = 'x'\npath =", "hr.logon: is not a setting here; it belongs under people"),
        ('kind = "csv"\n', "", 'customers.acme.sources.hr: must say kind = "csv" or kind = "ldap"'),
        ('kind = "csv"', 'kind = "cvs"', 'customers.acme.sources.hr: must say kind = "csv" or kind = "ldap"'),
        ('kind = "csv"', "kind = 3", 'customers.acme.sources.hr: must say kind = "csv" or kind = "ldap"'),
        ("client =", "leavers = 'drop'\nclient =", 'leavers: must be "report" or "synchronize"'),
        ('client = "ACME"', "client = 3", "customers.acme.client: must be a text"),
        ("tenant =", "concurrency = 17\ntenant =", "orbix.concurrency: must be at most 16"),
        ("tenant =", "concurrency = 0\ntenant =", "orbix.concurrency: must be at least 1"),
        ("tenant =", 'concurrency = "x"\ntenant =', "orbix.concurrency: must be a whole number"),
        (SECRET, "", "secret file orbix__client_secret or the environment's ROSTERD_ORBIX__CLIENT_SECRET"),
        (SECRET, "client_secret = 7777777", "orbix.client_secret: must be a text"),
        (SECRET, 'client_secret = ["canary"]', "orbix.client_secret: must be a text"),
        (SECRET, 'client_secret = ""', "orbix.client_secret: is empty"),
        ("[customers.acme", "[customers.Acme", "customers.Acme: is not a name"),
        ("[customers.acme", '[customers."a b"', 'customers."a b": is not a name'),
        (SMALL, f"customers = 3\n{ORBIX}", "customers: must be a table"),
        (ACME, "[customers]", "customers: names no customer"),
        (ACME, "", "customers: is missing: add a table [customers.NAME], or customers_dir"),
        ("hr.people]", "hr.peoples]", 'peoples: is not a setting; did you mean "people"?'),
        ("[orbix]", "[ledger]\nurl = 3\n[orbix]", "ledger.url: must be a text"),
        ("[orbix]", 'ledger = "x"\n[orbix]', "ledger: must be a table"),
    ],
)  # fmt: skip
def test_sentences(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in refusal(tmp_path, changed(SMALL, old, new))


def test_a_wrong_secret_is_never_shown(tmp_path: Path) -> None:
    """Wrong in every way that a value can be wrong, and beside other mistakes."""
    for wrong in ('"canary\\u0000"', '["canary"]', "{ canary = 1 }", '"canary\\nsecond line"'):
        text = changed(
            SMALL, 'client_secret = "canary-orbix"', f"client_secret = {wrong}\nunknown = 'canary'"
        )
        refusal(tmp_path, text)
    refusal(tmp_path, SMALL + LDAP + 'bind_password = "canary-ldap"\n')
    refusal(
        tmp_path, changed(SMALL, "https://orbix.example.com/api", "https://user:canary@orbix.example.com")
    )
    refusal(tmp_path, '[ledger]\nurl = "postgresql://user:canary@db.example.com/x"\n' + SMALL)


# Customers


def two(first: str = "A", second: str = "B") -> str:
    """Two customers with files of their own."""
    text = ORBIX
    for name, client in (("one", first), ("two", second)):
        text += (
            BODY.replace("[", f"[customers.{name}.")
            .replace("CLIENT", client)
            .replace("\nclient", f"[customers.{name}]\nclient", 1)
            .replace("people.csv", f"{name}.csv")
        )
    return text


def test_several_customers(tmp_path: Path) -> None:
    assert list(loaded(tmp_path, two()).settings.customers) == ["one", "two"]


@pytest.mark.parametrize(("first", "second"), [("ACME", "ACME"), ("ACME", "acme")])
def test_two_customers_cannot_be_one_client(tmp_path: Path, first: str, second: str) -> None:
    assert "customers: one and two have the same client" in refusal(tmp_path, two(first, second))


def test_two_customers_cannot_read_one_file(tmp_path: Path) -> None:
    text = changed(two(), "two.csv", "one.csv")
    said = "one and two read the same source (shared = true in both allows it)"
    assert said in refusal(tmp_path, text)
    (tmp_path / "link").symlink_to(tmp_path)
    assert said in refusal(tmp_path, changed(two(), "two.csv", "link/one.csv"))
    once = changed(
        text, "[customers.one.sources.hr.people]", "shared = true\n[customers.one.sources.hr.people]"
    )
    assert said in refusal(tmp_path, once)
    both = changed(
        once, "[customers.two.sources.hr.people]", "shared = true\n[customers.two.sources.hr.people]"
    )
    assert len(loaded(tmp_path, both).settings.customers) == 2


def test_two_customers_cannot_read_one_place_of_a_directory(tmp_path: Path) -> None:
    text = two() + LDAP.replace("acme.sources", "one.sources") + LDAP.replace("acme.sources", "two.sources")
    assert "read the same source" in refusal(tmp_path, text)
    other = text + 'base = "OU=two,DC=acme,DC=example"\n'
    assert len(loaded(tmp_path, other).settings.customers) == 2


def test_two_customers_cannot_share_a_refresh_token(tmp_path: Path) -> None:
    text = two()
    for name in ("one", "two"):
        text += f'[customers.{name}.autodesk]\nclient_id = "x"\nrefresh_token = "canary-refresh"\n'
    assert "one and two have the same Autodesk refresh_token" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('precedence = ["hr", "hq"]', "names in precedence what is no source of this customer: hq"),
        ('precedence = ["hr", "hr"]', "names a source twice in precedence"),
        ("approval_days = 0", "approval_days: must be at least 1"),
        ('retry_refused_after = "0s"', "retry_refused_after: must be more than zero"),
        ('guards = { leavers = { percent = 101 } }', "guards.leavers.percent: must be at most 100"),
        ('guards = { leavers = { percent = nan } }', "guards.leavers.percent: must be at most 100"),
        ('guards = { leavers = { procent = 1 } }', 'did you mean "percent"?'),
        ('guards = { first_run = "ok" }', 'must be "approve" or "go"'),
        ('printers = { base_url = "https://p.example.com" }', "has printers without autodesk"),
        ("printers = {}", "printers.base_url: is missing: the public 3D-print service closed on 2017-01-15"),
        ("printers.registrations.874.group = 'x'", "printers.base_url: is missing"),
        ("printers.registrations.'a/b'.group = 'x'", 'printers.registrations."a/b": is not a printer id'),
    ],
)  # fmt: skip
def test_a_customer_that_is_refused(tmp_path: Path, line: str, said: str) -> None:
    assert said in refusal(tmp_path, changed(SMALL, 'client = "ACME"', f'client = "ACME"\n{line}'))


def test_a_customer_needs_a_source(tmp_path: Path) -> None:
    said = refusal(tmp_path, ORBIX + '[customers.acme]\nclient = "ACME"\n')
    assert "customers.acme.sources: is missing: add a table [customers.NAME.sources.NAME]" in said
    assert "names no source" in refusal(tmp_path, ORBIX + '[customers.acme]\nclient = "ACME"\nsources = {}\n')


def test_precedence_may_name_some_sources(tmp_path: Path) -> None:
    text = changed(SMALL, 'client = "ACME"', 'client = "ACME"\nprecedence = ["hq"]') + LDAP
    assert loaded(tmp_path, text).settings.customers["acme"].precedence == ("hq",)


@pytest.mark.parametrize("client", ["ACME", "Acme01", "a"])
def test_names_of_clients(tmp_path: Path, client: str) -> None:
    assert loaded(tmp_path, changed(SMALL, '"ACME"', f'"{client}"')).warnings == ()


@pytest.mark.parametrize("client", ["ACME-1", "acme_1", "acme.1"])
def test_names_of_clients_that_deserve_a_look(tmp_path: Path, client: str) -> None:
    assert "customers.acme.client" in loaded(tmp_path, changed(SMALL, '"ACME"', f'"{client}"')).warnings[0]


@pytest.mark.parametrize("client", ["", "ACME 1", "Açme", "A/B", "ACME\\n", "x" * 101])
def test_names_of_clients_that_are_refused(tmp_path: Path, client: str) -> None:
    assert "is not the name of a Client" in refusal(tmp_path, changed(SMALL, '"ACME"', f'"{client}"'))


# Files of customers


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A main file's directory with two files of customers."""
    directory = tmp_path / "customers.d"
    directory.mkdir()
    for name in ("one", "two"):
        (directory / f"{name}.toml").write_text(
            BODY.replace("CLIENT", name).replace("people.csv", f"{name}.csv")
        )
    return tmp_path


FLEET = 'customers_dir = "customers.d"\n' + ORBIX


def test_a_file_per_customer(fleet: Path) -> None:
    (fleet / "customers.d" / "README.md").write_text("no customer")
    (fleet / "customers.d" / ".hidden.toml").write_text("no customer")
    (fleet / "customers.d" / "one.toml~").write_text("no customer")
    settings = loaded(fleet, FLEET + ACME).settings
    assert sorted(settings.customers) == ["acme", "one", "two"]
    assert settings.customers_dir == fleet / "customers.d"


def test_files_of_customers_may_be_links(fleet: Path) -> None:
    (fleet / "data").mkdir()
    (fleet / "customers.d" / "one.toml").rename(fleet / "data" / "one.toml")
    (fleet / "customers.d" / "one.toml").symlink_to(fleet / "data" / "one.toml")
    one = loaded(fleet, FLEET).settings.customers["one"].sources["hr"]
    assert isinstance(one, CsvSettings)
    assert one.path == fleet / "customers.d" / "one.csv"


def test_the_environment_may_name_the_directory(fleet: Path) -> None:
    result = loaded(fleet, ORBIX, {"ROSTERD_CUSTOMERS_DIR": "customers.d"})
    assert list(result.settings.customers) == ["one", "two"]
    assert result.settings.customers_dir == fleet / "customers.d"
    assert result.origin(("customers_dir",)) == "environment ROSTERD_CUSTOMERS_DIR"


def test_what_is_wrong_in_a_customers_file_names_that_file(fleet: Path) -> None:
    (fleet / "customers.d" / "one.toml").write_text('client = "a b"\n')
    (fleet / "customers.d" / "two.toml").write_text("client = \n")
    (fleet / "customers.d" / "Three.toml").write_text(BODY)
    (fleet / "customers.d" / "acme.toml").write_text(BODY)
    (fleet / "customers.d" / "dir.toml").mkdir()
    (fleet / "customers.d" / "lost.toml").symlink_to(fleet / "nowhere")
    os.mkfifo(fleet / "customers.d" / "pipe.toml")
    said = refusal(fleet, FLEET + ACME)
    assert "customers.d/one.toml: customers.one.client: is not the name of a Client" in said
    assert "customers.d/one.toml: customers.one.sources: is missing" in said
    assert "customers.d/two.toml:1: is not TOML" in said
    assert "customers.d/Three.toml: its name must be NAME.toml" in said
    assert "customers.d/acme.toml: customers.acme stands in the main file too" in said
    assert "customers.d/dir.toml: is not a file" in said
    assert "customers.d/pipe.toml: is not a file" in said
    assert "customers.d/lost.toml: cannot be read: No such file" in said


def test_a_customers_file_is_the_body_only(fleet: Path) -> None:
    (fleet / "customers.d" / "one.toml").write_text(ACME)
    assert "customers.d/one.toml: customers.one.customers: is not a setting" in refusal(fleet, FLEET)


def test_an_empty_or_missing_directory(tmp_path: Path) -> None:
    assert "customers_dir: customers.d: cannot be read" in refusal(tmp_path, FLEET)
    (tmp_path / "customers.d").mkdir()
    assert "names no customer" in refusal(tmp_path, FLEET)


def test_two_files_cannot_be_one_client(fleet: Path) -> None:
    (fleet / "customers.d" / "two.toml").write_text(BODY.replace("CLIENT", "ONE"))
    assert "one and two have the same client" in refusal(fleet, FLEET)


# Relative paths


def test_paths_are_relative_to_the_file_they_stand_in(fleet: Path) -> None:
    (fleet / "customers.d" / "one.toml").write_text(
        BODY.replace("people.csv", "../data/people.csv")
        + '[sources.hr.groups]\npath = "/srv/groups.csv"\nname = "x"\nmember = "y"\n'
    )
    text = (
        '[ledger]\nurl = "sqlite:////var/lib/rosterd/ledger.db"\n[reports]\ndirectory = "out/reports"\n'
        + ORBIX
    )
    settings = loaded(fleet, 'customers_dir = "customers.d"\n' + text + 'ca_file = "ca.pem"\n').settings
    hr = settings.customers["one"].sources["hr"]
    assert isinstance(hr, CsvSettings)
    assert hr.path == fleet / "customers.d" / ".." / "data" / "people.csv"
    assert hr.groups is not None
    assert hr.groups.path == Path("/srv/groups.csv")
    assert settings.ledger.path == Path("/var/lib/rosterd/ledger.db")
    assert settings.reports.directory == fleet / "out" / "reports"
    assert settings.orbix.ca_file == fleet / "ca.pem"


# Warnings


def test_secrets_that_everybody_may_read(fleet: Path) -> None:
    (fleet / "customers.d" / "one.toml").write_text(
        BODY.replace("CLIENT", "one") + '[autodesk]\nclient_id = "x"\nclient_secret = "canary"\n'
    )
    for path in (fleet / "customers.d").iterdir():
        path.chmod(0o644)
    path = write(fleet, FLEET)
    path.chmod(0o644)
    warnings = load(path, {}).warnings
    assert [warning.split(": ")[0] for warning in warnings] == ["customers.d/one.toml", str(path)]
    assert "orbix.client_secret" in warnings[1]
    assert "canary" not in " ".join(warnings)


def test_printers_are_warned_of(tmp_path: Path) -> None:
    warnings = loaded(tmp_path, FIRST + SECOND).warnings
    assert ["closed on 2017-01-15" in warning for warning in warnings] == [True]
