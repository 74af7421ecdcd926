"""One origin over HTTP, the only importer of httpx: total deadline, size cap, pinning, redaction.

`Http.post` and `Http.get` give a whole Reply or raise Unanswered, which says whether the request may have been applied.
Nothing is retried and no redirect followed here. The deadline's clock is time.monotonic.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit

import httpcore
import truststore

from rosterd.absent import absent
from rosterd.deadline import Backend, Resolver, Watch
from rosterd.errors import RosterdError, SettingsError, TargetError

with absent("httpx._main"):  # its own command line, with all that paints it
    import httpx

IDLE = 30.0  # seconds an unused connection is kept: less than servers do, so that they seldom close first
ERROR = 1 << 16  # bytes that are read of an error's body
UNFIT = (httpx.InvalidURL, ValueError, httpcore.LocalProtocolError)  # cannot be written at all
BROKEN = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError)
NO_WAY = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError)  # whatever a proxy was told


class Unanswered(TargetError):
    """No whole answer came. `final`: trying again cannot help."""

    def __init__(self, *said: str, final: bool = False, **more: Any) -> None:
        super().__init__(*said, **more)
        self.final = final


class Reply(NamedTuple):
    """A whole answer. Header names in any case; request_id is the server's own, or ""."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    request_id: str


def shown(text: object, *secrets: str) -> str:
    """Foreign text fit for a message: secrets and control characters replaced, at most 300 characters."""
    plain = str(text)
    for secret in filter(None, secrets):
        plain = plain.replace(secret, "***")
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in plain[:301])
    return plain if len(plain) <= 300 else plain[:299] + "…"


class _Pinned(httpx.BaseTransport):
    """The last gate before the socket: nothing leaves for another origin or path than the base's."""

    def __init__(self, base: httpx.URL, pool: httpcore.ConnectionPool, watch: Watch, most: int) -> None:
        self._base, self._pool, self._watch, self._most = base, pool, watch, most

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url, base, path = request.url, self._base, request.url.raw_path
        prefix = base.raw_path.rstrip(b"/")
        same = (url.raw_scheme, url.netloc) == (base.raw_scheme, base.netloc)
        inside = path in (base.raw_path, prefix) or path.startswith((prefix + b"/", prefix + b"?"))
        climbs = re.search(rb"\.\.|%2e", path.partition(b"?")[0], re.IGNORECASE)
        if not same or not inside or climbs or request.headers["host"].encode() != base.netloc:
            raise RosterdError("a request was about to leave for a foreign place", where=str(base))
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=path)
        head, data = request.headers.raw, cast(httpx.SyncByteStream, request.stream)
        sent = httpcore.Request(request.method, target, headers=head, content=data)
        answer = self._pool.handle_request(sent)
        try:
            body = httpx.ByteStream(self._body(answer, str(url.copy_with(query=None))))
            return httpx.Response(answer.status, headers=answer.headers, stream=body)
        finally:
            answer.close()

    def _body(self, answer: httpcore.Response, where: str) -> bytes:
        if not self._watch.heard:  # left over from an earlier answer on this connection: not ours
            raise httpcore.RemoteProtocolError
        good = answer.status < 300 or answer.status == 400
        coding = [value.lower() for name, value in answer.headers if name.lower() == b"content-encoding"]
        if good and coding not in ([], [b"identity"]):
            raise Unanswered("the answer is compressed, unasked", where=where, maybe_applied=True)
        body = bytearray()
        for piece in answer.iter_stream():
            body += piece
            if not good and len(body) > ERROR:
                break
            if len(body) > self._most:
                raise Unanswered("the answer is too long", where=where, maybe_applied=True)
        return bytes(body)

    def close(self) -> None:
        self._pool.close()


def parse_base(base_url: str) -> httpx.URL:
    """The URL all requests stay under. Raises SettingsError unless https, or http to loopback."""
    try:
        url = httpx.URL(base_url.rstrip("/"))
    except httpx.InvalidURL:
        raise SettingsError("not a URL", where=shown(base_url)) from None
    place = f"{url.scheme}://{url.host}"
    if not re.fullmatch(r"https://.+|http://(localhost|::1|127(\.\d+){3})", place):
        raise SettingsError("only https:// is allowed (http:// on loopback)", where=shown(base_url))
    return url


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Verifies against `ca_file` alone, or the system's trust store; TLS 1.2 or newer."""
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context = ssl.create_default_context(cafile=ca_file) if ca_file else context
    except OSError as error:
        raise SettingsError(f"no certificates could be read: {error}", where=str(ca_file)) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _proxy(address: str, tls: ssl.SSLContext) -> httpcore.Proxy:
    parts = urlsplit(address)
    auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    url = httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target="/")
    return httpcore.Proxy(url, auth=auth, ssl_context=tls if parts.scheme == "https" else None)


class Http:
    """A client for one origin, for several threads at once. `timeout`: a request's total time in seconds."""

    def __init__(
        self, base_url: str, *, ca_file: Path | None, proxy: str | None, timeout: float, max_answer: int,
        stop: threading.Event, user_agent: str, resolve: Resolver = socket.getaddrinfo,
    ) -> None:  # fmt: skip
        self.base, self._timeout, self._watch = parse_base(base_url), timeout, Watch(stop)
        tls = tls_context(ca_file) if self.base.scheme == "https" else None
        pool = httpcore.ConnectionPool(
            tls, _proxy(proxy, tls) if proxy and tls else None, max_connections=None, keepalive_expiry=IDLE,
            max_keepalive_connections=16, network_backend=Backend(self._watch, resolve),
        )  # fmt: skip
        self._client = httpx.Client(
            transport=_Pinned(self.base, pool, self._watch, max_answer), trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"},
        )  # fmt: skip

    def post(self, path: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """Sends once. Raises Unanswered, or Stopped when the process was asked to stop before it was sent."""
        return self._send("POST", path, headers, content)

    def get(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Asks once; `path` may carry a query. Raises as post does."""
        return self._send("GET", path, headers, None)

    def _send(self, method: str, path: str, headers: Mapping[str, str], content: bytes | None) -> Reply:
        self._watch.begin(self._timeout)
        self._watch.halt()
        where = f"{self.base}{path.partition('?')[0]}"  # a query may hold what no message should
        try:
            with self._client.stream(
                method, f"{self.base}{path}", headers=dict(headers), content=content
            ) as answer:
                body = b"".join(answer.iter_raw())
        except (*UNFIT, *BROKEN, httpx.HTTPError, OSError, MemoryError) as error:
            raise self._unanswered(error, where) from None  # cut: lower layers' texts may quote headers
        answer.stream = httpx.ByteStream(b"")  # cuts a circle that kept the request's body alive
        return Reply(answer.status_code, answer.headers, body, shown(answer.headers.get("x-request-id", "")))

    def close(self) -> None:
        self._client.close()

    def _unanswered(self, error: Exception, where: str) -> Unanswered:
        """In words with the next step. Texts of protocol errors are not shown: they may quote headers."""
        untrusted = isinstance(error.__context__, ssl.SSLCertVerificationError)
        kind = UNTRUSTED if untrusted else next(row for row in WORDS if isinstance(error, row[0]))
        what, hint = kind[1].format(why=shown(error) or "no reason given"), kind[2]
        maybe = self._watch.sent and not isinstance(error, NO_WAY)
        final = untrusted or (isinstance(error, UNFIT) and not maybe)
        return Unanswered(what, where=where, hint=hint, maybe_applied=maybe, final=final)


UNTRUSTED = (Exception, "the server's certificate is not trusted: {why}", "set ca_file if the CA is your own")
WORDS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str], ...] = (
    (httpcore.ConnectTimeout, "no connection in time", "is the address right, does a firewall drop packets?"),
    (httpcore.ConnectError, "no connection: {why}", "is the address right and the server up?"),
    (httpcore.ProxyError, "the proxy refused: {why}", "check the proxy setting"),
    (httpcore.TimeoutException, "no whole answer in time", "raise timeout if the server is just slow"),
    (httpcore.NetworkError, "the connection broke: {why}", ""),
    (UNFIT, "this cannot be sent as HTTP", "an odd character in the settings?"),
    (httpcore.ProtocolError, "the connection ended early, or the answer is not HTTP", ""),
    (Exception, "the request failed: {why}", ""),
)
