"""Settings given one by one: secret files and environment variables, both named by a setting's path."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from rosterd.settings.files import WHOLE, Gathered
from rosterd.settings.shape import Shape, child, put

PREFIX = "ROSTERD_"
OWN = ("ROSTERD_CONFIG", "ROSTERD_SECRETS_DIR")
DIRECTORIES = ("CREDENTIALS_DIRECTORY", "ROSTERD_SECRETS_DIR")  # the later wins
LARGEST = 64 * 1024  # bytes of a secret
_LIKELY = 5000  # names that a wrong one is compared with

Setting = tuple[str, ...]


def customers_dir(environ: Mapping[str, str]) -> str | None:
    """The directory of customers' files, when the environment says which; needed before the rest is read."""
    wanted = f"{PREFIX}CUSTOMERS_DIR"
    named = (value for name, value in environ.items() if name.startswith(PREFIX) and name.upper() == wanted)
    return next(named, None)


def from_environment(gathered: Gathered, environ: Mapping[str, str], base: Path) -> dict[str, Any]:
    """The layer of ROSTERD_… variables. Problems and origins are added to `gathered`."""
    layer: dict[str, Any] = {}
    seen: dict[Setting, str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in OWN:
            continue
        setting = _one(gathered, name.removeprefix(PREFIX), f"environment {name}", PREFIX)
        if setting and setting in seen:
            gathered.problems.append(f"environment {name}: sets what {seen[setting]} sets too")
        elif setting:
            seen[setting] = name
            _set(gathered, layer, setting, environ[name], f"environment {name}", base)
    return layer


def from_secret_files(gathered: Gathered, environ: Mapping[str, str], base: Path) -> dict[str, Any]:
    """The layer of secret files. Files that are plainly not settings are left alone."""
    layer: dict[str, Any] = {}
    for variable in DIRECTORIES:
        for file in _files(gathered, environ.get(variable, ""), variable):
            head, *rest = file.name.split("__")
            if not rest or head.lower() not in WHOLE.fields(None):
                continue
            origin = f"secret file {file}"
            setting = _one(gathered, file.name, origin, "")
            text = _text(gathered, file, origin) if setting else None
            if setting and text is not None:
                _set(gathered, layer, setting, text, origin, base)
    return layer


def _files(gathered: Gathered, directory: str, variable: str) -> list[Path]:
    if not directory:
        return []
    try:
        return sorted(Path(directory).iterdir())
    except OSError as error:
        gathered.problems.append(f"{variable}: {directory}: cannot be read: {error.strerror}")
        return []


def _text(gathered: Gathered, file: Path, origin: str) -> str | None:
    """A secret, without the line break at its end. The file may be a link, as Kubernetes mounts it."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise ValueError("is not a file")
        gathered.note(file)
        with file.open("rb") as opened:
            data = opened.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError(f"is longer than {LARGEST // 1024} KiB")
        return data.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        gathered.problems.append(f"{origin}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        gathered.problems.append(f"{origin}: is not UTF-8")
    except ValueError as error:
        gathered.problems.append(f"{origin}: {error}")
    return None


def _one(gathered: Gathered, name: str, origin: str, prefix: str) -> Setting | None:
    """The one setting that a name means. None, with a problem noted, when there is none or more than one."""
    settings = list(_meant(WHOLE, gathered.tree, name.lower().split("__")))
    if len(settings) == 1:
        return settings[0]
    if settings:
        several = " or ".join([".".join(setting) for setting in settings])
        gathered.problems.append(f"{origin}: may mean {several}")
        return None
    if _of_unread(gathered, name.lower().split("__")):
        return None
    known = [_spelled(setting, prefix) for setting in islice(_all(WHOLE, gathered.tree), _LIKELY)]
    close = get_close_matches(prefix + (name.upper() if prefix else name), known, 1, 0.6)
    more = f'; did you mean "{close[0]}"?' if close else "; only settings files name customers and sources"
    gathered.problems.append(f"{origin}: is not a setting{more}")
    return None


def _of_unread(gathered: Gathered, parts: Sequence[str]) -> bool:
    """Whether it is for a customer whose file cannot be read, so that nobody knows what it may have."""
    unread = [name for name, problems in gathered.apart.items() if problems]
    return (
        parts[0] == "customers"
        and len(parts) > 1
        and parts[1] in (*unread, *(name.replace("-", "_") for name in unread))
    )


def _meant(place: Shape, raw: object, parts: Sequence[str]) -> Iterator[Setting]:
    """The settings that the parts of a name can mean. Names of customers may have "_" for "-"."""
    if not parts:
        yield ()
        return
    if place.is_value:
        return
    for key in _keys(place, raw):
        if parts[0] in (key.lower(), key.lower().replace("-", "_")):
            for rest in _meant(place.below(key, raw), child(raw, key), parts[1:]):
                yield key, *rest


def _keys(place: Shape, raw: object) -> list[str]:
    if place.named is not None:
        return [key for key in raw if isinstance(key, str)] if isinstance(raw, Mapping) else []
    return list(place.fields(raw))


def _all(place: Shape, raw: object) -> Iterator[Setting]:
    if place.is_value:
        yield ()
        return
    for key in _keys(place, raw):
        for rest in _all(place.below(key, raw), child(raw, key)):
            yield key, *rest


def _spelled(setting: Setting, prefix: str) -> str:
    name = "__".join(setting)
    return prefix + name.upper().replace("-", "_") if prefix else name


def _set(
    gathered: Gathered, layer: dict[str, Any], setting: Setting, text: str, origin: str, base: Path
) -> None:
    """Puts a text into the layer, as a list or table where one is wanted."""
    place = WHOLE
    raw: object = gathered.tree
    for key in setting:
        place, raw = place.below(key, raw), child(raw, key)
    value: Any = text
    if place.anchor:
        value = place.anchor.anchored(text, base)
    elif not place.is_value or (place.listed and text.startswith("[")):
        try:
            value = json.loads(text)
        except ValueError:
            gathered.problems.append(f"{origin}: is not JSON, which lists and tables are written in here")
            return
    put(layer, setting, value)
    for leaf in [known for known in gathered.origins if known[: len(setting)] == setting]:
        del gathered.origins[leaf]
    gathered.origins[setting] = origin
