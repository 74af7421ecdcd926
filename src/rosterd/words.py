"""What the commands print, as plain text: pure functions from documents to lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

KINDS = ("people", "groups", "seats", "registrations")
BUCKETS = ("read", "created", "updated", "unchanged", "refused", "set_aside", "excluded", "unsent", "gone")
LISTED = 20  # problems shown in full
WARNED = 5  # warnings shown

_GREEN, _YELLOW, _RED, _BOLD, _DIM = "32", "33", "31", "1", "2"


class Paint:
    """Colours for a terminal, nothing for a pipe."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._on else text

    def outcome(self, outcome: str) -> str:
        return self({"done": _GREEN, "partial": _YELLOW, "held": _YELLOW}.get(outcome, _RED), outcome)

    def bold(self, text: str) -> str:
        return self(_BOLD, text)

    def dim(self, text: str) -> str:
        return self(_DIM, text)

    def good(self, text: str) -> str:
        return self(_GREEN, text)

    def odd(self, text: str) -> str:
        return self(_YELLOW, text)

    def bad(self, text: str) -> str:
        return self(_RED, text)


def safe(text: object) -> str:
    """Text from a directory, fit for a terminal: control characters and bidirectional overrides are made visible."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in str(text))


def plural(count: int, word: str) -> str:
    """A number with its noun: 1 change, 2 changes."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def table(rows: Sequence[Sequence[object]], *, left: int = 1, indent: str = "  ") -> Iterator[str]:
    """Aligned columns; the first `left` to the left, the others to the right. The first row is the header."""
    cells = [[safe(f"{cell:,}" if isinstance(cell, int) else cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for row in cells:
        parts = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield (indent + "  ".join(parts)).rstrip()


def columns(rows: Sequence[Sequence[object]], indent: str = "  ") -> Iterator[str]:
    """Aligned columns, all to the left."""
    return table(rows, left=len(rows[0]), indent=indent)


def listing(rows: Sequence[Sequence[object]], width: int | None) -> Iterator[str]:
    """Columns where a terminal of this width has room for them, else a short block for each row; None: any width."""
    lines = list(columns(rows, indent=""))
    if width is None or max(map(len, lines)) <= width:
        yield from lines
        return
    for first, *others in rows[1:]:
        yield safe(first)
        for name, cell in zip(rows[0][1:], others, strict=True):
            yield from wrap(safe(cell), width, initial_indent=f"  {name}: ", subsequent_indent="    ")


def counts(document: dict[str, Any], paint: Paint) -> Iterator[str]:
    """The table of buckets; kinds and buckets that are empty throughout are left out."""
    kinds = [kind for kind in KINDS if any(document[kind].values())] or ["people"]
    shown = [
        b
        for b in BUCKETS
        if b in ("read", "created", "updated", "unchanged") or any(document[k][b] for k in kinds)
    ]
    rows = [["", *(bucket.replace("_", " ") for bucket in shown)]]
    rows += [[kind, *(document[kind][bucket] for bucket in shown)] for kind in kinds]
    first, *rest = table(rows)
    yield paint.dim(first)
    yield from rest


def run_lines(name: str, document: dict[str, Any], paint: Paint) -> Iterator[str]:
    """One customer's run."""
    reason = document["reason"] or ""
    if reason.startswith("paused: "):
        yield f"{paint.bold(name)}: {paint.odd('paused')} ({safe(reason.removeprefix('paused: '))})"
        return
    sent = plural(document["requests"], "request")
    yield f"{paint.bold(name)}: {paint.outcome(document['outcome'])}, {sent}"
    yield from counts(document, paint)
    if document["exit_code"] == 4:
        yield from held_lines(name, document, paint)
    elif document["reason"]:
        yield f"  {paint.bad('why') if document['exit_code'] else 'note'}: {safe(document['reason'])}"
    yield from _problems(document, paint)
    yield from _renames(document)
    gone = document["people"]["gone"]
    if gone and document["outcome"] in ("done", "partial"):
        yield f"  {gone:,} left the directory and stay in Orbix until removed there: rosterd leavers --customer {name}"
    reports = document.get("reports", [])
    if reports:
        best = next((path for path in reports if path.endswith(".html")), reports[0])
        yield f"  access report: {safe(best)}"


def _renames(document: dict[str, Any]) -> Iterator[str]:
    """People whose logon or domain changed: one thing that happened, not two strangers."""
    renames = document.get("renames", [])
    for one in renames[:WARNED]:
        yield f"  renamed: {safe(one['from'])} → {safe(one['to'])}"
    if document.get("renamed", 0) > WARNED:
        yield f"           … {document['renamed'] - len(renames[:WARNED]):,} more renamed people: --json lists them"


def held_lines(name: str, document: dict[str, Any], paint: Paint) -> Iterator[str]:
    """Why a customer is held, and how to go on."""
    for reason in (document["reason"] or "").split("; "):
        yield f"  {paint.odd('held')}: {safe(reason)}"
    yield f"  look:    rosterd plan --customer {name}"
    yield f"  approve: rosterd approve {document['plan'][:12]}"


def _problems(document: dict[str, Any], paint: Paint) -> Iterator[str]:
    """What was not delivered: the new ones one by one, the standing ones as a number."""
    problems = document.get("problems", [])
    new = [problem for problem in problems if problem["new"]]
    if new:
        yield paint.odd(f"  not delivered, and new ({len(new):,}):")
    for problem in new[:LISTED]:
        where = f" ({problem['where']})" if problem["where"] and problem["where"] != problem["key"] else ""
        bucket = problem["bucket"].replace("_", " ")
        yield safe_join("    ", paint.dim(bucket), f" {short(problem['key'])}: {problem['reason']}{where}")
    if len(new) > LISTED:
        yield f"    … {len(new) - LISTED:,} more: --json lists them"
    if len(problems) > len(new):
        yield paint.dim(f"  not delivered, as told before: {len(problems) - len(new):,} (--json lists them)")
    warnings = document.get("warnings", {})
    for text, count in list(warnings.items())[:WARNED]:
        times = f" ({count:,} times)" if count > 1 else ""
        yield safe_join("  ", paint.dim("warning"), f" {text}{times}")
    if len(warnings) > WARNED:
        yield f"      … {len(warnings) - WARNED:,} more warnings: --json lists them"


def short(text: str, most: int = 60) -> str:
    """A key that fits a line."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def safe_join(start: str, painted: str, text: str) -> str:
    """Painted words stay, what came from outside is made safe."""
    return start + painted + safe(text)


_SIGNS = {"create": "+", "update": "~", "gone": "-"}


def change_lines(
    changes: Iterable[dict[str, Any]], paint: Paint, successors: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Changes as before → after. `successors`: old key → new key of people whose logon changed."""
    now = successors or {}
    was = {new: old for old, new in now.items()}
    for change in changes:
        sign, op = _SIGNS[change["op"]], change["op"]
        text = f"{sign} {change['kind']:<7} {safe(change['key'])}{_difference(change)}"
        other = (now if op == "gone" else was).get(change["key"]) if change["kind"] == "person" else None
        if other is not None:
            text += f"  is now {safe(other)}" if op == "gone" else f"  was {safe(other)}"
        yield "  " + {"+": paint.good, "~": paint.odd, "-": paint.bad}[sign](text)


def _difference(change: dict[str, Any]) -> str:
    before, after = change["before"] or {}, change["after"] or {}
    if change["op"] == "gone":
        return ""
    parts = []
    for field in dict.fromkeys([*before, *after]):
        old, new = before.get(field, ""), after.get(field, "")
        if change["op"] == "create" and field in ("name", "email", "description") and new:
            parts.append(f"{field} {safe(new)!r}")
        elif change["op"] == "update" and old != new:
            parts.append(f"{field} {safe(old)!r} → {safe(new)!r}")
    return "  " + ", ".join(parts) if parts else ""


def ago(seconds: float) -> str:
    """A duration in the largest unit that fits."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
