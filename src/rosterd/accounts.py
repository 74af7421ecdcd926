"""Everybody the directory shows, delivered or not: by whom access elsewhere is recognised.

Accounts of sources that could not be read stay as they are; whoever a whole read no longer shows has left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from rosterd.cleaning import DISABLED
from rosterd.core.access import BEST_FIRST, FAULTY, LEFT, OFF, OUTSIDE, PRESENT, Account
from rosterd.core.merge import align
from rosterd.core.people import ACTIVE, NO_KEY, NUL, OUT, Row, wanted_of
from rosterd.draft import Plan, PlanningLedger, Terms
from rosterd.gather import Gathered
from rosterd.roster import merged

_key = itemgetter(0)


def compare_accounts(terms: Terms, ledger: PlanningLedger, plan: Plan, sources: Sequence[Gathered]) -> None:
    """Notes in the plan which accounts are new or different, and which have gone."""
    wanted = _accounts(merged([source.people for source in sources]))
    for ours, known in align(wanted, ledger.accounts(terms.binding)):
        if ours == known:
            continue
        old = {account.key: account for account in known}
        changed = [
            account
            for account in ours
            if (row := old.get(account.key)) != account and not (row and terms.holds_back(row.source))
        ]
        here = {account.key for account in ours}
        left = [
            account.key
            for account in known
            if account.key not in here and account.state != LEFT and not terms.holds_back(account.source)
        ]
        if changed or left:
            plan.accounts.add(changed, left)


def _accounts(chunks: Iterator[list[Row]]) -> Iterator[list[Account]]:
    """One account per key, in key order; chunks never end amid equal keys, and these do not either."""
    for chunk in chunks:
        accounts = [_account(row) for row in chunk]
        if len({account.key for account in accounts}) < len(accounts):
            accounts = [_one(list(same)) for _, same in groupby(accounts, _key)]
        yield accounts


def _account(row: Row) -> Account:
    person = wanted_of(row)
    key, domain, logon, name, email, source, _, dn, state, place, reason, _ = person
    emails = dict.fromkeys(filter(None, [email.casefold(), *row[5].split("\n")]))
    shown = f"{domain}//{logon}"
    if key.startswith(NO_KEY):
        key = key.rpartition(NUL)[0]  # without its line number, which moves
        shown = dn or f"{source} line {place}"
    note = "" if state == ACTIVE else reason
    return Account(key, shown, name, "\n".join(emails), _state(state, reason), note, source)


def _state(state: str, reason: str) -> str:
    if state == ACTIVE:
        return PRESENT
    if state == OUT:
        return OFF if reason == DISABLED else OUTSIDE
    return FAULTY


def _one(same: list[Account]) -> Account:
    """Several entries of one person: the best of them, with everybody's addresses."""
    best = min(same, key=lambda account: BEST_FIRST[account.state])
    emails = dict.fromkeys(email for account in same for email in account.emails.split("\n") if email)
    return best._replace(emails="\n".join(emails))
