"""People, groupings and seats as plain tuples, and the one order they are kept in.

A million of them pass through a run, so the hot path carries plain tuples (`Wanted`, `Known`) whose layout
is written down here once; `Person` names the fields where a few of them are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias
from unicodedata import normalize

# key, domain, logon, name, email, source, id, dn, state — what the ledger knows; state is one of the STATES.
Known: TypeAlias = tuple[bytes, str, str, str, str, str, str, str, str]

# The same nine, then place (a line number, or a DN), reason, refs: what a source wants. State is ACTIVE for
# a record to deliver (a reason is then only a warning), ASIDE for one set aside and OUT for one excluded.
# refs: how groups may name this person, several joined by NUL; see `ref_dn`, `ref_logon`, `ref_key`.
Wanted: TypeAlias = tuple[bytes, str, str, str, str, str, str, str, str, "int | str", str, str]

# Where a record stands in its source: a line number (CSV) or a DN (LDAP).
Place: TypeAlias = "int | str"

ACTIVE = "active"  # acknowledged by the target as it stands in the ledger
DOUBT = "doubt"  # acknowledged once, but a later request may have changed it: is sent again
TRIED = "tried"  # never acknowledged, but a request that got no valid answer carried it
LEFT = "left"  # acknowledged earlier, no longer wanted

ASIDE = "aside"  # set aside by us, with a reason
OUT = "out"  # excluded by a rule of the operator

US = "\x1f"  # joins the fields of a Line; sorts below every character of a key but NUL
NUL = b"\0"  # joins the parts of a key; no part contains it
NO_KEY = "\U0010ffff".encode()  # begins the stand-in key of an entry without logon or domain
CUT = 9  # a Wanted cut here compares equal to its Known when there is nothing to do


def located(labels: Mapping[str, str], source: str, place: Place) -> str:
    """Where an entry stands, for people: "hr, people.csv line 12", or "hq, CN=…". `labels` name the sources' files."""
    if isinstance(place, int):
        return f"{labels.get(source, source)} line {place}"
    return place if place.startswith(labels.get(source, source)) else f"{source}, {place}"


class Person(NamedTuple):
    """One print-queue user. `key` is the folded sort key; name and email are "" where there is none."""

    key: bytes
    domain: str
    logon: str
    name: str
    email: str

    @property
    def shown(self) -> str:
        """The key as Orbix shows it, for instance `NDD//carlos.silva`."""
        return f"{self.domain}//{self.logon}"


class Grouping(NamedTuple):
    """One request's part of a grouping: its record and up to a thousand people, in key order."""

    key: bytes
    name: str
    description: str
    people: tuple[Person, ...]


# The nine items of a Known as one text, joined by US, the key first: lines sort as keys do, are compared at C
# speed, and are what the sort holds and spills. A Row is a line with what a Wanted has beyond it: place, reason,
# refs, a mark of its e-mail address (see emails), and further addresses by which access may be recognised, each on
# a line of its own.
Row: TypeAlias = tuple[str, "int | str", str, str, int, str]


def key_of(row: Row) -> str:
    """The key of a row, as text: code points sort as their UTF-8 bytes do."""
    return row[0].partition(US)[0]


def key_of_line(line: str) -> str:
    """The key of a line."""
    return line.partition(US)[0]


def row_of(person: Wanted, mark: int = 0, addresses: str = "") -> Row:
    """A Wanted as a row; wanted_of is the way back. A US within a field, which nothing valid has, is replaced."""
    fields = (person[0].decode("utf-8", "surrogatepass"), *person[1:9])
    line = US.join(fields)
    if line.count(US) != CUT - 1:
        line = US.join([field.replace(US, "\ufffd") for field in fields])
    return line, person[9], person[10], person[11], mark, addresses


def wanted_of(row: Row) -> Wanted:
    """A row as a Wanted."""
    return (*known_of(row[0]), row[1], row[2], row[3])


def known_of(line: str) -> Known:
    """A line as a Known."""
    key, domain, logon, name, email, source, identity, dn, state = line.split(US)
    return key.encode("utf-8", "surrogatepass"), domain, logon, name, email, source, identity, dn, state


def fold(text: str) -> str:
    """The form in which two spellings of one name are equal: NFC of the case-folded NFC (Unicode TR 15, TR 44)."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFC", text).casefold())


def sort_key(*parts: str) -> bytes:
    """Folded parts joined by NUL, as UTF-8: compared as bytes everywhere, never as display text."""
    return "\0".join([fold(part) for part in parts]).encode("utf-8", "surrogatepass")


def ref_dn(normalised: str) -> str:
    """How a group names a person by distinguished name (already normalised): valid across sources."""
    return f"d{normalised}"


def ref_sid(sid: str) -> str:
    """How a group names a person of another forest: by a Windows security identifier, valid across sources."""
    return f"s{sid}"


def ref_logon(source: str, logon: str) -> str:
    """How a group names a person of the same source by a bare logon or uid."""
    return f"u{source}\x01{fold(logon)}"


def ref_key(domain: str, logon: str) -> str:
    """How a group names a person by DOMAIN//logon."""
    return f"k{fold(domain)}\x01{fold(logon)}"
