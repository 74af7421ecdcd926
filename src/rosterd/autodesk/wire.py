"""What Autodesk's answers say: strict JSON, texts made fit to keep, and every shape of error as one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias
from urllib.parse import quote, quote_plus

from rosterd.http import Reply, shown

HINT = "nothing is concluded from it; if this stays so, tell aps.help@autodesk.com"  # at an odd answer
LONGEST = 1000  # characters of a name, address, level or urn that are kept

# Where the services put their words, best first: APS's gateway, OAuth (RFC 6749, 5.2), 3D Print, and problem
# documents (RFC 9457).
_WORDS = (
    "developerMessage",
    "error_description",
    "message",
    "detail",
    "errorMessage",
    "title",
    "reason",
    "faultstring",
)
_CODES = ("errorCode", "error", "code", "error_id")
FAULTS = ("errors", "error", "fault")  # what may stand around them

Json: TypeAlias = "dict[str, Any] | list[Any] | str | int | float | bool | None"


class Odd(ValueError):
    """An answer that is not what the documentation says; the text says in what, never quoting it."""


def parsed(body: bytes) -> Json:
    """The JSON of an answer. Raises Odd for anything else, and where a name stands twice or a number is none."""
    try:
        found: Json = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_number)
    except Odd:
        raise
    except UnicodeDecodeError:
        raise Odd("it is not UTF-8") from None
    except RecursionError:
        raise Odd("it is nested too deeply") from None
    except ValueError:
        raise Odd("it is not JSON" if body.strip() else "it is empty") from None
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Odd("it has a name twice")
    return found


def _number(_: str) -> float:
    raise Odd("it has a number that is none")


def text(value: object) -> str:
    """A value as a text fit to keep: no control characters, no halves of characters, at most LONGEST long."""
    if value is None:
        return ""
    plain = value if isinstance(value, str) else json.dumps(value)
    plain = plain[:LONGEST] + "…" if len(plain) > LONGEST else plain
    fit = "".join([c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain])
    return fit.strip()


def level(value: object) -> str:
    """An access level: a text as it is, "VIEWER" or "Manage"; a number N as "level:N" (the page says int)."""
    return f"level:{value}" if isinstance(value, int) and not isinstance(value, bool) else text(value)


def said(reply: Reply, *secrets: str) -> str:
    """The server's own words in an error, as ": words", or "" where it says nothing. Secrets are blotted out."""
    words = _in_json(reply.body) or _in_text(reply) or _in_headers(reply)
    return f": {blotted(words, *secrets)}" if words else ""


def blotted(words: str, *secrets: str) -> str:
    """Foreign words fit for a message, without these secrets in the spellings in which they travel."""
    spellings = {
        form for secret in secrets if secret for form in (secret, quote(secret, ""), quote_plus(secret))
    }
    return shown(" ".join(words.split()), *sorted(spellings, key=len, reverse=True))


def asked(reply: Reply) -> str:
    """What to tell the service's support, as a hint."""
    return f"the server's id of this request is {reply.request_id}" if reply.request_id else ""


def error_code(body: bytes) -> str:
    """The `error` of RFC 6749, 5.2; "" when there is none."""
    try:
        found = parsed(body)
    except Odd:
        return ""
    code = found.get("error") if isinstance(found, dict) else None
    return code if isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code) else ""


def _in_json(body: bytes) -> str:
    try:
        found = parsed(body)
    except Odd:
        return ""
    if isinstance(found, str):
        return found
    for part in _objects(found):
        words = next(
            (value for name in _WORDS if isinstance(value := part.get(name), str) and value.strip()), ""
        )
        codes = [part.get(name) for name in _CODES]
        code = next(
            (str(value) for value in codes if isinstance(value, (str, int)) and str(value).strip()), ""
        )
        if words or code:
            return f"{words} ({code})" if words and code else words or code
    return ""


def _objects(found: Json) -> Iterator[dict[str, Any]]:
    """The places where an error may describe itself: the object, then what its FAULTS or a list hold."""
    if isinstance(found, dict):
        yield found
        below = [found.get(name) for name in FAULTS]
    else:
        below = [found]
    for part in below:
        rows = part[:3] if isinstance(part, list) else [part]
        texts = ({"message": row} for row in rows if isinstance(row, str))
        yield from (row for row in (*rows, *texts) if isinstance(row, dict))


def _in_headers(reply: Reply) -> str:
    """A 401 of APS's gateway has an empty body, and its reason in a header."""
    return (reply.headers.get("x-ads-troubleshooting") or reply.headers.get("www-authenticate") or "").strip()


def _in_text(reply: Reply) -> str:
    """Plain text stands for itself; a page or anything else does not."""
    plain = reply.headers.get("content-type", "").partition(";")[0].strip().lower() in ("text/plain", "")
    words = reply.body[:2000].decode("utf-8", "replace").strip()
    return words if plain and not words.startswith(("<", "{", "[")) else ""
