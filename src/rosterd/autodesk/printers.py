"""Registers people with shared 3D printers ("secondary_registration" of the closed 3D Print API, and its heirs).

A registration is not idempotent: once it may have been made, it is never asked for again.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime
from typing import cast

from rosterd.autodesk import wire
from rosterd.autodesk.client import Ask, Autodesk, Service
from rosterd.autodesk.settings import PrintersSettings
from rosterd.core.outcome import Issued, Unregistered
from rosterd.errors import TargetError
from rosterd.http import Reply, Unanswered
from rosterd.patience import Again

_REFUSALS = (400, 409, 422)


class Printers:
    """core.doors.Registrar at the configured address, with the customer's Autodesk tokens."""

    def __init__(self, autodesk: Autodesk, settings: PrintersSettings) -> None:
        self._autodesk = autodesk
        self._http = autodesk.connect(settings.base_url, settings)
        self._service = Service(autodesk, self._http, autodesk.new_pace())

    def register(self, printer: str, email: str) -> Issued | Unregistered:
        """Asks for one code. Tried again only while it surely was not asked for (no connection, 401, 429).

        Raises TargetError (`maybe_applied`: there may be a registration), CredentialsError or Stopped.
        """
        where = f"printer {printer}"
        path = f"/ps/v1/print/printers/{printer}/secondary_registration"
        body = json.dumps({"secondary_member_email": email}).encode()

        def ask(token: str) -> Reply | Again:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            try:
                return self._http.post(path, headers, body)
            except Unanswered as error:
                error.where = f"{where}, {error.where}"
                if error.final or error.maybe_applied:
                    raise
                return Again(error)

        patience = self._autodesk.patience()  # cast: a type checker joins the kinds of answers to object
        return cast("Issued | Unregistered", patience.run(lambda: self._attempt(ask, printer, where)))

    def close(self) -> None:
        """Closes the connections; may be called twice."""
        self._http.close()

    def _attempt(self, ask: Ask, printer: str, where: str) -> Issued | Unregistered | Again:
        service = self._service
        service.breaker.check()
        try:
            reply, token = service.authorized(ask, self._autodesk.for_people(), where)
        except TargetError:
            service.breaker.note(worked=False)
            raise
        service.breaker.note(worked=isinstance(reply, Reply) and reply.status < 500)
        if isinstance(reply, Again):
            return reply
        if reply.status == 429:  # refused before anything was done
            return service.busy(reply, where, token)
        return self._judged(reply, printer, where, token)

    def _judged(self, reply: Reply, printer: str, where: str, token: str) -> Issued | Unregistered:
        """What an answer means. Nothing that may hold a code is quoted."""
        status, words = reply.status, wire.said(reply, token).removeprefix(": ")
        if status == 200:
            return _issued(reply.body, printer, where)
        if status in _REFUSALS or (status == 404 and words):
            self._service.note(reply, where)
            return Unregistered(words or f"the service refuses it ({status}) and does not say why")
        if status < 300 or status == 408 or status >= 500:
            self._service.note(reply, where)
            what = f"an answer that leaves open whether there is a code ({status})"
            raise TargetError(what, where=where, hint=wire.asked(reply), maybe_applied=True)
        problem = self._service.refusal(reply, where, token)
        if status == 403:
            problem.hint = OWNER_ONLY
        problem.maybe_applied = status in (302, 303)  # how some servers answer what they have done
        raise problem


OWNER_ONLY = "only the printer's owner may do this: the owner must sign in, with the scope data:write"


def _issued(body: bytes, printer: str, where: str) -> Issued:
    try:
        found = wire.parsed(body)
        if not isinstance(found, dict):
            raise wire.Odd("it is no object")
        code = found.get("registration_code")
        if not isinstance(code, str) or not re.fullmatch(r"[\x21-\x7e]{1,64}", code):
            raise wire.Odd("it holds no registration_code")
        theirs = found.get("printer_id")
        if theirs is not None and str(theirs) != printer:
            raise wire.Odd("it is about another printer")
    except wire.Odd as error:
        what = f"the answer is odd, so it is open whether there is a code: {error}"
        raise TargetError(what, where=where, maybe_applied=True) from None
    return Issued(code, _moment(wire.text(found.get("issued_date_time"))))


def _moment(text: str) -> str:
    """`May 17, 2016 11:42:16`, in no zone, as the service says it, as ISO 8601; anything else stays as it is."""
    with suppress(ValueError):
        return datetime.strptime(f"{text} +0000", "%B %d, %Y %H:%M:%S %z").replace(tzinfo=None).isoformat()
    return text
