"""`python -m bench.serving DIRECTORY CUSTOMERS PEOPLE`: a ledger of that size, and a console over it on a free port.

Prints a line of JSON when it answers: the port, and paths by name; serves until its standard input ends. The first
customer has a tenth of all people; one in twenty holds a plan.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import apsw

from rosterd import assemble, log
from rosterd.core.people import sort_key
from rosterd.daemon.api import State
from rosterd.daemon.board import Board
from rosterd.daemon.metrics import Metrics
from rosterd.daemon.overview import Overview
from rosterd.daemon.web import Web
from rosterd.settings import Settings, load
from rosterd.words import BUCKETS, KINDS

RUNS = 24  # of each customer

_HEAD = """\
[ledger]
url = "sqlite:///ledger.db"
[console]
listen = "127.0.0.1:{port}"
[orbix]
base_url = "http://127.0.0.1:1"
token_url = "http://127.0.0.1:1/token"
tenant = "sandbox"
client_id = "sandbox"
client_secret = "sandbox"
"""
_CUSTOMER = """\
[customers.{name}]
client = "{name}"
[customers.{name}.sources.hr]
kind = "csv"
path = "{name}.csv"
[customers.{name}.sources.hr.people]
logon = "{{{{ logon }}}}"
domain = "NDD"
name = "{{{{ name }}}}"
email = "{{{{ email }}}}"
"""
_PEOPLE = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)
INSERT INTO person SELECT ?1, CAST('ndd' || x'00' || printf('p%07d.%d', i, ?1) AS BLOB), 'NDD',
  printf('p%07d.%d', i, ?1), printf('Carlos de Souza %d', i), printf('p%07d.%d@customer.example', i, ?1), 'hr', '', '',
  iif(i % 200 = 7, 'left', 'active'), 24 * ?1 FROM n
"""
_HISTORY = """
INSERT INTO history SELECT binding, 'person', key, run, 0, json_array('update', 'person', domain || '//' || logon,
  json_array(domain, logon, 'Carlos', email), json_array(domain, logon, name, email)), ''
FROM person WHERE binding = ? AND key > CAST('ndd' || x'00' || 'p00000' AS BLOB) LIMIT 200
"""
_PROBLEMS = """
INSERT INTO problem SELECT binding, 'person', key, iif(rowno % 2, 'refused', 'set_aside'), domain || '//' || logon,
  'Logon is not valid', '', 1795000000.0, 1795000000.0, 1
FROM (SELECT *, row_number() OVER () AS rowno FROM person WHERE binding = ? LIMIT 300)
"""
_PLAN = "INSERT INTO plan (id, binding, digest, made, reasons, counts, pilot) VALUES (?, ?, ?, 1.795e9, ?, '{}', 0)"
_CHANGES = """
INSERT INTO plan_change SELECT ?1, 'person', key, json_array('update', 'person', domain || '//' || logon,
  json_array(domain, logon, name, email), json_array(domain, logon, 'Carlos Anew', email))
FROM person WHERE binding = ?2 LIMIT 400
"""


def main() -> None:
    """Builds, serves, and ends with its standard input."""
    directory, customers, people = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    names = [f"c{number:04}" for number in range(customers)]
    port = _free_port()
    config = directory / "rosterd.toml"
    config.write_text(_HEAD.format(port=port) + "".join(_CUSTOMER.format(name=name) for name in names))
    config.chmod(0o600)
    settings = load(config, {}).settings
    assemble.open_ledger(settings, locked=False)[0].close()
    _fill(settings.ledger.path, names, people)
    _serve(settings, names, port)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _fill(path: Path, names: list[str], people: int) -> None:
    """Straight into the tables: delivering so many is measured elsewhere."""
    ledger = apsw.Connection(str(path))
    rest = (people - people // 10) // max(1, len(names) - 1)
    with ledger:
        for number, name in enumerate(names, 1):
            sql = "INSERT INTO binding (id, client, customer, approved, delivered) VALUES (?, ?, ?, 1, 1)"
            ledger.execute(sql, (number, name, name))
            ledger.execute(_PEOPLE, (number, people // 10 if number == 1 else rest))
            held = number % 20 == 1
            ledger.executemany("INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, NULL, ?)", _runs(number, held))
            for sql in (_HISTORY, _PROBLEMS):
                ledger.execute(sql, (number,))
            if held:
                ledger.execute(_PLAN, (number, number, f"{number:064x}", '["updates: 400 of 900"]'))
                ledger.execute(_CHANGES, (number, number))
    ledger.close()


def _runs(number: int, held: bool) -> list[tuple[Any, ...]]:
    tally = dict.fromkeys(BUCKETS, 3)
    document = json.dumps({**dict.fromkeys(KINDS, tally), "requests": 2, "plan": ""})
    rows: list[tuple[Any, ...]] = []
    for run in range(1, RUNS + 1):
        begun, stopped = 1.795e9 + 900 * run, held and run == RUNS
        ends = ("held", 4) if stopped else ("done", 0)
        rows.append((RUNS * (number - 1) + run, number, begun, begun + 2, *ends, document))
    return rows


def _serve(settings: Settings, names: list[str], port: int) -> None:

    logger = log.configure("json", 0)

    def ledger() -> Any:
        return assemble.open_ledger(settings, locked=False)[0]

    overview = Overview(ledger, lambda: settings, lambda: names, logger)
    state = State(
        Board(), overview, Metrics(), lambda: settings, ledger, lambda: True, lambda _name: False,
        threading.Event().is_set, lambda: names,
    )  # fmt: skip
    web = Web(state, settings.console, logger)
    overview.start()
    web.start()
    while len(overview.statuses()) < len(names):
        time.sleep(0.1)
    somebody = sort_key("NDD", f"p0000300.{1}").hex()
    paths = {
        "overview": "/", "overview filtered": "/?q=c05&sort=people", "overview page 15": "/?sort=name&page=15",
        "a customer": f"/customers/{names[len(names) // 2]}", "the largest customer, held": f"/customers/{names[0]}",
        "its runs": f"/customers/{names[0]}/runs", "its problems": f"/customers/{names[0]}/problems",
        "its held plan": f"/customers/{names[0]}/plans/{1:064x}", "its leavers": f"/customers/{names[0]}/leavers",
        "a person": f"/customers/{names[0]}/people/{somebody}", "a search": "/people?q=nobody-has-this",
        "what runs": "/api/live",
    }  # fmt: skip
    print(json.dumps({"port": port, "paths": paths}), flush=True)
    sys.stdin.read()
    web.stop()
    overview.stop()


if __name__ == "__main__":
    main()
