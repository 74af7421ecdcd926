"""Settings, merged and checked: files, then secret files, then the environment."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rosterd.errors import SettingsError
from rosterd.settings import files, names
from rosterd.settings.model import Settings
from rosterd.settings.problems import told


@dataclass(frozen=True)
class Loaded:
    """Settings, the main file they came from, and where each value that was set came from.

    apart: customers that are left out, each with what is wrong with their own file.
    """

    settings: Settings
    path: Path
    origins: Mapping[tuple[str, ...], str]
    warnings: tuple[str, ...] = ()
    apart: Mapping[str, SettingsError] = field(default_factory=dict)

    def origin(self, setting: tuple[str, ...]) -> str:
        """Where a setting came from, for instance "customers.d/acme.toml", or "default"."""
        for length in range(len(setting), 0, -1):
            if setting[:length] in self.origins:
                return self.origins[setting[:length]]
        return "default"


def load(path: Path | None, environ: Mapping[str, str], *, apart: bool = False) -> Loaded:
    """The settings. Raises SettingsError, which lists everything that is wrong with them.

    apart: customers whose own file (in customers_dir) is wrong are left out and told of in `Loaded.apart`, so long as
    others are left and nothing else is wrong.
    """
    main = files.found(path, environ)
    gathered = files.gather(main, names.customers_dir(environ))
    base = main.absolute().parent
    secrets = names.from_secret_files(gathered, environ, base)
    environment = names.from_environment(gathered, environ, base)
    layers = [environment, secrets, gathered.tree]
    settings = _validated(layers, gathered, main)
    wrong = {name: problems for name, problems in gathered.apart.items() if problems}
    if wrong and apart and not gathered.problems:
        settings = _validated([_without(layer, wrong) for layer in layers], gathered, main)
    elif wrong:
        settings = None
    if settings is None or not settings.customers or gathered.problems:
        raise _refusal(main, [*gathered.problems, *(problem for some in wrong.values() for problem in some)])
    origins = {path: origin for path, origin in gathered.origins.items() if not gathered.is_empty_table(path)}
    left_out = {name: _refusal(main, problems) for name, problems in wrong.items()}
    return Loaded(settings, main, origins, (*gathered.warnings, *_warnings(settings)), left_out)


def _validated(layers: list[dict[str, Any]], gathered: files.Gathered, main: Path) -> Settings | None:
    """The settings, unless they are wrong: what is goes to `gathered`. Pydantic's error stays here: it holds values."""
    try:
        given: dict[str, Any] = {"layers": layers}
        settings = Settings(**given)
        settings._changed = gathered.changed
        return settings
    except ValidationError as error:
        for path, sentence in told(error, gathered.origins, main.name):
            mine = gathered.apart.get(path[1]) if len(path) > 1 and path[0] == "customers" else None
            (gathered.problems if mine is None else mine).append(sentence)
        return None


def _without(layer: dict[str, Any], customers: Collection[str]) -> dict[str, Any]:
    """A layer without some customers."""
    kept = {name: table for name, table in layer.get("customers", {}).items() if name not in customers}
    return layer | {"customers": kept} if "customers" in layer else layer


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
