"""The newest access report of a customer: the page itself, and its other formats to be downloaded."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import IO

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from rosterd.daemon.console.room import Room, Wrong
from rosterd.reports.files import ENDINGS

KINDS = {
    "html": "text/html; charset=utf-8", "json": "application/json", "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "txt": "text/plain; charset=utf-8",
}  # fmt: skip
# The report names its own scripts and styles by their hashes, in a policy that it carries; both policies count. It
# runs apart from the console: it can neither send anything, nor call anything as whoever is signed in here.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; sandbox allow-scripts allow-modals"
)
PIECE = 256 * 1024  # bytes


def offered(room: Room, name: str) -> list[tuple[str, str, int, float]]:
    """format, ending, bytes and time of each format's newest file."""
    directory = room.state.settings().reports.directory
    found = []
    for form, ending in ENDINGS.items():
        try:
            status = os.lstat(directory / f"{name}.{ending}")
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append((form, ending, status.st_size, status.st_mtime))
    return found


def report(room: Room, request: Request) -> Response:
    """A file of the newest set."""
    name, ending = request.path_params["name"], request.path_params.get("ending", "html")
    room.customer(name)  # so the name is one of the settings', and no path
    if ending not in KINDS:
        raise Wrong("There is no report of this format.")
    path = room.state.settings().reports.directory / f"{name}.{ending}"
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError:
        raise Wrong(
            "There is no report in this format yet.", step="A run writes it, when [reports] asks for it."
        ) from None
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        file.close()
        raise Wrong("There is no report in this format yet.")
    headers = {"content-type": KINDS[ending], "content-length": str(status.st_size)}
    if ending == "html":
        headers |= {"content-security-policy": POLICY}
    else:
        headers |= {"content-disposition": f'attachment; filename="{name}-access.{ending}"'}
    if request.method == "HEAD":
        file.close()
        return Response(headers=headers)
    return StreamingResponse(_pieces(file, status.st_size), headers=headers)


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    """Just so many bytes as were announced: the file is replaced, never written to, so it has them."""
    with file:
        while size > 0 and (piece := file.read(min(PIECE, size))):
            size -= len(piece)
            yield piece
