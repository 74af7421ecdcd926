"""The limits as programs of their own: `python bench/limits.py R people.csv ...`, or U, or `imports NAME ...`.

R: the least that plain Python can do with every row: csv.reader, strip, NFC, lower-case, one BLAKE2b a row.
U: importing what a small service of this kind needs, then R.
imports: importing just these modules, so that work can be stated net of imports.
"""

import csv
import sys
from contextlib import suppress
from hashlib import blake2b
from importlib import import_module
from unicodedata import normalize

USUAL = ("httpx", "pydantic_settings", "structlog", "typer", "jinja2")


def rows(path: str) -> None:
    """R over one file."""
    with open(path, newline="", encoding="utf-8") as file:  # noqa: PTH123 - importing pathlib is no part of R
        for row in csv.reader(file):
            cells = [normalize("NFC", cell.strip()).lower() for cell in row]
            blake2b("\x1f".join(cells).encode()).digest()


def imports(names: list[str]) -> None:
    """Imports what can be imported: some modules exist only beside others."""
    for name in names:
        with suppress(ImportError):
            import_module(name)


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    if what == "imports":
        imports(given)
    elif what == "U":
        imports(list(USUAL))
    if what in ("R", "U"):
        for each in given:
            rows(each)
