"""Notifications: what is told and what not, and that it arrives: a real mail server, a real HTTP receiver."""

from __future__ import annotations

import http.server
import json
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from pydantic import ValidationError
from tests.cli.files import people
from tests.cli.kit import PATIENCE, SECRET, Office
from tests.cli.service_kit import Running, free_port, service
from tests.real.ldap import certificates

from rosterd.daemon.forms import MOST, json_form, slack_form, subject, teams_form, text
from rosterd.daemon.notices import Judgement, Notice
from rosterd.daemon.notify_settings import MailSettings, NotifySettings, WebhookSettings
from rosterd.daemon.ways import Refused, send_mail, ways, webhook
from rosterd.errors import SettingsError, TargetError

DAY = 86_400.0
HOLD = Notice("hold", "acme", "leavers: 3 of 5 <all>", "rosterd approve", 1_700_000_000.0)


# What is told


def judge(**given: Any) -> Judgement:
    return Judgement(NotifySettings(**given))


def events(judgement: Judgement, *codes: int, start: float = 0.0, each: float = 900.0) -> list[str]:
    """What is told while runs end with these codes, one after the other."""
    found: list[str] = []
    for number, code in enumerate(codes):
        found += [notice.event for notice in judgement.turn("acme", code, "why", start + number * each)]
    return found


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ((0, 3, 0), []),
        ((5, 0, 5, 0), []),  # it heals by itself
        ((5, 5), ["failure"]),
        ((5, 6, 8, 1, 0), ["failure", "recovery"]),
        ((4,), ["hold"]),
        ((4, 4, 4, 0), ["hold", "recovery"]),
        ((9, 9, 9), ["sign_in"]),
        ((7, 7, 7, 7), []),  # somebody else's run is no failure
        ((5, 7, 5), ["failure"]),
        ((4, 9, 0), ["hold", "sign_in", "recovery"]),
    ],
)
def test_what_runs_have_told(codes: tuple[int, ...], told: list[str]) -> None:
    assert events(judge(), *codes) == told


def test_what_stays_is_told_once_a_day() -> None:
    assert events(judge(), *[4] * 97) == ["hold", "hold"], "every quarter of an hour for a day"


def test_silence_is_told_once_and_ended_by_a_good_run() -> None:
    judgement = judge()
    quiet = {
        "acme": {"state": "failing", "last_success": 1_000.0},
        "beta": {"state": "paused", "last_success": 0.0},
    }
    assert list(judgement.look(quiet, 0.0, 1_000.0 + DAY - 1)) == []
    assert [notice.event for notice in judgement.look(quiet, 0.0, 1_001.0 + DAY)] == ["silence"]
    assert list(judgement.look(quiet, 0.0, 1_500.0 + DAY)) == []
    assert events(judgement, 0) == ["recovery"]
    assert list(judgement.look(quiet, DAY, 1_500.0 + DAY)) == [], "not before it has served so long itself"


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
        ((9,), (5, 0), ["recovery"]),
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


def test_only_what_was_asked_for_is_told() -> None:
    assert events(judge(events=("failure",)), 4, 9, 5, 5, 0) == ["failure"]


def test_a_finding_is_told_once() -> None:
    judgement = judge()
    assert len(list(judgement.finding("acme", "a stranger has access", "look", 0.0))) == 1
    assert not list(judgement.finding("acme", "a stranger has access", "look", 900.0))


# How it looks


def test_the_forms() -> None:
    many = [HOLD._replace(customer=f"c{number}") for number in range(MOST + 5)]
    assert subject(many) == "rosterd: c0: a run is held until somebody approves it and 24 more"
    assert text(many, omitted=2).endswith("and 7 more\n")
    assert json_form([HOLD], 3)["omitted"] == 3 and json_form([HOLD])["notices"][0]["severity"] == "medium"
    assert "3 of 5 &lt;all&gt;" in slack_form([HOLD])["text"]
    card = teams_form([HOLD._replace(reason="[click](https://evil.example) *now*")])["attachments"][0][
        "content"
    ]
    assert card["type"] == "AdaptiveCard" and "\\[click\\]\\(https" in card["body"][1]["text"]


# That it arrives


class Box:
    """Keeps what a mail server was given."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to: list[str] = []
        self.encrypted: list[bool] = []

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.to += envelope.rcpt_tos
        self.encrypted.append(
            server.transport is not None and server.transport.get_extra_info("sslcontext") is not None
        )
        return "250 taken"


def _login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and data == LoginPassword(b"rosterd", SECRET.encode())
    return AuthResult(success=good, handled=False)


@contextmanager
def mail_server(folder: Path, **more: Any) -> Iterator[tuple[Box, int, Path]]:
    """A mail server that wants STARTTLS and a sign-in: its box, its port, and the authority to trust."""
    tls = certificates.make(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    box = Box()
    port = free_port()
    usual: dict[str, Any] = {
        "tls_context": context,
        "require_starttls": True,
        "auth_required": True,
        "authenticator": _login,
    }
    controller = Controller(box, "127.0.0.1", port, **(usual | more))
    controller.start()
    try:
        yield box, port, tls.authority
    finally:
        controller.stop()


def mail_settings(port: int, authority: Path | None, **more: Any) -> MailSettings:
    given = {"host": "127.0.0.1", "port": port, "user": "rosterd", "password": SECRET, "sender": "rosterd@acme.example",
             "to": ("it@acme.example", "boss@acme.example"), "ca_file": authority}  # fmt: skip
    return MailSettings.model_validate(given | more)


def test_a_mail_arrives_encrypted(tmp_path: Path) -> None:
    with mail_server(tmp_path) as (box, port, authority):
        send_mail(mail_settings(port, authority), [HOLD], 0)
    (mail,) = box.mails
    assert box.encrypted == [True] and box.to == ["it@acme.example", "boss@acme.example"]
    assert mail["subject"] == "rosterd: acme: a run is held until somebody approves it"
    assert "next: rosterd approve" in mail.get_content() and mail["auto-submitted"] == "auto-generated"


def test_no_mail_and_no_password_leaves_in_clear(tmp_path: Path) -> None:
    with mail_server(tmp_path) as (box, port, _), pytest.raises(TargetError, match="no safe connection"):
        send_mail(mail_settings(port, None), [HOLD], 0)
    off = {"tls_context": None, "require_starttls": False, "auth_required": False, "auth_require_tls": False}
    with (
        mail_server(tmp_path, **off) as (plain, port, authority),
        pytest.raises(TargetError, match="not taken"),
    ):
        send_mail(mail_settings(port, authority), [HOLD], 0)
    assert box.mails == plain.mails == []


def test_a_refused_sign_in_says_so_without_the_password(tmp_path: Path) -> None:
    with mail_server(tmp_path) as (box, port, authority), pytest.raises(Refused) as error:
        send_mail(mail_settings(port, authority, password="wrong" + SECRET), [HOLD], 0)
    assert box.mails == [] and SECRET not in f"{error.value}{error.value.hint}"


@pytest.mark.parametrize(
    "more",
    [
        {"security": "none"},
        {"host": "mail.example", "security": "none"},
        {"to": ()},
        {"to": ("a b@c",)},
        {"user": None},
    ],
)
def test_mail_settings_that_are_not_safe(more: dict[str, Any]) -> None:
    given = {"host": "127.0.0.1", "sender": "a@b", "to": ("a@b",), "user": "u", "password": "p"} | more
    if more == {"security": "none"}:
        MailSettings.model_validate(given)
        return
    with pytest.raises(ValidationError):
        MailSettings.model_validate(given)


class Receiver:
    """An HTTP server that keeps what is posted to it and answers with the statuses it was given, then 200."""

    def __init__(self, *statuses: int) -> None:
        self.posted: list[tuple[str, Any]] = []
        answers = list(statuses)
        posted = self.posted

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                posted.append((self.path, json.loads(body)))
                self.send_response(answers.pop(0) if answers else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hooks/T0/canary?sig=Kanary%2B1"


@pytest.mark.parametrize("form", ["json", "slack", "teams"])
def test_a_webhook_arrives(form: str) -> None:
    with Receiver() as receiver:
        webhook(WebhookSettings.model_validate({"url": receiver.url, "form": form}), threading.Event())(
            [HOLD], 0
        )
    ((path, body),) = receiver.posted
    assert path == "/hooks/T0/canary?sig=Kanary%2B1" and "acme" in json.dumps(body)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Refused), (301, Refused), (500, TargetError), (429, TargetError)]
)
def test_a_webhook_that_fails_does_not_show_its_address(status: int, kind: type[TargetError]) -> None:
    with Receiver(status) as receiver, pytest.raises(TargetError) as error:
        webhook(WebhookSettings.model_validate({"url": receiver.url}), threading.Event())([HOLD], 0)
    assert type(error.value) is kind
    said = f"{error.value} {error.value.hint} {error.value!r}"
    assert "canary" not in said and "Kanary" not in said


@pytest.mark.slow
def test_the_service_tells(office: Office, tmp_path: Path) -> None:
    """A hold and a wrong setting arrive by mail and by webhook, tried again while the receiver fails."""
    with mail_server(tmp_path / "tls") as (box, port, authority), Receiver(503) as receiver:
        office.run(code=0)
        office.put(people("ana"))
        mail = mail_settings(port, authority).model_dump(mode="json", exclude={"password", "ca_file", "to"})
        more = {"password": SECRET, "ca_file": str(authority), "to": ["it@acme.example"]}
        office.set(
            console={"listen": ""}, customers={"acme": {"schedule": "every 1h"}},
            notify={"mail": mail | more, "webhooks": {"chat": {"url": receiver.url}}},
        )  # fmt: skip
        with service(office) as running:
            running.wait("run_ended", exit_code=4)
            running.wait("notice_retry", way="chat")
            while not (box.mails and len(receiver.posted) == 2):
                assert running.process.poll() is None
                running.process.poll()
            running.stop()
        assert "held" in box.mails[0]["subject"]
        (_, first), (_, second) = receiver.posted
        assert first == second and second["notices"][0]["event"] == "hold"
        assert not [line for line in running.lines if "canary" in str(line) or SECRET in str(line)]


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
