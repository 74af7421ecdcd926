"""Paging by hand (RFC 2696), with the proof that the read was complete.

A read is complete only when every page answered 0, the paging control came back with each of them, the last
cookie was empty and no reference led elsewhere. Anything else raises SourceError.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from rosterd.errors import SourceError
from rosterd.sources.ldap.dn import normalise_dn
from rosterd.sources.ldap.flavors import PARTITIONS, SAME_COOKIE
from rosterd.sources.ldap.results import OPERATIONS_ERROR, REFERRAL, SUCCESS, failure
from rosterd.sources.ldap.root import root_dse
from rosterd.sources.ldap.session import PAGED_RESULTS, Answer, Search, Session, paged

TIDYING = (0.005, 0.02, 0.1, 0.5, 1.0)  # seconds to wait for a server that is still busy with the page before
EMPTY_PAGES = 100  # in a row: a server may give a few, an endless search gives nothing else

# One page: each entry as (all bytes of the page, start, end of the entry in them).
Page: TypeAlias = "list[tuple[bytes, int, int]]"


@dataclass
class Tally:
    """What a feed has read so far; its limits are those of the whole feed."""

    page_size: int
    max_entries: int
    partitions: bool  # references to Active Directory's partitions leave nothing out
    entries: int = 0
    pages: int = 0
    passed_over: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        """Counts a page; SourceError when there are too many entries."""
        self.pages += 1
        self.entries += len(answer.entries)
        if self.entries > self.max_entries:
            raise SourceError(
                f"the server sent more than the {self.max_entries:,} entries allowed for one read",
                hint="narrow the filter, or raise `max_entries` of this source",
            )


def read_pages(session: Session, search: Search, tally: Tally, base: str) -> Iterator[Page]:
    """Yields the pages of a search and ends only when it was complete. Raises SourceError or Stopped."""
    cookies: set[bytes] = set()
    empty, cookie = 0, b""
    asked = session.ask(search, paged(tally.page_size, b""))
    while True:
        answer = _answer(session, search, tally.page_size, cookie, asked)
        tally.add(answer)
        cookie = _proven(session, answer, tally, base)
        empty = 0 if answer.entries else empty + 1
        if cookie:
            _forbid_circles(session, cookie, cookies, empty)
        # The next page is asked for before this one is decoded, so that both sides work at once; but not
        # when entries came in part: what is missing is fetched in between, over the same connection.
        ahead = cookie and not (answer.entries and b";range=" in answer.entries[0][0].lower())
        if ahead:
            asked = session.ask(search, paged(tally.page_size, cookie))
        if answer.entries:
            yield answer.entries
        if not cookie:
            return
        session.budget.left()  # the stop event and the deadline, between pages too
        if not ahead:
            asked = session.ask(search, paged(tally.page_size, cookie))


def _answer(session: Session, search: Search, size: int, cookie: bytes, asked: int) -> Answer:
    """A page's answer. 389 DS gives out a page before it is done with it, and whoever asks for the next one at once
    gets operationsError and nothing else: the same cookie is then good a moment later."""
    for pause in TIDYING:
        answer = session.collect(asked, size)
        if answer.done.code != OPERATIONS_ERROR or not cookie or answer.entries or answer.references:
            return answer
        session.budget.stop.wait(pause)
        session.budget.left()
        asked = session.ask(search, paged(size, cookie))
    return session.collect(asked, size)


def _proven(session: Session, answer: Answer, tally: Tally, base: str) -> bytes:
    """The cookie for the next page, b"" after the last; SourceError when something was left out."""
    done = answer.done
    if done.code == REFERRAL:
        raise failure(f"searching {base!r}", done.code, " ".join(done.referrals) or done.message)
    if done.code != SUCCESS:
        raise failure(f"page {tally.pages:,} of the search under {base!r}", done.code, done.message)
    _forbid_references(answer, tally)
    if done.cookie is not None:
        return done.cookie
    _forbid_unpaged(session, answer, tally)
    return b""


def _forbid_references(answer: Answer, tally: Tally) -> None:
    """A search reference is a part of the answer that lies elsewhere; it is never followed."""
    elsewhere = []
    for reference in answer.references:
        if tally.partitions and _target(reference).startswith(PARTITIONS):
            tally.passed_over += 1
        else:
            elsewhere.append(reference)
    if elsewhere:
        raise SourceError(
            f"{len(elsewhere):,} references to other servers were not followed, the first to {elsewhere[0]}",
            hint="narrow `base` so that it holds no reference, or add a source for that server",
        )


def _target(reference: str) -> str:
    """The normalised DN in an LDAP URL (RFC 4516)."""
    try:
        return normalise_dn(unquote(urlsplit(reference).path.removeprefix("/")))
    except ValueError:
        return ""


def _forbid_unpaged(session: Session, answer: Answer, tally: Tally) -> None:
    """Without the paging control only a short answer is whole, from a server that has no paging."""
    supported = root_dse(session).get("supportedcontrol", [])
    if PAGED_RESULTS in supported or tally.pages > 1:
        raise SourceError(
            "the server can page but sent no paging control back, so nothing proves that this was all",
            hint="look for a proxy in between, or a limit on paging for this account",
        )
    if len(answer.entries) >= tally.page_size:
        raise SourceError(
            f"the server cannot page and sent {len(answer.entries):,} entries, which may not be all",
            hint="set `page_size` above the number of entries",
        )
    tally.notes.append("the server cannot page")


def _forbid_circles(session: Session, cookie: bytes, cookies: set[bytes], empty: int) -> None:
    """An endless search: a cookie that was there before, or nothing but empty pages."""
    if empty > EMPTY_PAGES:
        raise SourceError(f"the server sent {empty:,} empty pages in a row", hint="ask who runs the server")
    if cookie in cookies:
        vendor = " ".join(root_dse(session).get("vendorname", [])).lower()
        if not any(name in vendor for name in SAME_COOKIE):
            raise SourceError(
                "the server gave the same paging cookie twice, so the search would never end",
                hint="try another server in `urls`, or ask who runs this one",
            )
    cookies.add(cookie)
