"""The sandbox without its sockets: from a request to the answer that is put on the wire."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rosterd.sandbox import autodesk, desk, orbix, tokens
from rosterd.sandbox.breaks import ALWAYS_APPLIED, BREAKS
from rosterd.sandbox.faults import Fault, Faults
from rosterd.sandbox.state import World
from rosterd.sandbox.switches import Switches
from rosterd.sandbox.wire import Answer, Request, Response, plain

# What a request that was not carried out pretends to have led to.
PRETENDED = Response(201, b"[]")


class Sandbox:
    """The services with what they hold, their switches and their faults."""

    def __init__(self, world: World, switches: Switches, faults: Faults) -> None:
        self.world = world
        self.switches = switches
        self.faults = faults
        self.stopping = threading.Event()

    def at_accept(self) -> bool:
        """Whether a new connection is to be reset at once."""
        return self.faults.at_accept() is not None

    def early(self, head: Request, length: int) -> Answer | None:
        """The answer given before the body is read, if any."""
        path = orbix.local_path(head.path, self.switches)
        fault = None if desk.owns(path) else self.faults.early(path, length)
        if fault is None:
            return None
        entry = self.world.arrived(head)
        entry["bytes"] = length
        answer = BREAKS[fault.kind](fault, head, PRETENDED)
        self.world.answered(entry, answer.status, orbix.peek(head), fault.kind)
        return answer

    def answer(self, request: Request) -> Answer:
        """The answer to a request, with its faults, entered in the list of requests."""
        path = orbix.local_path(request.path, self.switches)
        if desk.owns(path):
            return plain(desk.handle(request, self.world, self.faults))
        entry = self.world.arrived(request)
        struck, later = self._delays(autodesk.marked(path, request))
        try:
            response, answer, kind = self._answer(path, request)
        except Exception:  # a defect of the sandbox: say so, and go on serving
            traceback.print_exc(file=sys.stderr)
            response = Response(500, b'{"error":"the sandbox has a defect"}')
            answer, kind = plain(response), "defect"
        if later or answer.wait:
            self.stopping.wait(later + answer.wait)
        self.world.answered(entry, answer.status, response.about, kind or struck)
        return replace(answer, wait=0.0) if answer.wait else answer

    def _delays(self, path: str) -> tuple[str | None, float]:
        """Waits for the delays that come before the request is carried out; returns those that come after."""
        delays = self.faults.delays(path)
        before = sum(float(fault.settings["seconds"]) for fault in delays if not fault.applied)
        if before:
            self.stopping.wait(before)
        later = sum(float(fault.settings["seconds"]) for fault in delays if fault.applied)
        return ("delay" if delays else None), later

    def _answer(self, path: str, request: Request) -> tuple[Response, Answer, str | None]:
        fault = self.faults.breaking(autodesk.marked(path, request), len(request.body))
        if fault is None:
            response = self._carry_out(path, request)
            return response, plain(response), None
        reads = request.method == "GET" and autodesk.owns(path)  # changes nothing, so it may be carried out
        if fault.applied or fault.kind in ALWAYS_APPLIED or reads:
            response = self._carry_out(path, request)
        else:
            pretended = autodesk.pretended(path) if autodesk.owns(path) else PRETENDED
            response = replace(pretended, about=orbix.peek(request))
        return response, spoilt(fault, request, response), fault.kind

    def _carry_out(self, path: str, request: Request) -> Response:
        return route(path)(self, path, request)


def spoilt(fault: Fault, request: Request, response: Response) -> Answer:
    """The answer a fault makes of a response."""
    return BREAKS[fault.kind](fault, request, response)


def _token(sandbox: Sandbox, _path: str, request: Request) -> Response:
    return tokens.handle(request, sandbox.world.tokens, sandbox.switches)


def _orbix(sandbox: Sandbox, path: str, request: Request) -> Response:
    claim = partial(sandbox.faults.refusals, path)
    return orbix.handle(request, sandbox.world, sandbox.switches, claim)


def _autodesk(sandbox: Sandbox, path: str, request: Request) -> Response:
    return autodesk.handle(path, request, sandbox.world.autodesk, sandbox.switches)


def _not_found(_sandbox: Sandbox, _path: str, _request: Request) -> Response:
    return Response(404)


def route(path: str) -> Callable[[Sandbox, str, Request], Response]:
    """Which service a local path belongs to."""
    if path == tokens.PATH:
        return _token
    if path in orbix.CALLS:
        return _orbix
    if autodesk.owns(path):
        return _autodesk
    return _not_found
