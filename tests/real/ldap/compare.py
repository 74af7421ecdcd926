"""The same search by our source and by ldap3's own paged search, entry by entry, on whatever server."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.real.slapd import PASSWORD

from rosterd.core.people import fold
from rosterd.sources.ldap import LdapSource
from rosterd.sources.settings import LdapSettings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import ldap3

CUT = 64 << 10  # bytes of a value that are kept

Cells = tuple[str | tuple[str, ...], ...]


class Quiet:
    """A log that says nothing."""

    def info(self, event: str, **_fields: object) -> None: ...

    warning = info


@dataclass(frozen=True)
class Question:
    """A search on a server."""

    url: str
    flavor: str
    bind_dn: str
    base: str
    filter: str
    attributes: Sequence[str]

    def ours(self, reader: str) -> list[tuple[str, Cells]]:
        """DNs as spelled, and cells, in the order of both."""
        settings: dict[str, Any] = {
            "flavor": self.flavor,
            "urls": [self.url],
            "base": self.base,
            "bind_dn": self.bind_dn,
            "bind_password": PASSWORD,
            "allow_cleartext": True,
            "timeout": "60s",
            "page_size": 500,
            "people": {"filter": self.filter, "logon": "{{ uid }}", "domain": "ACME"},
            "reader": reader,
        }
        checked = LdapSettings.model_validate(settings)
        source = LdapSource("hq", checked, self.attributes, (), threading.Event(), Quiet())
        found: list[tuple[str, Cells]] = []
        for batch in source.people():
            found += [(str(dn), tuple(row)) for dn, row in zip(batch.places, batch.rows, strict=True)]
        source.close()
        return sorted(found)

    def theirs(self) -> list[tuple[str, Cells]]:
        """The same by ldap3, which gives each page from its end; its raw values turned into cells here."""
        server = ldap3.Server(self.url, get_info=ldap3.NONE)
        connection = ldap3.Connection(server, self.bind_dn, PASSWORD, auto_bind=True, auto_referrals=False)
        try:
            answers = connection.extend.standard.paged_search(
                self.base,
                self.filter,
                attributes=list(self.attributes),
                paged_size=500,
                dereference_aliases=ldap3.DEREF_NEVER,
            )
            return sorted(
                (one["raw_dn"].decode(), self._cells(one["raw_attributes"]))
                for one in answers
                if "raw_dn" in one
            )
        finally:
            connection.unbind()

    def _cells(self, raw: dict[str, list[bytes]]) -> Cells:
        by_name = {name.lower(): values for name, values in raw.items()}
        return tuple(_cell(by_name.get(name.lower(), [])) for name in self.attributes)


def _cell(values: list[bytes]) -> str | tuple[str, ...]:
    texts = sorted(
        (value[:CUT].decode("utf-8", "replace") for value in values), key=lambda text: (fold(text), text)
    )
    return tuple(texts) if len(texts) > 1 else "".join(texts)


def agree(question: Question, least: int) -> None:
    """Both of our readers find what ldap3 finds, and that is enough to mean something."""
    expected = question.theirs()
    assert len(expected) >= least
    for reader in ("own", "ldap3"):
        found = question.ours(reader)
        assert [dn for dn, _ in found] == [dn for dn, _ in expected]
        for mine, its in zip(found, expected, strict=True):
            assert mine == its
