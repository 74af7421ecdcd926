"""One person end to end, as the ledger knows them: what the directory shows, what Orbix has, and why it stands so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rosterd.core import access
from rosterd.core.access import Account
from rosterd.core.people import ACTIVE, ASIDE, DOUBT, LEFT, NO_KEY, OUT, TRIED, Known
from rosterd.core.plan import FIELDS, PERSON, REMOVED, SEAT
from rosterd.ledger.looking import Listed, Past, Trouble


class Standing(NamedTuple):
    """Where somebody stands: in a word, why, and what follows. tone: good, odd, bad or plain."""

    word: str
    why: str
    step: str = ""
    tone: str = "plain"


class Seating(NamedTuple):
    """Somebody's membership of one grouping: its name, the ledger's state, and what stands against it."""

    group: str
    state: str
    reason: str = ""


@dataclass(frozen=True)
class Explained:
    """Everything the ledger knows of one person. Times are seconds since 1970, None where nothing tells.

    source_state: the name of their source, when it was last read whole, and why not since ("" when it was).
    held: (digest, approved, change) of plans that wait. past: the oldest first. access: kind and name of a place,
    level, via, by e-mail address; access_whole: whether all that is known of it was looked at.
    """

    key: bytes
    shown: str
    standing: Standing
    account: Account | None
    account_since: float | None
    orbix: Known | None
    delivered: float | None
    trouble: Trouble | None
    seats: Sequence[Seating]
    held: Sequence[tuple[str, bool, Listed]]
    past: Sequence[Past]
    source_state: tuple[str, float | None, str] | None
    access: Sequence[tuple[str, str, str, str]] = ()
    access_whole: bool = True
    called: str = ""  # what a source calls somebody whom no run has read yet

    @property
    def name(self) -> str:
        """What people call them, "" when nothing tells."""
        return (self.account.name if self.account else "") or (self.orbix[3] if self.orbix else self.called)

    @property
    def emails(self) -> list[str]:
        """Every address known, the delivered one first."""
        found = [self.orbix[4]] if self.orbix else []
        found += self.account.emails.split("\n") if self.account else []
        return list(dict.fromkeys(filter(None, found)))


def explain(ledger: Any, binding: int, key: bytes, looked: int = 10_000_000) -> Explained | None:
    """What is known of a key; None when nobody has it. looked: entries of access to be looked at, the most.

    Raises LedgerError.
    """
    person, account = ledger.person(binding, key), ledger.account(binding, key)
    trouble = ledger.trouble(binding, PERSON, key)
    past = ledger.past(binding, PERSON, key)
    held = ledger.waiting(binding, [(PERSON, key)])
    if not (person or account or trouble or past or held):
        return None
    known = person[0] if person else None
    shows = account[0] if account else None
    seats, seat_keys = _seats(ledger, binding, key)
    source = (shows.source if shows else "") or (known[5] if known else "")
    state = _source_state(ledger, binding, source)
    found = Explained(
        key=key,
        shown=_shown(known, shows, trouble, held, past),
        standing=stands(known, shows, trouble, held, state),
        account=shows,
        account_since=account[1] if account else None,
        orbix=known if known and (known[8] != TRIED or known[5]) else None,
        delivered=ledger.run_started(person[1]) if person else None,
        trouble=trouble,
        seats=seats,
        held=[*held, *ledger.waiting(binding, [(SEAT, one) for one in seat_keys])],
        past=_in_time([*past, *(row for one in seat_keys for row in ledger.past(binding, SEAT, one))]),
        source_state=state,
    )
    rows, whole = ledger.holdings(binding, found.emails, looked) if found.emails else ((), True)
    return replace(found, access=rows, access_whole=whole)


def _in_time(past: Sequence[Past]) -> list[Past]:
    return sorted(past, key=lambda row: row.run)


def _shown(
    known: Known | None, shows: Account | None, trouble: Trouble | None,
    held: Sequence[tuple[str, bool, Listed]], past: Sequence[Past],
) -> str:  # fmt: skip
    if known:
        return f"{known[1]}//{known[2]}"
    if shows:
        return shows.shown
    if trouble:
        return trouble.shown
    return held[0][2].shown if held else past[-1].shown


def _seats(ledger: Any, binding: int, key: bytes) -> tuple[list[Seating], list[bytes]]:
    if key.startswith(NO_KEY):
        return [], []
    found = ledger.seated(binding, key)
    seats = []
    for seat, group, state in found:
        trouble = ledger.trouble(binding, SEAT, seat)
        seats.append(Seating(group, state, trouble.reason if trouble else ""))
    return seats, [seat for seat, _, _ in found]


def _source_state(ledger: Any, binding: int, source: str) -> tuple[str, float | None, str] | None:
    for place, whole, reason, _, _ in ledger.places(binding):
        if place.kind == "directory" and place.id == source:
            return source, whole, reason
    return None


def stands(
    known: Known | None, shows: Account | None, trouble: Trouble | None,
    held: Sequence[tuple[str, bool, Listed]], source: tuple[str, float | None, str] | None,
) -> Standing:  # fmt: skip
    """Where somebody stands, and why. The first rule that fits counts."""
    state = known[8] if known else ""
    there = " Orbix keeps what was delivered before." if state in (ACTIVE, DOUBT) else ""
    if source is not None and source[2] and state not in (LEFT, REMOVED):
        why = (
            f"Source {source[0]} could not be taken as it is: {source[2]}. Until then nothing of it changes."
        )
        return Standing("kept as it is", why, "Look at the source; the next whole read goes on.", "odd")
    if trouble is not None and trouble.bucket == "refused":
        step = "Correct it in the directory; it is sent again when it changes, or after retry_refused_after."
        return Standing(
            "refused", f"Orbix refuses this record: {trouble.reason.rstrip('.')}.{there}", step, "bad"
        )
    if trouble is not None:
        return Standing(
            "set aside", f"{_sentence(trouble.reason)}{there}", "Correct it in the directory.", "odd"
        )
    if waits := [one for one in held if one[2].kind == PERSON]:
        return _held(waits[0])
    return _plainly(state, shows, there)


def _held(waits: tuple[str, bool, Listed]) -> Standing:
    digest, approved, change = waits
    if approved:
        return Standing(
            "approved", f"Plan {digest[:12]} was approved and lets this {change.op} go.", "", "plain"
        )
    why = f"A guard holds this {change.op}, as part of plan {digest[:12]}."
    return Standing("held", why, f"Look at the plan; rosterd approve {digest[:12]} lets it go.", "odd")


_AGAIN = "The next run sends it again."
_PLAINLY: Mapping[str, Standing] = {
    ACTIVE: Standing("delivered", "Orbix has this person as the directory shows it.", "", "good"),
    DOUBT: Standing("in doubt", "A request that carried this person got no valid answer.", _AGAIN),
    TRIED: Standing("in doubt", "It was sent, and no answer ever confirmed it.", _AGAIN),
    LEFT: Standing(
        "left", "The directory no longer shows this person. Orbix keeps people until somebody removes them.",
        "Remove it in the portal, then: rosterd leavers --done KEY", "odd",
    ),
    REMOVED: Standing("removed", "It left the directory, and was removed in the portal.", ""),
}  # fmt: skip


def _plainly(state: str, shows: Account | None, there: str) -> Standing:
    if shows is not None and shows.state in (access.OFF, access.OUTSIDE) and state not in (LEFT, REMOVED):
        word = "disabled" if shows.state == access.OFF else "excluded"
        return Standing(
            word, f"{_sentence(shows.note or 'A rule of the settings says it is not wanted')}{there}"
        )
    if shows is not None and shows.state == access.FAULTY:
        return Standing("set aside", f"{_sentence(shows.note)}{there}", "Correct it in the directory.", "odd")
    if state in _PLAINLY:
        return _PLAINLY[state]
    if shows is not None and shows.state == access.LEFT:
        return Standing("left", "The directory no longer shows this person, who was never delivered.")
    return Standing(
        "waiting", "The directory shows this person; nothing was delivered yet.", "The next run sends it."
    )


def unread(key: bytes, shown: str, standing: Standing) -> Explained:
    """Somebody whom a source shows, and whom no run has read yet."""
    return Explained(key, shown, standing, None, None, None, None, None, (), (), (), None)


def stands_in_source(state: str, reason: str, *, inside: bool) -> Standing:
    """Where somebody stands whom no run has read yet. inside: whether the source's search finds the entry."""
    if not inside:
        return Standing(
            "passed by", "The directory has this entry, and the search for people does not find it.",
            "Look at filter, base and scope under people.", "odd",
        )  # fmt: skip
    if state == OUT:
        return Standing("excluded", _sentence(reason))
    if state == ASIDE:
        return Standing("set aside", _sentence(reason), "Correct it in the directory.", "odd")
    return Standing("new", "The source shows this person; no run has read it yet.", "The next run reads it.")


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}" if text else ""


def fields(kind: str, values: Sequence[str] | None) -> dict[str, str]:
    """The values of a change by name, empty ones left out."""
    return {name: value for name, value in zip(FIELDS.get(kind, ()), values or (), strict=False) if value}


def differences(
    kind: str, before: Sequence[str] | None, after: Sequence[str] | None
) -> list[tuple[str, str, str]]:
    """field, before, after of what differs."""
    old, new = fields(kind, before), fields(kind, after)
    names = dict.fromkeys([*old, *new])
    return [(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)]
