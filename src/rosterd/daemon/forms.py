"""Notices as messages: a mail's text, JSON for programs, and what Slack and Teams show."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rosterd.daemon.notices import Notice

MOST = 20  # notices that one message spells out
_COLOURS = {"high": "attention", "medium": "warning", "good": "good"}


def subject(notices: Sequence[Notice]) -> str:
    """One line about all of them."""
    more = f" and {len(notices) - 1} more" if len(notices) > 1 else ""
    return f"rosterd: {notices[0].title}{more}"


def text(notices: Sequence[Notice], omitted: int = 0) -> str:
    """Plain text. `omitted`: notices that were counted and not sent before."""
    parts = []
    for notice in notices[:MOST]:
        lines = [f"{_time(notice)}  {notice.title}"]
        lines += [f"  {notice.reason}"] if notice.reason else []
        lines += [f"  next: {notice.step}"] if notice.step else []
        parts.append("\n".join(lines))
    left = len(notices[MOST:]) + omitted
    return "\n\n".join([*parts, *([f"and {left} more"] if left else [])]) + "\n"


def json_form(notices: Sequence[Notice], omitted: int = 0) -> dict[str, Any]:
    """For programs."""
    rows = [
        {"event": n.event, "severity": n.severity, "customer": n.customer or None, "title": n.title,
         "reason": n.reason or None, "next": n.step or None, "at": _time(n)} for n in notices
    ]  # fmt: skip
    return {"schema": "rosterd/notices/1", "notices": rows, "omitted": omitted}


def slack_form(notices: Sequence[Notice], omitted: int = 0) -> dict[str, Any]:
    """An incoming webhook's message (api.slack.com/messaging/webhooks): three characters are escaped."""
    plain = text(notices, omitted).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": plain[:35_000]}


def teams_form(notices: Sequence[Notice], omitted: int = 0) -> dict[str, Any]:
    """An adaptive card, as the workflows of Teams take it (adaptivecards.io, version 1.4)."""
    blocks: list[dict[str, Any]] = []
    for notice in notices[:MOST]:
        colour = _COLOURS[notice.severity]
        blocks.append(
            {"type": "TextBlock", "text": notice.title, "weight": "bolder", "color": colour, "wrap": True}
        )
        told = [line for line in (notice.reason, f"next: {notice.step}" if notice.step else "") if line]
        blocks += [{"type": "TextBlock", "text": _plain(line), "wrap": True} for line in told]
    left = len(notices[MOST:]) + omitted
    blocks += [{"type": "TextBlock", "text": f"and {left} more"}] if left else []
    card = {"type": "AdaptiveCard", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "version": "1.4", "body": blocks}  # fmt: skip
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }


def _plain(line: str) -> str:
    """Cards read a little Markdown: links and emphasis from a foreign text are none."""
    return "".join(f"\\{c}" if c in "\\*_[]()`" else c for c in line[:1_000])


def _time(notice: Notice) -> str:
    return datetime.fromtimestamp(notice.at, UTC).isoformat(timespec="seconds")


FORMS = {"json": json_form, "slack": slack_form, "teams": teams_form}
