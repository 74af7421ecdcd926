"""One customer, a sandbox and the command line, for tests of what befalls the ledger's file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kill.checks import converged
from tests.kill.company import Company, settings
from tests.kill.programs import ENVIRONMENT
from tests.kill.tracing import small
from tests.kill.witness import Journal

from rosterd.sandbox import Faults, Server, Switches, World, serve

SIDES = ("", "-wal", "-shm", ".lock")


class Site:
    """A directory with settings, sources and a ledger, and the sandbox that it delivers to."""

    def __init__(self, directory: Path, server: Server, journal: Path) -> None:
        self.directory, self.server, self.accepted = directory, server, journal
        self.ledger = directory / "ledger.db"
        self.config = directory / "rosterd.toml"
        self.configure()
        self.company(small(1))

    def configure(self, **changes: str) -> None:
        """Writes the settings; `changes` are texts to replace, `ledger=` names the ledger's file."""
        text = settings(self.server.base_url, self.server.token_url, "additive", ["acme"])
        text = text.replace("ledger.db", changes.get("ledger", "ledger.db"))
        text = text.replace('tenant = "sandbox"', f'tenant = "{changes.get("tenant", "sandbox")}"')
        self.config.write_text(text, encoding="utf-8")
        self.config.chmod(0o600)

    def company(self, company: Company) -> None:
        self.wanted = company
        company.write(self.directory)

    def command(self, *arguments: str, before: Sequence[str] = ()) -> list[str]:
        return [*before, sys.executable, "-m", "rosterd", *arguments, "--config", str(self.config)]

    def call(
        self, *arguments: str, before: Sequence[str] = (), **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """`rosterd ARGUMENTS`, after what stands in `before` (another program that starts it)."""
        return subprocess.run(
            self.command(*arguments, before=before), env={**os.environ, **ENVIRONMENT}, capture_output=True,
            text=True, timeout=60, check=False, **options,
        )  # fmt: skip

    def run(self, **options: Any) -> dict[str, Any]:
        """`rosterd run --once --json`; the document's exit code is the process's."""
        done = self.call("run", "--once", "--json", "--quiet", **options)
        assert done.stdout, (done.returncode, done.stderr)
        document: dict[str, Any] = json.loads(done.stdout)
        assert document["exit_code"] == done.returncode
        document["said"] = str(document["customers"]["acme"]["reason"])
        return document

    def requests(self) -> int:
        """API requests so far, those for tokens included: nothing may be asked for in vain."""
        return len(self.server.world.requests)

    def in_step(self) -> list[str]:
        """What is wrong with directory, ledger and target after a whole run."""
        journal = Journal(self.accepted)
        journal.read()
        return converged(self.ledger, journal, [self.wanted])

    def files(self) -> dict[str, bytes]:
        """Every file beside the ledger and its bytes, the lock left out."""
        found = sorted(self.directory.glob(f"{self.ledger.name}*"))
        return {path.name: path.read_bytes() for path in found if path.suffix != ".lock"}

    def put(self, ledger: bytes) -> None:
        """Puts other bytes in the ledger's place, with nothing beside them but the lock."""
        for side in SIDES[1:3]:
            Path(f"{self.ledger}{side}").unlink(missing_ok=True)
        self.ledger.write_bytes(ledger)
        self.ledger.chmod(0o600)


@contextmanager
def open_site(directory: Path, *, delivered: bool = True, faults: Faults | None = None) -> Iterator[Site]:
    """A site; `delivered`: after a first run."""
    directory.mkdir(mode=0o700, exist_ok=True)
    journal = directory / "accepted"
    world = World(journal)
    try:
        with serve(world=world, switches=Switches(), faults=faults) as server:
            site = Site(directory, server, journal)
            if delivered:
                assert site.run()["exit_code"] == 3  # one record is set aside
            yield site
    finally:
        world.close()


def duplicated(site: Site, directory: Path) -> Site:
    """The same site once more, in another directory, at the same sandbox."""
    shutil.copytree(site.directory, directory)
    again = Site(directory, site.server, site.accepted)
    again.company(site.wanted)
    return again
