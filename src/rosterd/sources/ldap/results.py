"""What a server's result codes mean to an operator, and the next step (RFC 4511, appendix A)."""

from __future__ import annotations

import re

from rosterd.errors import SourceError

SUCCESS = 0
OPERATIONS_ERROR = 1
TIME_LIMIT = 3
SIZE_LIMIT = 4
REFERRAL = 10
ADMIN_LIMIT = 11
INVALID_CREDENTIALS = 49
BUSY = 51
UNAVAILABLE = 52

_LIMIT_HINT = (
    "the server's size limit for this account stops the read: have it raised for paged reads by the bind DN"
    " (OpenLDAP: `limits … size.prtotal=unlimited`; 389 DS: nsSizeLimit and nsLookThroughLimit),"
    " or set `page_size` below the limit"
)
_BASE_HINT = "the base does not exist, or the account may not see it: check `base`"
_RIGHTS_HINT = "give the account the right to read there"
_SECURE_HINT = "the server wants an encrypted connection: use ldaps:// or `start_tls = true`"
_LATER_HINT = "nothing is lost, the next run reads again; if it stays, ask who runs the server"

_CODES = {
    OPERATIONS_ERROR: (
        "operationsError",
        "Active Directory says this when it wants a bind first: set `bind_dn`",
    ),
    2: ("protocolError", "the server does not understand the request"),
    TIME_LIMIT: (
        "timeLimitExceeded",
        "narrow the filter, lower `page_size`, or have the time limit raised",
    ),
    SIZE_LIMIT: ("sizeLimitExceeded", _LIMIT_HINT),
    7: ("authMethodNotSupported", "the server does not allow a simple bind"),
    8: ("strongerAuthRequired", _SECURE_HINT),
    REFERRAL: ("referral", "the base lies on another server: name that server in `urls`"),
    ADMIN_LIMIT: ("adminLimitExceeded", _LIMIT_HINT),
    12: ("unavailableCriticalExtension", "the server cannot do what the read needs"),
    13: ("confidentialityRequired", _SECURE_HINT),
    18: ("inappropriateMatching", "check `filter`"),
    21: ("invalidAttributeSyntax", "check `filter`"),
    32: ("noSuchObject", _BASE_HINT),
    34: ("invalidDNSyntax", "check `base` and `bind_dn`"),
    48: ("inappropriateAuthentication", "the server does not let this account bind with a password"),
    INVALID_CREDENTIALS: ("invalidCredentials", "check `bind_dn` and its password"),
    50: ("insufficientAccessRights", _RIGHTS_HINT),
    BUSY: ("busy", _LATER_HINT),
    UNAVAILABLE: ("unavailable", _LATER_HINT),
    53: ("unwillingToPerform", "the server's message says why"),
    80: ("other", _LATER_HINT),
}

# Active Directory hides the reason of a refused bind in the message: "… data 52e, …".
_AD_DATA = re.compile(r"\bdata ([0-9a-f]{3,4})\b")
_AD_REASONS = {
    "525": "the account does not exist",
    "52e": "the password is wrong",
    "530": "the account may not sign in at this time",
    "531": "the account may not sign in from this machine",
    "532": "the account's password has expired",
    "533": "the account is disabled",
    "701": "the account has expired",
    "773": "the account's password must be changed first",
    "775": "the account is locked",
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def printable(text: str, most: int = 200) -> str:
    """Text of a server made fit for one line of a terminal."""
    text = _CONTROL.sub(" ", text).strip()
    return text if len(text) <= most else text[: most - 1] + "…"


def name_of(code: int) -> str:
    """The code with its name, for instance `sizeLimitExceeded (4)`."""
    return f"{_CODES[code][0]} ({code})" if code in _CODES else f"result code {code}"


def failure(doing: str, code: int, message: str) -> SourceError:
    """The error for an answer that is not a success. `doing` says what was asked."""
    hint = _CODES[code][1] if code in _CODES else "look the code up in the server's manual"
    if code == INVALID_CREDENTIALS and (found := _AD_DATA.search(message)):
        reason = _AD_REASONS.get(found[1])
        hint = f"{reason}; {hint}" if reason else hint
    said = f": {printable(message)}" if message.strip("\0 ") else ""
    return SourceError(f"{doing}: the server answered {name_of(code)}{said}", hint=hint)
