"""How each kind of fault spoils an answer: functions from a fault, a request and its response to an Answer.

When the request was not carried out, the response is a pretended one: an honest client cannot tell, and must
not take a spoilt answer for an acknowledgement.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import formatdate
from functools import lru_cache
from time import time

from rosterd.sandbox.autodesk import odd as aps
from rosterd.sandbox.autodesk import shapes
from rosterd.sandbox.autodesk.sign_in import spoil_redirect
from rosterd.sandbox.faults import Fault
from rosterd.sandbox.odd import ODD, TOKEN_ODD
from rosterd.sandbox.switches import MIB
from rosterd.sandbox.tokens import refused
from rosterd.sandbox.wire import Answer, Ending, Request, Response, dumps, head_of, plain, status_line


def _reset(fault: Fault, _request: Request, _response: Response) -> Answer:
    return Answer(None, ending=_ending(fault.settings["how"]))


def _ending(how: str) -> Ending:
    return "reset" if how == "rst" else "close"


def _hang(fault: Fault, _request: Request, _response: Response) -> Answer:
    return Answer(None, wait=float(fault.settings["seconds"]), ending="close")


def _drip(fault: Fault, _request: Request, response: Response) -> Answer:
    """White space before the JSON makes the body as long as `size`, so that a slow one can last."""
    body = response.body.rjust(int(fault.settings["size"]))
    return Answer(response.status, head_of(response, len(body)), body, rate=float(fault.settings["rate"]))


def _truncate(fault: Fault, _request: Request, response: Response) -> Answer:
    part = fault.settings["part"]
    if part == "header":
        head = head_of(response)
        return Answer(response.status, head[: len(head) - 6], ending="close")
    if part == "body":
        head = head_of(response, len(response.body) + 100)
        return Answer(response.status, head, response.body, ending="close")
    chunk = f"{len(response.body):x}\r\n".encode() + response.body + b"\r\n"
    head = (
        status_line(response.status) + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return Answer(response.status, head, chunk, ending="close")


def _garbage(_fault: Fault, _request: Request, _response: Response) -> Answer:
    return Answer(None, b"ICY TWO-OH-ONE \xff\xfe\r\n\r\n[]", ending="close")


def _lengths(_fault: Fault, _request: Request, response: Response) -> Answer:
    head = (
        head_of(response).removesuffix(b"\r\n") + f"Content-Length: {len(response.body) + 7}\r\n\r\n".encode()
    )
    return Answer(response.status, head, response.body, ending="close")


def _status(fault: Fault, _request: Request, _response: Response) -> Answer:
    settings = fault.settings
    headers = [(str(name), str(value)) for name, value in settings["headers"].items()]
    if settings["retry_after"] is not None:
        headers.append(("Retry-After", str(settings["retry_after"])))
    if settings["retry_in"] is not None:
        headers.append(("Retry-After", formatdate(time() + settings["retry_in"], usegmt=True)))
    body = settings["body"]
    data = body.encode() if isinstance(body, str) else dumps(body)
    return plain(Response(int(settings["status"]), data, tuple(headers)))


def _too_large(fault: Fault, _request: Request, _response: Response) -> Answer:
    return plain(Response(413), ending="reset" if fault.settings["early"] else "keep")


def _odd(fault: Fault, request: Request, _response: Response) -> Answer:
    name = fault.settings["body"]
    kind = "text/html" if name == "html" else "application/json"
    return plain(Response(int(fault.settings["status"]), ODD[name](request), kind=kind))


@lru_cache(maxsize=4)
def _bomb(mebibytes: int) -> bytes:
    return gzip.compress(b" " * (mebibytes * MIB) + b"[]", compresslevel=1, mtime=0)


def _gzip_bomb(fault: Fault, _request: Request, response: Response) -> Answer:
    headers = (("Content-Encoding", "gzip"),)
    return plain(Response(response.status, _bomb(int(fault.settings["mebibytes"])), headers))


def _token_refused(fault: Fault, _request: Request, _response: Response) -> Answer:
    return plain(refused(str(fault.settings["error"]), int(fault.settings["status"])))


def _token_odd(fault: Fault, _request: Request, response: Response) -> Answer:
    if response.status != 200:
        return plain(response)
    body = TOKEN_ODD[fault.settings["body"]](json.loads(response.body))
    return plain(Response(200, body if isinstance(body, bytes) else dumps(body), response.headers))


def _aps_error(fault: Fault, _request: Request, _response: Response) -> Answer:
    settings = fault.settings
    return plain(shapes.of_status(int(settings["status"]), settings["shape"], settings["retry_after"]))


def _authorize(fault: Fault, _request: Request, response: Response) -> Answer:
    """Sends the browser back with an error, or with a state that is not its own."""
    return plain(spoil_redirect(response, fault.settings["error"], fault.settings["state"]))


def _pages(fault: Fault, request: Request, response: Response) -> Answer:
    if response.status != 200:
        return plain(response)
    body = aps.PAGES[fault.settings["how"]](json.loads(response.body), request, fault.settings["url"])
    return plain(replace(response, body=dumps(body)))


def _spoilt_by(kinds: Mapping[str, aps.Spoil]) -> Callable[[Fault, Request, Response], Answer]:
    def spoilt(fault: Fault, _request: Request, response: Response) -> Answer:
        if response.status != 200:
            return plain(response)
        count = int(fault.settings.get("count", 0))
        body = kinds[fault.settings["body"]](json.loads(response.body), count)
        return plain(replace(response, body=body if isinstance(body, bytes) else dumps(body)))

    return spoilt


BREAKS: dict[str, Callable[[Fault, Request, Response], Answer]] = {
    "reset": _reset,
    "hang": _hang,
    "drip": _drip,
    "truncate": _truncate,
    "garbage": _garbage,
    "lengths": _lengths,
    "status": _status,
    "odd": _odd,
    "gzip_bomb": _gzip_bomb,
    "token_refused": _token_refused,
    "token_odd": _token_odd,
    "too_large": _too_large,
    "aps_error": _aps_error,
    "authorize": _authorize,
    "refresh_odd": _spoilt_by(aps.REFRESH),
    "pages": _pages,
    "collaborators_odd": _spoilt_by(aps.COLLABORATORS),
    "twins_odd": _spoilt_by(aps.TWINS),
    "registration_odd": _spoilt_by(aps.REGISTRATIONS),
}

# A slow answer that arrives whole must be true, so these are always carried out.
ALWAYS_APPLIED = frozenset({"drip", "token_odd", "refresh_odd", "pages", "registration_odd"})
