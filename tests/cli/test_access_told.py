"""What is told of access: a sign-in that is needed, and findings that are new; by `status`, a notice and a gauge."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.elsewhere_kit import elsewhere
from tests.cli.files import people
from tests.cli.kit import PATIENCE, Office
from tests.cli.service_kit import Receiver, Running, free_port, service

from rosterd import assemble
from rosterd.settings import load


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with elsewhere(tmp_path) as found:
        yield found


def spoil(office: Office) -> None:
    """Autodesk takes the sign-in no more, nor what came of it."""
    office.fault("token_refused", path="aps-refresh", error="invalid_grant")
    office.fault("status", path="collaborators", status=401)


def sign_in(office: Office) -> tuple[int, Any]:
    found = office.do("status", "--json")
    part = found.document["customers"]["acme"]
    assert part["exit_code"] == found.code
    return found.code, part["sign_in"]


def test_status_knows_that_somebody_must_sign_in(office: Office) -> None:
    assert sign_in(office) == (10, {"needed": False, "reason": None, "ends": None})  # a bootstrap token waits
    office.one(code=0)
    code, good = sign_in(office)
    assert (code, good["needed"]) == (0, False)
    assert good["ends"] > office.do("status", "--json").document["customers"]["acme"]["last_run"]
    spoil(office)
    office.one(code=9)
    at_once = office.do("status")
    assert (at_once.code, "sign-in needed" in at_once.out) == (9, True)
    for _ in range(2):
        office.one("--only", "NDD//ana", code=0)  # reads no access: what is needed is known all the same
        code, needed = sign_in(office)
        assert (code, needed["needed"]) == (9, True)
    said = office.do("status")
    assert (said.code, "sign-in needed" in said.out) == (9, True)
    assert "rosterd sign-in acme" in said.out


def test_a_customer_that_needs_no_person_needs_no_sign_in(office: Office) -> None:
    acme = office.settings["customers"]["acme"]
    del acme["autodesk"]["refresh_token"]
    office.save()
    assert sign_in(office)[0] == 9
    del acme["autodesk"]["applications"], acme["printers"]
    office.save()
    assert sign_in(office) == (10, None)  # twins are read with the application's own token
    assert office.one(code=0)["outcome"] == "done"
    assert sign_in(office) == (0, None)


def test_a_refused_token_is_not_forgotten_by_runs_that_read_no_access(office: Office) -> None:
    """401 on every token, fresh ones too: the sign-in itself is good, and access was not read."""
    office.one(code=0)
    office.fault("status", path="collaborators", status=401)
    office.one(code=9)
    office.one("--only", "NDD//ana", code=0)
    for _ in range(2):
        found = office.do("status", "--json")
        part = found.document["customers"]["acme"]
        assert (found.code, part["exit_code"], part["state"]) == (9, 9, "access refused")
        assert "a fresh token was refused (401)" in part["reason"]
        assert not part["sign_in"]["needed"]
    assert "access refused" in office.do("status").out
    assert office.do("check").code == 0  # a token is to be had, and says nothing of what it is good for
    assert sign_in(office)[0] == 9
    office.calm()
    office.one(code=0)
    assert sign_in(office)[0] == 0


def test_a_new_sign_in_answers_a_refusal(office: Office) -> None:
    """As far as can be known before access is read again, which may be tomorrow."""
    office.one(code=0)
    office.fault("status", path="collaborators", status=401)
    office.one(code=9)
    office.one("--only", "NDD//ana", code=0)
    assert sign_in(office)[0] == 9
    settings = load(office.config, {}).settings
    assemble.open_vault(settings, "acme", threading.Event()).store("a-new-one", ())
    assert sign_in(office)[0] == 10  # only a part was run


def test_orbix_s_own_refusal_is_not_taken_for_autodesk_s(office: Office) -> None:
    office.one(code=0)
    office.fault("status", path="collaborators", status=401)
    office.one(code=9)
    office.fault("token_refused", path="token")
    office.put(people("ana", "bruno", "carlos", "dora", "egon", "fay"))
    office.one("--only", "NDD//fay", code=9)
    found = office.do("status", "--json").document["customers"]["acme"]
    assert (found["exit_code"], found["state"]) == (9, "failing")


def test_a_key_that_cannot_be_used_stops_neither_the_delivery_nor_the_report(office: Office) -> None:
    office.one(code=0)
    autodesk = office.settings["customers"]["acme"]["autodesk"]
    autodesk["service_account"] = {"id": "a", "key_id": "k", "key_file": "sa.pem"}
    (office.directory / "sa.pem").write_text("no key")
    office.save()
    office.put(people("ana", "bruno", "carlos", "dora", "egon", "fay"))
    found = office.one(code=2)
    assert found["people"]["created"] == 1
    assert "sa.pem: not a key that can be used" in found["reason"]
    report = office.do("report", "--format", "json").document["customers"]["acme"]
    states = {one["kind"]: one["state"] for one in report["sources"]}
    assert states == {"application": "stale", "directory": "whole", "printer": "whole", "twin": "stale"}
    assert not report["complete"] and report["grants"]
    assert office.directory / "reports" / "acme.html" in (office.directory / "reports").iterdir()


def until(holds: Callable[[], Any], running: Running) -> Any:
    """Asks until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline and running.process.poll() is None, running.lines[-20:]
        time.sleep(0.05)
    return found


def notices(receiver: Receiver) -> list[tuple[str, str]]:
    return [(one["event"], json.dumps(one)) for _, body in receiver.posted for one in body["notices"]]


def events(receiver: Receiver) -> list[str]:
    return [event for event, _ in notices(receiver)]


def metric(port: int, name: str) -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except OSError:  # it does not listen yet
        return []
    finally:
        connection.close()
    return [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(name + "{")]


def test_the_service_tells_new_findings_and_a_lost_sign_in_once(office: Office) -> None:
    office.one(code=0)
    office.put(people("ana", "bruno", "dora", "egon"))  # carlos has left and still has access to two places
    port = free_port()
    with Receiver() as receiver:
        office.set(
            console={"listen": f"127.0.0.1:{port}"},
            customers={"acme": {"schedule": "every 1h", "autodesk": {"schedule": "every 1s"}}},
            notify={"webhooks": {"chat": {"url": receiver.url}}},
        )
        with service(office) as running:
            until(lambda: "finding" in events(receiver), running)
            (text,) = [text for event, text in notices(receiver) if event == "finding"]
            assert "2 \\u00d7 access of somebody who has left" in text
            assert "rosterd report --customer acme" in text and "carlos" not in text.lower()
            until(lambda: float((metric(port, EXPIRY) or ["0"])[0]) > time.time(), running)
            spoil(office)
            until(lambda: "sign_in" in events(receiver), running)
            until(lambda: metric(port, EXPIRY) == ["0.0"], running)
            ended = len(running.said("run_ended"))
            running.send(signal.SIGUSR1)  # the runs that follow deliver; some of them read access too
            running.wait("run_ended", count=ended + 3)
            running.stop()
        assert events(receiver).count("sign_in") == events(receiver).count("finding") == 1
        assert "recovery" not in events(receiver)


EXPIRY = "rosterd_sign_in_expiry_timestamp_seconds"
