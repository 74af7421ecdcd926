"""`rosterd plan`: what a run would do. The changes are streamed, so a plan of a million is no matter of memory."""

from __future__ import annotations

import io
import json as jsonlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any

from rosterd import words
from rosterd.core.guard import Verdict
from rosterd.document import plan_document
from rosterd.draft import Plan
from rosterd.errors import worst
from rosterd.once import Wish, run_once
from rosterd.verbs.common import Common, begin, paint, say, saying, written
from rosterd.verbs.progress import progress

LISTED = 40  # changes shown without --full


def plan(
    common: Common, customers: Sequence[str], only: Sequence[str], *, json: bool, out: Path | None, check: bool,
    full: bool,
) -> int:  # fmt: skip
    loaded, logger = begin(common)
    with closing(
        _Pages(words.Paint(False) if json else paint(), full=full, document=json or out is not None)
    ) as pages:
        with progress(wanted=not common.quiet) as tell:
            wish = Wish(customers, dry=True, only=only, progress=tell, show=pages.add)
            document = run_once(loaded.settings, wish, logger)
        for name, customer in document["customers"].items():
            pages.missing(name, customer)
            if (customer["reason"] or "").startswith("paused: "):
                pages.lines.append(
                    f"  {name} is {words.safe(customer['reason'])}; runs wait for `rosterd resume {name}`"
                )
        if out is not None:
            with written(out) as file:
                pages.copy(file)
        if json:
            with saying() as stdout:
                pages.copy(stdout)
        else:
            say(pages.lines)
        codes = [0 if c["exit_code"] == 3 else c["exit_code"] for c in document["customers"].values()]
        code = worst(codes)
        return 10 if check and code == 0 and pages.changes else code


class _Pages:
    """Collects each customer's plan as text for people and as a part of the document."""

    def __init__(self, colours: words.Paint, *, full: bool, document: bool) -> None:
        self._colours, self._full = colours, full
        self._file: IO[str] | None = None
        if document:
            self._file = tempfile.TemporaryFile("w+", encoding="utf-8", prefix="rosterd-")  # noqa: SIM115 - lives as long as this
        self.lines: list[str] = []
        self.changes = 0
        self._seen: set[str] = set()

    def add(self, name: str, plan: Plan, verdict: Verdict, held: bool) -> None:
        """Called while the plan is open."""
        self._seen.add(name)
        self.changes += plan.changes
        if self._file is not None:
            self._document(name, plan_document(plan, verdict), _changes(plan))
        colours = self._colours
        what = colours.odd("would be held") if held else colours.good("would go")
        if not plan.changes and not held:
            what = colours.good("nothing to do")
        self.lines.append(
            f"{colours.bold(name)}: {what}, {words.plural(plan.changes, 'change')}, plan {plan.digest[:12]}"
        )
        self.lines += words.counts(plan_document(plan, verdict), colours)
        listed = list(_changes(plan) if self._full else islice(_changes(plan), LISTED))
        self.lines += words.change_lines(listed, colours, plan.successors)
        if plan.changes > len(listed):
            self.lines.append(f"  … {plan.changes - len(listed):,} more: --full or --json lists them")
        for reason in verdict.reasons:
            self.lines.append(f"  {colours.odd('held')}: {words.safe(reason)}")
        if held:
            self.lines.append(f"  approve: rosterd approve {plan.digest[:12]}")

    def missing(self, name: str, customer: dict[str, Any]) -> None:
        """A customer that could not be planned, or only in part."""
        reason = customer["reason"] or "not planned"
        if name in self._seen:
            if customer["exit_code"] not in (0, 3, 4):
                self.lines.append(f"  {self._colours.bad('incomplete')}: {words.safe(reason)}")
            return
        self.lines.append(f"{self._colours.bold(name)}: {self._colours.bad('no plan')}: {words.safe(reason)}")
        if self._file is not None:
            counts = {kind: customer[kind] for kind in words.KINDS}
            verdict = "hold" if customer["exit_code"] else "go"
            self._document(name, {"verdict": verdict, "reasons": [reason], "digest": "", **counts}, iter(()))
        self._seen.add(name)

    def _document(self, name: str, head: dict[str, Any], changes: Iterator[dict[str, Any]]) -> None:
        assert self._file is not None
        write = self._file.write
        write("," if self._file.tell() else '{"schema":"rosterd/plan/1","customers":{')
        write(f'{jsonlib.dumps(name)}:{jsonlib.dumps(head, ensure_ascii=False)[:-1]},"changes":[')
        for number, change in enumerate(changes):
            write(("," if number else "") + jsonlib.dumps(change, ensure_ascii=False))
        write("]}")

    def close(self) -> None:
        """Lets go of the document."""
        if self._file is not None:
            self._file.close()

    def copy(self, target: IO[str]) -> None:
        """The whole document."""
        assert self._file is not None
        if not self._file.tell():
            self._file.write('{"schema":"rosterd/plan/1","customers":{')
        self._file.seek(0)
        while block := self._file.read(io.DEFAULT_BUFFER_SIZE * 16):
            target.write(block)
        target.write("}}\n")
        target.flush()


def _changes(plan: Plan) -> Iterator[dict[str, Any]]:
    for log in plan.logs:
        for chunk in log:
            for change, _ in chunk:
                yield change.document()
