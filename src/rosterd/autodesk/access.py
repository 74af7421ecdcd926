"""Who has access at Autodesk, for one customer: every application and twin on its own, and printer registrations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rosterd.autodesk.client import Autodesk, Service
from rosterd.autodesk.collaborators import read_collaborators
from rosterd.autodesk.printers import Printers
from rosterd.autodesk.settings import PrintersSettings
from rosterd.autodesk.twins import read_users
from rosterd.core.access import APPLICATION, TWIN, Place, Snapshot


class AutodeskAccess:
    """core.doors.AccessSource. `printers` is the customer's core.doors.Registrar, or None."""

    def __init__(self, autodesk: Autodesk, printers: PrintersSettings | None = None) -> None:
        self.autodesk = autodesk
        self.printers = Printers(autodesk, printers) if printers and printers.registrations else None
        # Services of their own: that one is down says nothing of the other.
        self._applications = Service(autodesk, autodesk.http, autodesk.pace)
        self._tandem = Service(autodesk, autodesk.http, autodesk.pace)

    def places(self) -> Sequence[Place]:
        """Every application and twin of the settings, in their order."""
        settings = self.autodesk.settings
        return [
            *(Place(APPLICATION, *one) for one in settings.applications),
            *(Place(TWIN, *one) for one in settings.twins),
        ]

    def read(self, place: Place) -> Snapshot:
        """Everybody with access to one place, whole. Raises TargetError, CredentialsError or Stopped."""
        if place.kind == APPLICATION:
            return read_collaborators(self._applications, place.id, self.autodesk.for_people())
        region = self.autodesk.settings.region
        return read_users(self._tandem, place.id, self.autodesk.for_twins(), region)

    def check(self) -> str:
        """Obtains a token of the kind that the settings need, and says which. Raises as read does."""
        autodesk, settings = self.autodesk, self.autodesk.settings
        if settings.applications or self.printers or not settings.twins:
            bearer = autodesk.for_people()
        else:
            bearer = autodesk.for_twins()
        life = bearer.current().life
        if bearer is not autodesk.user:
            whose = "the service account" if bearer is autodesk.account else "the application itself"
            return f"token of {whose} obtained, lives {life:,.0f} s"
        issued = datetime.fromtimestamp(autodesk.vault.look().issued, UTC)
        return f"signed in, refreshed {issued:%Y-%m-%d %H:%M:%S} UTC, token lives {life:,.0f} s"

    def keep_alive(self) -> bool:
        """Refreshes an idle sign-in; see Autodesk.keep_alive."""
        return self.autodesk.keep_alive()

    def close(self) -> None:
        """Closes the connections; may be called twice."""
        self.autodesk.close()
        if self.printers is not None:
            self.printers.close()
