"""Where a customer's records may go, and what an answer outside the contract means for that customer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from rosterd.errors import RosterdError, TargetError
from rosterd.http import Reply, shown
from rosterd.orbix.wire import body_start
from rosterd.patience import LEAST_AFTER_429, Again, ComeBack, Pace, retry_after

CONFLICT_WAIT = 1.0  # seconds before the one retry after a 409


@dataclass(frozen=True)
class Binding:
    """The one place a customer's records may go to."""

    base_url: str
    tenant: str
    client: str


def gate(binding: Binding, base_url: str, headers: Mapping[str, str], body: bytes) -> None:
    """The last look before the socket. Raises RosterdError, a defect, at a request for another customer."""
    if base_url != binding.base_url:
        raise RosterdError("a request was about to leave for another server than its customer's")
    if headers.get("Tenant") != binding.tenant or not body.startswith(body_start(binding.client)):
        raise RosterdError("a request was about to leave in another customer's name")


def judge(reply: Reply, where: str, binding: Binding, pace: Pace, conflicts: list[int]) -> Again:
    """Whether a status other than 201 is worth another try; raises TargetError when it is not.

    `conflicts` collects the 409s of one call: the second is final.
    """
    status = reply.status
    if status in (408, 429) or status >= 500:
        return _busy(reply, where, pace)
    problem = _refusal(reply, where, binding)
    if status == 409 and not conflicts:
        conflicts.append(status)
        return Again(problem, CONFLICT_WAIT)
    raise problem


def _busy(reply: Reply, where: str, pace: Pace) -> Again:
    """The target is overloaded or broken: later. Holds all lanes when it says until when."""
    limited = reply.status == 429  # refused before anything was done; a 5xx may come after it was
    what = "too many requests (429)" if limited else f"the server failed ({reply.status})"
    problem = TargetError(what, where=where, hint=_asked(reply), maybe_applied=not limited)
    asked = retry_after(reply.headers.get("retry-after"), reply.headers.get("date"), time.time())
    if asked:
        try:
            pace.hold(asked)
        except ComeBack as error:
            error.where, error.maybe_applied = where, not limited
            raise
    return Again(problem, max(asked or 0.0, LEAST_AFTER_429 if limited or asked == 0 else 0.0))


def _refusal(reply: Reply, where: str, binding: Binding) -> TargetError:
    """A final answer, in words, with the next step."""
    status = reply.status
    match status:
        case 403:
            what = "the credentials may not do this (403)"
            hint = f"check tenant ({binding.tenant}) and scope in [orbix]"
        case 404 | 405:
            what = f"no such place ({status})"
            hint = f"check base_url and tenant ({binding.tenant}) in [orbix]"
        case 409:
            what, hint = "a conflict, also at the second try (409)", "does something else write there?"
        case _ if 300 <= status < 400:
            host = shown(urlsplit(reply.headers.get("location", "")).netloc or "nowhere")
            what = f"a redirect ({status}) to {host}, which is never followed"
            hint = "check base_url in [orbix]; set the final address there"
        case 400:
            what = "the whole request was refused (400)"
            hint = f"is {binding.client!r} the client's name as registered in the Orbix portal?"
        case _:
            what, hint = f"an answer that is not documented ({status})", ""
    return TargetError(f"{what}{_detail(reply)}", where=where, hint=hint or _asked(reply))


def _asked(reply: Reply) -> str:
    return f"the server's id of this request is {reply.request_id}" if reply.request_id else ""


def _detail(reply: Reply) -> str:
    """The server's own words in a problem document (RFC 9457), where there are any."""
    try:
        document = json.loads(reply.body)
        words = document.get("errors") or document.get("detail") or document.get("title")
    except (ValueError, RecursionError, AttributeError):
        return ""
    texts = [text for text in _texts(words, 3) if text.strip()]
    return f": {shown('; '.join(texts[:3]))}" if texts else ""


def _texts(value: object, depth: int) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts[:3] for text in _texts(part, depth - 1)] if depth else []
