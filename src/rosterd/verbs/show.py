"""`rosterd settings`: sample, schema, show."""

from __future__ import annotations

import os
import shutil
import sys

from rosterd import words
from rosterd.settings import load, shown
from rosterd.settings import sample as settings_sample
from rosterd.settings import schema as settings_schema
from rosterd.verbs.common import Common, say, say_json


def sample() -> int:
    say([settings_sample().rstrip("\n")])
    return 0


def schema() -> int:
    say_json(settings_schema())
    return 0


def show(common: Common, json: bool) -> int:
    """The merged settings, secrets masked, each with its origin."""
    rows = shown(load(common.config, os.environ))
    if json:
        settings = {path: {"value": value, "origin": origin} for path, value, origin in rows}
        say_json({"schema": "rosterd/settings/1", "settings": settings})
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        say(words.listing([("setting", "value", "from"), *rows], width))
    return 0
