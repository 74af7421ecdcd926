"""The access report as one HTML file that needs no network, no other file and no server.

What matters is in the HTML itself, so that it can be read where scripts do not run (the preview of a mail, a
printer): what changed, the findings, the trend, the state of the sources. The tables are made by scripts from
JSON in the same file. Every value is escaped where it is put: by Jinja here, as text nodes there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import IO, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rosterd.core.access import SEVERITIES, VERDICTS, AccessReport, Finding, Grant, PersonRow, PlaceState
from rosterd.reports import html_data as data
from rosterd.reports.html_assets import assets
from rosterd.reports.shown import moment, moment_text, shown

_CHANGES = 500  # shown one by one
_FINDINGS = 1_000
_SENTENCE = 400  # characters
_BUFFER = 64  # pieces of text that go out together


def write(report: AccessReport, out: IO[str]) -> None:
    """Writes the report to a text file; `people` and `grants` pass through row by row.

    Raises what `out` and the report's own rows raise.
    """
    stream = _template().stream(**_page(report))
    stream.enable_buffering(_BUFFER)
    for piece in stream:
        out.write(piece)


@cache
def _template() -> Any:
    engine = Environment(
        loader=PackageLoader("rosterd.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    engine.filters.update(shown=shown, moment=moment_text, iso=_iso, number="{:,}".format)
    return engine.get_template("report.html")


def _page(report: AccessReport) -> dict[str, Any]:
    """Everything the template speaks of."""
    counts = _counts(report)
    findings = sorted(report.findings, key=_urgency)
    return {
        "assets": assets(),
        "report": report,
        "gaps": [_gap(place, report.made) for place in report.sources if place.state != "whole"],
        "moving": [place for place in report.sources if place.state == "whole" and not place.consistent],
        "counts": counts,
        "verdicts": [(verdict, counts.get(verdict, 0)) for verdict in VERDICTS],
        "severities": list(_severities(report)),
        "changes": report.changes[:_CHANGES],
        "operations": Counter(change.op for change in report.changes),
        "findings": findings[:_FINDINGS],
        "trend": report.trend,
        "sentence": _SENTENCE,
        "sets": _sets(report, findings, counts),
    }


def _counts(report: AccessReport) -> dict[str, int]:
    """The report's own counts, or what its rows say."""
    if "people" in report.counts and "grants" in report.counts:
        return report.counts
    verdicts = Counter(grant.verdict for grant in report.grants)
    return {"people": sum(1 for _ in report.people), "grants": verdicts.total(), **verdicts}


def _urgency(finding: Finding) -> tuple[int, str]:
    known = finding.severity in SEVERITIES
    return SEVERITIES.index(finding.severity) if known else len(SEVERITIES), finding.first_seen


def _severities(report: AccessReport) -> Iterator[tuple[str, int]]:
    numbers = Counter(finding.severity for finding in report.findings)
    return ((severity, numbers[severity]) for severity in SEVERITIES)


def _gap(place: PlaceState, made: str) -> dict[str, str]:
    """Of a place that could not be read: what it is, why, and how old what is shown of it is."""
    then, now = moment(place.time), moment(made)
    hours = (now - then).total_seconds() / 3_600 if then and now else None
    return {
        "kind": place.kind,
        "name": place.name or place.id,
        "reason": place.reason,
        "time": place.time if place.state != "never" else "",
        "age": "" if hours is None else _age(hours),
    }


def _age(hours: float) -> str:
    if hours < 1:
        return "less than an hour"
    number, unit = (round(hours), "hour") if hours < 48 else (round(hours / 24), "day")
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def _sets(report: AccessReport, findings: list[Finding], counts: dict[str, int]) -> dict[str, Iterator[str]]:
    """The JSON by name; `places` comes after `grants`, which it is collected from."""
    places = data.Places()
    people = data.within(PersonRow, report.people, counts["people"], data.plain_people)
    grants = data.within(Grant, report.grants, counts["grants"], data.plain_grants)
    totals = {
        "people": counts["people"],
        "grants": counts["grants"],
        "findings": len(findings),
        "leavers": len(report.leavers),
        "sources": len(report.sources),
    }
    points = [[shown(point.time), *point[1:]] for point in report.trend]
    return {
        "totals": iter((data.escaped(totals),)),
        "people": data.array(map(data.person, people)),
        "grants": data.array(map(places.grant, grants)),
        "places": data.array(places.rows()),
        "findings": data.array(map(data.finding, findings[: data.LIMIT])),
        "leavers": data.array(map(data.leaver, report.leavers[: data.LIMIT])),
        "sources": data.array(map(data.source, report.sources)),
        "trend": data.array(points),
    }


def _iso(text: str) -> str:
    """The value of a <time> element; empty for what is no moment."""
    return shown(text) if moment(text) else ""
