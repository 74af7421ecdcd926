"""Where the ledger is kept."""

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, WithJsonSchema

from rosterd.fields import Anchor, Table, between

_SQLITE = "sqlite:///"


def _anchored(url: str, base: Path) -> str:
    """The URL with an absolute path: sqlite:///ledger.db is relative, sqlite:////var/… is not."""
    if not url.startswith(_SQLITE) or url == _SQLITE:
        return url
    return f"{_SQLITE}{base / url.removeprefix(_SQLITE)}"


def _ledger_url(url: str) -> str:
    if url.startswith(("postgresql://", "postgres://")):
        raise ValueError("names a PostgreSQL ledger, which this version cannot use yet; use sqlite:///FILE")
    path = url.removeprefix(_SQLITE)
    if not url.startswith(_SQLITE) or not path or path == ":memory:" or "\0" in path:
        raise ValueError("must be sqlite:///FILE (relative to this file) or sqlite:////absolute/FILE")
    return url


LedgerUrl: TypeAlias = Annotated[
    str,
    AfterValidator(_ledger_url),
    Anchor(_anchored),
    WithJsonSchema({"type": "string", "pattern": "^(sqlite:///.+|postgresql://.+)$"}),
]


class LedgerSettings(Table):
    """The ledger: what the targets acknowledged."""

    url: LedgerUrl = "sqlite:///ledger.db"
    """The ledger's file, relative to this one."""
    keep_days: Annotated[int, between(1, 36_500)] = 365
    """Days after which runs and the history of records are removed."""

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return Path(self.url.removeprefix(_SQLITE))
