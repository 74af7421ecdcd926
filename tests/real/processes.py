"""Servers as processes: how they are ended."""

from __future__ import annotations

import subprocess


def ended(process: subprocess.Popen[bytes], seconds: float = 10.0) -> None:
    """Asks a server to end, and kills one that has not after so many seconds."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()
