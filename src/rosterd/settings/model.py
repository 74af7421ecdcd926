"""The settings tree. Each part's own class lives beside the part."""

import os
from collections.abc import Hashable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, field_validator, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from rosterd import due
from rosterd.autodesk.settings import AutodeskSettings, PrintersSettings
from rosterd.daemon.notify_settings import NotifySettings
from rosterd.daemon.settings import ConsoleSettings, DaemonSettings
from rosterd.fields import Blackout, Cron, Name, OptionalPath, PositiveDuration, Table, TimeZone, between
from rosterd.ledger.settings import LedgerSettings
from rosterd.orbix.settings import OrbixSettings, client_name
from rosterd.reports.settings import ReportsSettings
from rosterd.sources.settings import CsvSettings, LdapSettings, SourceSettings


class Limit(Table):
    """Holds when n ≥ at_least and n > min(count, percent of the active). A missing part does not limit."""

    inline = True
    percent: Annotated[float, between(0, 100)] | None = None
    """So many percent of the active ones known."""
    count: Annotated[int, between(0, 1_000_000_000)] | None = None
    """So many."""
    at_least: Annotated[int, between(0, 1_000_000_000)] = 1
    """Fewer than this never hold."""


class GuardsSettings(Table):
    """What holds a customer's run until somebody approves it. A table given here replaces the default."""

    first_run: Literal["approve", "go"] = "approve"
    """A first delivery cannot be taken back: "approve" lets someone look at it first, "go" does not."""
    leavers: Limit = Field(default_factory=lambda: Limit(percent=10, count=50, at_least=2))
    """People who disappear."""
    creates: Limit = Field(default_factory=lambda: Limit(percent=50, at_least=20))
    """People who are new."""
    updates: Limit = Field(default_factory=lambda: Limit(percent=30, at_least=20))
    """People who change."""
    member_loss: Limit = Field(default_factory=lambda: Limit(percent=30, at_least=5))
    """Members that one grouping loses."""
    blanked: Limit = Field(default_factory=lambda: Limit(percent=10, at_least=5))
    """People for whom a field turns empty."""
    registrations: Limit = Field(default_factory=lambda: Limit(count=20))
    """Registrations with 3D printers."""


class CustomerSettings(Table):
    """A customer: one Client of the provider in Orbix."""

    client: Annotated[str, AfterValidator(client_name)]
    """The Client's name in Orbix."""
    schedule: Cron = "*/15 * * * *"
    """When it runs: five cron fields, "@daily" and the like, or an interval such as "every 20m"."""
    time_zone: TimeZone = "UTC"
    """The time zone of its schedules and blackouts."""
    blackouts: tuple[Blackout, ...] = ()
    """When no run starts: "22:00-05:00", "mon-fri 08:00-09:30" or "2026-12-24..2027-01-01"; the run comes after."""
    leavers: Literal["report", "synchronize"] = "report"
    """People who left: "report" lists them for removal by hand; "synchronize" lets Orbix delete them."""
    precedence: tuple[str, ...] = ()
    """Which source counts when several have the same person; without it none of the records is sent."""
    retry_refused_after: PositiveDuration = 7 * 86400.0
    """When a record that Orbix refused is sent again although it did not change."""
    approval_days: Annotated[int, between(1, 365)] = 7
    """Days for which an approval holds."""
    sources: dict[Name, SourceSettings]
    """Where its people come from, one table per source."""
    guards: GuardsSettings = Field(default_factory=GuardsSettings)
    """What holds a run."""
    autodesk: AutodeskSettings | None = None
    """Who has access at Autodesk."""
    printers: PrintersSettings | None = None
    """Shared 3D printers."""

    @field_validator("sources")
    @classmethod
    def _some(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not value:
            raise ValueError("names no source: add a table [customers.NAME.sources.NAME]")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        unknown = [name for name in self.precedence if name not in self.sources]
        if unknown:
            raise ValueError(f"names in precedence what is no source of this customer: {', '.join(unknown)}")
        if len(set(self.precedence)) != len(self.precedence):
            raise ValueError("names a source twice in precedence")
        if self.printers is not None and self.autodesk is None:
            raise ValueError("has printers without autodesk, whose token they need")
        for schedule in (self.schedule, *([self.autodesk.schedule] if self.autodesk else [])):
            due.next_due(self.rule(schedule, 0.0), 0.0)
        return self

    @property
    def everybody(self) -> str:
        """Why each run must know everybody, so that changes alone never do; "" when nothing asks for that."""
        if len(self.sources) > 1:
            return "there are several sources"
        if self.leavers == "synchronize":
            return "leavers are synchronized, for which everybody must be known"
        if self.printers is not None and self.printers.registrations:
            return "people are registered with printers, for which everybody must be known"
        if any(source.people.shared_email == "set_aside" for source in self.sources.values()):
            return "people who share an address are set aside, for which everybody must be known"
        return ""

    def rule(self, schedule: str, delay: float) -> due.Rule:
        """One of its schedules with its time zone and blackouts; delay: seconds."""
        windows = tuple([due.parse_window(text) for text in self.blackouts])
        return due.Rule(due.parse(schedule), self.time_zone, delay, windows)


def _known(value: object) -> object:
    """An absent or empty table of customers is one sentence, not one error per missing key."""
    if value == {}:
        raise ValueError("names no customer: add a table [customers.NAME], or files to customers_dir")
    return value


class Settings(BaseSettings):
    """Everything an operator can set, merged from files, secret files and environment (the later wins)."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True, validate_default=False
    )

    customers_dir: OptionalPath = None
    """A directory with one file per customer: NAME.toml holds what would stand under [customers.NAME]."""
    ledger: LedgerSettings = Field(default_factory=LedgerSettings)
    """What the targets acknowledged."""
    reports: ReportsSettings = Field(default_factory=ReportsSettings)
    """The reports that runs leave behind."""
    daemon: DaemonSettings = Field(default_factory=DaemonSettings)
    """The running service."""
    console: ConsoleSettings = Field(default_factory=ConsoleSettings)
    """The console in the browser."""
    notify: NotifySettings = Field(default_factory=NotifySettings)
    """Who is told when something needs a person's eye."""
    orbix: OrbixSettings
    """The print queues."""
    customers: Annotated[dict[Name, CustomerSettings], BeforeValidator(_known)]
    """The customers, one table each."""
    _changed: float = PrivateAttr(0.0)

    @property
    def changed(self) -> float:
        """When the newest of its files was changed, in seconds since 1970; 0 when it came from none."""
        return self._changed

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`Settings(layers=[…])` merges the layers given, the first of them the strongest.

        The library's own sources do not fit: they read the process's environment rather than the one handed
        over, pass over secret files that are links (as Kubernetes mounts them), and cannot say which names
        they did not use.
        """
        given = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
        return tuple([_Layer(settings_cls, layer) for layer in given.get("layers", ())])

    @field_validator("customers")
    @classmethod
    def _apart(cls, customers: dict[str, CustomerSettings]) -> dict[str, CustomerSettings]:
        problems = [*_twins(_clients(customers)), *_readings(customers), *_twins(_tokens(customers))]
        if problems:
            raise ValueError("; ".join(problems))
        return customers


class _Layer(PydanticBaseSettingsSource):
    """One layer of settings that was read beforehand."""

    def __init__(self, settings_cls: type[BaseSettings], tree: dict[str, Any]) -> None:
        super().__init__(settings_cls)
        self._tree = tree

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        del field  # the whole tree was read by name beforehand
        return self._tree.get(field_name), field_name, True

    def __call__(self) -> dict[str, Any]:
        return self._tree


# What two customers must not have in common, lest one's people reach the other's print queues

Claim = tuple[str, str, Hashable]  # the customer, what it claims in words, and the claim


def _clients(customers: Mapping[str, CustomerSettings]) -> Iterator[Claim]:
    """The base URL and the tenant are common to all, so clients, in whatever case, are told apart."""
    for name, customer in customers.items():
        yield name, "the same client", ("client", customer.client.casefold())


def _readings(customers: Mapping[str, CustomerSettings]) -> Iterator[str]:
    """Sentences about sources that several customers read without both calling them shared."""
    first: dict[Hashable, tuple[str, bool]] = {}
    for name, customer in customers.items():
        for source in customer.sources.values():
            for place in _places(source):
                holder, shared = first.setdefault(place, (name, source.shared))
                if holder != name and not (shared and source.shared):
                    yield f"{holder} and {name} read the same source (shared = true in both allows it)"
                    break


def _places(source: CsvSettings | LdapSettings) -> list[Hashable]:
    if isinstance(source, CsvSettings):
        return [os.path.realpath(source.path)]
    people = source.people
    reading = (people.base.casefold(), people.scope, people.filter.casefold())
    return [(url.lower(), *reading) for url in source.urls]


def _tokens(customers: Mapping[str, CustomerSettings]) -> Iterator[Claim]:
    for name, customer in customers.items():
        if customer.autodesk and customer.autodesk.refresh_token:
            yield name, "the same Autodesk refresh_token", customer.autodesk.refresh_token.get_secret_value()


def _twins(claims: Iterator[Claim]) -> Iterator[str]:
    """Sentences about claims that several customers make."""
    first: dict[Hashable, str] = {}
    for name, what, claim in claims:
        holder = first.setdefault(claim, name)
        if holder != name:
            yield f"{holder} and {name} have {what}"
