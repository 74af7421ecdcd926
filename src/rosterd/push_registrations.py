"""The push of registrations with 3D printers: one request each, in key order, never one twice.

What was asked for is in doubt in the ledger before the request leaves, and until an answer says otherwise.
"""

from __future__ import annotations

from rosterd.core.doors import Registrar
from rosterd.core.outcome import Issued, Unregistered
from rosterd.core.plan import CREATE, REGISTRATION, Change
from rosterd.errors import RosterdError, Stopped, TargetError
from rosterd.plan_registrations import IN_DOUBT
from rosterd.push import Delivery


def push_registrations(delivery: Delivery, registrar: Registrar) -> None:
    """Asks for every chosen registration. Raises TargetError, CredentialsError, LedgerError or Stopped.

    A lost answer ends it: the network that lost one would lose the next, and each would be in doubt.
    """
    for change in delivery.chosen(delivery.plan.registrations):
        if delivery.stop.is_set():
            raise Stopped("stopped before everything was sent")
        delivery.ledger.room()
        batch = delivery.ledger.registering(delivery.run, delivery.binding, change, delivery.clock())
        printer, email, _ = change.after or ("", "", "")
        try:
            answer = registrar.register(printer, email)
        except RosterdError as error:
            _failed(delivery, batch, change, error)
            raise
        _settle(delivery, batch, change, answer)
        delivery.progress("registrations", 1)


def _settle(delivery: Delivery, batch: int, change: Change, answer: Issued | Unregistered) -> None:
    now, tally = delivery.clock(), delivery.tally(REGISTRATION)
    match answer:
        case Issued(code=code, issued=issued):
            delivery.ledger.registered(delivery.binding, batch, change, code, issued)
            tally.acknowledged(CREATE)
        case Unregistered(reason=reason):
            delivery.ledger.not_registered(
                delivery.run, delivery.binding, batch, change, reason, now, refused=True
            )
            tally.refuse()
            delivery.plan.problem("refused", REGISTRATION, change.key, change.shown, reason, "")


def _failed(delivery: Delivery, batch: int, change: Change, error: RosterdError) -> None:
    now = delivery.clock()
    if isinstance(error, TargetError) and error.maybe_applied:
        delivery.ledger.registration_lost(batch, str(error), now)
        tally = delivery.tally(REGISTRATION)
        tally.unsent -= 1
        tally.set_aside += 1
        delivery.plan.problem("set_aside", REGISTRATION, change.key, change.shown, IN_DOUBT, "")
    else:
        delivery.ledger.not_registered(
            delivery.run, delivery.binding, batch, change, str(error), now, refused=False
        )
