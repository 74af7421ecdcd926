"""Fault switches: what goes wrong, on which path, how often.

A fault is a JSON object: `kind`, `path` (one of PATHS, `*`, or a glob that begins with `/`; most kinds strike
everywhere unless it is given, see WHERE), `times` (null: without end), `after` (so many matching requests pass
first), `applied` (whether the request is carried out before the fault strikes) and the settings of its kind, listed
in KINDS.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from rosterd.sandbox.autodesk import odd as aps
from rosterd.sandbox.autodesk import shapes
from rosterd.sandbox.odd import ODD, TOKEN_ODD
from rosterd.sandbox.rules import Event, Refusal

# Every kind with its settings and their defaults.
KINDS: dict[str, dict[str, Any]] = {
    # The connection. `how`: "rst" or "fin". `part`: "header", "body" or "chunked".
    "reset_at_accept": {},
    "reset": {"how": "rst"},
    "hang": {"seconds": 30.0},
    "delay": {"seconds": 0.3},
    "drip": {"rate": 10.0, "size": 4096},
    "truncate": {"part": "body"},
    "garbage": {},
    "lengths": {},
    # The answer. `body` is text or JSON; `retry_after` seconds or any text; `retry_in` seconds from now, sent
    # as an HTTP date. The bodies of `odd` and `token_odd` are the names in `odd.ODD` and `odd.TOKEN_ODD`.
    "status": {"status": 500, "body": "", "headers": {}, "retry_after": None, "retry_in": None},
    "odd": {"status": 201, "body": "empty"},
    "gzip_bomb": {"mebibytes": 64},
    "token_refused": {"status": 400, "error": "invalid_client"},
    "token_odd": {"body": "no_expires_in"},
    # Autodesk's answers. `shape` is one of `autodesk.shapes.SHAPES`, `retry_after` goes with 429; the bodies and
    # `how` are names in `autodesk.odd`; `count` is the size of a huge one; `state`: "kept", "changed" or "missing".
    "aps_error": {"status": 401, "shape": "json", "retry_after": 25},
    "authorize": {"error": "access_denied", "state": "kept"},
    "refresh_odd": {"body": "missing"},
    "pages": {"how": "elsewhere", "url": "https://elsewhere.example/applications/v1/next"},
    "collaborators_odd": {"body": "empty", "count": 50_000},
    "twins_odd": {"body": "empty", "count": 50_000},
    "registration_odd": {"body": "no_code"},
    # The records; `logon` and `grouping` are globs, "" matches none. `spell`: "as_sent", "upper" or "lower".
    "refuse": {"logon": "", "grouping": "", "message": "Logon is not valid.", "spell": "as_sent"},
    "poison": {"logon": "", "grouping": ""},
    # Bodies over so many bytes get 413; early: before the body was read, then the connection is reset.
    "too_large": {"bytes": 0, "early": False},
}
RECORD_KINDS = frozenset({"refuse", "poison"})
CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("reset", "how"): ("rst", "fin"),
    ("truncate", "part"): ("header", "body", "chunked"),
    ("refuse", "spell"): ("as_sent", "upper", "lower"),
    ("odd", "body"): tuple(ODD),
    ("token_odd", "body"): tuple(TOKEN_ODD),
    ("aps_error", "shape"): tuple(shapes.SHAPES),
    ("authorize", "state"): ("kept", "changed", "missing"),
    ("refresh_odd", "body"): tuple(aps.REFRESH),
    ("pages", "how"): tuple(aps.PAGES),
    ("collaborators_odd", "body"): tuple(aps.COLLABORATORS),
    ("twins_odd", "body"): tuple(aps.TWINS),
    ("registration_odd", "body"): tuple(aps.REGISTRATIONS),
}
PATHS = {
    "users": ("/v1/users", "/v1/users/synchronize"),
    "groups": ("/v1/groups/users", "/v1/groups/users-sync"),
    "users-sync": ("/v1/users/synchronize",),
    "groups-sync": ("/v1/groups/users-sync",),
    "token": ("/connect/token",),
    # Autodesk's. Its token server is seen with the grant after a colon, see `autodesk.marked`.
    "aps": ("/authentication/*", "/applications/*", "/tandem/*", "/ps/*"),
    "aps-token": ("/authentication/v2/token*",),
    "aps-refresh": ("/authentication/v2/token:refresh_token",),
    "authorize": ("/authentication/v2/authorize",),
    "collaborators": ("/applications/v1/clients/*/collaborators",),
    "twins": ("/tandem/v1/twins/*/users",),
    "registrations": ("/ps/v1/print/printers/*/secondary_registration",),
}
# Where a fault of a kind strikes unless it says so; the others strike everywhere.
WHERE = {
    "token_refused": "token",
    "token_odd": "token",
    "aps_error": "aps",
    "authorize": "authorize",
    "refresh_odd": "aps-refresh",
    "pages": "collaborators",
    "collaborators_odd": "collaborators",
    "twins_odd": "twins",
    "registration_odd": "registrations",
}
SPELLINGS: dict[str, Callable[[str], str]] = {"as_sent": str, "upper": str.upper, "lower": str.lower}


@dataclass(slots=True)
class Fault:
    """One fault with how often it was passed by (`seen`) and how often it struck (`hits`)."""

    kind: str
    path: str = "*"
    times: int | None = None
    after: int = 0
    applied: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    seen: int = 0
    hits: int = 0

    def on(self, path: str) -> bool:
        """Whether it concerns this local path."""
        if self.path.startswith("/"):
            return fnmatchcase(path, self.path)
        return self.path == "*" or any(fnmatchcase(path, each) for each in PATHS[self.path])

    def strikes(self) -> bool:
        """Counts a matching request and says whether it is struck."""
        if self.times is not None and self.hits >= self.times:
            return False
        self.seen += 1
        if self.seen <= self.after:
            return False
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        """As JSON, the counters included."""
        common = {"kind": self.kind, "path": self.path, "times": self.times, "after": self.after}
        counters = {"applied": self.applied, "seen": self.seen, "hits": self.hits}
        return {**common, **counters, **self.settings}


def fault(kind: str, **given: Any) -> Fault:
    """A fault from its kind and keywords; raises ValueError with what is wrong."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    path = given.pop("path", WHERE.get(kind, "*"))
    if path != "*" and path not in PATHS and not str(path).startswith("/"):
        raise ValueError(f"unknown path {path!r}; known: *, {', '.join(PATHS)}, or a glob beginning with /")
    times, after = given.pop("times", None), given.pop("after", 0)
    if (times is not None and type(times) is not int) or type(after) is not int:
        raise ValueError("times and after are whole numbers")
    applied = given.pop("applied", False)
    return Fault(kind, path, times, after, bool(applied), _settings(kind, given))


def _settings(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    known = KINDS[kind]
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"{kind} has no setting {name!r}; known: {', '.join(known) or 'none'}")
        choices = CHOICES.get((kind, name))
        if choices and value not in choices:
            raise ValueError(f"{name} of {kind} is one of {', '.join(choices)}")
        number = isinstance(known[name], int | float) and not isinstance(known[name], bool)
        if number and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{name} is a number")
    return {**known, **given}


def parse(value: object) -> list[Fault]:
    """Faults from JSON: an object or a list of them; raises ValueError."""
    entries = value if isinstance(value, list) else [value]
    faults = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
            raise ValueError("a fault is an object with a kind")
        faults.append(fault(**entry))
    return faults


class Faults:
    """The faults that are set. Every method may be called from any thread."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._set: list[Fault] = list(faults)

    def add(self, *faults: Fault) -> None:
        """Sets more faults; earlier ones come first."""
        with self._lock:
            self._set = [*self._set, *faults]

    def clear(self) -> None:
        """Takes all faults away."""
        with self._lock:
            self._set = []

    def shown(self) -> list[dict[str, Any]]:
        """All faults as JSON, spent ones included."""
        with self._lock:
            return [entry.shown() for entry in self._set]

    def at_accept(self) -> Fault | None:
        """The fault that strikes a connection before anything was read from it."""
        return self._first(lambda entry: entry.kind == "reset_at_accept")

    def early(self, path: str, length: int) -> Fault | None:
        """The fault that strikes after the head of a request, whose body would have this length."""
        return self._first(lambda entry: _too_large(entry, path, length) and bool(entry.settings["early"]))

    def delays(self, path: str) -> list[Fault]:
        """The delays of this request; several add up, and other faults come on top."""
        if not self._set:
            return []
        with self._lock:
            found = [entry for entry in self._set if entry.kind == "delay" and entry.on(path)]
            return [entry for entry in found if entry.strikes()]

    def breaking(self, path: str, length: int) -> Fault | None:
        """The fault that takes the place of the proper answer, if any."""

        def fits(entry: Fault) -> bool:
            if entry.kind in RECORD_KINDS or entry.kind in ("delay", "reset_at_accept"):
                return False
            return _too_large(entry, path, length) if entry.kind == "too_large" else entry.on(path)

        return self._first(fits)

    def refusals(self, path: str, users: Sequence[Event], groupings: Sequence[str]) -> list[Refusal]:
        """The refusals that apply to these records; a request counts when one of them matches."""
        if not self._set:
            return []
        found = []
        with self._lock:
            for entry in self._set:
                if entry.kind in RECORD_KINDS and entry.on(path):
                    refusal = _refusal(entry)
                    if _concerns(refusal, users, groupings) and entry.strikes():
                        found.append(refusal)
        return found

    def _first(self, fits: Callable[[Fault], bool]) -> Fault | None:
        if not self._set:
            return None
        with self._lock:
            return next((entry for entry in self._set if fits(entry) and entry.strikes()), None)


def _too_large(entry: Fault, path: str, length: int) -> bool:
    return entry.kind == "too_large" and entry.on(path) and length > entry.settings["bytes"]


def _refusal(entry: Fault) -> Refusal:
    settings = entry.settings
    return Refusal(
        _glob(settings["logon"]),
        _glob(settings["grouping"]),
        settings.get("message", ""),
        entry.kind == "poison",
        SPELLINGS[settings.get("spell", "as_sent")],
    )


def _glob(pattern: str) -> Callable[[str], object] | None:
    if not pattern:
        return None
    folded = pattern.lower()
    return lambda text: fnmatchcase(text.lower(), folded)


def _concerns(refusal: Refusal, users: Sequence[Event], groupings: Sequence[str]) -> bool:
    if refusal.grouping is not None and any(refusal.grouping(name) for name in groupings):
        return True
    return any(refusal.hits_user(user) for user in users)
