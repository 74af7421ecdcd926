"""The ways on which notices leave: mail, webhooks, and what apprise reaches. Each raises TargetError when it fails."""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import threading
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from importlib import import_module
from typing import Any, TypeAlias

from rosterd import __version__
from rosterd.daemon.forms import FORMS, subject, text
from rosterd.daemon.notices import Notice
from rosterd.daemon.notify_settings import MailSettings, NotifySettings, WebhookSettings
from rosterd.errors import SettingsError, TargetError
from rosterd.fields import split_url
from rosterd.http import Http, Unanswered, shown, tls_context

TIMEOUT = 30.0  # seconds
Way: TypeAlias = Callable[[Sequence[Notice], int], None]  # notices, and how many were omitted before


class Refused(TargetError):
    """The receiver refuses the message: trying again cannot help."""


def ways(settings: NotifySettings, stop: threading.Event) -> dict[str, Way]:
    """Every way that the settings name. Raises SettingsError when apprise is wanted and missing."""
    found: dict[str, Way] = {}
    if settings.mail is not None:
        mail = settings.mail
        found["mail"] = lambda notices, omitted: send_mail(mail, notices, omitted)
    for name, hook in settings.webhooks.items():
        found[name] = webhook(hook, stop)
    if settings.apprise:
        found["apprise"] = _apprise([one.url.get_secret_value() for one in settings.apprise.values()])
    return found


def send_mail(settings: MailSettings, notices: Sequence[Notice], omitted: int) -> None:
    """One mail to everybody named."""
    message = EmailMessage()
    message["Subject"], message["From"] = subject(notices), settings.sender
    message["To"], message["Date"] = ", ".join(settings.to), formatdate()
    message["Message-ID"] = make_msgid(domain=settings.sender.partition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation message in return
    message.set_content(text(notices, omitted))
    where = f"{settings.host}:{settings.port}"
    try:
        with _connected(settings) as server:
            if settings.user is not None and settings.password is not None:
                server.login(settings.user, settings.password.get_secret_value())
            server.send_message(message)
    except (
        smtplib.SMTPAuthenticationError,
        smtplib.SMTPSenderRefused,
        smtplib.SMTPRecipientsRefused,
    ) as error:
        raise Refused(f"the mail server refuses ({type(error).__name__})", where=where,
                      hint="check user, password, sender and to in [notify.mail]") from None  # fmt: skip
    except ssl.SSLError as error:
        raise TargetError(f"no safe connection: {shown(error.reason or error)}", where=where,
                          hint="set ca_file if the CA is your own") from None  # fmt: skip
    except (OSError, smtplib.SMTPException) as error:
        raise TargetError(f"the mail was not taken: {shown(error)}", where=where) from None


def _connected(settings: MailSettings) -> smtplib.SMTP:
    context = tls_context(settings.ca_file) if settings.security != "none" else None
    if settings.security == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT, context=context)
    server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
    try:
        if context is not None:
            server.starttls(context=context)  # refused: an exception, and nothing leaves in clear
    except BaseException:
        server.close()
        raise
    return server


def webhook(settings: WebhookSettings, stop: threading.Event) -> Way:
    """Posts in the form that the receiver wants. The address stays out of every message: it is a secret."""
    parts = split_url(settings.url.get_secret_value())
    origin = f"{parts.scheme}://{parts.netloc}"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    proxy = settings.proxy.get_secret_value() if settings.proxy else None

    def send(notices: Sequence[Notice], omitted: int) -> None:
        body = json.dumps(FORMS[settings.form](notices, omitted), ensure_ascii=False).encode()
        http = Http(
            origin, ca_file=settings.ca_file, proxy=proxy, timeout=TIMEOUT, max_answer=1 << 16, stop=stop,
            user_agent=f"rosterd/{__version__}",
        )  # fmt: skip
        try:
            status = http.post(path, {"Content-Type": "application/json"}, body).status
        except Unanswered as error:
            raise TargetError(error.what, where=origin, hint=error.hint) from None
        finally:
            http.close()
        if 300 <= status < 500 and status not in (408, 429):
            raise Refused(
                f"the webhook refuses ({status})", where=origin, hint="check its url in [notify.webhooks]"
            )
        if not 200 <= status < 300:
            raise TargetError(f"the webhook failed ({status})", where=origin)

    return send


def _apprise(addresses: Sequence[str]) -> Way:
    try:
        library: Any = import_module("apprise")
    except ImportError:
        raise SettingsError(
            "notify.apprise needs the package apprise", hint="pip install 'rosterd[apprise]'"
        ) from None
    logging.getLogger("apprise").addHandler(logging.NullHandler())  # what it says may hold the addresses
    group = library.Apprise()
    for address in addresses:
        if not group.add(address):
            raise SettingsError("notify.apprise has an address that apprise does not know")

    def send(notices: Sequence[Notice], omitted: int) -> None:
        if not group.notify(title=subject(notices), body=text(notices, omitted)):
            raise TargetError("apprise could not deliver", where="notify.apprise")

    return send
