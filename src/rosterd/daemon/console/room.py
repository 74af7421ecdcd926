"""What every page of the console is given, and how it answers.

A page is a function from Room and Request to Response, run in a thread: it may read the ledger. Raise Wrong for what
cannot be answered.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from zlib import crc32

from starlette.requests import Request
from starlette.responses import Response

from rosterd import __version__, assemble
from rosterd.daemon.api import State
from rosterd.daemon.console.readers import Readers
from rosterd.daemon.pages import calm, render
from rosterd.daemon.sessions import Sessions
from rosterd.errors import RosterdError
from rosterd.ledger.reading import Binding
from rosterd.ledger.sqlite import SqliteLedger
from rosterd.settings import CustomerSettings
from rosterd.standing import customer_status

LOOK = 0.012  # seconds that a page may look through rows; see ledger.search
LONGEST_KEY = 2_048  # bytes
_HEX = re.compile(r"(?:[0-9a-f]{2})+")


class Wrong(Exception):
    """What was asked for is not there, or makes no sense; `text` says so to whoever asked."""

    def __init__(self, text: str, status: int = 404, step: str = "") -> None:
        super().__init__(text)
        self.text, self.status, self.step = text, status, step


@dataclass(frozen=True)
class Room:
    """The service's state, its sessions and its ledger for reading."""

    state: State
    sessions: Sessions
    readers: Readers
    log: Any
    clock: Callable[[], float] = time.time

    def show(self, request: Request, template: str, code: int = 200, **values: Any) -> Response:
        """A page with what all have: who is signed in, and whether anything can be changed."""
        session: str = request.scope.get("session", "")
        return render(
            template,
            code,
            now=self.clock(),
            version=__version__,
            signed_in=bool(session),
            proof=self.sessions.proof(session) if session else "",
            token_set=self.sessions.wanted,
            settings_problem=self.state.board.settings_problem,
            left_out=self.state.board.left_out,
            readable=self.state.overview.readable,
            path=request.url.path,
            mark=getattr(request.state, "mark", ""),
            **values,
        )

    def mark(self, name: str | None) -> str:
        """Another text as soon as a page about this customer (None: about all) may show something else.

        A turn has begun or ended, or it was reckoned anew where somebody stands.
        """
        board, statuses = self.state.board, self.state.overview.statuses()
        ends = [turn.started + turn.seconds for one, turn in board.last().items() if name in (None, one)]
        stands = self.state.overview.serial if name is None else crc32(repr(statuses.get(name)).encode())
        return f"{max(ends, default=0):.3f} {name in board.going():d} {stands}"

    def served(self) -> list[str]:
        """The customers that are served, in the order of the settings."""
        customers = self.state.settings().customers
        return [name for name in self.state.names() if name in customers]

    def customer(self, name: str) -> CustomerSettings:
        """Raises Wrong when there is none of this name."""
        found = self.state.settings().customers.get(name)
        if found is None or name not in self.state.names():
            raise Wrong("There is no customer of this name.")
        return found

    @contextmanager
    def ledger(self) -> Iterator[SqliteLedger]:
        """A ledger to read. Raises LedgerError."""
        with self.readers.one() as ledger:
            yield ledger

    def bound(self, ledger: SqliteLedger, name: str) -> Binding:
        """The ledger's row of a customer."""
        return ledger.binding(self.customer(name).client)

    def status(self, ledger: SqliteLedger, name: str) -> dict[str, Any]:
        """Where a customer stands at this moment; people are counted as they last were."""
        kept = self.state.overview.statuses().get(name)
        counts = (
            {"active": kept["people"], "doubt": kept["in_doubt"], "left": kept["left"],
             "refused": kept["refused"], "set_aside": kept["set_aside"]} if kept else None
        )  # fmt: skip
        given = (lambda _ledger, _binding, _run: dict(counts)) if counts is not None else None
        customer, sign_in = self.customer(name), assemble.sign_in(self.state.settings(), name)
        return customer_status(ledger, customer.client, customer, self.clock(), given, sign_in)


Page: TypeAlias = Callable[[Room, Request], Response]


def answer(room: Room, page: Page, request: Request) -> Response:
    """A page's answer, or why there is none."""
    try:
        request.state.mark = room.mark(request.path_params.get("name"))  # before anything of the page is read
        return page(room, request)
    except Wrong as wrong:
        title = "Not found" if wrong.status == 404 else "That did not work"
        return calm(request, wrong.status, title, wrong.text, wrong.step)
    except RosterdError as error:
        room.log.warning("page_unanswered", path=request.url.path, problem=str(error), next=error.hint)
        return calm(request, 503, "Not now", f"The ledger cannot be read: {error}", error.hint)


def key_of(text: str, what: str = "key") -> bytes:
    """A key from an address. Raises Wrong for what is none."""
    if text == "":
        return b""
    if len(text) > 2 * LONGEST_KEY or not _HEX.fullmatch(text):
        raise Wrong(f"The {what} in the address makes no sense.", 400)
    return bytes.fromhex(text)


def place_of(text: str, kinds: tuple[str, ...]) -> tuple[str, bytes]:
    """A place in a list by kind and key, from an address. Raises Wrong."""
    if text == "":
        return "", b""
    kind, _, key = text.partition(".")
    if kind not in kinds:
        raise Wrong("The place in the address makes no sense.", 400)
    return kind, key_of(key)


def number_of(text: str | None, most: int = 2**53) -> int | None:
    """A number from an address. Raises Wrong for what is none."""
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and 1 <= int(text) <= most):
        raise Wrong("A number in the address makes no sense.", 400)
    return int(text)


def one_of(text: str | None, choices: tuple[str, ...], usual: str) -> str:
    """One of some words from an address; the usual one for anything else."""
    return text if text in choices else usual
