"""Which records are accepted: the vendor's rules, and the strictest reading of what they leave open."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from unicodedata import normalize

# What happens to the state, as (kind, fields…); the kinds and their fields are in `journal.FIELDS`.
Event: TypeAlias = tuple[Any, ...]

# Over \w as ASCII has it, so without accents; possessive, because every record of a benchmark passes here.
_WORD = r"[\w.-]++"
_KEY = rf"{_WORD}//{_WORD}"
_EMAIL = r"[\w.!#$%&'*+/=?^`{|}~-]++@[\w-]++(?:\.[\w-]++)++"
VALID = {
    "Logon": re.compile(_WORD, re.ASCII).fullmatch,
    "Domain": re.compile(_WORD, re.ASCII).fullmatch,
    "Name": re.compile(".+", re.DOTALL).fullmatch,
    "Email": re.compile(_EMAIL, re.ASCII).fullmatch,
}
_KEYS = re.compile(rf"(?:{_KEY}\n)*+", re.ASCII).fullmatch
_EMAILS = re.compile(rf"(?:{_EMAIL}\n)*+", re.ASCII).fullmatch
CLIENT = re.compile("[A-Za-z0-9]+").fullmatch

USER_FIELDS = {"Logon": "Logon", "Domain": "Domain", "Name": "Name", "Email": "E-mail"}
GROUPING_FIELDS = frozenset({"GroupName", "GroupDescription", "Users"})


class ForeignBody(Exception):
    """The body is not one the page describes; `code` becomes the key under `errors`."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fault that refuses records: those whose logon (or DOMAIN//logon) or grouping name matches.

    poison: the whole request is answered as if every record were invalid. spell: how the answer writes
    the key.
    """

    logon: Callable[[str], object] | None
    grouping: Callable[[str], object] | None
    message: str = ""
    poison: bool = False
    spell: Callable[[str], str] = str

    def hits_user(self, event: Event) -> bool:
        """Whether it refuses this user."""
        if self.logon is None:
            return False
        return bool(self.logon(event[1]) or self.logon(f"{event[2]}//{event[1]}"))


# Asked once a request has been read: user events and grouping names in, the refusals that apply out.
Claim: TypeAlias = Callable[[Sequence[Event], Sequence[str]], Sequence[Refusal]]


@dataclass(slots=True)
class Users:
    """The users of one list: the good as events, the bad as (position, key as sent, message)."""

    good: list[Event] = field(default_factory=list)
    bad: list[tuple[int, str, str]] = field(default_factory=list)

    def errors(self) -> list[dict[str, str]]:
        """The refused ones as the API names them, in the order of the request."""
        return [{"user": shown, "errorMessage": message} for _, shown, message in sorted(self.bad)]

    def named(self) -> set[str]:
        """The keys of all users that were named, refused ones included."""
        good = {user_key(event[2], event[1]) for event in self.good}
        return good | {shown.lower() for _, shown, _ in self.bad}


@dataclass(slots=True)
class Grouping:
    """One grouping of a request; `error` is why the grouping itself failed, or ""."""

    name: str
    description: str | None
    users: Users
    error: str = ""


def user_key(domain: str, logon: str) -> str:
    """The key under which a user is held."""
    return f"{domain}//{logon}".lower()


def grouping_key(name: str) -> str:
    """The key under which a grouping is held: two names that differ in case only are one."""
    return normalize("NFC", normalize("NFC", name).casefold())


def check_users(records: list[Any], where: str) -> Users:
    """Sorts records into good and bad; raises ForeignBody for what the API has no words for."""
    users = Users(all_fine(records) or [])
    if not users.good:
        for position, record in enumerate(records):
            _check_user(users, position, record, f"{where}[{position}]")
    return users


def all_fine(records: list[Any]) -> list[Event] | None:
    """The users, when none of them is remarkable: a few passes in C instead of a loop. Else None."""
    try:
        rows: list[Event] = [
            ("user", r["Logon"], r["Domain"], r.get("Name"), r.get("Email")) for r in records
        ]
        keys = "".join([row[2] + "//" + row[1] + "\n" for row in rows])
        names = [row[3] for row in rows if row[3] is not None]
        emails = [row[4] + "\n" for row in rows if row[4] is not None]
        "".join(names)
    except (AttributeError, KeyError, TypeError):  # a field is missing or not a string
        return None
    fields = 2 * len(rows) + len(names) + len(emails)  # a null or an unknown field makes it more
    lines = keys.count("\n") == len(rows) and "".join(emails).count("\n") == len(emails)
    fine = lines and all(names) and sum(map(len, records)) == fields
    return rows if fine and _KEYS(keys) and _EMAILS("".join(emails)) else None


def _check_user(users: Users, position: int, record: object, where: str) -> None:
    fields = _fields(record, USER_FIELDS.keys(), where)
    shown = f"{fields.get('Domain') or ''}//{fields.get('Logon') or ''}"
    error = ""
    for name, label in USER_FIELDS.items():
        value = fields.get(name)
        if value is not None and not isinstance(value, str):
            raise ForeignBody(f"{where}.{name}", "The value is not a string.")
        optional = name in ("Name", "Email") and name not in fields
        if not optional and not VALID[name](value or ""):
            error = error or f"{label} is not valid."
    if error:
        users.bad.append((position, shown, error))
    else:
        users.good.append(
            ("user", fields["Logon"], fields["Domain"], fields.get("Name"), fields.get("Email"))
        )


def check_grouping(record: object, where: str, name_limit: int, seat_limit: int) -> Grouping:
    """One grouping with its users; raises ForeignBody for what the API has no words for."""
    fields = _fields(record, GROUPING_FIELDS, where)
    records = a_list(fields, "Users", where)
    if len(records) > seat_limit:
        raise ForeignBody("3402", f"A group holds more than {seat_limit} users.")
    name, description = fields.get("GroupName"), fields.get("GroupDescription")
    for field_name, value in (("GroupName", name), ("GroupDescription", description)):
        if value is not None and not isinstance(value, str):
            raise ForeignBody(f"{where}.{field_name}", "The value is not a string.")
    error = ""
    if not name:
        error = "Group Name is not valid."
    elif len(name) > name_limit:
        error = "Group Name is too long."
    elif "GroupDescription" in fields and not description:
        error = "Group Description is not valid."
    return Grouping(name or "", description, check_users(records, f"{where}.Users"), error)


def _fields(record: object, known: Any, where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise ForeignBody(where, "The value is not an object.")
    for name in record:
        if name not in known:
            raise ForeignBody(f"{where}.{name}", "The field is not known.")
    return record


def a_list(fields: dict[str, Any], name: str, where: str = "$") -> list[Any]:
    """The list a mandatory field holds; raises ForeignBody."""
    value = fields.get(name)
    if not isinstance(value, list):
        raise ForeignBody(f"{where}.{name}", f"The {name} field is required.")
    return value


def refuse_users(users: Users, refusals: Sequence[Refusal]) -> None:
    """Moves the users that a fault refuses from good to bad."""
    for refusal in refusals:
        hit = [event for event in users.good if refusal.hits_user(event)]
        if hit:
            users.good = [event for event in users.good if not refusal.hits_user(event)]
            first = len(users.good) + len(users.bad)
            for offset, event in enumerate(hit):
                users.bad.append((first + offset, refusal.spell(f"{event[2]}//{event[1]}"), refusal.message))
