"""Searches sent and received by ldap3 itself: for a bind that wraps the connection, and for whoever asks for it.

A SASL layer signs or seals each message after the bind, so our own reader must not touch the bytes. ldap3 then
gives values, which are written as LDAP again for the one decoder. Several times slower; the same checks apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rosterd.errors import Doubt, SourceError
from rosterd.sources.ldap import ber
from rosterd.sources.ldap.line import Line
from rosterd.sources.ldap.results import printable
from rosterd.sources.ldap.session import (
    LARGEST_PAGE,
    PAGED_RESULTS,
    Answer,
    Done,
    Search,
    Session,
    forbid_more,
)

_BOOLEAN = 0x01


def wrapped(connection: Any) -> bool:
    """Has the bind of this ldap3 connection put a layer around what follows?"""
    layers = ("_digest_md5_kic", "_digest_md5_kis", "session_security", "krb_ctx", "ntlm_client")
    return any(getattr(connection, layer, None) for layer in layers)


class Relayed(Session):
    """One connection after its bind, in the hands of ldap3."""

    def __init__(self, url: str, line: Line, connection: Any) -> None:
        super().__init__(url, line)
        self._connection = connection

    def ask(self, search: Search, controls: bytes = b"") -> int:
        """Has ldap3 send a compiled search; returns its message id."""
        return int(self._connection.strategy.send("searchRequest", search.request, _controls(controls)))

    def collect(self, message_id: int, most: int) -> Answer:
        """The answer to one search; SourceError for more than `most` entries, or for a page without end."""
        budget = self.budget
        kept = max(budget.bytes_left - LARGEST_PAGE, 0)  # ldap3 holds a page whole, so a page has a limit too
        budget.bytes_left -= kept
        try:
            answers = self._connection.strategy._get_response(message_id, None)
        finally:
            budget.bytes_left += kept
        if not isinstance(answers, list):
            raise SourceError("the server ended the connection", hint="its log may say why")
        self._connection.strategy._outstanding.pop(message_id, None)
        messages = [answer for answer in answers if isinstance(answer, dict)]
        entries = [_entry(answer) for answer in messages if answer["type"] == "searchResEntry"]
        forbid_more(len(entries), most)
        references = [
            printable(str(uri))
            for answer in messages
            if answer["type"] == "searchResRef"
            for uri in answer["uri"]
        ]
        return Answer([(entry, 0, len(entry)) for entry in entries], references, _done(messages[-1]))

    def message(self) -> bytes:
        """Changes are followed by our own reader alone."""
        raise Doubt("changes cannot be followed over a connection that the sign-in seals")

    def close(self) -> None:
        """Closes without a good-bye, which would have to be wrapped as well."""
        self.line.close()


def _controls(controls: bytes) -> list[tuple[str, bool, bytes]]:
    """Controls as ldap3 takes them: type, criticality and value."""
    if not controls:
        return []
    _, start, end = ber.header(controls, 0, len(controls))
    found = []
    for _, first, last in ber.children(controls, start, end):
        parts = ber.children(controls, first, last)
        kind, value = (controls[at:to] for _, at, to in (parts[0], parts[-1]))
        critical = any(tag == _BOOLEAN and controls[at] != 0 for tag, at, _ in parts)
        found.append((kind.decode(), critical, value))
    return found


def _entry(answer: Mapping[str, Any]) -> bytes:
    """A search result entry as it came, but for the forms of lengths."""
    attributes = b""
    for name, values in answer["raw_attributes"].items():
        some = b"".join([ber.tlv(ber.OCTETS, bytes(value)) for value in values or ()])
        attributes += ber.tlv(ber.SEQUENCE, ber.tlv(ber.OCTETS, name.encode()) + ber.tlv(ber.SET, some))
    return ber.tlv(ber.OCTETS, bytes(answer["raw_dn"])) + ber.tlv(ber.SEQUENCE, attributes)


def _done(answer: Mapping[str, Any]) -> Done:
    """The end of a search; ValueError when it is none."""
    if answer["type"] != "searchResDone":
        raise ValueError(f"{answer['type']} stands in a search's answer")
    control = answer.get("controls", {}).get(PAGED_RESULTS)
    cookie = None if control is None else bytes(control["value"]["cookie"] or b"")
    referrals = tuple(printable(str(uri)) for uri in answer.get("referrals") or ())
    return Done(int(answer["result"]), printable(str(answer["message"] or "")), referrals, cookie)
