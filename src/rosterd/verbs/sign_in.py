"""`rosterd sign-in`: somebody allows rosterd, in a browser, to see who has access at Autodesk."""

from __future__ import annotations

import getpass
import sys
import threading
import webbrowser
from typing import Any

from rosterd import assemble, words
from rosterd.autodesk import grants, sign_in
from rosterd.autodesk.listener import listening
from rosterd.errors import CredentialsError, SettingsError, TargetError
from rosterd.once import chosen
from rosterd.settings import Settings
from rosterd.verbs.common import Common, begin, say

WAIT = 600.0  # seconds for somebody to sign in and consent


def sign(common: Common, customer: str, *, paste: bool, browser: bool) -> int:
    """Signs in and keeps the sign-in. Raises SettingsError, CredentialsError, TargetError or Stopped."""
    loaded, logger = begin(common)
    settings: Settings = loaded.settings
    [name] = chosen(settings, [customer])
    wanted = settings.customers[name].autodesk
    if wanted is None:
        hint = f"add a table [customers.{name}.autodesk]"
        raise SettingsError(f"customer {name!r} has no Autodesk settings", hint=hint)
    stop = threading.Event()
    access = assemble.open_autodesk(settings, name, stop, logger)
    try:
        scopes = sign_in.scopes(printers=settings.customers[name].printers is not None)
        attempt = sign_in.new_attempt()
        address = sign_in.address(wanted.base_url, wanted.client_id, wanted.redirect_url, scopes, attempt)
        code = (
            _pasted(address, attempt)
            if paste
            else _heard(address, attempt, wanted.redirect_url, stop, browser)
        )
        granted = _exchanged(access.autodesk.server, code, wanted.redirect_url, attempt)
        access.autodesk.vault.store(granted.refresh_token, scopes)
    finally:
        access.close()
    say([f"{name}: signed in, for {', '.join(scopes)}", "  next: rosterd check, or rosterd run --once"])
    return 0


def _heard(
    address: str, attempt: sign_in.Attempt, redirect_url: str, stop: threading.Event, browser: bool
) -> str:
    """The code that the browser brings to this machine."""
    with listening(redirect_url, lambda query: sign_in.belongs(query, attempt)) as listener:
        opened = browser and webbrowser.open(address)
        _ask([
            "Your browser shows Autodesk's sign-in; if it does not, open this there:" if opened
            else "Open this in a browser on this machine (elsewhere, use --paste):",
            "", f"  {address}", "", f"Waiting up to {WAIT / 60:.0f} minutes for you to come back ...",
        ])  # fmt: skip
        return sign_in.code_of(listener.answer(WAIT, stop), attempt)


def _pasted(address: str, attempt: sign_in.Attempt) -> str:
    """The code that somebody carries over from a browser elsewhere."""
    _ask([
        "Open this in a browser on any machine, sign in and allow the access:",
        "", f"  {address}", "",
        "The browser then ends at a page that it may not be able to show. Copy the whole address of that page",
    ])  # fmt: skip
    prompt = "and paste it here (it is not shown): "
    if sys.stdin.isatty():
        return sign_in.code_pasted(getpass.getpass(prompt), attempt)
    return sign_in.code_pasted(sys.stdin.readline(16_384), attempt)


def _exchanged(server: Any, code: str, redirect_url: str, attempt: sign_in.Attempt) -> grants.Granted:
    """The tokens for a code, asked for once: a code works once."""
    try:
        granted: grants.Granted = server.ask(grants.by_code(code, redirect_url, attempt.verifier), attempts=1)
    except grants.Spent as error:
        hint = f"{sign_in.AGAIN}; is redirect_url registered as it stands?"
        raise CredentialsError(error.what, where=error.where, hint=hint) from None
    except CredentialsError:
        raise
    except TargetError as error:
        error.hint = sign_in.AGAIN if error.maybe_applied else error.hint
        raise
    if not granted.refresh_token:
        what = "Autodesk gave no refresh token, so there is nothing to keep"
        raise CredentialsError(what, hint="may the application use the authorization code grant?")
    return granted


def _ask(lines: list[str]) -> None:
    """For a person, on stderr: stdout is for results."""
    sys.stderr.write("".join(f"{words.safe(line)}\n" for line in lines))
    sys.stderr.flush()
