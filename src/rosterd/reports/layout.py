"""Text laid out for a terminal of some width: tables that fit, sentences that wrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from unicodedata import category, east_asian_width

from rosterd.words import safe

GAP = 2  # columns between two cells
_LEAST = 6  # columns that every cell keeps

Line = Callable[[int, str], str]  # the number of a row and its text -> the text painted


def width_of(text: str) -> int:
    """How many columns a terminal takes for it: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(
        0 if category(char) in ("Mn", "Me", "Cf") else 2 if east_asian_width(char) in "WF" else 1
        for char in text
    )


def cut(text: str, width: int) -> str:
    """The text in so many columns at most; what is left out shows as an ellipsis."""
    if width_of(text) <= width:
        return text
    return _fitting(text, width - 1) + "…"


def clean(text: str, longest: int) -> str:
    """Text from outside, cut, with nothing in it that a terminal would obey."""
    return safe(text[:longest] + "…" if len(text) > longest else text)


def table(rows: Sequence[Sequence[str]], width: int, paint: Line, indent: str = "  ") -> Iterator[str]:
    """Aligned columns, the widest of them narrowed until all fit. The first row is the header."""
    widths = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
    widths = _fitted(widths, width - len(indent) - GAP * (len(widths) - 1))
    for number, row in enumerate(rows):
        parts = []
        for text, room in zip(row, widths, strict=True):
            text = cut(text, room)
            parts.append(text + " " * (room - width_of(text)))
        yield paint(number, cut((indent + (" " * GAP).join(parts)).rstrip(), width))


def _fitted(widths: list[int], room: int) -> list[int]:
    """Takes from the widest until all fit, or none has anything to give."""
    fitted = list(widths)
    while sum(fitted) > room and max(fitted) > _LEAST:
        widest = max(fitted)
        for number, one in enumerate(fitted):
            if one == widest and sum(fitted) > room:
                fitted[number] -= 1
    return fitted


def wrapped(text: str, width: int, first: str, rest: str) -> Iterator[str]:
    """A sentence over as many lines as it needs; `first` and `rest` begin them. Words too long are broken."""
    line, room = first, width - width_of(first)
    empty = True
    for word in text.split(" "):
        while True:
            needed = width_of(word) + (not empty)
            if needed <= room:
                line, room, empty = f"{line}{'' if empty else ' '}{word}", room - needed, False
                break
            if empty:
                part = _fitting(word, room)
                line, word = line + part, word[len(part) :]
            yield line.rstrip()
            line, room, empty = rest, width - width_of(rest), True
    yield line.rstrip()


def _fitting(text: str, room: int) -> str:
    """As much of the text as fits, one character at least."""
    for number, char in enumerate(text):
        room -= width_of(char)
        if room < 0:
            return text[: max(number, 1)]
    return text
