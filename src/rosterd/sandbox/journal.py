"""The journal: one JSON line for everything accepted, handed to the kernel before it is answered.

A test that kills its client, or this service, reads from it what the target had accepted by then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from rosterd.sandbox.autodesk.holding import FIELDS as AUTODESK_FIELDS
from rosterd.sandbox.rules import Event

# The fields of each kind of event, in the order they have in the event.
FIELDS: dict[str, tuple[str, ...]] = {
    "user": ("logon", "domain", "name", "email"),
    "grouping": ("name", "description"),
    "seat": ("grouping", "user"),
    "user_gone": ("user",),
    "grouping_gone": ("grouping",),
    "seat_gone": ("grouping", "user"),
    "cleared": (),
    **AUTODESK_FIELDS,
}


def line(tenant: str, client: str, event: Event) -> str:
    """One event as a JSON line; fields that were not sent are left out."""
    fields = {
        name: value for name, value in zip(FIELDS[event[0]], event[1:], strict=True) if value is not None
    }
    return json.dumps({"kind": event[0], "tenant": tenant, "client": client, **fields}) + "\n"


class Journal:
    """A file that is only ever appended to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def read(self) -> Iterator[tuple[str, str, Event]]:
        """(tenant, client, event) for every whole line; a line that a kill cut short is removed."""
        whole = 0
        with self._path.open("rb") as file:
            for raw in file:
                if not raw.endswith(b"\n"):
                    os.ftruncate(self._file, whole)
                    return
                whole += len(raw)
                entry = json.loads(raw)
                kind = entry["kind"]
                yield entry["tenant"], entry["client"], (kind, *(entry.get(name) for name in FIELDS[kind]))

    def write(self, tenant: str, client: str, events: Sequence[Event]) -> None:
        """Hands the lines to the kernel: from here on a kill of this process does not lose them."""
        data = memoryview("".join([line(tenant, client, event) for event in events]).encode())
        while data:
            data = data[os.write(self._file, data) :]

    def close(self) -> None:
        """Closes the file."""
        os.close(self._file)
