"""One spelling for each distinguished name, so that an entry and a `member` value for it are equal.

The grammar is RFC 4514, with what older servers write beside it (RFC 2253 and 1779: quotes, `;`, spaces
around separators, `OID.` prefixes). Values are compared without regard to case and to spaces at their ends
or in runs (RFC 4518, section 2.6.1), which holds for every attribute type that names people in practice. Letters are
folded one by one, as servers do it: Groß and Gross are two people, though both fold to the same logon.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import normalize

from rosterd.core.people import fold

# Long names and numbers of the types that occur in names of entries (RFC 4519) -> the short name.
ALIASES = {
    "2.5.4.3": "cn",
    "commonname": "cn",
    "2.5.4.4": "sn",
    "surname": "sn",
    "2.5.4.5": "serialnumber",
    "2.5.4.6": "c",
    "countryname": "c",
    "2.5.4.7": "l",
    "localityname": "l",
    "2.5.4.8": "st",
    "stateorprovincename": "st",
    "s": "st",
    "2.5.4.9": "street",
    "streetaddress": "street",
    "2.5.4.10": "o",
    "organizationname": "o",
    "2.5.4.11": "ou",
    "organizationalunitname": "ou",
    "2.5.4.12": "title",
    "2.5.4.42": "givenname",
    "gn": "givenname",
    "0.9.2342.19200300.100.1.1": "uid",
    "userid": "uid",
    "0.9.2342.19200300.100.1.3": "mail",
    "rfc822mailbox": "mail",
    "0.9.2342.19200300.100.1.25": "dc",
    "domaincomponent": "dc",
    "1.2.840.113549.1.9.1": "email",
    "emailaddress": "email",
}

# A lower-cased ASCII name that is its own normal form: known short types, no escapes, no odd spaces.
_VALUE = r"[!$-*\-.-:?-\[\]-~]+(?: [!$-*\-.-:?-\[\]-~]+)*"
_RDN = rf"(?:cn|ou|dc|uid|o|l|c)={_VALUE}"
_PLAIN = re.compile(rf"{_RDN}(?:,{_RDN})*")
_PLAIN_LINES = re.compile(rf"{_RDN}(?:[,\n]{_RDN})*+")

_TYPE = re.compile(r" *((?:oid\.)?[0-9]+(?:\.[0-9]+)*|[a-z][a-z0-9-]*) *= *", re.IGNORECASE)
_PAIR = re.compile(r"\\(?:([0-9a-fA-F]{2})|([ \"#+,;<>=\\]))")
_HEX = re.compile(r"#((?:[0-9a-fA-F]{2})+) *(?=[,;+]|\Z)")
_SPACES = re.compile(" +")
_RUN = re.compile(r'[^\\",;+]+')
_QUOTED_RUN = re.compile(r'[^\\"]+')
_AFTER_QUOTE = re.compile(r" *(?=[,;+]|\Z)")
_ESCAPE = re.compile(r'[\\",+;\0]')
_FIRST = re.compile(r"[^\\,]*(?:\\.[^\\,]*)*", re.DOTALL)  # the first part of a canonical name

# OCTET STRING and the text types whose bytes are ASCII or UTF-8: Numeric, Printable, UTF8, IA5.
_TEXT_TAGS = frozenset((0x04, 0x0C, 0x12, 0x13, 0x16))


def normalise_dn(text: str) -> str:
    """The canonical form of a distinguished name; of what is none, the folded text. Holds no NUL."""
    if text.isascii():
        lower = text.lower()
        if _PLAIN.fullmatch(lower):
            return lower
    if not text.strip(" "):
        return ""
    try:
        return ",".join(_rdns(text))
    except ValueError:
        return fold(text).replace("\0", "\\00")


def normalise_dns(texts: Sequence[str]) -> list[str]:
    """The canonical forms of several names, quickly where all of them are plain."""
    joined = "\n".join(texts)
    if joined.isascii():
        lower = joined.lower()
        if _PLAIN_LINES.fullmatch(lower) and lower.count("\n") == len(texts) - 1:
            return lower.split("\n")
    return [normalise_dn(text) for text in texts]


def within(dn: str, base: str) -> bool:
    """Does one normalised name lie at or under another?"""
    if base == "" or dn == base:
        return True
    above = dn.removesuffix("," + base)
    # After an odd number of backslashes the comma is a part of a value.
    return above != dn and (len(above) - len(above.rstrip("\\"))) % 2 == 0


def parent(name: str) -> str:
    """A normalised name without its first part; "" when there is no other."""
    found = _FIRST.match(name)
    return name[found.end() + 1 :] if found else ""


def _rdns(text: str) -> list[str]:
    """The relative names in order, each with its parts sorted; ValueError when the text is no name."""
    rdns: list[str] = []
    parts: list[str] = []
    at = 0
    while True:
        part, at = _part(text, at)
        parts.append(part)
        mark = text[at : at + 1]
        if mark != "+":
            rdns.append("+".join(sorted(parts)))
            parts = []
        if mark == "":
            return rdns
        at += 1


def _part(text: str, at: int) -> tuple[str, int]:
    """One `type=value` from `at`, and where the separator after it stands."""
    found = _TYPE.match(text, at)
    if not found:
        raise ValueError("no attribute type")
    kind = found[1].lower().removeprefix("oid.")
    kind = ALIASES.get(kind, kind)
    at = found.end()
    if text.startswith("#", at):
        value, at = _hex(text, at)
    elif text.startswith('"', at):
        value, at = _quoted(text, at + 1)
    else:
        value, at = _plain(text, at)
    return f"{kind}={value}", at


def _hex(text: str, at: int) -> tuple[str, int]:
    """A value given as `#` and the hexadecimal digits of its BER; text is unpacked, the rest kept."""
    found = _HEX.match(text, at)
    if not found:
        raise ValueError("no hexadecimal value")
    data = bytes.fromhex(found[1])
    if len(data) >= 2 and data[0] in _TEXT_TAGS and data[1] < 0x80 and data[1] == len(data) - 2:
        return _canonical(data[2:]), found.end()
    return "#" + found[1].lower(), found.end()


def _quoted(text: str, at: int) -> tuple[str, int]:
    """A value in quotes (RFC 2253, section 4): everything but `"` and backslash stands for itself."""
    value, at = _unescaped(text, at, _QUOTED_RUN)
    closed = _AFTER_QUOTE.match(text, at + 1)
    if not closed or not text.startswith('"', at):
        raise ValueError("a quote is not closed")
    return value, closed.end()


def _plain(text: str, at: int) -> tuple[str, int]:
    """A value up to the next separator that is not escaped."""
    value, at = _unescaped(text, at, _RUN)
    if text.startswith('"', at):
        raise ValueError("a quote inside a value")
    return value, at


def _unescaped(text: str, at: int, run: re.Pattern[str]) -> tuple[str, int]:
    """The value made of runs of plain characters and escaped pairs, and where it ends."""
    out = bytearray()
    while True:
        if found := run.match(text, at):
            out += found[0].encode()
        elif text.startswith("\\", at):
            found = _PAIR.match(text, at)
            if not found:
                raise ValueError("an escape that RFC 4514 does not know")
            out += bytes.fromhex(found[1]) if found[1] else found[2].encode()
        else:
            return _canonical(bytes(out)), at
        at = found.end()


def _canonical(value: bytes) -> str:
    """Folded, without spaces at the ends and in runs, and only what would be ambiguous escaped again."""
    text = _SPACES.sub(" ", _lower(value.decode("utf-8"))).strip(" ")
    text = _ESCAPE.sub(_escaped, text)
    return "\\" + text if text.startswith("#") else text


def _lower(text: str) -> str:
    """Folded letter by letter: where `fold` makes several letters of one, that one is kept."""
    if text.isascii():
        return text.lower()
    text = normalize("NFC", text)
    if len(folded := text.casefold()) != len(text):
        folded = "".join([_lower_letter(letter) for letter in text])
    return normalize("NFC", folded)


def _lower_letter(letter: str) -> str:
    return next((form for form in (letter.casefold(), letter.lower()) if len(form) == 1), letter)


def _escaped(found: re.Match[str]) -> str:
    return "\\00" if found[0] == "\0" else "\\" + found[0]
