"""`rosterd init`: templates, questions, answers that are tried, and files that are never replaced."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests import canaries
from tests.cli.kit import SECRET, Office, Result
from tests.cli.terminal import on_terminal
from tests.fakeldap import Peer, Request, done, entry, serving

BASE = "dc=acme,dc=example"


@pytest.fixture
def new(office: Office) -> Path:
    """Where the new settings go: beside the people file of an office."""
    office.config.unlink()
    return office.config


def orbix(office: Office, secret: str = SECRET) -> list[str]:
    """The answers about Orbix, the customer's Client, its time zone and schedule."""
    return [
        office.server.base_url, office.server.token_url, "provider-one", "sync-app", secret,
        "", "America/Sao_Paulo", "every 20m",
    ]  # fmt: skip


def asked(office: Office, answers: Sequence[str]) -> Result:
    return office.do("init", given="".join([f"{answer}\n" for answer in answers]))


@pytest.mark.parametrize("kind", ["csv", "ldap", "ad"])
def test_a_template_is_settings_as_it_stands(office: Office, new: Path, kind: str) -> None:
    result = office.do("init", "--template", kind)
    assert result.code == 0 and str(new) in result.out and "rosterd check" in result.out
    assert stat.S_IMODE(new.stat().st_mode) == 0o600, "it is going to hold secrets"
    shown = office.do("settings", "show", "--json")
    assert shown.code == 0, shown.said
    values = {name: entry["value"] for name, entry in shown.document["settings"].items()}
    source = f"customers.acme.sources.{'hr' if kind == 'csv' else 'hq'}"
    assert values["customers.acme.guards.first_run"] == "approve"
    assert (values[f"{source}.kind"] == "csv") == (kind == "csv")
    assert (values.get(f"{source}.flavor") == "active-directory") == (kind == "ad")
    assert len([line for line in new.read_text().splitlines() if line.startswith("# ")]) > 20, "it explains"


def test_what_a_template_shows_switched_off_may_be_switched_on(office: Office, new: Path) -> None:
    office.do("init", "--template", "csv")
    lines = new.read_text().split("\n")
    text = "\n".join([line[1:] if line[:1] == "#" and line[1:2] != " " else line for line in lines])
    assert tomllib.loads(text)["customers"]["acme"]["sources"]["hr"]["groups"]["path"] == "groups.csv"
    new.write_text(text)
    assert office.do("settings", "show").code == 0


@pytest.mark.parametrize("line", [(), ("--template", "csv")])
def test_no_file_is_replaced(office: Office, new: Path, line: tuple[str, ...]) -> None:
    for leave in (lambda: new.write_text("mine"), lambda: new.symlink_to("nowhere")):
        leave()
        result = office.do("init", *line)
        assert result.code == 2 and "already" in result.err and "--config" in result.err
        assert new.is_symlink() or new.read_text() == "mine"
        new.unlink()
    assert not (new.parent / "nowhere").exists()


def test_usage(office: Office, new: Path, tmp_path: Path) -> None:
    result = office.do("init", "--template", "xml")
    assert result.code == 2 and "csv, ldap, ad" in result.err
    away = office.do(
        "init", "--template", "csv", "--config", str(tmp_path / "no" / "rosterd.toml"), bare=True
    )
    assert away.code == 2 and "cannot be written" in away.err
    assert not new.exists()


def test_questions_about_files(office: Office, new: Path) -> None:
    """Wrong answers are asked for again; columns are taken from the header; what comes out delivers."""
    office.put([("ana", "Ana", "ana@example.com")], head=("User Name", "Display-Name", "Mail"))
    office.put_groups([("Floor 1", "First", "ana")])
    start = ["xml", "csv", "Acme!", "acme"]
    result = asked(office, [*start, *orbix(office)[:-2], "Sao Paulo", *orbix(office)[-2:], "acme.csv", "", "", "", "",
                            "groups.csv", "", ""])  # fmt: skip
    assert result.code == 0, result.said
    assert "one of csv, ldap, ad" in result.err and "lower-case letters" in result.err
    assert "time_zone" in result.err, "a zone that there is not was taken"
    assert "it has User Name, Display-Name, Mail" in result.err
    assert "NDD//ana" in result.out and "ana@example.com" in result.out, "nothing was tried"
    customer = tomllib.loads(new.read_text())["customers"]["acme"]
    assert customer["client"] == "ACME" and customer["schedule"] == "every 20m"
    assert customer["sources"]["hr"]["people"]["logon"] == '{{ entry["User Name"] }}'
    assert sorted(path.name for path in new.parent.iterdir()) == ["acme.csv", "groups.csv", "rosterd.toml"]
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert office.do("run", "--once", "--yes").code == 0
    assert office.users() and office.members() == {"Floor 1": ["ndd//ana"]}


def ana(peer: Peer, request: Request) -> None:
    found = {"uid": ["ana"], "cn": ["Ana"], "mail": ["Ana@Example.com"]}
    peer.send(entry(request.id, f"uid=ana,{BASE}", found) + done(request.id))


def test_questions_about_a_directory(office: Office, new: Path) -> None:
    """A server without TLS elsewhere than here means StartTLS; a base that is no DN is asked for again."""
    with serving(ana) as fake:
        answers = ["ldap", "", *orbix(office), "389ds", fake.url, f"cn=reader,{BASE}", canaries.DIRECTORY, "", "no DN",
                   BASE, "", "ACME", "Print (*)"]  # fmt: skip
        result = asked(office, answers)
    assert result.code == 0, result.said
    assert "ACME//ana" in result.out and "ana@example.com" in result.out
    source = tomllib.loads(new.read_text())["customers"]["acme"]["sources"]["hq"]
    assert (
        source["flavor"] == "389ds"
        and source["base"] == BASE
        and source["bind_password"] == canaries.DIRECTORY
    )
    assert source["allow_cleartext"] and "start_tls" not in source and "ca_file" not in source
    assert source["groups"]["filter"].endswith(r"(cn=Print \28*\29))")


def test_what_does_not_work_is_asked_again(office: Office, new: Path) -> None:
    """The answers given before are proposed; the secret is not shown."""
    office.put([("ana", "Ana", "ana@example.com")])
    files = ["acme.csv", "", "", "", "", "-"]
    wrong, right = orbix(office, "not-this-one"), ["" for _ in range(2 + 4)]
    result = asked(
        office, ["csv", "", *wrong, *files, "what?", "again", *right, SECRET, *["" for _ in range(3 + 6)]]
    )
    assert result.code == 0, result.said
    assert "FAIL orbix" in result.out and "[the same]" in result.err and "not-this-one" not in result.said
    assert tomllib.loads(new.read_text())["orbix"]["client_secret"] == SECRET


def test_somebody_may_want_it_all_the_same(office: Office, new: Path) -> None:
    answers = ["csv", "", *orbix(office), "later.csv", "", "", "", "", "-"]
    no = asked(office, [*answers, "no"])
    assert no.code == 2 and "nothing was written" in no.err and not list(new.parent.glob("*rosterd*"))
    yes = asked(office, [*answers, "yes"])
    assert yes.code == 5 and "later.csv" in yes.out, "the code is that of what was found"
    assert office.do("settings", "show").code == 0


@pytest.mark.parametrize("answered", [0, 1, 7, 16])
def test_questions_that_end_early_write_nothing(office: Office, new: Path, answered: int) -> None:
    answers = ["csv", "", *orbix(office), "later.csv", "", "", "", "", "-"]
    result = asked(office, answers[:answered])
    assert result.code == 2 and "nothing was written" in result.err and "--template" in result.err
    assert sorted(path.name for path in new.parent.iterdir()) == ["acme.csv"]


def test_a_secret_is_not_shown_on_a_terminal(office: Office, new: Path) -> None:
    answers = ["csv", "acme", *orbix(office), "acme.csv", "logon", "NDD", "name", "email", "-"]
    heads = ["come from", "short name", "integration", "fetched", "Tenant", "client id", "client secret", "Client",
             "Time zone", "When it runs", "File of the people", "of the logon", "Domain", "of the name",
             "of the e-mail", "per membership"]  # fmt: skip
    result = on_terminal(office, "init", answers=list(zip(heads, answers, strict=True)))
    assert result.code == 0 and new.exists(), result.said
    assert "NDD//carlos" in result.out and "\nwrote" in result.out.replace("\r", "")
