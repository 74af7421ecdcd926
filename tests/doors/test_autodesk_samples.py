"""The vendor's own examples, as files, read by the client; the sandbox's tests answer with the same files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.core.sandbox_kit import sample
from tests.doors.autodesk_kit import APP, TWIN_PLACE, URN, aimed, answer, page, refreshed
from tests.doors.scripted import Scripted

from rosterd.core.access import Holder
from rosterd.core.outcome import Issued
from rosterd.errors import TargetError

ADA = Holder(
    "389JJQ8PJSMJ", "Ada Lovelace", "ada.lovelace@example.com", "VIEWER", since="2019-01-01T00:00:00Z"
)
GROUP = "urn:adsk.dtg:ysqziKwTSCejQaUVfqj32Q"


def collaborators(link: str) -> dict[str, Any]:
    """The example, whose links are the vendor's, with a link of the server's own to the next page."""
    found: dict[str, Any] = sample("aps-get-collaborators.answer-200")
    found["pagination"]["nextUrl"] = link
    return found


def test_collaborators(tmp_path: Path) -> None:
    with Scripted([], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        link = f"{server.url}/applications/v1/clients/app-1/collaborators?limit=100&cursor=2"
        server.plays = [answer(collaborators(link)), page()]
        assert aim.access.read(APP).holders == [ADA]
    assert len(server.seen) == 2


def test_the_example_s_link_leads_elsewhere_and_is_not_followed(tmp_path: Path) -> None:
    example = sample("aps-get-collaborators.answer-200")
    with (
        Scripted([answer(example)], [refreshed()]) as server,
        aimed(server, tmp_path) as aim,
        pytest.raises(TargetError, match=r"developer\.api\.autodesk\.com"),
    ):
        aim.access.read(APP)
    assert len(server.seen) == 1


def test_twin_users(tmp_path: Path) -> None:
    example = sample("tandem-get-twin-users.answer-200")
    with Scripted([answer(example)], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        found = aim.access.read(TWIN_PLACE).holders
    assert [(one.subject, one.name, one.level, one.via) for one in found] == [
        ("116966059401837", "Fred Flintstone", "Manage", GROUP),
        ("200808200459915", "Barney Rubble", "Manage", ""),
        ("200903140902524", "Wilma Flintstone", "Manage", ""),
        ("3Q56PRM475W4", "Betty Rubble", "Manage", GROUP),
        ("4U52ZSTSPNS2NES9", "Pebbles", "Manage", ""),
        ("7NL26GEXJUJL7RDG", "Bam Bam", "Manage", ""),
    ]
    assert server.seen[0].path == f"/tandem/v1/twins/{URN}/users"


def test_a_registration(tmp_path: Path) -> None:
    wanted = sample("printers-post-secondary-registration.request")
    example = sample("printers-post-secondary-registration.answer-200")
    with (
        Scripted([], [refreshed()]) as autodesk,
        Scripted([answer(example)]) as gateway,
        aimed(autodesk, tmp_path, printers=gateway.url) as aim,
    ):
        assert aim.access.printers is not None
        result = aim.access.printers.register("874", wanted["secondary_member_email"])
    assert result == Issued("MCYPRP", "2016-05-17T11:42:16")
    assert json.loads(gateway.seen[0].body) == wanted
