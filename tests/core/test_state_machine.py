"""The whole algorithm under random days: edits, refusals, lost answers, crashes, holds, approvals; the promises hold.

ROSTERD_EXAMPLES sets how many random stories are played (default: a fixed set of 120).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.core.company import CLIENT, TENANT, Crash, Directory, Entry, Office, Orbix, Result, Unit
from tests.core.oracle import Wish, wish

from rosterd import delivery, plan_seats, push, push_groups, slices
from rosterd import synchronize as synchronizing
from rosterd.core.guard import Guards, Limit
from rosterd.core.people import fold
from rosterd.core.plan import GROUP, KINDS, PERSON, SEAT
from rosterd.document import NAMES
from rosterd.sandbox import fault

LOGONS = ("ana", "Ana", "bob", "carl", "dora", "eve", "fred", "gus", "João", "a b")
NAMES_ = ("", "Ana", "Bob Silva", "Jose\u0301", "Jos\u00e9", "\u200bZero")
MAILS = ("", "x@acme.example", "y@acme.example", "nobody")
GROUPS = ("All", "all", "Print", "Sales", "X1", "X2", "X3")
ABOUTS = ("", "Everybody", "Some")
TIGHT = Guards(
    first_run="approve",
    leavers=Limit(10, 50, 2),
    creates=Limit(50, None, 4),
    updates=Limit(30, None, 4),
    member_loss=Limit(30, None, 2),
    blanked=Limit(10, None, 2),
)
WIDE = Guards("go", *[Limit()] * 6)
TROUBLES = ("", "down", "lost", "silent", "foreign", "partly", "large", "crash", "crash_after")
WEEK = 7 * 86_400.0
pick = st.integers(0, 1_000)


class Days(RuleBasedStateMachine):
    """A company, its directories and what becomes of them at the target."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.office: Office
        self.precedence: tuple[str, ...] = ()
        self.serial = 0
        self.approved: set[tuple[str, str]] = (
            set()
        )  # kind and key of approved changes: what may go while held

    def teardown(self) -> None:
        if hasattr(self, "office"):
            try:
                self.recover()
            finally:
                self.office.ledger.close()
                shutil.rmtree(self.folder)

    # The directory

    def directory(self, n: int) -> Directory:
        return self.office.directories[n % len(self.office.directories)]

    def somebody(self, n: int) -> tuple[Directory, str] | None:
        everybody = [(d, i) for d in self.office.directories for i in d.people]
        return everybody[n % len(everybody)] if everybody else None

    def some_group(self, n: int) -> tuple[Directory, str] | None:
        groups = [(d, i) for d in self.office.directories for i in d.groups]
        return groups[n % len(groups)] if groups else None

    @rule(where=pick, logon=pick, name=pick, mail=pick)
    def join(self, where: int, logon: int, name: int, mail: int) -> None:
        self.serial += 1
        self.directory(where).people[f"e{self.serial}"] = Entry(
            LOGONS[logon % len(LOGONS)], NAMES_[name % len(NAMES_)], MAILS[mail % len(MAILS)]
        )

    @rule(who=pick)
    def leave(self, who: int) -> None:
        if found := self.somebody(who):
            found[0].people.pop(found[1])

    @rule(who=pick, what=st.sampled_from(["logon", "name", "mail"]), value=pick)
    def edit(self, who: int, what: str, value: int) -> None:
        if found := self.somebody(who):
            values = {"logon": LOGONS, "name": NAMES_, "mail": MAILS}[what]
            setattr(found[0].people[found[1]], what, values[value % len(values)])

    @rule(who=pick)
    def switch_off(self, who: int) -> None:
        if found := self.somebody(who):
            entry = found[0].people[found[1]]
            entry.disabled = not entry.disabled

    @rule(where=pick, name=pick, about=pick)
    def found(self, where: int, name: int, about: int) -> None:
        self.serial += 1
        self.directory(where).groups[f"g{self.serial}"] = Unit(
            GROUPS[name % len(GROUPS)], ABOUTS[about % len(ABOUTS)]
        )

    @rule(which=pick)
    def dissolve(self, which: int) -> None:
        if found := self.some_group(which):
            found[0].groups.pop(found[1])

    @rule(which=pick, about=pick)
    def describe(self, which: int, about: int) -> None:
        if found := self.some_group(which):
            found[0].groups[found[1]].description = ABOUTS[about % len(ABOUTS)]

    @rule(which=pick, who=pick)
    def enrol(self, which: int, who: int) -> None:
        if found := self.some_group(which):
            directory, group = found
            members = [*directory.people, *(directory.groups if directory.dns else ())]
            member = members[who % len(members)] if members else ""
            if member and member not in directory.groups[group].members:
                directory.groups[group].members.append(member)

    @rule(which=pick, who=pick)
    def withdraw(self, which: int, who: int) -> None:
        if found := self.some_group(which):
            members = found[0].groups[found[1]].members
            if members:
                members.pop(who % len(members))

    @rule(where=pick)
    def cut_or_mend(self, where: int) -> None:
        directory = self.directory(where)
        directory.broken = not directory.broken

    # The target

    @rule(logon=st.sampled_from([logon for logon in LOGONS if logon.isascii()]), poison=st.booleans())
    def refuse_people(self, logon: str, poison: bool) -> None:
        kind = "poison" if poison else "refuse"
        self.office.orbix.faults.add(fault(kind, path="users" if poison else "*", logon=logon))

    @rule(name=st.sampled_from(GROUPS))
    def refuse_group(self, name: str) -> None:
        self.office.orbix.faults.add(fault("refuse", grouping=name, message="No such place."))

    @rule()
    def accept_all(self) -> None:
        self.office.orbix.faults.clear()

    @rule(days=st.sampled_from([1, 8]))
    def wait(self, days: int) -> None:
        self.office.now += days * 86_400

    # Runs

    @rule()
    def run(self) -> None:
        self.one_run()

    @rule(troubles=st.lists(st.sampled_from(TROUBLES), min_size=1, max_size=3))
    def run_in_trouble(self, troubles: list[str]) -> None:
        self.office.orbix.troubles = list(troubles)
        self.one_run()

    @rule(fuse=st.integers(0, 9))
    def run_and_crash(self, fuse: int) -> None:
        self.office.ledger.fuse = fuse
        self.one_run()

    @rule(who=st.sampled_from(LOGONS))
    def pilot(self, who: str) -> None:
        self.one_run(only=(who,))

    @rule()
    def dry_run(self) -> None:
        held = len(self.office.orbix.world.requests)
        first, second = self.office.run(dry=True), self.office.run(dry=True)
        assert len(self.office.orbix.world.requests) == held
        assert first.digest == second.digest
        real = self.one_run()
        assert real is None or real.digest == first.digest

    @rule()
    @precondition(lambda self: self.unapproved())
    def approve(self) -> None:
        plan = next(p for p in self.unapproved())
        self.office.approve()
        self.approved |= {
            (kind, fold(shown)) for _, kind, shown, _, _ in self.office.ledger.changes_of(plan.id)
        }

    def unapproved(self) -> list[Any]:
        office = self.office
        return [plan for plan in office.ledger.held(office.now, office.binding) if plan.approved is None]

    @rule(which=pick)
    def tick(self, which: int) -> None:
        office = self.office
        leavers = list(office.ledger.leavers(office.binding))
        if leavers and leavers[which % len(leavers)].kind == PERSON:
            leaver = leavers[which % len(leavers)]
            office.ledger.tick(office.binding, leaver)
            office.orbix.world.accept(TENANT, CLIENT, [("user_gone", leaver.shown.lower())])

    def one_run(self, only: tuple[str, ...] = ()) -> Result | None:
        """A run with its checks; None when it crashed (and the process was started again)."""
        office = self.office
        office.orbix.clear()
        before = office.people()
        approved = office.ledger.has_approvals(office.binding, office.now)
        try:
            result = office.run(only=only)
        except Crash:
            office.reopen()
            return None
        finally:
            office.ledger.fuse, office.orbix.troubles = None, []
        self.check_sums(result)
        if result.outcome.held:
            self.check_held(approved)
        self.check_frozen(before)
        clean = result.code in (0, 3) and not result.outcome.held
        if clean and not only and not any(directory.broken for directory in office.directories):
            self.check_delivered(result, before)
        return result

    # The promises

    def check_sums(self, result: Result) -> None:
        """P7, and `read` is what is wanted."""
        for kind in KINDS:
            counts = dict(result.document[NAMES[kind]])
            gone = counts.pop("gone")
            assert gone >= 0 and min(counts.values()) >= 0, counts
            assert counts.pop("read") == sum(counts.values())
        whole = [d for d in self.office.directories if not d.broken]
        if result.digest:
            assert result.document["people"]["read"] == sum(len(d.people) for d in whole)
            assert result.document["groups"]["read"] == len(
                {fold(unit.name) for d in whole for unit in d.groups.values()}
            )

    def check_held(self, approved: bool) -> None:
        """P4: over a limit nothing leaves but what was approved."""
        orbix = self.office.orbix
        assert approved or not orbix.calls
        for person in orbix.people:
            assert (PERSON, fold(person.shown)) in self.approved
        for grouping in orbix.groupings:
            seats = {(SEAT, fold(f"{grouping.name} / {person.shown}")) for person in grouping.people}
            assert (GROUP, fold(grouping.name)) in self.approved or seats & self.approved

    def check_frozen(self, before: dict[str, tuple[str, str, str]]) -> None:
        """P1: with every source cut off nothing changes at all."""
        if all(directory.broken for directory in self.office.directories):
            assert not self.office.orbix.calls
            assert self.office.people() == before

    def check_delivered(self, result: Result, before: dict[str, tuple[str, str, str]]) -> None:
        """After a run that ends well everybody who can be delivered is, and the leavers are who is missing."""
        office, wanted = self.office, wish(self.office.directories, self.precedence)
        refused = self.refusals()
        people = office.people()
        for key, record in wanted.people.items():
            if (PERSON, key) not in refused:
                name, mail, state = people[key]
                assert (name or None, mail or None, state) == (*record[2:], "active")
        for key, (_, _, state) in people.items():
            if key not in wanted.people and key not in wanted.aside:
                assert state in ("left", "removed"), key
            if before.get(key, ("", "", ""))[2] in ("active", "doubt") and key in wanted.aside:
                assert state == before[key][2], "a record that is set aside is kept"
        self.check_seats(wanted, refused)
        assert result.document["people"]["unsent"] == 0
        assert result.document["seats"]["unsent"] == 0
        self.check_quiet()

    def check_seats(self, wanted: Wish, refused: set[tuple[str, str]]) -> None:
        seats = self.office.seats()
        for group, person in wanted.seats:
            blocked = {(PERSON, person), (GROUP, group), (SEAT, f"{group} / {person}")}
            if not blocked & refused:
                assert seats.get((group, person)) == "active", (group, person)
        for seat, state in seats.items():
            if seat not in wanted.seats | wanted.kept | wanted.perhaps:
                assert state in ("left", "removed"), (seat, state)

    def check_quiet(self) -> None:
        """P6: a run without changes makes no request, and ends 0."""
        office = self.office
        office.orbix.clear()
        again = office.run()
        assert (again.code, again.outcome.requests, again.changes) == (0, 0, []), (
            again.changes,
            again.document,
        )
        assert not office.orbix.calls

    def refusals(self) -> set[tuple[str, str]]:
        """Kind and key of the refusals that stand."""
        office = self.office
        found = set()
        for kind in (PERSON, GROUP, SEAT):
            for key in office.ledger.refusals(office.binding, kind, b"", b"\xff" * 9):
                parts = key.decode().split("\0")
                shown = {1: parts[0], 2: "//".join(parts), 3: f"{parts[0]} / {'//'.join(parts[1:])}"}
                found.add((kind, shown[len(parts)]))
        return found

    @invariant()
    def honest(self) -> None:
        """P2: what the ledger calls active the target holds just so; and nothing at the target is unknown to it."""
        if not hasattr(self, "office"):
            return
        office = self.office
        world = office.orbix.world.holdings.get((TENANT, CLIENT))
        users = world.users if world else {}
        people = office.people()
        for key, (name, mail, state) in people.items():
            if state == "active":
                assert users[key][2:4] == (name or None, mail or None), key
        assert set(users) <= set(people)
        held = {(g, u) for g, group in world.groupings.items() for u in group.members} if world else set()
        seats = office.seats()
        assert {seat for seat, state in seats.items() if state == "active"} <= held
        assert held <= set(seats)
        groups = {row[0].decode(): row for row in office.ledger.groups(office.binding)}
        for key, row in groups.items():
            if row[5] == "active":
                assert world and world.groupings[key].name == row[1]
                assert (world.groupings[key].description or "") == row[2]

    def recover(self) -> None:
        """When every trouble has passed, a few runs with their approvals bring everything in step."""
        office = self.office
        office.orbix.faults.clear()
        for directory in office.directories:
            directory.broken = False
        office.now += WEEK + 1
        result = None
        for _ in range(4):
            result = self.one_run()
            assert result is not None
            if not result.outcome.held:
                break
            if not self.unapproved():
                assert result.outcome.verdict.reasons[0].startswith("empty"), result.outcome.reason
                return
            self.approve()
        assert result is not None and result.code in (0, 3), result
        wanted = wish(office.directories, self.precedence)
        users = office.orbix.world.holdings[TENANT, CLIENT].users if wanted.people else {}
        assert {key: users[key][:4] for key in wanted.people} == wanted.people


class UsualRequests(Days):
    """Limits as they are; Orbix adds members or replaces them."""

    @initialize(
        additive=st.booleans(),
        replacing=st.booleans(),
        second=st.booleans(),
        precedence=st.sampled_from([(), ("hq", "hr"), ("hr", "hq"), ("hr",)]),
        guards=st.sampled_from([TIGHT, WIDE]),
        synchronize=st.booleans(),
        start=st.integers(0, 8),
    )
    def open(
        self, additive: bool, replacing: bool, second: bool, precedence: tuple[str, ...], guards: Guards,
        synchronize: bool, start: int,
    ) -> None:  # fmt: skip
        directories = [Directory("hq"), *([Directory("hr", dns=False)] if second else [])]
        self.precedence = precedence if second else ()
        orbix = Orbix("replacing" if replacing and not additive else "additive")
        self.office = Office(
            self.folder / "ledger.db", *directories, orbix=orbix, additive=additive, guards=guards,
            precedence=self.precedence, synchronize=synchronize,
        )  # fmt: skip
        self.synchronize = synchronize
        for number in range(start):
            self.join(number, number, number, number)
        for number in range(start // 2):
            self.found(number, number, 1)
            self.enrol(number, number)
            self.enrol(number, number + 1)


class SmallRequests(Days):
    """The same days where a request holds next to nobody, and several are under way at a time."""

    @initialize(
        second=st.booleans(),
        guards=st.sampled_from([TIGHT, WIDE]),
        synchronize=st.booleans(),
        start=st.integers(0, 8),
        everybody=st.booleans(),
        refused=st.lists(st.sampled_from(("bob", "carl", "dora", "eve", "fred", "gus")), max_size=2),
        lanes=st.integers(1, 3),
        members=st.integers(1, 2),
    )
    def open(
        self, second: bool, guards: Guards, synchronize: bool, start: int, everybody: bool, refused: list[str],
        lanes: int, members: int,
    ) -> None:  # fmt: skip
        directories = [Directory("hq"), *([Directory("hr", dns=False)] if second else [])]
        self.precedence, self.synchronize = (("hq", "hr") if second else ()), synchronize
        self.office = Office(
            self.folder / "ledger.db", *directories, orbix=Orbix("additive"), additive=True, guards=guards,
            precedence=self.precedence, synchronize=synchronize, lanes=lanes,
        )  # fmt: skip
        self.limits = pytest.MonkeyPatch()
        for module in (slices, plan_seats, synchronizing):
            self.limits.setattr(module, "MEMBERS", members)
        for module in (push, delivery, synchronizing):
            self.limits.setattr(module, "PEOPLE", 3)
        for module in (delivery, push_groups, synchronizing):
            self.limits.setattr(module, "GROUPINGS", 2)
        for number in range(start):
            self.join(number, number, number, number)
        for number in range(start // 2):
            self.found(number, number, 1)
            for who in range(start if everybody else 4):
                self.enrol(number, who)
        for logon in refused:
            self.refuse_people(logon, poison=False)

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            if hasattr(self, "limits"):
                self.limits.undo()


EXAMPLES = int(os.environ.get("ROSTERD_EXAMPLES", "0"))

STORIES = settings(
    max_examples=EXAMPLES or 120,
    stateful_step_count=30,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestUsualRequests, TestSmallRequests = UsualRequests.TestCase, SmallRequests.TestCase
TestUsualRequests.settings = TestSmallRequests.settings = STORIES
