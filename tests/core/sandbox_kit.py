"""What the sandbox's tests share: a client of the standard library, raw sockets and the vendor's samples."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from rosterd.sandbox import Server, Switches, World, serve

SAMPLES = Path(__file__).parent.parent / "samples"
BASE = "/printqueue-external-integration-api"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
GOOD_FORM = {
    "grant_type": "client_credentials",
    "client_id": "sandbox",
    "client_secret": "sandbox",
    "scope": "nddsmart-printqueue-external-integration-api",
}


def sample(name: str) -> Any:
    """One of the vendor's examples."""
    return json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))


def certified(folder: Path) -> tuple[Path, Path]:
    """A fresh certificate for 127.0.0.1 and its key, both PEM files."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=sandbox"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make.split(), *names], check=True, capture_output=True)
    return certificate, key


def user(logon: str, **fields: Any) -> dict[str, Any]:
    return {"Logon": logon, "Domain": "ACME", **fields}


def people(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [user(f"p{number}") for number in range(first, first + count)]


def body_of(*users: Any, client: str = "ABC") -> dict[str, Any]:
    return {"Client": client, "Users": list(users)}


def groups_of(**members: list[Any]) -> dict[str, Any]:
    groups = [{"GroupName": name, "Users": users} for name, users in members.items()]
    return {"Client": "ABC", "Groups": groups}


class Caller:
    """One client with one kept connection; `port` of a sandbox on loopback."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.token = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        self.connection.request(method, path, body, headers or {})
        response = self.connection.getresponse()
        return response.status, response.read(), response.headers

    def sign_in(self, **changes: str) -> tuple[int, Any]:
        form = urlencode({**GOOD_FORM, **changes}).encode()
        status, body, _ = self.send("POST", "/connect/token", form, FORM)
        value = json.loads(body)
        self.token = value.get("access_token", "")
        return status, value

    def headers(self, **changes: str | None) -> dict[str, str]:
        given = {
            "Tenant": "sandbox",
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        return {name: value for name, value in given.items() if value is not None}

    def raw(self, path: str, body: bytes, **changes: str | None) -> tuple[int, bytes]:
        if not self.token:
            self.sign_in()
        status, data, _ = self.send("POST", BASE + path, body, self.headers(**changes))
        return status, data

    def call(self, path: str, body: object, **changes: str | None) -> tuple[int, Any]:
        status, data = self.raw(path, json.dumps(body).encode(), **changes)
        return status, json.loads(data) if data else None

    def get(self, path: str) -> Any:
        status, data, _ = self.send("GET", path)
        assert status == 200
        return json.loads(data)


def wire(server: Server, caller: Caller, path: str, body: object, timeout: float = 10.0) -> bytes:
    """Every byte of the answer until the server ends the connection; raises what the socket raises."""
    if not caller.token:
        caller.sign_in()
    data = json.dumps(body).encode()
    lines = [f"POST {BASE}{path} HTTP/1.1", "Connection: close", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in caller.headers().items()]
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def answered(switches: Switches, *calls: tuple[str, Any]) -> tuple[World, list[tuple[int, Any]]]:
    """What some calls lead to under these switches."""
    with serve(switches=switches) as server, Caller(server.port) as caller:
        return server.world, [caller.call(path, body) for path, body in calls]
