"""Values of settings, one by one: what is accepted, what it becomes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError
from tests.core.settings_kit import LDAP, SMALL, changed, loaded, refusal

from rosterd.orbix.settings import OrbixSettings
from rosterd.settings import CustomerSettings, Settings
from rosterd.sources.settings import CsvSettings, LdapSettings

# Lines are put in front of these, each into its own table.
AT = {
    "orbix": "[orbix]",
    "hr": "[customers.acme.sources.hr]",
    "people": "[customers.acme.sources.hr.people]",
    "acme": "[customers.acme]",
    "hq": "[customers.acme.sources.hq]",
    "hq.people": "[customers.acme.sources.hq.people]",
}
DIRECTORY = SMALL + LDAP
GROUPS = '[customers.acme.sources.hr.groups]\npath = "groups.csv"\nname = "{{ g }}"\nmember = "{{ m }}"\n'


def with_line(text: str, table: str, line: str) -> str:
    """The text with a line more in a table; a line already there with the same key goes."""
    head, rest = text.split(AT[table] + "\n", 1)
    own, *others = rest.split("\n[")
    key = line.split(" =", maxsplit=1)[0]
    kept = "\n".join([known for known in own.split("\n") if not known.startswith(f"{key} =")])
    return "\n[".join([f"{head}{AT[table]}\n{line}\n{kept}", *others])


def customer(tmp_path: Path, text: str) -> CustomerSettings:
    return loaded(tmp_path, text).settings.customers["acme"]


def csv(tmp_path: Path, text: str) -> CsvSettings:
    source = customer(tmp_path, text).sources["hr"]
    assert isinstance(source, CsvSettings)
    return source


def ldap(tmp_path: Path, text: str) -> LdapSettings:
    source = customer(tmp_path, text).sources["hq"]
    assert isinstance(source, LdapSettings)
    return source


REFUSED = [
    # Addresses (only https, or http that stays on the machine)
    ("orbix", 'base_url = "http://orbix.example.com"', "base_url: must begin with https://"),
    ("orbix", 'base_url = "http://127.0.0.1.example.com"', "base_url: must begin with https://"),
    ("orbix", 'base_url = "ftp://orbix.example.com"', "base_url: must begin with https://"),
    ("orbix", 'base_url = "orbix.example.com"', "base_url: is not a URL with a scheme and a host"),
    ("orbix", 'base_url = ""', "base_url: is not a URL"),
    ("orbix", 'base_url = "https://"', "base_url: is not a URL with a scheme and a host"),
    ("orbix", 'base_url = "https://x:99999"', "base_url: is not a URL"),
    ("orbix", 'base_url = "https://[::1"', "base_url: is not a URL"),
    ("orbix", 'base_url = "https://user@x.example.com"', "must not contain a user name or password"),
    ("orbix", 'base_url = "https://x.example.com/?a=b"', 'must not contain "?" or "#"'),
    ("orbix", 'base_url = "https://x.example.com/#a"', 'must not contain "?" or "#"'),
    ("orbix", 'base_url = "https://x.example.com/a b"', "base_url: is not a URL"),
    ("orbix", 'base_url = "https://x.example.com\\r\\nHost: y"', "base_url: contains a control character"),
    ("orbix", 'token_url = "http://auth.example.com"', "token_url: must begin with https://"),
    ("orbix", 'proxy = "socks5://proxy.example.com"', "proxy: must begin with http:// or https://"),
    # What travels in headers and requests
    ("orbix", 'tenant = "a\\r\\nX: y"', "tenant: contains a control character or line break"),
    ("orbix", 'tenant = "a\\u0000"', "tenant: contains a control character"),
    ("orbix", 'tenant = "a\\u0085"', "tenant: contains a control character"),
    ("orbix", 'tenant = "a\\u2028b"', "tenant: contains a control character or line break"),
    ("orbix", 'tenant = "provédor"', "tenant: contains a character outside ASCII"),
    ("orbix", 'tenant = " a"', "tenant: begins or ends with a space"),
    ("orbix", 'tenant = ""', "tenant: is empty"),
    ("orbix", 'client_id = "a\\n"', "client_id: contains a control character"),
    ("orbix", 'client_id = " "', "client_id: is empty"),
    ("orbix", 'client_secret = "a\\n"', "client_secret: contains a control character"),
    ("orbix", 'scope = ""', "scope: is empty"),
    # Numbers, durations and sizes
    ("orbix", "requests_per_second = -1", "requests_per_second: must be at least 0"),
    ("orbix", 'requests_per_second = "x"', "requests_per_second: must be a number"),
    ("orbix", "attempts = 0", "attempts: must be at least 1"),
    ("orbix", "timeout = 60", "timeout: is not a duration such as"),
    ("orbix", "timeout = 60.0", "timeout: is not a duration such as"),
    ("orbix", 'timeout = "60"', "timeout: is not a duration such as"),
    ("orbix", 'timeout = "-1s"', "timeout: is not a duration such as"),
    ("orbix", 'timeout = "1 s"', "timeout: is not a duration such as"),
    ("orbix", 'timeout = "1w"', "timeout: is not a duration such as"),
    ("orbix", 'timeout = "٣s"', "timeout: is not a duration such as"),
    ("orbix", 'timeout = "0s"', "timeout: must be more than zero"),
    ("orbix", 'timeout = "4000d"', "timeout: is longer than ten years"),
    ("orbix", "max_answer = true", "max_answer: is not a size such as"),
    ("orbix", "max_answer = 1.5", "max_answer: is not a size such as"),
    ("orbix", "max_answer = -1", "max_answer: must be more than zero"),
    ("orbix", 'max_answer = "16 MB"', "max_answer: is not a size such as"),
    ("orbix", 'max_answer = "0 B"', "max_answer: must be more than zero"),
    ("orbix", 'membership = "replace"', 'membership: must be "unknown" or "additive"'),
    ("orbix", 'ca_file = ""', "ca_file: is not a path"),
    # CSV
    ("hr", 'path = ""', "hr.path: is not a path"),
    ("hr", 'path = "a\\u0000b"', "hr.path: is not a path"),
    ("hr", 'encoding = "utf-9"', "encoding: is not an encoding"),
    ("hr", 'encoding = "base64"', "encoding: is not an encoding"),
    ("hr", 'encoding = "unicode_escape"', "encoding: is not an encoding of files"),
    ("hr", 'encoding = "punycode"', "encoding: is not an encoding of files"),
    ("hr", 'encoding = ""', "encoding: is not an encoding"),
    ("hr", 'separator = ";;"', "separator: must be one character"),
    ("hr", 'separator = ""', "separator: must be one character"),
    ("hr", 'separator = "\\n"', "separator: must be one character"),
    ("hr", "separator = '\"'", "separator: must be one character"),
    ("hr", 'settle = "soon"', "settle: is not a duration"),
    # People
    ("people", 'logon = ""', "people.logon: is empty"),
    ("people", 'domain = " "', "people.domain: is empty"),
    ("people", "name = []", "people.name: is an empty list"),
    ("people", 'name = ["{{ a }}", ""]', "people.name.1: is empty"),
    ("people", "email = 3", "people.email: must be a list"),
    ("people", 'disabled = "yes"', 'disabled: must be "exclude", "include" or an expression'),
    ("people", 'repair = "ascii"', "repair: must be a list"),
    ("people", 'repair = ["upper"]', 'repair.0: must be "ascii" or "lower"'),
    ("people", 'repair = ["ascii", "ascii"]', "repair: names something twice"),
    ("people", 'allowed_characters = "/"', "allowed_characters: must not contain"),
    ("people", 'allowed_characters = "\\n"', "allowed_characters: must not contain"),
    ("people", 'shared_email = "drop"', 'shared_email: must be "warn" or "set_aside"'),
    ("people", 'bad_email = "drop"', 'bad_email: must be "omit" or "set_aside"'),
    ("people", "max_length = 0", "max_length.logon: must be at least 1"),
    ("people", "max_length = true", "max_length: must be a table"),
    ("people", "max_length = { phone = 3 }", "max_length.phone: is not a setting"),
    ("people", 'groups_separator = ""', "groups_separator: is empty"),
    ("people", 'filter = "(a=b)"', "people.filter: is not a setting"),
    # Schedules
    ("acme", 'schedule = "* * * *"', "schedule: is not a schedule of five cron fields"),
    ("acme", 'schedule = "@reboot"', "schedule: is not a schedule of five cron fields"),
    ("acme", 'time_zone = "Mars/Base"', "time_zone: is not a time zone"),
    ("acme", 'time_zone = "../../etc/passwd"', "time_zone: is not a time zone"),
    ("acme", 'time_zone = "America"', "time_zone: is not a time zone"),
    ("acme", 'time_zone = ""', "time_zone: is not a time zone"),
    # Directories
    ("hq", "urls = []", "hq.urls: is an empty list"),
    ("hq", 'urls = "ldaps://dc1"', "hq.urls: must be a list"),
    ("hq", 'urls = ["ldaps://dc1", "ldaps://dc1"]', "hq.urls: names something twice"),
    ("hq", 'urls = ["https://dc1"]', "hq.urls.0: must begin with ldaps:// or ldap://"),
    ("hq", 'urls = ["ldapi:///run/slapd"]', "hq.urls.0: is not a URL with a scheme and a host"),
    ("hq", 'urls = ["ldaps://user:x@dc1"]', "hq.urls.0: must not contain a user name or password"),
    ("hq", 'urls = ["ldaps://dc1/dc=acme"]', "hq.urls.0: must end after host and port"),
    ("hq", 'urls = ["ldaps://dc1?x"]', "hq.urls.0: must end after host and port"),
    ("hq", 'urls = ["ldaps://dc1:0"]', "hq.urls.0: is not a URL"),
    (
        "hq",
        'flavor = "novell"',
        'flavor: must be "active-directory", "openldap", "389ds", "freeipa" or "custom"',
    ),
    ("hq", 'base = "acme"', "base: is not a distinguished name"),
    ("hq", 'scope = "tree"', 'scope: must be "subtree", "one" or "base"'),
    ("hq", "page_size = 0", "page_size: must be at least 1"),
    ("hq", 'deadline = "0s"', "deadline: must be more than zero"),
    ("hq", 'bind_dn = "CN=x"', "has a bind_dn without bind_password"),
    ("hq", 'bind_password = "x"', "has a bind_password without bind_dn"),
    ("hq", 'bind_dn = ""', "bind_dn: is empty"),
    ("hq", 'bind_dn = "CN=x"\nbind_password = ""', "bind_password: is empty"),
    ("hq", 'bind_dn = "CN=x"\nbind_password = "  "', "bind_password: is empty"),
    (
        "hq.people",
        'filter = "(a=b"',
        'people.filter: is not an LDAP filter: at character 5, the "(" at character 1',
    ),
    ("hq.people", 'filter = "a=b"', 'people.filter: is not an LDAP filter: at character 1, a "(" is missing'),
    ("hq.people", 'base = "x"', "people.base: is not a distinguished name"),
]


@pytest.mark.parametrize(("table", "line", "said"), REFUSED)
def test_refused(tmp_path: Path, table: str, line: str, said: str) -> None:
    assert said in refusal(tmp_path, with_line(DIRECTORY, table, line))


ACCEPTED = [
    ("orbix", 'base_url = "https://orbix.example.com:8443/api/"'),
    ("orbix", 'base_url = "http://127.0.0.1:8080"'),
    ("orbix", 'base_url = "http://127.9.9.9"'),
    ("orbix", 'base_url = "http://[::1]:8080/api"'),
    ("orbix", 'base_url = "http://localhost:8080"'),
    ("orbix", 'client_secret = "señal …"'),
    ("orbix", "requests_per_second = 0"),
    ("orbix", "concurrency = 16"),
    ("orbix", 'proxy = "http://user:secret@proxy.example.com:3128"'),
    ("hr", 'encoding = "cp1252"'),
    ("hr", 'encoding = "latin-1"'),
    ("hr", 'encoding = "UTF-16"'),
    ("hr", 'separator = "\\t"'),
    ("hr", 'separator = "|"'),
    ("people", 'disabled = "include"'),
    ("people", "disabled = \"{{ state == 'off' }}\""),
    ("people", 'allowed_characters = ""'),
    ("people", 'repair = ["lower"]'),
    ("people", 'exclude = ["svc-*", "{{ a == 1 }}"]'),
    ("people", 'groups = "{{ groups }}"'),
    ("acme", 'time_zone = "Europe/Berlin"'),
    ("acme", 'leavers = "synchronize"'),
    ("acme", 'schedule = "0 6 * * 7"'),
    ("hq", 'base = ""'),
    ("hq", 'urls = ["ldap://dc1.example.com:3268/"]'),
    ("hq", "start_tls = true"),
    ("hq.people", "disabled = \"{{ state == 'off' }}\""),
    ("hq.people", 'scope = "one"'),
]


@pytest.mark.parametrize(("table", "line"), ACCEPTED)
def test_accepted(tmp_path: Path, table: str, line: str) -> None:
    loaded(tmp_path, with_line(DIRECTORY, table, line))


def test_a_slash_at_the_end_of_an_address_goes(tmp_path: Path) -> None:
    text = with_line(SMALL, "orbix", 'base_url = "https://orbix.example.com/api/"')
    assert loaded(tmp_path, text).settings.orbix.base_url == "https://orbix.example.com/api"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("2s", 2), ("10m", 600), ("24h", 86400), ("7d", 604800), ("1.5s", 1.5), ("0s", 0)],
)
def test_durations(tmp_path: Path, text: str, seconds: float) -> None:
    assert csv(tmp_path, with_line(SMALL, "hr", f'settle = "{text}"')).settle == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("1 B", 1), ("64 KiB", 65536), ("16MiB", 16 * 1024**2), ("2 GiB", 2 * 1024**3)]
)
def test_sizes(tmp_path: Path, text: str, size: int) -> None:
    assert (
        loaded(tmp_path, with_line(SMALL, "orbix", f"max_answer = {size}")).settings.orbix.max_answer == size
    )
    settings = loaded(tmp_path, with_line(SMALL, "orbix", f'max_answer = "{text}"')).settings
    assert settings.orbix.max_answer == size


# CSV


def test_a_groups_file_is_written_like_the_people_file(tmp_path: Path) -> None:
    text = with_line(with_line(SMALL, "hr", 'encoding = "cp1252"'), "hr", 'separator = ";"') + GROUPS
    groups = csv(tmp_path, text).groups
    assert groups is not None
    assert (groups.encoding, groups.separator) == ("cp1252", ";")
    own = csv(tmp_path, text + 'encoding = "utf-8"\nseparator = ","\n').groups
    assert own is not None
    assert (own.encoding, own.separator) == ("utf-8", ",")


def test_groups_come_one_way(tmp_path: Path) -> None:
    text = with_line(SMALL, "people", 'groups = "{{ groups }}"') + GROUPS
    assert "takes groups from people.groups and from [groups]" in refusal(tmp_path, text)


def test_lengths_for_all_fields_or_for_some(tmp_path: Path) -> None:
    every = csv(tmp_path, with_line(SMALL, "people", "max_length = 64")).people.max_length
    assert (every.logon, every.domain, every.name, every.email) == (64, 64, 64, 64)
    some = csv(tmp_path, with_line(SMALL, "people", "max_length = { logon = 20 }")).people.max_length
    assert (some.logon, some.name) == (20, None)


# Directories

BIND = 'bind_dn = "CN=reader"\nbind_password = "canary"'


def url(address: str, *lines: str) -> str:
    return with_line(DIRECTORY, "hq", "\n".join([f'urls = ["{address}"]', *lines]))


@pytest.mark.parametrize(
    "text",
    [
        url("ldaps://dc1.example.com", BIND),
        url("ldap://dc1.example.com", BIND, "start_tls = true"),
        url("ldap://dc1.example.com"),
        url("ldap://127.0.0.1:389", BIND, "allow_cleartext = true"),
        url("ldap://[::1]", BIND, "allow_cleartext = true"),
        url("ldap://localhost", BIND, "allow_cleartext = true"),
    ],
)
def test_passwords_that_travel_safely(tmp_path: Path, text: str) -> None:
    assert ldap(tmp_path, text).people.logon == "{{ uid }}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (url("ldap://dc1.example.com", BIND), "would send its password in the clear"),
        (url("ldap://127.0.0.1", BIND), "would send its password in the clear"),
        (url("LDAP://dc1.example.com", BIND), "would send its password in the clear"),
        (url('ldaps://dc1", "ldap://dc2', BIND), "would send its password in the clear"),
        (url("ldap://dc1.example.com", BIND, "allow_cleartext = true"), "is for loopback only"),
        (url("ldap://127.0.0.1.example.com", BIND, "allow_cleartext = true"), "is for loopback only"),
        (url("ldap://dc1.example.com", "allow_cleartext = true"), "is for loopback only"),
        (url('ldap://127.0.0.1", "ldap://dc2', BIND, "allow_cleartext = true"), "is for loopback only"),
    ],
)
def test_passwords_that_would_travel_in_the_clear(tmp_path: Path, text: str, said: str) -> None:
    assert f"customers.acme.sources.hq: {said}" in refusal(tmp_path, text) or said in refusal(tmp_path, text)


HQ_GROUPS = '[customers.acme.sources.hq.groups]\nname = "{{ cn }}"\n'


@pytest.mark.parametrize(
    ("flavor", "people", "members"),
    [
        (
            "active-directory",
            "(&(objectCategory=person)(objectClass=user)(!(sAMAccountType=805306370)))",
            ("member",),
        ),
        ("openldap", "(objectClass=inetOrgPerson)", ("member", "uniqueMember", "memberUid")),
        ("389ds", "(objectClass=inetOrgPerson)", ("member", "uniqueMember", "memberUid")),
        ("freeipa", "(&(objectClass=posixAccount)(ipaUniqueID=*)(!(ipaUniqueID=autogenerate)))", ("member",)),
        ("custom", "(objectClass=person)", ("member", "uniqueMember", "memberUid")),
    ],
)
def test_flavors(tmp_path: Path, flavor: str, people: str, members: tuple[str, ...]) -> None:
    hq = ldap(tmp_path, with_line(DIRECTORY, "hq", f'flavor = "{flavor}"') + HQ_GROUPS)
    assert hq.groups is not None
    assert (hq.people.filter, hq.groups.members, hq.groups.nested) == (people, members, False)
    assert hq.groups.filter.startswith("(")


def test_what_is_written_overrides_the_flavor(tmp_path: Path) -> None:
    text = with_line(DIRECTORY, "hq", 'flavor = "openldap"')
    text = with_line(text, "hq.people", 'filter = "(uid=*)"') + HQ_GROUPS + 'members = ["uniqueMember"]\n'
    hq = ldap(tmp_path, text)
    assert hq.groups is not None
    assert (hq.people.filter, hq.groups.members) == ("(uid=*)", ("uniqueMember",))


def test_people_and_groups_are_searched_where_the_source_says(tmp_path: Path) -> None:
    text = with_line(DIRECTORY, "hq", 'scope = "one"')
    text = with_line(text, "hq.people", 'base = "OU=People,DC=acme,DC=example"') + HQ_GROUPS
    hq = ldap(tmp_path, text)
    assert hq.groups is not None
    assert (hq.people.base, hq.people.scope) == ("OU=People,DC=acme,DC=example", "one")
    assert (hq.groups.base, hq.groups.scope) == ("DC=acme,DC=example", "one")


def test_defaults_of_a_directory(tmp_path: Path) -> None:
    hq = ldap(tmp_path, DIRECTORY)
    assert (hq.flavor, hq.scope, hq.page_size, hq.deadline) == ("custom", "subtree", 1000, 600)
    assert (hq.start_tls, hq.allow_cleartext, hq.bind_dn, hq.ca_file) == (False, False, None, None)


@pytest.mark.parametrize("flavor", ["active-directory", "openldap", "389ds", "freeipa"])
def test_an_expression_for_disabled_needs_the_custom_flavor(tmp_path: Path, flavor: str) -> None:
    text = with_line(DIRECTORY, "hq", f'flavor = "{flavor}"')
    text = with_line(text, "hq.people", 'disabled = "{{ off }}"')
    assert 'has an expression in people.disabled, which needs flavor = "custom"' in refusal(tmp_path, text)


def test_a_filter_on_several_lines(tmp_path: Path) -> None:
    text = with_line(DIRECTORY, "hq.people", 'filter = "\\n(&\\n  (a=b c)\\n  (c=d) )\\n"')
    assert ldap(tmp_path, text).people.filter == "(&(a=b c)(c=d))"


# The rest


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://rosterd:canary@db.example.com/rosterd", "which this version cannot use yet"),
        ("postgres://db.example.com/rosterd", "which this version cannot use yet"),
        ("ledger.db", "must be sqlite:///FILE"),
        ("sqlite://ledger.db", "must be sqlite:///FILE"),
        ("sqlite:///", "must be sqlite:///FILE"),
        ("", "must be sqlite:///FILE"),
    ],
)
def test_ledgers_that_are_refused(tmp_path: Path, url: str, said: str) -> None:
    assert f"ledger.url: {'' if said.startswith('must') else 'names a PostgreSQL ledger, '}{said}" in refusal(
        tmp_path, f'[ledger]\nurl = "{url}"\n{SMALL}'
    )


@pytest.mark.parametrize("formats", ['["html", "html"]', '["pdf"]', '"html"'])
def test_formats_that_are_refused(tmp_path: Path, formats: str) -> None:
    assert "reports.formats" in refusal(tmp_path, f"[reports]\nformats = {formats}\n{SMALL}")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('listen = "0.0.0.0:8321"', "console: listens elsewhere than on loopback, which needs a token"),
        ('listen = "[::]:8321"', "console: listens elsewhere than on loopback"),
        ('listen = "console.example.com:8321"', "console.listen: must be an IP address and a port"),
        ('listen = "127.0.0.1"', "console.listen: must be an address and a port"),
        ('listen = ":8321"', "console.listen: is not a URL"),
        ('listen = "127.0.0.1:99999"', "console.listen: is not a URL"),
        ('listen = "a@127.0.0.1:8321"', "console.listen: must be an address and a port"),
        ('listen = "127.0.0.1:8321/x"', "console.listen: must be an address and a port"),
        ('token = "short"', "console.token: is shorter than 16 characters"),
        ('token = "canary-señal-canary"', "console.token: contains a character outside ASCII"),
    ],
)
def test_consoles_that_are_refused(tmp_path: Path, lines: str, said: str) -> None:
    assert said in refusal(tmp_path, f"[console]\n{lines}\n{SMALL}")


@pytest.mark.parametrize(
    "lines",
    ['listen = ""', 'listen = "[::1]:8321"', 'listen = "0.0.0.0:8321"\ntoken = "sixteen-or-more-x"'],
)
def test_consoles(tmp_path: Path, lines: str) -> None:
    loaded(tmp_path, f"[console]\n{lines}\n{SMALL}")


@pytest.mark.parametrize("model", [OrbixSettings, CsvSettings, Settings])
def test_errors_of_the_classes_hold_no_input(model: type[BaseModel]) -> None:
    """Whoever logs such an error logs no secret."""
    with pytest.raises(ValidationError) as caught:
        model(client_secret="canary\n", path={"canary": 1}, layers=[{"orbix": "canary"}])
    assert "canary" not in str(caught.value)


def test_settings_do_not_change(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SMALL).settings
    with pytest.raises(ValueError, match="frozen"):
        settings.orbix.tenant = "other"
    assert changed(SMALL, "provider-one", "x") != SMALL
