"""`rosterd demo`: the whole thing on this machine: a pretend Orbix, a sample company, two days, two runs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from rosterd import log, sample_company, words
from rosterd.errors import SettingsError
from rosterd.once import Wish, run_once
from rosterd.sandbox import Faults, fault, serve
from rosterd.settings import load
from rosterd.verbs.common import Common, paint, say
from rosterd.verbs.progress import progress

_MARK = ".rosterd-demo"  # says that a directory is ours to make anew


def demo(directory: Path, common: Common) -> int:
    """Plays both days and says where everything lies. Raises SettingsError when the directory is somebody else's."""
    logger = log.configure(common.log_format, -1 if common.quiet else common.verbosity)
    _fresh(directory)
    colours = paint()
    # Hyphens are not in the vendor's pages: this Orbix takes one logon amiss, so that a refusal is seen.
    refusing = Faults([fault("refuse", logon="ana-lua.*", message="Logon is not valid.")])
    with serve(faults=refusing, autodesk=sample_company.autodesk()) as sandbox:
        settings = directory / "rosterd.toml"
        sample_company.write(directory, 1, printers=True)
        settings.write_text(
            sample_company.settings(Path(), sandbox.base_url, sandbox.token_url, autodesk_url=sandbox.url),
            encoding="utf-8",
        )
        settings.chmod(0o600)
        say([colours.bold("A sample company and a pretend Orbix"), f"  settings: {settings}", ""])
        codes = []
        for day, story in ((1, "Day 1: everybody is new"), (2, "Day 2: people came, went and changed")):
            sample_company.write(directory, day, printers=True)
            say([colours.bold(story)])
            with progress(wanted=not common.quiet) as tell:
                document = run_once(load(settings, {}).settings, Wish(progress=tell), logger)
            for name, customer in document["customers"].items():
                say(words.run_lines(name, customer, colours))
            codes.append(document["exit_code"])
            say([""])
        say(_account(directory, colours))
    return max((code for code in codes if code not in (0, 3)), default=0)


def _fresh(directory: Path) -> None:
    """An empty directory; one that an earlier demo made is made anew, any other is left alone."""
    if directory.exists() and any(directory.iterdir()):
        if not (directory / _MARK).exists():
            raise SettingsError(
                "is not empty", where=str(directory), hint="name another one: rosterd demo --directory NAME"
            )
        shutil.rmtree(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (directory / _MARK).touch()


def _account(directory: Path, colours: words.Paint) -> Iterator[str]:
    yield colours.bold("Where to look")
    for name, what in (
        ("people.csv", "the company, as of day 2"),
        ("groups.csv", "who is in which group"),
        ("rosterd.toml", "the settings of this run"),
        ("ledger.db", "what the pretend Orbix acknowledged, and every refusal with its reason"),
    ):
        yield f"  {directory / name}  {colours.dim(what)}"
    yield ""
    yield colours.bold("Try next")
    program = "rosterd" if Path(sys.argv[0]).name == "rosterd" and shutil.which("rosterd") else sys.argv[0]
    config = f"--config {directory / 'rosterd.toml'}"
    for command, what in (
        (f"{program} leavers {config}", "who left and must be removed by hand"),
        (f"{program} report {config}", "the access report, here in the terminal"),
        (f"{program} status {config}", "is everybody in step?"),
        (f"{program} settings sample", "a commented settings file to start from"),
    ):
        yield f"  {command}  {colours.dim(what)}"
    yield ""
    yield colours.bold("The access report, to open in a browser")
    yield colours.dim("  who has access to Autodesk, twins and the 3D printer, and who should not")
    yield f"  {(directory / 'reports' / 'acme.html').resolve()}"
