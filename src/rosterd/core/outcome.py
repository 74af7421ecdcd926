"""What a target said to one request, as values; only failures that stop a run are exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Accepted:
    """A valid answer: all records were accepted but those named here, each with the target's own words.

    For people the mapping is keyed by the person's sort key. For groupings `refused` is keyed by the
    grouping's key and `seats` by (grouping's key, person's key).
    """

    refused: Mapping[bytes, str] = field(default_factory=dict)
    seats: Mapping[tuple[bytes, bytes], str] = field(default_factory=dict)


@dataclass(frozen=True)
class AllInvalid:
    """The target refused every record and named none (Orbix: 400 with code 3400)."""

    message: str


@dataclass(frozen=True)
class TooLarge:
    """The request was too large (413): halve it and remember the size."""


@dataclass(frozen=True)
class Mismatch:
    """The answer names records that were not sent (`partly`: besides some that were); nothing is acknowledged."""

    message: str
    partly: bool


Answer: TypeAlias = Accepted | AllInvalid | TooLarge | Mismatch


@dataclass(frozen=True)
class Issued:
    """A registration was made. `code` is a secret; `issued` is the service's own text of the time."""

    code: str = field(repr=False)
    issued: str


@dataclass(frozen=True)
class Unregistered:
    """The service refused a registration, with its reason; there is none."""

    reason: str
