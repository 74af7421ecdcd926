"""What systemd is told, on the socket that it names: sd_notify(3), without its library."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

READY, STOPPING, WATCHDOG = "READY=1", "STOPPING=1", "WATCHDOG=1"


class Systemd:
    """The service manager, or nobody when the process was not started by one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address  # an abstract socket
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "")
        self.interval = (
            int(usec) / 2e6 if mine and usec.isdigit() and int(usec) else None
        )  # seconds: half of what it allows
        self._petted, self._status = float("-inf"), ""

    def say(self, *lines: str) -> None:
        """Sends state lines such as READY=1. A manager that does not listen is no error."""
        if not self._address:
            return
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.sendto("\n".join(lines).encode(), self._address)

    def status(self, text: str) -> None:
        """One line for `systemctl status`; sent when it changes."""
        if text != self._status:
            self._status = text
            self.say(f"STATUS={text}")

    def reloading(self) -> None:
        """READY=1 says when it is over."""
        self.say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000}")

    def alive(self) -> None:
        """Keeps the watchdog calm; more often than it asks for is not needed."""
        now = time.monotonic()
        if self.interval is not None and now - self._petted >= self.interval:
            self._petted = now
            self.say(WATCHDOG)
