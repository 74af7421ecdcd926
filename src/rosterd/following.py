"""Following a source: what has changed since the last run is planned by itself, as far as that is safe.

Everything is read instead when the source was never followed so far, when a full read is due (`full_every`), when
anything about the settings or the last run leaves a doubt, and when a change cannot be settled by itself. The log
says why. The cookie moves with the last acknowledgement that it led to, in one transaction, or else with the end of
the run: whatever stops a run before, the same changes are told again, and never lost. Whatever stops it afterwards has
the next one read everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from rosterd.comeback import refusing, source_place
from rosterd.core.guard import judge
from rosterd.core.people import fold
from rosterd.core.plan import PERSON
from rosterd.draft import Plan, PlanningLedger
from rosterd.errors import Doubt, SourceError
from rosterd.fresh import MOST, Look
from rosterd.gather import SourcePlan
from rosterd.job import Job, Outcome, Tools
from rosterd.ledger.mirror import Followed, MirrorChange
from rosterd.mirror import Rows
from rosterd.part import ENOUGH, Scope
from rosterd.resolve import Part, resolve
from rosterd.tap import Tap

TOGETHER = 3_600.0  # seconds: what followed changes did within this time the guards weigh as one


class Following:
    """One customer's run, as far as its sources are followed. `part`: what is planned instead of everything."""

    def __init__(self, job: Job, tools: Tools, binding: Any, now: float) -> None:
        self._job, self._tools, self._binding, self._now = job, tools, binding, now
        self._log = structlog.get_logger()
        self._state: Followed | None = None
        self._changes: list[MirrorChange] = []
        self._unread = False
        self._taps: dict[str, Tap] = {}
        self._started: set[str] = set()  # sources that could be asked where they stand
        self.part: Part | None = None

    # Instead of a full read

    def look(self) -> None:
        """Asks what has changed, and finds out what that affects. Whatever is in the way leads to a full read."""
        if self._tools.dry:
            return
        names = [plan.source.name for plan in self._job.sources if plan.follow is not None]
        self._tools.ledger.follow_no_more(self._binding.id, names)
        if self._tools.only and self._ended_badly():  # the end of a pilot would hide that
            self._tools.ledger.follow_no_more(self._binding.id, [])
        plan = next((plan for plan in self._job.sources if plan.follow is not None), None)
        if plan is None or plan.follow is None:
            return
        place = source_place(self._binding.id, plan.source.name)
        if refusing(self._tools.ledger, place, self._job.changed, self._now):
            self._unread = True  # a full read says so
            return
        state = self._tools.ledger.followed(self._binding.id, plan.source.name)
        try:
            if reason := self._forbidden(plan, state):
                raise Doubt(reason)
            assert state is not None
            changes = plan.follow.follower.since(state.cookie, MOST)
            look = Look(plan, plan.follow, self._tools.ledger, self._binding.id)
            self.part = part = resolve(look, changes)
            self._changes = [_change(plan, state._replace(cookie=changes.cookie), part.rows, part)]
        except Doubt as doubt:
            self._log.info(
                "everything_is_read", customer=self._job.name, source=plan.source.name, reason=str(doubt)
            )
        except SourceError:
            self._unread = True  # a full read meets the same, and says it
        finally:
            plan.source.close()

    def _forbidden(self, plan: SourcePlan, state: Followed | None) -> str:
        """Why the changes alone will not do; "" when they may."""
        assert plan.follow is not None
        return (
            _kinds(self._job, self._tools)
            or _doubted(state, plan.follow.settings, plan.follow.full_every, self._now)
            or self._unsettled()
        )

    def _ended_badly(self) -> bool:
        """Whether the last run did. An access read that fails is no reason to read the directory whole."""
        last = next(iter(self._tools.ledger.runs(self._binding.id)), None)
        if not self._binding.delivered or last is None or last.cut_off:
            return True
        return last.document.get("delivered", last.exit_code) not in (0, 3)

    def _unsettled(self) -> str:
        """What the ledger says of the last run."""
        if self._ended_badly():
            return "the last run did not end well"
        retried = self._now - self._job.retry_refused_after
        reason: str = self._tools.ledger.unsettled(self._binding.id, retried)
        return reason

    @property
    def nothing(self) -> bool:
        """Whether there is no reason for a run: what has changed is no concern of ours, or cannot be asked just now."""
        return self._unread or (self.part is not None and self.part.empty)

    def keep(self) -> None:
        """Goes on from there without a run."""
        for change in self._changes:
            if change.state != self._tools.ledger.followed(self._binding.id, change.source):
                self._tools.ledger.follow(self._binding.id, change)

    def view(self) -> PlanningLedger:
        """What planning sees of the ledger."""
        ledger: PlanningLedger = self.part.view if self.part is not None else self._tools.ledger
        return ledger

    @property
    def beside(self) -> Mapping[bytes, int]:
        """Of groupings of which only some seats are looked at: how many others they have."""
        return self.part.view.beside if self.part is not None else {}

    def people(self) -> int:
        """How many people the source of the part has now."""
        part = self.part
        assert part is not None
        kinds = [
            (one in part.fresh.now) - (one in part.fresh.was) for one in part.fresh.ids() if one[0] == PERSON
        ]
        known: int = self._tools.ledger.mirrored_people(self._binding.id, part.gathered.name)
        return known + sum(kinds)

    @property
    def scope(self) -> Scope | None:
        """Which records the run speaks of; None: of all."""
        return self.part.view.scope if self.part is not None else None

    def weigh(self, plan: Plan) -> None:
        """Lets the guards judge a part by the whole, together with what went the same way a short while ago."""
        part, facts = self.part, plan.facts
        if part is None:
            return
        ledger, id_ = self._tools.ledger, self._binding.id
        gone = [one for kind, one in part.fresh.was if kind == PERSON]
        if part.gathered.people.count or ledger.anybody_mirrored(id_, part.gathered.name, PERSON, gone):
            facts.empty = []
        earlier = ledger.followed_counts(id_, self._now - TOGETHER)
        facts.leavers += earlier["gone"] if facts.leavers else 0
        facts.creates += earlier["created"] if facts.creates else 0
        facts.updates += earlier["updated"] if facts.updates else 0
        facts.active = ledger.people_there(id_, ENOUGH)  # more of them can only let more go
        if judge(facts, self._job.guards, first_delivery=False, first_approved=True).held:
            facts.active = ledger.people_there(id_)
            for name, (lost, before) in facts.member_loss.items():
                seats = ledger.active_seats(id_, fold(name).encode())
                facts.member_loss[name] = (lost, max(before, seats))

    # A full read, from which to go on

    def tap(self, plan: SourcePlan) -> Tap | None:
        """What takes note of a full read that begins now; None when nothing needs to be noted.

        Where everything must be known each time, changes are only looked for: they lead to a full read at once.
        """
        tools, follow, name = self._tools, plan.follow, plan.source.name
        if follow is None or tools.dry or tools.only:
            return None
        tools.ledger.follow_anew(self._binding.id, name)
        always = _kinds(self._job, tools)
        try:
            if always and follow.follower.linked:
                raise Doubt(f"{always}, and the server tells of changes that concern nobody")
            follow.follower.start()
        except Doubt as doubt:
            self._log.warning("not_followed", customer=self._job.name, source=name, reason=str(doubt))
            return None
        self._started.add(name)
        if always:
            return None
        blank = Followed("", follow.settings, self._now)

        def write(rows: Rows) -> None:
            tools.ledger.mirror(self._binding.id, _change(plan, blank, rows))

        tap = self._taps[name] = Tap(write)
        return tap

    def read(self, plan: SourcePlan) -> None:
        """That read has ended well."""
        name, follow = plan.source.name, plan.follow
        if name not in self._started or follow is None:
            return
        if (tap := self._taps.get(name)) is not None:
            tap.flush()
            if not tap.fault and tap.count != self._tools.ledger.mirrored_count(self._binding.id, name):
                tap.fault = "two entries have the same stable id"
            if tap.fault:
                self._log.warning("not_followed", customer=self._job.name, source=name, reason=tap.fault)
                return
        state = Followed(follow.follower.cookie(), follow.settings, self._now)
        self._changes.append(_change(plan, state, Rows([], [], [])))

    def settled(self, outcome: Outcome) -> list[MirrorChange]:
        """From where to go on, once the run has delivered all of it. The push empties the list when it is kept."""
        return self._changes if outcome.delivered in (0, 3) and not outcome.stopped else []


def _change(plan: SourcePlan, state: Followed, rows: Rows, part: Part | None = None) -> MirrorChange:
    stale = part.fresh.ids() if part is not None else []
    old = list(part.fresh.was.values()) if part is not None else []
    return MirrorChange(
        plan.source.name,
        state,
        stale,
        [(ref, one.kind, one.id) for one in old for ref in one.refs],
        rows.entries,
        rows.refs,
        rows.edges,
    )


def _kinds(job: Job, tools: Tools) -> str:
    """Why this kind of run always reads everything; "" when it does not."""
    return "only some people are to be delivered" if tools.only else job.everybody


def _doubted(state: Followed | None, settings: str, full_every: float, now: float) -> str:
    """What speaks against the cookie; "" when nothing does."""
    if state is None:
        return "there is nothing to go on from"
    if state.settings != settings:
        return "the settings of the source are other ones"
    if state.compared > now:
        return "the clock was put back"
    if now - state.compared >= full_every:
        return "a full read is due"
    return ""
