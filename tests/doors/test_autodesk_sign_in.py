"""The sign-in: what the browser is sent with, what it may bring back, and who else may not."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from tests.doors.autodesk_kit import settings

from rosterd.autodesk import sign_in
from rosterd.autodesk.listener import listening
from rosterd.autodesk.sign_in import Attempt, challenge, code_of, code_pasted, new_attempt
from rosterd.errors import CredentialsError, SettingsError, Stopped
from rosterd.http import Http

MINE = Attempt("v" * 43, "canary-state")
GOOD = urlencode({"code": "c-1/+", "state": MINE.state})


def test_the_challenge_is_that_of_the_standard() -> None:
    """RFC 7636, appendix B."""
    assert (
        challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_attempts_are_random_long_enough_and_not_shown() -> None:
    attempts = [new_attempt() for _ in range(100)]
    assert len({one.verifier for one in attempts} | {one.state for one in attempts}) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", one.verifier) for one in attempts)
    assert all(len(one.state) >= 43 for one in attempts)
    assert attempts[0].state not in repr(attempts[0])
    assert attempts[0].verifier not in repr(attempts[0])


def test_the_browser_is_sent_as_documented() -> None:
    wanted = sign_in.scopes(printers=True)
    address = urlsplit(
        sign_in.address("https://aps.example", "app", "http://localhost:8910/callback", wanted, MINE)
    )
    assert (address.netloc, address.path) == ("aps.example", "/authentication/v2/authorize")
    assert parse_qs(address.query, strict_parsing=True) == {
        "response_type": ["code"],
        "client_id": ["app"],
        "redirect_uri": ["http://localhost:8910/callback"],
        "scope": ["application:client:read data:read data:write"],
        "state": [MINE.state],
        "code_challenge": [challenge(MINE.verifier)],
        "code_challenge_method": ["S256"],
    }
    assert sign_in.scopes(printers=False) == ("application:client:read", "data:read")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("code=c", "another sign-in"),
        ("code=c&state=", "another sign-in"),
        ("code=c&state=canary-state&state=x", "another sign-in"),
        ("code=c&state=CANARY-STATE", "another sign-in"),
        ("error=access_denied", "another sign-in"),
        ("error=access_denied&state=canary-state", "was told not to allow"),
        (
            "error=invalid_scope&error_description=Bad+scope%1b&state=canary-state",
            "refuses the sign-in: Bad scope",
        ),
        ("error=server_error&state=canary-state", "server_error"),
        ("state=canary-state", "no code"),
        ("code=&state=canary-state", "no code"),
        ("code=a&code=b&state=canary-state", "no code"),
        ("code=a+b&state=canary-state", "no code"),
    ],
)
def test_answers_that_are_refused(query: str, said: str) -> None:
    for read, brought in ((code_of, query), (code_pasted, f"http://localhost/callback?{query}")):
        with pytest.raises(CredentialsError, match=said) as caught:
            read(brought, MINE)
        assert caught.value.exit_code == 9
        assert caught.value.hint
        assert MINE.state not in f"{caught.value} {caught.value.hint}"
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "line",
    [
        f"http://localhost:8910/callback?{GOOD}\n", f"  '{GOOD}'  ", f"?{GOOD}", "c-1/+",
        f"https://elsewhere.example/cb?{GOOD}#_=_",
    ],
)  # fmt: skip
def test_what_may_be_pasted(line: str) -> None:
    assert code_pasted(line, MINE) == "c-1/+"


@pytest.mark.parametrize(
    "line", ["", "\n", "two words", "code=x", "http://localhost/callback?code=c&state=other"]
)
def test_what_may_not_be_pasted(line: str) -> None:
    with pytest.raises(CredentialsError):
        code_pasted(line, MINE)


@hypothesis_given(st.text(max_size=200))
def test_nothing_pasted_makes_it_fall_over(line: str) -> None:
    try:
        code = code_pasted(line, MINE)
    except CredentialsError:
        return
    assert re.fullmatch(r"[\x21-\x7e]+", code)


# The listener


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def browse(
    port: int, path: str, method: str = "GET", host: str = "127.0.0.1"
) -> tuple[int, bytes, dict[str, str]]:
    """What a browser is answered."""
    client = Http(
        f"http://{host}:{port}", ca_file=None, proxy=None, timeout=5, max_answer=1 << 16,
        stop=threading.Event(), user_agent="browser",
    )  # fmt: skip
    try:
        reply = client.get(path, {}) if method == "GET" else client.post(path, {}, b"")
        return reply.status, reply.body, dict(reply.headers)
    finally:
        client.close()


def ours(query: str) -> bool:
    return sign_in.belongs(query, MINE)


def test_the_browser_comes_back_and_sees_a_page() -> None:
    with listening("http://localhost:0/callback", ours) as listener:
        status, body, headers = browse(listener.port, f"/callback?{GOOD}")
        assert (status, b"rosterd has the answer" in body) == (200, True)
        assert b"canary" not in body
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert code_of(listener.answer(5, threading.Event()), MINE) == "c-1/+"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    "host",
    ["127.0.0.2", pytest.param("[::1]", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here"))],
)
def test_an_address_of_loopback_is_listened_on_as_it_is_registered(host: str) -> None:
    with listening(f"http://{host}:0/callback", ours) as listener:
        assert browse(listener.port, f"/callback?{GOOD}", host=host)[0] == 200
        assert listener.answer(5, threading.Event()) == GOOD


def test_somebody_else_s_answer_is_turned_away_and_the_wait_goes_on() -> None:
    with listening("http://localhost:0/callback", ours) as listener:
        assert browse(listener.port, "/callback?code=evil&state=guess")[0] == 400
        assert browse(listener.port, "/callback?code=evil")[0] == 400
        assert browse(listener.port, f"/other?{GOOD}")[0] == 404
        assert browse(listener.port, f"/callback?{GOOD}", "POST")[0] == 501
        with pytest.raises(CredentialsError, match="nobody came back") as caught:
            listener.answer(0.1, threading.Event())
        assert "--paste" in caught.value.hint
        assert browse(listener.port, f"/callback?{GOOD}")[0] == 200
        assert listener.answer(5, threading.Event()) == GOOD


def test_a_connection_that_says_nothing_holds_nobody_up(capfd: pytest.CaptureFixture[str]) -> None:
    """Browsers open spare ones; some go away with a reset."""
    with listening("http://localhost:0/callback", ours) as listener:
        where = ("127.0.0.1", listener.port)
        with socket.create_connection(where) as silent, socket.create_connection(where) as garbled:
            silent.sendall(b"GET /cal")
            garbled.sendall(b"\x16\x03\x01 no http\r\n\r\n")
            assert browse(listener.port, f"/callback?{GOOD}")[0] == 200
            assert listener.answer(5, threading.Event()) == GOOD
    assert capfd.readouterr() == ("", "")  # neither the code nor anybody's address is logged


def test_it_listens_on_this_machine_alone_and_stops_when_told() -> None:
    stop = threading.Event()
    port = free_port()
    with listening(f"http://localhost:{port}/callback", ours) as listener:
        assert listener.port == port
        with (
            pytest.raises(SettingsError, match="cannot be listened on"),
            listening(f"http://localhost:{port}/c", ours),
        ):
            pass
        stop.set()
        with pytest.raises(Stopped):
            listener.answer(60, stop)
    with socket.create_server(("127.0.0.1", port)):
        pass  # the port is free again


@pytest.mark.parametrize("url", ["https://rosterd.acme.example/callback", "http://localhost/callback"])
def test_an_address_that_cannot_be_listened_on_is_for_pasting(url: str) -> None:
    with pytest.raises(SettingsError) as caught, listening(url, ours):
        pass
    assert (caught.value.exit_code, "--paste" in caught.value.hint) == (2, True)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/callback", "ftp://localhost/x", "http://localhost:8910/c?x=1", "localhost:8910", "",
        "http://localhost:8910/c#f", "https://user@host/c",
    ],
)  # fmt: skip
def test_redirect_addresses_that_are_refused(url: str, tmp_path: Path) -> None:
    del tmp_path
    with pytest.raises(ValueError, match="redirect_url"):
        settings("https://aps.example", redirect_url=url)
