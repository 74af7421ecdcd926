"""An office whose customer has applications, twins and a 3D printer at the pretend Autodesk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.files import customer, groups_file, limit, people
from tests.cli.kit import Office, switches
from tests.core.autodesk_kit import REFRESH, TWIN, collaborator, world

from rosterd.sandbox import serve

AUTODESK = {
    "client_id": "acme",
    "client_secret": "word-of-acme",
    "refresh_token": REFRESH,
    "applications": ["APP"],
    "twins": [TWIN],
    "requests_per_second": 0,
    "attempts": 2,
}


def document() -> dict[str, Any]:
    """USER0 is ana, an owner; USER1 carlos, also in the twin; somebody foreign; and a printer."""
    made = world(0)
    made["clients"]["acme"]["secret"] = "word-of-acme"
    made["applications"]["APP"]["collaborators"] = [
        collaborator(0, email="ANA@example.com"),
        collaborator(1, email="carlos@example.com"),
        collaborator(2, email="mallory@elsewhere.example", accessLevel="EDITOR"),
    ]
    return made


@contextmanager
def elsewhere(tmp_path: Path) -> Iterator[Office]:
    """Five people, two of them in the group whose members are registered with the printer."""
    with serve(switches=switches(), autodesk=document()) as server:
        office = Office(tmp_path, server)
        printers = {"base_url": server.url, "registrations": {"874": {"group": "Makers"}}}
        office.write(
            acme=customer(
                sources={"hr": {"groups": groups_file("groups.csv")}},
                guards={"leavers": limit(count=3), "member_loss": limit(count=3)},
                autodesk={**AUTODESK, "base_url": server.url},
                printers=printers,
            )
        )
        office.put(people("ana", "bruno", "carlos", "dora", "egon"))
        office.put_groups([("Makers", "They may print in 3D", logon) for logon in ("ana", "bruno")])
        yield office
