"""The order of the tests; what they share lies in the folders that use it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["tests.canaries"]
HERE = Path(__file__).parent
LONG = ["kill", "real", "cli"]  # folders whose tests take longest, the longest first


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the long tests first, so that two workers end at about the same time.

    The Makefile deals the tests out file by file: so a server that a file needs is started once, and two kill
    tests of a file never run at the same time.
    """
    items.sort(key=lambda item: [*LONG, _folder(item)].index(_folder(item)))


def _folder(item: pytest.Item) -> str:
    """The folder directly under tests/."""
    return item.path.relative_to(HERE).parts[0]
