"""Entries become people: columns are mapped a batch at a time, and what a rule stops is patched by index.

Every entry of a batch comes out as exactly one `Wanted` (see core.people): to deliver (ACTIVE), set aside
(ASIDE) or excluded (OUT), the latter two with a reason. An entry without a usable key gets one that no
person can have (it starts with 0xFF), so that it is counted and reported in the same stream.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import TypeAlias
from unicodedata import normalize

from rosterd.cleaning import (
    DISABLED,
    EMAIL,
    EMAILS,
    MAX_NAME,
    Problems,
    address_column,
    clean,
    transliterated,
    true_for,
)
from rosterd.core.doors import Batch, Cell
from rosterd.core.people import (
    ACTIVE,
    CUT,
    NO_KEY,
    US,
    Row,
    Wanted,
    fold,
    ref_key,
    ref_logon,
    row_of,
    wanted_of,
)
from rosterd.people_rules import PeoplePlan, glob
from rosterd.templates import Template, TemplateError, condition, getter, quick_column

# the same cells by row and by column
Table: TypeAlias = tuple[Sequence[Sequence[Cell]], Sequence[Sequence[Cell]]]


class PeopleMapper:
    """Maps batches of one feed. `warned`: how often each general warning applied."""

    def __init__(self, plan: PeoplePlan, attributes: Sequence[str], *, refs: bool) -> None:
        self._plan = plan
        self._rules = plan.rules
        self._attributes = attributes
        self._with_refs = refs
        allowed = re.escape(plan.rules.allowed_characters)
        self._identifier = re.compile(rf"[A-Za-z0-9{allowed}]+")
        self._identifiers = re.compile(rf"[A-Za-z0-9{allowed}]++(?:\n[A-Za-z0-9{allowed}]++)*+")
        self._width = len(attributes)
        self._excludes = [(text, condition(text, attributes)) for text in plan.expressions]
        self._globs = [(text, glob(text)) for text in plan.globs]
        self._disabled = condition(plan.disabled, attributes) if plan.disabled else None
        self._memberships = getter(plan.groups, attributes) if plan.groups else None
        self.warned: dict[str, int] = {}

    def map(self, batch: Batch) -> list[Wanted]:
        """One Wanted per entry, in the order of the batch."""
        return [wanted_of(row) for row in self.rows(batch)]

    def rows(self, batch: Batch) -> list[Row]:
        """The same as rows, which is how people are sorted and compared."""
        plan, problems = self._plan, Problems()
        cells = self._even(batch, problems)
        table = cells, list(zip(*cells, strict=True))  # turned once, for all the columns
        raw = self._column([plan.logon], table, problems)
        domains = self._column([plan.domain], table, problems)
        names = self._column(plan.name, table, problems)
        emails = self._column(plan.email, table, problems)
        ids = self._column([plan.id], table, problems) if plan.id else (batch.ids or [""] * len(cells))
        logons = self._identifiers_of("logon", raw, problems)
        domains = self._identifiers_of("domain", domains, problems)
        names = self._names(names, problems)
        emails = self._emails(emails, problems)
        self._lengths({"logon": logons, "domain": domains, "name": names, "email": emails}, problems)
        self._exclusions(batch, cells, raw, problems)
        keys = _keys(domains, logons)
        fields = zip(
            keys, domains, logons, names, emails, repeat(plan.source), ids, batch.dns or repeat(""), repeat(ACTIVE)
        )  # fmt: skip
        lines = list(map(US.join, fields))
        refs = self._refs(batch, raw, domains, logons)
        marks = map(hash, map(str.lower, emails))
        further = address_column(plan.addresses, self._attributes, table[1])
        out: list[Row] = list(zip(lines, batch.places, repeat(""), refs, marks, further))
        neat = "".join(lines).count(US) == (CUT - 1) * len(lines)  # no field has a US of its own
        dirty = set() if neat else {i for i, line in enumerate(lines) if line.count(US) != CUT - 1}
        for i in sorted(problems.indexes() | dirty):
            parts = (keys[i], domains[i], logons[i], names[i], emails[i], plan.source, ids[i])
            dn = batch.dns[i] if batch.dns else ""
            wanted = (parts[0].encode("utf-8", "surrogatepass"), *parts[1:], dn, ACTIVE, *out[i][1:4])
            out[i] = row_of(self._patched(wanted, cells[i], i, problems), *out[i][4:])
        return out

    def memberships(self, batch: Batch, people: Sequence[Wanted]) -> list[tuple[str, str]]:
        """(group name, ref of the member) from the `groups` column, for entries that have a key."""
        if self._memberships is None:
            return []
        found: list[tuple[str, str]] = []
        for row, person in zip(batch.rows, people, strict=True):
            try:
                text = self._memberships(row)
            except TemplateError:
                continue  # the same failure set the person aside
            if text and not person[0].startswith(NO_KEY):
                ref = ref_key(person[1], person[2])
                found += [
                    (name.strip(), ref) for name in text.split(self._rules.groups_separator) if name.strip()
                ]
        return found

    def _even(self, batch: Batch, problems: Problems) -> Sequence[Sequence[Cell]]:
        """Rows as wide as the header; others are padded, and set aside."""
        rows, width = batch.rows, self._width
        if set(map(len, rows)) <= {width}:
            return rows
        for i, row in enumerate(rows):
            if len(row) != width:
                problems.aside(
                    i,
                    f"has {len(row)} fields where the header has {width}: is a separator or a quote missing?",
                )
        return [[*row[:width], *[""] * (width - len(row))] for row in rows]

    def _column(self, templates: Sequence[Template], table: Table, problems: Problems) -> list[str]:
        """The first template that is not empty, for every row."""
        rows, columns = table
        out: list[str] | None = None
        for template in templates:
            if out is None:
                out = quick_column(template, columns, len(rows), self._attributes)
                out = self._values(template, rows, range(len(rows)), problems) if out is None else out
            elif holes := [i for i, text in enumerate(out) if not text]:
                for i, text in zip(holes, self._values(template, rows, holes, problems), strict=True):
                    out[i] = text
        return [""] * len(rows) if out is None else out

    def _values(
        self, template: Template, rows: Sequence[Sequence[Cell]], which: Sequence[int], problems: Problems
    ) -> list[str]:
        get = getter(template, self._attributes)
        out: list[str] = []
        for i in which:
            try:
                out.append(get(rows[i]))
            except TemplateError as error:
                problems.aside(i, str(error))
                out.append("")
        return out

    def _identifiers_of(self, field: str, texts: list[str], problems: Problems) -> list[str]:
        """Checks logons or domains against Orbix's rule (no accents, symbols or spaces), repairing where asked to."""
        repair = self._rules.repair
        lower = field == "logon" and "lower" in repair
        if lower:
            texts = list(map(str.lower, texts))
        joined = "\n".join(texts)
        if "-" in joined or "_" in joined:
            count = sum(1 for text in texts if "-" in text or "_" in text)
            warning = f"a {field} with - or _, which Orbix's pages do not mention"
            self.warned[warning] = self.warned.get(warning, 0) + count
        if self._identifiers.fullmatch(joined) and joined.count("\n") == len(texts) - 1:
            return texts
        texts = list(texts)
        for i, text in enumerate(texts):
            if self._identifier.fullmatch(text):
                continue
            mended = transliterated(text) if "ascii" in repair else ""
            if self._identifier.fullmatch(mended):
                texts[i] = mended.lower() if lower else mended
            else:
                problems.aside(i, self._unfit(field, text))
        return texts

    def _unfit(self, field: str, text: str) -> str:
        if not text:
            return f"has no {field}"
        bad = next(char for char in text if not self._identifier.fullmatch(char))
        shown = repr(bad) if bad.isprintable() else f"U+{ord(bad):04X}"
        mends = self._identifier.fullmatch(transliterated(text))
        hint = '; `repair = ["ascii"]` would mend it' if mends else ""
        return f"the {field} {text[:80]!r} has {shown}, which Orbix does not accept{hint}"

    def _names(self, texts: list[str], problems: Problems) -> list[str]:
        joined = "".join(texts)
        if joined.isprintable() and max(map(len, texts), default=0) <= MAX_NAME:
            if joined.isascii():
                return texts
            whole = normalize("NFC", "\n".join(texts)).split("\n")
            if len(whole) == len(texts):
                return whole
        out = texts
        for i, text in enumerate(texts):
            mended = clean(text)
            if len(mended) > MAX_NAME:
                problems.warn(i, f"the name has {len(mended):,} characters and was cut to {MAX_NAME}")
                mended = mended[:MAX_NAME].rstrip()
            if mended is not text:
                if mended != normalize("NFC", text) and len(mended) < MAX_NAME:
                    problems.warn(i, "control characters were taken out of the name")
                out = out if out is not texts else list(texts)
                out[i] = mended
        return out

    def _emails(self, texts: list[str], problems: Problems) -> list[str]:
        joined = "\n".join(texts)
        if (
            EMAILS.fullmatch(joined) and joined.count("\n") == len(texts) - 1
        ):  # none has a line break of its own
            return texts
        texts = list(texts)
        for i, text in enumerate(texts):
            if text and not EMAIL.fullmatch(text):
                self._bad_email(i, f"the e-mail {text[:80]!r} is not a plain a@b.c address", texts, problems)
        return texts

    def _bad_email(self, i: int, reason: str, emails: list[str], problems: Problems) -> None:
        if self._rules.bad_email == "omit":
            problems.warn(i, f"{reason}: delivered without it")
            emails[i] = ""
        else:
            problems.aside(i, reason)

    def _lengths(self, columns: Mapping[str, list[str]], problems: Problems) -> None:
        for field, texts in columns.items():
            limit: int | None = getattr(self._rules.max_length, field, None)
            for i, text in enumerate(texts if limit else ()):
                if limit and len(text) > limit:
                    reason = f"the {field} has {len(text)} characters, more than {limit}"
                    if field == "email":
                        self._bad_email(i, reason, texts, problems)
                    elif field == "name":
                        problems.warn(i, f"{reason}, and was cut")
                        texts[i] = text[:limit].rstrip()
                    else:
                        problems.aside(i, reason)

    def _exclusions(
        self, batch: Batch, rows: Sequence[Sequence[Cell]], logons: list[str], problems: Problems
    ) -> None:
        folded = [fold(text) for text in logons] if self._globs else []
        for text, matches in self._globs:
            problems.exclude(
                [i for i, logon in enumerate(folded) if matches(logon)], f'excluded by the rule "{text}"'
            )
        for text, holds in self._excludes:
            problems.exclude(true_for(holds, rows, problems), f'excluded by the rule "{text}"')
        if self._disabled is not None:
            problems.exclude(true_for(self._disabled, rows, problems), DISABLED)
        elif self._rules.disabled == "exclude" and batch.disabled and any(batch.disabled):
            problems.exclude([i for i, off in enumerate(batch.disabled) if off], DISABLED)

    def _refs(
        self, batch: Batch, raw: list[str], domains: list[str], logons: list[str]
    ) -> Sequence[str] | repeat[str]:
        """How groups may name each entry where that cannot be told from its key or DN."""
        if not self._with_refs:
            return repeat("")
        if batch.refs:
            return batch.refs
        if raw is logons:
            return repeat("")
        source = self._plan.source
        return [
            ""
            if fold(was) == fold(now)
            else "\0".join(
                (ref_logon(source, was), ref_logon(source, now), ref_key(domain, was), ref_key(domain, now))
            )
            for was, now, domain in zip(raw, logons, domains, strict=True)
        ]

    def _patched(self, wanted: Wanted, row: Sequence[Cell], i: int, problems: Problems) -> Wanted:
        state, reason = problems.verdict(i)
        key = wanted[0].replace(US.encode(), b"?")
        if not wanted[1] or not wanted[2]:
            shown = (
                wanted[6] or hashlib.blake2b(repr(row).encode("utf-8", "replace"), digest_size=8).hexdigest()
            )
            key = NO_KEY + f"{self._plan.source}\0{shown}\0{wanted[9]}".encode("utf-8", "replace")
        return (key, *wanted[1:8], state, wanted[9], reason, wanted[11])


def _keys(domains: list[str], logons: list[str]) -> list[str]:
    same = domains[0] if domains and domains.count(domains[0]) == len(domains) else None
    if same is not None and "".join(logons).isascii():
        prefix = fold(same) + "\0"
        return [prefix + logon for logon in map(str.lower, logons)]
    return [f"{fold(domain)}\0{fold(logon)}" for domain, logon in zip(domains, logons, strict=True)]
