"""What is worth telling somebody: failures that stay, holds, sign-ins, silence, findings, and that all is well again.

Pure: time comes in as a parameter, in seconds since 1970. Nothing here names a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from rosterd.daemon.notify_settings import Event, NotifySettings

TITLES: dict[Event, str] = {
    "failure": "runs fail",
    "hold": "a run is held until somebody approves it",
    "recovery": "all is well again",
    "sign_in": "a sign-in or credentials are refused",
    "finding": "new findings of high severity about access",
    "silence": "no good run for a long time",
    "settings": "settings are wrong, and were not taken",
}
HIGH: frozenset[Event] = frozenset({"failure", "sign_in", "finding", "silence"})


KINDS = {  # of findings of high severity, see core.findings
    "access-left": "× access of somebody who has left",
    "access-disabled": "× management by somebody who is disabled",
    "stranger": "× management by a stranger",
    "owner-left": "× an application whose only owner has gone",
}
Part: TypeAlias = Literal["delivery", "access"]


class Notice(NamedTuple):
    """One thing to tell. customer is "" for the service itself; `at` in seconds since 1970."""

    event: Event
    customer: str
    reason: str
    step: str
    at: float

    @property
    def severity(self) -> str:
        return "good" if self.event == "recovery" else "high" if self.event in HIGH else "medium"

    @property
    def title(self) -> str:
        return f"{self.customer or 'the service'}: {TITLES[self.event]}"


@dataclass
class Trouble:
    """What is known of a customer's trouble: which kind, how often in a row, and when it was last told.

    before: an earlier process has told it, or would have.
    """

    event: Event
    times: int = 0
    told: float | None = None
    before: bool = False


@dataclass
class Judgement:
    """Decides what is told. One per service; not for several threads at once."""

    settings: NotifySettings
    _troubles: dict[tuple[str, Part], Trouble] = field(default_factory=dict)
    _silent: dict[str, float] = field(default_factory=dict)
    _findings: dict[tuple[str, str], float] = field(default_factory=dict)

    def remember(self, customer: str, codes: Sequence[int]) -> None:
        """How the last runs before this process ended, the newest first: a delivery that was in trouble may recover.

        It is told again when it goes on: whether somebody was told before is not known. Nor is which part refused
        credentials were about (9).
        """
        event = _event(codes[0]) if codes and codes[0] not in (7, 9) else None
        if event is not None:
            times = next((n for n, code in enumerate(codes) if _event(code) != event), len(codes))
            enough = event != "failure" or times >= self.settings.patience
            self._troubles[customer, "delivery"] = Trouble(event, times, before=enough)

    def turn(
        self, customer: str, code: int, reason: str | None, now: float, part: Part = "delivery"
    ) -> Iterator[Notice]:
        """How a part of a customer's run ended, by its exit code. A run that met another (7) says nothing.

        The parts are in trouble, and recover, apart: most runs deliver and do not read access.
        """
        event = _event(code)
        if code == 7:
            return
        known = self._troubles.get((customer, part))
        if event is None:
            self._troubles.pop((customer, part), None)
            silent = self._silent.pop(customer, None) if part == "delivery" else None
            if (known is not None and (known.before or known.told is not None)) or silent is not None:
                yield from (
                    self._wanted(Notice("recovery", customer, "", "", now)) if self._well(customer) else ()
                )
            return
        if known is None or known.event != event:
            known = self._troubles[customer, part] = Trouble(event, before=known is not None and known.before)
        known.times += 1
        due = known.told is None or now - known.told >= self.settings.repeat
        if due and (event != "failure" or known.times >= self.settings.patience):
            known.told = now
            yield from self._wanted(Notice(event, customer, reason or "", _step(event, customer), now))

    def _well(self, customer: str) -> bool:
        """Whether no other trouble that was told is left."""
        return not any(who == customer and trouble.told for (who, _), trouble in self._troubles.items())

    def look(self, statuses: Mapping[str, Mapping[str, Any]], started: float, now: float) -> Iterator[Notice]:
        """Whose last good run is too long ago. `last_success` of a status: seconds since 1970, or None."""
        limit = self.settings.silence
        for customer, status in statuses.items() if limit else ():
            since = max(status["last_success"] or 0.0, started)
            told = self._silent.get(customer)
            if status["state"] == "paused" or now - since < limit:
                continue
            if told is None or now - told >= self.settings.repeat:
                self._silent[customer] = now
                yield from self._wanted(Notice("silence", customer, "", _step("silence", customer), now))

    def findings(self, customer: str, found: Iterable[tuple[str, str]], now: float) -> Iterator[Notice]:
        """Findings of high severity in an access report, (id, kind) each: one notice of all that were not told.

        It says how many of which kind; who is concerned is for the report, and for those who may read it.
        """
        since = now - self.settings.repeat
        self._findings = {which: told for which, told in self._findings.items() if told > since}
        new = {(customer, id_): kind for id_, kind in found if (customer, id_) not in self._findings}
        if new:
            self._findings |= dict.fromkeys(new, now)
            said = "; ".join(
                f"{number:,} {KINDS.get(kind, kind)}" for kind, number in Counter(new.values()).most_common()
            )
            yield from self._wanted(Notice("finding", customer, said, _step("finding", customer), now))

    def settings_kept(self, problem: str, step: str, now: float) -> Iterator[Notice]:
        """Newer settings were not taken."""
        yield from self._wanted(Notice("settings", "", problem, step, now))

    def left_out(self, customer: str, problem: str, step: str, now: float) -> Iterator[Notice]:
        """A customer does not run, as its own settings are wrong."""
        yield from self._wanted(Notice("settings", customer, problem, step, now))

    def _wanted(self, notice: Notice) -> Iterator[Notice]:
        if notice.event in self.settings.events:
            yield notice


def _event(code: int) -> Event | None:
    if code in (0, 3):
        return None
    return "hold" if code == 4 else "sign_in" if code == 9 else "failure"


def _step(event: Event, customer: str) -> str:
    steps: dict[Event, str] = {
        "hold": f"rosterd plan --customer {customer}, then rosterd approve",
        "sign_in": f"rosterd check --customer {customer}",
        "failure": f"rosterd status --customer {customer}",
        "finding": f"rosterd report --customer {customer}",
        "silence": f"rosterd status --customer {customer}",
    }
    return steps.get(event, "")
