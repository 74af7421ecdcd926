"""Notifications: what is told and what not, and that it arrives: a real mail server, a real HTTP receiver."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
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
from tests.cli.kit import SECRET, Office
from tests.cli.service_kit import Receiver, free_port, service
from tests.real.ldap import certificates

from rosterd.daemon.forms import MOST, json_form, slack_form, subject, teams_form, text
from rosterd.daemon.notices import Judgement, Notice, Part
from rosterd.daemon.notify_settings import MailSettings, NotifySettings, WebhookSettings
from rosterd.daemon.ways import Refused, send_mail, webhook
from rosterd.errors import TargetError

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


def test_only_what_was_asked_for_is_told() -> None:
    assert events(judge(events=("failure",)), 4, 9, 5, 5, 0) == ["failure"]


def test_new_findings_are_told_once_in_numbers_and_without_a_name() -> None:
    judgement = judge()
    first = [("f1", "access-left"), ("f2", "access-left"), ("f3", "owner-left")]
    (notice,) = judgement.findings("acme", first, 0.0)
    assert (
        notice.reason == "2 × access of somebody who has left; 1 × an application whose only owner has gone"
    )
    assert (notice.severity, notice.step) == ("high", "rosterd report --customer acme")
    assert not list(judgement.findings("acme", first, 900.0))
    (notice,) = judgement.findings("acme", [*first, ("f4", "stranger")], 1_800.0)
    assert notice.reason == "1 × management by a stranger"
    assert not list(judgement.findings("acme", [], 1_800.0))
    assert len(list(judgement.findings("acme", first, DAY + 1))) == 1, "it stands a day later"


def test_runs_that_do_not_read_access_say_nothing_about_a_sign_in() -> None:
    judgement = judge()
    ended: list[tuple[int, Part]] = [
        (0, "delivery"), (9, "access"), (0, "delivery"), (9, "access"), (4, "delivery"), (0, "access"), (0, "delivery"),
    ]  # fmt: skip
    told = [
        [notice.event for notice in judgement.turn("acme", code, "why", at * 900.0, part)]
        for at, (code, part) in enumerate(ended)
    ]
    assert told == [[], ["sign_in"], [], [], ["hold"], [], ["recovery"]]


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
