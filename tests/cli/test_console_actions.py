"""What can be changed from the console, by whom, and what is refused: sign-in, approve, pause, resume, run now."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import apsw
import pytest
from tests.cli.console_kit import TOKEN, Desk, console
from tests.cli.files import people
from tests.cli.kit import Office

ACTS = ("approve", "pause", "resume", "run")


@pytest.fixture
def held(office: Office) -> str:
    """acme's first delivery is held; the digest of its plan."""
    office.settings["customers"]["acme"]["guards"] = {"first_run": "approve"}
    office.save()
    digest: str = office.one(code=4)["plan"]
    return digest


@pytest.fixture
def desk(office: Office, held: str) -> Iterator[Desk]:
    """Somebody who has not signed in yet."""
    with console(office, token=TOKEN) as found:
        yield found


def test_without_a_token_only_the_door_is_open(desk: Desk) -> None:
    for path in ("/", "/customers/acme", "/people?q=ana", "/customers/acme/report"):
        answer = desk.ask(path)
        assert answer.status == 303 and answer.headers["location"].startswith("/login"), path
        assert "acme" not in answer.text and desk.ask(path, accept="").status == 401
    for odd in ("http://[", "x", "http:", "://127.0.0.1", "null", "\xff"):
        assert desk.post("/login", {"origin": odd}, token=TOKEN).status == 403, odd
    assert desk.page("/login?next=//[").status == 200
    assert desk.ask("/people?q=a&b").headers["location"] == "/login?next=%2Fpeople%3Fq%3Da%26b"
    assert desk.ask("/api/live").status == desk.ask("/api/status").status == 401
    assert "acme" not in desk.page("/login").text
    for act in ACTS:
        assert desk.post(f"/customers/acme/{act}").status == 401


def test_signing_in_and_out(desk: Desk) -> None:
    for wrong in ("", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper()):
        assert desk.sign_in(wrong).status == 403 and not desk.cookie
    answer = desk.post("/login", token=TOKEN, next="/customers/acme")
    cookie = answer.headers["set-cookie"]
    assert answer.headers["location"] == "/customers/acme" and TOKEN not in cookie
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Secure" not in cookie
    desk.cookie = cookie.partition(";")[0]
    assert "Sign out" in desk.page("/customers/acme").seen
    old = desk.cookie
    assert desk.post("/logout", proof="no").status == 303 and desk.page("/"), (
        "a sign-out that nobody asked for"
    )
    assert desk.post("/logout", proof=desk.proof()).status == 303
    assert desk.ask("/", cookie=old).status == 303, "the cookie is worthless now"


def test_a_sign_in_leads_nowhere_else(desk: Desk) -> None:
    for there in (
        "//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil", "x",
        "//[", "/é",
    ):  # fmt: skip
        assert desk.post("/login", token=TOKEN, next=there).headers["location"] == "/", there


def test_behind_a_proxy_that_ends_tls_the_cookie_is_secure(office: Office, held: str) -> None:
    with console(office, token=TOKEN, hosts=["rosterd.acme.example"]) as desk:
        given = {"origin": "https://rosterd.acme.example", "host": "rosterd.acme.example"}
        assert "Secure" in desk.post("/login", given, token=TOKEN).headers["set-cookie"]


def test_approve_just_what_was_shown(desk: Desk, office: Office, held: str) -> None:
    desk.sign_in()
    page = desk.page("/customers/acme")
    assert page.field("digest") == held
    done = desk.post("/customers/acme/approve", digest=held, proof=page.field("proof"), now="1")
    assert (done.status, done.headers["location"], desk.asked) == (303, "/customers/acme", ["acme"])
    assert "5 changes approved, and not delivered yet" in desk.page("/customers/acme").seen
    assert office.one(code=0)["people"]["created"] == 5
    again = desk.post("/customers/acme/approve", digest=held, proof=page.field("proof"))
    assert again.status == 409 and "no longer held" in again.text


def test_a_plan_that_has_changed_is_not_approved(desk: Desk, office: Office, held: str) -> None:
    desk.sign_in()
    proof = desk.proof("/customers/acme")
    office.put(people("ana", "bruno", "mallory"))
    office.one(code=4)
    for digest in (held, "", held[:12], "0" * 64):
        answer = desk.post("/customers/acme/approve", digest=digest, proof=proof, now="1")
        assert answer.status == 409, digest
    assert desk.asked == [] and office.one(code=4)["people"]["created"] == 0


def test_pause_and_resume(desk: Desk, office: Office, held: str) -> None:
    desk.sign_in()
    proof = desk.proof("/customers/acme")
    assert desk.post("/customers/acme/pause", reason=" <i>moves</i>\n house ", proof=proof).status == 303
    page = desk.page("/customers/acme")
    assert "paused" in page.seen and "<i>moves</i> house" in page.seen and "<i>" not in page.text
    assert (
        "paused: <i>moves</i> house"
        in office.do("run", "--once", "--json").document["customers"]["acme"]["reason"]
    )
    desk.post("/customers/acme/resume", proof=proof)
    assert "Resume" not in desk.page("/customers/acme").seen


def test_run_now_and_a_bearer_needs_no_form(desk: Desk) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}", "origin": "", "content-type": ""}
    assert desk.post("/customers/acme/run", bearer).status == 303 and desk.asked == ["acme"]
    assert desk.post("/customers/nobody/run", bearer).status == 404 and desk.asked == ["acme"]
    bearer["authorization"] = "Bearer wrong-wrong-wrong-wrong"
    assert desk.post("/customers/acme/run", bearer).status == 401


def test_what_no_page_of_ours_asked_for_is_refused(desk: Desk, held: str) -> None:
    desk.sign_in()
    cookie, proof = desk.cookie, desk.proof("/customers/acme")
    for act in ACTS:
        desk.cookie = cookie
        _refuses(desk, f"/customers/acme/{act}", proof, held)
    assert desk.asked == []


def _refuses(desk: Desk, path: str, proof: str, held: str) -> None:
    for headers in (
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": ""},
        {"origin": f"http://127.0.0.1:{desk.port + 1}"}, {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ):  # fmt: skip
        assert desk.post(path, headers, digest=held, proof=proof).status == 403, headers
    for wrong in ("", "x", "é", proof[:-1], proof + "0"):
        assert desk.post(path, digest=held, proof=wrong).status == 403, wrong
    assert desk.post(path, {"content-type": "text/plain"}, digest=held, proof=proof).status == 415
    assert desk.ask(path, "POST", "x" * 20_000).status == 413
    assert desk.ask(path, "POST", urlencode({f"f{number}": "" for number in range(50)})).status == 400
    assert desk.ask(path, "GET").status == 405
    desk.cookie = "rosterd_session=unknown"
    assert desk.post(path, digest=held, proof=proof).status == 401


def test_pages_do_not_wait_for_whoever_writes(desk: Desk, office: Office) -> None:
    desk.sign_in()
    writer = apsw.Connection(str(office.ledger))
    try:
        writer.execute("BEGIN IMMEDIATE; UPDATE meta SET value = value WHERE name = 'serial'")
        for path in ("/", "/customers/acme", "/people?q=ana", "/customers/acme/problems"):
            assert desk.page(path)
        writer.execute("ROLLBACK")
    finally:
        writer.close()


def test_a_ledger_put_in_the_place_of_another_is_read(desk: Desk, office: Office) -> None:
    desk.sign_in()
    assert "first_run" in desk.page("/customers/acme").seen
    copy = office.directory / "copy.db"
    office.do("ledger", "backup", str(copy))
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (office.directory / name).unlink(missing_ok=True)
    office.do("pause", "acme", "--reason", "another ledger")
    assert "another ledger" in desk.page("/customers/acme").seen


def test_a_ledger_that_cannot_be_read_is_a_calm_page(desk: Desk, office: Office) -> None:
    desk.sign_in()
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (office.directory / name).unlink(missing_ok=True)
    office.ledger.write_bytes(b"no ledger" * 1_000)
    page = desk.ask("/customers/acme")
    assert page.status == 503 and "The ledger cannot be read" in page.seen and "Traceback" not in page.text
