"""Field types that several settings classes share. Each check says what is wrong, never what it was given.

The values come from an operator's file, so every message is a sentence about the value, without the value:
it may be a secret that landed in the wrong place.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
)

from rosterd import due

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DURATION = r"^\d+(\.\d+)?(ms|s|m|h|d)$"
_SIZE = r"^\d+ ?(B|KiB|MiB|GiB)$"
_LONGEST = 3650 * 86400.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Table(BaseModel):
    """A table of the settings: unknown keys are refused, values do not change, input stays out of errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True)

    inline: ClassVar[bool] = False  # written as { key = value } rather than under a heading


# Durations and sizes


def seconds(text: object) -> float:
    """The seconds of a duration such as "500ms", "2s", "10m", "24h" or "7d" (at most ten years)."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text, re.ASCII) if isinstance(text, str) else None
    if not found:
        raise ValueError('is not a duration such as "500ms", "2s", "10m", "24h" or "7d"')
    value = float(found[1]) * _SECONDS[found[2]]
    if value > _LONGEST:
        raise ValueError("is longer than ten years")
    return value


def shown_duration(value: float) -> str:
    """The shortest way to write so many seconds as a duration: 600 is "10m"."""
    for unit in ("d", "h", "m", "s"):
        if value >= _SECONDS[unit] and value % _SECONDS[unit] == 0:
            return f"{int(value / _SECONDS[unit])}{unit}"
    return f"{value * 1000:.12g}ms" if value else "0s"


def size(text: object) -> int:
    """The bytes of a size such as "64 KiB" or "16 MiB", or of a plain number of bytes."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    found = re.fullmatch(r"(\d{1,15}) ?(B|KiB|MiB|GiB)", text, re.ASCII) if isinstance(text, str) else None
    if not found:
        raise ValueError('is not a size such as "64 KiB" or "16 MiB"')
    return int(found[1]) * _BYTES[found[2]]


def shown_size(value: int) -> str:
    """The shortest way to write so many bytes as a size: 1048576 is "1 MiB"."""
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if value and value % _BYTES[unit] == 0), "B")
    return f"{value // _BYTES[unit]} {unit}"


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("must be more than zero")
    return value


Duration: TypeAlias = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(shown_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION}),
]
PositiveDuration: TypeAlias = Annotated[Duration, AfterValidator(_positive)]
Size: TypeAlias = Annotated[
    int,
    BeforeValidator(size),
    AfterValidator(_positive),
    PlainSerializer(shown_size, return_type=str),
    WithJsonSchema({"type": ["string", "integer"], "pattern": _SIZE, "minimum": 1}),
]


# Texts


def _plain(value: str) -> str:
    """Refuses control characters: they forge log lines and headers."""
    if _CONTROL.search(value):
        raise ValueError("contains a control character or line break")
    return value


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value


def _header(value: str) -> str:
    """Refuses what cannot travel in an HTTP header field as it stands (RFC 9110, 5.5)."""
    if not value.isascii():
        raise ValueError("contains a character outside ASCII, which an HTTP header cannot carry")
    if value != value.strip():
        raise ValueError("begins or ends with a space")
    return value


def _secret(value: SecretStr) -> SecretStr:
    _said(_plain(value.get_secret_value()))
    return value


def _secret_header(value: SecretStr) -> SecretStr:
    _header(value.get_secret_value())
    return value


Text: TypeAlias = Annotated[str, AfterValidator(_plain), AfterValidator(_said)]
HeaderText: TypeAlias = Annotated[Text, AfterValidator(_header)]
Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_secret)]
HeaderSecret: TypeAlias = Annotated[Secret, AfterValidator(_secret_header)]
Template: TypeAlias = Annotated[str, AfterValidator(_said)]


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _some(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("is an empty list")
    return value


_ONE_OR_MORE = WithJsonSchema(
    {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
)
# One template or several; always a tuple once read.
Templates: TypeAlias = Annotated[
    tuple[Template, ...], BeforeValidator(_listed), AfterValidator(_some), _ONE_OR_MORE
]
# One name or several; always a tuple once read.
Names: TypeAlias = Annotated[tuple[Text, ...], BeforeValidator(_listed), AfterValidator(_some), _ONE_OR_MORE]


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+", value):
        raise ValueError('is not a name: use lower-case letters, digits and "-"')
    return value


Name: TypeAlias = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": "^[a-z0-9-]+$"})
]


# Times of day


def _schedule(value: str) -> str:
    due.parse(value)
    return value


def _window(value: str) -> str:
    due.parse_window(value)
    return value


def _zone(value: str) -> str:
    """Refuses what is no IANA time zone here. UTC needs no data."""
    try:
        if value != "UTC":
            ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError('is not a time zone that this machine knows, such as "America/Sao_Paulo"') from None
    return value


Cron: TypeAlias = Annotated[str, AfterValidator(_schedule)]
Blackout: TypeAlias = Annotated[str, AfterValidator(_window)]
TimeZone: TypeAlias = Annotated[str, AfterValidator(_zone)]


# Paths


@dataclass(frozen=True)
class Anchor:
    """Marks a field whose value is made absolute from the directory of the file it stands in."""

    anchored: Callable[[str, Path], str]


def absolute(text: str, base: Path) -> str:
    """The path seen from `base`; an empty text stays empty, to be refused."""
    return str(base / text) if text else text


def _path(value: object) -> object:
    if value == "" or (isinstance(value, str) and "\0" in value):
        raise ValueError("is not a path")
    return value


ANCHORED = Anchor(absolute)
FilePath: TypeAlias = Annotated[Path, BeforeValidator(_path), ANCHORED]
OptionalPath: TypeAlias = Annotated[Path | None, BeforeValidator(_path), ANCHORED]


# Addresses


def is_loopback(host: str | None) -> bool:
    """Whether this host name or address never leaves the machine."""
    if host is None:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def split_url(text: str) -> SplitResult:
    """The parts of a URL. Raises ValueError, without the text, when it is none."""
    _plain(text)
    if " " in text or "\\" in text or not text.isascii():
        raise ValueError("is not a URL: it contains a space, a backslash or a character outside ASCII")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if not parts.hostname or port == 0:
        raise ValueError("is not a URL with a scheme and a host")
    return parts


def _service_url(text: str) -> str:
    parts = split_url(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("must begin with https:// (http:// only on loopback)")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password")
    if "?" in text or "#" in text:
        raise ValueError('must not contain "?" or "#"')
    return text.rstrip("/")


def _proxy_url(value: SecretStr) -> SecretStr:
    if split_url(value.get_secret_value()).scheme not in ("http", "https"):
        raise ValueError("must begin with http:// or https://")
    return value


# A service's address, without a slash at its end.
ServiceUrl: TypeAlias = Annotated[str, AfterValidator(_service_url)]
# A proxy's address; it may hold a password.
ProxyUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_proxy_url)]


class WebTable(Table):
    """How a web service is reached. The environment's proxies are ignored."""

    ca_file: OptionalPath = None
    """Certificates to trust, in PEM; default: the system's trust store."""
    proxy: ProxyUrl | None = None
    """A proxy to go through, such as "http://proxy.example.com:3128"."""
    timeout: PositiveDuration = 60.0
    """How long one request may take, from first to last byte."""


def between(low: int, high: int) -> Any:
    """Bounds of a whole number."""
    return Field(ge=low, le=high)
