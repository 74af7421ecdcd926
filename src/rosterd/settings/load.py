"""Settings, merged and checked: files, then secret files, then the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rosterd.errors import SettingsError
from rosterd.settings import files, names
from rosterd.settings.model import Settings
from rosterd.settings.problems import sentences


@dataclass(frozen=True)
class Loaded:
    """Settings, the main file they came from, and where each value that was set came from."""

    settings: Settings
    path: Path
    origins: Mapping[tuple[str, ...], str]
    warnings: tuple[str, ...] = ()

    def origin(self, setting: tuple[str, ...]) -> str:
        """Where a setting came from, for instance "customers.d/acme.toml", or "default"."""
        for length in range(len(setting), 0, -1):
            if setting[:length] in self.origins:
                return self.origins[setting[:length]]
        return "default"


def load(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """The settings. Raises SettingsError, which lists everything that is wrong with them."""
    main = files.found(path, environ)
    gathered = files.gather(main, names.customers_dir(environ))
    base = main.absolute().parent
    secrets = names.from_secret_files(gathered, environ, base)
    environment = names.from_environment(gathered, environ, base)
    settings, wrong = _validated([environment, secrets, gathered.tree], gathered, main)
    if settings is None or wrong:
        raise _refusal(main, wrong)
    origins = {path: origin for path, origin in gathered.origins.items() if not gathered.is_empty_table(path)}
    return Loaded(settings, main, origins, (*gathered.warnings, *_warnings(settings)))


def _validated(
    layers: list[dict[str, Any]], gathered: files.Gathered, main: Path
) -> tuple[Settings | None, list[str]]:
    """The settings, unless they are wrong, and the problems. Pydantic's error stays here: it holds values."""
    try:
        given: dict[str, Any] = {"layers": layers}
        settings = Settings(**given)
        settings._changed = gathered.changed
        return settings, gathered.problems
    except ValidationError as error:
        return None, [*gathered.problems, *sentences(error, gathered.origins, main.name)]


def _refusal(main: Path, problems: list[str]) -> SettingsError:
    count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
    listed = "".join([f"\n  {problem}" for problem in problems])
    return SettingsError(
        f"the settings have {count}:{listed}",
        where=str(main),
        hint="rosterd settings sample shows every setting with an explanation",
    )


def _warnings(settings: Settings) -> list[str]:
    """What is allowed but deserves a look."""
    warnings = []
    for name, customer in settings.customers.items():
        if not customer.client.isalnum():
            warnings.append(f'customers.{name}.client: has a "-", "_" or ".", which Orbix may not accept')
        if customer.printers and customer.printers.registrations:
            warnings.append(
                f"customers.{name}.printers: registration codes come from the configured address only; "
                "the public service closed on 2017-01-15"
            )
    return warnings
