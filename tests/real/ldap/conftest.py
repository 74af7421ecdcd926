"""What most tests of following begin with; the others have a server of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.real.ldap.follow_kit import telling
from tests.real.slapd import Slapd


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    """A small company on an OpenLDAP server that tells its changes."""
    with telling(tmp_path_factory.mktemp("slapd") / "server") as server:
        yield server
