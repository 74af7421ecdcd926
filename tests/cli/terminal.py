"""The program on a pseudo-terminal: what it draws, and what it asks."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping, Sequence

from tests.cli.kit import PATIENCE, PROGRAM, Office, Result, clean, environment


def on_terminal(
    office: Office,
    *arguments: str,
    answers: Sequence[tuple[str, str]] = (),
    env: Mapping[str, str] | None = None,
) -> Result:
    """Runs a command with all its streams on one terminal; types each answer when its question appears."""
    master, slave = pty.openpty()
    more = {"ROSTERD_CONFIG": str(office.config), "TERM": "xterm", **(env or {})}
    try:
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment(), **more},
            cwd=office.directory,
        )
    finally:
        os.close(slave)
    try:
        out = _talk(master, list(answers))
        code = process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return clean(Result(code, out, ""), office.tokens())


def _talk(master: int, answers: list[tuple[str, str]]) -> str:
    """Everything drawn until the program has ended."""
    out, end = "", time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if not select.select([master], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux says EIO when the last one has closed the other side
            return out
        if not part:
            return out
        out += part.decode("utf-8", "replace")
        if answers and answers[0][0] in out:
            os.write(master, answers.pop(0)[1].encode() + b"\n")
    raise AssertionError(f"did not end: {out}")
