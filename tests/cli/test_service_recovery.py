"""Notifications over a restart: what an earlier process has told may recover; and what apprise reaches."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import pytest
from tests.cli.files import people
from tests.cli.kit import PATIENCE, Office
from tests.cli.service_kit import Receiver, Running, service
from tests.cli.test_service_notices import HOLD, events, judge

from rosterd.daemon.notify_settings import NotifySettings
from rosterd.daemon.ways import ways
from rosterd.errors import SettingsError, TargetError


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((), (0,), []),
        ((0, 5, 5), (0,), []),
        ((5,), (0,), []),
        ((5,), (6, 0), ["failure", "recovery"]),
        ((5, 8), (0,), ["recovery"]),
        ((4,), (3,), ["recovery"]),
        ((4,), (4, 0), ["hold", "recovery"]),
        ((9,), (5, 0), []),  # it may have been the access read that was refused
        ((7, 4), (0,), []),
    ],
)
def test_what_an_earlier_process_has_told_may_recover(
    before: tuple[int, ...], after: tuple[int, ...], told: list[str]
) -> None:
    """`before`: how its last runs ended, the newest first."""
    judgement = judge()
    judgement.remember("acme", before)
    assert events(judgement, *after) == told


@pytest.mark.slow
def test_a_recovery_is_told_after_a_restart(office: Office) -> None:
    """A file that cannot be read, twice; then another process reads it."""
    with Receiver() as receiver:
        office.set(console={"listen": ""}, customers={"acme": {"schedule": "every 1h"}},
                   notify={"webhooks": {"chat": {"url": receiver.url}}})  # fmt: skip
        office.put_text(b"")
        for _ in range(2):
            office.one(code=5)
        with service(office) as running:
            running.wait("run_ended", exit_code=5)
            until(running, lambda: told(receiver) == ["failure"])
            running.stop()
        office.put(people("ana"))
        with service(office) as running:
            running.send(signal.SIGUSR1)
            running.wait("run_ended", exit_code=0)
            until(running, lambda: told(receiver) == ["failure", "recovery"])
            running.stop()


def told(receiver: Receiver) -> list[str]:
    return [notice["event"] for _, body in receiver.posted for notice in body["notices"]]


def until(running: Running, holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert running.process.poll() is None and time.monotonic() < deadline, running.lines[-20:]
        time.sleep(0.05)


# apprise loads all its ways, one of which looks for a module that Python is about to drop
OLD = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@OLD
def test_apprise_reaches_what_mail_and_webhooks_do_not() -> None:
    """Its own way to post JSON, to a receiver of ours; a library that cannot deliver is a failure that is told."""
    with Receiver() as receiver:
        address = f"json://{receiver.url.removeprefix('http://')}"
        (name, send), *others = ways(settings_of(address), threading.Event()).items()
        send([HOLD], 0)
        assert name == "apprise" and not others
        ((path, body),) = receiver.posted
        assert path.startswith("/hooks/T0/canary") and "rosterd approve" in body["message"]
    with pytest.raises(TargetError, match="apprise could not deliver") as error:
        send([HOLD], 0)
    assert "canary" not in f"{error.value}{error.value.hint}"


@OLD
def test_apprise_refuses_an_address_that_it_does_not_know() -> None:
    with pytest.raises(SettingsError, match="does not know") as error:
        ways(settings_of("no-such-service://canary"), threading.Event())
    assert "canary" not in f"{error.value}{error.value.hint}"


def settings_of(address: str) -> NotifySettings:
    return NotifySettings.model_validate({"apprise": {"other": {"url": address}}})
