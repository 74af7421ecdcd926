"""The client for one origin over real sockets: deadline, cap, pinning, TLS, proxy, stop, redaction."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.doors.scripted import SECRET, TOKEN, Play, Scripted, http, ok
from tests.real.ldap.certificates import BAD, make
from tests.real.slapd import Tls

from rosterd.errors import RosterdError, SettingsError, Stopped
from rosterd.http import Http, Unanswered, shown
from rosterd.sandbox import serve

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


@contextmanager
def client(url: str, **changes: Any) -> Iterator[Http]:
    options: dict[str, Any] = {
        "ca_file": None,
        "proxy": None,
        "timeout": 5.0,
        "max_answer": 1 << 20,
        "stop": threading.Event(),
        "user_agent": "rosterd/test",
    }
    made = Http(url, **options | changes)
    try:
        yield made
    finally:
        made.close()


def failure(play: Play, **changes: Any) -> Unanswered:
    with Scripted([play]) as server, client(f"{server.url}/api", **changes) as aim:
        with pytest.raises(Unanswered) as caught:
            aim.post("/v1/users", HEADERS, b"{}")
        return caught.value


def test_connections_are_kept_and_one_closed_while_idle_is_replaced() -> None:
    with Scripted([ok(), ok(), Play(http(201, "[]"), "close"), ok()]) as server, client(server.url) as aim:
        for _ in range(3):
            assert aim.post("/v1/users", HEADERS, b"{}").body == b"[]"
        assert {seen.connection for seen in server.seen} == {1}
        wait_until(lambda: not server.serving)
        assert aim.post("/v1/users", HEADERS, b"{}").status == 201
        assert server.seen[-1].connection == 2


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_answer_left_over_from_the_last_request_is_not_taken_for_this_one_s() -> None:
    twice = Play(http(201, "[]") + http(201, '["stale"]'))
    with Scripted([twice, ok()]) as server, client(server.url) as aim:
        assert aim.post("/a", HEADERS, b"{}").body == b"[]"
        with pytest.raises(Unanswered) as caught:
            aim.post("/a", HEADERS, b"{}")
        assert caught.value.maybe_applied
        assert aim.post("/a", HEADERS, b"{}").body == b"[]"


def test_the_environment_s_proxies_and_cookies_play_no_part() -> None:
    code = (
        "import sys, threading\n"
        "from rosterd.http import Http\n"
        "aim = Http(sys.argv[1], ca_file=None, proxy=None, timeout=5, max_answer=99, stop=threading.Event(),"
        " user_agent='x')\n"
        "for _ in range(2): print(aim.post('/a', {}, b'{}').status)\n"
        "aim.close()\n"
    )
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
    with Scripted([Play(http(201, "[]", "Set-Cookie: session=other; Path=/"))]) as server:
        done = run(code, server.url, **proxies)
        assert done.stdout.split() == ["201", "201"]
        assert not any("cookie" in seen.headers for seen in server.seen)


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a process of its own, with the package at hand."""
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=os.environ | environment | {"PYTHONPATH": path},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize(
    "path",
    ["/../secret", "/%2e%2e/secret", "/x/../../y", "@127.0.0.2/x", ".evil.example/x", ":1/x", "x"],
)
def test_nothing_leaves_for_another_place(path: str) -> None:
    with Scripted([ok()]) as server, client(f"{server.url}/api") as aim:
        with pytest.raises((RosterdError, Unanswered)) as caught:
            aim.post(path, HEADERS, b"{}")
        assert not isinstance(caught.value, Unanswered) or not caught.value.maybe_applied
        with pytest.raises((RosterdError, Unanswered)):
            aim.get(path + "?page=2", HEADERS)
        with pytest.raises(RosterdError, match="foreign place") as caught:
            aim.post("/v1", HEADERS | {"Host": "evil.example"}, b"{}")
        assert caught.value.exit_code == 1
        assert server.connections == 0


@pytest.mark.parametrize("path", ["@127.0.0.2/x", "@127.0.0.1:1/x", ".evil.example/x"])
def test_nothing_leaves_for_another_host_when_the_base_has_no_path(path: str) -> None:
    with Scripted([ok()]) as server, client(server.url) as aim:
        host = server.url.removeprefix("http://")
        for headers in (HEADERS, HEADERS | {"Host": host}):
            with pytest.raises((RosterdError, Unanswered)) as caught:
                aim.post(path, headers, b"{}")
            assert not isinstance(caught.value, Unanswered) or caught.value.final
        assert server.connections == 0


def test_a_question_carries_its_query_and_no_message_shows_it() -> None:
    cursor = "/v1/users?cursor=a..b%2e&limit=2"
    with Scripted([ok(), Play(b"")]) as server, client(f"{server.url}/api") as aim:
        assert aim.get(cursor, HEADERS).body == b"[]"
        assert (server.seen[0].method, server.seen[0].path) == ("GET", f"/api{cursor}")
        with pytest.raises(Unanswered) as caught:
            aim.get(cursor, HEADERS)
        assert caught.value.where == f"{server.url}/api/v1/users"


@pytest.mark.parametrize(
    "url", ["http://example.com", "http://127.example.com", "ftp://127.0.0.1", "x", "http://", "http://[::2]"]
)
def test_only_https_or_loopback(url: str) -> None:
    with pytest.raises(SettingsError), client(url):
        pass


def test_a_header_with_a_line_break_is_never_sent_nor_shown() -> None:
    with Scripted([ok()]) as server, client(server.url) as aim:
        for value in (f"{SECRET}\r\nTenant: other", f"{SECRET}\x00", f"{SECRET}é\n"):
            with pytest.raises(Unanswered) as caught:
                aim.post("/a", HEADERS | {"Authorization": value}, b"{}")
            assert (caught.value.final, caught.value.maybe_applied) == (True, False)
            assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.hint}"
        assert server.seen == []


def test_a_server_that_plays_the_token_back_is_not_quoted() -> None:
    for data in (f"HTTP/1.1 {TOKEN}\r\n\r\n", f"HTTP/1.1 201 x\r\n{TOKEN}\r\n\r\n", TOKEN):
        error = failure(Play(data.encode(), "close"))
        assert TOKEN not in f"{error} {error!r} {error.hint}"


def test_shown_replaces_secrets_and_control_characters_and_cuts() -> None:
    assert shown(f"a {SECRET} b\x1b[31m\nc", SECRET) == "a *** b\ufffd[31m\ufffdc"
    assert len(shown("x" * 5000)) == 300


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip"])
def test_a_compressed_answer_is_refused(coding: str) -> None:
    error = failure(Play(http(201, gzip.compress(b"[]"), f"Content-Encoding: {coding}")))
    assert error.maybe_applied


def test_a_coding_that_is_none_may_be_written_in_any_case() -> None:
    """RFC 9110, 8.4.1."""
    answer = Play(http(201, b"[]", "Content-Encoding: Identity"))
    with Scripted([answer]) as server, client(server.url) as sender:
        assert sender.post("/x", {}, b"").body == b"[]"


def test_a_long_answer_is_refused_and_a_long_error_cut() -> None:
    assert failure(Play(http(201, b"[" + b" " * 4000 + b"]")), max_answer=2000).maybe_applied
    with Scripted([Play(http(503, b"x" * 500_000))]) as server, client(server.url) as aim:
        reply = aim.post("/a", HEADERS, b"{}")
        assert (reply.status, len(reply.body) < 200_000) == (503, True)


BOMB = """
import resource, sys, threading
from rosterd.http import Http, Unanswered
aim = Http(sys.argv[1], ca_file=None, proxy=None, timeout=20, max_answer=16 << 20,
           stop=threading.Event(), user_agent="x")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(int(sys.argv[2])):
    try:
        print(aim.post("/a", {}, b"{}").status)
    except Unanswered as error:
        print(error.what)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    ("head", "piece", "words"),
    [
        (b"HTTP/1.1 201 C\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(bytes(1 << 25)), "compressed"),
        (b"HTTP/1.1 201 C\r\nContent-Length: 1073741824\r\n\r\n", bytes(1 << 16), "too long"),
        (b"HTTP/1.1 500 E\r\nContent-Length: 1073741824\r\n\r\n", bytes(1 << 16), "500"),
    ],
)
def test_fault_34_bombs_are_cut_with_memory_flat(head: bytes, piece: bytes, words: str) -> None:
    """A gzip bomb and bodies of 1 GiB; the other process may grow by 32 MiB (kilobytes in ru_maxrss)."""
    with Scripted([Play(head, "flood", piece=piece)]) as server:
        *said, grown = run(BOMB, server.url, "3").stdout.splitlines()
    assert [words in line for line in said] == [True] * 3
    assert int(grown) <= 32 * 1024


def test_fault_05_a_name_that_flaps_is_asked_anew_and_may_fail() -> None:
    asked: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        if len(asked) == 1:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

    server = Scripted([Play(http(201, "[]"), "close")])
    with server, client(server.url.replace("127.0.0.1", "localhost"), resolve=resolve) as aim:
        with pytest.raises(Unanswered, match="Temporary failure") as caught:
            aim.post("/a", HEADERS, b"{}")
        assert (caught.value.maybe_applied, caught.value.final) == (False, False)
        for _ in range(2):
            assert aim.post("/a", HEADERS, b"{}").status == 201
            wait_until(lambda: not server.serving)
    assert asked == ["localhost"] * 3


def test_fault_05_a_resolver_that_hangs_ends_at_the_deadline() -> None:
    free = threading.Event()

    def resolve(*_: Any, **__: Any) -> list[Any]:
        free.wait(20)
        return []

    aiming = client("http://localhost:9", resolve=resolve, timeout=0.3)
    with aiming as aim, pytest.raises(Unanswered, match="not resolved in time"):
        aim.post("/a", HEADERS, b"{}")
    free.set()


def test_the_next_address_is_tried_when_one_refuses() -> None:
    with Scripted([ok()]) as server:
        port = int(server.url.rpartition(":")[2])
        rows = [(0, 0, 0, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
        with client(f"http://localhost:{port}", resolve=lambda *_, **__: rows) as aim:
            assert aim.post("/a", HEADERS, b"{}").status == 201


def test_stop_lets_nothing_new_leave_and_bounds_the_one_in_flight() -> None:
    stop = threading.Event()
    arrived = Play(http(201, "[]"), before=stop.set)
    with Scripted([arrived]) as server, client(server.url, stop=stop) as aim:
        assert aim.post("/a", HEADERS, b"{}").status == 201  # in flight when the stop came: may finish
        with pytest.raises(Stopped):
            aim.post("/a", HEADERS, b"{}")
        assert len(server.seen) == 1


SCARCE = """
import os, resource, sys, threading
from rosterd.http import Http, Unanswered
aim = Http(sys.argv[1], ca_file=None, proxy=None, timeout=5, max_answer=99,
           stop=threading.Event(), user_agent="x")
if sys.argv[2] == "files":
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
else:
    used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    threading.stack_size(1 << 30)
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
try:
    aim.post("/a", {}, b"{}")
except Unanswered as error:
    print(error.exit_code, error.maybe_applied, error.what)
"""


@pytest.mark.parametrize("what", ["files", "threads"])
def test_fault_93_no_more_files_or_threads_ends_6_cleanly(what: str) -> None:
    with Scripted([ok()]) as server:
        url = server.url.replace("127.0.0.1", "localhost") if what == "threads" else server.url
        assert run(SCARCE, url, what).stdout.startswith("6 False no connection: ")
        assert server.seen == []


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A good certificate for 127.0.0.1, and the authority to trust."""
    return make(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("kind", [*BAD, "not-ours"])
def test_a_bad_certificate_is_final_and_nothing_is_sent(tmp_path: Path, kind: str) -> None:
    made = make(tmp_path, kind)
    trusted = None if kind == "not-ours" else made.authority
    with (
        serve(tls=(made.certificate, made.key)) as server,
        client(server.url, ca_file=trusted) as aim,
        pytest.raises(Unanswered, match="not trusted") as caught,
    ):
        aim.post("/connect/token", {}, b"x")
    assert (caught.value.final, caught.value.maybe_applied) == (True, False)


def test_tls_with_an_own_ca_file(tls: Tls) -> None:
    with serve(tls=(tls.certificate, tls.key)) as server, client(server.url, ca_file=tls.authority) as aim:
        assert aim.post("/connect/token", {}, b"x").status == 400


def test_tls_older_than_1_2_is_refused(tls: Tls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Scripted([ok()], context=context) as server:
        url = server.url.replace("http", "https")
        with client(url, ca_file=tls.authority) as aim, pytest.raises(Unanswered, match="no conn") as caught:
            aim.post("/a", HEADERS, b"{}")
        assert (caught.value.maybe_applied, server.seen) == (False, [])


def test_a_ca_file_without_certificates_is_a_settings_error(tmp_path: Path) -> None:
    for content in (None, "", "nonsense"):
        path = tmp_path / f"{content}.pem"
        if content is not None:
            path.write_text(content)
        with pytest.raises(SettingsError), client("https://example.com", ca_file=path):
            pass


def test_the_proxy_is_asked_for_a_tunnel_and_never_sees_the_token(tls: Tls) -> None:
    with serve(tls=(tls.certificate, tls.key)) as server:
        port = int(server.url.rpartition(":")[2])
        with Scripted([], tunnel=("127.0.0.1", port)) as proxy:
            address = proxy.url.replace("//", "//user:p%40ss@")
            with client(server.url, ca_file=tls.authority, proxy=address) as aim:
                assert aim.post("/connect/token", HEADERS, b"x").status == 400
            assert proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1")
            assert "Proxy-Authorization: Basic dXNlcjpwQHNz" in proxy.heads[0]
            assert TOKEN not in proxy.heads[0]


def test_a_proxy_that_refuses_is_named_without_its_password(tls: Tls) -> None:
    with Scripted([Play(http(407))]) as proxy:
        address = proxy.url.replace("//", f"//user:{TOKEN}@")
        aiming = client("https://example.com", ca_file=tls.authority, proxy=address)
        with aiming as aim, pytest.raises(Unanswered, match="the proxy refused: 407") as caught:
            aim.post("/a", {}, b"x")
    assert TOKEN not in str(caught.value)
    assert not caught.value.maybe_applied
