"""Starting the programs of this folder, and a place for their files that is quick to sync."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
MEMORY = Path("/dev/shm")
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}


@contextmanager
def quick_place() -> Iterator[Path]:
    """A directory in memory where there is one: a kill loses nothing that was handed to the kernel."""
    with TemporaryDirectory(
        prefix="rosterd-kill-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None
    ) as name:
        yield Path(name)


def program(module: str, *arguments: object, timeout: float = 900) -> dict[str, Any]:
    """The JSON document of `python -m tests.kill.MODULE`."""
    command = [sys.executable, "-m", f"tests.kill.{module}", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    found["said"] = done.stderr
    return found
