"""Finding people, and a person's page: why they stand as they do, and what was ever delivered for them."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rosterd.core.people import sort_key
from rosterd.daemon.console.room import LONGEST_KEY, LOOK, Room, Wrong, key_of
from rosterd.explain import differences, explain
from rosterd.ledger.search import TABLES, Match, Spot, words_of
from rosterd.ledger.sqlite import SqliteLedger

MOST = 50  # people found that a page shows
ACCESS = 20_000  # entries of access elsewhere that a page looks at
SEARCHED = 2 * LOOK  # seconds a page may search


def people(room: Room, request: Request) -> Response:
    """Whoever the words are found in, as far as could be looked in a moment; the page goes on from there."""
    query = request.query_params
    text, name = query.get("q", "")[:200].strip(), query.get("customer", "")
    spot = _spot(query.get("after", ""))
    found: list[Match] = []
    further: Spot | None = None
    with room.ledger() as ledger:
        customers = room.state.settings().customers
        served = [name] if name and room.customer(name) else room.served()
        wanted = {customers[one].client: one for one in served}
        names = {binding: wanted[client] for binding, client in ledger.clients().items() if client in wanted}
        binding = next(iter(names), 0) if name else None
        words = words_of(text)
        if words:
            if spot == Spot():
                found = _exact(ledger, text, binding)
            seen = {(one.binding, one.key) for one in found}
            until = time.monotonic() + SEARCHED
            more, further = ledger.search(words, spot, MOST, until, binding)
            found += [one for one in more if (one.binding, one.key) not in seen]
    rows = [(names[one.binding], one) for one in found if one.binding in names]
    if len(rows) == 1 and further is None and spot == Spot() and "go" in query:
        return RedirectResponse(f"/customers/{rows[0][0]}/people/{rows[0][1].key.hex()}", 303)
    return room.show(
        request, "people.html", q=text, customer=name, rows=rows, begun=spot != Spot(),
        share=_share(further, names), further=_further(text, name, further) if further else "",
    )  # fmt: skip


def _exact(ledger: SqliteLedger, text: str, binding: int | None) -> list[Match]:
    """Whoever has just this key, DOMAIN//logon."""
    domain, slashes, logon = text.partition("//")
    if not slashes:
        return []
    found = ledger.known(sort_key(domain, logon), MOST)
    return [one for one in found if binding in (None, one.binding)]


def _further(text: str, name: str, spot: Spot) -> str:
    """The address of what comes next."""
    asked = {
        "q": text,
        **({"customer": name} if name else {}),
        "after": f"{spot.table}.{spot.binding}.{spot.key.hex()}",
    }
    return f"/people?{urlencode(asked)}"


def _spot(text: str) -> Spot:
    """Where a search goes on, from an address. Raises Wrong."""
    if text == "":
        return Spot()
    table, _, rest = text.partition(".")
    number, _, key = rest.partition(".")
    if table not in TABLES or not (number.isascii() and number.isdigit() and len(number) <= 16):
        raise Wrong("The place in the address makes no sense.", 400)
    return Spot(table, int(number), key_of(key))


def _share(spot: Spot | None, names: dict[int, str]) -> int:
    """How much of the ledger was looked through, in percent: roughly, by the customers behind."""
    if spot is None:
        return 100
    behind = sum(binding < spot.binding for binding in names)
    return int(100 * (TABLES.index(spot.table) + behind / max(1, len(names))) / len(TABLES))


def person(room: Room, request: Request) -> Response:
    """One person end to end."""
    name, text = request.path_params["name"], request.path_params["key"]
    key = key_of(text)
    with room.ledger() as ledger:
        found = explain(ledger, room.bound(ledger, name).id, key, ACCESS)
    if found is None:
        raise Wrong("Nobody of this key is known.", step="Look for them: /people")
    return room.show(
        request, "person.html", name=name, client=room.customer(name).client, one=found,
        past=[(row, differences(row.kind, row.before, row.after)) for row in reversed(found.past)],
        held=[(digest, approved, change, differences(change.kind, change.before, change.after))
              for digest, approved, change in found.held],
    )  # fmt: skip


def by_key(room: Room, request: Request) -> Response:
    """The page of somebody by the key that people know, DOMAIN//logon."""
    name, text = request.path_params["name"], request.query_params.get("key", "")
    room.customer(name)
    domain, slashes, logon = text.partition("//")
    key = sort_key(domain, logon)
    if not slashes or len(key) > LONGEST_KEY:
        raise Wrong("A key looks like this: DOMAIN//logon", 400)
    return RedirectResponse(f"/customers/{name}/people/{key.hex()}", 303)
