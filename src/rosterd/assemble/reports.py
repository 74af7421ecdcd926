"""The access report in every format, each imported when it is asked for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO

from rosterd.access import Reports
from rosterd.core.access import AccessReport
from rosterd.errors import RosterdError
from rosterd.settings import Settings
from rosterd.words import Paint

Writer = Callable[[AccessReport, IO[bytes]], None]


def writer(form: str) -> Writer:
    """What writes a report in one format."""
    write = import_module(f"rosterd.reports.{form}").write
    made: Writer = import_module("rosterd.reports.files").as_bytes(write) if form == "html" else write
    return made


def open_reports(settings: Settings, clock: Callable[[], float]) -> Reports:
    """How runs leave reports: one set of files per customer, older ones pruned. Nothing is imported yet."""
    wanted = settings.reports

    def write(report: AccessReport) -> tuple[list[str], list[RosterdError]]:
        files = import_module("rosterd.reports.files")
        found: tuple[list[str], list[RosterdError]] = files.write(
            wanted.directory, report, {form: writer(form) for form in wanted.formats}
        )
        return found

    def prune() -> list[RosterdError]:
        if not wanted.directory.is_dir():
            return []
        customers = [
            name for name, customer in settings.customers.items() if customer.autodesk or customer.printers
        ]
        _, problems = import_module("rosterd.reports.files").prune(
            wanted.directory, wanted.keep_days, clock(), customers, wanted.formats
        )
        return list(problems)

    def there(customer: str) -> bool:
        found: bool = import_module("rosterd.reports.files").there(wanted.directory, customer, wanted.formats)
        return found

    def digest(report: AccessReport) -> str:
        text: str = import_module("rosterd.reports.json").digest(report)
        return text

    return Reports(digest, write, there, prune)


def render(form: str, reports: Sequence[AccessReport], out: IO[bytes], paint: Paint | None = None) -> None:
    """Writes the reports of some customers to a stream; all formats but text and json take just one."""
    module = import_module(f"rosterd.reports.{form}") if form in ("text", "json") else None
    if module is None:
        for report in reports:
            writer(form)(report, out)
    elif form == "json":
        module.write_all(reports, reports[0].made if reports else "", out)
    else:
        module.write_all(
            reports, out, width=shutil.get_terminal_size((100, 24)).columns, paint=paint or Paint(False)
        )


def render_to(form: str, reports: Sequence[AccessReport], path: Path) -> None:
    """The same to a file, whole or not at all. Raises ReportError."""
    files = import_module("rosterd.reports.files")
    files.write_one(path, lambda out: render(form, reports, out))
