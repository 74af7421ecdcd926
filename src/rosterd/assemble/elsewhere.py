"""Autodesk and the 3D printers, once a customer's run asks for them."""

from __future__ import annotations

import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from rosterd.autodesk import kept
from rosterd.autodesk.kept import SignIn, TokenFile
from rosterd.autodesk.settings import AutodeskSettings
from rosterd.errors import RosterdError, SettingsError
from rosterd.job import Elsewhere
from rosterd.settings import Settings


def open_autodesk(settings: Settings, name: str, stop: threading.Event, log: Any) -> Any:
    """A customer's autodesk.access.AutodeskAccess, None when the settings name none; nothing is sent yet.

    Raises SettingsError for a service account's key that cannot be used.
    """
    customer = settings.customers[name]
    wanted = customer.autodesk
    if wanted is None:
        return None
    autodesk = import_module("rosterd.autodesk.client").Autodesk(
        wanted, name, open_vault(settings, name, stop), stop, log, assertion=_assertions(wanted, name)
    )
    return import_module("rosterd.autodesk.access").AutodeskAccess(autodesk, customer.printers)


class Elsewheres:
    """The doors besides Orbix of every customer whose run asks for them, opened once; closed together."""

    def __init__(self, settings: Settings, stop: threading.Event, log: Any) -> None:
        self._given = (settings, stop, log)
        self._open: dict[str, Any] = {}

    def __call__(self, name: str) -> Elsewhere:
        """Raises SettingsError for a service account's key that cannot be used."""
        if name not in self._open:
            settings, stop, log = self._given
            self._open[name] = open_autodesk(settings, name, stop, log)
        doors = self._open[name]
        return Elsewhere() if doors is None else Elsewhere(doors, doors.printers)

    def keep_alive(self) -> list[tuple[str, RosterdError]]:
        """Refreshes sign-ins that nobody has used for a week, as of a paused customer; whose went wrong, and how."""
        settings, stop, _ = self._given
        problems: list[tuple[str, RosterdError]] = []
        for name, customer in settings.customers.items():
            try:
                if customer.autodesk is not None and open_vault(settings, name, stop).due():
                    self(name)
                    self._open[name].keep_alive()
            except RosterdError as error:
                problems.append((name, error))
        return problems

    def close(self) -> None:
        """Closes what was opened."""
        for doors in self._open.values():
            if doors is not None:
                doors.close()


def open_vault(settings: Settings, name: str, stop: threading.Event) -> Any:
    """The autodesk.vault.Vault that keeps a customer's sign-in, in a directory beside the ledger."""
    wanted = settings.customers[name].autodesk
    assert wanted is not None
    return import_module("rosterd.autodesk.vault").Vault(
        _tokens(settings),
        name,
        wanted.client_id,
        wanted.base_url,
        bootstrap=_bootstrap(wanted),
        wait=stop.wait,
    )


def sign_in(settings: Settings, name: str) -> SignIn | None:
    """Where a customer's sign-in stands; None where there is none and nothing needs one. Nobody is asked."""
    customer = settings.customers[name]
    wanted = customer.autodesk
    if wanted is None:
        return None
    found = kept.sign_in(
        TokenFile(_tokens(settings), name), wanted.client_id, wanted.base_url, _bootstrap(wanted)
    )
    for_people = wanted.applications or (customer.printers is not None and customer.printers.registrations)
    needed = wanted.service_account is None and (for_people or wanted.client_secret is None)
    if not found.needed:
        return found
    why = f"somebody must sign in at Autodesk: {found.needed} (rosterd sign-in {name})"
    return SignIn(why) if needed else None


def _tokens(settings: Settings) -> Path:
    return settings.ledger.path.parent / "tokens"


def _bootstrap(wanted: AutodeskSettings) -> str:
    return wanted.refresh_token.get_secret_value() if wanted.refresh_token else ""


def _assertions(wanted: AutodeskSettings, name: str) -> Any:
    """What signs for the service account, if there is one. Its library is an extra of the package."""
    if wanted.service_account is None:
        return None
    try:
        module = import_module("rosterd.autodesk.assertion")
    except ImportError:
        raise SettingsError(
            "a service account needs the library that signs for it, which is not installed",
            where=f"customers.{name}.autodesk.service_account",
            hint="pip install 'rosterd[service-account]'",
        ) from None
    token_url = f"{wanted.base_url}/authentication/v2/token"
    return module.assertions(wanted.service_account, wanted.client_id, token_url)
