"""Runs that are killed: everything is imported once, and every run is a fork of this process.

`python -m tests.kill.driver SCENARIO DIRECTORY MEMBERSHIP SEED KILLS [MUTANT]` prints one JSON document: how many
runs were killed, where, and what the checks found. A program of its own, so that it has no threads when it forks.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import apsw
from tests.kill import mutants
from tests.kill.checks import after_kill, converged
from tests.kill.company import ANCHOR, GROUPS, STEADY, Company, changed, form_of, founded, settings
from tests.kill.deaths import WHOLE, Countdown, Kill, a_kill
from tests.kill.witness import Target

from rosterd import assemble, log
from rosterd.job import Tools
from rosterd.once import Wish, run_once
from rosterd.run import run_customer
from rosterd.settings import load
from rosterd.sources import csv as _csv  # imported here, not in every fork

CALM = 12  # rounds between two whole runs
WEEK = 8 * 86_400.0  # seconds: refused records are tried again after 7 days
ENDS = (0, 3)

assert _csv


class Rounds:
    """Two customers, one target, one ledger, and many runs that do not end well."""

    def __init__(
        self, directory: Path, membership: str, companies: list[Company], seed: str = "", mutant: str = "",
        lanes: int = 2,
    ) -> None:  # fmt: skip
        self.directory, self.mutant = directory, mutant
        self.dice = random.Random(seed)
        self.target = Target(directory / "accepted", membership)
        self.ledger = directory / "ledger.db"
        self.companies = self.before = companies
        self.offset, self.rounds = 0.0, 0
        self.kills: Counter[str] = Counter()
        self.wrong: list[str] = []
        names = [company.name for company in self.companies]
        text = settings(self.target.base_url, self.target.token_url, membership, names, lanes)
        self.config = directory / "rosterd.toml"
        self.config.write_text(text, encoding="utf-8")
        self.config.chmod(0o600)
        self.settings = load(self.config, {}).settings

    def play(self, kills: int) -> None:
        """Rounds until so many runs were killed and all is calm again."""
        while self.kills.total() < kills and not self.wrong:
            self.a_round()
            if self.rounds % CALM == 0:
                self.calm()
        if not self.wrong:
            self.calm()

    def a_round(self) -> None:
        self.rounds += 1
        now = [
            changed(company, self.dice, self.rounds, before)
            for company, before in zip(self.companies, self.before, strict=True)
        ]
        self.before, self.companies = self.companies, now
        if self.dice.random() < 0.2:
            self.target.faults(*(["flaky*"] if self.dice.random() < 0.5 else []))
        kill = a_kill(self.dice)
        self.killed(kill)

    def killed(self, kill: Kill) -> bool:
        """A run that is to be killed, and the checks after it; false when it survived."""
        died, code = self.run(kill)
        if died:
            self.kills[kill.how] += 1
        elif code not in ENDS:
            self.wrong.append(f"round {self.rounds}: a run ended with {code}")
        self.note(kill, after_kill(self.ledger, self.target.settled()))
        return died

    def calm(self) -> None:
        """A whole run a week later, with no record refused that could pass: everything must agree, and stay so."""
        self.target.faults()
        self.offset += WEEK
        _, code = self.run(WHOLE)
        if code not in ENDS:
            self.wrong.append(f"round {self.rounds}: the whole run ended with {code}")
        journal = self.target.settled()
        self.note(
            WHOLE, [*after_kill(self.ledger, journal), *converged(self.ledger, journal, self.companies)]
        )
        sent = self.target.requests()
        _, code = self.run(WHOLE)
        if code != 0 or self.target.requests() != sent:
            more = self.target.requests() - sent
            self.wrong.append(f"round {self.rounds}: one more run ended with {code} and sent {more} requests")

    def note(self, kill: Kill, wrong: list[str]) -> None:
        self.wrong += [f"round {self.rounds}, {kill.how} {kill.after:.3f}: {what}" for what in wrong]

    def write(self) -> None:
        for company in self.companies:
            company.write(self.directory)

    def run(self, kill: Kill) -> tuple[bool, int]:
        """One run in a fork: whether it was killed, and its exit code."""
        self.write()
        process = os.fork()
        if process == 0:
            self._child(kill)
        if kill.how == "delay":
            time.sleep(kill.after)
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        return os.WIFSIGNALED(status), os.waitstatus_to_exitcode(status)

    def _child(self, kill: Kill) -> NoReturn:
        code = 99
        try:
            clock = self._set(kill)
            work = self._wrong if self.mutant else self.whole
            code = work(Wish(clock=lambda: clock() or time.time() + self.offset))
        except BaseException:
            traceback.print_exc()
        os._exit(code)

    def _set(self, kill: Kill) -> Callable[[], bool]:
        """Puts the trap where it belongs; gives what the run's clock calls first."""
        count, never = Countdown(kill.after), Countdown(0)
        match kill.how:
            case "clock":
                return count
            case "commit":
                apsw.connection_hooks.append(lambda connection: connection.set_commit_hook(count))
            case "steps":  # amid a transaction: every 200 instructions of SQLite's machine
                apsw.connection_hooks.append(lambda connection: connection.set_progress_handler(count, 200))
            case "accepting":
                self.target.trap.set(os.getpid(), before=int(kill.after))
            case "accepted":
                self.target.trap.set(os.getpid(), after=int(kill.after))
        return never

    def whole(self, wish: Wish) -> int:
        """What `rosterd run --once` does."""
        document = run_once(self.settings, wish, log.configure("console", -1))
        if document["exit_code"] not in ENDS:
            reasons = [customer["reason"] for customer in document["customers"].values()]
            sys.stderr.write(f"round {self.rounds}: {reasons}\n")
        return int(document["exit_code"])

    def _wrong(self, wish: Wish) -> int:
        """The same with a part that is wrong on purpose."""
        logger = log.configure("console", -1)
        ledger, target = mutants.planted(self.mutant, self.settings, wish.stop, logger)
        ledger.prepare(wish.clock())
        codes = []
        for name, customer in self.settings.customers.items():
            job = assemble.job(name, customer, self.settings, wish.stop, logger)
            tools = Tools(ledger, target, wish.stop, wish.clock, lambda _what, _count: None)
            codes.append(run_customer(job, tools).exit_code)
        return max(codes)


def revert(rounds: Rounds) -> None:
    """What was under way when a run was killed goes back to what it was: that must be sent again."""
    (company,) = rounds.companies
    for number, change in enumerate((_renamed, _described, _joined), 1):
        rounds.calm()
        rounds.companies = [company.copy()]
        change(rounds.companies[0], number)
        if not rounds.killed(Kill("accepted", 2 if change is _described else 1)):
            rounds.wrong.append(f"{change.__name__}: the run was not killed")
        rounds.companies = [company]
        sent = rounds.target.requests()
        rounds.run(WHOLE)
        if change is not _joined and rounds.target.requests() == sent:
            rounds.wrong.append(f"{change.__name__}: nothing was sent again")
        journal = rounds.target.settled()
        rounds.note(WHOLE, converged(rounds.ledger, journal, rounds.companies))


def _renamed(company: Company, version: int) -> None:
    company.people[ANCHOR] = form_of(ANCHOR, version)


def _described(company: Company, version: int) -> None:
    _renamed(company, version)  # one request for people comes before
    company.groups[GROUPS[0]] = (f"version {version}", company.groups[GROUPS[0]][1])


def _joined(company: Company, version: int) -> None:
    company.people[STEADY[-1]] = form_of(STEADY[-1], version)


def standing(rounds: Rounds) -> None:
    """Two records that stand refused are tried again a week later, alone: still refused, and that is all."""
    rounds.companies[0].people |= {logon: form_of(logon, 1) for logon in ("never1", "never2")}
    rounds.calm()
    rounds.calm()


def damaged(rounds: Rounds, flips: int) -> None:
    """The ledger's file with one bit flipped, or cut short, many times."""
    rounds.calm()
    whole = rounds.ledger.read_bytes()
    for _ in range(flips):
        place, bit = rounds.dice.randrange(len(whole)), rounds.dice.randrange(8)
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bit
        _damage(rounds, bytes(flipped), f"byte {place}, bit {bit}", (*ENDS, 8))
    for part in range(40):
        length = part * len(whole) // 40 + rounds.dice.randrange(2)
        _damage(rounds, whole[:length], f"the first {length} bytes", (8,))


def _damage(rounds: Rounds, content: bytes, what: str, codes: tuple[int, ...]) -> None:
    """Found (8) before anything is sent, or what is wanted is delivered."""
    for file in rounds.directory.glob("ledger.db*"):
        file.unlink()
    rounds.ledger.write_bytes(content)
    sent = rounds.target.requests()
    _, code = rounds.run(WHOLE)
    rounds.kills[str(code)] += 1  # no kills here, but exit codes
    if code not in codes or (code == 8 and rounds.target.requests() != sent):
        rounds.wrong.append(f"{what}: ended with {code}")
    if len(codes) == 1 and rounds.ledger.read_bytes() != content:
        rounds.wrong.append(f"{what}: the file is not as it was")
    users = rounds.target.settled().clients["ACME"].users
    if {key: forms[-1] for key, forms in users.items()} != rounds.companies[0].wanted():
        rounds.wrong.append(f"{what}: not everybody is there as wanted")


def main(scenario: str, directory: str, membership: str, seed: str, kills: str, mutant: str = "") -> None:
    names = ["acme", "beta"] if scenario == "at_random" else ["acme"]
    rounds = Rounds(Path(directory), membership, [founded(name) for name in names], seed, mutant)
    gc.freeze()  # so that the children share what is there
    try:
        if scenario == "at_random":
            rounds.play(int(kills))
        elif scenario == "damaged":
            damaged(rounds, int(kills))
        else:
            {"revert": revert, "standing": standing}[scenario](rounds)
    finally:
        rounds.target.close()
    found = {"rounds": rounds.rounds, "kills": rounds.kills, "wrong": rounds.wrong}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
