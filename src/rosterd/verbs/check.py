"""`rosterd check`: everything a run needs, tried without writing anything."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from rosterd import assemble, words
from rosterd.core.doors import Batch
from rosterd.core.people import ACTIVE
from rosterd.errors import Doubt, RosterdError, SourceError, worst
from rosterd.gather import SourcePlan
from rosterd.ledger import store
from rosterd.mapping import PeopleMapper
from rosterd.once import chosen
from rosterd.settings import Loaded
from rosterd.sources.settings import CsvSettings, LdapSettings
from rosterd.templates import missing_columns
from rosterd.verbs.common import Common, begin, paint, say, say_json

SHOWN = 10  # mapped people a source


def check(common: Common, customers: Sequence[str], json: bool) -> int:
    """Checks settings, ledger, token and sources; the exit code is that of the worst finding."""
    loaded, logger = begin(common)
    found = [_finding("settings", lambda: _settings(loaded))]
    found += findings(loaded, customers, logger, threading.Event())
    code = worst([finding["exit_code"] for finding in found])
    if json:
        say_json({"schema": "rosterd/check/1", "exit_code": code, "findings": found})
    else:
        say(lines(found))
    return code


def findings(
    loaded: Loaded, customers: Sequence[str], logger: Any, stop: threading.Event
) -> list[dict[str, Any]]:
    """What is found of ledger, token and sources, one after the other."""
    found = [_finding("ledger", lambda: _ledger(loaded)), _finding("orbix", lambda: _orbix(loaded, logger))]
    for name in chosen(loaded.settings, customers):
        customer = loaded.settings.customers[name]
        for label, wanted in customer.sources.items():
            found += _source_findings(name, label, wanted, customer.everybody, stop, logger)
        if customer.autodesk is not None:
            found.append(
                _finding(f"{name}: autodesk", lambda name=name: _autodesk(loaded, name, stop, logger))
            )
    return found


def _finding(what: str, look: Any) -> dict[str, Any]:
    try:
        detail, people = look()
    except RosterdError as error:
        return {
            "what": what,
            "exit_code": error.exit_code,
            "detail": str(error),
            "next": error.hint,
            "people": [],
        }
    return {"what": what, "exit_code": 0, "detail": detail, "next": "", "people": people}


def _settings(loaded: Loaded) -> tuple[str, list[Any]]:
    return f"{loaded.path}, {words.plural(len(loaded.settings.customers), 'customer')}", []


def _ledger(loaded: Loaded) -> tuple[str, list[Any]]:
    path = loaded.settings.ledger.path
    if not path.exists():
        return f"{path}: not there yet, the first run makes it", []
    version = store.inspect(path)
    return f"{path}: version {version}, {path.stat().st_size:,} bytes", []


def _orbix(loaded: Loaded, logger: Any) -> tuple[str, list[Any]]:
    orbix = assemble.open_orbix(loaded.settings, threading.Event(), logger)
    try:
        return f"{loaded.settings.orbix.base_url}: {orbix.check()}", []
    finally:
        orbix.close()


def _autodesk(loaded: Loaded, name: str, stop: threading.Event, logger: Any) -> tuple[str, list[Any]]:
    """Obtains a token; what a sign-in's refresh brings is kept, as everywhere."""
    access = assemble.open_autodesk(loaded.settings, name, stop, logger)
    try:
        return f"{access.autodesk.settings.base_url}: {access.check()}", []
    finally:
        access.close()


def _source_findings(
    name: str, label: str, wanted: CsvSettings | LdapSettings, everybody: str, stop: threading.Event, logger: Any
) -> list[dict[str, Any]]:  # fmt: skip
    """A source as a run would read it; then its other servers. One of those that cannot be used is told, no failure."""

    def look(settings: CsvSettings | LdapSettings) -> tuple[str, list[dict[str, str]]]:
        return _source(assemble.source_plan(name, label, settings, stop, logger), everybody)

    found = [_finding(f"{name}: source {label}", lambda: look(wanted))]
    if isinstance(wanted, LdapSettings) and not found[0]["exit_code"]:  # a wrong password is tried once
        for url in wanted.urls if len(wanted.urls) > 1 else ():
            if not _same_server(url, found[0]["detail"]):
                alone = wanted.model_copy(update={"urls": (url,)})
                finding = _finding(f"{name}: source {label}, {url}", lambda alone=alone: look(alone))
                found.append(finding | {"exit_code": 0, "people": []})
    return found


def _same_server(url: str, detail: str) -> bool:
    """Whether what was found, which begins with the server, was found on the server of this URL."""
    server = detail.partition(", ")[0]
    return url.lower() in (server.lower(), server.lower().rpartition(":")[0])


def _source(plan: SourcePlan, everybody: str) -> tuple[str, list[dict[str, str]]]:
    """Reads the first people and maps them. `everybody`: why changes alone never do for this customer."""
    source: Any = plan.source
    try:
        if hasattr(source, "probe"):
            probe = source.probe()
            tls = f"{probe.tls}, certificate until {probe.certificate_ends}" if probe.tls else "no TLS"
            detail = ", ".join(
                part
                for part in (
                    probe.server,
                    *(f"after {one}" for one in probe.passed_over),
                    probe.vendor,
                    tls,
                    "" if probe.pages else "no paging",
                    probe.advice,
                    _following(plan, everybody),
                )
                if part
            )
            return detail, _mapped(plan, probe.attributes, probe.people)
        feed = source.people()
        missing = missing_columns(plan.people.templates, feed.attributes)
        if missing:
            raise SourceError(f'the column "{missing[0]}" is missing', where=f"source {plan.source.name}")
        batch = next(iter(feed), None)
        groups = source.groups()
        detail = f"columns {', '.join(feed.attributes)}" + (
            "; groups file found" if groups is not None else ""
        )
        return detail, _mapped(plan, feed.attributes, batch) if batch else []
    finally:
        source.close()


def _following(plan: SourcePlan, everybody: str) -> str:
    """What becomes of `follow`: whether the directory tells its changes, and whether they alone will do."""
    if plan.follow is None:
        return ""
    try:
        plan.follow.follower.try_out()
    except Doubt as doubt:
        return f"everything is read each time, for changes cannot be followed: {doubt}"
    if not everybody:
        return "changes are followed"
    when = "by the schedule" if plan.follow.follower.linked else "when something changes"
    return f"everything is read {when}, for {everybody}"


def _mapped(plan: SourcePlan, attributes: Sequence[str], batch: Batch) -> list[dict[str, str]]:
    people = PeopleMapper(plan.people, attributes, refs=False).map(batch)[:SHOWN]
    return [
        {
            "key": f"{p[1]}//{p[2]}",
            "name": p[3],
            "email": p[4],
            "state": "" if p[8] == ACTIVE else p[8],
            "reason": p[10],
        }
        for p in people
    ]


def lines(found: Sequence[dict[str, Any]]) -> list[str]:
    """Findings for people."""
    colours = paint()
    out = []
    for finding in found:
        mark = colours.bad("FAIL") if finding["exit_code"] else colours.good("ok  ")
        if finding["next"] and not finding["exit_code"]:
            mark = colours.odd("warn")
        out.append(f"{mark} {finding['what']}: {words.safe(finding['detail'])}")
        if finding["next"]:
            out.append(f"     next: {words.safe(finding['next'])}")
        rows = [(p["key"], p["name"], p["email"], p["reason"]) for p in finding["people"]]
        if rows:
            out += words.columns([("key", "name", "e-mail", ""), *rows], indent="       ")
    return out
