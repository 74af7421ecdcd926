"""A canary in every slot for a secret: whatever the program does, and whatever goes wrong, none of them is shown."""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import canaries
from tests.cli.files import customer
from tests.cli.kit import PATIENCE, Office, switches
from tests.cli.service_kit import free_port, service
from tests.core.autodesk_kit import world
from tests.fakeldap import serving

from rosterd.sandbox import serve
from rosterd.settings.files import WHOLE
from rosterd.settings.shape import Shape, child

# Where each canary stands, and how it looks there. The key of a service account is a file of many lines, which
# the tests of service accounts look for themselves.
HOOK = f"http://127.0.0.1:9/hooks/{canaries.HOOK}?sig=1"
OTHER = f"json://127.0.0.1:9/{canaries.OTHER}"
SLOTS = {
    "orbix.client_secret": canaries.ORBIX,
    "orbix.proxy": f"http://rosterd:{canaries.PROXY}@127.0.0.1:9",
    "console.token": canaries.CONSOLE,
    "notify.mail.password": canaries.MAIL,
    "notify.webhooks.chat.url": HOOK,
    "notify.webhooks.chat.proxy": f"http://rosterd:{canaries.PROXY}@127.0.0.1:9",
    "notify.apprise.other.url": OTHER,
    "customers.acme.sources.hq.bind_password": canaries.DIRECTORY,
    "customers.acme.autodesk.client_secret": canaries.AUTODESK,
    "customers.acme.autodesk.refresh_token": canaries.REFRESH,
    "customers.acme.autodesk.proxy": f"http://rosterd:{canaries.PROXY}@127.0.0.1:9",
    "customers.acme.printers.proxy": f"http://rosterd:{canaries.PROXY}@127.0.0.1:9",
}
PROXIES = ("orbix.proxy", "customers.acme.autodesk.proxy", "customers.acme.printers.proxy")
ELSEWHERE = {"customers.acme.autodesk.service_account.private_key"}


def placed(path: str, value: str | None) -> dict[str, Any]:
    """A tree with one value in it."""
    head, _, rest = path.partition(".")
    return {head: placed(rest, value) if rest else value}


@pytest.fixture
def laden(tmp_path: Path) -> Iterator[Office]:
    """An office all of whose slots are taken. Its directory refuses the password, its notices reach nobody."""
    with serve(switches=switches(), autodesk=world(0)) as server, serving(bind=49) as directory:
        office = Office(tmp_path, server)
        hq = {
            "kind": "ldap", "urls": [directory.url], "base": "dc=acme,dc=example", "allow_cleartext": True,
            "bind_dn": "cn=reader,dc=acme,dc=example", "people": {"logon": "{{ uid }}", "domain": "NDD"},
        }  # fmt: skip
        autodesk = {"client_id": "acme", "base_url": server.url, "applications": ["APP"], "attempts": 2}
        mail = {
            "host": "127.0.0.1",
            "port": 9,
            "user": "rosterd",
            "sender": "a@acme.example",
            "to": ["b@acme.example"],
        }
        office.set(
            console={"listen": f"127.0.0.1:{free_port()}"},
            notify={"mail": mail, "patience": 1, "webhooks": {"chat": {}}, "apprise": {"other": {}}},
        )
        more: dict[str, Any] = {
            "autodesk": autodesk,
            "printers": {"base_url": server.url, "registrations": {"874": {"group": "X"}}},
        }
        office.write(acme=customer(schedule="every 1h", sources={"hq": hq}, precedence=["hr", "hq"], **more))
        for path, value in SLOTS.items():
            office.set(**placed(path, value))
        office.put_text("logon,name,email\nana,Ana,ana@example.com\n")
        yield office


def secret_slots(place: Shape, raw: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every setting that may hold a secret; tables with names of their own as `raw` has them."""
    if place.secret:
        yield ".".join(path)
    elif not place.is_value:
        keys = list(raw) if place.named is not None and isinstance(raw, dict) else list(place.fields(raw))
        for key in keys:
            yield from secret_slots(place.below(key, raw), child(raw, key), (*path, key))


def test_every_slot_has_its_canary(laden: Office) -> None:
    """So that a new one is not forgotten."""
    assert set(secret_slots(WHOLE, laden.settings)) == SLOTS.keys() | ELSEWHERE


VERBS = (
    ("settings", "show"), ("settings", "show", "--json"), ("check",), ("plan",), ("plan", "--json"), ("run", "--once"),
    ("run", "--once", "--json"), ("run", "--once", "-vv"), ("run", "--once", "-vv", "--log-format", "json"),
    ("status",), ("status", "--json"), ("explain", "ana"), ("explain", "ana", "--json"), ("history", "ana"),
    ("report", "--format", "json"), ("leavers",), ("codes",), ("ledger", "verify"),
)  # fmt: skip


@pytest.mark.parametrize("proxied", [False, True])
def test_no_verb_shows_a_canary(laden: Office, proxied: bool) -> None:
    """With everything in reach, and with proxies that nobody runs."""
    for path in () if proxied else PROXIES:
        laden.set(**placed(path, None))
    for verb in VERBS:
        laden.do(*verb)  # which looks for them
    laden.do("ledger", "backup", str(laden.directory / "copy.backup"))


@pytest.mark.parametrize("slot", SLOTS)
def test_no_mistake_in_the_settings_shows_a_canary(laden: Office, slot: str) -> None:
    """Each of them where a number, a table or another name belongs."""
    *table, name = slot.split(".")
    laden.set(**placed(".".join([*table, f"{name}x"]), SLOTS[slot]))
    for place in ("orbix.concurrency", "customers.acme.schedule", "customers.acme.sources.hr.people"):
        kept = laden.settings
        laden.set(**placed(place, SLOTS[slot]))
        assert laden.do("settings", "show").code == 2
        laden.settings = kept


def test_the_service_shows_no_canary(laden: Office) -> None:
    """Its log, while every notice fails, and what its console says to whoever has no token."""
    port = int(laden.settings["console"]["listen"].partition(":")[2])
    with service(laden) as running:
        running.wait("run_ended")
        running.wait("console")
        said = [asked(port, path) for path in ("/healthz", "/readyz", "/api/status", "/metrics", "/")]
        said += [asked(port, path, canaries.CONSOLE) for path in ("/api/status", "/metrics", "/")]
        assert not canaries.leaks("".join(said))
        running.wait("notice_retry", way="chat")
        running.stop()


def asked(port: int, path: str, token: str = "") -> str:
    """What the console answers: head and body."""
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            return f"{answer.getheaders()}{answer.read().decode()}"
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        finally:
            connection.close()


@pytest.mark.parametrize("number", range(len(canaries.CANARIES)))
def test_a_canary_would_be_found_in_any_spelling(number: int) -> None:
    for text in canaries.spellings(canaries.CANARIES[number]):
        assert canaries.leaks(f"a line with {text} in it"), text
        assert canaries.leaks(f"a line with {text} in it".encode()), text
    assert not canaries.leaks("Kanary, canary, quiet")


LEAKING = """
import base64, sys
import pytest
from tests import canaries

def test_prints() -> None:
    print(base64.b64encode(b"app:" + canaries.ORBIX.encode()).decode())

def test_leaves_a_file(tmp_path) -> None:
    (tmp_path / "ledger.db-wal").write_bytes(b"..." + canaries.DIRECTORY.encode())

def test_is_fine() -> None:
    print("Kanary")
"""


def test_the_suite_would_tell(tmp_path: Path) -> None:
    """The plugin at work, on a suite that leaks: in its output, and in a file."""
    suite = tmp_path / "test_leaking.py"
    suite.write_text(LEAKING, encoding="utf-8")
    line = [
        sys.executable, "-m", "pytest", "-p", "tests.canaries", "-c", "/dev/null", "--rootdir", str(tmp_path),
        "--basetemp", str(tmp_path / "base"), "-p", "no:cacheprovider", "-q", str(suite),
    ]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    shutil.rmtree(tmp_path / "base")  # or this very suite would find it
    assert done.returncode == 1 and "1 failed, 2 passed" in done.stdout, done.stderr
    assert "canaries in what the test has captured" in done.stdout and "ledger.db-wal" in done.stdout


ROOT = Path(__file__).parents[2]
