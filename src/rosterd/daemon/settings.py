"""What the running service is told."""

from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import field_validator, model_validator

from rosterd.fields import Duration, HeaderSecret, Table, Text, between, is_loopback, split_url


def listening(text: str) -> tuple[str, int]:
    """Host and port of an address such as "127.0.0.1:8321" or "[::1]:8321"."""
    parts = split_url(f"http://{text}")
    if parts.hostname is None or parts.port is None or parts.netloc != text or "@" in text:
        raise ValueError('must be an address and a port, such as "127.0.0.1:8321"')
    return parts.hostname, parts.port


class DaemonSettings(Table):
    """The running service."""

    customers_at_once: Annotated[int, between(1, 64)] = 4
    """Customers that run side by side; each may take some 60 MB of memory while its sources are read."""
    jitter: Duration = 0.0
    """Spreads the customers: each starts up to so much after its schedule, always by the same amount."""


class ConsoleSettings(Table):
    """The console in the browser."""

    listen: str = "127.0.0.1:8321"
    """Address and port; elsewhere than on loopback only with a token. "" switches the console off."""
    token: HeaderSecret | None = None
    """What a browser must present. Better: a secret file."""
    hosts: tuple[Text, ...] = ()
    """Further names by which browsers may call it, such as "rosterd.acme.example"; others are refused."""

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not is_loopback(listening(value)[0]):
            try:
                ip_address(listening(value)[0])
            except ValueError:
                raise ValueError('must be an IP address and a port, such as "0.0.0.0:8321"') from None
        return value

    @field_validator("token")
    @classmethod
    def _long(cls, value: HeaderSecret | None) -> HeaderSecret | None:
        if value is not None and len(value.get_secret_value()) < 16:
            raise ValueError("is shorter than 16 characters")
        return value

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.listen and self.token is None and not is_loopback(listening(self.listen)[0]):
            raise ValueError("listens elsewhere than on loopback, which needs a token")
        return self
