"""`rosterd init`: a few questions, their answers tried, and a commented settings file."""

from __future__ import annotations

import getpass
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from rosterd import log, words
from rosterd.errors import SettingsError, worst
from rosterd.settings import load
from rosterd.settings.starting import KINDS, beginning, commented, label, wrong
from rosterd.verbs import check
from rosterd.verbs.common import Common, say
from rosterd.verbs.questions import FIRST, Question, questions

UNANSWERED = "--template csv, ldap or ad writes a file without questions"


def init(common: Common, template: str | None) -> int:
    """Writes a settings file that is not there yet; the exit code is that of what was tried.

    Raises SettingsError: there is a file already, it cannot be written, or the questions were left.
    """
    path = common.config or Path(os.environ.get("ROSTERD_CONFIG") or "rosterd.toml")
    _refuse_another(path)
    if template is not None:
        if template not in KINDS:
            raise SettingsError(
                f"there is no template {words.safe(template)!r}", hint=f"one of {', '.join(KINDS)}"
            )
        tree = beginning(template, "acme")
        _write(path, commented(tree, _off(tree, template)))
        say([f"wrote {path}", "next: put your own values in it, then try them with rosterd check"])
        return 0
    _tell(f"Writes settings to {path}, after the last question. Enter takes what stands in [brackets].")
    try:
        tree, code = _agreed(common, path)
    except KeyboardInterrupt:
        raise SettingsError("stopped; nothing was written", hint=UNANSWERED) from None
    _write(path, commented(tree))
    say([f"wrote {path}", "next: rosterd plan shows what would be delivered"])
    return code


def _refuse_another(path: Path) -> None:
    if os.path.lexists(path):
        raise SettingsError(
            "there is a settings file already, and it is left as it is", where=str(path),
            hint="move it away, or name another file with --config",
        )  # fmt: skip


def _off(tree: dict[str, Any], kind: str) -> list[str]:
    """What a template shows switched off: a file of memberships, which not everybody has."""
    return [f"customers.{name}.sources.{label(kind)}.groups" for name in tree["customers"] if kind == "csv"]


def _write(path: Path, text: str) -> None:
    """A new file for its owner alone: it holds secrets. It never takes the place of another."""
    try:
        with open(
            path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)
        ) as file:
            file.write(text)
    except FileExistsError:
        _refuse_another(path)
    except OSError as error:
        raise SettingsError(f"cannot be written: {error.strerror}", where=str(path),
                            hint="name a file in a directory of yours with --config") from error  # fmt: skip


def _agreed(common: Common, path: Path) -> tuple[dict[str, Any], int]:
    """Asks and tries until all is well, or somebody wants it as it is: the tree, and the worst code found."""
    given: dict[str, str] = {}  # what was typed, proposed when everything is asked once more
    while True:
        tree = _asked(path.absolute().parent, given)
        _tell("", "Trying it ...")
        code = _tried(common, path, tree)
        if not code:
            return tree, 0
        answer = ""
        while answer not in ("yes", "again", "no"):
            answer = _line("Not everything works. Write it all the same (yes, again, no)", "again").lower()
        if answer == "yes":
            return tree, code
        if answer == "no":
            raise SettingsError("nothing was written", hint=UNANSWERED)


def _asked(base: Path, given: dict[str, str]) -> dict[str, Any]:
    """The tree of all answers. Each is checked as it comes, and asked for again while it is wrong."""
    first: dict[str, Any] = {}
    for question in FIRST:
        _answer(question, first, base, given)
    tree = beginning(first["kind"], first["name"])
    for question in questions(first["kind"], first["name"], tree, base):
        _answer(question, tree, base, given)
    return tree


def _answer(question: Question, tree: dict[str, Any], base: Path, given: dict[str, str]) -> None:
    while True:
        text = _line(question.text, given.get(question.text, question.default), secret=question.secret)
        draft = deepcopy(tree)
        problems = list(question.take(draft, text) or ())
        if "customers" in draft and not problems:
            problems = wrong(draft, base)
        if not problems:
            given[question.text] = text
            tree.clear()
            tree.update(draft)
            return
        _tell(*[f"  {problem}" for problem in problems])


def _line(text: str, default: str, *, secret: bool = False) -> str:
    """An answer that is not empty. Questions go to stderr, like everything that is no result."""
    shown = "the same" if secret and default else default
    prompt = f"{text}{f' [{words.safe(shown)}]' if shown else ''}: "
    while True:
        if secret and sys.stdin.isatty():
            answer = getpass.getpass(prompt, sys.stderr)
        else:
            sys.stderr.write(prompt)
            sys.stderr.flush()
            answer = sys.stdin.readline()
            if not answer:
                raise SettingsError("not every question was answered; nothing was written", hint=UNANSWERED)
        if found := answer.strip() or default:
            return found


def _tell(*lines: str) -> None:
    sys.stderr.write("".join([f"{line}\n" for line in lines]))
    sys.stderr.flush()


def _tried(common: Common, path: Path, tree: dict[str, Any]) -> int:
    """Tries settings as `rosterd check` does, and says what was found."""
    logger = log.configure(common.log_format, -1 if common.quiet else common.verbosity)
    with _draft(path, commented(tree)) as draft:
        findings = check.findings(load(draft, os.environ), (), logger, threading.Event())
    say(check.lines(findings))
    return worst([finding["exit_code"] for finding in findings])


@contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    """The settings as a file beside the one that they will be: relative paths mean the same there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write(draft, text)
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
