"""`python -m tests.fuzz [-runs=N] [libFuzzer options] [CORPUS]`: see `make fuzz`. Ends 0 when nothing was found."""

from __future__ import annotations

import sys
from random import Random

import atheris
from tests.fuzz.mutate import changed

# What cuts and decodes; more would slow the fuzzer down tenfold.
TRIED = ("ber", "decode", "groups", "pages", "rows", "session")

with atheris.instrument_imports(include=[f"rosterd.sources.ldap.{name}" for name in TRIED]):
    from tests.fuzz import target

LONGEST = 6_000  # bytes of an answer


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """A changed answer that is not longer than allowed."""
    grown = changed(data, Random(seed), lambda content: bytes(atheris.Mutate(content, len(content) + 40)))
    return grown if len(grown) <= most else bytes(atheris.Mutate(data, most))


def fuzzed(data: bytes) -> None:
    """One run; what it raises is a find."""
    target.one(data)


def main() -> None:
    """Hands over to libFuzzer, which never comes back."""
    given = [sys.argv[0], f"-max_len={LONGEST}", "-timeout=20", "-rss_limit_mb=1024", *sys.argv[1:]]
    atheris.Setup(given, fuzzed, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
