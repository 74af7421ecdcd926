"""Following customers: each directory is asked every second what has changed, over a connection that stays open.

A look at which nothing has changed costs one small request for each kind of entry, and leaves no trace. When
something has, a turn of the customer begins at once; it asks the directory itself, and does all the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from rosterd import assemble
from rosterd.daemon.schedule import FOLLOW, Entry
from rosterd.daemon.turns import Turned
from rosterd.errors import Doubt, LedgerError, SourceError, Stopped
from rosterd.fresh import MOST
from rosterd.gather import SourcePlan
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.settings import CustomerSettings
from rosterd.sources.settings import LdapSettings

LONGEST = 60.0  # seconds between two tries at a directory that does not answer


class Tools(NamedTuple):
    """What a watch works with. `reader`: a ledger, to be closed; `take`: does a turn, and tells how it ended."""

    reader: Callable[[], SqliteLedger]
    take: Callable[[Entry], Turned | None]
    stop: threading.Event
    log: Any


class Watch:
    """One customer's followed source, in a thread of its own."""

    def __init__(self, entry: Entry, settings: CustomerSettings, label: str, tools: Tools) -> None:
        wanted = settings.sources[label]
        assert isinstance(wanted, LdapSettings)
        self._entry = entry._replace(kind=FOLLOW)
        self._wanted, self._label, self._tools = wanted, label, tools
        self._every = wanted.follow_every
        self._plan: SourcePlan | None = None
        self._cookie = ""
        self._faults = 0
        self._resting = False  # until a turn of this customer has ended well
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._watch, name=f"follow {entry.customer}", daemon=True)

    def end(self) -> None:
        """No further look; one under way is not waited for."""
        self._over.set()

    def told(self, turned: Turned) -> None:
        """A turn has ended: there may be another cookie, or none."""
        if turned.entry.client == self._entry.client:
            self._cookie = ""
            self._resting = turned.document.get("delivered", turned.exit_code) not in (0, 3)

    def _watch(self) -> None:
        pause = self._every
        try:
            while not self._over.wait(pause) and not self._tools.stop.is_set():
                pause = self._every if self._resting else self._look()
        except Stopped:
            pass
        except Exception:  # a defect in one watch is told; the customer's schedule goes on
            self._tools.log.exception("watch_failed", customer=self._entry.customer)
        finally:
            self._close()

    def _look(self) -> float:
        """Asks once; gives the seconds to wait."""
        try:
            if not self._cookie and not self._known():
                self._resting = True
                return self._every
            changes = self._follower().since(self._cookie, MOST)
        except Doubt:
            return self._turn()
        except SourceError as error:
            return self._fault(error)
        except LedgerError:  # runs meet the same, and say so
            return LONGEST
        self._faults = 0
        if changes:
            return self._turn()
        self._cookie = changes.cookie
        return self._every

    def _turn(self) -> float:
        self._cookie = ""
        turned = self._tools.take(self._entry)
        if turned is None:
            return self._every
        if turned.again is not None:
            self._resting = False
            return turned.again
        if turned.outcome is not None and turned.outcome.paused is not None:
            self._resting = True
        quick = turned.document.get("followed") or (turned.outcome is not None and turned.outcome.quiet)
        return self._every if quick else max(self._every, turned.seconds)  # a full read is no pastime

    def _known(self) -> bool:
        """Whether there is something to go on from."""
        with closing(self._tools.reader()) as ledger:
            binding = ledger.binding(self._entry.client).id
            found = ledger.followed(binding, self._label)
            if found is not None and any(run.cut_off for run in ledger.runs(binding)):
                raise Doubt("the last run did not come to its end")
        self._cookie = found.cookie if found is not None else ""
        return found is not None

    def _follower(self) -> Any:
        if self._plan is None:
            self._plan = assemble.source_plan(
                self._entry.customer, self._label, self._wanted, self._tools.stop, self._tools.log
            )
        assert self._plan.follow is not None
        return self._plan.follow.follower

    def _fault(self, error: SourceError) -> float:
        self._close()
        self._faults += 1
        if self._faults == 1:
            self._tools.log.warning(
                "not_watched", customer=self._entry.customer, problem=str(error), next="tries again"
            )
        self._resting = error.refused  # asking again might lock the account, so only runs do
        return min(self._every * 2.0**self._faults, LONGEST)

    def _close(self) -> None:
        plan, self._plan = self._plan, None
        if plan is not None:
            plan.source.close()


class Watches:
    """The watches of a service. `replace` may be called again, with other settings."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._watches: list[Watch] = []

    def replace(self, entries: Iterable[Entry], customers: Mapping[str, CustomerSettings]) -> None:
        """Watches every followed source of these jobs' customers from now on, and no others."""
        self.end()
        found = {entry.client: entry for entry in entries if entry.customer}
        self._watches = [
            Watch(entry, customers[entry.customer], label, self._tools)
            for entry in found.values()
            for label, source in customers[entry.customer].sources.items()
            if isinstance(source, LdapSettings) and source.follow
        ]
        for watch in self._watches:
            watch.thread.start()

    def told(self, turned: Turned) -> None:
        """A turn has ended."""
        for watch in self._watches:
            watch.told(turned)

    def end(self) -> None:
        """Ends all watches."""
        for watch in self._watches:
            watch.end()

    def stop(self) -> None:
        """Ends all watches, and waits for the turns that they have begun."""
        self.end()
        for watch in self._watches:
            watch.thread.join(LONGEST)
