"""Text from outside, made fit to be looked at: cut, and with nothing in it that cannot be seen."""

from __future__ import annotations

from datetime import datetime

LONGEST = 2_000  # characters of a value that a report carries

# The joiners stay: Persian and Hindi names, and emoji, are written with them. So do the wide spaces.
_HARMLESS = "\u00a0\u200c\u200d\u3000"
_PICTURES = 0x2400  # U+2400 SYMBOL FOR NULL; the 31 that follow it show the other C0 controls


def shown(text: str, longest: int = LONGEST) -> str:
    """The text as people may see it: `longest` characters at most, unseen ones as ␀ and the like, or U+FFFD.

    Unseen are control, format, private and unassigned characters, line separators and lone surrogates: they can
    hide text, turn its direction round, or break the encoding of a file.
    """
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(char: str) -> str:
    if char.isprintable() or char in _HARMLESS:
        return char
    if ord(char) < 0x20:
        return chr(_PICTURES + ord(char))
    return "\u2421" if char == "\x7f" else "\ufffd"


def moment(text: str) -> datetime | None:
    """The moment that ISO 8601 text names, with its zone; None when it names none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def moment_text(text: str) -> str:
    """A moment in words, `26 Nov 2026, 08:32 UTC`; text that is no moment stays what it is."""
    found = moment(text)
    return f"{found.day} {found:%b %Y, %H:%M} {found.tzname()}" if found else shown(text, 40)
