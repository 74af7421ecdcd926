"""Who is told when something needs a person's eye."""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, SecretStr, model_validator

from rosterd.fields import (
    Duration,
    Name,
    OptionalPath,
    PositiveDuration,
    ProxyUrl,
    Secret,
    Table,
    Text,
    between,
    is_loopback,
    split_url,
)

Event: TypeAlias = Literal["failure", "hold", "recovery", "sign_in", "finding", "silence", "settings"]
EVENTS: tuple[Event, ...] = ("failure", "hold", "recovery", "sign_in", "finding", "silence", "settings")


def _secret_url(value: SecretStr) -> SecretStr:
    """A webhook's address is its password, so it is kept as one."""
    text = value.get_secret_value()
    parts = split_url(text)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError("must begin with https:// (http:// only on loopback)")
    if "@" in parts.netloc or "#" in text:
        raise ValueError('must not contain a user name or "#"')
    return value


SecretUrl: TypeAlias = Annotated[Secret, AfterValidator(_secret_url)]


def _address(value: str) -> str:
    if (
        value.count("@") != 1
        or value != value.strip()
        or not value.isascii()
        or any(c in value for c in " ,;<>")
    ):
        raise ValueError("is not an e-mail address such as it@acme.example")
    return value


Address: TypeAlias = Annotated[Text, AfterValidator(_address)]


class MailSettings(Table):
    """Notifications by mail."""

    host: Text
    """The mail server."""
    port: Annotated[int, between(1, 65_535)] = 587
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """"tls" from the first byte (port 465), "starttls" (587), or "none", which goes on loopback only."""
    user: Text | None = None
    """The user's name, where the server wants one."""
    password: Secret | None = None
    """The password. Better: a secret file."""
    sender: Address
    """The address that mails come from."""
    to: tuple[Address, ...]
    """The addresses that they go to."""
    ca_file: OptionalPath = None
    """Certificates to trust, in PEM; default: the system's trust store."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if not self.to:
            raise ValueError("names nobody in to")
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError('has security = "none", which goes on loopback only')
        if (self.user is None) != (self.password is None):
            raise ValueError("needs user and password, or neither")
        return self


class WebhookSettings(Table):
    """Notifications by HTTP."""

    url: SecretUrl
    """Where they are posted. It is a secret: better in a file."""
    form: Literal["json", "slack", "teams"] = "json"
    """"json" for programs, "slack" (also Mattermost, Rocket.Chat), or "teams" (an adaptive card)."""
    ca_file: OptionalPath = None
    """Certificates to trust, in PEM; default: the system's trust store."""
    proxy: ProxyUrl | None = None
    """A proxy to go through, such as "http://proxy.example.com:3128"."""


class AppriseSettings(Table):
    """Notifications by what apprise reaches."""

    url: Secret
    """An address of apprise, such as "ntfy://…". It is a secret: better in a file."""


class NotifySettings(Table):
    """Who is told when something needs a person's eye."""

    events: tuple[Event, ...] = EVENTS
    """What is told: "failure", "hold", "recovery", "sign_in", "finding", "silence" and "settings"."""
    repeat: PositiveDuration = 86_400.0
    """While something stays as it is, it is told again after so long."""
    patience: Annotated[int, between(1, 100)] = 2
    """Failures in a row before a failure is told: what heals by itself is nobody's business."""
    silence: Duration = 86_400.0
    """So long after a customer's last good run, its silence is told; "0s" switches this off."""
    most_per_hour: Annotated[int, between(1, 1_000)] = 20
    """More than so many messages an hour are counted, and told in the next one."""
    mail: MailSettings | None = None
    """Notifications by mail."""
    webhooks: dict[Name, WebhookSettings] = Field(default_factory=dict)
    """Notifications by HTTP, one table each."""
    apprise: dict[Name, AppriseSettings] = Field(default_factory=dict)
    """Notifications by other ways, one table each; needs `pip install rosterd[apprise]`."""
