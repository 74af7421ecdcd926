"""Reads everybody a directory shows, prints how many: `python bench/read.py URL BASE DN PASSWORD PAGE FILTER NAME…`."""

import gc
import sys
from threading import Event
from typing import Any

from rosterd.sources.ldap import LdapSource
from rosterd.sources.settings import LdapSettings


class _Silent:
    """A log that says nothing."""

    def info(self, event: str, **fields: Any) -> None:
        """Says nothing."""

    warning = info


def main() -> None:
    """One pass over the people, every entry decoded into its cells and let go."""
    gc.set_threshold(500_000, 10, 10)  # as every run does
    url, base, bind_dn, password, page, condition, *attributes = sys.argv[1:]
    settings = LdapSettings.model_validate(
        {
            "flavor": "openldap",
            "urls": [url],
            "base": base,
            "bind_dn": bind_dn,
            "bind_password": password,
            "allow_cleartext": True,
            "page_size": int(page),
            "people": {"filter": condition, "logon": "{{ uid }}", "domain": "NDD"},
        }
    )
    source = LdapSource("hq", settings, attributes, (), Event(), _Silent())
    feed = source.people()
    count = sum(len(batch.rows) for batch in feed)
    assert feed.proof().entries == count
    source.close()
    print(count)


if __name__ == "__main__":
    main()
