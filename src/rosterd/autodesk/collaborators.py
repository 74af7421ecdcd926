"""The collaborators of one application: every page, from the configured origin only (APS, "Get All Collaborators")."""

from __future__ import annotations

from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from rosterd.autodesk import wire
from rosterd.autodesk.client import Service
from rosterd.bearer import Bearer
from rosterd.core.access import Holder, Snapshot
from rosterd.errors import TargetError

LIMIT = 100  # people a page; the largest that Autodesk allows is not documented
MOST_PAGES = 1000
_TOTALS = ("totalResults", "total", "totalCount")


def read_collaborators(service: Service, application: str, bearer: Bearer) -> Snapshot:
    """Everybody, whole. Raises TargetError naming the application, CredentialsError or Stopped.

    Not consistent: somebody stood on two pages, or the totals moved or do not fit: it changed while it was read.
    """
    where = f"collaborators of application {application}"
    base = str(service.http.base)
    path = f"/applications/v1/clients/{quote(application, safe='')}/collaborators?limit={LIMIT}"
    seen: set[str] = set()
    holders: dict[str, Holder] = {}
    totals: set[int] = set()
    entries = 0
    while path:
        if len(seen) >= MOST_PAGES:
            raise TargetError(f"it has more than {MOST_PAGES:,} pages", where=where, hint=wire.HINT)
        seen.add(path)
        page = _page(service.get(path, bearer, where, {}).body, where)
        for entry in page["results"]:
            holder = _holder(entry, where)
            holders[holder.subject or f"\0{holder.email.casefold()}\0{holder.name}"] = holder
            entries += 1
        pagination = page["pagination"]
        totals |= {value for name in _TOTALS if type(value := pagination.get(name)) is int}
        path = _next(pagination.get("nextUrl"), base, path, where)
        if path in seen:
            raise TargetError("its pages lead in a circle", where=where, hint=wire.HINT)
    return Snapshot(list(holders.values()), consistent=entries == len(holders) and totals <= {entries})


def _page(body: bytes, where: str) -> dict[str, Any]:
    """A page with a list of results and an object of pagination. Raises TargetError for anything else."""
    try:
        page = wire.parsed(body)
        if not isinstance(page, dict) or not isinstance(page.get("results"), list):
            raise wire.Odd("it has no list of results")
        pagination = page.get("pagination")
        if not isinstance(pagination, dict | None):
            raise wire.Odd("its pagination is no object")
    except wire.Odd as error:
        raise TargetError(f"the answer is odd: {error}", where=where, hint=wire.HINT) from None
    return {"results": page["results"], "pagination": pagination or {}}


def _holder(entry: object, where: str) -> Holder:
    if not isinstance(entry, dict):
        raise TargetError("the answer is odd: a collaborator is no object", where=where, hint=wire.HINT)
    names = [wire.text(entry.get(name)) for name in ("firstName", "lastName")]
    subject, email, since = (wire.text(entry.get(name)) for name in ("userId", "email", "createdAt"))
    return Holder(
        subject, " ".join(filter(None, names)), email, wire.level(entry.get("accessLevel")), since=since
    )


def _next(link: object, base: str, page: str, where: str) -> str:
    """The next page as a path under the base, "" when this was the last. Raises TargetError for any other place.

    page: the path of the page that holds the link, which it may be relative to (RFC 3986, 5.2).
    """
    if link is None or link == "":
        return ""
    if (
        not isinstance(link, str)
        or not link.isascii()
        or any(not c.isprintable() or c in " \\" for c in link)
    ):
        raise TargetError("the link to its next page is no address", where=where, hint=wire.HINT)
    try:
        found, ours = urlsplit(urljoin(f"{base}{page}", link)), urlsplit(base)
        same = _origin(found) == _origin(ours) and "@" not in found.netloc
    except ValueError:
        raise TargetError("the link to its next page is no address", where=where, hint=wire.HINT) from None
    inside = found.path.startswith(f"{ours.path.rstrip('/')}/") and not _climbs(found.path)
    if not same or not inside:
        there = f"{found.scheme}://{found.netloc.rpartition('@')[2]}" if found.hostname else "nowhere"
        what = f"the link to its next page leads elsewhere, to {wire.blotted(there)}"
        raise TargetError(what, where=where, hint="it was not followed; check base_url")
    rest = found.path[len(ours.path.rstrip("/")) :]
    return f"{rest}?{found.query}" if found.query else rest


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default


def _climbs(path: str) -> bool:
    return ".." in path or "%2e" in path.lower()
