"""A company in memory for tests of whole runs: directories, a ledger on a file, and the sandbox without a socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rosterd.access import Reports
from rosterd.core.doors import Batch, Proof
from rosterd.core.guard import Guards, Verdict
from rosterd.core.outcome import Answer, Mismatch, TooLarge
from rosterd.core.people import Grouping, Person, ref_dn
from rosterd.core.plan import Change
from rosterd.draft import Plan
from rosterd.errors import SourceError, TargetError
from rosterd.gather import SourcePlan
from rosterd.grouping import GroupPlan
from rosterd.job import Elsewhere, Job, Outcome, Tools
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.orbix import wire
from rosterd.people_rules import PeoplePlan
from rosterd.run import run_customer
from rosterd.sandbox import Faults, Switches, World
from rosterd.sandbox.app import Sandbox
from rosterd.sandbox.switches import Membership
from rosterd.sandbox.wire import Request
from rosterd.sources.people import PeopleSettings

URL, TENANT, CLIENT = "https://orbix.example.com/api", "sandbox", "ACME"


class Crash(BaseException):
    """The process is gone: nothing in the product may catch this."""


# The directory


@dataclass
class Entry:
    """A person as a directory has it."""

    logon: str
    name: str = ""
    mail: str = ""
    domain: str = "NDD"
    disabled: bool = False
    others: str = ""  # further addresses


@dataclass
class Unit:
    """A group; `members` are ids of entries (or, in a directory with DNs, of groups)."""

    name: str
    description: str = ""
    members: list[str] = field(default_factory=list)


@dataclass
class Directory:
    """What a source holds, by id. With `dns` it speaks like LDAP, else like two CSV files."""

    name: str
    dns: bool = True
    people: dict[str, Entry] = field(default_factory=dict)
    groups: dict[str, Unit] = field(default_factory=dict)
    broken: bool = False

    def dn(self, identity: str) -> str:
        return f"cn={identity},ou={self.name}"


class MemoryFeed:
    """core.doors.Feed over a list of batches; a broken one ends in the middle."""

    def __init__(self, attributes: Sequence[str], batches: Sequence[Batch], broken: bool) -> None:
        self.attributes = tuple(attributes)
        self._batches = batches
        self._broken = broken

    def __iter__(self) -> Iterator[Batch]:
        for number, batch in enumerate(self._batches):
            if self._broken and number:
                break
            yield batch
        if self._broken:
            raise SourceError("the connection was lost")

    def proof(self) -> Proof:
        entries = sum(len(batch.rows) for batch in self._batches)
        return Proof(entries, len(self._batches), "read to its end")


class MemorySource:
    """core.doors.Source over a Directory."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    @property
    def name(self) -> str:
        return self.directory.name

    def people(self) -> MemoryFeed:
        directory = self.directory
        attributes = ("logon", "domain", "name", "mail", "groups", "others")
        batches = []
        for number, pair in enumerate(_pairs(list(directory.people.items()))):
            rows = [(e.logon, e.domain, e.name, e.mail, _groups_of(directory, i), e.others) for i, e in pair]
            dns = [directory.dn(i) for i, _ in pair] if directory.dns else ()
            batches.append(
                Batch(
                    rows,
                    dns or [2 + 2 * number + i for i in range(len(pair))],
                    ids=[i for i, _ in pair],
                    dns=dns,
                    disabled=[entry.disabled for _, entry in pair],
                )
            )
        return MemoryFeed(attributes, batches, directory.broken)

    def groups(self) -> MemoryFeed:
        directory = self.directory
        if not directory.dns:
            rows = [
                (unit.name, unit.description, directory.people[member].logon if member else "")
                for unit in directory.groups.values()
                for member in ["", *(m for m in unit.members if m in directory.people)]
            ]
            return MemoryFeed(
                ("group", "description", "member"), [Batch(rows, range(2, 2 + len(rows)))], False
            )
        batches = [
            Batch(
                [(unit.name, unit.description, "") for _, unit in pair],
                [directory.dn(i) for i, _ in pair],
                ids=[i for i, _ in pair],
                dns=[directory.dn(i) for i, _ in pair],
                members=[[ref_dn(directory.dn(m)) for m in unit.members] for _, unit in pair],
            )
            for pair in _pairs(list(directory.groups.items()))
        ]
        return MemoryFeed(("group", "description", "member"), batches, False)

    def close(self) -> None:
        pass


def _pairs(items: list[Any]) -> Iterator[list[Any]]:
    for i in range(0, len(items), 2):
        yield items[i : i + 2]


def _groups_of(directory: Directory, identity: str) -> str:
    return ";".join(unit.name for unit in directory.groups.values() if identity in unit.members)


@dataclass
class GroupRules:
    name: str = "{{ group }}"
    description: str | None = "{{ description }}"


def people_rules(**more: Any) -> PeopleSettings:
    """The `people` table with what most tests want; `more` goes over it."""
    told = {"logon": "{{ logon }}", "domain": "{{ domain }}", "name": "{{ name }}", "email": "{{ mail }}"}
    return PeopleSettings.model_validate({**told, **more})


def source_plan(directory: Directory, **rules: Any) -> SourcePlan:
    """A directory with its compiled mapping."""
    where = f"customers.acme.sources.{directory.name}"
    people = PeoplePlan(people_rules(**rules), directory.name, where, addresses=("others",))
    member = None if directory.dns else "{{ member }}"
    groups = None if rules.get("groups") else GroupPlan(GroupRules(), directory.name, where, member)
    return SourcePlan(MemorySource(directory), people, groups, strict=True)


# The target


class Orbix:
    """The sandbox as a function, with troubles on the line: one word per request, in order.

    "down": nothing arrives, and that is known. "lost": nothing arrives, unknown. "silent": it arrives, the
    answer is lost. "foreign", "partly": it arrives, the answer names others. "large": 413. "crash": the process
    ends before the request, "crash_after": before the answer. "": no trouble.
    """

    def __init__(self, membership: Membership = "additive") -> None:
        self.world, self.faults = World(), Faults()
        self.sandbox = Sandbox(self.world, Switches(membership=membership), self.faults)
        self.token = self.world.tokens.issue(TENANT, 1e9, None)
        self.troubles: list[str] = []
        self.people: list[Person] = []  # everybody sent in user calls since the last clear
        self.groupings: list[Grouping] = []
        self.calls: list[tuple[str, int]] = []  # path and records of each request

    def target(self, _client: str) -> Line:
        return Line(self)

    def clear(self) -> None:
        """Forgets what was sent; what is held stays."""
        self.people, self.groupings, self.calls = [], [], []

    def ask(self, path: str, body: bytes, parse: Callable[[int, bytes], Any]) -> Answer:
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "crash":
            raise Crash
        if trouble in ("down", "lost"):
            raise TargetError("no answer", maybe_applied=trouble == "lost")
        if trouble == "large":
            return TooLarge()
        headers = {
            "tenant": TENANT,
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
        }
        answer = self.sandbox.answer(Request("POST", path, headers=headers, body=body))
        if trouble == "crash_after":
            raise Crash
        if trouble == "silent":
            raise TargetError("the answer was lost", maybe_applied=True)
        if trouble in ("foreign", "partly"):
            return Mismatch("the answer names 1 record that was not sent: NDD//nobody", trouble == "partly")
        result = parse(answer.status or 0, answer.body)
        if result is None or isinstance(result, wire.Ambiguous):
            raise TargetError(f"an odd answer: {answer.status}", maybe_applied=result is not None)
        found: Answer = result
        return found


class Line:
    """core.doors.Target for one run."""

    def __init__(self, orbix: Orbix) -> None:
        self._orbix = orbix
        self.requests = 0

    def upsert_people(self, people: Sequence[Person]) -> Answer:
        return self._people("/v1/users", people)

    def synchronize_people(self, people: Sequence[Person]) -> Answer:
        return self._people("/v1/users/synchronize", people)

    def upsert_groups(self, groups: Sequence[Grouping]) -> Answer:
        return self._groups("/v1/groups/users", groups)

    def synchronize_groups(self, groups: Sequence[Grouping]) -> Answer:
        return self._groups("/v1/groups/users-sync", groups)

    def _people(self, path: str, people: Sequence[Person]) -> Answer:
        self._orbix.people += people
        self._orbix.calls.append((path, len(people)))
        self.requests += 1
        body = wire.users_body(CLIENT, people)
        return self._orbix.ask(path, body, lambda s, b: wire.parse_users(s, b, people))

    def _groups(self, path: str, groups: Sequence[Grouping]) -> Answer:
        self._orbix.groupings += groups
        self._orbix.calls.append((path, len(groups)))
        self.requests += 1
        body = wire.groups_body(CLIENT, groups)
        return self._orbix.ask(path, body, lambda s, b: wire.parse_groups(s, b, groups))


# The office: everything together


class Fragile(SqliteLedger):
    """A ledger whose process ends before its n-th write transaction from now (`fuse`)."""

    fuse: int | None = None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self.fuse is not None:
            if self.fuse == 0:
                raise Crash
            self.fuse -= 1
        with super()._writing():
            yield


@dataclass
class Result:
    """How a run ended; `changes` with whether an approval covered them, as they were judged."""

    outcome: Outcome
    changes: list[tuple[Change, bool]]

    @property
    def code(self) -> int:
        return self.outcome.exit_code

    @property
    def document(self) -> dict[str, Any]:
        return self.outcome.document

    @property
    def digest(self) -> str:
        return self.outcome.plan.digest

    def counts(self, kind: str = "people") -> dict[str, int]:
        """The buckets that are not empty."""
        return {name: count for name, count in self.document[kind].items() if count}


class Office:
    """One customer with its directories, ledger and target. `job`: fields of rosterd.run.Job."""

    def __init__(self, path: Path, *directories: Directory, orbix: Orbix | None = None, **job: Any) -> None:
        self.path, self.directories, self.orbix = path, directories, orbix or Orbix()
        self.rules: dict[str, Any] = job.pop("rules", {})
        self.job: dict[str, Any] = {"guards": Guards(first_run="go"), "lanes": 1, **job}
        self.now = 1_000_000.0
        self.elsewhere = Elsewhere()
        self.read_access = True
        self.reports: Reports | None = None
        self.stop = threading.Event()
        self.ledger = self.open()

    def open(self) -> Fragile:
        """Opens the ledger as a new process does."""
        self.ledger = Fragile(self.path, URL, TENANT)
        self.ledger.prepare(self.now)
        return self.ledger

    def reopen(self) -> None:
        self.ledger.close()
        self.open()

    @property
    def binding(self) -> int:
        return self.ledger.binding(CLIENT).id

    def run(self, *, dry: bool = False, only: Sequence[str] = (), yes: bool = False) -> Result:
        """One run. Raises Crash."""
        changes: list[tuple[Change, bool]] = []

        def show(_name: str, plan: Plan, _verdict: Verdict, _held: bool) -> None:
            changes.extend(row for log in plan.logs for chunk in log for row in chunk)

        plans = [source_plan(directory, **self.rules) for directory in self.directories]
        job = Job("acme", CLIENT, (URL, TENANT, CLIENT), plans, **self.job)
        tools = Tools(
            self.ledger, self.orbix.target, self.stop, lambda: self.now, lambda _what, _count: None,
            dry, tuple(only), lambda _name, _plan, _verdict: yes, show, lambda _name: self.elsewhere, self.reports,
            self.read_access,
        )  # fmt: skip
        self.now += 1
        return Result(run_customer(job, tools), changes)

    def approve(self, days: float = 7) -> None:
        """Approves the newest held plan."""
        plan = next(plan for plan in self.ledger.held(self.now, self.binding) if plan.approved is None)
        self.ledger.approve(plan, self.now, self.now + days * 86_400)

    def people(self) -> dict[str, tuple[str, str, str]]:
        """What the ledger has: key as shown, folded -> (name, e-mail, state)."""
        return {
            f"{row[1]}//{row[2]}".lower(): (row[3], row[4], row[8])
            for page in self.ledger.people(self.binding)
            for row in page
        }

    def seats(self) -> dict[tuple[str, str], str]:
        """What the ledger has: (grouping, person) folded -> state."""
        found = {}
        for page in self.ledger.seats(self.binding):
            for key, _, state in page:
                group, _, person = key.decode().partition("\0")
                found[group, person.replace("\0", "//")] = state
        return found
