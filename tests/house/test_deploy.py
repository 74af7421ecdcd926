"""What the container and the services promise: no root, no shell, nothing writable but the state."""

from __future__ import annotations

import re
from configparser import RawConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ["rosterd.service", "rosterd-once.service"]

# What a service must not lack, with the value it must have.
HARDENING = {
    "user": "rosterd",
    "capabilityboundingset": "",
    "limitcore": "0",
    "nonewprivileges": "yes",
    "privatedevices": "yes",
    "privatetmp": "yes",
    "protecthome": "yes",
    "protectsystem": "strict",
    "restrictaddressfamilies": "AF_INET AF_INET6 AF_UNIX",
    "statedirectory": "rosterd",
    "statedirectorymode": "0700",
    "systemcallarchitectures": "native",
}


def stages() -> list[list[str]]:
    """The instructions of the Dockerfile by stage, continued lines joined, comments left out."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("FROM "):
            found.append([])
        if line and not line.startswith("#"):
            found[-1].append(line)
    return found


def unit(name: str) -> RawConfigParser:
    parser = RawConfigParser(strict=False, delimiters="=")
    parser.read_string((ROOT / "deploy" / "systemd" / name).read_text(encoding="utf-8"))
    return parser


def test_the_last_stage_runs_nothing_and_needs_no_shell_and_no_root() -> None:
    last = stages()[-1]
    verbs = [line.split()[0] for line in last]
    assert "RUN" not in verbs
    assert "USER 10001:10001" in last
    assert verbs.index("USER") < verbs.index("ENTRYPOINT")
    assert 'ENTRYPOINT ["rosterd"]' in last
    assert 'CMD ["run"]' in last
    assert any(
        line.startswith("HEALTHCHECK ") and line.endswith('CMD ["rosterd", "status"]') for line in last
    )


def test_the_image_takes_nothing_unlocked() -> None:
    installs = [
        command
        for stage in stages()
        for line in stage
        for command in line.split("&&")
        if re.search(r"\bpip\b.* (install|wheel) ", command)
    ]
    assert len(installs) == 4
    assert all(
        "--require-hashes --only-binary :all:" in line or "--no-index --no-deps" in line for line in installs
    )


def test_what_the_image_copies_is_sent_to_its_builder() -> None:
    """.dockerignore lets in what COPY names, and nothing else."""
    copied = {
        name
        for stage in stages()
        for line in stage
        if line.startswith("COPY ") and "--from" not in line
        for name in line.split()[1:-1]
    }
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize("name", UNITS)
def test_the_services_are_confined(name: str) -> None:
    service = dict(unit(name)["Service"])
    assert {key: service.get(key) for key in HARDENING} == HARDENING


def test_the_two_services_differ_in_how_they_run_only() -> None:
    daemon, once = (dict(unit(name)["Service"]) for name in UNITS)
    differing = {key for key in daemon | once if daemon.get(key) != once.get(key)}
    assert differing == {
        "type",
        "execstart",
        "restart",
        "restartsec",
        "restartpreventexitstatus",
        "timeoutstartsec",
        "execreload",
        "notifyaccess",
        "watchdogsec",
    }


def test_compose_confines_the_container() -> None:
    text = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8")
    for needed in (
        "read_only: true",
        "cap_drop:\n      - ALL",
        "no-new-privileges:true",
        "tmpfs:\n      - /tmp",
    ):
        assert needed in text
