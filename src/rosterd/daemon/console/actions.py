"""What can be changed from the console: approve a held plan, pause, resume, run now; and signing in and out.

Whatever changes something is posted, by whoever is signed in and from one of our own pages (see gate), with the proof
of the session in the form; a bearer's token, which no browser sends by itself, needs no proof. All that is done is
what the commands do, over a ledger connection of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from rosterd.daemon.console.room import Room, Wrong
from rosterd.daemon.pages import calm
from rosterd.daemon.sessions import COOKIE, LIFE
from rosterd.errors import RosterdError, SettingsError
from rosterd.ledger.desk import HeldPlan
from rosterd.ledger.sqlite import SqliteLedger

LARGEST = 16_384  # bytes of a form
DAY = 86_400.0
Form: TypeAlias = dict[str, str]
Act: TypeAlias = Callable[[Room, SqliteLedger, str, Form], None]


async def form(request: Request) -> Form:
    """The fields of a form, the first of each name. Raises Wrong."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", ""):
        raise Wrong("This is no form.", 415)
    body = b""
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > LARGEST:
                raise Wrong("The form is too large.", 413)
        fields = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=20)
    except (ValueError, ClientDisconnect):
        raise Wrong("The form cannot be read.", 400) from None
    return {name: values[0] for name, values in fields.items()}


def action(room: Room, act: Act) -> Callable[[Request], object]:
    """The endpoint of something that changes a customer; it leads back to the customer's page."""

    async def endpoint(request: Request) -> Response:
        name = request.path_params["name"]
        try:
            fields = await form(request)
            if not request.scope["bearer"] and not room.sessions.proves(
                request.scope["session"], fields.get("proof", "")
            ):
                raise Wrong(
                    "The form is older than your sign-in.", 403, "Go back, load the page anew, and try again."
                )
            room.customer(name)
            await run_in_threadpool(_done, room, act, name, fields)
        except Wrong as wrong:
            return calm(request, wrong.status, "That did not work", wrong.text, wrong.step)
        except RosterdError as error:
            status = 409 if isinstance(error, SettingsError) else 503
            return calm(request, status, "That did not work", str(error), error.hint)
        return RedirectResponse(f"/customers/{quote(name)}", 303)

    return endpoint


def _done(room: Room, act: Act, name: str, fields: Form) -> None:
    ledger = room.state.ledger()
    try:
        act(room, ledger, name, fields)
    finally:
        ledger.close()
    room.state.overview.changed()


def approve(room: Room, ledger: SqliteLedger, name: str, fields: Form) -> None:
    """Lets go just the plan whose digest the page showed, as `rosterd approve` does."""
    plan = _held(room, ledger, name, fields.get("digest", ""))
    now, days = room.clock(), room.customer(name).approval_days
    ledger.approve(plan, now, now + days * DAY)
    room.log.info(
        "approved", customer=name, plan=plan.digest[:12], changes=plan.open, days=days, by="console"
    )
    if fields.get("now"):
        room.state.run_now(name)


def _held(room: Room, ledger: SqliteLedger, name: str, digest: str) -> HeldPlan:
    held = ledger.held(room.clock(), room.bound(ledger, name).id)
    for plan in held:
        if plan.digest == digest and plan.open and plan.approved is None:
            return plan
    raise Wrong(
        "This plan is no longer held: it was approved or delivered, or another has taken its place.", 409,
        "Look at the customer's page again.",
    )  # fmt: skip


def pause(room: Room, ledger: SqliteLedger, name: str, fields: Form) -> None:
    """No runs until resumed."""
    why = " ".join(fields.get("reason", "").split())[:200] or "no reason given"
    binding = ledger.bind(room.customer(name).client, name)
    ledger.pause(binding.id, why, room.clock())
    room.log.info("paused", customer=name, reason=why, by="console")


def resume(room: Room, ledger: SqliteLedger, name: str, _fields: Form) -> None:
    """Runs go on."""
    ledger.resume(room.bound(ledger, name).id)
    room.log.info("resumed", customer=name, by="console")


def run_now(room: Room, _ledger: SqliteLedger, name: str, _fields: Form) -> None:
    """Due at once; a run that goes on already goes on."""
    if not room.state.run_now(name):
        raise Wrong("The service has no run of this customer.", 409)


def sign_in_page(room: Room, request: Request) -> Response:
    """Asks for the token."""
    there = _inside(request.query_params.get("next", ""))
    if request.scope["session"] or not room.sessions.wanted:
        return RedirectResponse(there, 303)
    return room.show(request, "login.html", there=there, wrong=False)


def sign_in(room: Room) -> Callable[[Request], object]:
    """The endpoint that takes the token and gives a session's cookie."""

    async def endpoint(request: Request) -> Response:
        try:
            fields = await form(request)
        except Wrong as wrong:
            return calm(request, wrong.status, "That did not work", wrong.text, wrong.step)
        there = _inside(fields.get("next", ""))
        if not room.sessions.is_token(fields.get("token", "")):
            room.log.warning("console_refused", peer=request.client.host if request.client else "")
            return room.show(request, "login.html", 403, there=there, wrong=True)
        answer = RedirectResponse(there, 303)
        safe = request.headers.get("origin", "").startswith("https:")  # also behind a proxy that ends TLS
        answer.set_cookie(
            COOKIE, room.sessions.open(), max_age=int(LIFE), httponly=True, samesite="strict", secure=safe
        )
        return answer

    return endpoint


def sign_out(room: Room) -> Callable[[Request], object]:
    """The endpoint that ends a session."""

    async def endpoint(request: Request) -> Response:
        try:
            fields = await form(request)
        except Wrong as wrong:
            return calm(request, wrong.status, "That did not work", wrong.text, wrong.step)
        session = request.scope["session"]
        if room.sessions.proves(session, fields.get("proof", "")):
            room.sessions.end(session)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return endpoint


def _inside(address: str) -> str:
    """An address of this console, whatever was asked for. Two slashes, of either kind, would begin another's."""
    inside = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if inside and address.isprintable() and address.isascii() else "/"
