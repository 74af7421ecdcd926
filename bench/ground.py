"""What a measured run stands on: a sandbox in another process, and a directory with settings, files and a ledger."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.measure import ROOT, Broken, Usage, python

_SETTINGS = """\
[ledger]
url = "sqlite:///ledger.db"
[orbix]
base_url = {base_url}
token_url = {token_url}
tenant = "sandbox"
client_id = "sandbox"
client_secret = "sandbox"
requests_per_second = 0
membership = "additive"
"""
_CUSTOMER = """\
[customers.{name}]
client = "{name}"
[customers.{name}.guards]
first_run = "go"
updates = {{ percent = 100 }}
"""
_FILE = """\
[customers.{name}.sources.hr]
kind = "csv"
path = "{name}.csv"
settle = "0s"
[customers.{name}.sources.hr.people]
id = "{{{{ id }}}}"
logon = "{{{{ logon }}}}"
domain = "NDD"
name = "{{{{ name }}}}"
email = "{{{{ email }}}}"
"""
_GROUPS = """\
[customers.{name}.sources.hr.groups]
path = "{name}-groups.csv"
name = "{{{{ group }}}}"
description = "{{{{ description }}}}"
member = "{{{{ logon }}}}"
"""


@dataclass(frozen=True)
class Sandbox:
    """The pretend Orbix as seen from outside."""

    port: int
    base_url: str
    token_url: str

    def requests(self) -> list[dict[str, Any]]:
        """All requests it got for people or groupings since it was last cleared, in order."""
        return [entry for entry in self._ask("GET", "requests") if entry["path"].endswith("/users")]

    def clear(self) -> None:
        """Forgets everything it holds, and which requests it got."""
        self._ask("DELETE", "state")

    def _ask(self, method: str, what: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, f"/_sandbox/{what}")
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status not in (200, 204):
            raise Broken(f"the sandbox answered {answer.status} to {method} {what}")
        return json.loads(body) if body else None


@contextmanager
def sandbox() -> Iterator[Sandbox]:
    """A sandbox in a process of its own, for as long as the block lasts."""
    command = [sys.executable, "-m", "rosterd.sandbox", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT / "src") as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline() or "null")
            if ready is None:
                raise Broken("the sandbox did not start")
            yield Sandbox(ready["port"], ready["base_url"], ready["token_url"])
        finally:
            process.terminate()


@dataclass(frozen=True)
class Site:
    """One directory with the settings of some customers; their files are NAME.csv and NAME-groups.csv.

    With `source`, the settings of another source stand in place of the files.
    """

    directory: Path
    sandbox: Sandbox
    customers: Sequence[str] = ("acme",)
    groups: bool = False
    source: str = ""
    command: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.directory.mkdir()
        config = self.directory / "rosterd.toml"
        urls = {
            "base_url": json.dumps(self.sandbox.base_url),
            "token_url": json.dumps(self.sandbox.token_url),
        }
        parts = [_SETTINGS.format(**urls)]
        for name in self.customers:
            parts.append(_CUSTOMER.format(name=name) + (self.source or _FILE.format(name=name)))
            parts.append(_GROUPS.format(name=name) if self.groups else "")
        config.write_text("".join(parts), encoding="utf-8")
        config.chmod(0o600)
        command = ["-m", "rosterd", "run", "--once", "--quiet", "--json", "--config", str(config)]
        object.__setattr__(self, "command", command)

    def people(self, name: str = "acme") -> Path:
        return self.directory / f"{name}.csv"

    def memberships(self, name: str = "acme") -> Path:
        return self.directory / f"{name}-groups.csv"

    def anew(self) -> None:
        """Forgets what was delivered, on both sides."""
        for file in self.directory.glob("ledger.db*"):
            file.unlink()
        self.sandbox.clear()

    def run(self, **expected: int) -> Usage:
        """A whole run. Raises Broken unless it ends 0 and the first customer's people count as expected."""
        usage = python(*self.command)
        counts = json.loads(usage.out)["customers"][self.customers[0]]["people"]
        for bucket, count in expected.items():
            if counts[bucket] != count:
                raise Broken(f"{counts[bucket]:,} people {bucket} where {count:,} were expected")
        return usage


@dataclass(frozen=True)
class Setup:
    """What every measurement is given: `room` is for its files; sizes are divided by `divisor`."""

    sandbox: Sandbox
    room: Path
    runs: int
    divisor: int = 1

    def size(self, count: int) -> int:
        """A size as it is to be measured now."""
        return max(1, count // self.divisor)
