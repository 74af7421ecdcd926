"""What the tests of the command line share: an office with settings and files, a sandbox, and the program.

Every output passes `_clean`: no traceback, no secret in any spelling, one document where one is promised.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from tests import canaries
from tests.cli.files import GROUPS_HEAD, PEOPLE_HEAD, Row, csv_text, merged, toml
from tests.cli.shapes import OUTCOME_OF, PLAN, RUN, misfits, unbalanced
from typer.testing import CliRunner

from rosterd.cli import app
from rosterd.sandbox import Credential, Fault, Server, Switches, fault

TENANT, CLIENT_ID = "provider-one", "sync-app"
SECRET = canaries.ORBIX
CREDENTIAL = Credential(TENANT, CLIENT_ID, SECRET)
PROGRAM = [sys.executable, "-m", "rosterd"]
PATIENCE = 30.0  # seconds a process gets before it counts as hung


@dataclass(frozen=True)
class Result:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Everything a person sees."""
        return self.out + self.err


def spellings(secret: str) -> Iterator[str]:
    """The ways in which a secret could leak."""
    yield secret
    yield secret[:8]
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    for text in (secret, f"{CLIENT_ID}:{secret}"):
        for shift in range(3):  # base64 reads in threes, so a secret within a text has three spellings
            coded = base64.b64encode(b"\0" * shift + text.encode()).decode()
            yield coded[4:].rstrip("=")[:-2]


SPELLINGS = tuple(dict.fromkeys(spellings(SECRET)))


def clean(result: Result, tokens: Iterable[str] = ()) -> Result:
    """The result, when it shows neither a traceback nor a secret."""
    for stream in (result.out, result.err):
        assert "Traceback" not in stream, stream
        leaks = [text for text in (*SPELLINGS, *tokens) if text in stream] + canaries.leaks(stream)
        assert not leaks, f"{leaks} in {stream}"
    return result


@dataclass
class Office:
    """A directory with settings and files, and the pretend Orbix they point at."""

    directory: Path
    server: Server
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.directory / "rosterd.toml"

    @property
    def ledger(self) -> Path:
        return self.directory / "ledger.db"

    def write(self, **customers: Any) -> None:
        """Writes settings for these customers; call `set` before for more."""
        orbix = {
            "base_url": self.server.base_url,
            "token_url": self.server.token_url,
            "tenant": TENANT,
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "requests_per_second": 0,
            "attempts": 2,
            "timeout": "5s",
        }
        self.settings = merged({"orbix": orbix, "customers": customers}, self.settings)
        self.save()

    def set(self, **more: Any) -> None:
        """Changes settings and writes them."""
        self.settings = merged(self.settings, more)
        if "customers" in self.settings:
            self.save()

    def save(self) -> None:
        self.config.write_text(toml(self.settings), encoding="utf-8")
        self.config.chmod(0o600)

    def put(self, rows: Iterable[Row], name: str = "acme.csv", head: Row = PEOPLE_HEAD) -> Path:
        """Replaces a people file, as an export does: written aside, then renamed."""
        return self.put_text(csv_text(head, rows), name)

    def put_groups(self, rows: Iterable[Row], name: str = "groups.csv") -> Path:
        return self.put(rows, name, GROUPS_HEAD)

    def put_text(self, text: str | bytes, name: str = "acme.csv") -> Path:
        path = self.directory / name
        draft = path.with_name(name + ".new")
        draft.write_bytes(text.encode() if isinstance(text, str) else text)
        draft.replace(path)
        return path

    def fault(self, kind: str, **settings: Any) -> Fault:
        """Sets a fault and hands it out, so that its hits can be counted."""
        found = fault(kind, **settings)
        self.server.faults.add(found)
        return found

    def calm(self) -> None:
        self.server.faults.clear()

    # the program

    def do(
        self, *arguments: str, given: str = "", env: Mapping[str, str] | None = None, bare: bool = False
    ) -> Result:
        """A command in this process; `bare`: without `--config`."""
        line = [*arguments] if bare else [*arguments, "--config", str(self.config)]
        with _handlers_kept():
            # What is in the tests' own environment is no setting of the office's.
            given_env = {name: None for name in os.environ if name not in environment()} | dict(env or {})
            result = CliRunner().invoke(app, line, input=given, env=given_env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return clean(Result(result.exit_code, result.stdout, result.stderr), self.tokens())

    def process(self, *arguments: str, **options: Any) -> Result:
        """A command as a process of its own, to its end."""
        with self.started(*arguments, **options) as process:
            out, err = process.communicate(timeout=PATIENCE)
        return clean(Result(process.returncode, out, err), self.tokens())

    @contextmanager
    def started(
        self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> Iterator[subprocess.Popen[str]]:
        """A command as a running process, killed at the end if need be."""
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(
            [*PROGRAM, *arguments],
            text=True,
            env={**environment(), "ROSTERD_CONFIG": str(self.config), **(env or {})},
            **({"cwd": self.directory} | streams | options),
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def run(self, *more: str, code: int | None = None) -> dict[str, Any]:
        """`run --once --json`: the document, checked in itself; `code`: what it must end with."""
        result = self.do("run", "--once", "--json", *more)
        return checked_run(result, code)

    def one(self, *more: str, code: int | None = None, name: str = "acme") -> dict[str, Any]:
        """The part of one customer of a run's document."""
        found: dict[str, Any] = self.run(*more, code=code)["customers"][name]
        return found

    def plan(self, *more: str, code: int | None = None, name: str = "acme") -> dict[str, Any]:
        """`plan --json`, checked: the part of one customer."""
        result = self.do("plan", "--json", *more)
        assert code is None or result.code == code, result.said
        assert not misfits(result.document, PLAN), misfits(result.document, PLAN)
        found: dict[str, Any] = result.document["customers"][name]
        assert not unbalanced(found), unbalanced(found)
        return found

    # what the pretend Orbix holds

    def users(self, client: str = "ACME") -> dict[str, dict[str, str]]:
        return self.server.world.users(client, TENANT)

    def members(self, client: str = "ACME") -> dict[str, list[str]]:
        return self.server.world.members(client, TENANT)

    def times(self, client: str = "ACME") -> dict[str, int]:
        return self.server.world.times(client, TENANT)

    def requests(self, path: str = "/v1/") -> list[dict[str, Any]]:
        """The requests that arrived at a path (a part of it), oldest first."""
        with self.server.world.lock:
            return [entry for entry in self.server.world.requests if path in entry["path"]]

    def forget_requests(self) -> None:
        with self.server.world.lock:
            self.server.world.requests.clear()

    def tokens(self) -> list[str]:
        """The tokens that are out; none of them may be shown."""
        return list(self.server.world.tokens._lives)


def environment() -> dict[str, str]:
    """The tests' own environment without what concerns the program."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("ROSTERD_", "NO_COLOR"))
    }


def checked_run(result: Result, code: int | None = None) -> dict[str, Any]:
    """A run's document when it is as the manual says: shape, sums, codes, and nothing beside it."""
    document: dict[str, Any] = result.document
    assert code is None or result.code == code, result.said
    assert document["exit_code"] == result.code, result.said
    assert not misfits(document, RUN), misfits(document, RUN)
    for part in document["customers"].values():
        assert not unbalanced(part), unbalanced(part)
        assert part["outcome"] == OUTCOME_OF.get(part["exit_code"], "failed"), part
        assert part["exit_code"] == 0 or part["exit_code"] == 3 or part["reason"], part
    return document


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """A run sets signal handlers of its own; the tests' are put back."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    kept = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in zip(numbers, kept, strict=True):
                signal.signal(number, handler)


def switches(**more: Any) -> Switches:
    """Switches of a sandbox that knows our credentials."""
    return Switches(credentials=(CREDENTIAL,), **more)
