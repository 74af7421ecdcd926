"""Where reports go."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator

from rosterd.fields import FilePath, Table, between

Format: TypeAlias = Literal["html", "json", "csv", "xlsx", "text"]


def _distinct(values: tuple[Format, ...]) -> tuple[Format, ...]:
    if len(set(values)) != len(values):
        raise ValueError("names a format twice")
    return values


class ReportsSettings(Table):
    """The reports that runs leave behind."""

    directory: FilePath = Path("reports")
    """Where they are written, relative to this file."""
    formats: Annotated[tuple[Format, ...], AfterValidator(_distinct)] = ("html", "json", "csv", "xlsx")
    """Their formats: "html", "json", "csv", "xlsx" and "text"."""
    keep_days: Annotated[int, between(1, 36_500)] = 30
    """Days after which they are removed."""
