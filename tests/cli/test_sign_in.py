"""`rosterd sign-in` as a person meets it, against the pretend Autodesk; and what the sign-in is then good for."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from subprocess import PIPE, Popen
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.cli.files import customer, people
from tests.cli.kit import SECRET, Office, clean, switches
from tests.doors.scripted import Lines

from rosterd import assemble
from rosterd.autodesk.access import AutodeskAccess
from rosterd.core.access import APPLICATION, TWIN, Place
from rosterd.core.outcome import Issued
from rosterd.errors import CredentialsError, TargetError
from rosterd.sandbox import serve
from rosterd.settings import load

URN = "urn:adsk.dtt:one"
HELD = {
    "page_size": 2,
    "clients": {"app": {"secret": SECRET, "redirect_uris": ["http://localhost:*"], "user": "OWNER1"}},
    "applications": {
        "app-1": {
            "collaborators": [
                {
                    "userId": "OWNER1",
                    "firstName": "Olga",
                    "email": "olga@acme.example",
                    "accessLevel": "OWNER",
                },
                *(
                    {"userId": f"U{n}", "email": f"u{n}@acme.example", "accessLevel": "VIEWER"}
                    for n in range(4)
                ),
            ]
        }
    },
    "twins": {URN: {"users": {"OWNER1": {"name": "Olga", "accessLevel": "Owner"}}}},
    "printers": {"874": {"owner": "OWNER1"}},
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Office]:
    """An office whose customer acme has Autodesk settings, and a customer plain without."""
    with serve(switches=switches(), autodesk=HELD) as server:
        office = Office(tmp_path, server)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        autodesk = {
            "client_id": "app",
            "client_secret": SECRET,
            "base_url": server.url,
            "redirect_url": f"http://localhost:{port}/callback",
            "applications": ["app-1"],
            "twins": [URN],
            "timeout": "5s",
            "attempts": 2,
        }
        printers = {"base_url": server.url, "registrations": {"874": {"group": "3D"}}}
        office.write(
            acme=customer(autodesk=autodesk, printers=printers), plain=customer("plain.csv", client="PLAIN")
        )
        office.put(people("ana"))
        yield office


def address_in(process: Popen[str]) -> str:
    """The address that somebody is asked to open."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.fullmatch(r"  (http://\S+/authentication/v2/authorize\?\S+)\n", line):
            return found[1]
    raise AssertionError("no address was shown")


def consent(address: str) -> str:
    """Where the browser is sent after the sign-in."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    assert answer.status == 302, answer.read()
    connection.close()
    return str(answer.getheader("Location"))


def visit(address: str) -> bytes:
    parts = urlsplit(address)
    connection = HTTPConnection("127.0.0.1", parts.port, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    page = connection.getresponse().read()
    connection.close()
    return page


def pasted(home: Office, line: str) -> tuple[int, str, str]:
    """`sign-in --paste`; in `line`, {answer} is where the browser ended and {state} what was asked with."""
    with home.started("sign-in", "acme", "--paste", stdin=PIPE) as process:
        address = address_in(process)
        [state] = parse_qs(urlsplit(address).query)["state"]
        out, err = process.communicate(line.format(answer=consent(address), state=state), timeout=30)
    assert "Traceback" not in out + err
    assert SECRET not in out + err
    return process.returncode, out, err


@contextmanager
def open_access(home: Office) -> Iterator[AutodeskAccess]:
    settings = load(home.config, {}).settings
    made: AutodeskAccess = assemble.open_autodesk(settings, "acme", threading.Event(), Lines())
    try:
        yield made
    finally:
        made.close()


def token_file(home: Office) -> Path:
    return home.directory / "tokens" / "acme.json"


def test_the_browser_comes_back_to_this_machine(home: Office) -> None:
    with home.started("sign-in", "acme", "--no-browser") as process:
        page = visit(consent(address_in(process)))
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert out.startswith("acme: signed in, for application:client:read, data:read, data:write\n")
    assert b"rosterd has the answer" in page
    assert oct(token_file(home).stat().st_mode & 0o777) == "0o600"
    token = json.loads(token_file(home).read_text())["refresh_token"]
    assert token not in out + err + str(page)


def test_a_browser_is_opened(home: Office) -> None:
    """A small program stands for it: it follows redirects as a browser does."""
    browser = home.directory / "browser.py"
    browser.write_text(
        "import sys, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(sys.argv[1]).read()\n"
    )
    result = home.process("sign-in", "acme", env={"BROWSER": f"{sys.executable} {browser} %s &"})
    assert (result.code, "Your browser shows" in result.err) == (0, True), result.said
    assert token_file(home).exists()


def test_pasting_where_the_browser_ended(home: Office) -> None:
    code, out, err = pasted(home, "{answer}\n")
    assert (code, "signed in" in out) == (0, True), err
    with open_access(home) as made:
        found = made.read(Place(APPLICATION, "app-1", ""))
        assert [holder.subject for holder in found.holders] == ["OWNER1", "U0", "U1", "U2", "U3"]
        assert found.consistent
        assert [holder.level for holder in made.read(Place(TWIN, URN, "")).holders] == ["Owner"]
        assert made.printers is not None
        assert isinstance(made.printers.register("874", "ana@acme.example"), Issued)
        assert made.check().startswith("signed in, refreshed")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("http://localhost/callback?error=access_denied&state={state}\n", "was told not to allow"),
        ("http://localhost/callback?code=abc&state=another\n", "another sign-in"),
        ("", "no code"),
        ("nonsense and more\n", "no code"),
        ("a-code-of-somebody-else\n", "refuses it"),
        ("http://localhost/callback?code=not-ours&state={state}\n", "start again"),
    ],
)
def test_answers_that_are_no_sign_in(home: Office, line: str, said: str) -> None:
    code, out, err = pasted(home, line)
    assert (code, out) == (9, "")
    assert said in err
    assert "next: " in err
    assert not token_file(home).exists()


def test_a_sign_in_that_cannot_begin(home: Office) -> None:
    assert home.do("sign-in", "nobody").code == 2
    plain = home.do("sign-in", "plain")
    assert (plain.code, "[customers.plain.autodesk]" in plain.err) == (2, True)
    port = urlsplit(home.settings["customers"]["acme"]["autodesk"]["redirect_url"]).port
    with socket.create_server(("127.0.0.1", port)):
        taken = home.do("sign-in", "acme", "--no-browser")
        assert (taken.code, "--paste" in taken.err) == (2, True)
    clean(taken)


def test_signing_in_again_replaces_what_autodesk_has_ended(home: Office) -> None:
    assert pasted(home, "{answer}\n")[0] == 0
    token_file(home).write_text(
        json.dumps(json.loads(token_file(home).read_text()) | {"refresh_token": "ended"})
    )
    with open_access(home) as made:
        with pytest.raises(CredentialsError, match="no longer accepts the sign-in"):
            made.read(Place(APPLICATION, "app-1", ""))
        assert made.read(Place(TWIN, URN, "")).holders  # two-legged
        with pytest.raises(TargetError, match="somebody must sign in"):
            made.check()
    assert pasted(home, "{answer}\n")[0] == 0
    with open_access(home) as made:
        assert len(made.read(Place(APPLICATION, "app-1", "")).holders) == 5


def test_a_daemon_takes_a_sign_in_made_meanwhile(home: Office) -> None:
    with open_access(home) as made:
        assert not made.keep_alive()
        assert pasted(home, "{answer}\n")[0] == 0
        assert len(made.read(Place(APPLICATION, "app-1", "")).holders) == 5


def test_check_tells_who_is_signed_in(home: Office) -> None:
    home.put(people("ana"), "plain.csv")
    before = home.do("check", "--customer", "acme", "--json")
    [found] = [one for one in before.document["findings"] if one["what"] == "acme: autodesk"]
    assert (before.code, found["exit_code"], found["next"]) == (9, 9, "rosterd sign-in acme")
    assert pasted(home, "{answer}\n")[0] == 0
    after = home.do("check", "--customer", "acme")
    assert after.code == 0, after.said
    assert re.search(r"ok   acme: autodesk: http://\S+: signed in, refreshed 2\d{3}-", after.out)
    assert "autodesk" not in home.do("check", "--customer", "plain").out
