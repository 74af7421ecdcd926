"""What the tests of following share: a small company on a server that tells changes, and the proof of a full read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
from tests.real.ldap.runs_kit import SMALL_RULES, Site, hq, opened, small
from tests.real.relay import Relay
from tests.real.slapd import READER, Slapd, load, running

SESSION_LOG = "syncprov-sessionlog 500\n"
TELLING = "index entryUUID,entryCSN eq\noverlay syncprov\n"

# What a full read must leave as it finds it; times and runs aside.
_KEPT = {
    "person": "SELECT key, domain, logon, name, email, source, id, dn, state FROM person",
    "grouping": "SELECT key, name, description, source, id, state FROM grouping",
    "seat": "SELECT key, source, state FROM seat",
    "edge": "SELECT ref, handle, source FROM edge",
    "problem": "SELECT kind, key, bucket, shown, reason FROM problem",
    "entry": "SELECT source, kind, id, key, data FROM entry",
    "entry_ref": "SELECT source, ref, kind, id FROM entry_ref",
    "entry_edge": "SELECT source, kind, id, ref, handle FROM entry_edge",
}


def rules(log: str = SESSION_LOG) -> str:
    """slapd's configuration: nobody is limited, and changes are told."""
    head, _, access = SMALL_RULES.partition("access")
    return f'{head}limits dn.exact="{READER}" size=unlimited time=unlimited\naccess{access}{TELLING}{log}'


def loaded(folder: Path, log: str = SESSION_LOG) -> None:
    """A small company whose server tells changes."""
    load(folder, small(), rules(log), modules=["syncprov"])


@contextmanager
def telling(folder: Path, log: str = SESSION_LOG) -> Iterator[Slapd]:
    """A running server with the small company."""
    loaded(folder, log)
    with running(folder, log="none") as server:
        yield server


@contextmanager
def following(
    folder: Path, slapd: Slapd | None, source: dict[str, Any] | None = None, **acme: Any
) -> Iterator[Site]:
    """An office that has read everything once, and follows from then on."""
    wanted = source or hq(slapd.url if slapd else "", follow=True)
    with opened(folder, slapd, sources={"hq": wanted}, **acme) as site:
        site.set(orbix={"membership": "additive"})
        site.run()
        yield site


def generous(**more: Any) -> dict[str, Any]:
    """Guards that let everything go."""
    off = {"percent": 100, "at_least": 1_000}
    names = ("leavers", "creates", "updates", "member_loss", "blanked")
    return {"first_run": "go", **dict.fromkeys(names, off)} | more


def followed(site: Site, code: int | None = 0) -> dict[str, Any]:
    """A run that must have looked at changes only."""
    part = site.one(code=code)
    assert part.get("followed"), part
    return part


def read_whole(site: Site, code: int | None = None) -> dict[str, Any]:
    """A run that must have read everything."""
    part = site.one(code=code)
    assert not part.get("followed"), part
    return part


def state(site: Site) -> dict[str, list[Any]]:
    """What the ledger knows."""
    with closing(apsw.Connection(str(site.ledger))) as ledger:
        return {table: sorted(ledger.execute(sql), key=repr) for table, sql in _KEPT.items()}


def forget_cookie(site: Site) -> None:
    """The next run reads everything."""
    with closing(apsw.Connection(str(site.ledger))) as ledger:
        ledger.execute("DELETE FROM followed")


def proven(site: Site) -> None:
    """A full read finds nothing to do, and leaves the ledger as it is."""
    before = state(site)
    forget_cookie(site)
    part = read_whole(site)
    for kind in ("people", "groups", "seats"):
        assert {part[kind][bucket] for bucket in ("created", "updated", "gone", "unsent")} == {0}, part
    after = state(site)
    for table, rows in before.items():
        assert rows == after[table], (table, _difference(rows, after[table]))


# Where answers break: messages that still come, and what becomes of all others. None: the line is cut; b"": silence.
BREAKS: tuple[tuple[int, bytes | None], ...] = ((1, None), (3, None), (5, None), (3, b""))


def broken(site: Site, relay: Relay, change: Callable[[int], None]) -> None:
    """A run that meets a broken answer concludes nothing from it, and the one after it makes up for that.

    change: makes the directory's data other than it was, each time.
    """
    for number, (messages, then) in enumerate(BREAKS):
        change(number)
        before = state(site)
        with site.reading(timeout="2s" if then is not None else "20s"):
            relay.spoil = _spoiled(messages, then)
            assert site.one()["exit_code"] == 5
            relay.spoil = None
        assert state(site)["person"] == before["person"]
        assert site.one()["people"]["updated"] == 1
        proven(site)
    change(len(BREAKS))
    assert followed(site)["people"]["updated"] == 1


def _spoiled(messages: int, then: bytes | None) -> Callable[[bytes, int], bytes | None]:
    passed = itertools.count()
    return lambda message, _entries: message if next(passed) < messages else then


def _difference(before: list[Any], after: list[Any]) -> str:
    lost, found = (
        [row for row in one if row not in other] for one, other in ((before, after), (after, before))
    )
    return f"only before: {lost}, only after: {found}"
