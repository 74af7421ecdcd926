"""One customer's settings, compiled into a job."""

from __future__ import annotations

import hashlib
import threading
from importlib import import_module
from typing import Any, assert_never

from rosterd.core.doors import Source
from rosterd.core.guard import Guards, Limit
from rosterd.gather import Follow, SourcePlan
from rosterd.grouping import GroupPlan
from rosterd.job import Job
from rosterd.people_rules import PeoplePlan
from rosterd.reporting import About
from rosterd.settings import CustomerSettings, Settings
from rosterd.sources.settings import CsvSettings, LdapSettings


def job(name: str, customer: CustomerSettings, settings: Settings, stop: threading.Event, log: Any) -> Job:
    """One customer, compiled. Raises SettingsError for a template that does not parse."""
    access = customer.autodesk is not None or customer.printers is not None
    refused: dict[Any, Any] = {}  # one account for several sources is tried once a run
    shared = customer.printers.registrations if customer.printers else {}
    sources = [
        source_plan(name, label, wanted, stop, log, access=access, refused=refused)
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
        changed=settings.changed,
        access=access,
        everybody=customer.everybody,
        printers=tuple((printer, wanted.group) for printer, wanted in shared.items()),
        printer_names={printer: wanted.name for printer, wanted in shared.items() if wanted.name},
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
    access: bool = False, refused: dict[Any, Any] | None = None,
) -> SourcePlan:  # fmt: skip
    """One source with its compiled mapping; nothing is opened yet. `access`: all addresses of people are read.

    refused: accounts that a directory has refused; shared by sources that are read in one run.
    """
    where = f"customers.{customer}.sources.{name}"
    people = PeoplePlan(wanted.people, name, f"{where}.people", wanted.people.addresses if access else ())
    groups: GroupPlan | None = None
    if wanted.groups is not None:
        member = wanted.groups.member if isinstance(wanted, CsvSettings) and wanted.groups else None
        groups = GroupPlan(wanted.groups, name, f"{where}.groups", member)
    source = _source(name, wanted, people, groups, stop, log, refused)
    if isinstance(wanted, LdapSettings):
        follow = _follow(source, wanted, people, groups) if wanted.follow else None
        return SourcePlan(source, people, groups, strict=False, follow=follow)
    mine, its = (f"{name}, {part.path.name}" for part in (wanted, wanted.groups or wanted))
    return SourcePlan(source, people, groups, True, mine, its)


def _follow(source: Any, wanted: LdapSettings, people: PeoplePlan, groups: GroupPlan | None) -> Follow:
    """How its changes are followed. Whatever decides what is read, and by whom, is in the fingerprint."""
    others = {"follow_every", "full_every", "deadline", "timeout", "max_entries", "max_bytes", "page_size"}
    told = wanted.model_dump_json(exclude=others) + repr((people.attributes, groups and groups.attributes))
    return Follow(source.follower(), wanted.full_every, hashlib.sha256(told.encode()).hexdigest())


def _source(
    name: str, wanted: CsvSettings | LdapSettings, people: PeoplePlan, groups: GroupPlan | None,
    stop: threading.Event, log: Any, refused: dict[Any, Any] | None,
) -> Source:  # fmt: skip
    attributes = (people.attributes, groups.attributes if groups else ())
    match wanted:
        case CsvSettings():
            source: Source = import_module("rosterd.sources.csv").CsvSource(name, wanted, *attributes, stop)
        case LdapSettings():
            source = import_module("rosterd.sources.ldap").LdapSource(
                name, wanted, *attributes, stop, log, refused
            )
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
