"""The settings: a TOML file or several, then secret files, then the environment; one tree, checked whole."""

from rosterd.settings.load import Loaded, load
from rosterd.settings.model import CustomerSettings, GuardsSettings, Limit, Settings
from rosterd.settings.sample import sample
from rosterd.settings.schema import schema
from rosterd.settings.show import shown

__all__ = [
    "CustomerSettings",
    "GuardsSettings",
    "Limit",
    "Loaded",
    "Settings",
    "load",
    "sample",
    "schema",
    "shown",
]
