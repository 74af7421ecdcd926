"""The sandbox as a process; prints its addresses as one JSON line when it is ready."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rosterd.sandbox.autodesk.document import Document, checked
from rosterd.sandbox.faults import Fault, Faults, parse
from rosterd.sandbox.server import Certificate, serve
from rosterd.sandbox.state import World
from rosterd.sandbox.switches import BASE_PATH, MIB, NAME, SCOPE, Credential, Switches

STOPPING = {signal.SIGTERM, signal.SIGINT}


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT, then ends at once."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if bool(arguments.cert) != bool(arguments.key):
        parser.error("--cert and --key go together")
    # Blocked before the first thread starts, so that the signal waits for sigwait and for nobody else.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    faults = Faults([fault for faults in arguments.fault for fault in faults])
    tls: Certificate | None = (arguments.cert, arguments.key) if arguments.cert else None
    world = World(arguments.journal, autodesk=arguments.autodesk)
    server = serve(
        arguments.host, arguments.port, world=world, switches=_switches(arguments), faults=faults, tls=tls
    )
    with server:
        ready = {
            "url": server.url,
            "port": server.port,
            "base_url": server.base_url,
            "token_url": server.token_url,
            "autodesk_url": server.url,
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        signal.sigwait(STOPPING)
    world.close()
    return 0


def _faults(text: str) -> list[Fault]:
    try:
        return parse(json.loads(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _autodesk(path: str) -> Document:
    try:
        return checked(json.loads(Path(path).read_bytes()))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from error


def _switches(arguments: argparse.Namespace) -> Switches:
    return Switches(
        credentials=(Credential(arguments.tenant, arguments.client_id, arguments.client_secret),),
        scope=arguments.scope,
        base_path=arguments.base_path,
        clients=frozenset(arguments.client) or None,
        membership=arguments.membership,
        synchronize=arguments.synchronize,
        token_seconds=arguments.token_seconds,
        token_uses=arguments.token_uses,
        refresh_grace=arguments.refresh_grace,
        body_limit=arguments.body_limit,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rosterd.sandbox", description=__doc__)
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 takes a free one")
    add("--journal", help="file that gets one line for everything accepted, and is read at the start")
    add("--tenant", default=NAME)
    add("--client-id", default=NAME)
    add("--client-secret", default=NAME)
    add("--scope", default=SCOPE)
    add("--base-path", default=BASE_PATH)
    add(
        "--client",
        action="append",
        default=[],
        help="a registered customer; without any, all names are taken",
    )
    add("--membership", choices=("additive", "replacing"), default="additive")
    add("--synchronize", choices=("request", "session"), default="request")
    add("--token-seconds", type=int, default=3600)
    add("--token-uses", type=int)
    add(
        "--autodesk",
        type=_autodesk,
        help="JSON file: what Autodesk holds, see rosterd.sandbox.autodesk.document",
    )
    add(
        "--refresh-grace",
        type=float,
        default=0.0,
        help="seconds that a used refresh token works on; really none",
    )
    add("--body-limit", type=int, default=16 * MIB, help="bytes")
    add("--fault", action="append", default=[], type=_faults, help="a fault, or a list of them, as JSON")
    add("--cert", help="PEM file; with it, TLS is spoken")
    add("--key", help="PEM file")
    return parser
