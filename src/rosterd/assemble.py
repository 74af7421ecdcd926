"""From settings to the open objects of a run: the only file that knows every adapter.

An adapter is imported when the settings name it: ldap3 alone costs more than a whole small run from CSV
(see docs/why/imports.md).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, assert_never

from rosterd.autodesk.settings import AutodeskSettings
from rosterd.core.doors import Source
from rosterd.core.guard import Guards, Limit
from rosterd.core.outcome import Answer
from rosterd.core.people import Grouping, Person
from rosterd.errors import LedgerError, SettingsError
from rosterd.gather import SourcePlan
from rosterd.grouping import GroupPlan
from rosterd.job import Elsewhere, Job
from rosterd.ledger.lock import RunLock
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.orbix.settings import OrbixSettings
from rosterd.people_rules import PeoplePlan
from rosterd.reporting import About
from rosterd.settings import CustomerSettings, Settings
from rosterd.sources.settings import CsvSettings, LdapSettings


def open_ledger(settings: Settings, *, locked: bool) -> tuple[SqliteLedger, RunLock | None]:
    """The ledger, with the run lock or without. Raises LedgerError or, at once, LockedError."""
    path = settings.ledger.path
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        what, hint = f"its directory cannot be made: {error.strerror}", "check ledger.url in the settings"
        raise LedgerError(what, where=str(path), hint=hint) from error
    lock = RunLock(path, _command()) if locked else None
    try:
        return SqliteLedger(path, settings.orbix.base_url, settings.orbix.tenant, lock), lock
    except BaseException:
        if lock is not None:
            lock.close()
        raise


def _command() -> str:
    return " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]


def open_orbix(settings: Settings, stop: threading.Event, log: Any) -> Connection:
    """The tenant's connection, shared by all customers; nothing is sent, or even imported, yet."""
    return Connection(settings.orbix, stop, log)


class Connection:
    """Orbix, connected when the first request is due: a run without changes does not pay for an HTTP client."""

    def __init__(self, settings: OrbixSettings, stop: threading.Event, log: Any) -> None:
        self._given = (settings, stop, log)
        self._lock = threading.Lock()
        self._orbix: Any = None

    @property
    def orbix(self) -> Any:
        """The connection itself, an orbix.client.Orbix."""
        with self._lock:
            if self._orbix is None:
                self._orbix = import_module("rosterd.orbix.client").Orbix(*self._given)
            return self._orbix

    def target(self, client: str) -> LateTarget:
        """The target of one customer's run."""
        return LateTarget(self, client)

    def check(self) -> str:
        """Obtains a token and says so."""
        return str(self.orbix.check())

    def close(self) -> None:
        if self._orbix is not None:
            self._orbix.close()


class LateTarget:
    """core.doors.Target, made with its first call. `requests` counts the API requests that left."""

    def __init__(self, connection: Connection, client: str) -> None:
        self._connection, self._client = connection, client
        self._lock = threading.Lock()
        self._target: Any = None

    def _made(self) -> Any:
        with self._lock:
            if self._target is None:
                self._target = self._connection.orbix.target(self._client)
            return self._target

    @property
    def requests(self) -> int:
        return self._target.requests if self._target is not None else 0

    def upsert_people(self, people: Sequence[Person]) -> Answer:
        answer: Answer = self._made().upsert_people(people)
        return answer

    def upsert_groups(self, groups: Sequence[Grouping]) -> Answer:
        answer: Answer = self._made().upsert_groups(groups)
        return answer

    def synchronize_people(self, people: Sequence[Person]) -> Answer:
        answer: Answer = self._made().synchronize_people(people)
        return answer

    def synchronize_groups(self, groups: Sequence[Grouping]) -> Answer:
        answer: Answer = self._made().synchronize_groups(groups)
        return answer


def open_autodesk(settings: Settings, name: str, stop: threading.Event, log: Any) -> Any:
    """A customer's autodesk.access.AutodeskAccess, None when the settings name none; nothing is sent yet.

    Raises SettingsError for a service account's key that cannot be used.
    """
    customer = settings.customers[name]
    wanted = customer.autodesk
    if wanted is None:
        return None
    autodesk = import_module("rosterd.autodesk.client").Autodesk(
        wanted, name, open_vault(settings, name, stop), stop, log, assertion=_assertions(wanted, name)
    )
    return import_module("rosterd.autodesk.access").AutodeskAccess(autodesk, customer.printers)


class Elsewheres:
    """The doors besides Orbix of every customer whose run asks for them, opened once; closed together."""

    def __init__(self, settings: Settings, stop: threading.Event, log: Any) -> None:
        self._given = (settings, stop, log)
        self._open: dict[str, Any] = {}

    def __call__(self, name: str) -> Elsewhere:
        """Raises SettingsError for a service account's key that cannot be used."""
        if name not in self._open:
            settings, stop, log = self._given
            self._open[name] = open_autodesk(settings, name, stop, log)
        doors = self._open[name]
        return Elsewhere() if doors is None else Elsewhere(doors, doors.printers)

    def close(self) -> None:
        """Closes what was opened."""
        for doors in self._open.values():
            if doors is not None:
                doors.close()


def open_vault(settings: Settings, name: str, stop: threading.Event) -> Any:
    """The autodesk.vault.Vault that keeps a customer's sign-in, in a directory beside the ledger."""
    wanted = settings.customers[name].autodesk
    assert wanted is not None
    bootstrap = wanted.refresh_token.get_secret_value() if wanted.refresh_token else ""
    return import_module("rosterd.autodesk.vault").Vault(
        settings.ledger.path.parent / "tokens", name, wanted.client_id, wanted.base_url,
        bootstrap=bootstrap, wait=stop.wait,
    )  # fmt: skip


def _assertions(wanted: AutodeskSettings, name: str) -> Any:
    """What signs for the service account, if there is one. Its library is an extra of the package."""
    if wanted.service_account is None:
        return None
    try:
        module = import_module("rosterd.autodesk.assertion")
    except ImportError:
        raise SettingsError(
            "a service account needs the library that signs for it, which is not installed",
            where=f"customers.{name}.autodesk.service_account",
            hint="pip install 'rosterd[service-account]'",
        ) from None
    token_url = f"{wanted.base_url}/authentication/v2/token"
    return module.assertions(wanted.service_account, wanted.client_id, token_url)


def job(name: str, customer: CustomerSettings, settings: Settings, stop: threading.Event, log: Any) -> Job:
    """One customer, compiled. Raises SettingsError for a template that does not parse."""
    access = customer.autodesk is not None or customer.printers is not None
    sources = [
        source_plan(name, label, wanted, stop, log, access=access)
        for label, wanted in customer.sources.items()
    ]
    return Job(
        name=name,
        client=customer.client,
        identity=(settings.orbix.base_url, settings.orbix.tenant, customer.client),
        sources=sources,
        guards=guards(customer),
        precedence=customer.precedence,
        flat=frozenset(
            label
            for label, wanted in customer.sources.items()
            if isinstance(wanted, LdapSettings) and wanted.groups is not None and not wanted.groups.nested
        ),
        aside_shared=frozenset(
            label for label, wanted in customer.sources.items() if wanted.people.shared_email == "set_aside"
        ),
        additive=settings.orbix.membership == "additive",
        synchronize=customer.leavers == "synchronize",
        retry_refused_after=customer.retry_refused_after,
        lanes=settings.orbix.concurrency,
        access=access,
        printers=tuple(
            (printer, wanted.group)
            for printer, wanted in (customer.printers.registrations if customer.printers else {}).items()
        ),
        managers=managers(customer),
    )


def managers(customer: CustomerSettings) -> str:
    """The grouping whose members may own and manage applications and twins, or ""."""
    return (customer.autodesk.managers or "") if customer.autodesk else ""


def about(name: str, customer: CustomerSettings, binding: int) -> About:
    """Whose access report it is."""
    return About(binding, name, customer.client, tuple(customer.sources), managers(customer))


def source_plan(
    customer: str, name: str, wanted: CsvSettings | LdapSettings, stop: threading.Event, log: Any, *,
    access: bool = False,
) -> SourcePlan:  # fmt: skip
    """One source with its compiled mapping; nothing is opened yet. `access`: all addresses of people are read."""
    where = f"customers.{customer}.sources.{name}"
    people = PeoplePlan(wanted.people, name, f"{where}.people", wanted.people.addresses if access else ())
    groups: GroupPlan | None = None
    if wanted.groups is not None:
        member = wanted.groups.member if isinstance(wanted, CsvSettings) and wanted.groups else None
        groups = GroupPlan(wanted.groups, name, f"{where}.groups", member)
    source = _source(name, wanted, people, groups, stop, log)
    if isinstance(wanted, LdapSettings):
        return SourcePlan(source, people, groups, strict=False)
    labels = [f"{name}, {part.path.name}" for part in (wanted, wanted.groups or wanted)]
    return SourcePlan(source, people, groups, True, *labels)


def _source(
    name: str, wanted: CsvSettings | LdapSettings, people: PeoplePlan, groups: GroupPlan | None,
    stop: threading.Event, log: Any,
) -> Source:  # fmt: skip
    attributes = (people.attributes, groups.attributes if groups else ())
    match wanted:
        case CsvSettings():
            source: Source = import_module("rosterd.sources.csv").CsvSource(name, wanted, *attributes, stop)
        case LdapSettings():
            source = import_module("rosterd.sources.ldap").LdapSource(name, wanted, *attributes, stop, log)
        case _:
            assert_never(wanted)
    return source


def guards(customer: CustomerSettings) -> Guards:
    """The guards as the core knows them."""
    wanted = customer.guards
    limits = {
        name: Limit(limit.percent, limit.count, limit.at_least)
        for name, limit in (
            ("leavers", wanted.leavers),
            ("creates", wanted.creates),
            ("updates", wanted.updates),
            ("member_loss", wanted.member_loss),
            ("blanked", wanted.blanked),
            ("registrations", wanted.registrations),
        )
    }
    return Guards(first_run=wanted.first_run, **limits)
