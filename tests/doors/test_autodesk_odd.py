"""Odd but honest answers of Autodesk's: links relative to their page, errors where people should be, tokens refused."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urljoin

import pytest
from tests.doors.autodesk_kit import (
    APP,
    OTHER_APP,
    TWIN_PLACE,
    aimed,
    answer,
    collaborator,
    page,
    refreshed,
)
from tests.doors.scripted import Play, Scripted, http

from rosterd.errors import CredentialsError, TargetError

HERE = "/applications/v1/clients/app-1/collaborators"


@pytest.mark.parametrize("link", ["?cursor=2", "collaborators?cursor=2", "./collaborators?cursor=2#top"])
@pytest.mark.parametrize("prefix", ["", "/aps/gateway"])
def test_a_link_is_relative_to_the_page_that_holds_it(tmp_path: Path, link: str, prefix: str) -> None:
    """RFC 3986, 5.2."""
    with Scripted([], []) as server, aimed(f"{server.url}{prefix}", tmp_path) as aim:
        server.plays = [refreshed(), page(collaborator(1), next_url=link), page(collaborator(2))]
        if not prefix:  # the token server is scripted apart from the places, at the root
            server.tokens, server.plays = server.plays[:1], server.plays[1:]
        found = aim.access.read(APP)
    assert [holder.subject for holder in found.holders] == ["ID1", "ID2"]
    assert urljoin(server.url, server.seen[-1].path) == f"{server.url}{prefix}{HERE}?cursor=2"


def test_a_link_elsewhere_is_told_with_its_port(tmp_path: Path) -> None:
    """The host alone may be the same."""
    with Scripted([], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        server.plays = [page(next_url=f"http://somebody@127.0.0.1:9{HERE}")]
        with pytest.raises(TargetError, match=r"leads elsewhere, to http://127\.0\.0\.1:9$"):
            aim.access.read(APP)


@pytest.mark.parametrize("body", [{"error": {"message": "No twin"}}, {"fault": {}}, {"errors": {}}])
def test_an_error_in_place_of_people_is_nobody(tmp_path: Path, body: dict[str, object]) -> None:
    with Scripted([answer(body)], [refreshed()]) as server, aimed(server, tmp_path) as aim:
        with pytest.raises(TargetError, match="it describes an error"):
            aim.access.read(TWIN_PLACE)
        server.plays = [answer({"error": {"name": "A user of this id"}, "U1": {}})]
        assert len(aim.access.read(TWIN_PLACE).holders) == 2


def test_a_fresh_token_that_was_refused_is_not_renewed_for_every_place(tmp_path: Path) -> None:
    """Each renewal spends a refresh token, and none of them would fare better."""
    tokens = [refreshed(number) for number in (2, 3, 4)]
    with Scripted([Play(http(401))], tokens) as server, aimed(server, tmp_path) as aim:
        for place in (APP, OTHER_APP, APP):
            with pytest.raises(CredentialsError, match="401"):
                aim.access.read(place)
        assert (len(server.token_requests), len(server.seen)) == (2, 4)
        server.plays = [page(collaborator(1))]  # whoever is let in meanwhile is let in at once
        assert len(aim.access.read(APP).holders) == 1
        aim.time.seconds += 61  # after a minute a token is renewed again: somebody may have signed in anew
        server.plays = [*[Play(http(401))] * (len(server.seen) + 1), page(collaborator(1))]
        assert len(aim.access.read(APP).holders) == 1
        assert len(server.token_requests) == 3


def test_a_token_that_nobody_signed_in_for_is_not_mended_by_a_sign_in(tmp_path: Path) -> None:
    with (
        Scripted([Play(http(401))], [refreshed(2), refreshed(3)]) as server,
        aimed(server, tmp_path, signed_in=False) as aim,
        pytest.raises(CredentialsError) as caught,
    ):
        aim.access.read(TWIN_PLACE)
    assert "sign-in" not in caught.value.hint
