"""How the console's pages are made: templates in which every value is escaped, and files whose names have a hash.

Nothing of a page comes from elsewhere, no script and no style stands in it, and no value is ever part of one.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from rosterd.reports.shown import shown
from rosterd.words import ago

_STYLES = (
    ("rosterd.reports", "vendor/uplot/uPlot.min.css"),
    ("rosterd.reports", "templates/report.css"),
    ("rosterd.daemon", "static/console.css"),
)
_SCRIPTS = (
    ("rosterd.reports", "vendor/uplot/uPlot.iife.min.js"),
    ("rosterd.reports", "templates/chart.js"),
    ("rosterd.daemon", "static/console.js"),
)
_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A file that a page asks for. name: with a hash of what is in it, so that a browser may keep it for ever."""

    name: str
    kind: str
    body: bytes


@cache
def assets() -> dict[str, Asset]:
    """By the name they go by in templates."""
    found = {}
    for name, parts in (
        ("console.css", _STYLES),
        ("console.js", _SCRIPTS),
        ("icon.svg", (("rosterd.daemon", "static/icon.svg"),)),
    ):
        text = "\n".join(files(package).joinpath(part).read_text(encoding="utf-8") for package, part in parts)
        body = text.encode()
        stem, _, ending = name.partition(".")
        hashed = f"{stem}-{hashlib.sha256(body).hexdigest()[:16]}.{ending}"
        found[name] = Asset(hashed, _KINDS[ending], body)
    return found


def asset(name: str) -> Response | None:
    """A file by its whole name; None when there is none."""
    for one in assets().values():
        if one.name == name:
            kept = {"cache-control": "public, max-age=31536000, immutable", "content-type": one.kind}
            return Response(one.body, headers=kept)
    return None


def render(template: str, code: int = 200, **values: Any) -> HTMLResponse:
    """A page."""
    return HTMLResponse(_engine().get_template(template).render(**values), code)


def calm(request: Request, status: int, title: str, text: str, step: str = "") -> Response:
    """What went wrong: a plain page for people, JSON for programs."""
    if wants_page(request):
        return render("plain.html", status, title=title, text=text, step=step)
    more = {"next": step} if step else {}
    body = json.dumps({"error": text, **more}, ensure_ascii=False)
    return Response(body, status, media_type="application/json")


def wants_page(request: Request) -> bool:
    """Whether a browser asks for something to show."""
    path = request.url.path
    return "text/html" in request.headers.get("accept", "") and not path.startswith(("/api/", "/metrics"))


@cache
def _engine() -> Environment:
    engine = Environment(
        loader=PackageLoader("rosterd.daemon"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    engine.filters.update(
        shown=_shown, number="{:,}".format, ago=ago, iso=_iso, moment=_moment, point=_point, data=_data
    )
    engine.globals["file"] = lambda name: f"/static/{assets()[name].name}"
    return engine


def _shown(value: object, longest: int = 300) -> str:
    return shown(str(value), longest)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _moment(seconds: float) -> str:
    found = datetime.fromtimestamp(seconds, UTC)
    return f"{found.day} {found:%b %Y, %H:%M} UTC"


def _point(text: str | None) -> float | None:
    """The seconds since 1970 of ISO 8601 text."""
    return datetime.fromisoformat(text).timestamp() if text else None


def _data(value: object) -> str:
    """For an attribute that a script reads."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
