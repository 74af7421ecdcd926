"""What is needed to deliver to NDD Orbix."""

import re
from typing import Annotated, Literal

from rosterd.fields import HeaderText, PositiveDuration, Secret, ServiceUrl, Size, Text, WebTable, between


def client_name(value: str) -> str:
    """A Client's name, checked. The portal accepts neither spaces nor special characters in it; what it says
    of "-", "_" and "." is not known, so these pass.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", value):
        raise ValueError(
            "is not the name of a Client: Orbix accepts neither spaces nor special characters in it"
        )
    return value


class OrbixSettings(WebTable):
    """NDD Orbix: one provider (tenant) with one pair of credentials. NDD's support hands these values out."""

    base_url: ServiceUrl
    """The address of the print queue integration."""
    token_url: ServiceUrl
    """Where tokens are fetched."""
    scope: Text = "nddsmart-printqueue-external-integration-api"
    """What the tokens are for."""
    tenant: HeaderText
    """The provider's name in Orbix."""
    client_id: Text
    """Half of the provider's credentials."""
    client_secret: Secret
    """The other half. Better: a secret file."""
    concurrency: Annotated[int, between(1, 16)] = 2
    """Requests under way at the same time."""
    requests_per_second: Annotated[float, between(0, 1000)] = 5.0
    """The pace of requests; 0 means none is kept."""
    membership: Literal["unknown", "additive"] = "unknown"
    """How a request treats a grouping's other members: "additive" once the vendor confirmed it."""
    attempts: Annotated[int, between(1, 20)] = 5
    """How often one request is tried."""
    retry_after_cap: PositiveDuration = 120.0
    """The longest wait that the server may ask for; beyond it the run ends."""
    max_answer: Size = 16 * 1024**2
    """The longest answer that is read."""
