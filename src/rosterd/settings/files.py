"""The settings as files: the main one, a file per customer, and relative paths made absolute."""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rosterd.errors import SettingsError
from rosterd.settings.model import CustomerSettings, Settings
from rosterd.settings.shape import Shape, child, leaves

LARGEST = 4 * 1024**2  # bytes of one file of settings
PLACES = ("rosterd.toml", "/etc/rosterd/rosterd.toml")

WHOLE = Shape(models={"": Settings})
CUSTOMER = Shape(models={"": CustomerSettings})


@dataclass
class Gathered:
    """What was read, where each value came from, and what was wrong so far.

    apart: of customers with a file of their own, what is wrong with it; the lists are empty where all is well.
    """

    tree: dict[str, Any]
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    apart: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    changed: float = 0.0  # when the newest of the files was changed

    def note(self, path: Path) -> None:
        """Takes note of a file that was read."""
        with suppress(OSError):
            status = path.stat()
            self.changed = max(self.changed, status.st_mtime, status.st_ctime)

    def is_empty_table(self, path: tuple[str, ...]) -> bool:
        """Whether a file has this table without anything in it."""
        place: object = self.tree
        for key in path:
            place = child(place, key)
        return place == {}


def found(path: Path | None, environ: Mapping[str, str]) -> Path:
    """The main settings file. Raises SettingsError when there is none."""
    if path is None and environ.get("ROSTERD_CONFIG"):
        path = Path(environ["ROSTERD_CONFIG"])
    candidates = [path] if path else [Path(place) for place in PLACES]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise SettingsError(
        f"no settings file: looked for {' and '.join([str(candidate) for candidate in candidates])}",
        hint="rosterd init asks a few questions and writes one; or rosterd settings sample > rosterd.toml, or --config",
    )


def read(path: Path, label: str) -> dict[str, Any]:
    """The TOML of one file. Raises ValueError, a sentence that begins with the label."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"{label}: cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise ValueError(f"{label}: is longer than {LARGEST // 1024**2} MiB")
    tree, wrong = _parsed(data, label)
    if wrong:
        raise ValueError(wrong)
    return tree


def _parsed(data: bytes, label: str) -> tuple[dict[str, Any], str]:
    """The TOML, or what is wrong with it. The parser's errors stay here: they hold the file, secrets too."""
    try:
        # Some editors put a byte order mark in front; TOML knows none.
        return tomllib.loads(data.decode("utf-8-sig")), ""
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return {}, f"{label}:{line}: is not UTF-8 (offset {error.start})"
    except tomllib.TOMLDecodeError as error:
        return {}, _syntax(label, str(error), data)
    except (ValueError, RecursionError):
        return {}, f"{label}: holds a number or a nesting beyond all measure"


def _syntax(label: str, message: str, data: bytes) -> str:
    at = re.search(r" \(at line (\d+), column (\d+)\)$| \(at end of document\)$", message)
    what = message[: at.start()] if at else message
    if at and at[1]:
        return f"{label}:{at[1]}: is not TOML: {what[:1].lower()}{what[1:]} (column {at[2]})"
    return f"{label}:{data.count(10) + 1}: is not TOML: {what[:1].lower()}{what[1:]} (end of file)"


def gather(path: Path, customers_dir: str | None) -> Gathered:
    """The main file and the customers' files. `customers_dir`, from the environment, overrides the file's."""
    base = path.absolute().parent
    label = path.name
    try:
        tree = read(path, str(path))
    except ValueError as error:
        raise SettingsError(str(error), hint="https://toml.io explains the form of this file") from None
    result = Gathered(anchored(WHOLE, tree, base))
    result.note(path)
    for leaf, _ in leaves(result.tree):
        result.origins[leaf] = label
    _defaults(result, base)
    directory = str(base / customers_dir) if customers_dir else result.tree.get("customers_dir")
    if isinstance(directory, str) and directory:
        _customers(result, Path(directory), base)
    _exposed(result, path, tree, str(path))
    return result


def _customers(result: Gathered, directory: Path, base: Path) -> None:
    """Adds one customer per file of the directory."""
    shown = _relative(directory, base)
    try:
        found_here = sorted(directory.iterdir())
    except OSError as error:
        result.problems.append(f"customers_dir: {shown}: cannot be read: {error.strerror}")
        return
    customers = result.tree.setdefault("customers", {})
    if not isinstance(customers, dict):
        return
    for path in found_here:
        if path.name.endswith(".toml") and not path.name.startswith("."):
            _customer(result, customers, path, f"{shown}/{path.name}")


def _customer(result: Gathered, customers: dict[str, Any], path: Path, label: str) -> None:
    name = path.name.removesuffix(".toml")
    if not re.fullmatch(r"[a-z0-9-]+", name):
        result.problems.append(f'{label}: its name must be NAME.toml, of lower-case letters, digits and "-"')
        return
    if name in customers:
        result.problems.append(f"{label}: customers.{name} stands in the main file too; keep one")
        return
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError(f"{label}: is not a file")
        tree = read(path, label)
    except OSError as error:
        result.apart[name] = [f"{label}: cannot be read: {error.strerror}"]
        return
    except ValueError as error:
        result.apart[name] = [str(error)]
        return
    result.apart[name] = []
    result.note(path)
    customers[name] = anchored(CUSTOMER, tree, path.absolute().parent)
    for leaf, _ in leaves({"customers": {name: customers[name]}}):
        result.origins[leaf] = label
    _exposed(result, path, tree, label, CUSTOMER)


def _relative(path: Path, base: Path) -> str:
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def anchored(place: Shape, raw: Any, base: Path) -> Any:
    """The tree with the paths in it made absolute."""
    if place.is_value:
        return place.anchor.anchored(raw, base) if place.anchor and isinstance(raw, str) else raw
    if not isinstance(raw, dict):
        return raw
    return {key: anchored(place.below(key, raw), value, base) for key, value in raw.items()}


def _defaults(result: Gathered, base: Path) -> None:
    """Fills in the defaults that are relative paths, seen from the main file."""
    for table, info in Settings.model_fields.items():
        place = WHOLE.below(table, None)
        raw = result.tree.get(table, {})
        if info.is_required() or place.is_value or place.named is not None or not isinstance(raw, dict):
            continue
        for key, setting in place.fields(None).items():
            anchor = place.below(key, None).anchor
            if anchor and key not in raw and setting.default is not None:
                default = anchor.anchored(str(setting.default), base)
                result.tree[table] = result.tree.get(table, {}) | {key: default}


def secrets_in(place: Shape, raw: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The dotted paths of the secrets that a tree holds."""
    if place.secret:
        yield ".".join(path)
    if isinstance(raw, dict) and not place.is_value:
        for key, value in raw.items():
            yield from secrets_in(place.below(key, raw), value, (*path, key))


def _exposed(result: Gathered, path: Path, tree: Any, label: str, place: Shape = WHOLE) -> None:
    """Warns about a file with secrets that every user of the machine may read."""
    if path.stat().st_mode & stat.S_IROTH:
        secret = next(secrets_in(place, tree), None)
        if secret:
            result.warnings.append(f"{label}: holds {secret} and everybody may read it; chmod o-r it")
