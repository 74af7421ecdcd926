"""The rows of an HTML report as JSON that may stand inside a <script> element, made piece by piece."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any, TypeAlias, TypeVar

from rosterd.core.access import KNOWN, Finding, Grant, LeaverRow, PersonRow, PlaceState
from rosterd.reports.columns import Page, pages, picked, whole
from rosterd.reports.shown import shown

Row = TypeVar("Row", bound=tuple[Any, ...])
Plain: TypeAlias = Callable[[Page], list[bool]]
Json = list[object]

LIMIT = 100_000  # rows of one table; with more, no mail server would carry the file
MANY = 200  # groups, or e-mail addresses, of one person
_VERDICT = Grant._fields.index("verdict")
_PIECE = 500  # rows encoded at a time

# In JSON these characters occur inside strings only, where an escape says the same. Without them no text can end
# the element, start a comment, or break a line of JavaScript.
_ESCAPES = {char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def escaped(value: object) -> str:
    """JSON for the inside of a <script> element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char, escape in _ESCAPES.items():
        text = text.replace(char, escape)
    return text


def array(rows: Iterable[Json]) -> Iterator[str]:
    """A JSON array, escaped, in pieces of some hundred rows."""
    yield "["
    rows = iter(rows)
    before = ""
    while piece := list(islice(rows, _PIECE)):
        yield before + escaped(piece)[1:-1]
        before = ","
    yield "]"


def within(kind: type[Row], rows: Iterable[Row], total: int, plain: Plain) -> Iterator[Row]:
    """The rows in their order, or, when there are more than LIMIT, those that need an eye first, then the plain."""
    if total <= LIMIT:
        return islice(rows, LIMIT)
    urgent = (row for page in pages(rows) for row in picked(page, [not one for one in plain(page)]))
    others = (row for page in pages(rows) for row in picked(page, plain(page)))
    return map(partial(tuple.__new__, kind), islice(chain(urgent, others), LIMIT))


def plain_people(page: Page) -> list[bool]:
    """Is there nothing to say about them?"""
    count, (_, _, _, directory, orbix, _, note) = page
    said = zip(whole(directory, count), whole(orbix, count), whole(note, count), strict=True)
    return [one == ("active", "delivered", "") for one in said]


def plain_grants(page: Page) -> list[bool]:
    """Is it access of somebody known?"""
    count, columns = page
    return [verdict == KNOWN for verdict in whole(columns[_VERDICT], count)]


def person(row: PersonRow) -> Json:
    """[key, name, e-mails, state in the directory, state in Orbix, groups, note]."""
    texts = shown(row.key), shown(row.name), _several(row.emails), shown(row.directory), shown(row.orbix)
    return [*texts, _several(row.groups), shown(row.note)]


def finding(row: Finding) -> Json:
    """[severity, sentence, next step, first seen, person, place, kind]."""
    texts = row.severity, row.sentence, row.next_step, row.first_seen, row.person, row.place, row.kind
    return list(map(shown, texts))


def leaver(row: LeaverRow) -> Json:
    """[kind, key, name, e-mail, group, since]."""
    return list(map(shown, row))


def source(row: PlaceState) -> Json:
    """[kind, name, state, time, entries, reason, id, whether it stood still while it was read]."""
    texts = shown(row.kind), shown(row.name), shown(row.state), shown(row.time)
    return [*texts, row.entries, shown(row.reason), shown(row.id), row.consistent]


class Places:
    """The places that grants name, each written once: there are few, and their ids are long."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str, str], int] = {}

    def grant(self, row: Grant) -> Json:
        """[number of the place, subject, name, e-mail, level, via, since, person, verdict, matched, possibly]."""
        place = row.kind, row.place, row.place_id
        number = self._numbers.setdefault(place, len(self._numbers))
        return [number, *map(shown, (row.subject, *row[4:]))]

    def rows(self) -> Iterator[Json]:
        """[kind, name, id] of each, in the order of the numbers given so far."""
        for place in self._numbers:
            yield list(map(shown, place))


def _several(texts: tuple[str, ...]) -> list[str]:
    cut = [shown(text, 300) for text in texts[:MANY]]
    return cut if len(texts) <= MANY else [*cut, f"… and {len(texts) - MANY:,} more"]
