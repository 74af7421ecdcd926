"""Checks and mending of single values, and the notes about entries that a rule stopped."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import repeat
from unicodedata import category, normalize

from anyascii import anyascii

from rosterd.core.doors import Cell
from rosterd.core.people import ACTIVE, ASIDE, OUT
from rosterd.templates import TemplateError, positions

DISABLED = "disabled in the directory"  # the reason of those whom the directory itself excludes
MAX_NAME = 1_024  # characters; a longer display name is cut and reported

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++"
_ADDRESS = rf"{_ATOM}(?:\.{_ATOM})*+@(?:[A-Za-z0-9-]++\.)++[A-Za-z0-9-]+"
EMAIL = re.compile(_ADDRESS)
EMAILS = re.compile(rf"(?:{_ADDRESS})?+(?:\n(?:{_ADDRESS})?+)*+")


class Problems:
    """What the rules said about single entries of a batch, by index: exclusions win, then set aside, then warnings."""

    def __init__(self) -> None:
        self._out: dict[int, str] = {}
        self._aside: dict[int, str] = {}
        self._warned: dict[int, str] = {}

    def exclude(self, indexes: Sequence[int], reason: str) -> None:
        for i in indexes:
            self._out.setdefault(i, reason)

    def aside(self, i: int, reason: str) -> None:
        self._aside.setdefault(i, reason)

    def warn(self, i: int, reason: str) -> None:
        self._warned[i] = f"{self._warned[i]}; {reason}" if i in self._warned else reason

    def indexes(self) -> set[int]:
        return {*self._out, *self._aside, *self._warned}

    def verdict(self, i: int) -> tuple[str, str]:
        if i in self._out:
            return OUT, self._out[i]
        if i in self._aside:
            return ASIDE, self._aside[i]
        return ACTIVE, self._warned.get(i, "")


def clean(text: str) -> str:
    """NFC, any white space a plain space, without control characters and bidirectional overrides (Unicode TR 9)."""
    if not text.isascii():
        text = normalize("NFC", text)
    if text.isprintable():
        return text
    kept = [
        " " if char.isspace() else char
        for char in text
        if char.isspace() or not (category(char) in ("Cc", "Cs", "Cn") or char in _BIDI)
    ]
    return "".join(kept).strip()


def transliterated(text: str) -> str:
    """The text in ASCII letters; "" for one with something unseen in it: zero-width and directional characters make
    two names look like one, and are never mended away.
    """
    return anyascii(normalize("NFC", text)) if text.isprintable() else ""


_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def true_for(
    holds: Callable[[Sequence[Cell]], bool], rows: Sequence[Sequence[Cell]], problems: Problems
) -> list[int]:
    """Indexes of the rows for which a rule holds; rows on which it fails are set aside."""
    found = []
    for i, row in enumerate(rows):
        try:
            if holds(row):
                found.append(i)
        except TemplateError as error:
            problems.aside(i, str(error))
    return found


_PARTS = re.compile(r"[\s,;<>]+")
_SMTP = re.compile(
    r"(?i:smtp):"
)  # Active Directory's proxyAddresses say so; other kinds (x500, sip) are no e-mail


def addresses(*cells: Cell) -> str:
    """The e-mail addresses in some cells, case-folded, each once and on a line of its own."""
    found: dict[str, None] = {}
    for cell in cells:
        for value in (cell,) if isinstance(cell, str) else cell:
            for part in _PARTS.split(value) if value else ():
                plain = part[5:] if _SMTP.match(part) else part
                if EMAIL.fullmatch(plain):
                    found[plain.casefold()] = None
    return "\n".join(found)


def address_column(
    names: Sequence[str], attributes: Sequence[str], columns: Sequence[Sequence[Cell]]
) -> Sequence[str] | repeat[str]:
    """The addresses of every row, found in the columns of these names; "" for all where there is none of them."""
    places = positions(attributes) if names else {}
    found = [
        columns[at] for name in names if (at := places.get(name.casefold(), len(columns))) < len(columns)
    ]
    return list(map(addresses, *found)) if found else repeat("")
