"""Pictures of the report for a human eye, in light and dark, wide and narrow; kept where $ROSTERD_PICTURES says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.real.browser import company
from tests.real.browser.kit import Opened, pictures


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_pictures(show: Callable[..., Opened], tmp_path: Path, scheme: str, width: int) -> None:
    folder = pictures(tmp_path)
    for name, report in {
        "report": company.everyday(),
        "incomplete": company.everyday(whole=False),
        "first": company.empty(),
    }.items():
        opened = show(report, color_scheme=scheme, viewport={"width": width, "height": 900})
        page = opened.page
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (
            "the page is wider than the screen"
        )
        page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True, animations="disabled")
        if name == "report":
            opened.go("#person/NDD//bruno.13")
            page.screenshot(path=folder / f"person-{scheme}-{width}.png", animations="disabled")
    assert len(list(folder.glob(f"*-{scheme}-{width}.png"))) == 4
