"""What most verbs begin with: settings, log, ledger; and how they print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TextIO

from rosterd import assemble, log
from rosterd.errors import RosterdError, SettingsError
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.once import chosen
from rosterd.settings import Loaded, Settings, load
from rosterd.words import Paint


class Common(Protocol):
    """The options that every verb takes; see cli.Common."""

    @property
    def config(self) -> Path | None: ...
    @property
    def log_format(self) -> str: ...
    @property
    def verbosity(self) -> int: ...
    @property
    def quiet(self) -> bool: ...


def begin(common: Common, *, usual: int = 0, warn: bool = True, apart: bool = False) -> tuple[Loaded, Any]:
    """Settings and log. `usual`: the verbosity without -v or -q; `warn`: of odd settings; `apart`: see settings.load.

    Raises SettingsError.
    """
    logger = log.configure(common.log_format, -1 if common.quiet else max(usual, common.verbosity))
    loaded = load(common.config, os.environ, apart=apart)
    for name, error in loaded.apart.items():
        logger.error("settings", customer=name, problem=str(error), next=error.hint)
    for warning in loaded.warnings if warn else ():
        logger.warning("settings", warning=warning)
    return loaded, logger


@contextmanager
def desk(common: Common) -> Iterator[tuple[Settings, SqliteLedger]]:
    """Settings and ledger, without the run lock."""
    loaded, _ = begin(common, warn=False)
    with opened(loaded.settings) as ledger:
        yield loaded.settings, ledger


@contextmanager
def opened(settings: Settings) -> Iterator[SqliteLedger]:
    """The ledger, without the run lock."""
    ledger, _ = assemble.open_ledger(settings, locked=False)
    try:
        yield ledger
    finally:
        ledger.close()


def clients(settings: Settings, names: Sequence[str]) -> list[tuple[str, str]]:
    """(customer, client) of the customers asked for, or of all."""
    return [(name, settings.customers[name].client) for name in chosen(settings, names)]


def paint() -> Paint:
    """Colours when stdout is a terminal that wants them (no-color.org)."""
    return Paint(sys.stdout.isatty() and "NO_COLOR" not in os.environ)


class Unsaid(RosterdError):
    """The result could not be written."""

    exit_code = 3


@contextmanager
def saying() -> Iterator[TextIO]:
    """stdout for a result. A reader that has gone is no error; a full disk is one, told after the work is done."""
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        _drop()
    except OSError as error:
        _drop()
        raise Unsaid(f"the result could not be written: {error.strerror}", where="stdout") from error


def _drop() -> None:
    """Nothing more goes to stdout, not even what is buffered when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(lines: Iterable[str]) -> None:
    """Results, on stdout."""
    with saying() as stdout:
        for line in lines:
            stdout.write(line + "\n")


def say_json(document: object) -> None:
    """One JSON document, on stdout."""
    with saying() as stdout:
        indent = 2 if stdout.isatty() else None
        stdout.write(
            json.dumps(document, ensure_ascii=False, indent=indent) + "\n"
        )  # dump is slow: piece by piece


@contextmanager
def written(out: Path, mode: int = 0o640) -> Iterator[TextIO]:
    """A file for a result, readable by owner and group (it names people); replaced whole or not at all.

    Raises SettingsError when it cannot be written.
    """
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        draft.touch(mode)
        with draft.open("w", encoding="utf-8", newline="") as file:
            yield file
        draft.replace(out)
    except OSError as error:
        raise SettingsError(
            f"cannot be written: {error.strerror}", where=str(out), hint="name a file in a directory of yours"
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
