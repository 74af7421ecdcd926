"""What every HTML report carries besides its data: styles, programs, and the policy that lets in only them.

A browser runs an inline script, or applies an inline style, when the policy names the SHA-256 of exactly the text
between its tags (Content Security Policy Level 3, section 6.7.3.3). Data lie in elements of type application/json,
which no browser runs.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_STYLES = (
    "vendor/tabulator/tabulator_simple.min.css",
    "vendor/uplot/uPlot.min.css",
    "templates/report.css",
    "templates/tables.css",
    "templates/print.css",
)
_VENDORED = ("vendor/tabulator/tabulator.min.js", "vendor/uplot/uPlot.iife.min.js")
# In the order they build on each other; the last one starts them.
_OWN = ("text", "data", "search", "columns", "tables", "person", "chart", "trend", "print", "start")


class Assets(NamedTuple):
    """Texts to put between <style> and <script>, as they are; the policy for a <meta> element; others' licences."""

    styles: tuple[str, ...]
    scripts: tuple[str, ...]
    policy: str
    licences: tuple[str, ...]


@cache
def assets() -> Assets:
    """The styles and scripts of the package, read once."""
    styles = tuple(_read(name) for name in _STYLES)
    own = "\n".join(_read(f"templates/{name}.js") for name in _OWN)
    scripts = (*(_read(name) for name in _VENDORED), own)
    for text in (*styles, *scripts):
        if "</script" in text.lower() or "</style" in text.lower():
            raise ValueError("a style or script ends its own element")
    licences = (_read("vendor/tabulator/LICENSE"), _read("vendor/uplot/LICENSE"))
    return Assets(styles, scripts, policy(styles, scripts), licences)


def policy(styles: tuple[str, ...], scripts: tuple[str, ...]) -> str:
    """A policy that allows these styles and scripts, and neither a request, a frame, a form nor anything else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_source, scripts))}",
            f"style-src {' '.join(map(_source, styles))}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _read(name: str) -> str:
    # A browser hashes a script after turning CR LF into LF; ours have no CR, and reading as text sees to it.
    return files(__package__).joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
