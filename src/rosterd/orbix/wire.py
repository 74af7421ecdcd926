"""The exact shapes of Orbix's requests and answers, as on the vendor's pages of the five calls.

Requests are PascalCase, answers camelCase. Whatever is not exactly the documented answer is Ambiguous.
Texts in answers may be localised: they are shown, never branched on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring as _quoted
from typing import Any, Generic, NoReturn, TypeVar

from rosterd.core.outcome import Accepted, AllInvalid, Answer, Mismatch, TooLarge
from rosterd.core.people import Grouping, Person, fold
from rosterd.http import shown

ALL_INVALID = "3400"
NO_REASON = "named in the answer without a reason"
_T = TypeVar("_T", Person, Grouping)


@dataclass(frozen=True)
class Ambiguous:
    """The answer is not the contract's: whether the request was applied is unknown."""

    reason: str


class _Odd(ValueError):
    """An answer of another shape than documented."""


def body_start(client: str) -> bytes:
    """How the body of every request for this customer begins."""
    return f'{{"Client":{_quoted(client)},'.encode()


def users_body(client: str, people: Sequence[Person]) -> bytes:
    """The body of `POST /v1/users` and `/v1/users/synchronize`: UTF-8, records in the order given."""
    return b'%b"Users":[%b]}' % (body_start(client), ",".join(map(_user, people)).encode())


def groups_body(client: str, groups: Sequence[Grouping]) -> bytes:
    """The body of `POST /v1/groups/users` and `/v1/groups/users-sync`."""
    return b'%b"Groups":[%b]}' % (body_start(client), ",".join(map(_group, groups)).encode())


def _user(person: Person) -> str:
    """JSON, written out because that takes half the time of a dictionary and its encoder.

    Empty optional fields are left out: what null or "" would do to a stored value is not documented.
    """
    _key, domain, logon, name, email = person
    more = f',"Name":{_quoted(name)}' if name else ""
    more += f',"Email":{_quoted(email)}' if email else ""
    return f'{{"Logon":{_quoted(logon)},"Domain":{_quoted(domain)}{more}}}'


def _group(group: Grouping) -> str:
    more = f',"GroupDescription":{_quoted(group.description)}' if group.description else ""
    return f'{{"GroupName":{_quoted(group.name)}{more},"Users":[{",".join(map(_user, group.people))}]}}'


def parse_users(status: int, body: bytes, people: Sequence[Person]) -> Answer | Ambiguous | None:
    """The answer to a users request; None when the status is none that this contract documents."""
    return _parse(status, body, lambda rows: _users(rows, people))


def parse_groups(status: int, body: bytes, groups: Sequence[Grouping]) -> Answer | Ambiguous | None:
    """The answer to a groupings request; None as above."""
    return _parse(status, body, lambda rows: _groups(rows, groups))


def _parse(status: int, body: bytes, read: Callable[[list[Any]], Answer]) -> Answer | Ambiguous | None:
    if status == 413:
        return TooLarge()
    if status == 400:
        return _all_invalid(body)
    if not 200 <= status < 300:
        return None
    if status != 201:
        return Ambiguous(f"status {status} where 201 is documented")
    try:
        rows = _load(body)
        if not isinstance(rows, list):
            raise _Odd("a list was expected")
        return read(rows) if rows else Accepted()
    except (ValueError, RecursionError) as error:
        return Ambiguous(f"status 201, but {_why(error)}")


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, _Odd) else "the body is not JSON as documented"


def _all_invalid(body: bytes) -> AllInvalid | None:
    """The documented 400: every record is bad, none is named. Another 400 says something else."""
    try:
        document = _load(body)
        texts = document["errors"][ALL_INVALID]
    except (ValueError, RecursionError, KeyError, TypeError, IndexError):
        return None
    texts = texts if isinstance(texts, list) else [texts]
    return AllInvalid(shown("; ".join(text for text in texts if isinstance(text, str)) or NO_REASON))


def _load(body: bytes) -> Any:
    return json.loads(
        body.decode("utf-8"), object_pairs_hook=_no_twins, parse_constant=_refuse, parse_int=_small_int
    )


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Odd("a key occurs twice in one object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise _Odd(f"{constant} is not JSON")


def _small_int(digits: str) -> int:
    if len(digits) > 19:
        raise _Odd("a number is too large")
    return int(digits)


def _row(row: Any, *names: str) -> list[Any]:
    """The values of an object that has exactly these names."""
    if not isinstance(row, dict) or set(row) != set(names):
        raise _Odd("an entry is not of the documented shape")
    return [row[name] for name in names]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Odd("a text was expected")
    return value


class _Index(Generic[_T]):
    """Finds a record by the name the answer gives it: exactly, else by its only case-folded likeness."""

    def __init__(self, records: Sequence[_T], name: Callable[[_T], str]) -> None:
        self._exact: dict[str, _T | None] = {}
        self._folded: dict[str, _T | None] = {}
        for record in records:
            shown_as = name(record)
            for table, text in ((self._exact, shown_as), (self._folded, fold(shown_as))):
                table[text] = None if text in table else record  # None: several records look like this

    def find(self, text: str) -> _T | None:
        return self._exact[text] if text in self._exact else self._folded.get(fold(text))


def _note(messages: dict[Any, str], key: Any, message: str) -> None:
    """Keeps the target's words; several about one record are joined."""
    message = shown(message) if message.strip() else NO_REASON
    said = messages.get(key)
    messages[key] = message if said in (None, message) else shown(f"{said}; {message}")


def _mismatch(unknown: list[str], partly: bool) -> Mismatch:
    names = ", ".join(shown(name) for name in unknown[:3])
    return Mismatch(f"the answer names {len(unknown)} record(s) that were not sent: {names}", partly)


def _users(rows: list[Any], people: Sequence[Person]) -> Answer:
    index = _Index(people, lambda person: person.shown)
    refused: dict[bytes, str] = {}
    unknown: list[str] = []
    for row in rows:
        user, message = map(_text, _row(row, "user", "errorMessage"))
        person = index.find(user)
        if person is None:
            unknown.append(user)
        else:
            _note(refused, person.key, message)
    return _mismatch(unknown, bool(refused)) if unknown else Accepted(refused)


def _groups(rows: list[Any], groups: Sequence[Grouping]) -> Answer:
    index = _Index(groups, lambda group: group.name)
    refused: dict[bytes, str] = {}
    seats: dict[tuple[bytes, bytes], str] = {}
    unknown: list[str] = []
    for row in rows:
        name, users, message = _row(row, "groupName", "users", "errorMessage")
        group = index.find(_text(name))
        if not isinstance(users, list):
            raise _Odd("a list of users was expected")
        found = _Index(group.people if group else (), lambda person: person.shown)
        if group is None:
            unknown.append(name)
        elif _text(message).strip() or not users:  # else the grouping is fine and only these users failed
            _note(refused, group.key, message)
        for entry in users:
            user, why = map(_text, _row(entry, "user", "errorMessage"))
            person = found.find(user)
            if person and group:
                _note(seats, (group.key, person.key), why)
            elif group:
                unknown.append(f"{name} / {user}")
    return _mismatch(unknown, bool(refused or seats)) if unknown else Accepted(refused, seats)
