"""What `rosterd check` shows of a directory: who answered, how safely, and the first few people."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from rosterd.core.doors import Batch
from rosterd.sources.ldap.connect import compile_search
from rosterd.sources.ldap.decode import Warnings
from rosterd.sources.ldap.feeds import people_batch, people_layout
from rosterd.sources.ldap.recognise import advice, recognised
from rosterd.sources.ldap.results import SIZE_LIMIT, SUCCESS, failure
from rosterd.sources.ldap.root import root_dse
from rosterd.sources.ldap.rows import Rows
from rosterd.sources.ldap.session import PAGED_RESULTS, Session, paged
from rosterd.sources.settings import LdapSettings

FIRST = 10  # people shown


@dataclass(frozen=True)
class Probe:
    """The state of a directory. `tls` is "" on a connection in clear, `certificate_ends` None then."""

    server: str
    passed_over: tuple[str, ...]  # servers before this one, and why they were not used
    tls: str
    certificate_ends: date | None
    vendor: str
    pages: bool
    flavor: str  # the flavor that fits the server, "" when it does not say
    advice: str  # what to know of it, perhaps another flavor and what that would choose
    attributes: tuple[str, ...]
    people: Batch
    warnings: tuple[str, ...]


def look(source: str, settings: LdapSettings, attributes: Sequence[str], session: Session) -> Probe:
    """Asks the server about itself and for a few people. Raises SourceError or Stopped."""
    about = root_dse(session)
    line = session.line.socket
    secured = line if isinstance(line, ssl.SSLSocket) else None
    warnings = Warnings()
    return Probe(
        server=session.url,
        passed_over=session.passed_over,
        tls=(secured.version() or "") if secured else "",
        certificate_ends=_ends(secured) if secured else None,
        vendor=" ".join([*about.get("vendorname", []), *about.get("vendorversion", [])]),
        flavor=recognised(about) or "",
        advice=advice(about, settings.flavor, settings.people.base or settings.base),
        pages=PAGED_RESULTS in about.get("supportedcontrol", []),
        attributes=tuple(attributes),
        people=_first_people(source, settings, attributes, session, warnings),
        warnings=warnings.all(),
    )


def _ends(line: ssl.SSLSocket) -> date | None:
    """The last day of the server's certificate, in UTC."""
    certificate = line.getpeercert() or {}
    ends = certificate.get("notAfter")
    return (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC).date() if isinstance(ends, str) else None
    )


def _first_people(
    source: str, settings: LdapSettings, attributes: Sequence[str], session: Session, warnings: Warnings
) -> Batch:
    """Some people, in the server's order. That there are more is no fault here."""
    place = settings.people
    base = place.base or settings.base
    layout = people_layout(settings, attributes, warnings)
    search = compile_search(base, place.scope, place.filter, layout.asked, FIRST)
    # Asked for as a page too: Samba minds no size limit, and other servers cannot page.
    answer = session.collect(session.ask(search, paged(FIRST, b"")), FIRST)
    if answer.done.code not in (SUCCESS, SIZE_LIMIT):
        raise failure(f"searching under {base!r}", answer.done.code, answer.done.message)
    block = Rows(layout).block(answer.entries, lambda _entry: None)
    return people_batch(source, settings, session, attributes, {}, warnings)(block)
