"""The sign-in's file: the next token before it is used, one holder at a time, and every way to lose an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.doors.autodesk_kit import DAY, NEXT, NOW, REFRESH, kept, quiet
from tests.doors.scripted import FakeTime

from rosterd.autodesk.grants import Granted, Spent
from rosterd.autodesk.vault import Vault
from rosterd.errors import CredentialsError, Stopped, TargetError

SERVER = "https://aps.example"


class Server:
    """A token server without a network: each refresh token works once. `lose` loses that many answers."""

    def __init__(self, *valid: str, lose: int = 0) -> None:
        self.valid, self.lose = list(valid), lose
        self.asked: list[str] = []
        self.file: Callable[[], Any] = lambda: None
        self.seen: list[Any] = []  # what the file said while this was asked

    def __call__(self, token: str) -> Granted:
        self.asked.append(token)
        self.seen.append(self.file())
        if token not in self.valid:
            raise Spent("the token server refuses it")
        self.valid.remove(token)
        following = f"canary-refresh-{len(self.asked) + 1:04}"
        self.valid.append(following)
        if self.lose:
            self.lose -= 1
            raise TargetError("the connection broke", maybe_applied=True)
        return Granted("canary-access-0001", 3600, following)


def vault(directory: Path, **changes: Any) -> Vault:
    given: dict[str, Any] = {
        "client_id": "app",
        "server": SERVER,
        "wait": FakeTime().wait,
        "now": lambda: NOW,
    }
    return Vault(directory / "tokens", "acme", **given | changes)


def signed_in(directory: Path, **changes: Any) -> Vault:
    made = vault(directory, **changes)
    made.store(REFRESH, ("data:read",))
    return made


def down(_: str) -> Granted:
    raise TargetError("no connection")


def test_a_refresh_keeps_the_next_token_before_it_gives_the_first(tmp_path: Path) -> None:
    made, server = signed_in(tmp_path), Server(REFRESH)
    server.file = lambda: kept(tmp_path)
    assert made.exchange(server).access_token
    assert (server.seen[0]["in_use"], server.seen[0]["refresh_token"]) == (True, REFRESH)
    after = kept(tmp_path)
    assert (after["in_use"], after["refresh_token"], after["scopes"]) == (False, NEXT, ["data:read"])
    assert vault(tmp_path).exchange(server).refresh_token == "canary-refresh-0003"
    assert server.asked == [REFRESH, NEXT]


def test_threat_o2_the_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        signed_in(tmp_path)
    finally:
        os.umask(old)
    place = tmp_path / "tokens"
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in [place, *place.iterdir()]} == {
        "tokens": "0o700", "acme.json": "0o600", "acme.lock": "0o600",
    }  # fmt: skip
    place.chmod(0o755)
    (place / "acme.json").chmod(0o644)
    vault(tmp_path).exchange(Server(REFRESH))
    assert oct(place.stat().st_mode & 0o777) == "0o700"
    assert oct((place / "acme.json").stat().st_mode & 0o777) == "0o600"


def test_nobody_signed_in(tmp_path: Path) -> None:
    made, server = vault(tmp_path), Server()
    assert (made.there(), made.due()) == (False, False)
    with pytest.raises(CredentialsError, match="nobody has signed in yet") as caught:
        made.exchange(server)
    assert (caught.value.exit_code, caught.value.hint, server.asked) == (9, "rosterd sign-in acme", [])


def test_fault_96_an_answer_lost_by_a_crash_is_told_once_the_old_token_is_refused(tmp_path: Path) -> None:
    server = Server(REFRESH, lose=1)
    with pytest.raises(TargetError, match="broke") as lost:
        signed_in(tmp_path).exchange(server)
    assert not lost.value.maybe_applied  # of anybody's records
    assert kept(tmp_path)["in_use"]
    for _ in range(3):  # each time as after a restart
        made = vault(tmp_path)
        with pytest.raises(CredentialsError, match="the answer to the last refresh was lost") as caught:
            made.exchange(server)
        assert caught.value.hint == "rosterd sign-in acme"
        assert not made.there()
    assert server.asked == [REFRESH, REFRESH]  # tried once more, then never again
    made.store("fresh", ())
    assert made.there()


def test_threat_o1_a_crash_before_the_server_saw_the_token_loses_nothing(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def dies(_: str) -> Granted:
        raise Killed

    with pytest.raises(Killed):
        signed_in(tmp_path).exchange(dies)
    assert kept(tmp_path)["in_use"]
    assert vault(tmp_path).exchange(Server(REFRESH)).refresh_token == NEXT


def test_a_refusal_without_a_lost_answer_says_what_it_is(tmp_path: Path) -> None:
    made, server = signed_in(tmp_path), Server()
    for _ in range(2):
        with pytest.raises(CredentialsError, match="no longer accepts the sign-in"):
            made.exchange(server)
    assert server.asked == [REFRESH]
    quiet(repr(made.look()), str(vars(made)))


def test_a_server_that_is_down_costs_nothing(tmp_path: Path) -> None:
    made = signed_in(tmp_path)
    for _ in range(2):
        with pytest.raises(TargetError, match="no connection"):
            made.exchange(down)
    assert not kept(tmp_path)["in_use"]
    assert made.exchange(Server(REFRESH))


def test_a_server_that_does_not_rotate_leaves_the_token(tmp_path: Path) -> None:
    made = signed_in(tmp_path)
    for _ in range(2):
        made.exchange(lambda _: Granted("a", 3600))
    assert kept(tmp_path)["refresh_token"] == REFRESH


# The bootstrap token of the settings


def test_a_bootstrap_token_is_taken_once(tmp_path: Path) -> None:
    server = Server("boot")
    made = vault(tmp_path, bootstrap="boot")
    assert (made.there(), made.due()) == (True, True)
    made.exchange(server)
    vault(tmp_path, bootstrap="boot").exchange(server)  # a restart
    assert server.asked == ["boot", NEXT]
    assert "boot" not in json.dumps(kept(tmp_path)).replace('"bootstrap"', "")


def test_a_spent_bootstrap_token_is_told_and_not_tried_again(tmp_path: Path) -> None:
    server = Server()
    for _ in range(2):
        with pytest.raises(CredentialsError, match="does not accept the refresh_token of the settings"):
            vault(tmp_path, bootstrap="boot").exchange(server)
    assert server.asked == ["boot"]


def test_a_new_bootstrap_token_replaces_a_sign_in_unless_it_is_refused(tmp_path: Path) -> None:
    signed_in(tmp_path)
    server = Server("new-boot", REFRESH)
    vault(tmp_path, bootstrap="new-boot").exchange(server)
    assert server.asked == ["new-boot"]
    made = signed_in(tmp_path)
    server = Server(REFRESH)
    assert vault(tmp_path, bootstrap="bad-boot").exchange(server).refresh_token == "canary-refresh-0003"
    assert server.asked == ["bad-boot", REFRESH]  # the sign-in that was there is not lost over it
    vault(tmp_path, bootstrap="bad-boot").exchange(server)
    assert server.asked[2:] == ["canary-refresh-0003"]
    assert made.there()


def test_a_crash_amid_a_bootstrap_keeps_what_it_would_replace(tmp_path: Path) -> None:
    signed_in(tmp_path)
    with pytest.raises(ZeroDivisionError):
        vault(tmp_path, bootstrap="bad").exchange(lambda _: Granted("a", 1 // 0))
    server = Server(REFRESH)
    vault(tmp_path, bootstrap="bad").exchange(server)
    assert server.asked == ["bad", REFRESH]


def test_a_sign_in_is_newer_than_the_bootstrap_token_beside_it(tmp_path: Path) -> None:
    server = Server(REFRESH, "boot")
    signed_in(tmp_path, bootstrap="boot").exchange(server)
    assert server.asked == [REFRESH]


# Files that are lost, spoilt or put back


def spoil_lost(path: Path) -> None:
    path.unlink()


def spoil_text(path: Path) -> None:
    path.write_text("{")


def spoil_empty(path: Path) -> None:
    path.write_bytes(b"")


def spoil_link(path: Path) -> None:
    other = path.with_name("other")
    path.rename(other)
    path.symlink_to(other)


SPOILT = [spoil_lost, spoil_text, spoil_empty, spoil_link]


@pytest.mark.parametrize("spoil", SPOILT)
def test_fault_95_a_file_lost_amid_a_run_is_made_anew(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    made, server = signed_in(tmp_path), Server(REFRESH)
    made.exchange(server)
    spoil(tmp_path / "tokens" / "acme.json")
    made.exchange(server)
    assert server.asked == [REFRESH, NEXT]
    assert vault(tmp_path).exchange(server)


@pytest.mark.parametrize("spoil", SPOILT[1:])
def test_a_file_that_cannot_be_read_at_the_start_says_what_to_do(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    signed_in(tmp_path)
    spoil(tmp_path / "tokens" / "acme.json")
    made, server = vault(tmp_path, bootstrap="boot"), Server(REFRESH, "boot")
    assert made.there()
    with pytest.raises(TargetError, match=r"acme\.json: the token file") as caught:
        made.exchange(server)
    assert "rosterd sign-in acme" in caught.value.hint
    assert server.asked == []
    made.store("fresh", ())  # which mends it
    assert vault(tmp_path).look().refresh_token == "fresh"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "rosterd/sign-in/9"}, {"refresh_token": 7}, {"in_use": "yes"}, {"scopes": None}, {"more": 1},
        {"issued": None},
    ],
)  # fmt: skip
def test_a_file_of_another_shape_is_not_believed(tmp_path: Path, change: dict[str, object]) -> None:
    made = signed_in(tmp_path)
    path = tmp_path / "tokens" / "acme.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(TargetError, match="does not hold a sign-in"):
        vault(tmp_path).look()
    assert made.look().refresh_token == REFRESH  # this process knows it


def test_fault_95_a_sign_in_made_elsewhere_is_taken(tmp_path: Path) -> None:
    made, server = signed_in(tmp_path), Server(REFRESH, "elsewhere")
    made.exchange(server)
    vault(tmp_path).store("elsewhere", ())
    made.exchange(server)
    assert server.asked == [REFRESH, "elsewhere"]


def test_an_older_file_put_back_amid_a_run_is_not_believed(tmp_path: Path) -> None:
    made, server = signed_in(tmp_path), Server(REFRESH)
    path = tmp_path / "tokens" / "acme.json"
    old = path.read_bytes()
    made.exchange(server)
    path.write_bytes(old)
    made.exchange(server)
    assert server.asked == [REFRESH, NEXT]


@pytest.mark.parametrize("change", [{"client_id": "other"}, {"server": "https://other.example"}])
def test_a_sign_in_is_never_sent_for_another_application_or_server(
    tmp_path: Path, change: dict[str, str]
) -> None:
    signed_in(tmp_path)
    server = Server(REFRESH)
    with pytest.raises(CredentialsError, match="another application or server"):
        vault(tmp_path, **change).exchange(server)
    assert server.asked == []
    assert vault(tmp_path).exchange(server)  # it was left as it is


def test_what_cannot_be_written_is_not_handed_in(tmp_path: Path) -> None:
    made, server = signed_in(tmp_path), Server(REFRESH)
    (tmp_path / "tokens" / ".acme.new").mkdir()
    with pytest.raises(TargetError, match="cannot be written"):
        made.exchange(server)
    assert server.asked == []


def test_a_next_token_that_cannot_be_written_lives_on_in_this_process(tmp_path: Path) -> None:
    made, server = signed_in(tmp_path), Server(REFRESH)
    draft = tmp_path / "tokens" / ".acme.new"
    server.file = draft.mkdir
    with pytest.raises(TargetError, match="cannot be written"):
        made.exchange(server)
    draft.rmdir()
    server.file = lambda: None
    made.exchange(server)
    assert server.asked == [REFRESH, NEXT]
    assert kept(tmp_path)["refresh_token"] == "canary-refresh-0003"


# One holder at a time


def test_many_threads_refresh_one_after_the_other(tmp_path: Path) -> None:
    signed_in(tmp_path)
    server = Server(REFRESH)
    pause = threading.Event()
    with ThreadPoolExecutor(6) as pool:
        made = [vault(tmp_path, wait=lambda _: pause.wait(0.002)) for _ in range(6)]
        list(pool.map(lambda one: one.exchange(server), made))
    assert (len(set(server.asked)), len(server.asked)) == (6, 6)


HOLDER = """
import sys
from pathlib import Path
from rosterd.autodesk.kept import TokenFile
assert TokenFile(Path(sys.argv[1]), "acme").lock()
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_is_waited_for_briefly_and_its_death_frees_the_lock(tmp_path: Path) -> None:
    time = FakeTime()
    made, server = signed_in(tmp_path, wait=time.wait), Server(REFRESH)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "tokens")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(TargetError, match="another process has been refreshing"):
            made.exchange(server)
        assert 29 < sum(time.waits) < 31
        time.stop_at = time.seconds
        with pytest.raises(Stopped):
            made.exchange(server)
    finally:
        holder.kill()
        holder.communicate()
    assert made.exchange(server)
    assert server.asked == [REFRESH]


@pytest.mark.parametrize(
    ("later", "due"), [(0, False), (6.9 * DAY, False), (7 * DAY, True), (14 * DAY, True), (-8 * DAY, True)]
)
def test_an_idle_sign_in_is_due_after_a_week(tmp_path: Path, later: float, due: bool) -> None:
    signed_in(tmp_path)
    assert vault(tmp_path, now=lambda: NOW + later).due() == due
