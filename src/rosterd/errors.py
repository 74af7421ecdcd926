"""Every way a run can stop, with its exit code and the next step.

    RosterdError
    ├── SettingsError      2   usage or settings are wrong
    ├── ReportError        3   a report could not be rendered or written; the run itself stands
    ├── SourceError        5   a source could not be read whole
    ├── Doubt              -   what changed cannot be settled by itself: everything is read instead
    ├── TargetError        6   a target failed or stayed ambiguous
    ├── LockedError        7   another run holds the ledger's lock
    ├── LedgerError        8   the ledger is unusable, or cannot be written
    ├── CredentialsError   9   a target refused the sign-in or the credentials
    └── Stopped            0   the operator asked the process to stop

What happens to a single record is never an exception: see core.outcome.
An exception carries `where` (file and line, server, DN) and `hint` (what to do or type next).
"""

from __future__ import annotations

# The order in which several customers' codes are compared: the first that occurs is the run's code.
WORST_FIRST = (1, 8, 2, 7, 9, 5, 6, 4, 10, 3, 0)


def worst(codes: list[int]) -> int:
    """The exit code of a run over several customers (0 when there are none)."""
    return min(codes, key=WORST_FIRST.index, default=0)


class RosterdError(Exception):
    """Something stopped the run."""

    exit_code = 1

    def __init__(self, what: str = "", *, where: str = "", hint: str = "") -> None:
        self.what = what or (type(self).__doc__ or "").strip()
        self.where = where
        self.hint = hint
        super().__init__(self.what)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


class SettingsError(RosterdError):
    """The settings or the command line are wrong."""

    exit_code = 2


class SourceError(RosterdError):
    """A source could not be read whole, so nothing is concluded from it.

    `again` is true when the same read may succeed at once (a file was replaced while it was read); `refused`
    when it refused our credentials, so that trying often may lock the account.
    """

    exit_code = 5

    def __init__(self, what: str = "", *, where: str = "", hint: str = "", again: bool = False) -> None:
        super().__init__(what, where=where, hint=hint)
        self.again = again
        self.refused = False


class Doubt(RosterdError):
    """What changed in a source cannot be settled by itself, so everything is read. Never leaves a run."""


class TargetError(RosterdError):
    """The target failed, or its answer stayed ambiguous.

    `maybe_applied` is true when the target may have carried the request out although no valid answer came.
    """

    exit_code = 6

    def __init__(
        self, what: str = "", *, where: str = "", hint: str = "", maybe_applied: bool = False
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.maybe_applied = maybe_applied


class ReportError(RosterdError):
    """A report could not be rendered or written."""

    exit_code = 3


class LockedError(RosterdError):
    """Another run holds the ledger's lock."""

    exit_code = 7


class LedgerError(RosterdError):
    """The ledger cannot be used."""

    exit_code = 8


class CredentialsError(TargetError):
    """A target refused the credentials."""

    exit_code = 9


class Stopped(RosterdError):
    """The process was asked to stop."""

    exit_code = 0
